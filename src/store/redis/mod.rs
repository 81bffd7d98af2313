//! The store in a Redis that many nodes share.
//!
//! An entry is two keys and the app's record is one (`layout`, `codec`). Reads are plain commands in one round trip; what has to
//! be atomic runs as a script inside Redis (`scripts`). What was read stays in memory, for as long as Redis says that it is still
//! good (`copies`, `lookup`). Each core has a session of its own (`session`), which a task keeps up
//! (`supervisor`). An invalidation that Redis did not confirm is pending for the whole process (`pending`), which reads
//! nothing from Redis until it has been made.

mod arguments;
mod codec;
mod connect;
mod copies;
mod layout;
mod lookup;
mod node;
mod outage;
mod pending;
mod report;
mod scripts;
mod session;
mod supervisor;
mod url;
mod writes;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use fred::types::Value;
use tokio::task::AbortHandle;

use self::arguments::{Hold, Invalidate, InvalidateAndPut, MarkWrite, Put, Unmark};
use self::codec::sum;
use self::layout::{Record, record_fields};
use self::session::Session;
use self::supervisor::{Link, supervise};
use super::change::{Change, Intent, Mark};
use super::core::{Fault, Invalidated, Otherwise, PutOutcome, Since, WhenDown};
use super::entry::{Expect, Lookup, Overtaken, StoredResponse};
use crate::clock::Clock;
use crate::rules::{EntryRef, Tag};

#[cfg(fuzzing)]
pub use self::codec::fuzzing;
pub use self::layout::key_name;
pub use self::node::RedisNode;
pub use self::url::RedisUrl;

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
        node.report.begins();
        let link = Arc::new(Link::new(Arc::clone(node)));
        let supervisor = tokio::spawn(supervise(Arc::clone(&link))).abort_handle();
        Self(Arc::new(Core { link, supervisor, reads_only: false }))
    }

    /// A store to look into, with one session that is never opened again. The error says why there is none.
    pub async fn attach_reader(node: &Arc<RedisNode>) -> Result<Self, String> {
        let (session, mut connection) =
            connect::open(&node.url, node.timeout, false).await.map_err(|why| why.to_string())?;
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
        let _permit = self.0.link.permit(0)?;
        lookup::lookup(self.node(), &session, at, self.0.reads_only).await
    }

    /// The entry at a key whose tags, or whose record, are no longer as they were under its token.
    pub async fn overtaken(&self, at: &EntryRef) -> Result<Option<Overtaken>, Fault> {
        let session = self.session_or_count_miss()?;
        let keys = self.node().layout.keys(at);
        let [body, meta, _] = session.read(&keys, record_fields([])).await?;
        let Some((entry, _)) = lookup::decode(self.node(), at, body, meta) else { return Ok(None) };
        let values = session.read_record(keys.control.record, record_fields(&entry.tags)).await?;
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
        let put = Put::of(self.node().layout.keys(at), &at.key, &entry, expect);
        let (sum, now) = (sum(&put.hash, entry.token), Clock::System.ticks());
        let outcome = session.put(put).await;
        if matches!(outcome, Ok(PutOutcome::Stored)) {
            self.node().copies.insert_put(at, &entry, &sum, now);
        }
        self.node().report.stored(|| self.node().url.address(), &outcome);
        outcome
    }

    /// Invalidates everything that has one of these tags, and does what else the change says: one atomic step. On a [`Fault`] that
    /// is pending.
    ///
    /// Dropping the future loses nothing: the work goes on in a task of its own.
    pub async fn invalidate(&self, change: Change<'_>) -> Result<Invalidated, Fault> {
        self.may_write()?;
        let told = Invalidate::of(self.node().layout.control(), &change);
        self.or_pending(change.tags.to_vec(), async move |session| session.invalidate(told).await).await
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
        let keys = self.node().layout.keys(at);
        let told = Invalidate::of(keys.control.clone(), &change.since(since));
        let both = InvalidateAndPut::of(keys, &told, &at.key, entry, otherwise);
        // Where only both may happen, or nothing, nothing is pending: whatever became of it, nothing is old that was not.
        let tags = if otherwise == Otherwise::Nothing { &[] } else { change.tags };
        let since = since.token;
        let work = async move |session: Arc<Session>| match session.invalidate_and_put(both).await {
            Err(Fault::Full) if otherwise == Otherwise::Nothing => {
                Ok((Invalidated { token: since, alone: false, marked: false }, Err(Fault::Full)))
            }
            // There is no room for the entry.
            Err(Fault::Full) => Ok((session.invalidate(told).await?, Err(Fault::Full))),
            done => done,
        };
        let done = self.or_pending(tags.to_vec(), work).await;
        if let Ok((_, outcome)) = &done {
            self.node().report.stored(|| self.node().url.address(), outcome);
        }
        done
    }

    /// Holds what a write of unknown outcome may have changed: one atomic step. On a [`Fault`] its invalidation is pending.
    ///
    /// Dropping the future loses nothing: the work goes on in a task of its own.
    pub async fn hold(&self, mark: &Mark) -> Result<Invalidated, Fault> {
        self.may_write()?;
        let node = self.node();
        let hold = Hold::of(node.layout.control(), mark.id.as_deref(), &mark.intent, node.commit_within);
        self.or_pending(mark.intent.tags(), async move |session| session.hold(hold).await).await
    }

    /// Does this in a task of its own, so that dropping the future loses nothing. If it fails the invalidation of these tags
    /// is pending.
    async fn or_pending<T, W, F>(&self, tags: Vec<Tag>, work: W) -> Result<T, Fault>
    where
        T: Send + 'static,
        W: FnOnce(Arc<Session>) -> F + Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send,
    {
        let link = Arc::clone(&self.0.link);
        let unconfirmed = Unconfirmed { node: Arc::clone(&link.node), tags, fault: Some(Fault::Down) };
        let work = tokio::spawn(async move {
            // Takes no permit: were it refused for a crowd of reads, the cache would be closed to all of them.
            let done = match link.session() {
                Ok(session) => work(session).await,
                Err(fault) => Err(fault),
            };
            unconfirmed.settle(done.as_ref().err());
            done
        });
        work.await.unwrap_or(Err(Fault::Down))
    }

    /// Notes what a write may be about to change. Where that fails the write goes on without, unless `when_down` refuses it.
    ///
    /// When the future is dropped the mark may stay: it ends as that of a process that died.
    pub async fn mark(&self, intent: Intent) -> Result<Mark, Fault> {
        self.may_write()?;
        if !self.admits_writes() {
            return Err(Fault::Down);
        }
        if intent.is_empty() {
            return Ok(Mark::unnoted(intent));
        }
        let node = self.node();
        let (id, note) = node.writes.begin(&intent);
        let done = match self.0.link.session() {
            Ok(session) => session.mark(MarkWrite::of(node.layout.control(), &id, note)).await,
            Err(fault) => Err(fault),
        };
        match done {
            Ok(false) => node.writes.count_unnoted(),
            Err(fault) if node.when_down == WhenDown::Refuse => return Err(fault),
            Ok(true) | Err(_) => {}
        }
        // It may have come there late: whoever ends it takes it out then.
        let there = matches!(done, Ok(true) | Err(Fault::Timeout));
        Ok(Mark { id: there.then_some(id), intent })
    }

    /// Ends the mark of a write that has changed nothing, in a task of its own. One that stays costs a few misses once this
    /// process has ended.
    pub fn unmark(&self, mark: Mark) {
        let (Some(id), Ok(session)) = (mark.id, self.0.link.session()) else { return };
        let unmark = Unmark::of(self.node().layout.control(), &id);
        tokio::spawn(async move { drop(session.unmark(unmark).await) });
    }

    /// Whether hits may be given now.
    #[allow(clippy::unused_self, reason = "it will ask the lease")]
    pub fn vouches(&self) -> bool {
        true
    }

    /// What happens to writes while it cannot be reached.
    pub fn when_down(&self) -> WhenDown {
        self.node().when_down
    }

    /// Whether a write may be forwarded now.
    pub fn admits_writes(&self) -> bool {
        self.node().when_down == WhenDown::Forward || self.session_or_count_miss().is_ok()
    }

    fn may_write(&self) -> Result<(), Fault> {
        let refused = || Fault::Refused("it was attached for reading".to_owned());
        if self.0.reads_only { Err(refused()) } else { Ok(()) }
    }

    fn node(&self) -> &RedisNode {
        &self.0.link.node
    }

    /// The session to read and store with. There is none while invalidations of this process are pending; whoever finds none
    /// is counted among those who went without Redis.
    fn session_or_count_miss(&self) -> Result<Arc<Session>, Fault> {
        let session = if self.node().pending.is_empty() { self.0.link.session() } else { Err(Fault::Down) };
        session.inspect_err(|_| self.node().report.missed())
    }
}

/// An invalidation under way. However it ends, it is either made or pending.
struct Unconfirmed {
    node: Arc<RedisNode>,
    tags: Vec<Tag>,
    /// What kept it from being made, as far as is known.
    fault: Option<Fault>,
}

impl Unconfirmed {
    fn settle(mut self, fault: Option<&Fault>) {
        self.fault = fault.cloned();
    }
}

impl Drop for Unconfirmed {
    fn drop(&mut self) {
        if let Some(fault) = self.fault.take().filter(|_| !self.tags.is_empty()) {
            self.node.pending.add(&self.tags);
            self.node.report.pends(&fault);
        }
    }
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
        out.debug_struct("Redis").field("url", &self.node().url).field("session", &session).finish_non_exhaustive()
    }
}
