//! Invalidations that Redis has not confirmed. While there are any, this process reads nothing from it.
//!
//! The order that makes this safe: a `finish` that fails puts its tags here, and closes the gate with it, before it
//! returns; its write is answered after that; a lookup that starts after the answer finds the gate closed. A lookup that
//! was under way before is as good as one that ended before the answer. A fill that was under way is stored with a token
//! from before, which the invalidation makes old once it is applied.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::rules::Tag;

/// With more tags than this, the whole group is owed.
const TAG_LIMIT: usize = 1_000;

/// The invalidations that this process owes to Redis.
#[derive(Debug, Default)]
pub(super) struct Owed {
    book: Mutex<Book>,
    /// Whether the book has an entry; changed under its lock.
    any: AtomicBool,
    added: Notify,
}

#[derive(Debug, Default)]
struct Book {
    groups: HashMap<Arc<str>, Group>,
    /// Numbers what is added, so that what was owed again while it was applied stays owed.
    added: u64,
}

#[derive(Debug, Default)]
struct Group {
    /// Everything in the group, and when that was added last.
    whole: Option<u64>,
    tags: HashMap<Tag, u64>,
}

/// What is owed to one group.
pub(super) struct Debt {
    pub(super) group: Arc<str>,
    pub(super) whole: bool,
    pub(super) tags: Vec<Tag>,
    /// Everything that was added until here is in it.
    until: u64,
}

impl Owed {
    pub(super) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::SeqCst)
    }

    /// Owes the invalidation of these tags.
    pub(super) fn add(&self, group: &str, tags: &[Tag]) {
        let mut book = self.open();
        book.added += 1;
        let now = book.added;
        let owed = book.groups.entry(group.into()).or_default();
        if owed.whole.is_some() || owed.tags.len() + tags.len() > TAG_LIMIT {
            owed.whole = Some(now);
            owed.tags.clear();
        } else {
            owed.tags.extend(tags.iter().map(|tag| (tag.clone(), now)));
        }
        self.any.store(true, Ordering::SeqCst);
        drop(book);
        self.added.notify_waiters();
    }

    /// Resolves when something is added after this call, not after the first poll.
    pub(super) fn added(&self) -> Notified<'_> {
        self.added.notified()
    }

    /// What is owed to one of the groups.
    pub(super) fn next(&self) -> Option<Debt> {
        let book = self.open();
        let (group, owed) = book.groups.iter().next()?;
        let tags = owed.tags.keys().cloned().collect();
        Some(Debt { group: Arc::clone(group), whole: owed.whole.is_some(), tags, until: book.added })
    }

    /// Strikes off what has been applied, and nothing that was added since.
    pub(super) fn settle(&self, debt: &Debt) {
        let mut book = self.open();
        if let Some(owed) = book.groups.get_mut(&debt.group) {
            owed.whole = owed.whole.filter(|&added| !debt.whole || added > debt.until);
            owed.tags.retain(|_, added| *added > debt.until);
            if owed.whole.is_none() && owed.tags.is_empty() {
                book.groups.remove(&debt.group);
            }
        }
        if book.groups.is_empty() {
            self.any.store(false, Ordering::SeqCst);
        }
    }

    fn open(&self) -> MutexGuard<'_, Book> {
        // Nothing under the lock can panic but for want of memory; what is in the book then is still owed.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(range: std::ops::Range<usize>) -> Vec<Tag> {
        range.map(|n| Tag::named(&n.to_string())).collect()
    }

    #[test]
    fn what_is_applied_is_struck_off() {
        let owed = Owed::default();
        assert!(owed.is_empty());
        owed.add("a", &tags(0..2));
        owed.add("b", &tags(0..1));
        while let Some(debt) = owed.next() {
            assert!(!owed.is_empty());
            owed.settle(&debt);
        }
        assert!(owed.is_empty());
    }

    #[test]
    fn what_is_owed_again_meanwhile_stays_owed() {
        let owed = Owed::default();
        owed.add("a", &tags(0..2));
        let debt = owed.next().unwrap();
        owed.add("a", &tags(1..3));
        owed.settle(&debt);
        let mut left = owed.next().unwrap().tags;
        left.sort();
        assert_eq!(left, tags(1..3));
    }

    #[test]
    fn very_many_tags_become_the_whole_group() {
        let owed = Owed::default();
        owed.add("a", &tags(0..600));
        let early = owed.next().unwrap();
        owed.add("a", &tags(600..1200));
        owed.settle(&early);
        let debt = owed.next().unwrap();
        assert!(debt.whole && debt.tags.is_empty());
        owed.add("a", &tags(0..1));
        owed.settle(&debt);
        assert!(!owed.is_empty(), "the last one came after the whole was applied");
        owed.settle(&owed.next().unwrap());
        assert!(owed.is_empty());
    }

    #[tokio::test]
    async fn an_addition_between_the_call_and_the_wait_is_noticed() {
        let owed = Owed::default();
        let added = owed.added();
        owed.add("a", &tags(0..1));
        added.await;
    }
}
