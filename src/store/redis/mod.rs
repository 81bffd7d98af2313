//! The store in a Redis that many nodes share.
//!
//! An entry is two keys and the app's record is one (`layout`, `codec`). Reads are plain commands in one round trip; what has to
//! be atomic runs as a script inside Redis (`scripts`). Each core has a session of its own (`link`), which a task keeps up
//! (`supervisor`, `connect`). An invalidation that Redis did not confirm is owed by the whole process (`owed`), which
//! reads nothing from Redis until it is paid.

mod about;
mod codec;
mod connect;
#[cfg(fuzzing)]
pub mod fuzzing;
mod layout;
mod link;
mod owed;
mod report;
mod scripts;
mod stack;
mod supervisor;
mod url;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fred::types::Value;
use tokio::task::AbortHandle;

use self::codec::{Content, Unfit};
pub use self::layout::key_name;
use self::layout::{Keys, Layout, Record, record_fields, write_epoch, write_token};
use self::link::{Link, Session};
use self::owed::Owed;
use self::report::Report;
pub use self::url::RedisUrl;
use super::core::{Fault, Invalidated, Otherwise, PutOutcome, Since, Token, WhenDown, fresh_epoch};
use super::entry::{Expect, Kind, Lookup, Overtaken, StoredResponse};
use crate::rules::{EntryRef, Tag};

/// An entry is never kept for a shorter time, nor for a longer one.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// What the cores of this process have in common about one Redis.
pub struct RedisNode {
    url: RedisUrl,
    layout: Layout,
    timeout: Duration,
    when_down: WhenDown,
    owed: Owed,
    report: Report,
    unsound: AtomicU64,
}

impl RedisNode {
    /// Sets up what the cores share. Opens no connection.
    pub fn new(url: RedisUrl, prefix: &str, timeout: Duration, when_down: WhenDown) -> Self {
        Self {
            url,
            layout: Layout::new(prefix),
            timeout,
            when_down,
            owed: Owed::default(),
            report: Report::default(),
            unsound: AtomicU64::new(0),
        }
    }

    /// How large a stack a thread with a session needs, in bytes, where there are so many of them.
    pub(super) fn stack_bytes(threads: usize) -> usize {
        stack::stack_bytes(threads)
    }

    /// Tells the log which troubles are over.
    fn tell_what_ended(&self) {
        self.report.look(&self.url.address(), self.owed.is_empty());
    }

    /// How many entries were there and could not be used: half missing, changed by somebody else, or of another version.
    pub fn unsound(&self) -> u64 {
        self.unsound.load(Ordering::Relaxed)
    }
}

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
        let supervisor = tokio::spawn(supervisor::supervise(Arc::clone(&link))).abort_handle();
        Self(Arc::new(Core { link, supervisor, reads_only: false }))
    }

    /// A store to look into, with one session that is never opened again. The error says why there is none.
    pub async fn attach_reader(node: &Arc<RedisNode>) -> Result<Self, String> {
        let (session, mut connection) = connect::open(node, false).await.map_err(|why| why.to_string())?;
        let link = Arc::new(Link::new(Arc::clone(node)));
        link.publish(Arc::new(session));
        let supervisor = tokio::spawn(async move { drop(connection.ended().await) }).abort_handle();
        Ok(Self(Arc::new(Core { link, supervisor, reads_only: true })))
    }

    /// Reads the entry of a place, and the token that a fill begun now has to carry.
    ///
    /// An entry that is not sound is a miss. Dropping the future loses nothing.
    pub async fn lookup(&self, place: &EntryRef) -> Result<Lookup, Fault> {
        let session = self.session()?;
        let _permit = self.0.link.permit(0)?;
        let keys = self.node().layout.keys(place);
        let [body, meta, record] = session.read(&keys, record_fields(&place.tags)).await?;
        let entry = self.decode(place, body, meta);
        let record = record.and_then(|values| Record::decode(&values.into_array(), &session.replid));
        let (token, entry, invalidated) = match (record, entry) {
            // An epoch that no record has: nothing is ever kept under it.
            (None, entry) if self.0.reads_only => (Token { epoch: fresh_epoch(), seq: 0 }, None, entry.is_some()),
            (None, entry) => {
                let token = session.renew(keys.record).await;
                self.node().report.stored(|| self.node().url.address(), &token);
                (token?, None, entry.is_some())
            }
            (Some(record), None) => (record.now, None, false),
            (Some(record), Some(entry)) => {
                let valid =
                    record.spares(entry.token) && spares_more(&session, keys.record, record, &entry, place).await?;
                (record.now, valid.then(|| Arc::new(entry)), !valid)
            }
        };
        Ok(Lookup { token, entry, invalidated })
    }

    /// The entry of a place whose tags, or whose record, are no longer as they were under its token.
    pub async fn overtaken(&self, place: &EntryRef) -> Result<Option<Overtaken>, Fault> {
        let session = self.session()?;
        let keys = self.node().layout.keys(place);
        let [body, meta, _] = session.read(&keys, record_fields([])).await?;
        let Some(entry) = self.decode(place, body, meta) else { return Ok(None) };
        let values = session.read_record(keys.record, record_fields(&entry.tags)).await?;
        let values = values.map(Value::into_array).unwrap_or_default();
        let by = Record::raised(&values, &session.replid, entry.token, &entry.tags);
        let record_lost = by.is_none();
        Ok(Some(Overtaken { entry: Arc::new(entry), by: by.unwrap_or_default(), record_lost }))
    }

    /// Keeps an entry unless its token says that it may be old, or something else is there than what it is built upon:
    /// one atomic step.
    ///
    /// When the future is dropped the entry may or may not be kept; either is safe.
    pub async fn put(&self, place: &EntryRef, entry: Arc<StoredResponse>, upon: &Expect) -> Result<PutOutcome, Fault> {
        self.may_write()?;
        let session = self.session()?;
        let _permit = self.0.link.permit(entry.body.len())?;
        let head = [write_epoch(entry.token.epoch), entry.token.seq.to_string(), life(&entry)];
        let head = head.into_iter().map(Bytes::from).chain([entry.body.clone()]);
        let Content { version, key, tags, fields, about, hash } = Content::of(&place.key, &entry);
        let content = [version, key, write_token(entry.token).into(), tags, fields, about, hash];
        let index = flag(entry.kind == Kind::VaryIndex);
        let args = head.chain(content).chain([index]).chain(beneath(place, &entry, upon));
        let kept = session.put(self.node().layout.keys(place), args).await;
        self.node().report.stored(|| self.node().url.address(), &kept);
        let kept = kept?;
        match kept.as_str() {
            "stored" => Ok(PutOutcome::Stored),
            "raced" => Ok(PutOutcome::RacedWrite),
            "newer" => Ok(PutOutcome::NewerFill),
            "gone" => Ok(PutOutcome::Gone),
            _ => Err(Fault::Refused(format!("a script answered {kept}"))),
        }
    }

    /// Makes everything with one of these tags old: one atomic step. On a [`Fault`] the tags are owed.
    ///
    /// Dropping the future loses nothing: the work goes on in a task of its own.
    pub async fn invalidate(&self, tags: &[Tag], since: Option<&Since>) -> Result<Invalidated, Fault> {
        self.may_write()?;
        let link = Arc::clone(&self.0.link);
        let promise = Promise { node: Arc::clone(&link.node), tags: tags.to_vec(), fault: Some(Fault::Down) };
        let since = since.cloned();
        let work = tokio::spawn(async move {
            // Takes no permit: were it refused for a crowd of reads, the debt would close the cache to all of them.
            let finished = match link.session() {
                Ok(session) => {
                    let record = link.node.layout.record();
                    session.invalidate(record, false, &promise.tags, since.as_ref()).await
                }
                Err(fault) => Err(fault),
            };
            promise.settle(finished.as_ref().err());
            finished
        });
        work.await.unwrap_or(Err(Fault::Down))
    }

    /// Makes everything with one of these tags old and puts an entry in its place: one atomic step. On a [`Fault`] of the
    /// whole the tags are owed.
    ///
    /// Dropping the future loses nothing: the work goes on in a task of its own.
    pub async fn invalidate_and_put(
        &self,
        tags: &[Tag],
        since: &Since,
        place: &EntryRef,
        entry: StoredResponse,
        otherwise: Otherwise,
    ) -> Result<(Invalidated, Result<PutOutcome, Fault>), Fault> {
        self.may_write()?;
        let link = Arc::clone(&self.0.link);
        let promise = Promise { node: Arc::clone(&link.node), tags: tags.to_vec(), fault: Some(Fault::Down) };
        let keys = self.node().layout.keys(place);
        let Content { version, key, tags: own, fields, about, hash } = Content::of(&place.key, &entry);
        let put = [life(&entry).into(), entry.body, version, key, own, fields, about, hash];
        let since = since.clone();
        let work = tokio::spawn(async move {
            let done = match link.session() {
                Ok(session) => invalidate_and_put(&session, keys, &promise.tags, &since, otherwise, put).await,
                Err(fault) => Err(fault),
            };
            // Where only both may happen, or nothing, nothing is owed: whatever became of it, nothing is old that was not.
            promise.settle(done.as_ref().err().filter(|_| otherwise != Otherwise::Nothing));
            done
        });
        let done = work.await.unwrap_or(Err(Fault::Down));
        if let Ok((_, kept)) = &done {
            self.node().report.stored(|| self.node().url.address(), kept);
        }
        done
    }

    /// Whether a write may be forwarded now.
    pub fn admits_writes(&self) -> bool {
        self.node().when_down == WhenDown::Forward || self.session().is_ok()
    }

    fn may_write(&self) -> Result<(), Fault> {
        let refused = || Fault::Refused("it was attached for reading".to_owned());
        if self.0.reads_only { Err(refused()) } else { Ok(()) }
    }

    fn node(&self) -> &RedisNode {
        &self.0.link.node
    }

    /// The session to read and store with. There is none while this process owes invalidations.
    fn session(&self) -> Result<Arc<Session>, Fault> {
        let session = if self.node().owed.is_empty() { self.0.link.session() } else { Err(Fault::Down) };
        session.inspect_err(|_| self.node().report.missed())
    }

    /// The entry that two replies make up; nothing where there is none or it is not sound. `None` for a reply says that
    /// the key holds another type.
    fn decode(&self, place: &EntryRef, body: Option<Value>, meta: Option<Value>) -> Option<StoredResponse> {
        let meta = meta.map(Value::into_array);
        let absent =
            matches!(body, Some(Value::Null)) && meta.as_ref().is_some_and(|meta| meta.iter().all(Value::is_null));
        if absent {
            return None;
        }
        let decoded = body.zip(meta).ok_or(Unfit::Unsound);
        let decoded = decoded.and_then(|(body, meta)| codec::decode(&place.key, &body, &meta));
        if matches!(decoded, Err(Unfit::Unsound)) {
            self.node().unsound.fetch_add(1, Ordering::Relaxed);
        }
        decoded.ok()
    }
}

/// How long Redis keeps an entry, in milliseconds.
fn life(entry: &StoredResponse) -> String {
    entry.useful_for().clamp(SHORTEST_LIFE, LONGEST_LIFE).as_millis().to_string()
}

/// Both in one step; the invalidation alone where Redis has no room for the entry, if that is what is asked for.
async fn invalidate_and_put(
    session: &Session,
    keys: Keys,
    tags: &[Tag],
    since: &Since,
    otherwise: Otherwise,
    put: [Bytes; 8],
) -> Result<(Invalidated, Result<PutOutcome, Fault>), Fault> {
    let record = keys.record.clone();
    match session.invalidate_and_put(keys, tags, since, otherwise, put).await {
        Err(Fault::Full) if otherwise == Otherwise::Nothing => {
            Ok((Invalidated { token: since.token, alone: false }, Err(Fault::Full)))
        }
        Err(Fault::Full) => Ok((session.invalidate(record, false, tags, Some(since)).await?, Err(Fault::Full))),
        done => done,
    }
}

/// What an entry is built upon, as the script takes it.
fn beneath(place: &EntryRef, entry: &StoredResponse, upon: &Expect) -> Vec<Bytes> {
    match upon {
        Expect::Any => vec!["anything".into()],
        Expect::Absent => vec!["nothing".into()],
        Expect::Entry(beneath) => {
            // A person may have put another body there. Where it was to stay as it is, the script can see that.
            let same_body = flag(beneath.body == entry.body);
            [Bytes::from("entry")].into_iter().chain(codec::identity(&place.key, beneath)).chain([same_body]).collect()
        }
    }
}

fn flag(set: bool) -> Bytes {
    Bytes::from_static(if set { b"1" } else { b"0" })
}

/// Whether the tags that only the response has named spare the entry too.
async fn spares_more(
    session: &Session,
    key: Bytes,
    first: Record,
    entry: &StoredResponse,
    place: &EntryRef,
) -> Result<bool, Fault> {
    let more: Vec<&Tag> = entry.tags.iter().filter(|tag| !place.tags.contains(tag)).collect();
    if more.is_empty() {
        return Ok(true);
    }
    let values = session.read_record(key, record_fields(more)).await?;
    let record = values.and_then(|values| Record::decode(&values.into_array(), &session.replid));
    // A record that was lost between the two reads forgot the tags of both.
    Ok(record.is_some_and(|record| record.now.epoch == first.now.epoch && record.spares(entry.token)))
}

/// An invalidation under way. However it ends, it is either applied or owed.
struct Promise {
    node: Arc<RedisNode>,
    tags: Vec<Tag>,
    /// What kept it from being applied, as far as is known.
    fault: Option<Fault>,
}

impl Promise {
    fn settle(mut self, fault: Option<&Fault>) {
        self.fault = fault.cloned();
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(fault) = self.fault.take() {
            self.node.owed.add(&self.tags);
            self.node.report.owes(&fault);
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.supervisor.abort();
        self.link.node.report.ends(self.link.withdraw());
    }
}

impl fmt::Debug for RedisNode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("RedisNode").field("url", &self.url).field("owed", &self.owed).finish_non_exhaustive()
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let session = self.0.link.session().is_ok();
        out.debug_struct("Redis").field("url", &self.node().url).field("session", &session).finish_non_exhaustive()
    }
}
