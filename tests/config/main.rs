//! `proxy.toml`: good files mean what they say, and each kind of bad file is told where it is bad and what to write.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; the lints spare only what is inside of test functions"
)]

mod all_at_once;
mod bad_files;
mod bad_routes;
mod certificates;
mod environment;
mod good_files;
mod hostile;
mod notes;
mod origin;
mod reading;
mod shipped;
mod store;
mod writes;

use aside::config::{Config, ConfigError, Severity};

/// Reads a file with nothing in its environment.
fn read(text: &str) -> Result<Config, ConfigError> {
    Config::from_text("proxy.toml", text, |_| None)
}

/// Reads a good file.
fn good(text: &str) -> Config {
    read(text).unwrap_or_else(|error| panic!("{error}"))
}

/// Reads a bad file, whose one fault stands where the text has a `«`, and whose help has this part.
fn assert_bad(marked: &str, help: &str) {
    let text = marked.replace('«', "");
    let before = marked.split('«').next().unwrap();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let Err(error) = read(&text) else { panic!("this was taken for good:\n{text}") };
    let findings: Vec<_> = error.report().iter().collect();
    let (finding, place) = findings[0];
    assert_eq!(findings.len(), 1, "more than one finding:\n{error}");
    assert_eq!(finding.severity(), Severity::Error);
    let place = place.map(|place| (place.line, place.column));
    assert_eq!(place, Some((line, column)), "in another place:\n{error}");
    assert!(finding.help().contains(help), "no help with {help:?}:\n{error}");
    let printed = error.to_string();
    assert!(printed.contains(&format!("proxy.toml:{line}:{column}")), "{printed}");
}
