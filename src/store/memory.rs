//! The store in this process: a bounded map of entries, and the app's sequence beside it.
//!
//! # Why no lookup is older than a finished invalidation
//!
//! The record is an atomic `seq` and, under one lock, the `seq` of each tag's last invalidation (the marks).
//!
//! - **invalidate** holds the write lock, raises the marks, then `seq`, and returns. The write is answered after that. With an
//!   entry to put it does so before it raises `seq`: whoever reads the new `seq` finds the entry.
//! - **put** holds the write lock from its check to its insert. So it comes either before a `invalidate`, which then raises
//!   a mark above the entry's token, or after it and finds that mark. It never slips in between.
//! - **lookup** reads `seq` first, then the entry. A lookup that starts after a `invalidate` has returned reads at least that
//!   `seq`. `Slot::checked` is a `seq` at which the entry was found valid under the lock; valid then means valid at every
//!   earlier point too, because marks only rise. So `checked >= seq` says that no invalidation up to the lookup's start
//!   hit the entry: one cache get and two atomic loads. Otherwise the marks are read under the lock, where `seq` stands
//!   still, and `checked` is raised to it.
//! - **the token** of a lookup is the `seq` read at its start, before the origin is asked. A write whose `invalidate` it has
//!   not seen raises a mark above it, and the fill is refused. A write whose `invalidate` it has seen had been carried out by
//!   the origin before, so the fill has it.

mod record;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, Options, OptionsBuilder, Weighter};

use self::record::Record;
use super::weight::{allocated, counted, item};
use super::{Expect, Invalidated, Kind, Lookup, Otherwise, PutOutcome, Since, StoredResponse, Token};
use crate::rules::{CacheKey, EntryRef, Tag};

/// A shard is a lock and a share of the bytes: no entry may be larger than its shard.
const SHARD_BYTES: u64 = 4 << 20;
/// More shards than this win nothing on machines of today.
const MAX_SHARDS: u64 = 64;
/// For so many bytes the map remembers one entry that it has evicted.
const BYTES_A_GHOST: u64 = 8 << 10;

/// A store in this process, shared by all of its cores.
pub struct Memory {
    entries: Cache<CacheKey, Arc<Slot>, ByWeight>,
    record: Record,
    heaviest: u64,
}

/// An entry in its place.
struct Slot {
    entry: Arc<StoredResponse>,
    /// A point of the sequence at which the entry was found valid.
    checked: AtomicU64,
    weight: u64,
}

#[derive(Clone)]
struct ByWeight;

impl Weighter<CacheKey, Arc<Slot>> for ByWeight {
    fn weight(&self, _: &CacheKey, slot: &Arc<Slot>) -> u64 {
        slot.weight
    }
}

impl Memory {
    /// A store that takes at most so many bytes of memory, but for what the allocator holds in reserve. Entries larger than
    /// a shard of it are not taken: from 8 MiB on every body of up to 3.7 MiB fits, below that every one of up to 90 % of
    /// the whole. One that its route annotates counts twice.
    pub fn new(bytes: u64) -> Self {
        let bytes = bytes.max(1);
        let entries =
            Cache::with_options(options(bytes), ByWeight, DefaultHashBuilder::default(), DefaultLifecycle::default());
        // The map takes nothing that is heavier than the 97 % of a shard that it reserves for what is used often.
        let heaviest = entries.shard_capacity() / 100 * 97;
        Self { entries, record: Record::new(), heaviest }
    }

    /// Reads the entry of a place, and the token that a fill begun now has to carry.
    pub fn lookup(&self, place: &EntryRef) -> Lookup {
        loop {
            let token = self.record.now();
            let Some(slot) = self.entries.get(&place.key) else {
                return Lookup { token, entry: None, invalidated: false };
            };
            if slot.is_valid(&self.record, token, place) {
                return Lookup { token, entry: Some(Arc::clone(&slot.entry)), invalidated: false };
            }
            // What was put in the very step that made it old is there by now.
            if self.entries.peek(&place.key).is_none_or(|now| Arc::ptr_eq(&now, &slot)) {
                return Lookup { token, entry: None, invalidated: true };
            }
        }
    }

    /// Keeps an entry unless its token says that it may be old, or something else is there than what it is built upon.
    pub fn put(&self, place: &EntryRef, entry: Arc<StoredResponse>, upon: &Expect) -> PutOutcome {
        let Some(weight) = self.weight(place, &entry) else { return PutOutcome::TooLarge };
        let marks = self.record.write();
        let now = self.record.now();
        if entry.token.epoch != now.epoch || !marks.spare(&entry, place) {
            return PutOutcome::RacedWrite;
        }
        let there = self.entries.peek(&place.key).map(|slot| Arc::clone(&slot.entry));
        let there = there.filter(|there| there.token.epoch == now.epoch && marks.spare(there, place));
        if let Some(refused) = refusal(there.as_ref(), &entry, upon) {
            return refused;
        }
        let slot = Slot { entry, checked: AtomicU64::new(now.seq), weight };
        self.entries.insert(place.key.clone(), Arc::new(slot));
        PutOutcome::Stored
    }

    /// Makes everything with one of these tags old.
    pub fn invalidate(&self, tags: &[Tag], since: Option<&Since>) -> Invalidated {
        self.record.invalidate(&mut self.record.write(), tags, since, |_| {})
    }

    /// The same, and puts an entry in its place in the same step, unless another invalidation came before.
    pub fn invalidate_and_put(
        &self,
        tags: &[Tag],
        since: &Since,
        place: &EntryRef,
        mut entry: StoredResponse,
        otherwise: Otherwise,
    ) -> (Invalidated, PutOutcome) {
        let weight = self.weight(place, &entry);
        let mut marks = self.record.write();
        let now = self.record.now();
        let latest = marks.latest(entry.tags.iter().chain(&place.tags).chain(&since.watched));
        let refused = if since.token.epoch != now.epoch || latest > since.token.seq {
            Some(PutOutcome::RacedWrite)
        } else {
            weight.is_none().then_some(PutOutcome::TooLarge)
        };
        match (refused, weight) {
            (None, Some(weight)) => {
                let finished = self.record.invalidate(&mut marks, tags, Some(since), |token| {
                    entry.token = token;
                    let slot = Slot { entry: Arc::new(entry), checked: AtomicU64::new(token.seq), weight };
                    self.entries.insert(place.key.clone(), Arc::new(slot));
                });
                (finished, PutOutcome::Stored)
            }
            (refused, _) if otherwise == Otherwise::Invalidate => {
                let finished = self.record.invalidate(&mut marks, tags, Some(since), |_| {});
                (finished, refused.unwrap_or(PutOutcome::TooLarge))
            }
            (refused, _) => (Invalidated { token: now, alone: false }, refused.unwrap_or(PutOutcome::TooLarge)),
        }
    }

    /// How many bytes its entries take at the most.
    pub fn weight_held(&self) -> u64 {
        self.entries.weight()
    }

    /// What an entry weighs; `None` where that is too much.
    fn weight(&self, place: &EntryRef, entry: &StoredResponse) -> Option<u64> {
        let around = allocated(counted::<Slot>()) + key_texts(&place.key) + item::<CacheKey, Arc<Slot>>();
        let weight = (entry.weight() + around) as u64;
        (weight <= self.heaviest).then_some(weight)
    }
}

/// What a key takes beside itself.
fn key_texts(key: &CacheKey) -> usize {
    let host = key.host.as_ref().map_or(0, |host| host.len());
    allocated(key.name.len()) + allocated(host) + allocated(size_of_val(&*key.selected))
}

/// Why an entry is not kept where this valid one is, or none.
fn refusal(there: Option<&Arc<StoredResponse>>, entry: &StoredResponse, upon: &Expect) -> Option<PutOutcome> {
    match (upon, there) {
        (_, Some(there)) if there.token.seq > entry.token.seq => Some(PutOutcome::NewerFill),
        (Expect::Any, Some(there)) if there.kind == Kind::CacheOnly => Some(PutOutcome::NewerFill),
        (Expect::Any, _) | (Expect::Absent, None) => None,
        (Expect::Entry(beneath), Some(there)) if Arc::ptr_eq(beneath, there) => None,
        (Expect::Entry(_), None) => Some(PutOutcome::Gone),
        (Expect::Absent | Expect::Entry(_), Some(_)) => Some(PutOutcome::NewerFill),
    }
}

impl Slot {
    fn is_valid(&self, record: &Record, start: Token, place: &EntryRef) -> bool {
        if self.entry.token.epoch != start.epoch {
            return false;
        }
        if self.checked.load(Ordering::SeqCst) >= start.seq {
            return true;
        }
        let marks = record.read();
        let valid = marks.spare(&self.entry, place);
        if valid {
            self.checked.fetch_max(record.now().seq, Ordering::SeqCst);
        }
        valid
    }
}

fn options(bytes: u64) -> Options {
    let shards = (bytes / SHARD_BYTES).clamp(1, MAX_SHARDS);
    let ghosts = (bytes / BYTES_A_GHOST).max(shards * 32);
    let of_ghosts = ghosts * item::<CacheKey, Arc<Slot>>() as u64;
    OptionsBuilder::new()
        // The map rounds up to a power of two, which would make the shards smaller than meant.
        .shards(1 << shards.ilog2())
        .estimated_items_capacity(usize::try_from(ghosts).unwrap_or(usize::MAX))
        .ghost_allocation(1.0)
        .weight_capacity(bytes.saturating_sub(of_ghosts).max(1))
        .build()
        .unwrap_or_else(|_| unreachable!("both of the options that it asks for are set"))
}

impl fmt::Debug for Memory {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Memory")
            .field("entries", &self.entries.len())
            .field("bytes", &self.entries.weight())
            .field("capacity", &self.entries.capacity())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::policy::{Lifetime, LifetimeSource, StoredFlags};

    fn place(name: &str) -> EntryRef {
        EntryRef { key: CacheKey::new("fruit", 0, name), tags: vec![Tag::route("fruit")].into() }
    }

    fn fill(memory: &Memory, name: &str, bytes: usize) -> PutOutcome {
        let place = place(name);
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
            place.tags.to_vec(),
            memory.lookup(&place).token,
        );
        memory.put(&place, Arc::new(entry), &Expect::Any)
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
            assert!(memory.entries.weight() <= 8 << 20);
        }
        let held = (0..400).filter(|n| memory.lookup(&place(&n.to_string())).entry.is_some()).count();
        assert!(held > 100, "half of what would fit at the least: {held}");
    }
}
