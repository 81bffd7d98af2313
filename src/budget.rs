//! How many bytes of answers are on their way, and how many may be.
//!
//! What the store holds is the store's to bound. What counts here is every other byte of a body: one that is being read
//! for a fill, a copy that was made for one answer, and what the store has let go while some client has yet to take it.
//! Each counts once, however many answers share it, and until its last piece is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Up to this many bytes a body is a cheap one: the last quarter of a budget is for these alone.
const CHEAP: usize = 64 << 10;

/// Smaller bodies do not count: the request and the stream that carry one cost more.
pub const COUNTED: usize = 4 << 10;

/// How long room is waited for, in all and while nobody gives any back.
const PATIENCE: Duration = Duration::from_secs(1);
const QUIET: Duration = Duration::from_millis(250);

/// A bound on bytes under way, of the whole process or of one connection.
///
/// Room is there as long as what is held is below the limit: so whatever is asked for is admitted at some time, however
/// large it is, and the limit is exceeded by the last that was admitted.
#[derive(Debug)]
pub struct Budget {
    limit: AtomicUsize,
    held: AtomicUsize,
    given_back: Notify,
    /// Somebody waited, and nothing was given back: not worth waiting for until that changes.
    stuck: AtomicBool,
}

/// Bytes that count until it is dropped.
#[derive(Debug)]
pub struct Receipt {
    budget: Arc<Budget>,
    bytes: usize,
}

/// That the store, or a cache of copies, has certain bytes. They count from when it is dropped, if they are under way
/// then, until they are sent.
#[derive(Debug)]
pub struct Loan(Arc<Lent>);

#[derive(Debug)]
struct Lent {
    budget: Arc<Budget>,
    bytes: usize,
    state: AtomicU8,
}

/// The states of what is lent: the store's, counted, and gone.
const STORED: u8 = 0;
const COUNTS: u8 = 1;
const GONE: u8 = 2;

impl Budget {
    /// A budget of so many bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit: AtomicUsize::new(limit),
            held: AtomicUsize::new(0),
            given_back: Notify::new(),
            stuck: AtomicBool::new(false),
        })
    }

    /// Makes it one of so many bytes. What is held already stays.
    pub fn resize(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
        self.stuck.store(false, Ordering::Relaxed);
        self.given_back.notify_waiters();
    }

    fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Counts bytes, whether there is room for them or not.
    pub fn charge(self: &Arc<Self>, bytes: usize) -> Receipt {
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Receipt { budget: Arc::clone(self), bytes }
    }

    /// Counts bytes if there is room for them now.
    pub fn try_charge(self: &Arc<Self>, bytes: usize) -> Option<Receipt> {
        self.adds(bytes, bytes).then(|| Receipt { budget: Arc::clone(self), bytes })
    }

    /// Whether there is room for so many bytes beside `counted` ones, which count already.
    pub fn has_room(&self, bytes: usize, counted: usize) -> bool {
        self.held.load(Ordering::Relaxed).saturating_sub(counted) < self.most(bytes)
    }

    /// Counts bytes once there is room for them; `None` where nobody gives any back for a moment. Whoever comes while it
    /// stays like that does not wait: what is waiting may hold a place at the origin.
    pub async fn room(self: &Arc<Self>, bytes: usize) -> Option<Receipt> {
        self.finds(bytes, bytes).await.then(|| Receipt { budget: Arc::clone(self), bytes })
    }

    /// Counts bytes once there is room for them; `None` where nothing is given back for as long as `patience`.
    pub async fn turn(self: &Arc<Self>, bytes: usize, patience: Duration) -> Option<Receipt> {
        let added = self.waits(bytes, bytes, || Instant::now() + patience).await;
        added.then(|| Receipt { budget: Arc::clone(self), bytes })
    }

    /// How much one answer of so many bytes counts among others, so that a single large one does not take all there is.
    pub fn portion(&self, bytes: usize) -> usize {
        bytes.min(self.limit() / 4)
    }

    /// Bytes that the store is about to hold, and what it has to drop when it lets them go. Of few bytes there is none.
    pub fn lend(self: &Arc<Self>, bytes: Bytes) -> (Bytes, Option<Loan>) {
        if bytes.len() < COUNTED {
            return (bytes, None);
        }
        let lent = Lent { budget: Arc::clone(self), bytes: bytes.len(), state: AtomicU8::new(STORED) };
        let lent = Arc::new(lent);
        let owned = Owned { bytes, lent: Arc::clone(&lent) };
        (Bytes::from_owner(owned), Some(Loan(lent)))
    }

    fn most(&self, bytes: usize) -> usize {
        let limit = self.limit();
        if bytes <= CHEAP { limit } else { limit - limit / 4 }
    }

    /// Adds `more` bytes to a body, which is then `size` long, if there is room for it beside all others.
    fn adds(&self, size: usize, more: usize) -> bool {
        let (most, own) = (self.most(size), size - more);
        let admit = |held: usize| (held.saturating_sub(own) < most).then(|| held.saturating_add(more));
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, admit).is_ok()
    }

    async fn finds(&self, size: usize, more: usize) -> bool {
        if size < COUNTED {
            self.held.fetch_add(more, Ordering::Relaxed);
            return true;
        }
        if self.adds(size, more) {
            return true;
        }
        if self.stuck.load(Ordering::Relaxed) {
            return false;
        }
        let end = Instant::now() + PATIENCE;
        let found = self.waits(size, more, || end.min(Instant::now() + QUIET)).await;
        if !found {
            self.stuck.store(true, Ordering::Relaxed);
        }
        found
    }

    /// Tries until `end`, which is asked for anew each time that something was given back.
    async fn waits(&self, size: usize, more: usize, end: impl Fn() -> Instant) -> bool {
        loop {
            // Made before the look, so that nothing that is given back after it goes unnoticed.
            let given_back = self.given_back.notified();
            if self.adds(size, more) {
                return true;
            }
            if timeout_at(end(), given_back).await.is_err() {
                return false;
            }
        }
    }

    fn give_back(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let before = self.held.fetch_sub(bytes, Ordering::Relaxed);
        // Nobody waits below that.
        if before >= self.most(usize::MAX) {
            self.stuck.store(false, Ordering::Relaxed);
            self.given_back.notify_waiters();
        }
    }
}

impl Receipt {
    /// Covers so many bytes from now on, once there is room for what is more; `false` where there is none, as of
    /// [`Budget::room`].
    pub async fn reach(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let found = more == 0 || self.budget.finds(bytes, more).await;
        if found {
            self.bytes += more;
        }
        found
    }

    /// Whether there is room for others beside all that counts, these bytes among it; so there is for few.
    pub fn leaves_room(&self) -> bool {
        self.bytes < COUNTED || self.budget.has_room(self.bytes, 0)
    }

    /// Covers so many bytes from now on, whether there is room for them or not.
    pub fn cover(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.budget.held.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            self.budget.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
    }

    /// Covers the [portion](Budget::portion) of so many bytes from now on.
    pub fn cover_portion(&mut self, bytes: usize) {
        self.cover(self.budget.portion(bytes));
    }

    /// The same bytes, which count until nobody has a piece of them any more.
    pub fn seal(mut self, bytes: Bytes) -> Bytes {
        if bytes.is_empty() {
            return bytes;
        }
        self.cover(bytes.len());
        Bytes::from_owner(Sealed { bytes, _receipt: self })
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

impl Loan {
    /// Lends other bytes of the same holder.
    pub fn beside(&self, bytes: Bytes) -> (Bytes, Option<Self>) {
        self.0.budget.lend(bytes)
    }
}

struct Sealed {
    bytes: Bytes,
    _receipt: Receipt,
}

impl AsRef<[u8]> for Sealed {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

struct Owned {
    bytes: Bytes,
    lent: Arc<Lent>,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if self.lent.state.swap(GONE, Ordering::AcqRel) == COUNTS {
            self.lent.budget.give_back(self.lent.bytes);
        }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let Lent { budget, bytes, state } = &*self.0;
        if state.load(Ordering::Acquire) == GONE {
            return;
        }
        budget.held.fetch_add(*bytes, Ordering::Relaxed);
        if state.compare_exchange(STORED, COUNTS, Ordering::AcqRel, Ordering::Acquire).is_err() {
            budget.give_back(*bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(budget: &Budget) -> usize {
        budget.held.load(Ordering::Relaxed)
    }

    fn body(size: usize) -> Bytes {
        vec![0; size].into()
    }

    #[test]
    fn what_is_sealed_counts_until_its_last_piece_is_gone() {
        let budget = Budget::new(1 << 20);
        let mut bytes = budget.charge(7).seal(body(10_000));
        assert_eq!(held(&budget), 10_000);
        let piece = bytes.split_to(1);
        drop(bytes);
        assert_eq!(held(&budget), 10_000);
        drop(piece);
        assert_eq!(held(&budget), 0);
    }

    #[test]
    fn what_is_lent_counts_once_and_only_when_the_store_has_let_it_go() {
        let budget = Budget::new(1 << 20);
        let (stored, loan) = budget.lend(body(10_000));
        let under_way = [stored.clone(), stored.slice(5..6)];
        assert_eq!(held(&budget), 0);
        drop((loan, stored));
        assert_eq!(held(&budget), 10_000);
        drop(under_way);
        assert_eq!(held(&budget), 0);
    }

    #[test]
    fn what_is_lent_to_nobody_never_counts_whichever_is_dropped_first() {
        let budget = Budget::new(1 << 20);
        let (stored, loan) = budget.lend(body(10_000));
        drop(stored);
        drop(loan);
        let (stored, loan) = budget.lend(body(10_000));
        drop(loan);
        drop(stored);
        assert!(budget.lend(body(COUNTED - 1)).1.is_none());
        assert_eq!(held(&budget), 0);
    }

    #[test]
    fn the_last_quarter_is_for_cheap_ones_and_the_largest_is_admitted_when_nothing_is_held() {
        let budget = Budget::new(1 << 20);
        let large = budget.try_charge(5 << 20).unwrap();
        assert!(budget.try_charge(1).is_none());
        drop(large);
        let most = budget.try_charge(3 << 18).unwrap();
        assert!(budget.try_charge(CHEAP + 1).is_none());
        assert!(!budget.has_room(CHEAP + 1, 0) && budget.has_room(CHEAP + 1, 1));
        let cheap: Vec<_> = std::iter::from_fn(|| budget.try_charge(CHEAP)).collect();
        assert_eq!(cheap.len(), 4);
        drop((most, cheap));
        assert_eq!(held(&budget), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn room_is_waited_for_while_some_is_given_back() {
        let budget = Budget::new(CHEAP * 2);
        let first = budget.room(CHEAP * 2).await.unwrap();
        let waiting = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { budget.room(1 << 30).await.is_some() }
        });
        tokio::time::sleep(QUIET / 2).await;
        drop(first);
        assert!(waiting.await.unwrap());
        assert_eq!(held(&budget), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_where_nothing_is_given_back() {
        let budget = Budget::new(CHEAP);
        let all = budget.charge(CHEAP);
        let begun = Instant::now();
        assert!(budget.room(COUNTED).await.is_none());
        assert_eq!(begun.elapsed(), QUIET);
        assert!(budget.room(COUNTED).await.is_none());
        assert!(budget.room(COUNTED - 1).await.is_some(), "never refused");
        assert_eq!(begun.elapsed(), QUIET, "at once");
        drop(all);
        assert!(budget.room(COUNTED).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_comes_with_what_is_given_back_or_not_in_time() {
        let budget = Budget::new(CHEAP);
        let (all, some) = (budget.charge(CHEAP), budget.charge(1));
        assert!(budget.turn(1, Duration::from_secs(30)).await.is_none());
        assert_eq!((budget.portion(1), budget.portion(1 << 30)), (1, CHEAP / 4));
        let turn = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { budget.turn(1, Duration::from_secs(30)).await.is_some() }
        });
        tokio::time::sleep(Duration::from_secs(29)).await;
        drop(some);
        tokio::time::sleep(Duration::from_secs(29)).await;
        drop(all);
        assert!(turn.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_of_unknown_length_reaches_as_far_as_there_is_room() {
        let budget = Budget::new(1 << 20);
        let mut receipt = budget.charge(0);
        assert!(receipt.reach(1 << 19).await && receipt.reach(1 << 18).await && receipt.reach(2 << 20).await);
        assert!(!receipt.leaves_room());
        let other = budget.charge(1 << 20);
        assert!(!receipt.reach((2 << 20) + 1).await, "others take all of it");
        assert_eq!(held(&budget), 3 << 20);
        drop(other);
        receipt.cover(10);
        assert_eq!(held(&budget), 10);
        drop(receipt);
        assert_eq!(held(&budget), 0);
    }
}
