//! Collapsed forwarding (RFC 9211 section 2.2): one fetch a key and node, however many ask.
//!
//! # Who may take the leader's answer
//!
//! It has to be no older than any write that was answered before the follower's own request began. There are two grounds for
//! that, and without one of them a follower looks again.
//!
//! - **It was asked for after the follower had arrived.** Whatever had been answered by then the origin had carried out by
//!   then. This takes no word of the store's. A follower keeps the time of its arrival when it looks again, so of those who
//!   waited in vain for one answer one leads, and all the others may take the next.
//! - **The store has put it, and vouches.** A put is refused where a write that the store knows of came after the leader's
//!   token. What was answered before the follower arrived the store knows of, unless another node answered without having
//!   told it; and whether that may be so it says, [`Store::vouches`](crate::store::Store::vouches). That is asked after the
//!   last follower of this kind has joined ([`Leader::storing`]) and before the put: what was answered before any of them
//!   arrived is then known when the put is checked. Asked after the put it would prove less: a node that was silent may have
//!   told the store of its write in between.
//!
//! Whoever joins while the answer is put looks the entry up again. A leader that goes away wakes everyone.
//!
//! Nobody waits for long: see [`Patience`] for a head that does not come, and [`MOMENT`](super::patience::MOMENT) for a body
//! that does not end. A key that was not worth the wait is remembered (hit-for-miss): whoever asks next does not wait.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::sync::Cache;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::landing::Landing;
use super::patience::Patience;
use crate::body::{Waiter, Waiters};
use crate::rules::CacheKey;

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
    pub(super) max_waiters: AtomicUsize,
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
    request: Request,
    /// How many follow it now, and how many ever did.
    followers: AtomicUsize,
    followed: AtomicUsize,
    /// Those, and its own client.
    waiters: Arc<Waiters>,
}

/// Whether a flight's request is sent when the flight begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Not yet.
    Ahead,
    /// It was sent before, and its answer turned out to be for others.
    Sent,
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
        let max_waiters = AtomicUsize::new(max_waiters);
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

    /// Leads a fetch of this key, or follows the one under way. `landed` tells whether one ended since the lookup, `arrived`
    /// since when its client has been waiting at the least.
    pub(super) fn join(self: &Arc<Self>, key: &CacheKey, landed: u64, arrived: Instant) -> Join {
        let hash = self.hash(key);
        let shard = self.shard(hash);
        let mut flights = shard.lock();
        if let Some(flight) = flights.get(key) {
            return self.follow(flight, arrived);
        }
        if shard.landed() != landed {
            return Join::LookAgain;
        }
        if self.hit_for_miss.get(&hash).is_some() {
            return Join::Alone;
        }
        Join::Lead(self.begin(key, &mut flights, Request::Ahead))
    }

    /// Whether a fetch of this key is under way.
    pub(super) fn has(&self, key: &CacheKey) -> bool {
        self.shard(self.hash(key)).lock().contains_key(key)
    }

    /// Leads a fetch of this key for nobody who waits; `None` while another is under way or has ended since the lookup.
    ///
    /// Also where the answers cannot be shared: each client has a stale one, and one fetch at a time is enough.
    pub(super) fn lead(self: &Arc<Self>, key: &CacheKey, landed: u64, request: Request) -> Option<Leader> {
        let shard = self.shard(self.hash(key));
        let mut flights = shard.lock();
        let free = shard.landed() == landed && !flights.contains_key(key);
        free.then(|| self.begin(key, &mut flights, request))
    }

    fn begin(self: &Arc<Self>, key: &CacheKey, flights: &mut UnderWay, request: Request) -> Leader {
        let flight = Arc::new(Flight {
            progress: watch::Sender::new(Progress::Fetching),
            begun: Instant::now(),
            request,
            followers: AtomicUsize::new(0),
            followed: AtomicUsize::new(0),
            waiters: Arc::default(),
        });
        flights.insert(key.clone(), Arc::clone(&flight));
        Leader { flights: Arc::clone(self), key: key.clone(), flight, landed: false }
    }

    fn follow(&self, flight: &Arc<Flight>, arrived: Instant) -> Join {
        if flight.followers.fetch_add(1, Ordering::Relaxed) >= self.max_waiters.load(Ordering::Relaxed) {
            flight.followers.fetch_sub(1, Ordering::Relaxed);
            return Join::Crowded;
        }
        let number = flight.followed.fetch_add(1, Ordering::Relaxed) + 1;
        let progress = flight.progress.subscribe();
        let early = matches!(*progress.borrow(), Progress::Fetching | Progress::Begun);
        let before = flight.request == Request::Ahead && arrived < flight.begun;
        let flight = Arc::clone(flight);
        Join::Follow(Follower { progress, early, before, number, _waiter: flight.waiters.join(), flight })
    }

    fn land(&self, key: &CacheKey, landing: Landing, flight: &Arc<Flight>) {
        let hash = self.hash(key);
        match landing {
            Landing::HitForMiss | Landing::StillComing => self.hit_for_miss.insert(hash, ()),
            Landing::Stored { .. } => {
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

    /// To be called right before the store is asked whether it vouches, and then to put the answer: whoever joins from now on
    /// looks again.
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
    /// It joined before the answer was put.
    early: bool,
    /// It was there before the answer was asked for.
    before: bool,
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
            Ok(Progress::Landed(Landing::Stored { vouched, .. })) if !(self.before || (self.early && *vouched)) => {
                Landing::Again
            }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;

    use super::super::patience::{SURE, UNSURE};
    use super::*;
    use crate::policy::{Lifetime, LifetimeSource, StoredFlags};
    use crate::store::{Kind, StoredResponse, Token};

    fn key(name: &str) -> CacheKey {
        CacheKey::new("r", 0, name)
    }

    fn lead(flights: &Arc<Flights>, key: &CacheKey) -> Leader {
        match flights.join(key, flights.landed(key), Instant::now()) {
            Join::Lead(leader) => leader,
            _ => panic!("nobody leads yet"),
        }
    }

    fn follow(flights: &Arc<Flights>, key: &CacheKey) -> Follower {
        match flights.join(key, flights.landed(key), Instant::now()) {
            Join::Follow(follower) => follower,
            _ => panic!("somebody leads"),
        }
    }

    /// An answer that was put, by a store that vouches or does not.
    fn stored(vouched: bool) -> Landing {
        let lifetime = Lifetime {
            fresh_for: Duration::from_secs(60),
            source: LifetimeSource::MaxAge,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
        };
        let flags = StoredFlags { public_enough: false, must_revalidate: false, private: false };
        let (status, none, token) = (StatusCode::OK, Duration::ZERO, Token { epoch: 1, seq: 1 });
        let (fields, body, tags) = (http::HeaderMap::new(), bytes::Bytes::new(), Vec::new());
        let entry = StoredResponse::new(Kind::Response, status, fields, body, 0, none, lifetime, flags, tags, token);
        Landing::Stored { entry: Arc::new(entry), status, vouched }
    }

    async fn takes(follower: &mut Follower) -> bool {
        matches!(follower.landed().await, Landing::Stored { .. })
    }

    async fn a_millisecond() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_put_is_for_those_who_joined_before_if_the_store_vouches() {
        for vouched in [true, false] {
            let flights = Arc::new(Flights::new(8));
            let leader = lead(&flights, &key("a"));
            a_millisecond().await;
            let mut early = follow(&flights, &key("a"));
            leader.storing();
            let mut late = follow(&flights, &key("a"));
            leader.land(stored(vouched));
            assert_eq!((takes(&mut early).await, takes(&mut late).await), (vouched, false));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_the_store_does_not_vouch_one_of_those_who_waited_leads_and_the_others_take_that_answer() {
        let flights = Arc::new(Flights::new(8));
        let leader = lead(&flights, &key("a"));
        a_millisecond().await;
        let arrived = Instant::now();
        let again = |flights: &Arc<Flights>| flights.join(&key("a"), flights.landed(&key("a")), arrived);
        let mut waiting: Vec<Follower> = (0..3).map(|_| follow(&flights, &key("a"))).collect();
        leader.storing();
        leader.land(stored(false));
        for follower in &mut waiting {
            assert!(!takes(follower).await);
        }
        a_millisecond().await;
        let Join::Lead(leader) = again(&flights) else { panic!("nobody leads") };
        let Join::Follow(mut second) = again(&flights) else { panic!("somebody leads") };
        let mut newcomer = follow(&flights, &key("a"));
        leader.storing();
        // However late it joins: it was there before the answer was asked for.
        let Join::Follow(mut third) = again(&flights) else { panic!("somebody leads") };
        leader.land(stored(false));
        assert_eq!((takes(&mut second).await, takes(&mut third).await), (true, true));
        assert!(!takes(&mut newcomer).await, "it came when the answer was on its way");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_for_before_it_became_a_flight_takes_the_stores_word() {
        for vouched in [true, false] {
            let flights = Arc::new(Flights::new(8));
            let arrived = Instant::now();
            a_millisecond().await;
            let leader = flights.lead(&key("a"), flights.landed(&key("a")), Request::Sent).unwrap();
            let joined = flights.join(&key("a"), flights.landed(&key("a")), arrived);
            let Join::Follow(mut follower) = joined else { panic!("somebody leads") };
            leader.storing();
            leader.land(stored(vouched));
            assert_eq!(takes(&mut follower).await, vouched);
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
        assert!(matches!(flights.join(&key("a"), before, Instant::now()), Join::LookAgain));
        let next = lead(&flights, &key("a"));
        leader.land(Landing::Again);
        drop(follow(&flights, &key("a")));
        drop(next);
    }

    #[tokio::test]
    async fn waiters_are_bounded() {
        let flights = Arc::new(Flights::new(1));
        let _leader = lead(&flights, &key("a"));
        let first = follow(&flights, &key("a"));
        assert!(matches!(flights.join(&key("a"), 0, Instant::now()), Join::Crowded));
        drop(first);
        follow(&flights, &key("a"));
    }

    #[tokio::test]
    async fn a_lookup_older_than_a_landing_is_done_again_and_what_cannot_be_shared_is_not_waited_for() {
        let flights = Arc::new(Flights::new(8));
        let before = flights.landed(&key("a"));
        lead(&flights, &key("a")).land(Landing::HitForMiss);
        assert!(matches!(flights.join(&key("a"), before, Instant::now()), Join::LookAgain));
        assert!(matches!(flights.join(&key("a"), flights.landed(&key("a")), Instant::now()), Join::Alone));
    }

    #[test]
    fn behind_stale_answers_one_fetches_at_a_time_whether_they_can_be_shared_or_not() {
        let flights = Arc::new(Flights::new(0));
        lead(&flights, &key("a")).land(Landing::HitForMiss);
        let landed = flights.landed(&key("a"));
        let leader = flights.lead(&key("a"), landed, Request::Ahead).unwrap();
        assert!(flights.lead(&key("a"), landed, Request::Ahead).is_none());
        leader.land(Landing::HitForMiss);
        assert!(flights.lead(&key("a"), landed, Request::Ahead).is_none(), "one ended since the lookup");
        assert!(flights.lead(&key("a"), flights.landed(&key("a")), Request::Ahead).is_some());
    }
}
