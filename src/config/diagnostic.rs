//! What is wrong with a configuration, where it is, and what to write instead.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use super::secret::{without_credentials, without_secrets};
use crate::fields::{Notation, visible};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing starts with it.
    Error,
    /// It starts, and probably does something else than was meant.
    Warning,
    /// It starts and does what it says; worth knowing.
    Note,
}

impl Severity {
    /// The word it is printed with.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub(super) severity: Severity,
    pub(super) message: String,
    pub(super) help: String,
    /// Whether an option of the command line is to blame, and not the file.
    pub(super) of_option: bool,
    /// Byte range in the file's text; `None` where no text is to blame.
    pub(super) place: Option<Range<usize>>,
    /// A second place that matters, and what it is.
    pub(super) also: Option<(Range<usize>, String)>,
}

impl Diagnostic {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong, as a sentence without a full stop.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to write or do instead, as a sentence without a full stop.
    pub fn help(&self) -> &str {
        &self.help
    }
}

/// A file's name and text.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) text: String,
}

/// A place in a file as people count: from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Source {
    /// The place of a byte offset.
    pub(super) fn position(&self, offset: usize) -> Position {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Position { line, column }
    }
}

/// Every finding about one file, in the order of their places.
#[derive(Clone, Debug)]
pub struct Report {
    source: Arc<Source>,
    diagnostics: Vec<Diagnostic>,
}

/// A finding as it is told, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding<'r> {
    /// How much it matters.
    pub severity: Severity,
    /// The file; `None` where an option of the command line is to blame.
    pub file: Option<&'r str>,
    /// Where in it; `None` where no text is to blame.
    pub place: Option<Position>,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// What to write or do instead, as a sentence without a full stop.
    pub help: String,
}

/// How many findings a person is shown at once.
const MOST_SHOWN: usize = 50;

impl Report {
    pub(super) fn new(source: Arc<Source>, mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort_by_key(|finding| finding.place.as_ref().map(|place| place.start));
        Self { source, diagnostics }
    }

    /// The findings with their places.
    pub fn iter(&self) -> impl Iterator<Item = (&Diagnostic, Option<Position>)> {
        self.diagnostics.iter().map(|finding| {
            let place = finding.place.as_ref().map(|place| self.source.position(place.start));
            (finding, place)
        })
    }

    /// The findings as they are told, no more than are printed, and how many more there are.
    pub fn shown(&self) -> (impl Iterator<Item = Finding<'_>>, usize) {
        let shown = self.iter().take(MOST_SHOWN).map(|(finding, place)| Finding {
            severity: finding.severity,
            file: (!finding.of_option).then_some(&*self.source.name),
            place,
            message: without_secrets(&finding.message).into_owned(),
            help: without_secrets(&finding.help).into_owned(),
        });
        (shown, self.diagnostics.len().saturating_sub(MOST_SHOWN))
    }

    /// The first finding in a line: where it is and what is wrong, as far as that is no secret.
    pub fn first_line(&self) -> Option<String> {
        let (finding, place) = self.iter().next()?;
        let place = place.map_or_else(String::new, |place| format!(":{}:{}", place.line, place.column));
        Some(format!("{}{place}: {}", self.source.name, without_secrets(&finding.message)))
    }

    /// The findings that matter at least this much.
    #[must_use]
    pub fn at_least(&self, severity: Severity) -> Self {
        let matters = |finding: &&Diagnostic| finding.severity <= severity;
        Self {
            source: Arc::clone(&self.source),
            diagnostics: self.diagnostics.iter().filter(matters).cloned().collect(),
        }
    }

    /// The findings as `rustc` prints its own, in colour if `styled`, the first fifty of them. Ends without a newline.
    pub fn render(&self, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        // Secrets keep their length, so that every mark is still below what it marks.
        let text = without_credentials(&self.source.text);
        let text = without_secrets(&text);
        let shown = self.diagnostics.iter().take(MOST_SHOWN);
        let mut rendered: Vec<String> = shown.map(|finding| renderer.render(&[self.group(finding, &text)])).collect();
        let more = self.diagnostics.len().saturating_sub(MOST_SHOWN);
        if more > 0 {
            rendered.push(format!("and {more} more"));
        }
        rendered.join("\n\n")
    }

    fn group<'a>(&'a self, finding: &'a Diagnostic, text: &'a str) -> Group<'a> {
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let title = level.primary_title(visible(&finding.message, Notation::Plain));
        let help = Level::HELP.message(visible(&finding.help, Notation::Plain));
        let name = visible(&self.source.name, Notation::Plain);
        if finding.of_option {
            return title.element(help);
        }
        let Some(place) = &finding.place else {
            return title.element(Origin::path(name.clone())).element(help);
        };
        let mut snippet = Snippet::source(text).path(name).annotation(AnnotationKind::Primary.span(place.clone()));
        if let Some((other, label)) = &finding.also {
            snippet =
                snippet.annotation(AnnotationKind::Context.span(other.clone()).label(visible(label, Notation::Plain)));
        }
        title.element(snippet).element(help)
    }

    /// The findings for programs: a list of `{"severity", "file", "line", "column", "message", "help"}`; line and
    /// column are null where no text is to blame, the file too where it is an option of the command line.
    pub fn to_json(&self) -> Value {
        let one = |(finding, place): (&Diagnostic, Option<Position>)| {
            json!({
                "severity": finding.severity.as_str(),
                "file": (!finding.of_option).then_some(&self.source.name),
                "line": place.map(|place| place.line),
                "column": place.map(|place| place.column),
                "message": finding.message,
                "help": finding.help,
            })
        };
        self.iter().map(one).collect()
    }
}

/// A configuration that cannot be used, with everything that was found wrong with it.
#[derive(Clone, Debug)]
pub struct ConfigError(pub(super) Report);

impl ConfigError {
    /// What was found; at least one error.
    pub fn report(&self) -> &Report {
        &self.0
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.render(false))
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str, place: Option<Range<usize>>) -> Report {
        let source = Arc::new(Source { name: "proxy.toml".to_owned(), text: text.to_owned() });
        let finding = Diagnostic {
            severity: Severity::Error,
            message: "`ttl` is wrong".to_owned(),
            help: "write \"1h\"".to_owned(),
            of_option: false,
            place,
            also: None,
        };
        Report::new(source, vec![finding])
    }

    #[test]
    fn a_finding_is_printed_with_line_column_mark_and_help() {
        let text = report("# é\nttl = 1\n", Some(10..11)).render(false);
        assert!(text.contains("error: `ttl` is wrong"), "{text}");
        assert!(text.contains("proxy.toml:2:6") || text.contains("proxy.toml:2:7"), "{text}");
        assert!(text.contains("2 | ttl = 1"), "{text}");
        assert!(text.contains("help: write \"1h\""), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn no_more_than_fifty_findings_are_printed() {
        let one = report("a", Some(0..1));
        let many = Report::new(one.source, vec![one.diagnostics[0].clone(); 57]);
        let text = many.render(false);
        assert_eq!(text.matches("error: ").count(), 50);
        assert!(text.ends_with("\n\nand 7 more"), "{text}");
        assert_eq!(many.to_json().as_array().unwrap().len(), 57);
        let (shown, more) = many.shown();
        assert_eq!((shown.count(), more), (50, 7));
    }

    #[test]
    fn columns_count_characters() {
        let source = Source { name: String::new(), text: "a\né = 1".to_owned() };
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
        assert_eq!(source.position(2), Position { line: 2, column: 1 });
        assert_eq!(source.position(4), Position { line: 2, column: 2 });
        assert_eq!(source.position(99), Position { line: 2, column: 6 });
    }

    #[test]
    fn a_finding_without_a_place_names_the_file() {
        let text = report("", None).render(false);
        assert!(text.contains("proxy.toml") && text.contains("help: "), "{text}");
    }

    #[test]
    fn a_mark_at_the_very_end_is_printed() {
        for text in ["", "a", "a\n"] {
            let rendered = report(text, Some(text.len()..text.len())).render(false);
            assert!(rendered.contains("error: "), "{rendered}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let text = "store = \"redis://u:hunter2@h:6379\"";
        let rendered = report(text, Some(8..34)).render(false);
        assert!(!rendered.contains("hunter2") && rendered.contains("redis://u:*******@h:6379"), "{rendered}");
    }

    #[test]
    fn programs_get_the_same_as_people() {
        let json = report("ttl = 1", Some(6..7)).to_json();
        assert_eq!(json[0]["line"], 1);
        assert_eq!(json[0]["column"], 7);
        assert_eq!(json[0]["severity"], "error");
    }
}
