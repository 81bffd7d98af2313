//! `[log]`: how log lines are written.

use std::time::Duration;

use serde::Deserialize;

use super::duration::RawDuration;
use super::forms::{Word, Words};
use super::outside::wants_no_colours;
use super::table::{Hint, Table};
use crate::telemetry::{LogFormat, LogSettings};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [log] and its keys below it, as in format = \"json\""
)]
pub(super) struct RawLog {
    format: Option<Word<Format>>,
    requests: Option<bool>,
    slow: Option<RawDuration>,
}

impl Table for RawLog {
    const TITLE: &'static str = "[log]";
    const HINTS: &'static [Hint] = &[
        Hint::planned(&["fields"], "delete it; every line has the same fields"),
        Hint::anywhere(&["logging", "log_format", "access_log"], "write format = \"json\" in [log]"),
    ];
}

/// The forms of log lines.
#[derive(Clone, Copy, Debug)]
struct Format;

impl Words for Format {
    type Meaning = LogFormat;
    const WORDS: &'static [(&'static str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];
}

/// The settings; `given` is the format of the command line, which wins.
pub(super) fn resolve(raw: &RawLog, given: Option<LogFormat>) -> LogSettings {
    LogSettings {
        format: given.or(raw.format.map(|Word(format)| format)).unwrap_or_default(),
        requests: raw.requests.unwrap_or(true),
        slow: raw.slow.map_or(Duration::ZERO, |raw| raw.0),
        colours: !wants_no_colours(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_has_a_line_unless_the_file_says_otherwise() {
        let settings = |text: &str| resolve(&toml::from_str(text).unwrap(), None);
        assert_eq!((settings("").requests, settings("").slow), (true, Duration::ZERO));
        assert!(!settings("requests = false").requests);
        assert_eq!(settings("slow = \"1s\"").slow, Duration::from_secs(1));
    }
}
