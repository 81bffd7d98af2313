//! Collects everything that is wrong with a file, so that a person sees all of it at once; and knows which tables could not
//! be read whole, since what such a table lacks may be just what was not read.

use std::collections::HashSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Severity};
use crate::rules::PatternError;

/// Text as written in the file, with its place.
pub(super) type Text = Spanned<String>;

/// What is wrong with one value, before its place in the file is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// Byte offset in the value's text, where one character is to blame.
    pub(super) at: Option<usize>,
    pub(super) message: String,
    pub(super) help: String,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { at: None, message: message.into(), help: help.into() }
    }

    /// A fault in a pattern or template. What to write instead comes after the message's last `;`, if it says so.
    pub(super) fn of_pattern(error: PatternError, help: &str) -> Self {
        let (message, help) = match error.message.split_once("; ") {
            Some((message, own)) => (message.to_owned(), own.to_owned()),
            None => (error.message, help.to_owned()),
        };
        Self { at: Some(error.at), message, help }
    }
}

/// The findings so far.
#[derive(Debug)]
pub(super) struct Findings<'t> {
    text: &'t str,
    found: Vec<Diagnostic>,
    tables: Tables,
}

impl<'t> Findings<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new(), tables: Tables::default() }
    }

    /// Whether anything found keeps the file from being used.
    pub(super) fn has_errors(&self) -> bool {
        self.found.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Which tables could not be read whole.
    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// These are the file's tables.
    pub(super) fn in_tables(&mut self, tables: Tables) {
        self.tables = tables;
    }

    /// This key of the table around this place could not be read; `None` if the key is not known.
    pub(super) fn unread(&mut self, place: &Range<usize>, key: Option<&str>) {
        self.tables.unread(place, key);
    }

    /// What was found. In a table with an error what is only worth knowing may follow from it, and is left out.
    pub(super) fn into_vec(mut self) -> Vec<Diagnostic> {
        let is_error = |finding: &Diagnostic| finding.severity == Severity::Error;
        let errors = self.found.iter().filter(|finding| is_error(finding));
        let faulty: HashSet<_> =
            errors.filter_map(|finding| finding.place.as_ref()).map(|place| self.tables.around(place)).collect();
        let is_told = |place: &Range<usize>| !faulty.contains(&self.tables.around(place));
        self.found.retain(|finding| is_error(finding) || finding.place.as_ref().is_none_or(is_told));
        self.found
    }

    /// An error at a place.
    pub(super) fn error(&mut self, place: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.add(Severity::Error, Some(place), message, help);
    }

    /// An error of a table that lacks one of these keys, or of a value that does not suit theirs. It is not told where such
    /// a key could not be read, for that may be what is missed; nor, of a table that without its keys is none, where any
    /// could not: then none is named.
    pub(super) fn lacks(
        &mut self,
        place: Range<usize>,
        keys: &[&str],
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if !self.tables.is_unread(&place, keys) {
            self.error(place, message, help);
        }
    }

    /// An error that no text in the file is to blame for.
    pub(super) fn error_nowhere(&mut self, problem: Problem) {
        self.add(Severity::Error, None, problem.message, problem.help);
    }

    /// An error in an option of the command line.
    pub(super) fn error_in_option(&mut self, problem: Problem) {
        self.error_nowhere(problem);
        if let Some(finding) = self.found.last_mut() {
            finding.of_option = true;
        }
    }

    /// An error about two places: what is wrong at the first, and what the second is.
    pub(super) fn error_beside(&mut self, place: Range<usize>, problem: Problem, other: Range<usize>, label: &str) {
        self.error(place, problem.message, problem.help);
        if let Some(finding) = self.found.last_mut() {
            finding.also = Some((other, label.to_owned()));
        }
    }

    pub(super) fn warning(&mut self, place: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.add(Severity::Warning, Some(place), message, help);
    }

    /// A note about what may or may not be in the file.
    pub(super) fn note_at(&mut self, place: Option<Range<usize>>, message: impl Into<String>, help: impl Into<String>) {
        self.add(Severity::Note, place, message, help);
    }

    pub(super) fn note(&mut self, place: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.add(Severity::Note, Some(place), message, help);
    }

    /// An error in a text value, marked at the very character where that can be told.
    pub(super) fn problem(&mut self, value: &Text, problem: Problem) {
        let place = match problem.at {
            Some(at) => self.inside(value, at),
            None => value.span(),
        };
        self.error(place, problem.message, problem.help);
    }

    /// Gives the value on, or files its problem.
    pub(super) fn check<T>(&mut self, value: &Text, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.problem(value, problem)).ok()
    }

    /// The place in the file of a byte offset in a text value: the word that begins there. The whole value where the
    /// file writes it differently, with escapes or variables of the environment.
    pub(super) fn inside(&self, value: &Text, at: usize) -> Range<usize> {
        let span = value.span();
        let written = self.text.get(span.clone()).unwrap_or_default();
        let quotes = if written.starts_with("\"\"\"") || written.starts_with("'''") { 3 } else { 1 };
        let inner = written.get(quotes..written.len().saturating_sub(quotes));
        if inner != Some(value.get_ref().as_str()) || at > value.get_ref().len() {
            return span;
        }
        let start = span.start + quotes + at;
        let rest = value.get_ref().get(at..).unwrap_or_default();
        let word = if rest.starts_with('$') { rest.find('}').map(|end| end + 1) } else { rest.find(ends_a_word) };
        let word = word.unwrap_or(rest.len());
        start..start + word.max(rest.chars().next().map_or(1, char::len_utf8))
    }

    fn add(
        &mut self,
        severity: Severity,
        place: Option<Range<usize>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        // Places come from the parser; one past the end would make the printer fail, so it is cut.
        let place = place.map(|place| place.start.min(self.text.len())..place.end.min(self.text.len()));
        // What is only worth knowing of the file as a whole may have become so by what is missing.
        if severity != Severity::Error && place.is_none() && self.tables.is_any_unread() {
            return;
        }
        self.found.push(Diagnostic {
            severity,
            message: message.into(),
            help: help.into(),
            of_option: false,
            place,
            also: None,
        });
    }
}

/// The tables of a file in their order: its top, each `[table]`, each member of a `[[list]]` with what lies below it.
#[derive(Debug, Default)]
pub(super) struct Tables {
    headed: Vec<Headed>,
    unread: Vec<Unread>,
}

/// A table with a header; `name` is that of the table at the top of the file that it is or lies in, `None` where there is
/// no such table, so that it may be any one misspelt.
#[derive(Debug)]
struct Headed {
    start: usize,
    name: Option<&'static str>,
}

/// A key that could not be read, in one of the headed tables or at the top; `None` if the key is not known.
#[derive(Debug)]
struct Unread {
    table: Option<usize>,
    at: usize,
    key: Option<String>,
}

impl Unread {
    fn may_be(&self, keys: &[&str]) -> bool {
        keys.is_empty() || self.key.as_deref().is_none_or(|key| keys.contains(&key))
    }
}

impl Tables {
    /// Those of a text that was parsed, of whose tables these are known.
    pub(super) fn of(root: &DeTable<'_>, text: &str, known: &[&'static str]) -> Self {
        let mut headed = Vec::new();
        let mut add = |place: Range<usize>, name: &str| {
            // An inline table begins with a brace, and belongs to the table around it.
            if text.get(place.start..).is_some_and(|rest| rest.starts_with('[')) {
                let name = known.iter().copied().find(|known| *known == name);
                headed.push(Headed { start: place.start, name });
            }
        };
        for (key, value) in root {
            let name = key.get_ref().as_ref();
            match value.get_ref() {
                DeValue::Table(table) => {
                    add(value.span(), name);
                    table
                        .iter()
                        .filter(|(_, below)| below.get_ref().is_table())
                        .for_each(|(_, it)| add(it.span(), name));
                }
                DeValue::Array(list) => {
                    list.iter().filter(|it| it.get_ref().is_table()).for_each(|it| add(it.span(), name));
                }
                _ => {}
            }
        }
        headed.sort_by_key(|table| table.start);
        Self { headed, unread: Vec::new() }
    }

    /// This key of the table around this place could not be read.
    pub(super) fn unread(&mut self, place: &Range<usize>, key: Option<&str>) {
        self.unread.push(Unread { table: self.around(place), at: place.start, key: key.map(str::to_owned) });
    }

    /// Whether one of these keys of the table around this place could not be read, or anything at the place itself; any key
    /// where none is named.
    pub(super) fn is_unread(&self, place: &Range<usize>, keys: &[&str]) -> bool {
        let table = self.around(place);
        let may_be = |unread: &Unread| unread.may_be(keys) || place.contains(&unread.at);
        self.unread.iter().any(|unread| unread.table == table && may_be(unread))
    }

    /// Whether anything could not be read.
    pub(super) fn is_any_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Whether one of these keys could not be read in any of the tables of this name, or such a table itself.
    pub(super) fn is_unread_in_any(&self, name: &str, keys: &[&str]) -> bool {
        let around = |unread: &Unread| unread.table.and_then(|table| self.headed.get(table));
        self.unread.iter().any(|unread| match around(unread).map(|headed| headed.name) {
            Some(Some(known)) => known == name && unread.key.as_deref().is_some_and(|key| keys.contains(&key)),
            Some(None) => true,
            None => unread.key.as_deref() == Some(name),
        })
    }

    /// Which table is around this place; `None` for the top.
    pub(super) fn around(&self, place: &Range<usize>) -> Option<usize> {
        self.headed.partition_point(|table| table.start <= place.start).checked_sub(1)
    }
}

fn ends_a_word(character: char) -> bool {
    !(character.is_alphanumeric() || matches!(character, '_' | '-' | ':'))
}

/// The known word that a misspelt one most likely means.
pub(super) fn closest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let wanted = word.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 2.min(name.chars().count() / 2).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `a`, `b` or `c`: names in backticks, for messages, with this word before the last one.
pub(super) fn listed<'k>(names: impl IntoIterator<Item = &'k str>, word: &str) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} {word} {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_finds_its_neighbour() {
        let known = ["ttl", "ttl_jitter", "invalidated_by", "path"];
        assert_eq!(closest("tll", known), Some("ttl"));
        assert_eq!(closest("invalidated-by", known), Some("invalidated_by"));
        assert_eq!(closest("Path", known), Some("path"));
        assert_eq!(closest("colour", known), None);
    }

    #[test]
    fn a_place_inside_a_text_is_found_where_the_file_writes_it_plainly() {
        let text = r#"key = "fruit:{id}""#;
        let value = Spanned::new(6..18, "fruit:{id}".to_owned());
        let findings = Findings::new(text);
        assert_eq!(text.get(findings.inside(&value, 7)), Some("id"));
        let escaped = Spanned::new(6..18, "other".to_owned());
        assert_eq!(findings.inside(&escaped, 2), 6..18);
    }

    #[test]
    fn names_are_listed_as_people_do() {
        assert_eq!(listed(["a"], "or"), "`a`");
        assert_eq!(listed(["a", "b", "c"], "or"), "`a`, `b` or `c`");
    }

    #[test]
    fn a_place_belongs_to_the_last_table_above_it() {
        let text = "listen = 1\nstore = { url = 2 }\n[origin]\nurl = 3\n[origin.tls]\nca = 4\n[[route]]\npath = 5\n\
                    [route.write]\nentry = 6\n[[route]]\npath = 7\n";
        let root = DeTable::parse(text).unwrap();
        let at = |value: char| {
            let start = text.find(&format!("= {value}")).unwrap();
            start..start + 3
        };
        let unread_with = |value: char, key: Option<&str>| {
            let mut tables = Tables::of(root.get_ref(), text, &["origin", "route"]);
            tables.unread(&at(value), key);
            assert!(tables.is_any_unread());
            let unread: String = "1234567".chars().filter(|other| tables.is_unread(&at(*other), &["path"])).collect();
            (unread, tables.is_unread_in_any("route", &["path"]))
        };
        for (value, unread, route) in [
            ('1', "12", false),
            ('2', "12", false),
            ('3', "3", false),
            ('4', "4", false),
            ('5', "56", true),
            ('6', "56", true),
            ('7', "7", true),
        ] {
            assert_eq!(unread_with(value, Some("path")), (unread.to_owned(), route), "{value}");
            assert_eq!(unread_with(value, None).0, unread, "{value}");
            assert_eq!(unread_with(value, Some("ttl")).0, value.to_string());
        }
        // An unknown key of a route is hardly its path, and one at the top no table; an unknown table may be a route.
        assert!(!unread_with('1', None).1 && !unread_with('5', None).1 && !unread_with('3', None).1);
        assert!(unread_with('1', Some("route")).1);
        let text = "[[path]]\npath = 1\n";
        let mut tables = Tables::of(DeTable::parse(text).unwrap().get_ref(), text, &["route"]);
        tables.unread(&(2..6), None);
        assert!(tables.is_unread_in_any("route", &["path"]));
        assert!(!Tables::of(root.get_ref(), text, &["origin", "route"]).is_any_unread());
    }
}
