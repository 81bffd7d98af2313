//! Who waits for a fill. While there is nobody it may be given up, for somebody else needs what it holds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

/// Who waits for a fill: its own client, and those who follow it. While there is nobody the fill is abandoned: it goes
/// on, so that the next client has a hit, until somebody else needs its permit at the origin.
#[derive(Debug, Default)]
pub struct Waiters {
    count: AtomicUsize,
    given_up: Notify,
    /// Where to say that nobody waits any more, once the fill is among those under way.
    abandoned: OnceLock<Arc<Notify>>,
}

/// One who waits for a fill, until it is dropped.
#[derive(Debug)]
pub struct Waiter(Arc<Waiters>);

impl Waiters {
    /// One more who waits.
    pub fn join(self: &Arc<Self>) -> Waiter {
        self.count.fetch_add(1, Ordering::AcqRel);
        Waiter(Arc::clone(self))
    }

    /// Whether nobody waits.
    pub fn are_none(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Says there from now on that nobody waits any more; the first who asks for it is heard.
    pub fn say_abandoned_to(&self, abandoned: &Arc<Notify>) {
        self.abandoned.get_or_init(|| Arc::clone(abandoned));
    }

    /// Asks the fill to end at once.
    pub fn give_up(&self) {
        self.given_up.notify_one();
    }

    /// Returns when the fill is to end at once, whatever it is at: somebody else needs its permit.
    pub async fn gave_up(&self) {
        self.given_up.notified().await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(abandoned) = self.0.abandoned.get()
        {
            abandoned.notify_one();
        }
    }
}
