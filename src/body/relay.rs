//! A body that one task reads ahead and keeps, while its receiver takes it at its own pace; and who waits for a fill, as
//! that receiver does. Held once, in one piece, so that it costs what it is long, in however small pieces it comes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::sync::Notify;

use super::error::BodyError;
use super::timed::Timed;
use crate::budget::{Budget, Receipt};

/// The most that a receiver is given at once, in bytes, while more is coming.
const SLICE: usize = 64 << 10;

/// The reading task's side. Dropped before one of its ends is told, it cuts the receiver's connection.
#[derive(Debug)]
pub struct Relaying(Arc<Mutex<State>>);

/// The receiver's side.
#[derive(Debug)]
pub(super) struct Relayed {
    state: Arc<Mutex<State>>,
    /// How much of it was taken.
    taken: usize,
    /// Who takes it waits for the fill that it comes from.
    _waiter: Waiter,
}

#[derive(Debug)]
struct State {
    read: Read,
    end: Option<End>,
    waker: Option<Waker>,
    /// What was read counts among the answers under way: of the process, once the task has read it, and of the receiver's
    /// connection.
    receipt: Option<Receipt>,
    share: Option<Receipt>,
}

#[derive(Debug)]
enum Read {
    Growing(Vec<u8>),
    Whole(Bytes),
}

/// What comes after what was read.
#[derive(Debug)]
pub(super) enum End {
    /// Nothing: the body is whole.
    Whole,
    /// The rest, to be read by the receiver itself.
    Rest(Box<Timed>),
    /// It broke off.
    Failed(BodyError),
}

pub(super) fn relay(waiter: Waiter) -> (Relaying, Relayed) {
    let state = State { read: Read::Growing(Vec::new()), end: None, waker: None, receipt: None, share: None };
    let state = Arc::new(Mutex::new(state));
    (Relaying(Arc::clone(&state)), Relayed { state, taken: 0, _waiter: waiter })
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Relaying {
    /// Hands a piece on.
    pub fn push(&self, piece: &[u8]) {
        let mut state = locked(&self.0);
        let State { read, share, .. } = &mut *state;
        if let Read::Growing(read) = read {
            read.extend_from_slice(piece);
            if let Some(share) = share {
                share.cover_portion(read.len());
            }
        }
        wake(state);
    }

    /// All that was read, to be kept; no more comes. The receiver waits for [`Relaying::end`].
    pub fn whole(&self) -> Bytes {
        let mut state = locked(&self.0);
        let bytes = match &mut state.read {
            Read::Growing(read) => Bytes::from(std::mem::take(read)),
            Read::Whole(bytes) => bytes.clone(),
        };
        state.read = Read::Whole(bytes.clone());
        bytes
    }

    /// The body is whole. The receiver has the rest of it from where it is kept, if it is; else what was read counts until it
    /// has taken that.
    pub fn end(self, kept: Option<&Bytes>, receipt: Receipt) {
        let mut state = locked(&self.0);
        match kept {
            Some(kept) => state.read = Read::Whole(kept.clone()),
            None => state.receipt = Some(receipt),
        }
        drop(state);
        self.tell(End::Whole);
    }

    /// The rest is the receiver's own to read. What was read for it counts until it has taken that.
    pub fn rest(self, rest: Timed, receipt: Receipt) {
        locked(&self.0).receipt = Some(receipt);
        self.tell(End::Rest(Box::new(rest.of_client())));
    }

    /// It broke off.
    pub fn fail(self, error: BodyError, receipt: Receipt) {
        locked(&self.0).receipt = Some(receipt);
        self.tell(End::Failed(error));
    }

    fn tell(&self, end: End) {
        let mut state = locked(&self.0);
        if state.end.is_none() {
            state.end = Some(end);
        }
        wake(state);
    }
}

fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Drop for Relaying {
    fn drop(&mut self) {
        self.tell(End::Failed(BodyError::Broken("the fetch was given up".to_owned())));
    }
}

impl Relayed {
    /// What is read for it counts in this share from now on.
    pub(super) fn counts_for(&self, share: &Arc<Budget>) {
        let mut state = locked(&self.state);
        let read = match &state.read {
            Read::Growing(read) => read.len(),
            Read::Whole(bytes) => bytes.len(),
        };
        state.share = Some(share.charge(share.portion(read)));
    }

    /// The next piece; or, once all was taken and only once, what comes after it.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, End>> {
        let mut state = locked(&self.state);
        let piece = match &state.read {
            Read::Growing(read) => {
                let rest = read.get(self.taken..).unwrap_or_default();
                Bytes::copy_from_slice(rest.get(..SLICE).unwrap_or(rest))
            }
            Read::Whole(bytes) => bytes.slice(self.taken.min(bytes.len())..),
        };
        self.taken += piece.len();
        if !piece.is_empty() {
            return Poll::Ready(Ok(piece));
        }
        if let Some(end) = state.end.take() {
            state.read = Read::Whole(Bytes::new());
            (state.receipt, state.share) = (None, None);
            return Poll::Ready(Err(end));
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn relay() -> (Relaying, Relayed) {
        super::relay(Arc::new(Waiters::default()).join())
    }

    fn context() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    fn next(relayed: &mut Relayed) -> Option<String> {
        match relayed.poll(&mut context()) {
            Poll::Ready(Ok(piece)) => Some(String::from_utf8(piece.to_vec()).unwrap()),
            Poll::Ready(Err(End::Whole)) => Some("whole".to_owned()),
            Poll::Ready(Err(End::Failed(error))) => Some(error.to_string()),
            Poll::Ready(Err(End::Rest(_))) => unreachable!(),
            Poll::Pending => None,
        }
    }

    #[test]
    fn what_is_read_is_handed_on_at_once_and_the_end_only_when_told() {
        let (relaying, mut relayed) = relay();
        assert_eq!(next(&mut relayed), None);
        relaying.push(b"a");
        assert_eq!(next(&mut relayed).as_deref(), Some("a"));
        assert_eq!(next(&mut relayed), None);
        relaying.push(b"b");
        relaying.push(b"c");
        assert_eq!(relaying.whole(), "abc");
        assert_eq!(next(&mut relayed).as_deref(), Some("bc"));
        assert_eq!(next(&mut relayed), None);
        relaying.end(Some(&Bytes::from_static(b"abc")), Budget::new(1).charge(1));
        assert_eq!(next(&mut relayed).as_deref(), Some("whole"));
    }

    #[test]
    fn a_task_that_goes_away_cuts_it() {
        let (relaying, mut relayed) = relay();
        relaying.push(b"a");
        drop(relaying);
        assert_eq!(next(&mut relayed).as_deref(), Some("a"));
        assert!(next(&mut relayed).unwrap().contains("given up"));
    }

    #[test]
    fn many_small_pieces_cost_what_they_are_long() {
        let (relaying, mut relayed) = relay();
        for _ in 0..1_000_000 {
            relaying.push(b"x");
        }
        assert!(matches!(&locked(&relaying.0).read, Read::Growing(read) if read.capacity() <= 2 << 20));
        drop(relaying);
        assert_eq!(next(&mut relayed).unwrap().len(), SLICE);
    }
}
