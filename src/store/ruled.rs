//! The store as the requests of one configuration see it.
//!
//! What an entry is tagged with, and which tags a write invalidates, the rules say. So a request under rules that are no longer
//! in force is given nothing that is stored of what they call otherwise, and its write invalidates all of that: it would else
//! find what a write of the others has not invalidated by its names, and miss what they have stored. ARCHITECTURE.md says why
//! that is enough.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::Store;
use super::change::{Change, Intent, Mark, Strength};
use super::core::{Fault, Invalidated, Otherwise, PutOutcome, Since};
use super::entry::{Lookup, StoredResponse, Withheld};
use super::in_force::InForce;
use super::purge::Purged;
use crate::rules::{EntryRef, Purging, Tag};

/// A core's store, for requests under certain rules. What makes no difference is the store's own.
#[derive(Clone, Debug)]
pub struct RuledStore {
    store: Store,
    rules: u64,
    in_force: Arc<InForce>,
}

impl RuledStore {
    /// For requests under the rules with this [fingerprint](crate::rules::Ruleset::of_writes).
    pub fn new(store: Store, rules: u64) -> Self {
        let in_force = store.rules_in_force();
        Self { store, rules, in_force }
    }

    /// Whatever rules are in force: for whoever asks what these would make of it.
    pub fn alone(store: Store, rules: u64) -> Self {
        Self { store, rules, in_force: Arc::new(InForce::new(rules)) }
    }

    /// The same for requests under other rules.
    #[must_use]
    pub fn under(&self, rules: u64) -> Self {
        Self { rules, ..self.clone() }
    }

    fn is_in_force(&self) -> bool {
        self.in_force.is(self.rules)
    }

    /// As [`Store::lookup`].
    pub async fn lookup(&self, at: &EntryRef) -> Result<Lookup, Fault> {
        Ok(self.given_out(at, self.store.lookup(at).await?))
    }

    /// As [`Store::lookup_now`].
    pub fn lookup_now(&self, at: &EntryRef) -> Option<Lookup> {
        self.store.lookup_now(at).map(|lookup| self.given_out(at, lookup))
    }

    /// What was found while other rules were in force may have been invalidated under a name that it has not. Asked after
    /// the lookup: what was in force then was so before it.
    fn given_out(&self, at: &EntryRef, lookup: Lookup) -> Lookup {
        if self.is_in_force() || !self.is_called_otherwise(at) {
            return lookup;
        }
        let withheld = lookup.withheld.or(Some(Withheld::Rules));
        Lookup { token: lookup.token, entry: None, invalidated: false, withheld, soft: false }
    }

    fn is_called_otherwise(&self, at: &EntryRef) -> bool {
        let changed = self.in_force.changed_since(self.rules);
        changed.iter().any(|tag| *tag == Tag::everything() || at.tags.contains(tag))
    }

    /// As [`Store::vouches`].
    pub fn vouches(&self) -> bool {
        self.is_in_force() && self.store.vouches()
    }

    /// As [`Store::rules_differ`], and where its own rules are no longer in force.
    pub fn rules_differ(&self) -> bool {
        !self.is_in_force() || self.store.rules_differ()
    }

    /// As [`Store::mark`].
    pub async fn mark(&self, intent: Intent) -> Result<Mark, Fault> {
        loop {
            let rules = self.in_force.now();
            let mark = self.store.mark(self.understood(&intent)).await?;
            if self.in_force.now() == rules {
                return Ok(Mark { intent, ..mark });
            }
            self.store.unmark(mark);
        }
    }

    /// As [`Store::hold`]. A fill of what is called otherwise by now would else find nothing held.
    pub async fn hold(&self, mark: &Mark) -> Result<Invalidated, Fault> {
        loop {
            let rules = self.in_force.now();
            let understood = Mark { id: mark.id.clone(), intent: self.understood(&mark.intent) };
            let held = self.store.hold(&understood).await;
            // Others may have come into force while it was: what was held before they did they have widened.
            if self.in_force.now() == rules {
                return held;
            }
        }
    }

    /// As [`Store::invalidate`].
    pub async fn invalidate(&self, change: Change<'_>) -> Result<Invalidated, Fault> {
        let rules = self.in_force.now();
        let invalidated = if self.is_in_force() {
            self.store.invalidate(change).await?
        } else {
            let (tags, settle) = (self.widened(change.tags), self.settled(change.settle));
            self.store.invalidate(Change { tags: &tags, settle: &settle, ..change }).await?
        };
        self.settle_since(rules, change.settle).await?;
        Ok(invalidated)
    }

    /// As [`Store::purge`]; of everything, where its own rules are no longer in force.
    pub async fn purge(&self, purging: &Purging, strength: Strength) -> Result<Purged, Fault> {
        if self.is_in_force() {
            return self.store.purge(purging, strength).await;
        }
        let everything =
            Purging { purge: purging.purge.clone(), tags: vec![Tag::everything()], names: Vec::new(), beginning: None };
        self.store.purge(&everything, strength).await
    }

    /// As [`Store::invalidate_and_put`].
    pub async fn invalidate_and_put(
        &self,
        change: Change<'_>,
        since: &Since,
        at: &EntryRef,
        entry: StoredResponse,
        otherwise: Otherwise,
    ) -> Result<(Invalidated, Result<PutOutcome, Fault>), Fault> {
        let rules = self.in_force.now();
        let done = if self.is_in_force() {
            self.store.invalidate_and_put(change, since, at, entry, otherwise).await?
        } else {
            let (tags, settle) = (self.widened(change.tags), self.settled(change.settle));
            let change = Change { tags: &tags, settle: &settle, ..change };
            self.store.invalidate_and_put(change, since, at, entry, otherwise).await?
        };
        self.settle_since(rules, change.settle).await?;
        Ok(done)
    }

    /// What a write is about to change, in the words of the rules in force, too. What they call otherwise may be what it is sent
    /// to.
    fn understood(&self, intent: &Intent) -> Intent {
        if self.is_in_force() || intent.is_empty() {
            return intent.clone();
        }
        let Intent { held, others } = intent;
        if held.is_empty() {
            return Intent { held: Vec::new(), others: self.widened(others) };
        }
        let held = self.widened(held);
        let others = others.iter().filter(|tag| !held.contains(tag)).cloned().collect();
        Intent { held, others }
    }

    /// What settles, in the words of the rules in force, too.
    fn settled(&self, settle: &[(Tag, Duration)]) -> Vec<(Tag, Duration)> {
        let longest = settle.iter().map(|(_, time)| *time).max();
        let more = longest.map(|time| self.in_force.changed_since(self.rules).into_iter().map(move |tag| (tag, time)));
        settle.iter().cloned().chain(more.into_iter().flatten()).collect()
    }

    /// Has settle what these words said under rules that were in force then, where others have come into force since.
    async fn settle_since(&self, mut rules: u64, settle: &[(Tag, Duration)]) -> Result<(), Fault> {
        while !settle.is_empty() && self.in_force.now() != rules {
            rules = self.in_force.now();
            let settle = self.settled(settle);
            let tags: Vec<Tag> = settle.iter().map(|(tag, _)| tag.clone()).collect();
            self.store.invalidate(Change::of(&tags).settling(&settle)).await?;
        }
        Ok(())
    }

    /// These tags, and what the rules in force call otherwise.
    fn widened(&self, tags: &[Tag]) -> Vec<Tag> {
        let mut tags = [tags, &self.in_force.changed_since(self.rules)].concat();
        tags.sort_unstable();
        tags.dedup();
        tags
    }
}

impl Deref for RuledStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::super::entry::{Expect, Kind};
    use super::super::memory::Memory;
    use super::*;
    use crate::clock::Clock;
    use crate::policy::{Lifetime, LifetimeSource, StoredFlags};
    use crate::rules::{CacheKey, Purge, Tags};

    const LONG: Duration = Duration::from_secs(60);

    fn at(tag: &str) -> EntryRef {
        EntryRef { key: CacheKey::new("r", 0, tag), tags: Tags::from(vec![Tag::route("r"), Tag::named(tag)]) }
    }

    async fn stored(store: &RuledStore, tag: &str) {
        assert_eq!(put(store, tag).await, Ok(PutOutcome::Stored));
    }

    async fn put(store: &RuledStore, tag: &str) -> Result<PutOutcome, Fault> {
        let at = at(tag);
        let token = store.lookup(&at).await.unwrap().token;
        let lifetime = Lifetime {
            fresh_for: LONG,
            source: LifetimeSource::MaxAge,
            stale_while_revalidate: LONG,
            stale_if_error: LONG,
        };
        let flags = StoredFlags { public_enough: false, must_revalidate: false, private: false };
        let (status, fields, body) = (StatusCode::OK, HeaderMap::new(), Bytes::new());
        let tags = at.tags.to_vec();
        let kind = Kind::Response;
        let entry = StoredResponse::new(kind, status, fields, body, 1, Duration::ZERO, lifetime, flags, tags, token);
        store.put(&at, Arc::new(entry), Expect::Any).await
    }

    #[tokio::test]
    async fn under_rules_that_are_no_longer_in_force_nothing_is_given_out_of_what_has_changed_and_a_write_invalidates_it()
     {
        let memory = Arc::new(Memory::new(1 << 20, LONG, Clock::System));
        memory.go_by(1, &[], LONG);
        let before = RuledStore::new(Store::Memory(Arc::clone(&memory)), 1);
        for tag in ["a", "b"] {
            stored(&before, tag).await;
        }
        memory.go_by(2, &[Tag::route("r")], LONG);
        let after = before.under(2);
        for tag in ["a", "b"] {
            stored(&after, tag).await;
        }
        assert!(after.lookup(&at("a")).await.unwrap().entry.is_some());
        let old = before.lookup(&at("a")).await.unwrap();
        assert!(old.entry.is_none() && old.withheld == Some(Withheld::Rules) && before.rules_differ());
        assert!(before.lookup_now(&at("a")).unwrap().entry.is_none() && !before.vouches() && after.vouches());
        after.invalidate(Change::of(&[Tag::named("a")])).await.unwrap();
        assert!(after.lookup(&at("b")).await.unwrap().entry.is_some());
        before.invalidate(Change::of(&[Tag::named("a")])).await.unwrap();
        assert!(after.lookup(&at("b")).await.unwrap().entry.is_none(), "whatever it names");
        stored(&after, "b").await;
        let mark = before.mark(Intent { held: Vec::new(), others: vec![Tag::named("a")] }).await.unwrap();
        before.hold(&mark).await.unwrap();
        assert!(after.lookup(&at("b")).await.unwrap().entry.is_none());
        let purging = Purging {
            purge: Purge::Tag("a".to_owned()),
            tags: vec![Tag::named("a")],
            names: Vec::new(),
            beginning: None,
        };
        for (store, is_left) in [(&after, true), (&before, false)] {
            stored(&after, "b").await;
            store.purge(&purging, Strength::Hard).await.unwrap();
            assert_eq!(after.lookup(&at("b")).await.unwrap().entry.is_some(), is_left);
        }
    }

    #[tokio::test]
    async fn what_has_not_changed_is_given_out_under_both_and_an_older_write_leaves_it() {
        let memory = Arc::new(Memory::new(1 << 20, LONG, Clock::System));
        let before = RuledStore::new(Store::Memory(Arc::clone(&memory)), 0);
        stored(&before, "a").await;
        memory.go_by(1, &[Tag::route("other")], LONG);
        assert!(before.lookup(&at("a")).await.unwrap().entry.is_some());
        before.invalidate(Change::of(&[Tag::named("b")])).await.unwrap();
        assert!(before.under(1).lookup(&at("a")).await.unwrap().entry.is_some());
        memory.go_by(2, &[], LONG);
        assert!(before.lookup(&at("a")).await.unwrap().entry.is_none(), "what has changed since is not known");
    }

    #[tokio::test]
    async fn what_of_the_rules_has_changed_is_invalidated_as_they_come_into_force() {
        let memory = Arc::new(Memory::new(1 << 20, LONG, Clock::System));
        let first = RuledStore::new(Store::Memory(Arc::clone(&memory)), 0);
        stored(&first, "a").await;
        memory.go_by(0, &[Tag::route("r")], LONG);
        assert!(first.lookup(&at("a")).await.unwrap().entry.is_some(), "they are the same");
        memory.go_by(1, &[Tag::route("r")], LONG);
        memory.go_by(0, &[], LONG);
        assert!(first.lookup(&at("a")).await.unwrap().entry.is_none(), "and is not there when they come back");
    }

    #[tokio::test]
    async fn what_is_held_by_the_words_of_the_rules_before_is_everything_under_others() {
        let clock = Clock::at(1_000_000);
        let memory = Arc::new(Memory::new(1 << 20, LONG, clock.clone()));
        let first = RuledStore::new(Store::Memory(Arc::clone(&memory)), 0);
        let mark = first.mark(Intent { held: vec![Tag::named("z")], others: Vec::new() }).await.unwrap();
        first.hold(&mark).await.unwrap();
        stored(&first, "a").await;
        memory.go_by(1, &[], LONG);
        let second = first.under(1);
        assert!(second.lookup(&at("a")).await.unwrap().entry.is_none());
        clock.advance(LONG + Duration::from_secs(1));
        stored(&second, "a").await;
        assert!(second.lookup(&at("a")).await.unwrap().entry.is_some());
    }

    #[tokio::test]
    async fn a_write_of_unknown_outcome_that_crosses_a_reload_holds_what_is_called_otherwise() {
        let clock = Clock::at(1_000_000);
        let memory = Arc::new(Memory::new(1 << 20, LONG, clock.clone()));
        let first = RuledStore::new(Store::Memory(Arc::clone(&memory)), 0);
        let mark = first.mark(Intent { held: vec![Tag::named("z")], others: Vec::new() }).await.unwrap();
        memory.go_by(1, &[Tag::named("a")], LONG);
        let second = first.under(1);
        first.hold(&mark).await.unwrap();
        assert_eq!(put(&second, "a").await, Ok(PutOutcome::Held), "what is fetched may be older than the write");
        assert_eq!(put(&second, "b").await, Ok(PutOutcome::Stored));
        clock.advance(LONG + Duration::from_secs(1));
        stored(&second, "a").await;
    }

    #[tokio::test]
    async fn what_is_to_settle_after_a_write_that_crosses_a_reload_is_what_is_called_otherwise() {
        let clock = Clock::at(1_000_000);
        let memory = Arc::new(Memory::new(1 << 20, LONG, clock.clone()));
        let first = RuledStore::new(Store::Memory(Arc::clone(&memory)), 0);
        memory.go_by(1, &[Tag::named("a")], LONG);
        let (second, settle) = (first.under(1), [(Tag::named("z"), Duration::from_secs(5))]);
        first.invalidate(Change::of(&[Tag::named("z")]).settling(&settle)).await.unwrap();
        assert_eq!(put(&second, "a").await, Ok(PutOutcome::Held));
        clock.advance(Duration::from_secs(6));
        stored(&second, "a").await;
    }
}
