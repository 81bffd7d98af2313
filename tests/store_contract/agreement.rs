//! Memory and Redis agree: whatever is done to both, in whatever order, they find the same valid, soft, and fit to be stored.

use std::sync::Arc;
use std::time::Duration;

use aside::rules::{EntryRef, Tag};
use aside::store::{
    Change, Expect, Intent, Kind, Otherwise, PutOutcome, Since, Store, StoredResponse, Strength, Token,
};

use crate::fixture::{COMMIT_WITHIN, Harness, InMemory, InRedis, lookup, place, place_in, tagged_entry};

const SEEDS: u64 = 60;
const STEPS: usize = 40;
/// Neither what settles nor what is held ends within many seconds of a moment that is passed to: the server's clock is real.
const PASSED: Duration = Duration::from_secs(20);
const SETTLES: Duration = Duration::from_secs(30);

/// Numbers that look random, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// One to three of them.
    fn some(&mut self, of: &[Tag]) -> Vec<Tag> {
        (0..=self.below(3)).map(|_| self.pick(of)).collect()
    }
}

/// What a lookup of a place found in both.
type Seen = (usize, [Token; 2], [Option<Arc<StoredResponse>>; 2]);

/// Both stores, and what the one and the other have said so far.
struct Both {
    stores: [Store; 2],
    places: Vec<EntryRef>,
    /// Tokens and entries of earlier lookups, by place.
    seen: Vec<Seen>,
    written: usize,
}

impl Both {
    async fn new(memory: &InMemory, redis: &InRedis) -> Self {
        let seasonal = |mut place: EntryRef| {
            place.tags = [&**place.tags, &[Tag::named("season")]].concat().into();
            place
        };
        let mut bare = place("bare");
        bare.tags = Vec::new().into();
        let places = vec![seasonal(place("fruit:1")), place("fruit:2"), place_in("orders", "order:1"), bare];
        let stores = [memory.store().clone(), redis.store().clone()];
        let mut both = Self { stores, places, seen: Vec::new(), written: 0 };
        both.agree("at first").await;
        both
    }

    /// Looks at every place in both.
    async fn agree(&mut self, after: &str) {
        for (at, place) in self.places.iter().enumerate() {
            let [here, there] = [lookup(&self.stores[0], place).await, lookup(&self.stores[1], place).await];
            let told = [&here, &there].map(|found| {
                let body = found.entry.as_ref().map(|entry| String::from_utf8(entry.body.to_vec()).unwrap());
                (body, found.soft, found.invalidated)
            });
            assert_eq!(told[0], told[1], "place {at} after {after}");
            self.seen.push((at, [here.token, there.token], [here.entry, there.entry]));
        }
    }

    /// An entry that no other is like, for the place and under the token of an earlier lookup.
    fn entries(&mut self, at: usize, tokens: [Token; 2], kind: Kind) -> [StoredResponse; 2] {
        self.written += 1;
        tokens.map(|token| {
            let mut entry = tagged_entry(&self.places[at], &self.written.to_string(), token, &[]);
            entry.kind = kind;
            entry
        })
    }

    async fn put(&mut self, dice: &mut Dice) -> [PutOutcome; 2] {
        let (at, tokens, there) = dice.pick(&self.seen);
        let upon = dice.below(3);
        let expect = |there: Option<Arc<StoredResponse>>| match (upon, there) {
            (0, Some(there)) => Expect::Entry(there),
            (1, _) => Expect::Absent,
            _ => Expect::Any,
        };
        let [here, other] = self.entries(at, tokens, Kind::Response);
        let [there, beyond] = there;
        let place = &self.places[at];
        [
            self.stores[0].put(place, Arc::new(here), expect(there)).await.unwrap(),
            self.stores[1].put(place, Arc::new(other), expect(beyond)).await.unwrap(),
        ]
    }

    async fn invalidate_and_put(&mut self, dice: &mut Dice, tags: &[Tag], watched: &[Tag]) -> [(bool, PutOutcome); 2] {
        let (at, tokens, _) = dice.pick(&self.seen);
        let (kind, otherwise) = dice.pick(&[
            (Kind::Written, Otherwise::Invalidate),
            (Kind::Written, Otherwise::Nothing),
            (Kind::CacheOnly, Otherwise::Nothing),
        ]);
        let mut outcomes = Vec::new();
        for ((store, entry), token) in self.stores.clone().iter().zip(self.entries(at, tokens, kind)).zip(tokens) {
            let since = Since { token, watched: watched.to_vec() };
            let done = store.invalidate_and_put(Change::of(tags), &since, &self.places[at], entry, otherwise).await;
            let (done, outcome) = done.unwrap();
            outcomes.push((done.alone, outcome.unwrap()));
        }
        outcomes.try_into().unwrap()
    }
}

#[tokio::test]
async fn memory_and_redis_agree_on_whatever_is_done_to_both() {
    let redis = InRedis::start().await;
    let tags = [
        Tag::key("fruit", "fruit:1"),
        Tag::key("fruit", "fruit:2"),
        Tag::key("orders", "order:1"),
        Tag::route("fruit"),
        Tag::route("orders"),
        Tag::named("season"),
        Tag::everything(),
    ];
    let mut outcomes = std::collections::HashMap::new();
    for seed in 0..SEEDS {
        redis.flush().await;
        let memory = InMemory::start().await;
        let mut both = Both::new(&memory, &redis).await;
        let mut dice = Dice(seed);
        for step in 0..STEPS {
            // What is about everything is rare.
            let known = if dice.below(8) == 0 { &tags[..] } else { &tags[..6] };
            let what = dice.below(12);
            let (some, more) = (dice.some(known), dice.some(&tags[..6]));
            match what {
                0..=2 => {
                    let strength = dice.pick(&[Strength::Hard, Strength::Soft]);
                    for store in &both.stores {
                        store.invalidate(Change { strength, ..Change::of(&some) }).await.unwrap();
                    }
                }
                3 => {
                    for store in &both.stores {
                        let mark = store.mark(Intent { held: some.clone(), others: Vec::new() }).await.unwrap();
                        store.hold(&mark).await.unwrap();
                    }
                }
                4 => {
                    let settle = [(more[0].clone(), SETTLES)];
                    for store in &both.stores {
                        store.invalidate(Change::of(&some).settling(&settle)).await.unwrap();
                    }
                }
                5 => {
                    memory.pass(PASSED);
                    redis.pass(PASSED);
                    // In Redis a session's renewal does what is due, or an invalidation.
                    for store in &both.stores {
                        store.invalidate(Change::of(&[Tag::route("another")])).await.unwrap();
                    }
                }
                6..=9 => {
                    let [here, there] = both.put(&mut dice).await;
                    assert_eq!(here, there, "seed {seed}, step {step}");
                    *outcomes.entry(format!("{here:?}")).or_insert(0) += 1;
                }
                _ => {
                    let [here, there] = both.invalidate_and_put(&mut dice, &some, &more).await;
                    assert_eq!(here, there, "seed {seed}, step {step}");
                    *outcomes.entry(format!("{here:?}")).or_insert(0) += 1;
                }
            }
            both.agree(&format!("seed {seed}, step {step}, {what} {some:?} {more:?}")).await;
        }
    }
    assert!(COMMIT_WITHIN > 2 * PASSED && outcomes.len() >= 7, "everything has happened: {outcomes:?}");
}
