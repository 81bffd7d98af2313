//! Pending invalidations: Redis has not confirmed them. While there are any, this process reads nothing from it.
//!
//! The order that makes this safe: an `invalidate` that fails puts its tags here, and closes the gate with it, before it
//! returns; its write is answered after that; a lookup that starts after the answer finds the gate closed. A lookup that
//! was under way before is as good as one that ended before the answer. A fill that was under way is stored with a token
//! from before, which the invalidation makes old once it is applied.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::rules::Tag;

/// With more tags than this, everything is to be invalidated.
const TAG_LIMIT: usize = 1_000;

/// The pending invalidations of this process.
#[derive(Debug, Default)]
pub(super) struct Pending {
    list: Mutex<List>,
    /// Whether anything is in the list; changed under its lock.
    any: AtomicBool,
    added: Notify,
}

#[derive(Debug, Default)]
struct List {
    /// Everything is to be invalidated, and when that was added last.
    everything: Option<u64>,
    tags: HashMap<Tag, u64>,
    /// Numbers what is added, so that what is added again while it is made stays.
    added: u64,
}

/// What is made in one step.
pub(super) struct Batch {
    pub(super) everything: bool,
    pub(super) tags: Vec<Tag>,
    /// Everything that was added until here is in it.
    until: u64,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::SeqCst)
    }

    /// Adds the invalidation of these tags.
    pub(super) fn add(&self, tags: &[Tag]) {
        let mut list = self.lock();
        list.added += 1;
        let now = list.added;
        if list.everything.is_some() || list.tags.len() + tags.len() > TAG_LIMIT {
            list.everything = Some(now);
            list.tags.clear();
        } else {
            list.tags.extend(tags.iter().map(|tag| (tag.clone(), now)));
        }
        self.any.store(true, Ordering::SeqCst);
        drop(list);
        self.added.notify_waiters();
    }

    /// Resolves when something is added after this call, not after the first poll.
    pub(super) fn added(&self) -> Notified<'_> {
        self.added.notified()
    }

    /// All that is pending now, if anything is.
    pub(super) fn next(&self) -> Option<Batch> {
        let list = self.lock();
        let batch = Batch {
            everything: list.everything.is_some(),
            tags: list.tags.keys().cloned().collect(),
            until: list.added,
        };
        (batch.everything || !batch.tags.is_empty()).then_some(batch)
    }

    /// Takes out what Redis has confirmed, and nothing that was added since.
    pub(super) fn confirm(&self, batch: &Batch) {
        let mut list = self.lock();
        list.everything = list.everything.filter(|&added| !batch.everything || added > batch.until);
        list.tags.retain(|_, added| *added > batch.until);
        if list.everything.is_none() && list.tags.is_empty() {
            self.any.store(false, Ordering::SeqCst);
        }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        // Nothing under the lock can panic but for want of memory; what is in the list then is still pending.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(range: std::ops::Range<usize>) -> Vec<Tag> {
        range.map(|n| Tag::named(&n.to_string())).collect()
    }

    #[test]
    fn what_is_confirmed_is_taken_out() {
        let pending = Pending::default();
        assert!(pending.is_empty());
        pending.add(&tags(0..2));
        pending.add(&tags(5..6));
        while let Some(batch) = pending.next() {
            assert!(!pending.is_empty());
            pending.confirm(&batch);
        }
        assert!(pending.is_empty());
    }

    #[test]
    fn what_is_added_again_meanwhile_stays() {
        let pending = Pending::default();
        pending.add(&tags(0..2));
        let batch = pending.next().unwrap();
        pending.add(&tags(1..3));
        pending.confirm(&batch);
        let mut left = pending.next().unwrap().tags;
        left.sort();
        assert_eq!(left, tags(1..3));
    }

    #[test]
    fn very_many_tags_become_everything() {
        let pending = Pending::default();
        pending.add(&tags(0..600));
        let early = pending.next().unwrap();
        pending.add(&tags(600..1200));
        pending.confirm(&early);
        let batch = pending.next().unwrap();
        assert!(batch.everything && batch.tags.is_empty());
        pending.add(&tags(0..1));
        pending.confirm(&batch);
        assert!(!pending.is_empty(), "the last one came after everything was invalidated");
        pending.confirm(&pending.next().unwrap());
        assert!(pending.is_empty());
    }

    #[tokio::test]
    async fn an_addition_between_the_call_and_the_wait_is_noticed() {
        let pending = Pending::default();
        let added = pending.added();
        pending.add(&tags(0..1));
        added.await;
    }
}
