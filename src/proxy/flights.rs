//! Collapsed forwarding (RFC 9211 section 2.2): one fetch a key and node, however many ask.
//!
//! A follower takes the leader's answer only if it was stored, and only if the follower joined before the store was
//! asked to put it: the store's own check then vouches that no write came between the leader's token and a moment
//! after the follower's start. Whoever joins later looks the entry up again. A leader that goes away wakes everyone.
//!
//! Nobody waits for long: see [`Patience`] for a head that does not come, and [`MOMENT`] for a
//! body that does not end. A key that was not worth the wait is remembered (hit-for-miss): whoever asks next does not wait.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use quick_cache::sync::Cache;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::body::{Waiter, Waiters};
use crate::origin::OriginError;
use crate::rules::CacheKey;
use crate::store::StoredResponse;

/// How a fetch ended, for those who waited.
#[derive(Clone, Debug)]
pub(super) enum Landing {
    /// The answer is stored and may be shared; and the status that the origin gave for it.
    Stored(Arc<StoredResponse>, StatusCode),
    /// The answer is not for others: each fetches its own, at once.
    HitForMiss,
    /// The same, for its body is still coming a moment after its head.
    StillComing,
    /// The origin gave no answer: nobody needs to ask it again right now.
    Failed(OriginError),
    /// The origin answered that it is in trouble, and something stale stood in.
    Trouble(StatusCode),
    /// A write overtook the fetch, or the leader went away: look again.
    Again,
}

impl Landing {
    /// The same, where the origin gave this status for it.
    pub(super) fn with_status(self, status: StatusCode) -> Self {
        match self {
            Self::Stored(entry, _) => Self::Stored(entry, status),
            other => other,
        }
    }
}

#[derive(Clone, Debug)]
enum Progress {
    Fetching,
    /// Its head is there, and may be stored.
    Begun,
    Storing,
    Landed(Landing),
}

/// The fetches under way on this node.
#[derive(Debug)]
pub(super) struct Flights {
    hasher: RandomState,
    shards: Vec<Shard>,
    max_waiters: usize,
    /// Keys whose last answer could not be shared: asking for them side by side, without waiting for each other.
    hit_for_miss: Cache<u64, ()>,
}

#[derive(Debug, Default)]
struct Shard {
    flights: Mutex<UnderWay>,
    /// How many fetches of this shard's keys have landed. Raised under the lock, and read before a lookup without it.
    landed: AtomicU64,
}

type UnderWay = HashMap<CacheKey, Arc<Flight>>;

#[derive(Debug)]
struct Flight {
    progress: watch::Sender<Progress>,
    begun: Instant,
    /// How many follow it now, and how many ever did.
    followers: AtomicUsize,
    followed: AtomicUsize,
    /// Those, and its own client.
    waiters: Arc<Waiters>,
}

/// What a request that missed is to do.
pub(super) enum Join {
    /// Fetch, and tell the others.
    Lead(Leader),
    /// Wait for the one who fetches.
    Follow(Follower),
    /// A fetch landed since the lookup: look again.
    LookAgain,
    /// Fetch alone: the key's answers cannot be shared.
    Alone,
    /// Fetch as well: too many wait already.
    Crowded,
}

const SHARDS: usize = 64;
const REMEMBERED: usize = 4096;

impl Flights {
    pub(super) fn new(max_waiters: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        Self { hasher: RandomState::new(), shards, max_waiters, hit_for_miss: Cache::new(REMEMBERED) }
    }

    /// To be read before the lookup that misses, and given to [`Flights::join`] after it. A hit has no need of it: who looks
    /// into memory first may read this on a miss, and look again.
    ///
    /// Takes no lock. A fetch that is counted here has been stored before, so the lookup finds it; one that lands later is
    /// counted before `join` gets the lock, and noticed there.
    pub(super) fn landed(&self, key: &CacheKey) -> u64 {
        self.shard(self.hash(key)).landed()
    }

    /// Leads a fetch of this key, or follows the one under way. `landed` tells whether one ended since the lookup.
    pub(super) fn join(self: &Arc<Self>, key: &CacheKey, landed: u64) -> Join {
        let hash = self.hash(key);
        let shard = self.shard(hash);
        let mut flights = shard.lock();
        if let Some(flight) = flights.get(key) {
            return self.follow(flight);
        }
        if shard.landed() != landed {
            return Join::LookAgain;
        }
        if self.hit_for_miss.get(&hash).is_some() {
            return Join::Alone;
        }
        Join::Lead(self.begin(key, &mut flights))
    }

    /// Leads a fetch of this key for nobody who waits; `None` while another is under way or has ended since the lookup.
    ///
    /// Also where the answers cannot be shared: each client has a stale one, and one fetch at a time is enough.
    pub(super) fn lead(self: &Arc<Self>, key: &CacheKey, landed: u64) -> Option<Leader> {
        let shard = self.shard(self.hash(key));
        let mut flights = shard.lock();
        let free = shard.landed() == landed && !flights.contains_key(key);
        free.then(|| self.begin(key, &mut flights))
    }

    fn begin(self: &Arc<Self>, key: &CacheKey, flights: &mut UnderWay) -> Leader {
        let flight = Arc::new(Flight {
            progress: watch::Sender::new(Progress::Fetching),
            begun: Instant::now(),
            followers: AtomicUsize::new(0),
            followed: AtomicUsize::new(0),
            waiters: Arc::default(),
        });
        flights.insert(key.clone(), Arc::clone(&flight));
        Leader { flights: Arc::clone(self), key: key.clone(), flight, landed: false }
    }

    fn follow(&self, flight: &Arc<Flight>) -> Join {
        if flight.followers.fetch_add(1, Ordering::Relaxed) >= self.max_waiters {
            flight.followers.fetch_sub(1, Ordering::Relaxed);
            return Join::Crowded;
        }
        let number = flight.followed.fetch_add(1, Ordering::Relaxed) + 1;
        let progress = flight.progress.subscribe();
        let early = matches!(*progress.borrow(), Progress::Fetching | Progress::Begun);
        Join::Follow(Follower { progress, early, number, _waiter: flight.waiters.join(), flight: Arc::clone(flight) })
    }

    fn land(&self, key: &CacheKey, landing: Landing, flight: &Arc<Flight>) {
        let hash = self.hash(key);
        match landing {
            Landing::HitForMiss | Landing::StillComing => self.hit_for_miss.insert(hash, ()),
            Landing::Stored(..) => {
                self.hit_for_miss.remove(&hash);
            }
            Landing::Failed(_) | Landing::Trouble(_) | Landing::Again => {}
        }
        let shard = self.shard(hash);
        let mut flights = shard.lock();
        if flights.get(key).is_some_and(|under_way| Arc::ptr_eq(under_way, flight)) {
            flights.remove(key);
        }
        shard.count_landing();
        drop(flights);
        flight.progress.send_replace(Progress::Landed(landing));
    }

    /// To be called when the answer of a fetch that nobody followed was stored: others may wait for the next one, and
    /// who waits for another fetch of this key finds it.
    pub(super) fn stored(&self, key: &CacheKey) {
        let hash = self.hash(key);
        self.hit_for_miss.remove(&hash);
        let shard = self.shard(hash);
        let mut flights = shard.lock();
        let Some(flight) = flights.remove(key) else { return };
        shard.count_landing();
        drop(flights);
        flight.progress.send_replace(Progress::Landed(Landing::Again));
    }

    fn hash(&self, key: &CacheKey) -> u64 {
        self.hasher.hash_one(key)
    }

    fn shard(&self, hash: u64) -> &Shard {
        let index = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        #[allow(clippy::indexing_slicing, reason = "the index is taken modulo the number of shards")]
        &self.shards[index]
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn landed(&self) -> u64 {
        self.landed.load(Ordering::Acquire)
    }

    /// To be called with the lock held, after the flight was taken out.
    fn count_landing(&self) {
        self.landed.fetch_add(1, Ordering::Release);
    }
}

/// The one who fetches. Dropped without landing, it sends everyone to look again.
pub(super) struct Leader {
    flights: Arc<Flights>,
    key: CacheKey,
    flight: Arc<Flight>,
    landed: bool,
}

impl Leader {
    /// Who waits for this fetch; its own client is to join.
    pub(super) fn waiters(&self) -> Arc<Waiters> {
        Arc::clone(&self.flight.waiters)
    }

    /// To be called when the answer's head is there and may be stored: whoever waits does so until it lands.
    pub(super) fn begun(&self) {
        self.flight.progress.send_replace(Progress::Begun);
    }

    /// To be called right before the store is asked to put the answer: whoever joins from now on looks again.
    pub(super) fn storing(&self) {
        self.flight.progress.send_replace(Progress::Storing);
    }

    /// Ends the flight.
    pub(super) fn land(mut self, landing: Landing) {
        self.landed = true;
        self.flights.land(&self.key, landing, &self.flight);
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if !self.landed {
            self.flights.land(&self.key, Landing::Again, &self.flight);
        }
    }
}

/// One who waits.
pub(super) struct Follower {
    progress: watch::Receiver<Progress>,
    early: bool,
    /// How many followed before it, and itself.
    number: usize,
    flight: Arc<Flight>,
    _waiter: Waiter,
}

impl Follower {
    /// Waits for the flight to land; `None` where no head has come by the end of its patience. Dropping the future only
    /// stops the waiting.
    pub(super) async fn landing(&mut self, patience: Patience) -> Option<Landing> {
        let end = self.flight.begun + patience.of(self.number);
        let has_begun = self.progress.wait_for(|progress| !matches!(progress, Progress::Fetching));
        timeout_at(end, has_begun).await.ok()?.ok();
        Some(self.landed().await)
    }

    /// The same, however long it takes.
    pub(super) async fn landed(&mut self) -> Landing {
        let landed = self.progress.wait_for(|progress| matches!(progress, Progress::Landed(_))).await;
        match landed.as_deref() {
            Ok(Progress::Landed(Landing::Stored(..))) if !self.early => Landing::Again,
            Ok(Progress::Landed(landing)) => landing.clone(),
            Ok(_) | Err(_) => Landing::Again,
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.flight.followers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long after its head a body is waited for: by those who follow its fetch, and by its own client where more can be
/// made of an answer that is whole. What is not there by then may be a stream, whatever its type says.
///
/// An answer that an API has made comes along with its head, or a few milliseconds later; who reads a stream notices a
/// delay of more than half a second, of which the origin needs a part as well.
pub(super) const MOMENT: Duration = Duration::from_millis(250);

/// The same for who has waited a moment for somebody else's in vain: enough for a body that comes along with its head.
pub(super) const SHORT_MOMENT: Duration = Duration::from_millis(25);

/// How long a follower waits for the head of the answer that was fetched before: the first few until `first` is over, and
/// each `step` later as many more as are at the origin by then. So an origin that is merely slow is not run down, and one
/// that answers each client by itself, as a long poll does, has them all soon.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    first: Duration,
    step: Duration,
    /// How many go to the origin first, besides as many that waited for nobody.
    few: usize,
}

/// Where nobody knows yet whether the answer is for all. Longer than most answers take; a long poll takes longer.
pub(super) const UNSURE: Patience =
    Patience { first: Duration::from_millis(750), step: Duration::from_millis(500), few: 8 };

/// Where a route says that it is, or an answer was stored before: then more requests would make a slow origin slower. One
/// more every now and then finds the way past a connection that hangs.
pub(super) const SURE: Patience = Patience { first: Duration::from_secs(5), step: Duration::from_secs(5), few: 1 };

impl Patience {
    /// How long after the fetch began the follower with this number waits; the first one is 1.
    pub(super) fn of(self, number: usize) -> Duration {
        self.first + self.step * (number / self.few).max(1).ilog2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> CacheKey {
        CacheKey::new("r", 0, name)
    }

    fn lead(flights: &Arc<Flights>, key: &CacheKey) -> Leader {
        match flights.join(key, flights.landed(key)) {
            Join::Lead(leader) => leader,
            _ => panic!("nobody leads yet"),
        }
    }

    fn follow(flights: &Arc<Flights>, key: &CacheKey) -> Follower {
        match flights.join(key, flights.landed(key)) {
            Join::Follow(follower) => follower,
            _ => panic!("somebody leads"),
        }
    }

    #[tokio::test]
    async fn a_leader_that_goes_away_wakes_its_followers() {
        let flights = Arc::new(Flights::new(8));
        let leader = lead(&flights, &key("a"));
        let mut follower = follow(&flights, &key("a"));
        drop(leader);
        assert!(matches!(follower.landed().await, Landing::Again));
        drop(lead(&flights, &key("a")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_come_is_waited_for_with_patience() {
        for patience in [UNSURE, SURE] {
            let flights = Arc::new(Flights::new(8));
            let leader = lead(&flights, &key("a"));
            let [mut first, mut second] = [follow(&flights, &key("a")), follow(&flights, &key("a"))];
            let begun = Instant::now();
            assert!(first.landing(patience).await.is_none());
            assert_eq!(begun.elapsed(), patience.of(1));
            // With the head there it is a matter of a moment, which the leader counts.
            leader.begun();
            let second = tokio::spawn(async move { second.landing(patience).await });
            tokio::time::sleep(patience.of(1000)).await;
            leader.land(Landing::StillComing);
            assert!(matches!(second.await.unwrap(), Some(Landing::StillComing)));
            // Who lost patience hears of it, too.
            assert!(matches!(first.landed().await, Landing::StillComing));
        }
    }

    #[tokio::test]
    async fn an_answer_that_comes_another_way_is_looked_for_by_all_who_wait() {
        let flights = Arc::new(Flights::new(8));
        let leader = lead(&flights, &key("a"));
        let before = flights.landed(&key("a"));
        let mut follower = follow(&flights, &key("a"));
        flights.stored(&key("a"));
        assert!(matches!(follower.landed().await, Landing::Again));
        assert!(matches!(flights.join(&key("a"), before), Join::LookAgain));
        let next = lead(&flights, &key("a"));
        leader.land(Landing::Again);
        drop(follow(&flights, &key("a")));
        drop(next);
    }

    #[tokio::test]
    async fn a_lookup_older_than_a_landing_is_done_again() {
        let flights = Arc::new(Flights::new(8));
        let before = flights.landed(&key("a"));
        lead(&flights, &key("a")).land(Landing::Again);
        assert!(matches!(flights.join(&key("a"), before), Join::LookAgain));
    }

    #[tokio::test]
    async fn waiters_are_bounded() {
        let flights = Arc::new(Flights::new(1));
        let _leader = lead(&flights, &key("a"));
        let first = follow(&flights, &key("a"));
        assert!(matches!(flights.join(&key("a"), 0), Join::Crowded));
        drop(first);
        follow(&flights, &key("a"));
    }

    #[tokio::test]
    async fn a_key_that_cannot_be_shared_is_not_waited_for_twice() {
        let flights = Arc::new(Flights::new(8));
        lead(&flights, &key("a")).land(Landing::HitForMiss);
        assert!(matches!(flights.join(&key("a"), flights.landed(&key("a"))), Join::Alone));
    }

    #[test]
    fn behind_stale_answers_one_fetches_at_a_time_whether_they_can_be_shared_or_not() {
        let flights = Arc::new(Flights::new(0));
        lead(&flights, &key("a")).land(Landing::HitForMiss);
        let landed = flights.landed(&key("a"));
        let leader = flights.lead(&key("a"), landed).unwrap();
        assert!(flights.lead(&key("a"), landed).is_none());
        leader.land(Landing::HitForMiss);
        assert!(flights.lead(&key("a"), landed).is_none(), "one ended since the lookup");
        assert!(flights.lead(&key("a"), flights.landed(&key("a"))).is_some());
    }

    /// How many of a thousand are at the origin after so many milliseconds, the first of all among them.
    fn at_the_origin(patience: Patience, millis: u64) -> usize {
        1 + (1..1000).filter(|number| patience.of(*number) <= Duration::from_millis(millis)).count()
    }

    #[test]
    fn twice_as_many_with_every_step() {
        for (patience, figures) in [
            (UNSURE, [(749, 1), (750, 16), (1_250, 32), (2_000, 64), (3_000, 256), (3_750, 1000)]),
            (SURE, [(4_999, 1), (5_000, 2), (10_000, 4), (15_000, 8), (29_999, 32), (30_000, 64)]),
        ] {
            for (millis, count) in figures {
                assert_eq!(at_the_origin(patience, millis), count, "{patience:?} after {millis} ms");
            }
        }
    }
}
