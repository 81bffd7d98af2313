//! The store in a Redis that many nodes share.
//!
//! An entry is two keys and the app's record is one (`layout`, `codec`). Reads are plain commands in one round trip; what has to
//! be atomic runs as a script inside Redis (`scripts`). Each core has a session of its own (`session`), which a task keeps up
//! (`supervisor`). An invalidation that Redis did not confirm is pending for the whole process (`pending`), which reads
//! nothing from Redis until it has been made.

mod codec;
mod connect;
mod layout;
mod node;
mod outage;
mod pending;
mod report;
mod scripts;
mod session;
mod supervisor;
mod url;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use fred::types::Value;
use tokio::task::AbortHandle;

use self::codec::Unfit;
use self::layout::{Record, record_fields};
use self::scripts::{Invalidate, InvalidateAndPut, Put};
use self::session::Session;
use self::supervisor::{Link, supervise};
use super::change::{Change, Intent, Mark};
use super::core::{Fault, Invalidated, Otherwise, PutOutcome, Since, Token, WhenDown, fresh_epoch};
use super::entry::{Expect, Lookup, Overtaken, StoredResponse};
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
        let keys = self.node().layout.keys(at);
        let [body, meta, record] = session.read(&keys, record_fields(&at.tags)).await?;
        let entry = self.decode(at, body, meta);
        let record = record.and_then(|values| Record::decode(&values.into_array(), &session.replid));
        let (token, entry, invalidated) = match (record, entry) {
            // An epoch that no record has: nothing is ever put under it.
            (None, entry) if self.0.reads_only => (Token { epoch: fresh_epoch(), seq: 0 }, None, entry.is_some()),
            (None, entry) => {
                let token = session.renew(keys.record).await;
                self.node().report.stored(|| self.node().url.address(), &token);
                (token?, None, entry.is_some())
            }
            (Some(record), None) => (record.now, None, false),
            (Some(record), Some(entry)) => {
                let valid =
                    record.spares(entry.token) && spares_more(&session, keys.record, record, &entry, at).await?;
                (record.now, valid.then(|| Arc::new(entry)), !valid)
            }
        };
        Ok(Lookup { token, entry, invalidated, withheld: None, soft: false })
    }

    /// The entry at a key whose tags, or whose record, are no longer as they were under its token.
    pub async fn overtaken(&self, at: &EntryRef) -> Result<Option<Overtaken>, Fault> {
        let session = self.session_or_count_miss()?;
        let keys = self.node().layout.keys(at);
        let [body, meta, _] = session.read(&keys, record_fields([])).await?;
        let Some(entry) = self.decode(at, body, meta) else { return Ok(None) };
        let values = session.read_record(keys.record, record_fields(&entry.tags)).await?;
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
        let outcome = session.put(Put::of(self.node().layout.keys(at), &at.key, &entry, expect)).await;
        self.node().report.stored(|| self.node().url.address(), &outcome);
        outcome
    }

    /// Invalidates everything that has one of these tags: one atomic step. On a [`Fault`] that is pending.
    ///
    /// Dropping the future loses nothing: the work goes on in a task of its own.
    pub async fn invalidate(&self, change: Change<'_>) -> Result<Invalidated, Fault> {
        let Change { tags, since, .. } = change;
        self.may_write()?;
        let link = Arc::clone(&self.0.link);
        let unconfirmed = Unconfirmed { node: Arc::clone(&link.node), tags: tags.to_vec(), fault: Some(Fault::Down) };
        let since = since.cloned();
        let work = tokio::spawn(async move {
            // Takes no permit: were it refused for a crowd of reads, the cache would be closed to all of them.
            let done = match link.session() {
                Ok(session) => {
                    let record = link.node.layout.record();
                    session.invalidate(Invalidate::of(record, false, &unconfirmed.tags, since.as_ref())).await
                }
                Err(fault) => Err(fault),
            };
            unconfirmed.settle(done.as_ref().err());
            done
        });
        work.await.unwrap_or(Err(Fault::Down))
    }

    /// Invalidates everything that has one of these tags and puts an entry in its place: one atomic step. On a [`Fault`] of
    /// the whole the invalidation is pending.
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
        let tags = change.tags;
        self.may_write()?;
        let link = Arc::clone(&self.0.link);
        let unconfirmed = Unconfirmed { node: Arc::clone(&link.node), tags: tags.to_vec(), fault: Some(Fault::Down) };
        let keys = self.node().layout.keys(at);
        let both = InvalidateAndPut::of(keys, tags, since, &at.key, entry, otherwise);
        let since = since.clone();
        let work = tokio::spawn(async move {
            let done = match link.session() {
                Ok(session) => invalidate_and_put(&session, both, &unconfirmed.tags, &since, otherwise).await,
                Err(fault) => Err(fault),
            };
            // Where only both may happen, or nothing, nothing is pending: whatever became of it, nothing is old that was not.
            unconfirmed.settle(done.as_ref().err().filter(|_| otherwise != Otherwise::Nothing));
            done
        });
        let done = work.await.unwrap_or(Err(Fault::Down));
        if let Ok((_, outcome)) = &done {
            self.node().report.stored(|| self.node().url.address(), outcome);
        }
        done
    }

    /// Notes what a write may be about to change.
    #[allow(clippy::unused_async, reason = "it will ask Redis")]
    pub async fn mark(&self, intent: Intent) -> Result<Mark, Fault> {
        if self.admits_writes() { Ok(Mark::unnoted(intent)) } else { Err(Fault::Down) }
    }

    /// Ends the mark of a write that has changed nothing.
    #[allow(clippy::unused_self, clippy::needless_pass_by_value, reason = "it will tell Redis")]
    pub fn unmark(&self, mark: Mark) {
        drop(mark.id);
    }

    /// Invalidates what a write of unknown outcome may have changed.
    pub async fn hold(&self, mark: &Mark) -> Result<Invalidated, Fault> {
        self.invalidate(Change::of(&mark.intent.tags())).await
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

    /// The entry that two replies make up; nothing where there is none or it is not sound. `None` for a reply says that
    /// the key holds another type.
    fn decode(&self, at: &EntryRef, body: Option<Value>, meta: Option<Value>) -> Option<StoredResponse> {
        let meta = meta.map(Value::into_array);
        let absent =
            matches!(body, Some(Value::Null)) && meta.as_ref().is_some_and(|meta| meta.iter().all(Value::is_null));
        if absent {
            return None;
        }
        let decoded = body.zip(meta).ok_or(Unfit::Unsound);
        let decoded = decoded.and_then(|(body, meta)| codec::decode(&at.key, &body, &meta));
        if matches!(decoded, Err(Unfit::Unsound)) {
            self.node().count_unsound();
        }
        decoded.ok()
    }
}

/// Both in one step; the invalidation alone where Redis has no room for the entry, if that is what is asked for.
async fn invalidate_and_put(
    session: &Session,
    both: InvalidateAndPut,
    tags: &[Tag],
    since: &Since,
    otherwise: Otherwise,
) -> Result<(Invalidated, Result<PutOutcome, Fault>), Fault> {
    let record = both.record_key.clone();
    match session.invalidate_and_put(both).await {
        Err(Fault::Full) if otherwise == Otherwise::Nothing => {
            Ok((Invalidated { token: since.token, alone: false }, Err(Fault::Full)))
        }
        Err(Fault::Full) => {
            let alone = Invalidate::of(record, false, tags, Some(since));
            Ok((session.invalidate(alone).await?, Err(Fault::Full)))
        }
        done => done,
    }
}

/// Whether the tags that only the response has named spare the entry too.
async fn spares_more(
    session: &Session,
    key: Bytes,
    first: Record,
    entry: &StoredResponse,
    at: &EntryRef,
) -> Result<bool, Fault> {
    let more: Vec<&Tag> = entry.tags.iter().filter(|tag| !at.tags.contains(tag)).collect();
    if more.is_empty() {
        return Ok(true);
    }
    let values = session.read_record(key, record_fields(more)).await?;
    let record = values.and_then(|values| Record::decode(&values.into_array(), &session.replid));
    // A record that was lost between the two reads lost the tags of both.
    Ok(record.is_some_and(|record| record.now.epoch == first.now.epoch && record.spares(entry.token)))
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
        if let Some(fault) = self.fault.take() {
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
