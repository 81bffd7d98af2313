//! What the commands have in common: which configuration is read, what is printed where, and the exit codes.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use crate::config::{Config, ConfigError, Overrides, Report, duration, wants_no_colours};
use crate::fields::{Notation, visible, visible_lines};

/// The configuration cannot be used: `EX_CONFIG`.
pub(super) const BAD_CONFIG: u8 = 78;
/// The store that was to be looked into is out of reach: `EX_UNAVAILABLE`.
pub(super) const UNAVAILABLE: u8 = 69;
/// The arguments cannot be used.
pub(super) const USAGE: u8 = 2;

/// Where the configuration is.
#[derive(Debug, Args)]
pub struct ConfigArguments {
    /// The configuration; if not, the one that `ASIDE_CONFIG` names, ./proxy.toml or /etc/aside/proxy.toml.
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The named file, else one of those that are looked for, else what the command line says alone.
pub(super) fn configuration(arguments: &ConfigArguments, overrides: &Overrides) -> Result<Config, ConfigError> {
    Config::find(arguments.config.as_deref(), overrides)
}

/// Reads a field as a person gives it. The error does not repeat it: it may hold a credential.
pub(super) fn field(line: &str) -> Result<(HeaderName, HeaderValue), String> {
    let help = "a header is no field: write its name, a colon and its value, as in Accept: text/csv";
    let (name, value) = line.split_once(':').ok_or(help)?;
    let name: HeaderName = name.trim().parse().map_err(|_| help)?;
    let value = HeaderValue::from_str(value.trim()).map_err(|_| help)?;
    Ok((name, value))
}

/// How many routes there are, in words.
pub(super) fn count_routes(config: &Config) -> String {
    match config.proxy.rules.routes.iter().count() {
        0 => "no routes".to_owned(),
        1 => "1 route".to_owned(),
        count => format!("{count} routes"),
    }
}

/// Whether what goes to standard error is for a person's terminal.
fn coloured() -> bool {
    io::stderr().is_terminal() && !wants_no_colours()
}

/// Prints a result, with control characters and invisible ones escaped: a decoded URL may hold some. 1 where it cannot be
/// written.
pub(super) fn say(text: &str) -> ExitCode {
    print(&visible_lines(text, Notation::Plain))
}

/// The same for a result that programs read.
pub(super) fn say_json(value: &Value) -> ExitCode {
    print(&visible(&value.to_string(), Notation::Json))
}

fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    said(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// What writing to standard output came to: 1 where it cannot be written.
pub(super) fn said(written: io::Result<()>) -> ExitCode {
    match written {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has gone, as `head` does, and wants to hear no more: whether before or after the last line is chance.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            say_aside(&format!("error: standard output cannot be written: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints a line that is not the result, with the same characters escaped.
pub(super) fn say_aside(text: &str) {
    let _ = writeln!(io::stderr(), "{}", visible(text, Notation::Plain));
}

/// The same for what may have several lines.
pub(super) fn say_lines_aside(text: &str) {
    let _ = writeln!(io::stderr(), "{}", visible_lines(text, Notation::Plain));
}

/// Prints findings, in colour where that is wanted; nothing if there are none.
pub(super) fn say_findings(report: &Report) {
    let coloured = coloured();
    let text = report.render(coloured);
    if !text.is_empty() {
        let notation = if coloured { Notation::Coloured } else { Notation::Plain };
        let _ = writeln!(io::stderr(), "{}", visible_lines(&text, notation));
    }
}

/// How many lines and columns there are to write on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) lines: usize,
    pub(super) columns: usize,
}

/// Those of the terminal that is standard output; those of the first ones where it does not say.
pub(super) fn size_of_terminal() -> Size {
    let usual = Size { lines: 24, columns: 80 };
    rustix::termios::tcgetwinsize(io::stdout()).map_or(usual, |told| match (told.ws_row, told.ws_col) {
        (0, _) | (_, 0) => usual,
        (lines, columns) => Size { lines: lines.into(), columns: columns.into() },
    })
}

/// So many whole seconds, as a configuration has a duration; what a process says that is none counts as the nearest.
pub(super) fn whole_seconds(seconds: f64) -> String {
    let seconds = seconds.max(0.0).floor();
    duration::show(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// Puts labelled lines under one another; a label that repeats is left out.
pub(super) fn layout(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    let mut shown = Vec::with_capacity(lines.len());
    let mut before = "";
    for (label, text) in lines {
        let label_or_not = if *label == before { "" } else { label };
        before = label;
        shown.push(format!("{label_or_not:width$}  {}", visible(text, Notation::Plain)));
    }
    shown.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_field_is_not_repeated() {
        let error = field("Authorization Bearer hunter2").unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
        assert!(field("A: b").is_ok());
    }

    #[test]
    fn seconds_that_are_no_duration_are_shown_all_the_same() {
        assert_eq!(whole_seconds(93.9), "1m33s");
        for none in [-1.0, f64::NEG_INFINITY, f64::NAN, 0.4] {
            assert_eq!(whole_seconds(none), "0s");
        }
        for large in [1e19, 1e300, f64::INFINITY] {
            assert!(whole_seconds(large).contains('d'), "{large}");
        }
    }
}
