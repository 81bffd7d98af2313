//! What came of it: how much was stored, was there already, or was not stored and why.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use http::header::CACHE_STATUS;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::clock::Stopwatch;

/// What came of asking for one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// It was stored.
    Stored,
    /// It was there, or was being fetched for somebody else.
    Hit,
    /// It was not stored, for this reason.
    NotStored(String),
    /// There is no answer, or one that says that the origin failed.
    Failed(String),
    /// No connection could be opened.
    NobodyThere,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Tally {
    asked: u64,
    stored: u64,
    hits: u64,
    not_stored: BTreeMap<String, u64>,
    failed: BTreeMap<String, u64>,
    nobody_there: u64,
    since: Stopwatch,
    /// It was ended before it was done.
    pub(super) interrupted: bool,
}

/// So many reasons are told apart.
const MOST: usize = 100;

impl Default for Tally {
    fn default() -> Self {
        let (not_stored, failed) = (BTreeMap::new(), BTreeMap::new());
        let since = Stopwatch::start();
        Self { asked: 0, stored: 0, hits: 0, not_stored, failed, nobody_there: 0, since, interrupted: false }
    }
}

impl Came {
    /// What an answer says of it.
    pub(super) fn of(status: StatusCode, fields: &HeaderMap) -> Self {
        // Ours is the last one.
        let line = fields.get_all(CACHE_STATUS).iter().next_back().and_then(|line| line.to_str().ok());
        let Some(line) = line.and_then(|line| line.rsplit(", ").next()).filter(|line| line.starts_with("aside")) else {
            // What the server refuses never came to be a request of the proxy's.
            let is_too_long = matches!(status, StatusCode::URI_TOO_LONG | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
            let told = if is_too_long { "the proxy takes none so long" } else { "whoever answers is not aside" };
            return Self::Failed(format!("{told} ({status})"));
        };
        let mut parameters = line.split(';').map(str::trim);
        let value = |name: &str| line.split(';').find_map(|one| one.trim().strip_prefix(name)?.strip_prefix('='));
        let is_shared = || parameters.clone().any(|one| one == "collapsed") && value("detail").is_none();
        if parameters.clone().any(|one| one == "hit") || (is_shared() && !status.is_server_error()) {
            Self::Hit
        } else if parameters.any(|one| one == "stored") {
            Self::Stored
        } else if status.is_server_error() {
            Self::Failed(format!("{status}"))
        } else {
            Self::NotStored(value("detail").or_else(|| value("fwd")).unwrap_or("unknown").to_owned())
        }
    }
}

impl Tally {
    pub(super) fn count(&mut self, came: Came) {
        self.asked += 1;
        match came {
            Came::Stored => self.stored += 1,
            Came::Hit => self.hits += 1,
            Came::NotStored(reason) => note(&mut self.not_stored, reason),
            Came::Failed(reason) => note(&mut self.failed, reason),
            Came::NobodyThere => {
                self.nobody_there += 1;
                note(&mut self.failed, "no connection to the proxy".to_owned());
            }
        }
    }

    /// How many have been asked for.
    pub(super) fn asked(&self) -> u64 {
        self.asked
    }

    pub(super) fn nobody_answers(&self) -> bool {
        self.asked > 0 && self.nobody_there == self.asked
    }

    pub(super) fn has_failures(&self) -> bool {
        !self.failed.is_empty()
    }

    /// Why nothing is stored of what was asked for, the most frequent reason; `None` where something is, or was not answered.
    pub(super) fn why_nothing(&self) -> Option<&str> {
        let nothing = self.stored + self.hits == 0 && self.failed.is_empty();
        let most = self.not_stored.iter().max_by_key(|(_, count)| **count);
        most.filter(|_| nothing).map(|(reason, _)| reason.as_str())
    }

    /// In one line.
    pub(super) fn line(&self) -> String {
        let (not_stored, failed) = (self.not_stored.values().sum::<u64>(), self.failed.values().sum::<u64>());
        let Self { asked, stored, hits, .. } = self;
        format!("{asked} asked, {stored} stored, {hits} there already, {not_stored} not stored, {failed} failed")
    }

    /// For people.
    pub(super) fn text(&self, proxy: &str) -> String {
        let seconds = self.since.elapsed().as_secs_f64();
        let ended = if self.interrupted { "; interrupted" } else { "" };
        let mut text = format!("{proxy}: {} in {seconds:.1} s{ended}", self.line());
        for (title, reasons) in [("not stored", &self.not_stored), ("failed", &self.failed)] {
            for (reason, count) in reasons {
                let _ = write!(text, "\n  {title}: {count} x {reason}");
            }
        }
        text
    }

    /// For programs.
    pub(super) fn json(&self, proxy: &str) -> Value {
        json!({
            "proxy": proxy,
            "asked": self.asked,
            "stored": self.stored,
            "hits": self.hits,
            "not_stored": self.not_stored,
            "failed": self.failed,
            "seconds": self.since.elapsed().as_secs_f64(),
            "interrupted": self.interrupted,
        })
    }
}

fn note(reasons: &mut BTreeMap<String, u64>, reason: String) {
    let reason = if reasons.len() >= MOST && !reasons.contains_key(&reason) { "other".to_owned() } else { reason };
    *reasons.entry(reason).or_default() += 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal;

    fn came(status: u16, line: &'static str) -> Came {
        Came::of(StatusCode::from_u16(status).unwrap(), &literal::fields(&[("cache-status", line)]))
    }

    #[test]
    fn an_answer_says_what_came_of_it() {
        assert_eq!(came(200, "aside; hit; ttl=3"), Came::Hit);
        assert_eq!(came(200, "aside; fwd=uri-miss; fwd-status=200; ttl=3; stored"), Came::Stored);
        assert_eq!(
            came(200, "cdn; hit, aside; fwd=uri-miss; fwd-status=200; detail=no-store"),
            Came::NotStored("no-store".to_owned())
        );
        assert_eq!(came(404, "aside; fwd=bypass"), Came::NotStored("bypass".to_owned()));
        assert_eq!(came(200, "aside; fwd=uri-miss; fwd-status=200; ttl=3; collapsed"), Came::Hit);
        assert!(matches!(came(503, "aside; fwd=uri-miss; fwd-status=503; collapsed"), Came::Failed(_)));
        assert!(matches!(came(502, "aside; fwd=uri-miss; detail=origin-connect"), Came::Failed(_)));
        assert!(matches!(came(200, "cdn; hit"), Came::Failed(_)));
        let unsaid = |status| match Came::of(status, &HeaderMap::new()) {
            Came::Failed(why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(unsaid(StatusCode::OK), "whoever answers is not aside (200 OK)");
        assert_eq!(unsaid(StatusCode::URI_TOO_LONG), "the proxy takes none so long (414 URI Too Long)");
    }

    #[test]
    fn where_nothing_is_stored_the_most_frequent_reason_says_why() {
        let mut tally = Tally::default();
        assert_eq!(tally.why_nothing(), None);
        for reason in ["no-store", "host-unknown", "host-unknown"] {
            tally.count(Came::NotStored(reason.to_owned()));
        }
        assert_eq!(tally.why_nothing(), Some("host-unknown"));
        tally.count(Came::Hit);
        assert_eq!(tally.why_nothing(), None);
    }

    #[test]
    fn reasons_are_counted_and_bounded() {
        let mut tally = Tally::default();
        tally.count(Came::NobodyThere);
        assert!(tally.nobody_answers() && tally.has_failures() && tally.why_nothing().is_none());
        for reason in 0..1000 {
            tally.count(Came::NotStored(reason.to_string()));
        }
        tally.count(Came::Stored);
        assert!(!tally.nobody_answers());
        assert_eq!(tally.line(), "1002 asked, 1 stored, 0 there already, 1000 not stored, 1 failed");
        assert!(tally.not_stored.len() <= MOST + 1);
        assert_eq!(tally.json("p")["not_stored"]["other"], 900);
    }
}
