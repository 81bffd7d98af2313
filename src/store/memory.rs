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
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::yield_now;

use super::bounded::{Bounded, Weight};
use super::change::{Change, Intent, Unfinished};
use super::core::{Invalidated, Otherwise, PutOutcome, Since, Token};
use super::entry::{Expect, Kind, Lookup, StoredResponse};
use super::found::Found;
use super::in_force::InForce;
use super::listing::{Listing, MOST, StoredEntry};
use super::record::{Marks, Record};
use super::redis::key_name;
use super::state::State;
use super::weight::key_texts;
use crate::clock::{Clock, Millis, Stopwatch, millis};
use crate::rules::{Beginning, CacheKey, EntryRef, Tag};

/// About what an entry weighs.
const BYTES_A_GHOST: u64 = 8 << 10;
/// So many entries are looked at to count those that a purge hits: a few milliseconds.
const COUNTED: usize = 20_000;
/// So many of them at once: then whatever else the core has to do has its turn.
const AT_ONCE: usize = 256;
/// How long it may take to find what begins so; Redis has as much.
const LONGEST: Duration = Duration::from_secs(3);
/// So many are looked at where somebody wants to see some.
const LISTED: usize = 100_000;

/// A store in this process, shared by all of its cores.
pub struct Memory {
    entries: Bounded<CacheKey, Arc<StoredResponse>>,
    record: Record,
    bytes: u64,
    /// How long the origin may take to commit a write whose outcome is unknown, in milliseconds.
    commit_within: AtomicU64,
    rules: Arc<InForce>,
    clock: Clock,
}

impl Memory {
    /// A store that takes at most so many bytes of memory, but for what the allocator holds in reserve. Entries larger than
    /// a shard of it are not taken: from 8 MiB on every body of up to 3.7 MiB fits, below that every one of up to 90 % of
    /// the whole. One that its route annotates counts twice.
    ///
    /// A write whose outcome is unknown the origin may `commit_within` that time; the `clock` tells when it is over.
    pub fn new(bytes: u64, commit_within: Duration, clock: Clock) -> Self {
        Self {
            entries: Bounded::new(bytes, BYTES_A_GHOST),
            record: Record::new(),
            bytes,
            commit_within: AtomicU64::new(millis(commit_within)),
            rules: Arc::new(InForce::new(0)),
            clock,
        }
    }

    /// The rules in force.
    pub(super) fn rules_in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.rules)
    }

    /// Puts other rules in force, and invalidates what has changed.
    pub(super) fn go_by(&self, rules: u64, changed: &[Tag], commit_within: Duration) {
        self.commit_within.fetch_max(millis(commit_within), Ordering::Relaxed);
        if !self.rules.go_by(rules, changed) {
            return;
        }
        self.invalidate(Change::of(changed));
        self.record.widen();
    }

    /// Reads the entry at a key, and the token that a fill begun now has to carry.
    pub fn lookup(&self, at: &EntryRef) -> Lookup {
        self.record.sweep(|| self.clock.ticks());
        loop {
            let token = self.record.now();
            let miss = |invalidated| Lookup { token, entry: None, invalidated, withheld: None, soft: false };
            let Some(entry) = self.entries.get(&at.key) else { return miss(false) };
            if let Some(soft) = self.stands_at(&entry, token, at) {
                return Lookup { token, entry: Some(entry), invalidated: false, withheld: None, soft };
            }
            // What was put in the very step that made it old is there by now.
            if self.entries.peek(&at.key).is_none_or(|now| Arc::ptr_eq(&now, &entry)) {
                return miss(true);
            }
        }
    }

    /// Whether an invalidation up to the lookup's `start` hit the entry softly; nothing where one hit it hard.
    fn stands_at(&self, entry: &StoredResponse, start: Token, at: &EntryRef) -> Option<bool> {
        if entry.token.epoch != start.epoch {
            return None;
        }
        if entry.was_valid_at(start.seq) {
            return Some(false);
        }
        let marks = self.record.read();
        let soft = self.stands(&marks, entry, at)?;
        if !soft {
            entry.found_valid_at(self.record.now().seq);
        }
        Some(soft)
    }

    /// Whether an invalidation hit the entry after its token, by its tags or by those of its key: they are among its own, but
    /// an entry that lacks one must not outlive a write for that.
    fn stands(&self, marks: &Marks, entry: &StoredResponse, at: &EntryRef) -> Option<bool> {
        self.record.stands(marks, entry.token, entry.tags.iter().chain(&at.tags))
    }

    /// Stores an entry unless its token says that it may be old, or something else is there than what is expected.
    pub fn put(&self, at: &EntryRef, entry: Arc<StoredResponse>, expect: &Expect) -> PutOutcome {
        let Some(weight) = self.weigh(at, &entry) else { return PutOutcome::TooLarge };
        self.record.sweep(|| self.clock.ticks());
        let (marks, fills) = (self.record.write(), [Tag::fills(&at.key.route)]);
        let concerned = entry.tags.iter().chain(&at.tags).chain(&fills);
        // A fill from before a soft invalidation is as old as what that hit.
        if self.record.stands(&marks, entry.token, concerned) != Some(false) {
            return raced(&marks, &entry);
        }
        let there = self.entries.peek(&at.key).filter(|there| self.stands(&marks, there, at).is_some());
        if let Some(refused) = refusal(there.as_ref(), &entry, expect) {
            return refused;
        }
        entry.found_valid_at(self.record.now().seq);
        self.entries.insert(at.key.clone(), entry, weight);
        PutOutcome::Stored
    }

    /// Invalidates everything that has one of these tags, and holds what is to settle.
    pub fn invalidate(&self, change: Change<'_>) -> Invalidated {
        let mut marks = self.record.write();
        let invalidated = self.record.invalidate(&mut marks, &change, |_| {});
        self.settle(&mut marks, &change, invalidated)
    }

    fn settle(&self, marks: &mut Marks, change: &Change<'_>, invalidated: Invalidated) -> Invalidated {
        if change.settle.is_empty() {
            return invalidated;
        }
        let now = self.clock.ticks();
        let until = |(tag, time)| -> (&Tag, Millis) { (tag, now.saturating_add(millis(time))) };
        let token = self.record.hold(marks, change.settle.iter().map(|(tag, time)| until((tag, *time))));
        Invalidated { token, ..invalidated }
    }

    /// Holds what a write of unknown outcome is sent to, and has the rest invalidated, now and again and again.
    pub fn hold(&self, intent: &Intent) -> Invalidated {
        let now = self.clock.ticks();
        self.record.hold_intent(intent, now, now.saturating_add(self.commit_within.load(Ordering::Relaxed)))
    }

    /// Whether a write of unknown outcome may still change what has one of these tags; of those under way it knows nothing.
    pub(super) fn unfinished(&self, tags: &[Tag]) -> Unfinished {
        Unfinished { concerns: self.record.read().list_again(tags), others: Vec::new() }
    }

    /// Invalidates what the change says, and puts an entry in its place in the same step, unless another invalidation came
    /// before.
    pub fn invalidate_and_put(
        &self,
        change: Change<'_>,
        since: &Since,
        at: &EntryRef,
        mut entry: StoredResponse,
        otherwise: Otherwise,
    ) -> (Invalidated, PutOutcome) {
        let (weight, change) = (self.weigh(at, &entry), change.since(since));
        self.record.sweep(|| self.clock.ticks());
        let mut marks = self.record.write();
        let concerned = entry.tags.iter().chain(&at.tags);
        let spared = self.record.stands(&marks, since.token, concerned) == Some(false);
        let refused = if spared && self.record.is_alone(&marks, since, &since.watched) {
            weight.is_none().then_some(PutOutcome::TooLarge)
        } else {
            Some(raced(&marks, &entry))
        };
        if refused.is_some() && otherwise == Otherwise::Nothing {
            let nothing = Invalidated { token: self.record.now(), alone: false, marked: false };
            return (nothing, refused.unwrap_or(PutOutcome::TooLarge));
        }
        let invalidated = self.record.invalidate(&mut marks, &change, |token| {
            if let (None, Some(weight)) = (refused, weight) {
                entry.token = token;
                entry.found_valid_at(token.seq);
                self.entries.insert(at.key.clone(), Arc::new(entry), weight);
            }
        });
        (self.settle(&mut marks, &change, invalidated), refused.unwrap_or(PutOutcome::Stored))
    }

    /// How many entries that can be given out have one of these tags; `None` where there are too many to look at each. Others on
    /// the core have their turn meanwhile.
    pub(super) async fn count(&self, tags: &[Tag]) -> Option<u64> {
        if self.entries.len() > COUNTED {
            return None;
        }
        let everything = tags.contains(&Tag::everything());
        let of_it = |entry: &StoredResponse| everything || entry.tags.iter().any(|tag| tags.binary_search(tag).is_ok());
        let is_there =
            |entry: &StoredResponse| self.record.stands(&self.record.read(), entry.token, &entry.tags).is_some();
        let mut count = 0;
        for (looked_at, (_, entry)) in self.entries.iter().enumerate() {
            take_turns(looked_at).await;
            count += u64::from(of_it(&entry) && is_there(&entry));
        }
        Some(count)
    }

    /// The entries that begin so and can be given out; `None` where these are too many, or it would take too long. Others on the
    /// core have their turn meanwhile.
    pub(super) async fn beginning(&self, beginning: &Beginning) -> Option<Found> {
        let (took, mut found) = (Stopwatch::start(), Found::default());
        for (looked_at, (key, entry)) in self.entries.iter().enumerate() {
            if take_turns(looked_at).await && took.elapsed() >= LONGEST {
                return None;
            }
            let name = key_name(&key);
            let is_there = || self.record.stands(&self.record.read(), entry.token, &entry.tags).is_some();
            if beginning.covers(&key.route, &name) && is_there() {
                found.add(&key.route, &name, &entry.tags)?;
            }
        }
        Some(found)
    }

    /// Some of the entries that can be given out, of this route where one is named. Others on the core have their turn
    /// meanwhile.
    pub(super) async fn listing(&self, route: Option<&str>, limit: usize) -> Listing {
        let (limit, now) = (limit.min(MOST), self.clock.now());
        let of_route = |key: &CacheKey| route.is_none_or(|route| *key.route == *route);
        let mut entries = Vec::new();
        for (looked_at, (key, entry)) in self.entries.iter().take(LISTED).enumerate() {
            take_turns(looked_at).await;
            if !of_route(&key) {
                continue;
            }
            let Some(soft) = self.record.stands(&self.record.read(), entry.token, &entry.tags) else { continue };
            if entries.len() == limit {
                return Listing { entries, more: true };
            }
            let told = StoredEntry::of(key_name(&key), &key.route, &entry, soft, now);
            entries.push(StoredEntry { hits: Some(entry.hits()), ..told });
        }
        Listing { entries, more: self.entries.len() > LISTED }
    }

    /// How it stands.
    pub(super) fn state(&self) -> State {
        State {
            held: Some(self.record.read().count_held()),
            entries: Some(self.entries.len() as u64),
            bytes: self.weight_held(),
            bytes_limit: self.bytes,
            evictions: State::evictions(self.evicted()),
            ..State::of_memory()
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

/// Lets others on the core have their turn where so many entries have been looked at; whether it did.
async fn take_turns(looked_at: usize) -> bool {
    let is_over = looked_at % AT_ONCE == AT_ONCE - 1;
    if is_over {
        yield_now().await;
    }
    is_over
}

/// Why an entry is not put that an invalidation has overtaken.
fn raced(marks: &Marks, entry: &StoredResponse) -> PutOutcome {
    if marks.hold(&entry.tags) { PutOutcome::Held } else { PutOutcome::RacedWrite }
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
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::policy::{Lifetime, LifetimeSource, StoredFlags};
    use crate::rules::{Purge, Ruleset};

    fn store(bytes: u64) -> Memory {
        Memory::new(bytes, Duration::from_secs(60), Clock::System)
    }

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
            let memory = store(bytes);
            assert_eq!(fill(&memory, "large", 1 << 20), PutOutcome::Stored);
            assert!(memory.lookup(&place("large")).entry.is_some(), "in a store of {bytes} bytes");
        }
    }

    #[test]
    fn what_is_larger_than_a_shard_is_refused() {
        assert_eq!(fill(&store(64 << 20), "huge", 4 << 20), PutOutcome::TooLarge);
        assert_eq!(fill(&store(1 << 20), "large", 1 << 20), PutOutcome::TooLarge);
        assert_eq!(fill(&store(0), "small", 1), PutOutcome::TooLarge);
    }

    #[tokio::test]
    async fn others_have_their_turn_while_all_entries_are_looked_at() {
        let memory = Arc::new(store(64 << 20));
        for n in 0..AT_ONCE * 8 {
            assert_eq!(fill(&memory, &n.to_string(), 1), PutOutcome::Stored);
        }
        let turns = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&turns);
        tokio::spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        });
        let since = |before: u64| turns.load(Ordering::Relaxed) - before;
        assert_eq!(memory.count(&[Tag::route("fruit")]).await, Some(AT_ONCE as u64 * 8));
        assert!(since(0) >= 8, "{}", since(0));
        let before = since(0);
        assert_eq!(memory.listing(None, MOST).await.entries.len(), MOST);
        assert!(since(before) >= 3, "{}", since(before));
        let before = since(0);
        let whole = Ruleset::default().routes.purging(Purge::Prefix("/nothing".to_owned()), "").unwrap();
        let found = memory.beginning(&whole.beginning.unwrap()).await.unwrap();
        assert_eq!(found.count(), 0);
        assert!(since(before) >= 8, "{}", since(before));
    }

    #[test]
    fn it_never_holds_more_than_its_bytes() {
        let memory = store(8 << 20);
        for n in 0..400 {
            assert_eq!(fill(&memory, &n.to_string(), 50_000), PutOutcome::Stored);
            assert!(memory.weight_held() <= 8 << 20);
        }
        let held = (0..400).filter(|n| memory.lookup(&place(&n.to_string())).entry.is_some()).count();
        assert!(held > 100, "half of what would fit at the least: {held}");
        assert_eq!(memory.evicted(), 400 - held as u64);
    }
}
