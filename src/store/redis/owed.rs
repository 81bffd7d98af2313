//! Invalidations that Redis has not confirmed. While there are any, this process reads nothing from it.
//!
//! The order that makes this safe: a `invalidate` that fails puts its tags here, and closes the gate with it, before it
//! returns; its write is answered after that; a lookup that starts after the answer finds the gate closed. A lookup that
//! was under way before is as good as one that ended before the answer. A fill that was under way is stored with a token
//! from before, which the invalidation makes old once it is applied.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::rules::Tag;

/// With more tags than this, everything is owed.
const TAG_LIMIT: usize = 1_000;

/// The invalidations that this process owes to Redis.
#[derive(Debug, Default)]
pub(super) struct Owed {
    book: Mutex<Book>,
    /// Whether anything is in the book; changed under its lock.
    any: AtomicBool,
    added: Notify,
}

#[derive(Debug, Default)]
struct Book {
    /// Everything is owed, and when that was added last.
    whole: Option<u64>,
    tags: HashMap<Tag, u64>,
    /// Numbers what is added, so that what was owed again while it was applied stays owed.
    added: u64,
}

/// What is owed.
pub(super) struct Debt {
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
    pub(super) fn add(&self, tags: &[Tag]) {
        let mut book = self.open();
        book.added += 1;
        let now = book.added;
        if book.whole.is_some() || book.tags.len() + tags.len() > TAG_LIMIT {
            book.whole = Some(now);
            book.tags.clear();
        } else {
            book.tags.extend(tags.iter().map(|tag| (tag.clone(), now)));
        }
        self.any.store(true, Ordering::SeqCst);
        drop(book);
        self.added.notify_waiters();
    }

    /// Resolves when something is added after this call, not after the first poll.
    pub(super) fn added(&self) -> Notified<'_> {
        self.added.notified()
    }

    /// All that is owed now, if anything is.
    pub(super) fn next(&self) -> Option<Debt> {
        let book = self.open();
        let debt = Debt { whole: book.whole.is_some(), tags: book.tags.keys().cloned().collect(), until: book.added };
        (debt.whole || !debt.tags.is_empty()).then_some(debt)
    }

    /// Strikes off what has been applied, and nothing that was added since.
    pub(super) fn settle(&self, debt: &Debt) {
        let mut book = self.open();
        book.whole = book.whole.filter(|&added| !debt.whole || added > debt.until);
        book.tags.retain(|_, added| *added > debt.until);
        if book.whole.is_none() && book.tags.is_empty() {
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
        owed.add(&tags(0..2));
        owed.add(&tags(5..6));
        while let Some(debt) = owed.next() {
            assert!(!owed.is_empty());
            owed.settle(&debt);
        }
        assert!(owed.is_empty());
    }

    #[test]
    fn what_is_owed_again_meanwhile_stays_owed() {
        let owed = Owed::default();
        owed.add(&tags(0..2));
        let debt = owed.next().unwrap();
        owed.add(&tags(1..3));
        owed.settle(&debt);
        let mut left = owed.next().unwrap().tags;
        left.sort();
        assert_eq!(left, tags(1..3));
    }

    #[test]
    fn very_many_tags_become_everything() {
        let owed = Owed::default();
        owed.add(&tags(0..600));
        let early = owed.next().unwrap();
        owed.add(&tags(600..1200));
        owed.settle(&early);
        let debt = owed.next().unwrap();
        assert!(debt.whole && debt.tags.is_empty());
        owed.add(&tags(0..1));
        owed.settle(&debt);
        assert!(!owed.is_empty(), "the last one came after the whole was applied");
        owed.settle(&owed.next().unwrap());
        assert!(owed.is_empty());
    }

    #[tokio::test]
    async fn an_addition_between_the_call_and_the_wait_is_noticed() {
        let owed = Owed::default();
        let added = owed.added();
        owed.add(&tags(0..1));
        added.await;
    }
}
