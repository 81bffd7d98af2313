//! Why a command has no result: said on standard error for people, and for programs where they look for the result.
//!
//! With `--json` it is one object on standard output, whatever the command:
//!
//! ```json
//! {"ok": false, "error": "proxy.toml:2:8: `origin` …", "findings": []}
//! ```
//!
//! `findings` are there where the configuration cannot be used, as `aside check` lists them.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::terminal::{BAD_CONFIG, USAGE, say_aside, say_findings, say_json, say_lines_aside};
use crate::config::ConfigError;

/// Why there is no result, and the exit code.
#[derive(Debug)]
pub(super) struct Failure {
    why: Why,
    code: u8,
}

#[derive(Debug)]
enum Why {
    /// A sentence without its beginning `error:`.
    Sentence(String),
    /// What a process says, in lines of its own.
    Lines(String),
    /// What is wrong with the configuration.
    Findings(ConfigError),
}

impl Failure {
    /// One with a sentence.
    pub(super) fn new(code: u8, why: impl Into<String>) -> Self {
        Self { why: Why::Sentence(why.into()), code }
    }

    /// What a process says: of its file it tells as `aside check` does, in several lines.
    pub(super) fn of_process(code: u8, why: impl Into<String>) -> Self {
        Self { why: Why::Lines(why.into()), code }
    }

    /// The arguments cannot be used.
    pub(super) fn of_usage(why: impl Into<String>) -> Self {
        Self::new(USAGE, why)
    }

    /// The same with another exit code.
    pub(super) fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// What happened, in a line or a few.
    pub(super) fn sentence(&self) -> String {
        match &self.why {
            Why::Sentence(why) => why.clone(),
            // What it says of a file says by itself that it is an error.
            Why::Lines(why) => why.strip_prefix("error: ").unwrap_or(why).to_owned(),
            Why::Findings(error) => error.report().first_line().unwrap_or_default(),
        }
    }

    /// Says it. What comes back is the exit code.
    pub(super) fn tell(&self, as_json: bool) -> ExitCode {
        match &self.why {
            _ if as_json => {
                say_json(&self.json());
            }
            Why::Sentence(why) => say_aside(&format!("error: {why}")),
            Why::Lines(_) => say_lines_aside(&format!("error: {}", self.sentence())),
            Why::Findings(error) => say_findings(error.report()),
        }
        ExitCode::from(self.code)
    }

    fn json(&self) -> Value {
        let mut value = json!({ "ok": false, "error": self.sentence() });
        if let (Why::Findings(error), Some(members)) = (&self.why, value.as_object_mut()) {
            members.insert("findings".to_owned(), error.report().to_json());
        }
        value
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self { why: Why::Findings(error), code: BAD_CONFIG }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn what_a_process_says_of_a_file_is_called_an_error_once() {
        assert_eq!(
            Failure::of_process(1, "error: `ttl` is wrong\n --> a.toml").sentence(),
            "`ttl` is wrong\n --> a.toml"
        );
    }

    #[test]
    fn a_bad_file_has_its_findings_beside_the_sentence() {
        let error = Config::from_text("a.toml", "origin = 5\n", |_| None).unwrap_err();
        let json = Failure::from(error).json();
        assert_eq!((&json["ok"], &json["findings"][0]["line"]), (&false.into(), &1.into()), "{json}");
        assert!(json["error"].as_str().unwrap().starts_with("a.toml:1:10: "), "{json}");
        assert_eq!(Failure::of_usage("no").json(), json!({ "ok": false, "error": "no" }));
    }
}
