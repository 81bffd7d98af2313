//! Permits for the requests under way to the origin. Where none is free, a fill that nobody waits for gives its own up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::error::OriginError;
use crate::body::Waiters;

/// All permits.
#[derive(Debug)]
pub(super) struct Permits {
    free: Arc<Semaphore>,
    /// How many there are, and how many more are out than there should be: these are not given back.
    counts: Mutex<Counts>,
    fills: Mutex<Fills>,
    /// Told whenever a fill under way is abandoned: one of those who wait for a permit looks again.
    abandoned: Arc<Notify>,
}

#[derive(Debug)]
struct Counts {
    all: usize,
    excess: usize,
}

/// The fills under way, those that a client asked for first, the oldest before the others.
#[derive(Debug, Default)]
struct Fills {
    begun: FillId,
    under_way: BTreeMap<FillId, Arc<Waiters>>,
    /// Those that were asked to end and still have their permits: as many as there are requests in the queue is enough.
    ending: BTreeSet<FillId>,
    queued: usize,
}

/// A fill's number among all that were ever begun; beyond all others where it was begun for no client.
type FillId = u64;

const FOR_NO_CLIENT: FillId = 1 << 63;

/// One request's permit, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    counted: Option<OwnedSemaphorePermit>,
    permits: Arc<Permits>,
    fill: Option<FillId>,
}

impl Permits {
    pub(super) fn new(count: usize) -> Self {
        let all = count.min(Semaphore::MAX_PERMITS);
        let (free, counts) = (Arc::new(Semaphore::new(all)), Mutex::new(Counts { all, excess: 0 }));
        Self { free, counts, fills: Mutex::default(), abandoned: Arc::default() }
    }

    /// Makes them so many. Those that are out stay out; where there are too many of them, some are not given back.
    pub(super) fn resize(&self, count: usize) {
        let mut counts = self.counts();
        let wanted = count.min(Semaphore::MAX_PERMITS);
        if wanted < counts.all {
            let surplus = counts.all - wanted;
            counts.excess += surplus - self.free.forget_permits(surplus);
        } else {
            let more = wanted - counts.all;
            let kept = more.min(counts.excess);
            counts.excess -= kept;
            self.free.add_permits(more - kept);
        }
        counts.all = wanted;
    }

    /// Gives one back, or not.
    fn give_back(&self, permit: OwnedSemaphorePermit) {
        let mut counts = self.counts();
        if counts.excess > 0 {
            counts.excess -= 1;
            permit.forget();
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A permit, as soon as there is one. [`OriginError::Busy`] after `patience`, and for a fill that nobody waits for by
    /// the time that it would have one.
    ///
    /// While a fill has its permit, its end may be asked for by [`Waiters::gave_up`].
    pub(super) async fn take(
        self: &Arc<Self>,
        waiters: Option<&Arc<Waiters>>,
        patience: Duration,
    ) -> Result<Permit, OriginError> {
        let permit = if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            permit
        } else {
            let permit = timeout(patience, self.wait()).await.ok().flatten().ok_or(OriginError::Busy)?;
            // Others wait, too.
            if waiters.is_some_and(|waiters| waiters.are_none()) {
                return Err(OriginError::Busy);
            }
            permit
        };
        let fill = waiters.map(|waiters| self.begin(waiters));
        Ok(Permit { counted: Some(permit), permits: Arc::clone(self), fill })
    }

    /// How many are not taken.
    pub(super) fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// Waits in the queue, while abandoned fills make room.
    async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        let _counted = Queued::among(self);
        let queued = Arc::clone(&self.free).acquire_owned();
        tokio::pin!(queued);
        loop {
            // In the queue first: else who comes later could take the permit that is given up.
            tokio::select! {
                biased;
                permit = &mut queued => return permit.ok(),
                () = self.give_one_up() => {}
            }
        }
    }

    /// Ends the oldest abandoned fill; one that was begun for no client only where there is no other. Returns when
    /// another look is worth it.
    async fn give_one_up(&self) {
        self.end_one();
        self.abandoned.notified().await;
    }

    fn end_one(&self) {
        let mut fills = self.locked();
        if fills.ending.len() >= fills.queued {
            return;
        }
        let abandoned = fills.under_way.iter().find(|(_, waiters)| waiters.are_none()).map(|(id, _)| *id);
        if let Some(id) = abandoned
            && let Some(waiters) = fills.under_way.remove(&id)
        {
            tracing::debug!("a fill that nobody waits for gives up its permit at the origin");
            fills.ending.insert(id);
            waiters.give_up();
        }
    }

    fn begin(&self, waiters: &Arc<Waiters>) -> FillId {
        waiters.say_abandoned_to(&self.abandoned);
        let mut fills = self.locked();
        fills.begun += 1;
        let id = fills.begun + if waiters.are_none() { FOR_NO_CLIENT } else { 0 };
        fills.under_way.insert(id, Arc::clone(waiters));
        drop(fills);
        // Whoever left just before could not say so.
        if waiters.are_none() {
            self.abandoned.notify_one();
        }
        id
    }

    fn locked(&self) -> MutexGuard<'_, Fills> {
        self.fills.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in the queue, counted until it is dropped.
struct Queued<'a>(&'a Permits);

impl<'a> Queued<'a> {
    fn among(permits: &'a Permits) -> Self {
        permits.locked().queued += 1;
        Self(permits)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.locked().queued -= 1;
    }
}

impl Permit {
    /// It is a client's own from now on, who gives it up by leaving.
    pub(super) fn belongs_to_client(&mut self) {
        if let Some(id) = self.fill.take() {
            let mut fills = self.permits.locked();
            fills.under_way.remove(&id);
            fills.ending.remove(&id);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.belongs_to_client();
        if let Some(permit) = self.counted.take() {
            self.permits.give_back(permit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn fill() -> Arc<Waiters> {
        Arc::default()
    }

    /// Runs until it is asked to end, holding its permit.
    fn run(permit: Permit, waiters: &Arc<Waiters>) -> tokio::task::JoinHandle<()> {
        let waiters = Arc::clone(waiters);
        tokio::spawn(async move {
            waiters.gave_up().await;
            drop(permit);
        })
    }

    #[tokio::test]
    async fn they_become_more_at_once_and_fewer_as_they_are_given_back() {
        let permits = Arc::new(Permits::new(2));
        let take = || permits.take(None, Duration::from_millis(1));
        let (first, second) = (take().await.unwrap(), take().await.unwrap());
        permits.resize(1);
        drop(first);
        assert!(matches!(take().await, Err(OriginError::Busy)), "one is out, and there is but one");
        drop(second);
        let only = take().await.unwrap();
        assert!(take().await.is_err());
        permits.resize(0);
        permits.resize(3);
        let more = (take().await.unwrap(), take().await.unwrap());
        assert!(take().await.is_err());
        drop((only, more));
        assert_eq!(permits.free.available_permits(), 3);
    }

    #[tokio::test]
    async fn the_oldest_abandoned_fill_makes_room_and_one_for_no_client_last() {
        let permits = Arc::new(Permits::new(4));
        let (refresh, older, wanted, newer) = (fill(), fill(), fill(), fill());
        let mut running = vec![run(permits.take(Some(&refresh), LONG).await.unwrap(), &refresh)];
        let waiter = wanted.join();
        for waiters in [&older, &wanted, &newer] {
            let client = waiters.join();
            running.push(run(permits.take(Some(waiters), LONG).await.unwrap(), waiters));
            drop(client);
        }
        let mut held = Vec::new();
        for (count, ended) in [1, 3, 0].into_iter().enumerate() {
            held.push(permits.take(None, LONG).await.unwrap());
            (&mut running[ended]).await.unwrap();
            assert_eq!(running.iter().filter(|fill| fill.is_finished()).count(), count + 1);
        }
        assert!(!running[2].is_finished(), "somebody waits for this one");
        drop(waiter);
        permits.take(None, LONG).await.unwrap();
    }

    #[tokio::test]
    async fn one_that_is_abandoned_while_somebody_waits_for_a_permit_makes_room_at_once() {
        let permits = Arc::new(Permits::new(1));
        let waiters = fill();
        let client = waiters.join();
        let running = run(permits.take(Some(&waiters), LONG).await.unwrap(), &waiters);
        let waiting = {
            let permits = Arc::clone(&permits);
            tokio::spawn(async move { permits.take(None, LONG).await.map(drop) })
        };
        tokio::task::yield_now().await;
        drop(client);
        waiting.await.unwrap().unwrap();
        running.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_shortage_nothing_is_given_up_and_what_is_waited_for_never() {
        let permits = Arc::new(Permits::new(2));
        let (abandoned, wanted) = (fill(), fill());
        let client = wanted.join();
        let first = run(permits.take(Some(&abandoned), LONG).await.unwrap(), &abandoned);
        let second = permits.take(Some(&wanted), LONG).await.unwrap();
        tokio::task::yield_now().await;
        assert!(!first.is_finished());
        permits.take(None, LONG).await.unwrap();
        let third = permits.take(None, LONG).await.unwrap();
        assert!(matches!(permits.take(None, Duration::from_secs(1)).await, Err(OriginError::Busy)));
        drop((client, second, third));
    }

    #[tokio::test]
    async fn a_fill_that_is_abandoned_in_the_queue_lets_the_next_one_go_first() {
        let permits = Arc::new(Permits::new(1));
        let held = permits.take(None, LONG).await.unwrap();
        let queued: Vec<_> = (0..3)
            .map(|number| {
                let (permits, waiters) = (Arc::clone(&permits), fill());
                let client = (number == 2).then(|| waiters.join());
                tokio::spawn(async move {
                    let permit = permits.take(Some(&waiters), LONG).await;
                    drop(client);
                    permit.is_ok()
                })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(held);
        let mut placed = Vec::new();
        for waiting in queued {
            placed.push(waiting.await.unwrap());
        }
        assert_eq!(placed, [false, false, true]);
        assert!(permits.locked().under_way.is_empty());
    }
}
