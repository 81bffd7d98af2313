//! The store in this process: a bounded map of entries, and the app's record beside it.
//!
//! # Why no lookup is older than a finished invalidation
//!
//! The record is an atomic `seq` and, under one lock, the `seq` of each tag's last invalidation (the marks).
//!
//! - **invalidate** holds the write lock, raises the marks, then `seq`, and returns. The write is answered after that. With an
//!   entry to put it does so before it raises `seq`: whoever reads the new `seq` finds the entry.
//! - **put** holds the write lock from its check to its insert. So it comes either before an `invalidate`, which then raises
//!   a mark above the entry's token, or after it and finds that mark. It never slips in between.
//! - **lookup** reads `seq` first, then the entry. A lookup that starts after an `invalidate` has returned reads at least that
//!   `seq`. The entry knows the latest `seq` at which it was found valid under the lock; valid then means valid at every
//!   earlier point too, because marks only rise. So where that is not below `seq`, no invalidation up to the lookup's start
//!   hit the entry: one get of the map and two atomic loads. Otherwise the marks are read under the lock, where `seq` stands
//!   still, and the entry is told of it.
//! - **the token** of a lookup is the `seq` read at its start, before the origin is asked. A write whose `invalidate` it has
//!   not seen raises a mark above it, and the fill is refused. A write whose `invalidate` it has seen had been carried out by
//!   the origin before, so the fill has it.

use std::fmt;
use std::sync::Arc;

use super::bounded::{Bounded, Weight};
use super::change::{Change, Intent};
use super::core::{Invalidated, Otherwise, PutOutcome, Since, Token};
use super::entry::{Expect, Kind, Lookup, StoredResponse};
use super::record::{Marks, Record};
use super::weight::allocated;
use crate::rules::{CacheKey, EntryRef};

/// About what an entry weighs.
const BYTES_A_GHOST: u64 = 8 << 10;

/// A store in this process, shared by all of its cores.
pub struct Memory {
    entries: Bounded<CacheKey, Arc<StoredResponse>>,
    record: Record,
}

impl Memory {
    /// A store that takes at most so many bytes of memory, but for what the allocator holds in reserve. Entries larger than
    /// a shard of it are not taken: from 8 MiB on every body of up to 3.7 MiB fits, below that every one of up to 90 % of
    /// the whole. One that its route annotates counts twice.
    pub fn new(bytes: u64) -> Self {
        Self { entries: Bounded::new(bytes, BYTES_A_GHOST), record: Record::new() }
    }

    /// Reads the entry at a key, and the token that a fill begun now has to carry.
    pub fn lookup(&self, at: &EntryRef) -> Lookup {
        loop {
            let token = self.record.now();
            let Some(entry) = self.entries.get(&at.key) else {
                return Lookup { token, entry: None, invalidated: false, withheld: None, soft: false };
            };
            if self.is_valid(&entry, token, at) {
                return Lookup { token, entry: Some(entry), invalidated: false, withheld: None, soft: false };
            }
            // What was put in the very step that made it old is there by now.
            if self.entries.peek(&at.key).is_none_or(|now| Arc::ptr_eq(&now, &entry)) {
                return Lookup { token, entry: None, invalidated: true, withheld: None, soft: false };
            }
        }
    }

    /// Whether no invalidation up to the lookup's `start` hit the entry.
    fn is_valid(&self, entry: &StoredResponse, start: Token, at: &EntryRef) -> bool {
        if entry.token.epoch != start.epoch {
            return false;
        }
        if entry.was_valid_at(start.seq) {
            return true;
        }
        let marks = self.record.read();
        let valid = self.spares(&marks, entry, at);
        if valid {
            entry.found_valid_at(self.record.now().seq);
        }
        valid
    }

    /// Whether no invalidation came after the entry's token, by its tags or by those of its key: they are among its own,
    /// but an entry that lacks one must not outlive a write for that.
    fn spares(&self, marks: &Marks, entry: &StoredResponse, at: &EntryRef) -> bool {
        self.record.spares(marks, entry.token, entry.tags.iter().chain(&at.tags))
    }

    /// Stores an entry unless its token says that it may be old, or something else is there than what is expected.
    pub fn put(&self, at: &EntryRef, entry: Arc<StoredResponse>, expect: &Expect) -> PutOutcome {
        let Some(weight) = self.weigh(at, &entry) else { return PutOutcome::TooLarge };
        let marks = self.record.write();
        if !self.spares(&marks, &entry, at) {
            return PutOutcome::RacedWrite;
        }
        let there = self.entries.peek(&at.key).filter(|there| self.spares(&marks, there, at));
        if let Some(refused) = refusal(there.as_ref(), &entry, expect) {
            return refused;
        }
        entry.found_valid_at(self.record.now().seq);
        self.entries.insert(at.key.clone(), entry, weight);
        PutOutcome::Stored
    }

    /// Invalidates everything that has one of these tags.
    pub fn invalidate(&self, change: Change<'_>) -> Invalidated {
        self.record.invalidate(&mut self.record.write(), change.tags, change.since, |_| {})
    }

    /// Invalidates what a write of unknown outcome may have changed.
    pub fn hold(&self, intent: &Intent) -> Invalidated {
        self.invalidate(Change::of(&intent.tags()))
    }

    /// The same, and puts an entry in its place in the same step, unless another invalidation came before.
    pub fn invalidate_and_put(
        &self,
        change: Change<'_>,
        since: &Since,
        at: &EntryRef,
        mut entry: StoredResponse,
        otherwise: Otherwise,
    ) -> (Invalidated, PutOutcome) {
        let weight = self.weigh(at, &entry);
        let mut marks = self.record.write();
        let concerned = entry.tags.iter().chain(&at.tags).chain(&since.watched);
        let refused = if self.record.spares(&marks, since.token, concerned) {
            weight.is_none().then_some(PutOutcome::TooLarge)
        } else {
            Some(PutOutcome::RacedWrite)
        };
        match (refused, weight) {
            (None, Some(weight)) => {
                let invalidated = self.record.invalidate(&mut marks, change.tags, Some(since), |token| {
                    entry.token = token;
                    entry.found_valid_at(token.seq);
                    self.entries.insert(at.key.clone(), Arc::new(entry), weight);
                });
                (invalidated, PutOutcome::Stored)
            }
            (refused, _) if otherwise == Otherwise::Invalidate => {
                let invalidated = self.record.invalidate(&mut marks, change.tags, Some(since), |_| {});
                (invalidated, refused.unwrap_or(PutOutcome::TooLarge))
            }
            (refused, _) => {
                let token = self.record.now();
                let invalidated = Invalidated { token, alone: false, marked: false };
                (invalidated, refused.unwrap_or(PutOutcome::TooLarge))
            }
        }
    }

    /// How many bytes its entries take at the most.
    pub fn weight_held(&self) -> u64 {
        self.entries.bytes()
    }

    /// How many entries had to leave, ever, since there was no room for them.
    pub fn evicted(&self) -> u64 {
        self.entries.evicted()
    }

    /// What an entry weighs; `None` where that is too much.
    fn weigh(&self, at: &EntryRef, entry: &StoredResponse) -> Option<Weight> {
        self.entries.weigh(entry.weight() + key_texts(&at.key))
    }
}

/// What a key takes beside itself.
fn key_texts(key: &CacheKey) -> usize {
    let host = key.host.as_ref().map_or(0, |host| host.len());
    allocated(key.name.len()) + allocated(host) + allocated(size_of_val(&*key.selected))
}

/// Why an entry is not put where this valid one is, or none.
fn refusal(there: Option<&Arc<StoredResponse>>, entry: &StoredResponse, expect: &Expect) -> Option<PutOutcome> {
    match (expect, there) {
        (_, Some(there)) if there.token.seq > entry.token.seq => Some(PutOutcome::NewerFill),
        (Expect::Any, Some(there)) if there.kind == Kind::CacheOnly => Some(PutOutcome::NewerFill),
        (Expect::Any, _) | (Expect::Absent, None) => None,
        (Expect::Entry(beneath), Some(there)) if Arc::ptr_eq(beneath, there) => None,
        (Expect::Entry(_), None) => Some(PutOutcome::Gone),
        (Expect::Absent | Expect::Entry(_), Some(_)) => Some(PutOutcome::NewerFill),
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Memory").field("entries", &self.entries).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::policy::{Lifetime, LifetimeSource, StoredFlags};
    use crate::rules::Tag;

    fn place(name: &str) -> EntryRef {
        EntryRef { key: CacheKey::new("fruit", 0, name), tags: vec![Tag::route("fruit")].into() }
    }

    fn fill(memory: &Memory, name: &str, bytes: usize) -> PutOutcome {
        let at = place(name);
        let lifetime = Lifetime {
            fresh_for: Duration::from_secs(1),
            source: LifetimeSource::MaxAge,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
        };
        let entry = StoredResponse::new(
            Kind::Response,
            StatusCode::OK,
            HeaderMap::new(),
            Bytes::from(vec![b'x'; bytes]),
            0,
            Duration::ZERO,
            lifetime,
            StoredFlags { public_enough: false, must_revalidate: false, private: false },
            at.tags.to_vec(),
            memory.lookup(&at).token,
        );
        memory.put(&at, Arc::new(entry), &Expect::Any)
    }

    #[test]
    fn the_largest_body_of_the_default_configuration_fits() {
        for bytes in [4 << 20, 7 << 20, 64 << 20, 65 << 20, 1 << 30] {
            let memory = Memory::new(bytes);
            assert_eq!(fill(&memory, "large", 1 << 20), PutOutcome::Stored);
            assert!(memory.lookup(&place("large")).entry.is_some(), "in a store of {bytes} bytes");
        }
    }

    #[test]
    fn what_is_larger_than_a_shard_is_refused() {
        assert_eq!(fill(&Memory::new(64 << 20), "huge", 4 << 20), PutOutcome::TooLarge);
        assert_eq!(fill(&Memory::new(1 << 20), "large", 1 << 20), PutOutcome::TooLarge);
        assert_eq!(fill(&Memory::new(0), "small", 1), PutOutcome::TooLarge);
    }

    #[test]
    fn it_never_holds_more_than_its_bytes() {
        let memory = Memory::new(8 << 20);
        for n in 0..400 {
            assert_eq!(fill(&memory, &n.to_string(), 50_000), PutOutcome::Stored);
            assert!(memory.weight_held() <= 8 << 20);
        }
        let held = (0..400).filter(|n| memory.lookup(&place(&n.to_string())).entry.is_some()).count();
        assert!(held > 100, "half of what would fit at the least: {held}");
        assert_eq!(memory.evicted(), 400 - held as u64);
    }
}
