//! A purge as an event: what was named, how hard, who asked for it and what became of it. The counter and what is shown of the
//! last writes are made from it.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use http::StatusCode;
use serde::Serialize;

/// By what something is purged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PurgedBy {
    /// A key with its variants.
    Key,
    /// A URL.
    Url,
    /// A tag.
    Tag,
    /// A route, by its name.
    Route,
    /// What keys and paths begin with.
    Prefix,
    /// Everything.
    All,
}

/// How hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PurgeMode {
    /// What it names is gone.
    Hard,
    /// What it names is stale.
    Soft,
}

/// What became of a purge until it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PurgeResult {
    /// It is done, on every node.
    Done,
    /// The store has yet to confirm it, or had when whoever asked left.
    Pending,
    /// It stands for nothing, or whoever asked may not: nothing is purged.
    Refused,
}

/// One kind of purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PurgeKind {
    /// By what.
    pub by: PurgedBy,
    /// How hard.
    pub mode: PurgeMode,
    /// What became of it.
    pub result: PurgeResult,
}

/// Who asks for a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurgeAsker {
    /// Somebody at the admin listener.
    Admin,
    /// A client, at this address where it has one.
    Client(Option<IpAddr>),
}

/// What came of a purge.
#[derive(Clone, Debug)]
pub struct PurgeOutcome {
    /// Its kind.
    pub kind: PurgeKind,
    /// What it named, cut off where it is very long; empty for everything.
    pub named: Box<str>,
    /// Who asked for it.
    pub asker: PurgeAsker,
    /// The status that it was answered with; `None` where whoever asked had left.
    pub status: Option<StatusCode>,
    /// How many entries it hit, where that is known.
    pub matched: Option<u64>,
    /// Whether it may have hit more.
    pub more: bool,
    /// How long it took until then.
    pub took: Duration,
    /// When that was, by the steady clock.
    pub ended: Instant,
}

impl PurgedBy {
    const ALL: [Self; 6] = [Self::Key, Self::Url, Self::Tag, Self::Route, Self::Prefix, Self::All];

    /// The word, as labels and JSON have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Url => "url",
            Self::Tag => "tag",
            Self::Route => "route",
            Self::Prefix => "prefix",
            Self::All => "all",
        }
    }
}

impl PurgeMode {
    const ALL: [Self; 2] = [Self::Hard, Self::Soft];

    /// The word, as labels and JSON have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
        }
    }
}

impl PurgeResult {
    const ALL: [Self; 3] = [Self::Done, Self::Pending, Self::Refused];

    /// The word, as labels and JSON have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Pending => "pending",
            Self::Refused => "refused",
        }
    }
}

impl PurgeKind {
    /// How many there are.
    pub(super) const COUNT: usize = PurgedBy::ALL.len() * PurgeMode::ALL.len() * PurgeResult::ALL.len();

    /// Every one, in the order of their numbers.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let of = |by| PurgeMode::ALL.into_iter().map(move |mode| (by, mode));
        let modes = PurgedBy::ALL.into_iter().flat_map(of);
        modes.flat_map(|(by, mode)| PurgeResult::ALL.into_iter().map(move |result| Self { by, mode, result }))
    }

    /// Its number.
    pub(super) const fn index(self) -> usize {
        let modes = self.by as usize * PurgeMode::ALL.len() + self.mode as usize;
        modes * PurgeResult::ALL.len() + self.result as usize
    }
}

impl fmt::Display for PurgeAsker {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin => out.write_str("the admin listener"),
            Self::Client(Some(address)) => write!(out, "{}", address.to_canonical()),
            Self::Client(None) => out.write_str("a client"),
        }
    }
}

impl PurgeOutcome {
    /// What it named, as in `tag fruit`, or `everything`.
    pub fn target(&self) -> String {
        match self.kind.by {
            PurgedBy::All => "everything".to_owned(),
            by => format!("{} {}", by.as_str(), self.named),
        }
    }

    /// What it dropped, in few words.
    pub fn dropped(&self) -> String {
        let what = match self.matched {
            Some(count) => counted_entries(count, self.more),
            None if self.kind.by == PurgedBy::All => "everything".to_owned(),
            None => "whatever is of it".to_owned(),
        };
        if self.kind.mode == PurgeMode::Soft { format!("{what}, softly") } else { what }
    }
}

/// So many entries, or more than those, in words: `1 entry`, `2 entries or more`.
pub fn counted_entries(count: u64, more: bool) -> String {
    match (count, more) {
        (0, true) => "nothing that most clients are given".to_owned(),
        (1, false) => "1 entry".to_owned(),
        (1, true) => "1 entry or more".to_owned(),
        (_, false) => format!("{count} entries"),
        (_, true) => format!("{count} entries or more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_number_of_its_own() {
        let numbers: Vec<usize> = PurgeKind::all().map(PurgeKind::index).collect();
        assert_eq!(numbers, (0..PurgeKind::COUNT).collect::<Vec<_>>());
    }

    #[test]
    fn who_asked_is_told_by_its_address() {
        let mapped = PurgeAsker::Client("::ffff:10.0.0.1".parse().ok());
        assert_eq!(
            (mapped.to_string().as_str(), PurgeAsker::Client(None).to_string().as_str()),
            ("10.0.0.1", "a client")
        );
    }
}
