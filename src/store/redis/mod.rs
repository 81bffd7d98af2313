//! The store in a Redis that many nodes share.
//!
//! An entry is two keys and the app's record is one (`layout`, `codec`). Reads are plain commands in one round trip; what has to
//! be atomic runs as a script inside Redis (`scripts`). What was read stays in memory, for as long as Redis says that it is still
//! good (`copies`, `lookup`). Each core has a session of its own (`session`), which a task keeps up
//! (`supervisor`). An invalidation that Redis did not confirm is pending for the whole process (`pending`), which reads
//! nothing from Redis until it has been made.

mod arguments;
mod batch;
mod client;
mod codec;
mod connect;
mod control;
mod copies;
mod layout;
mod listing;
mod lock;
mod lookup;
mod named;
mod node;
mod outage;
mod pending;
mod registry;
mod replicas;
mod report;
mod rights;
mod rules;
mod scripts;
mod sentinel;
mod session;
mod settings;
mod supervisor;
mod unconfirmed;
mod url;
mod writes;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use fred::types::Value;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use self::arguments::{Hold, Invalidate, InvalidateAndPut, LookAround, MarkWrite, Put, Unmark};
use self::codec::sum;
use self::layout::{Record, record_fields};
use self::pending::Unmade;
use self::session::Session;
use self::settings::NodeSettings;
use self::supervisor::{Link, supervise};
use self::unconfirmed::Unconfirmed;
use super::change::{Change, Intent, Mark, Unfinished};
use super::core::{Fault, Invalidated, Otherwise, PutOutcome, Since, Token, WhenDown, fresh_epoch};
use super::entry::{Expect, Lookup, Overtaken, StoredResponse, Withheld};
use super::found::Found;
use super::in_force::InForce;
use super::listing::Listing;
use crate::clock::{Clock, Stopwatch, boot_millis};
use crate::rules::{Beginning, EntryRef, Tag};
use crate::telemetry::Operation;

#[cfg(fuzzing)]
pub use self::codec::fuzzing;
pub use self::layout::key_name;
pub use self::node::RedisNode;
pub use self::url::RedisUrl;

/// How often a write that must not be forwarded without is noted again.
const MARK_PAUSE: Duration = Duration::from_millis(10);

/// One core's store in Redis. Its session ends with the last clone.
#[derive(Clone)]
pub struct Redis(Arc<Core>);

struct Core {
    link: Arc<Link>,
    supervisor: AbortHandle,
    /// Nothing is written.
    reads_only: bool,
}

impl Redis {
    /// The store of the core whose runtime this is called in; a task there keeps its session up. Until the first session
    /// every call answers [`Fault::Down`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn attach(node: &Arc<RedisNode>) -> Self {
        node.start();
        node.report.begins();
        let link = Arc::new(Link::new(Arc::clone(node)));
        let supervisor = tokio::spawn(supervise(Arc::clone(&link))).abort_handle();
        Self(Arc::new(Core { link, supervisor, reads_only: false }))
    }

    /// A store to look into, with one session that is never opened again. The error says why there is none.
    pub async fn attach_reader(node: &Arc<RedisNode>) -> Result<Self, String> {
        let (mut session, mut connection) =
            connect::open(&node.settings.url, node.settings.timeout, None).await.map_err(|why| why.to_string())?;
        session.only_looks = true;
        let link = Arc::new(Link::new(Arc::clone(node)));
        link.publish(Arc::new(session));
        let supervisor = tokio::spawn(async move { drop(connection.ended().await) }).abort_handle();
        Ok(Self(Arc::new(Core { link, supervisor, reads_only: true })))
    }

    /// Reads the entry at a key, and the token that a fill begun now has to carry.
    ///
    /// An entry that is not sound is a miss. Dropping the future loses nothing.
    pub async fn lookup(&self, at: &EntryRef) -> Result<Lookup, Fault> {
        let session = self.session_or_count_miss()?;
        let withheld = self.withheld(&session);
        let found = self.look_up(at, session).await?;
        Ok(match withheld {
            None => found,
            // What is stored now does not know by which names all nodes will invalidate it.
            Some(Withheld::Rules) => Lookup { token: no_token(), ..found.withheld(Withheld::Rules) },
            Some(why) => found.withheld(why),
        })
    }

    async fn look_up(&self, at: &EntryRef, session: Arc<Session>) -> Result<Lookup, Fault> {
        let _permit = self.0.link.permit(0)?;
        lookup::lookup(self.node(), &session, at, self.0.reads_only).await
    }

    /// The entry at a key whose tags, or whose record, are no longer as they were under its token.
    pub async fn overtaken(&self, at: &EntryRef) -> Result<Option<Overtaken>, Fault> {
        let session = self.session_or_count_miss()?;
        let keys = self.node().settings.layout.keys(at);
        let record = self.node().settings.layout.record();
        let [body, meta, _] = session.read(&keys, record, record_fields([])).await?;
        let Some((entry, _)) = lookup::decode(self.node(), at, body, meta) else { return Ok(None) };
        let values = session.read_record(record, record_fields(&entry.tags)).await?;
        let values = values.map(Value::into_array).unwrap_or_default();
        let by = Record::raised(&values, &session.replid, entry.token, &entry.tags);
        let record_lost = by.is_none();
        Ok(Some(Overtaken { entry: Arc::new(entry), by: by.unwrap_or_default(), record_lost }))
    }

    /// Stores an entry unless its token says that it may be old, or something else is there than what is expected:
    /// one atomic step.
    ///
    /// When the future is dropped the entry may or may not be stored; either is safe.
    pub async fn put(&self, at: &EntryRef, entry: Arc<StoredResponse>, expect: &Expect) -> Result<PutOutcome, Fault> {
        self.may_write()?;
        let session = self.session_or_count_miss()?;
        let _permit = self.0.link.permit(entry.body.len())?;
        let layout = &self.node().settings.layout;
        let keys = layout.keys(at);
        let put = Put::of(keys.clone(), layout.record().clone(), &at.key, &entry, expect);
        let (sum, now) = (sum(&put.hash, entry.token), Clock::System.ticks());
        let outcome = session.put(put).await;
        if matches!(outcome, Ok(PutOutcome::Stored)) {
            self.node().copies.insert_put(at, &keys, &entry, &sum, now);
        }
        self.node().report.stored(|| self.node().settings.url.address(), &outcome);
        outcome
    }

    /// Invalidates everything that has one of these tags, and does what else the change says: one atomic step. On a [`Fault`] that
    /// is pending.
    ///
    /// Dropping the future loses nothing: the work goes on in a task of its own.
    pub async fn invalidate(&self, change: Change<'_>) -> Result<Invalidated, Fault> {
        Ok(self.made(change).await?.unwrap_or_else(made_later))
    }

    /// The same for a person. Comes back with the token after it; `None` where it was made with a call.
    pub async fn purge(&self, change: Change<'_>) -> Result<Option<Token>, Fault> {
        Ok(self.made(change).await?.map(|invalidated| invalidated.token))
    }

    /// Some of the entries that can be given out, of this route where one is named.
    pub async fn listing(&self, route: Option<&str>, limit: usize) -> Result<Listing, Fault> {
        let session = self.session_or_count_miss()?;
        listing::listing(self.node(), &session, route, limit).await
    }

    /// The entries that begin so and can be given out; `None` where these are too many, or it would take too long.
    pub(in crate::store) async fn beginning(&self, beginning: &Beginning) -> Result<Option<Found>, Fault> {
        let session = self.session_or_count_miss()?;
        listing::beginning(self.node(), &session, beginning).await
    }

    /// How many entries lie under these names of keys, have one of these sorted tags and can be given out; `None` where that is not
    /// known at once. It never tells anybody that Redis is out of reach: what it is asked beside does.
    pub(in crate::store) async fn count_named(&self, names: &[String], tags: &[Tag]) -> Option<u64> {
        if names.is_empty() || self.rules_differ() || !self.node().pending.is_empty() {
            return None;
        }
        let session = self.0.link.session_at_home().ok()?;
        let counting = named::count(self.node(), &session, names, tags);
        tokio::time::timeout(named::COUNTED_WITHIN, counting).await.ok()?.ok()?
    }

    /// What every key begins with.
    pub fn prefix(&self) -> &str {
        self.node().settings.layout.prefix()
    }

    /// Invalidates; `None` says that it was made with a call.
    async fn made(&self, change: Change<'_>) -> Result<Option<Invalidated>, Fault> {
        self.may_write()?;
        let everything = [Tag::everything()];
        let change = self.widened(change, &everything);
        let told = Invalidate::of(self.node().settings.layout.control(), &change);
        self.ends(change.mark);
        self.or_pending(Unmade::of(&change), async move |session| session.invalidate(told).await).await
    }

    /// The same, and puts an entry in its place: one atomic step. On a [`Fault`] of the whole the invalidation is pending.
    ///
    /// Dropping the future loses nothing: the work goes on in a task of its own.
    pub async fn invalidate_and_put(
        &self,
        change: Change<'_>,
        since: &Since,
        at: &EntryRef,
        entry: StoredResponse,
        otherwise: Otherwise,
    ) -> Result<(Invalidated, Result<PutOutcome, Fault>), Fault> {
        self.may_write()?;
        let everything = [Tag::everything()];
        let change = self.widened(change, &everything);
        let layout = &self.node().settings.layout;
        let keys = layout.keys(at);
        let told = Invalidate::of(layout.control(), &change.since(since));
        let both = InvalidateAndPut::of(keys, &told, &at.key, entry, otherwise);
        // Where only both may happen, or nothing, nothing is pending: whatever became of it, nothing is old that was not.
        let unmade = if otherwise == Otherwise::Nothing { Unmade::default() } else { Unmade::of(&change) };
        self.ends(change.mark);
        let since = since.token;
        let work = async move |session: Arc<Session>| match session.invalidate_and_put(both).await {
            Err(Fault::Full) if otherwise == Otherwise::Nothing => {
                Ok((Invalidated { token: since, alone: false, marked: false }, Err(Fault::Full)))
            }
            // There is no room for the entry.
            Err(Fault::Full) => Ok((session.invalidate(told).await?, Err(Fault::Full))),
            done => done,
        };
        let done = self.or_pending(unmade, work).await?;
        // Made with a call, the invalidation alone.
        let (invalidated, outcome) = done.unwrap_or_else(|| (made_later(), Err(Fault::Timeout)));
        self.node().report.stored(|| self.node().settings.url.address(), &outcome);
        Ok((invalidated, outcome))
    }

    /// Holds what a write of unknown outcome may have changed: one atomic step. On a [`Fault`] its invalidation is pending.
    ///
    /// Dropping the future loses nothing: the work goes on in a task of its own.
    pub async fn hold(&self, mark: &Mark) -> Result<Invalidated, Fault> {
        self.may_write()?;
        let node = self.node();
        let NodeSettings { layout, .. } = &*node.settings;
        let commit_within = Duration::from_millis(node.settings.commit_within_millis());
        let everything = Intent { held: vec![Tag::everything()], others: Vec::new() };
        let intent = if self.rules_differ() { &everything } else { &mark.intent };
        let hold = Hold::of(layout.control(), mark.id.as_deref(), intent, commit_within);
        let unmade = Unmade { mark: mark.id.clone(), hold: Some(intent.clone()), ..Unmade::default() };
        self.ends(Some(mark));
        let done = self.or_pending(unmade, async move |session| session.hold(hold).await).await?;
        Ok(done.unwrap_or_else(made_later))
    }

    /// The same about everything, while nodes have different rules: a record that is new does not say so before the next call.
    fn widened<'c>(&self, change: Change<'c>, everything: &'c [Tag]) -> Change<'c> {
        if self.rules_differ() { Change { tags: everything, ..change } } else { change }
    }

    /// From now on a mark need not be noted anew.
    fn ends(&self, mark: Option<&Mark>) {
        if let Some(id) = mark.and_then(|mark| mark.id.as_ref()) {
            self.node().writes.end(id);
        }
    }

    /// Does this in a task of its own, so that dropping the future loses nothing, and comes back when its write may be answered.
    /// If it fails, what is unmade is pending; `None` says that it was made all the same, later.
    async fn or_pending<T, W, F>(&self, unmade: Unmade, work: W) -> Result<Option<T>, Fault>
    where
        T: Send + 'static,
        W: FnOnce(Arc<Session>) -> F + Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send,
    {
        let link = Arc::clone(&self.0.link);
        let unconfirmed = Unconfirmed::new(&link.node, unmade);
        let work = tokio::spawn(async move {
            // Takes no permit: were it refused for a crowd of reads, the cache would be closed to all of them.
            let done = match link.session_at_home() {
                Ok(session) => Box::pin(work(Arc::clone(&session))).await.map(|done| (session.server, done)),
                Err(fault) => Err(fault),
            };
            match done {
                Ok((server, done)) => unconfirmed.made_by(server).await.map(|()| Some(done)),
                Err(fault) => unconfirmed.failed(fault).await.map(|()| None),
            }
        });
        work.await.unwrap_or(Err(Fault::Down))
    }

    /// Notes what a write may be about to change. Where that fails the write goes on without; or, if `when_down` refuses it, it
    /// is tried until nobody would have waited longer for the end of a write.
    ///
    /// When the future is dropped the mark may stay: it ends as that of a process that died.
    pub async fn mark(&self, intent: Intent) -> Result<Mark, Fault> {
        self.may_write()?;
        let refuses = self.when_down() == WhenDown::Refuse;
        if intent.is_empty() && !refuses {
            return Ok(Mark::unnoted(intent));
        }
        let node = self.node();
        let rules = registry::fingerprint(node.settings.rules.in_force().now());
        let (rules, within) = (std::str::from_utf8(&rules).unwrap_or_default(), node.settings.commit_within_millis());
        let (id, note) = node.writes.begin(&intent, rules, within);
        let mut under_way = UnderWay { node: Arc::clone(&self.0.link.node), id: Some(Arc::clone(&id)) };
        let until = node.control.unconfirmed_from();
        loop {
            let noted = match self.0.link.session_at_home() {
                Ok(session) => {
                    session.mark(MarkWrite::of(node.settings.layout.control(), &id, note.clone())).await.and_then(
                        // Without a lease the server may be one that the others have left.
                        |noted| if node.control.has_lease(session.server) { Ok(noted) } else { Err(Fault::Down) },
                    )
                }
                Err(fault) => Err(fault),
            };
            match noted {
                Ok(false) => node.writes.count_unnoted(),
                Err(fault) if refuses && boot_millis() >= until => return Err(fault),
                Err(_) if refuses => {
                    sleep(MARK_PAUSE).await;
                    continue;
                }
                Ok(true) | Err(_) => {}
            }
            // It may come there late, or with the next join: whoever ends it takes it out.
            under_way.id = None;
            return Ok(Mark { id: Some(id), intent });
        }
    }

    /// Ends the mark of a write that has changed nothing, in a task of its own; where that fails, with the next call.
    pub fn unmark(&self, mark: Mark) {
        let Some(id) = mark.id else { return };
        self.node().writes.end(&id);
        let node = Arc::clone(&self.0.link.node);
        let Ok(session) = self.0.link.session_at_home() else { return node.unmark_later(id) };
        let unmark = Unmark::of(node.settings.layout.control(), &id);
        tokio::spawn(async move {
            if session.unmark(unmark).await.is_err() {
                node.unmark_later(id);
            }
        });
    }

    /// As [`Store::unfinished`](super::Store::unfinished).
    pub async fn unfinished(&self, tags: &[Tag]) -> Result<Unfinished, Fault> {
        let session = self.session_or_count_miss()?;
        let NodeSettings { layout, id, rules, .. } = &*self.node().settings;
        let rules = registry::fingerprint(rules.in_force().now());
        session.unfinished(LookAround::of(layout.control(), id, rules, tags)).await
    }

    /// As [`Store::heard_within`](super::Store::heard_within).
    pub fn heard_within(&self) -> Duration {
        if self.others() == 0 { Duration::ZERO } else { self.node().settings.lease * 3 / 2 }
    }

    /// Whether hits may be given now.
    pub fn vouches(&self) -> bool {
        let Self(core) = self;
        let session = core.link.session_at_home();
        core.reads_only
            || (self.node().pending.is_empty() && session.is_ok_and(|session| self.withheld(&session).is_none()))
    }

    /// The rules in force.
    pub(in crate::store) fn rules_in_force(&self) -> Arc<InForce> {
        self.node().settings.rules.in_force()
    }

    /// Whether other nodes have other rules, so that every write has to invalidate everything.
    pub fn rules_differ(&self) -> bool {
        self.node().control.permit().rules_differ
    }

    /// Why nothing that this session reads may be given out; to be asked before it is read.
    fn withheld(&self, session: &Session) -> Option<Withheld> {
        if self.0.reads_only {
            return None;
        }
        self.node().control.permit().allows(session.server, boot_millis()).err()
    }

    /// What happens to writes while it cannot be reached.
    pub fn when_down(&self) -> WhenDown {
        self.node().settings.when_down
    }

    /// How many other nodes share it, as far as this process knows.
    pub fn others(&self) -> usize {
        self.node().control.others()
    }

    /// Whether a write may be forwarded now.
    pub fn admits_writes(&self) -> bool {
        let Self(core) = self;
        self.when_down() == WhenDown::Forward
            || core.link.session_at_home().is_ok()
            || boot_millis() < self.node().control.unconfirmed_from()
    }

    fn may_write(&self) -> Result<(), Fault> {
        let refused = || Fault::Refused("it was attached for reading".to_owned());
        if self.0.reads_only { Err(refused()) } else { Ok(()) }
    }

    /// Does it, and counts how long that took, or why it was not done.
    pub(in crate::store) async fn timed<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let took = Stopwatch::start();
        let done = work.await;
        let micros = u64::try_from(took.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.node().operations.record(operation, micros, done.as_ref().err().map(Fault::kind));
        done
    }

    fn node(&self) -> &RedisNode {
        &self.0.link.node
    }

    /// The session to read and store with. There is none while invalidations of this process are pending; whoever finds none
    /// is counted among those who went without Redis.
    fn session_or_count_miss(&self) -> Result<Arc<Session>, Fault> {
        let session = match self {
            Self(core) if core.reads_only => core.link.session(),
            Self(core) if self.node().pending.is_empty() => core.link.session_at_home(),
            Self(_) => Err(Fault::Down),
        };
        session.inspect_err(|_| self.node().report.missed())
    }
}

/// A write that is being noted: where it is not forwarded after all, it is under way no more.
struct UnderWay {
    node: Arc<RedisNode>,
    /// None once it is.
    id: Option<Arc<str>>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.node.writes.end(&id);
            self.node.unmark_later(id);
        }
    }
}

/// An epoch that no record has: nothing is ever put under it.
fn no_token() -> Token {
    Token { epoch: fresh_epoch(), seq: 0 }
}

/// What is known of an invalidation that was made with a call.
fn made_later() -> Invalidated {
    Invalidated { token: no_token(), alone: false, marked: false }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.supervisor.abort();
        self.link.node.report.ends(self.link.withdraw());
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let session = self.0.link.session().is_ok();
        out.debug_struct("Redis")
            .field("url", &self.node().settings.url)
            .field("session", &session)
            .finish_non_exhaustive()
    }
}
