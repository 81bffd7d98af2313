//! Where answers are stored, under one law: a fill that an invalidation overtook is never put, and an entry that was
//! invalidated after its token is never given out.
//!
//! An app has one sequence. A [`Token`] is a point in it, handed out by every lookup; a fill carries it to the
//! origin and back. [`Store::put`] refuses the fill if any of its tags was invalidated after the token, and
//! [`Store::lookup`] checks the same at every read, so no clock is involved. An app whose record is lost gets an epoch
//! never used before, which makes everything older invalid: every loss fails safe, to a miss.
//!
//! The token tells of invalidations and of nothing else. What is made of a stored entry says so, [`Expect`] it, and is put
//! only where that entry still is: neither a newer answer nor a deletion is undone by an answer about what was before.

mod bounded;
mod change;
mod core;
mod derived;
mod entry;
mod found;
mod held;
mod in_force;
pub mod lease;
mod listing;
mod memory;
mod purge;
mod record;
pub mod redis;
mod ruled;
mod settings;
mod state;
mod weight;

use std::sync::Arc;
use std::time::Duration;

use crate::budget::Budget;
use crate::clock::Clock;
use crate::rules::{Beginning, EntryRef, Purging, Tag};
use crate::telemetry::{Operation, Operations};

use self::in_force::InForce;

pub use self::bounded::Bounded;
pub use self::change::{Change, Intent, Mark, Strength, Unfinished};
pub use self::core::{Fault, Invalidated, Otherwise, PutOutcome, Since, Token, WhenDown};
pub use self::derived::Derived;
pub use self::entry::{Expect, Kind, Lookup, Overtaken, StoredResponse, Withheld};
pub use self::listing::{Listing, StoredEntry};
pub use self::memory::Memory;
pub use self::purge::Purged;
pub use self::redis::{Redis, RedisNode, RedisUrl, key_name};
pub use self::ruled::RuledStore;
pub use self::settings::{LONGEST_LEASE, StoreSettings, StoreUrl};
pub use self::state::{Count, KnownPeer, LeaseState, State};
pub use self::weight::{allocated, body, buffer, counted};

/// The part of a store that all cores of this process share.
#[derive(Clone, Debug)]
pub enum Shared {
    /// The entries themselves.
    Memory(Arc<Memory>),
    /// What the cores' sessions have in common.
    Redis(Arc<RedisNode>),
}

impl Shared {
    /// Sets the shared part up. Opens no connection: an absent Redis does not keep the proxy from starting.
    pub fn new(settings: &StoreSettings) -> Self {
        match &settings.url {
            StoreUrl::Memory => {
                let memory = Memory::new(settings.memory, settings.commit_within, Clock::System);
                memory.go_by(settings.rules, &[], settings.commit_within);
                Self::Memory(Arc::new(memory))
            }
            StoreUrl::Redis(url) => Self::Redis(Arc::new(RedisNode::new(url.clone(), settings))),
        }
    }

    /// The same, whose copies of Redis' entries share their bodies with the answers that this budget counts: what is under
    /// way of a body counts once its copy is gone. Without it each answer counts by itself.
    #[must_use]
    pub fn lending_to(self, answers: &Arc<Budget>) -> Self {
        if let Self::Redis(node) = &self {
            node.lend_to(answers);
        }
        self
    }

    /// Other rules are in force from now on, with this [fingerprint](crate::rules::Ruleset::of_writes): to be called before
    /// anybody is answered under them. `changed` is everything of which they say something else than those before, or those
    /// before than they. The origin may from now on commit a write of unknown outcome `commit_within` that time; a shorter one than before
    /// is none, as writes from before may be under way.
    pub fn go_by(&self, rules: u64, changed: &[Tag], commit_within: Duration) {
        match self {
            Self::Memory(memory) => memory.go_by(rules, changed, commit_within),
            Self::Redis(node) => node.go_by(rules, changed, commit_within),
        }
    }

    /// How many writes were forwarded without a mark, since there were too many of them.
    pub fn unnoted(&self) -> u64 {
        match self {
            Self::Memory(_) => 0,
            Self::Redis(node) => node.unnoted(),
        }
    }

    /// How it stands, as far as this process knows; asks nobody, and waits for nobody.
    pub fn state(&self) -> State {
        match self {
            Self::Memory(memory) => memory.state(),
            Self::Redis(node) => node.state(),
        }
    }

    /// The store of one core: call it inside that core's runtime, where its session is kept up.
    pub fn attach(&self) -> Store {
        match self {
            Self::Memory(memory) => Store::Memory(Arc::clone(memory)),
            Self::Redis(node) => Store::Redis(Redis::attach(node)),
        }
    }

    /// Waits until this process may answer from what it shares with others, so long at the most; a first store that is
    /// attached need not. Says whether it may. A process that takes connections before that answers writes of which others do
    /// not know.
    pub async fn joined(&self, within: Duration) -> bool {
        match self {
            Self::Memory(_) => true,
            Self::Redis(node) => node.joined(within).await,
        }
    }

    /// Makes what is pending and tells the others that this process ends, in so long at the most; nothing is to be written
    /// after that. The error says what may be old.
    pub async fn leave(&self, within: Duration) -> Result<(), String> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Redis(node) => node.leave(within).await,
        }
    }

    /// How large the stacks of threads have to be where a store is attached, in bytes; `None` for what threads have anyway.
    /// `threads` is how many there are going to be.
    pub fn stack_bytes(&self, threads: usize) -> Option<usize> {
        match self {
            Self::Memory(_) => None,
            Self::Redis(_) => Some(RedisNode::stack_bytes(threads)),
        }
    }

    /// A store to look into, which is never written to: what would write answers [`Fault::Refused`]. Its session is not
    /// opened a second time.
    ///
    /// The error says why Redis cannot be used, without secrets. Call it inside of a runtime.
    pub async fn attach_reader(&self) -> Result<Store, String> {
        match self {
            Self::Memory(memory) => Ok(Store::Memory(Arc::clone(memory))),
            Self::Redis(node) => Redis::attach_reader(node).await.map(Store::Redis),
        }
    }

    /// How many lookups were answered with a copy in this process, on Redis' word and without a body.
    pub fn validated(&self) -> u64 {
        match self {
            Self::Memory(_) => 0,
            Self::Redis(node) => node.validated(),
        }
    }

    /// How many bytes entries, or copies of those in Redis, take of this process's memory at the most.
    pub fn weight_held(&self) -> u64 {
        match self {
            Self::Memory(memory) => memory.weight_held(),
            Self::Redis(node) => node.weight_held(),
        }
    }

    /// What was asked of a Redis, how long that took, and how often it was not done; `None` for memory, which waits for nobody.
    pub fn operations(&self) -> Option<&Operations> {
        match self {
            Self::Memory(_) => None,
            Self::Redis(node) => Some(&node.operations),
        }
    }

    /// How many entries were there and could not be used: half missing, changed by somebody else, or of another version.
    /// Each was a miss.
    pub fn unsound(&self) -> u64 {
        match self {
            Self::Memory(_) => 0,
            Self::Redis(node) => node.unsound(),
        }
    }
}

/// The store of one core.
#[derive(Clone, Debug)]
pub enum Store {
    /// In this process.
    Memory(Arc<Memory>),
    /// In Redis.
    Redis(Redis),
}

impl Store {
    /// The rules in force.
    fn rules_in_force(&self) -> Arc<InForce> {
        match self {
            Self::Memory(memory) => memory.rules_in_force(),
            Self::Redis(redis) => redis.rules_in_force(),
        }
    }

    /// Reads the entry at a key, and the token that a fill begun now has to carry.
    ///
    /// Dropping the future loses nothing.
    pub async fn lookup(&self, at: &EntryRef) -> Result<Lookup, Fault> {
        match self {
            Self::Memory(memory) => Ok(memory.lookup(at)),
            // Here and below: boxed, for the client library's futures are large, and memory has none.
            Self::Redis(redis) => Box::pin(redis.timed(Operation::Lookup, redis.lookup(at))).await,
        }
    }

    /// The same without waiting, where the store can: in memory. `None` says to ask [`Store::lookup`].
    pub fn lookup_now(&self, at: &EntryRef) -> Option<Lookup> {
        match self {
            Self::Memory(memory) => Some(memory.lookup(at)),
            Self::Redis(_) => None,
        }
    }

    /// The entry at a key that [`Store::lookup`] found invalidated, and by what; `None` where it is gone meanwhile, and
    /// from memory.
    pub async fn overtaken(&self, at: &EntryRef) -> Result<Option<Overtaken>, Fault> {
        match self {
            Self::Memory(_) => Ok(None),
            Self::Redis(redis) => Box::pin(redis.overtaken(at)).await,
        }
    }

    /// Stores an entry unless its token says that it may be old, or something else is there than what it `expect`s:
    /// one atomic step. The entry's tags have those of its key among them.
    ///
    /// When the future is dropped the entry may or may not be stored; either is safe.
    pub async fn put(&self, at: &EntryRef, entry: Arc<StoredResponse>, expect: Expect) -> Result<PutOutcome, Fault> {
        debug_assert!(at.tags.iter().all(|tag| entry.tags.contains(tag)), "the tags of its key are the entry's too");
        match self {
            Self::Memory(memory) => Ok(memory.put(at, entry, &expect)),
            Self::Redis(redis) => Box::pin(redis.timed(Operation::Put, redis.put(at, entry, &expect))).await,
        }
    }

    /// Notes what a write may be about to change, before it is forwarded: should this process die while the origin works,
    /// others hold it. Comes back with the mark that the write's end has to name: by [`Store::invalidate`], [`Store::unmark`] or
    /// [`Store::hold`].
    ///
    /// The error says that the write must not be forwarded: only with `when_down = "refuse"`. Otherwise a write that could
    /// not be noted is forwarded all the same.
    pub async fn mark(&self, intent: Intent) -> Result<Mark, Fault> {
        match self {
            Self::Memory(_) => Ok(Mark::unnoted(intent)),
            Self::Redis(redis) => Box::pin(redis.timed(Operation::Mark, redis.mark(intent))).await,
        }
    }

    /// Ends the mark of a write that has changed nothing. Nobody waits for it.
    pub fn unmark(&self, mark: Mark) {
        match self {
            Self::Memory(_) => drop(mark),
            Self::Redis(redis) => redis.unmark(mark),
        }
    }

    /// Invalidates what a write of unknown outcome may have changed, and what it may change for as long as the origin may
    /// still commit it: see [`Intent`]. On a [`Fault`] that is pending as by [`Store::invalidate`].
    pub async fn hold(&self, mark: &Mark) -> Result<Invalidated, Fault> {
        match self {
            Self::Memory(memory) => Ok(memory.hold(&mark.intent)),
            Self::Redis(redis) => Box::pin(redis.timed(Operation::Hold, redis.hold(mark))).await,
        }
    }

    /// The writes of other nodes that have not come to an end, and whether one of them, or one of unknown outcome, may still
    /// change what has one of these tags. An entry that is looked up after this shows what all others have invalidated.
    pub async fn unfinished(&self, tags: &[Tag]) -> Result<Unfinished, Fault> {
        match self {
            Self::Memory(memory) => Ok(memory.unfinished(tags)),
            Self::Redis(redis) => Box::pin(redis.unfinished(tags)).await,
        }
    }

    /// How long it may take until a write of another node shows in [`Store::unfinished`], or that node's silence keeps this one
    /// from giving hits: a mark may come late. Zero where there are no others.
    pub fn heard_within(&self) -> Duration {
        match self {
            Self::Memory(_) => Duration::ZERO,
            Self::Redis(redis) => redis.heard_within(),
        }
    }

    /// Whether what the store says now may answer somebody who asked before now: not while there may be invalidations of other
    /// nodes that it does not know of. What was fetched after it was asked for may answer in any case.
    pub fn vouches(&self) -> bool {
        match self {
            Self::Memory(_) => true,
            Self::Redis(redis) => redis.vouches(),
        }
    }

    /// Invalidates everything that has one of these tags, before a write is answered: one atomic step with all that the
    /// [`Change`] says.
    ///
    /// On a [`Fault`] that is pending: this process reads nothing from the store until it has been made there, and other nodes
    /// reuse nothing by now that it should have invalidated. Dropping the future loses nothing: the work goes on.
    pub async fn invalidate(&self, change: Change<'_>) -> Result<Invalidated, Fault> {
        match self {
            Self::Memory(memory) => Ok(memory.invalidate(change)),
            Self::Redis(redis) => Box::pin(redis.timed(Operation::Invalidate, redis.invalidate(change))).await,
        }
    }

    /// Invalidates what a person has asked for, on every node that shares the store, as hard as that: a write's acknowledgement
    /// is this one's too. Once it has returned nothing is given out, to whoever asks after that, that was stored or was being
    /// fetched before it was called.
    ///
    /// On a [`Fault`] it is pending, as by [`Store::invalidate`]: it is made before this process reads from the store again, and
    /// what other nodes had of it they reuse no more. Dropping the future loses nothing: the work goes on.
    pub async fn purge(&self, purging: &Purging, strength: Strength) -> Result<Purged, Fault> {
        if let Some(beginning) = &purging.beginning
            && let Some((matched, token)) = self.purge_found(beginning.clone(), strength).await
        {
            return Ok(Purged { purge: purging.purge.clone(), strength, matched: Some(matched), more: false, token });
        }
        if let Self::Memory(memory) = self
            && let Some(done) = Self::count_and_purge(Arc::clone(memory), purging.tags.clone(), strength).await
        {
            let (matched, token) = (done.0, Some(done.1));
            return Ok(Purged { purge: purging.purge.clone(), strength, matched, more: false, token });
        }
        let counting = async {
            match self {
                Self::Memory(_) => (None, false),
                Self::Redis(redis) => (Box::pin(redis.count_named(&purging.names, &purging.tags)).await, true),
            }
        };
        let invalidating = self.invalidate_by_name(Change { strength, ..Change::of(&purging.tags) });
        // In this order, and neither waits for the other: what is counted is asked first, and the purge is made all the same.
        let ((matched, more), token) = tokio::join!(biased; counting, invalidating);
        Ok(Purged { purge: purging.purge.clone(), strength, matched, more, token: token? })
    }

    /// Purges all that has one of these tags, and counts it before, which takes a while. Dropping the future loses nothing: the
    /// work goes on.
    async fn count_and_purge(memory: Arc<Memory>, tags: Vec<Tag>, strength: Strength) -> Option<(Option<u64>, Token)> {
        let work = async move {
            let matched = memory.count(&tags).await;
            (matched, memory.invalidate(Change { strength, ..Change::of(&tags) }).token)
        };
        tokio::spawn(work).await.ok()
    }

    /// Purges what begins so and no more, each entry by itself, for there is no tag that all of them have. Comes back with how
    /// many that are and the token after it. `None` where it was not done, or not all of it, so that more has to be purged: they
    /// are too many, or the store cannot be looked through now.
    ///
    /// First every fill under way that may begin so is refused. So nothing is missed that was there, or was being fetched, before:
    /// it is either found or not stored.
    ///
    /// Dropping the future loses nothing: the work goes on.
    async fn purge_found(&self, beginning: Beginning, strength: Strength) -> Option<(u64, Option<Token>)> {
        let store = self.clone();
        let work = async move {
            let refused = store.invalidate_by_name(Change::of(&beginning.fills())).await?;
            let found = match &store {
                Self::Memory(memory) => memory.beginning(&beginning).await,
                Self::Redis(redis) => redis.beginning(&beginning).await?,
            };
            let Some(found) = found else { return Ok(None) };
            let (count, tags) = (found.count(), found.into_tags());
            if tags.is_empty() {
                return Ok(Some((0, refused)));
            }
            let token = store.invalidate_by_name(Change { strength, ..Change::of(&tags) }).await?;
            Ok::<_, Fault>(Some((count, token)))
        };
        tokio::spawn(work).await.ok()?.ok()?
    }

    /// Comes back with the token after it; `None` where it was made with a call.
    async fn invalidate_by_name(&self, change: Change<'_>) -> Result<Option<Token>, Fault> {
        match self {
            Self::Memory(memory) => Ok(Some(memory.invalidate(change).token)),
            Self::Redis(redis) => Box::pin(redis.timed(Operation::Invalidate, redis.purge(change))).await,
        }
    }

    /// Some of the entries that can be given out, for a person who looks: of this route where one is named, at most so many,
    /// a thousand at the most. Redis is scanned in bounded steps, which needs a right of its own (`SCAN`).
    pub async fn entries(&self, route: Option<&str>, limit: usize) -> Result<Listing, Fault> {
        match self {
            Self::Memory(memory) => Ok(memory.listing(route, limit).await),
            Self::Redis(redis) => Box::pin(redis.listing(route, limit)).await,
        }
    }

    /// What every key begins with, as people see it: `[store] prefix`.
    pub fn prefix(&self) -> &str {
        match self {
            Self::Memory(_) => "",
            Self::Redis(redis) => redis.prefix(),
        }
    }

    /// Invalidates what the [`Change`] says and puts an entry in its place, under the token right after that: one atomic step, so
    /// that no fill can come between. The change asks nothing by itself: `since` does.
    ///
    /// The entry is put unless one of its tags, or of those that `since` watches, was invalidated after the `since` token.
    /// So a step that is carried out late, when its caller has given it up and its tags were invalidated as pending, puts nothing.
    ///
    /// What became of the entry comes back beside the invalidation: [`PutOutcome::Stored`], [`PutOutcome::RacedWrite`],
    /// [`PutOutcome::TooLarge`], or [`Fault::Full`]; `otherwise` says what is done then, and after [`Otherwise::Nothing`] the
    /// token is where the sequence is, or was at the last look. On a [`Fault`] of the whole the invalidation is pending as by
    /// [`Store::invalidate`]; but not with [`Otherwise::Nothing`], where both happened or nothing did. Dropping the future loses
    /// nothing: the work goes on.
    pub async fn invalidate_and_put(
        &self,
        change: Change<'_>,
        since: &Since,
        at: &EntryRef,
        entry: StoredResponse,
        otherwise: Otherwise,
    ) -> Result<(Invalidated, Result<PutOutcome, Fault>), Fault> {
        debug_assert!(at.tags.iter().all(|tag| entry.tags.contains(tag)), "the tags of its key are the entry's too");
        let since = &since.clone().and_fills(at);
        match self {
            Self::Memory(memory) => {
                let (invalidated, outcome) = memory.invalidate_and_put(change, since, at, entry, otherwise);
                Ok((invalidated, Ok(outcome)))
            }
            Self::Redis(redis) => {
                let work = redis.invalidate_and_put(change, since, at, entry, otherwise);
                Box::pin(redis.timed(Operation::Invalidate, work)).await
            }
        }
    }

    /// What happens to writes while it cannot be reached.
    pub fn when_down(&self) -> WhenDown {
        match self {
            Self::Memory(_) => WhenDown::Forward,
            Self::Redis(redis) => redis.when_down(),
        }
    }

    /// Whether nodes that share the store have other rules than this one: as long as they do, a write invalidates everything, even
    /// if this node's rules say that it changes nothing.
    pub fn rules_differ(&self) -> bool {
        match self {
            Self::Memory(_) => false,
            Self::Redis(redis) => redis.rules_differ(),
        }
    }

    /// How many other nodes share it, as far as this process knows: one where it does not know yet.
    pub fn others(&self) -> usize {
        match self {
            Self::Memory(_) => 0,
            Self::Redis(redis) => redis.others(),
        }
    }

    /// Whether a write may be forwarded now: false only for `when_down = "refuse"` while the store cannot be reached.
    pub fn admits_writes(&self) -> bool {
        match self {
            Self::Memory(_) => true,
            Self::Redis(redis) => redis.admits_writes(),
        }
    }
}
