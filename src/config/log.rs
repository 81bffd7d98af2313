//! `[log]`: how log lines are written.

use std::time::Duration;

use serde::Deserialize;

use super::duration::RawDuration;
use super::findings::{Findings, Text};
use super::forms::{List, Word, Words, each_once};
use super::outside::wants_no_colours;
use super::size::RawShare;
use super::table::{Hint, Table};
use crate::telemetry::{LogField, LogFields, LogFormat, LogSettings};

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
    sample: Option<RawShare>,
    fields: Option<List<Text>>,
}

impl Table for RawLog {
    const TITLE: &'static str = "[log]";
    const HINTS: &'static [Hint] =
        &[Hint::anywhere(&["logging", "log_format", "access_log"], "write format = \"json\" in [log]")];
}

/// The forms of log lines.
#[derive(Clone, Copy, Debug)]
struct Format;

impl Words for Format {
    type Meaning = LogFormat;
    const WORDS: &'static [(&'static str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];
}

/// The fields of log lines.
#[derive(Clone, Copy, Debug)]
struct Fields;

impl Words for Fields {
    type Meaning = LogField;
    const WORDS: &'static [(&'static str, LogField)] = LogField::ALL;
}

/// The settings; `given` is the format of the command line, which wins.
pub(super) fn resolve(raw: RawLog, given: Option<LogFormat>, findings: &mut Findings<'_>) -> LogSettings {
    LogSettings {
        format: given.or(raw.format.map(|Word(format)| format)).unwrap_or_default(),
        requests: raw.requests.unwrap_or(true),
        slow: raw.slow.map_or(Duration::ZERO, |raw| raw.0),
        sample: raw.sample.and_then(|RawShare(share)| (share < 1.0).then(|| millionths(share))),
        fields: raw.fields.map(|list| LogFields::of(&each_once::<Fields>(list, findings))),
        colours: !wants_no_colours(),
    }
}

/// A share in parts of a million.
fn millionths(share: f64) -> u32 {
    u32::try_from(Duration::from_secs_f64(share).as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_has_a_line_unless_the_file_says_otherwise() {
        let settings = |text: &str| resolve(toml::from_str(text).unwrap(), None, &mut Findings::new(text));
        assert_eq!((settings("").requests, settings("").slow), (true, Duration::ZERO));
        assert!(!settings("requests = false").requests);
        assert_eq!(settings("slow = \"1s\"").slow, Duration::from_secs(1));
        assert_eq!((settings("").sample, settings("sample = \"0.5%\"").sample), (None, Some(5_000)));
        assert_eq!(settings("sample = \"100%\"").sample, None);
        assert_eq!((settings("").fields, settings("fields = []").fields), (None, Some(LogFields::of(&[]))));
        let few = settings("fields = [\"client\", \"rule\"]").fields;
        assert_eq!(few, Some(LogFields::of(&[LogField::Rule, LogField::Client])));
    }

    #[test]
    fn a_field_that_there_is_not_is_told_with_those_that_there_are() {
        let mut findings = Findings::new("");
        let raw = toml::from_str("fields = [\"client\", \"clint\", \"client\"]").unwrap();
        resolve(raw, None, &mut findings);
        let told: Vec<_> =
            findings.into_vec().iter().map(|found| (found.message.clone(), found.help.clone())).collect();
        assert!(told[0].0.starts_with("`clint` is not one of `method`, `path`"), "{told:?}");
        assert_eq!((&*told[0].1, &*told[1].0), ("write \"client\"", "`client` is listed twice"));
    }
}
