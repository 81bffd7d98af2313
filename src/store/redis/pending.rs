//! Pending invalidations: Redis has not confirmed them. While there are any, this process reads nothing from it.
//!
//! The order that makes this safe: an `invalidate` that fails puts its tags here, and closes the gate with it, before it
//! returns; its write is answered after that; a lookup that starts after the answer finds the gate closed. A lookup that
//! was under way before is as good as one that ended before the answer. A fill that was under way is stored with a token
//! from before, which the invalidation makes old once it is applied.
//!
//! What is pending goes out with the next call to the registry (`control`), so a call that is confirmed has made it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::sync::watch;

use crate::clock::{Millis, millis};
use crate::rules::Tag;
use crate::store::change::{Change, Intent};

/// With more tags than this, everything is to be invalidated.
const TAG_LIMIT: usize = 1_000;
/// So much else is listed. What of a route is to be held or to settle beyond that makes all of the route so; a mark beyond
/// that is left to be ended when this process leaves.
const LIMIT: usize = 100;

/// The pending invalidations of this process.
#[derive(Debug, Default)]
pub(super) struct Pending {
    list: Mutex<List>,
    /// Whether anything is in the list; changed under its lock.
    any: AtomicBool,
    added: Notify,
    /// Everything that was added until here is confirmed.
    confirmed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct List {
    /// Everything is to be invalidated, and when that was added last.
    everything: Option<u64>,
    tags: HashMap<Tag, u64>,
    /// What is held for so long, from when it is made on.
    settle: HashMap<Tag, (Millis, u64)>,
    /// Marks to be ended.
    marks: HashMap<Arc<str>, u64>,
    /// What writes of unknown outcome may have changed.
    holds: HashMap<Arc<str>, (Intent, u64)>,
    /// Numbers what is added, so that what is added again while it is made stays.
    added: u64,
}

/// What Redis has not confirmed of one write.
#[derive(Clone, Debug, Default)]
pub(super) struct Unmade {
    /// What is to be invalidated.
    pub(super) tags: Vec<Tag>,
    /// What is held after that.
    pub(super) settle: Vec<(Tag, Millis)>,
    /// The mark that ends.
    pub(super) mark: Option<Arc<str>>,
    /// What it may have changed, where its outcome is unknown.
    pub(super) hold: Option<Intent>,
}

/// What is made in one step.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) everything: bool,
    pub(super) tags: Vec<Tag>,
    pub(super) settle: Vec<(Tag, Millis)>,
    pub(super) marks: Vec<Arc<str>>,
    pub(super) holds: Vec<(Arc<str>, Intent)>,
    /// Everything that was added until here is in it.
    until: u64,
}

impl Unmade {
    /// Whether nothing would be left to make.
    pub(super) fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.settle.is_empty() && self.mark.is_none() && self.hold.is_none()
    }

    /// All of a change.
    pub(super) fn of(change: &Change<'_>) -> Self {
        Self {
            tags: change.tags.to_vec(),
            settle: change.settle.iter().map(|(tag, time)| (tag.clone(), millis(*time))).collect(),
            mark: change.mark.and_then(|mark| mark.id.clone()),
            hold: None,
        }
    }
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::SeqCst)
    }

    /// Adds what was not confirmed. Comes back with its number, for [`Pending::confirmed`].
    pub(super) fn add(&self, unmade: Unmade) -> u64 {
        let mut list = self.lock();
        list.added += 1;
        let now = list.added;
        list.add(unmade, now);
        self.any.store(true, Ordering::SeqCst);
        drop(list);
        self.added.notify_waiters();
        now
    }

    /// As if something had been added.
    pub(super) fn wake(&self) {
        self.added.notify_waiters();
    }

    /// Resolves when something is added, or somebody wakes, after this call, not after the first poll.
    pub(super) fn added(&self) -> Notified<'_> {
        self.added.notified()
    }

    /// Resolves once what has this number, and all before it, is confirmed.
    pub(super) async fn confirmed(&self, number: u64) {
        let mut confirmed = self.confirmed.subscribe();
        // The sender is here as long as this is.
        let _ = confirmed.wait_for(|until| *until >= number).await;
    }

    /// All that is pending now; empty where nothing is.
    pub(super) fn next(&self) -> Batch {
        let list = self.lock();
        Batch {
            everything: list.everything.is_some(),
            tags: list.tags.keys().cloned().collect(),
            settle: list.settle.iter().map(|(tag, (time, _))| (tag.clone(), *time)).collect(),
            marks: list.marks.keys().cloned().collect(),
            holds: list.holds.iter().map(|(owner, (intent, _))| (Arc::clone(owner), intent.clone())).collect(),
            until: list.added,
        }
    }

    /// Takes out what Redis has confirmed, and nothing that was added since.
    pub(super) fn confirm(&self, batch: &Batch) {
        let mut list = self.lock();
        let until = batch.until;
        list.everything = list.everything.filter(|&added| !batch.everything || added > until);
        list.tags.retain(|_, added| *added > until);
        list.settle.retain(|_, (_, added)| *added > until);
        list.marks.retain(|_, added| *added > until);
        list.holds.retain(|_, (_, added)| *added > until);
        if list.is_empty() {
            self.any.store(false, Ordering::SeqCst);
        }
        drop(list);
        self.confirmed.send_if_modified(|confirmed| {
            let raised = until > *confirmed;
            *confirmed = until.max(*confirmed);
            raised
        });
    }

    /// How many things are pending: tags, what is to settle, writes of unknown outcome, and marks to be ended; one where it is
    /// everything. Not 0 while anything is in the list, since nothing is read from the store then.
    pub(super) fn len(&self) -> u64 {
        let list = self.lock();
        let listed = list.tags.len() + list.settle.len() + list.holds.len() + list.marks.len();
        u64::from(list.everything.is_some()).max(listed as u64)
    }

    /// What people are told of what is pending; `None` where nothing is.
    pub(super) fn told(&self) -> Option<String> {
        let list = self.lock();
        let holds = list.holds.values().map(|(intent, _)| intent.held.len() + intent.others.len());
        let concerned = list.tags.len() + list.settle.len() + holds.sum::<usize>();
        match list.everything {
            Some(_) => Some("everything".to_owned()),
            // A mark alone makes nothing old.
            None => (concerned > 0).then(|| format!("what {concerned} tags name")),
        }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        // Nothing under the lock can panic but for want of memory; what is in the list then is still pending.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn add(&mut self, unmade: Unmade, now: u64) {
        let Unmade { tags, settle, mark, hold } = unmade;
        if self.everything.is_some() || self.tags.len() + tags.len() > TAG_LIMIT {
            self.everything = Some(now);
            self.tags.clear();
        } else {
            self.tags.extend(tags.into_iter().map(|tag| (tag, now)));
        }
        for (tag, time) in settle {
            let tag = if self.settle.len() < LIMIT { tag } else { above(tag) };
            let (longest, added) = self.settle.entry(tag).or_default();
            (*longest, *added) = (time.max(*longest), now);
        }
        match (mark, hold) {
            (Some(owner), Some(intent)) if self.holds.len() < LIMIT => drop(self.holds.insert(owner, (intent, now))),
            (_, Some(intent)) => self.add_hold(intent, now),
            (Some(mark), None) if self.marks.len() < LIMIT => drop(self.marks.insert(mark, now)),
            (_, None) => {}
        }
    }

    /// Of too many writes all that lies above what they name is held: as many as there are routes.
    fn add_hold(&mut self, intent: Intent, now: u64) {
        let (all, added) = self.holds.entry("*".into()).or_default();
        all.held.extend(intent.held.into_iter().map(above));
        all.others.extend(intent.others.into_iter().map(above));
        for tags in [&mut all.held, &mut all.others] {
            tags.sort_unstable();
            tags.dedup();
        }
        *added = now;
    }

    fn is_empty(&self) -> bool {
        let Self { everything, tags, settle, marks, holds, .. } = self;
        everything.is_none() && tags.is_empty() && settle.is_empty() && marks.is_empty() && holds.is_empty()
    }
}

/// What lies above a tag.
fn above(tag: Tag) -> Tag {
    tag.heir().unwrap_or(tag)
}

impl Batch {
    /// As scripts read it.
    pub(super) fn to_json(&self) -> String {
        let texts = |tags: &[Tag]| tags.iter().map(|tag| tag.as_str().to_owned()).collect::<Vec<_>>();
        let marks: Vec<&str> = self.marks.iter().map(|mark| &**mark).collect();
        let settle: Vec<_> = self.settle.iter().map(|(tag, time)| (tag.as_str(), time)).collect();
        let holds: Vec<_> = self
            .holds
            .iter()
            .map(|(owner, Intent { held, others })| {
                serde_json::json!({ "owner": &**owner, "held": texts(held), "others": texts(others) })
            })
            .collect();
        serde_json::json!({
            "everything": self.everything,
            "tags": texts(&self.tags),
            "settle": settle,
            "marks": marks,
            "holds": holds,
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(range: std::ops::Range<usize>) -> Vec<Tag> {
        range.map(|n| Tag::named(&n.to_string())).collect()
    }

    fn add(pending: &Pending, range: std::ops::Range<usize>) -> u64 {
        pending.add(Unmade { tags: tags(range), ..Unmade::default() })
    }

    #[test]
    fn what_is_confirmed_is_taken_out() {
        let pending = Pending::default();
        assert!(pending.is_empty());
        add(&pending, 0..2);
        add(&pending, 5..6);
        while !pending.is_empty() {
            pending.confirm(&pending.next());
        }
        assert_eq!(pending.told(), None);
    }

    #[test]
    fn whatever_keeps_the_store_from_being_read_is_counted() {
        let (mark, hold) = (|| Some("m".into()), || Some(Intent { held: tags(0..1), others: Vec::new() }));
        for unmade in [
            Unmade { mark: mark(), ..Unmade::default() },
            Unmade { mark: mark(), hold: hold(), ..Unmade::default() },
            Unmade { tags: tags(0..1), ..Unmade::default() },
            Unmade { settle: vec![(Tag::named("a"), 500)], ..Unmade::default() },
        ] {
            let pending = Pending::default();
            pending.add(unmade);
            assert!(!pending.is_empty() && pending.len() == 1);
            pending.confirm(&pending.next());
            assert_eq!((pending.is_empty(), pending.len()), (true, 0));
        }
    }

    #[test]
    fn what_is_added_again_meanwhile_stays() {
        let pending = Pending::default();
        add(&pending, 0..2);
        let batch = pending.next();
        add(&pending, 1..3);
        pending.confirm(&batch);
        let mut left = pending.next().tags;
        left.sort();
        assert_eq!(left, tags(1..3));
    }

    #[test]
    fn very_many_tags_become_everything() {
        let pending = Pending::default();
        add(&pending, 0..600);
        let early = pending.next();
        add(&pending, 600..1200);
        pending.confirm(&early);
        let batch = pending.next();
        assert!(batch.everything && batch.tags.is_empty());
        add(&pending, 0..1);
        pending.confirm(&batch);
        assert!(!pending.is_empty(), "the last one came after everything was invalidated");
        pending.confirm(&pending.next());
        assert!(pending.is_empty());
    }

    #[test]
    fn very_many_writes_of_unknown_outcome_hold_their_routes() {
        let pending = Pending::default();
        for n in 0..LIMIT + 20 {
            let held = vec![Tag::path("fruit", &format!("/{n}"))];
            let hold = Some(Intent { held, others: vec![Tag::route("other")] });
            pending.add(Unmade { mark: Some(n.to_string().into()), hold, ..Unmade::default() });
        }
        let holds = pending.next().holds;
        assert_eq!(holds.len(), LIMIT + 1);
        let (_, rest) = holds.iter().find(|(owner, _)| &**owner == "*").unwrap();
        assert_eq!((rest.held.clone(), rest.others.clone()), (vec![Tag::route("fruit")], vec![Tag::route("other")]));
    }

    #[test]
    fn a_batch_is_written_for_scripts() {
        let batch = Batch {
            tags: vec![Tag::route("a")],
            settle: vec![(Tag::route("b"), 500)],
            marks: vec!["m".into()],
            holds: vec![("o".into(), Intent { held: vec![Tag::route("c")], others: Vec::new() })],
            ..Batch::default()
        };
        let written: serde_json::Value = serde_json::from_str(&batch.to_json()).unwrap();
        let meant = serde_json::json!({
            "everything": false, "tags": ["r:a"], "settle": [["r:b", 500]], "marks": ["m"],
            "holds": [{ "owner": "o", "held": ["r:c"], "others": [] }],
        });
        assert_eq!(written, meant);
    }

    #[tokio::test]
    async fn an_addition_between_the_call_and_the_wait_is_noticed() {
        let pending = Pending::default();
        let added = pending.added();
        let number = add(&pending, 0..1);
        added.await;
        pending.confirm(&pending.next());
        pending.confirmed(number).await;
    }
}
