//! A write as the store sees it: what it is about to change, told before it is forwarded, and what it has changed.
//!
//! A write that may change something is [marked](Mark) first. Its mark ends with the invalidation, with the answer that
//! refuses the write, or, where nobody knows the outcome, by being held: what it may have changed stays invalidated until
//! the origin cannot commit it any more. So a mark that is left behind by a process that died can be ended by others.

use std::sync::Arc;
use std::time::Duration;

use super::core::Since;
use crate::rules::Tag;

/// What a write may be about to change, as far as is known before it is forwarded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intent {
    /// What it is sent to, what lies below and one segment above (`invalidated_by = "path"`): held where the outcome is
    /// unknown, which means that nothing of it is stored or reused until the origin cannot commit the write any more.
    pub held: Vec<Tag>,
    /// What else it may invalidate: where the outcome is unknown, it is invalidated at once, each second for ten seconds, and
    /// when the origin cannot commit any more. Were it held, too, one slow upload would turn all caching off.
    pub others: Vec<Tag>,
}

/// A write under way, as the store knows it; from [`Store::mark`](super::Store::mark).
#[derive(Debug)]
pub struct Mark {
    /// What it is known by where it was noted; `None` where nobody but this process has to know.
    pub(super) id: Option<Arc<str>>,
    pub(super) intent: Intent,
}

/// What is known of the writes that have not come to an end, for who wants to know of something stored whether it may still be
/// changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// One of them says that it may change it; or there are too many to be read, or one of unknown outcome may, which the
    /// origin can commit for a while.
    pub concerns: bool,
    /// Those of other nodes that are under way, whatever they may change: what each is known by. An answer may name more than
    /// its write did.
    pub others: Vec<String>,
}

/// What is invalidated, and what else happens in the same step.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// Everything that has one of these is invalidated.
    pub tags: &'a [Tag],
    /// Asks whether another invalidation of the tags, or of those it watches, came after a token.
    pub since: Option<&'a Since>,
    /// The write whose outcome is known by now: its mark ends.
    pub mark: Option<&'a Mark>,
    /// What is held from now on, and for how long: reads of it pass through unstored (`settle`).
    pub settle: &'a [(Tag, Duration)],
    /// How much an invalidated entry is still good for.
    pub strength: Strength,
}

/// How much an invalidated entry is still good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strength {
    /// Nothing.
    #[default]
    Hard,
    /// It is stale at once: it may be validated, and stand in for an origin in trouble.
    Soft,
}

impl Intent {
    /// Whether the write changes nothing that is stored, so that nobody has to know of it.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.others.is_empty()
    }

    /// All of it.
    pub fn tags(&self) -> Vec<Tag> {
        let mut tags = [&*self.held, &*self.others].concat();
        tags.sort_unstable();
        tags.dedup();
        tags
    }
}

impl Mark {
    /// A mark that nobody else knows of.
    pub(super) fn unnoted(intent: Intent) -> Self {
        Self { id: None, intent }
    }

    /// What the write may be about to change.
    pub fn intent(&self) -> &Intent {
        &self.intent
    }
}

impl<'a> Change<'a> {
    /// Invalidates everything that has one of these tags, and nothing besides.
    pub fn of(tags: &'a [Tag]) -> Self {
        Self { tags, since: None, mark: None, settle: &[], strength: Strength::Hard }
    }

    /// The same, and asks whether another invalidation came in between.
    #[must_use]
    pub fn since(self, since: &'a Since) -> Self {
        Self { since: Some(since), ..self }
    }

    /// The same, and ends the mark of the write.
    #[must_use]
    pub fn ending(self, mark: &'a Mark) -> Self {
        Self { mark: Some(mark), ..self }
    }

    /// The same, and holds these for so long.
    #[must_use]
    pub fn settling(self, settle: &'a [(Tag, Duration)]) -> Self {
        Self { settle, ..self }
    }

    /// The same, and what it hits is stale instead of gone.
    #[must_use]
    pub fn soft(self) -> Self {
        Self { strength: Strength::Soft, ..self }
    }
}
