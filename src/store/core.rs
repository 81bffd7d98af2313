//! The words of the store: points in the app's sequence, and how its operations end.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use crate::rules::{EntryRef, Tag};

/// A point in the app's sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Which life of the app's record; random, never used twice.
    pub epoch: u64,
    /// How many invalidations the app had seen.
    pub seq: u64,
}

/// Where a tag, or everything, was last invalidated; 0 for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LastInvalidated {
    /// So that what has it is gone.
    pub(super) hard: u64,
    /// So that what has it is stale.
    pub(super) soft: u64,
}

impl LastInvalidated {
    /// Beyond every point of the sequence: of what is held, or cannot be read.
    pub(super) const ENDLESS: Self = Self { hard: u64::MAX, soft: u64::MAX };

    /// The later of each.
    pub(super) fn max(self, other: Self) -> Self {
        Self { hard: self.hard.max(other.hard), soft: self.soft.max(other.soft) }
    }

    /// The later of the two.
    pub(super) fn top(self) -> u64 {
        self.hard.max(self.soft)
    }
}

/// How many tags are listed before older ones are folded into what covers them.
pub(super) const TAG_LIMIT: usize = 10_000;
/// So many are folded at once, at the least: it takes a look at all of them.
pub(super) const FOLDED_AT_ONCE: usize = 100;
/// How many writes under way are noted; more go on without.
pub(super) const MARK_LIMIT: usize = 10_000;
/// So many of them are read where somebody wants to know which there are: a millisecond of Redis' time.
pub(super) const READ_LIMIT: usize = 500;

/// An epoch that no record has had.
pub(super) fn fresh_epoch() -> u64 {
    // The second source draws from the system's randomness once a process, and then counts.
    getrandom::u64().unwrap_or_else(|_| RandomState::new().hash_one(std::process::id()))
}

/// What became of a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// It is stored.
    Stored,
    /// One of its tags was invalidated, or the epoch changed, after its token.
    RacedWrite,
    /// What it is of is held: a write has changed it, or may still, and nothing of it is stored until later.
    Held,
    /// A fill with a later token is there already, or another one than what it is built upon, or what was written to the
    /// cache only.
    NewerFill,
    /// The entry that it is built upon is not there any more: deleted, evicted or invalidated.
    Gone,
    /// It is larger than the store takes.
    TooLarge,
}

/// Asks an invalidation whether another one came between a token and itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since {
    /// The token, taken earlier.
    pub token: Token,
    /// Tags to look at besides those that are invalidated now.
    pub watched: Vec<Tag>,
}

impl Since {
    /// For who puts an entry of these tags there after the invalidation, under its token: what would have refused the entry
    /// under the earlier one refuses it still.
    pub fn before_put(token: Token, at: &EntryRef, tags: &[Tag]) -> Self {
        Self { token, watched: tags.to_vec() }.and_fills(at)
    }

    /// The same, and whether what is being fetched for the entry's route was to be refused.
    pub(super) fn and_fills(mut self, at: &EntryRef) -> Self {
        self.watched.push(Tag::fills(&at.key.route));
        self
    }
}

/// What an invalidation left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalidated {
    /// The token right after the invalidation.
    pub token: Token,
    /// No other invalidation of these tags, nor of the watched ones, came after the `since` token; false when none was
    /// given.
    pub alone: bool,
    /// The mark that the change has named was there: nobody else had ended it.
    pub marked: bool,
}

/// What is done where the entry that was to be put with an invalidation may not be put, or there is no room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// The invalidation alone: the origin has changed.
    Invalidate,
    /// Nothing. Who was raced may ask again from where the sequence is now.
    Nothing,
}

/// Why the store could not do its part. Costs a miss, never the response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no usable session with the store, or invalidations of it are pending.
    Down,
    /// The store did not answer within its timeout.
    Timeout,
    /// The store is full and refused the fill.
    Full,
    /// The store answered with an error; its text, without secrets.
    Refused(String),
}

impl Fault {
    /// The kinds, by their number.
    pub(super) const KINDS: &'static [&'static str] = &["down", "timeout", "full", "refused"];

    /// Which of [`Fault::KINDS`] it is.
    pub(super) const fn kind(&self) -> usize {
        match self {
            Self::Down => 0,
            Self::Timeout => 1,
            Self::Full => 2,
            Self::Refused(_) => 3,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down => out.write_str("the store cannot be reached"),
            Self::Timeout => out.write_str("the store did not answer in time"),
            Self::Full => out.write_str("the store is full"),
            Self::Refused(text) => write!(out, "the store refused a command: {text}"),
        }
    }
}

impl std::error::Error for Fault {}

/// What happens to a write while the store cannot be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenDown {
    /// The write is forwarded; its invalidation is pending, and made before anything is read from the store again.
    #[default]
    Forward,
    /// The write gets 503 and is not forwarded.
    Refuse,
}
