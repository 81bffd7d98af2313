//! What Redis has for a read: a copy of ours that it says is still good, or the entry in full.

use std::sync::Arc;

use bytes::Bytes;
use fred::types::Value;

use super::batch::Validated;
use super::codec::{self, Unfit};
use super::copies::EntryCopy;
use super::layout::{Keys, Record, record_fields};
use super::node::RedisNode;
use super::session::Session;
use crate::clock::{Clock, Millis};
use crate::rules::{EntryRef, Tag};
use crate::store::core::{Fault, Token, fresh_epoch};
use crate::store::entry::{Lookup, StoredResponse};

/// Reads the entry at a key, and the token that a fill begun now has to carry.
///
/// The record is read after the entry, and both after this has begun. Who `reads_only` is given no copy and makes no record.
pub(super) async fn lookup(
    node: &RedisNode,
    session: &Arc<Session>,
    at: &EntryRef,
    reads_only: bool,
) -> Result<Lookup, Fault> {
    let (record, now) = (node.settings.layout.record(), Clock::System.ticks());
    let mut copy = if reads_only { None } else { node.copies.find(at) };
    if let Some(trusted) = copy.take_if(|copy| copy.is_trusted(now)) {
        let Validated { is_there, record } = session.validate(&trusted, record).await?;
        if is_there {
            return of_copy(node, session, record, &trusted).await;
        }
        node.copies.remove(at);
    }
    // Boxed, as those of the client: they are large, and most lookups end above.
    Box::pin(in_full(node, session, at, copy, now, reads_only)).await
}

/// The same without trust in the copy that there is.
async fn in_full(
    node: &RedisNode,
    session: &Session,
    at: &EntryRef,
    mut copy: Option<Arc<EntryCopy>>,
    now: Millis,
    reads_only: bool,
) -> Result<Lookup, Fault> {
    let keys = node.settings.layout.keys(at);
    let asked: &[Tag] = copy.as_ref().map_or(&at.tags, |copy| &copy.entry.tags);
    let (mut there, mut record) = read(node, session, at, &keys, asked).await?;
    if copy.take_if(|copy| there.as_ref().is_none_or(|(_, sum)| copy.sum != sum)).is_some() {
        // The record was asked about the tags of another entry. One of them may be held, which says nothing of this one.
        node.copies.remove(at);
        (there, record) = read(node, session, at, &keys, &at.tags).await?;
    }
    match (record, there) {
        // An epoch that no record has: nothing is ever put under it.
        (None, there) if reads_only => Ok(nothing(Token { epoch: fresh_epoch(), seq: 0 }, there.is_some())),
        (None, there) => Ok(nothing(renew(node, session).await?, there.is_some())),
        (Some(record), None) => Ok(nothing(record.now, false)),
        (Some(record), Some((entry, sum))) => {
            let asked: &[Tag] = copy.as_ref().map_or(&at.tags, |copy| &copy.entry.tags);
            let Some(soft) = judge(session, node.settings.layout.record(), record, &entry, asked).await? else {
                return Ok(nothing(record.now, true));
            };
            let entry = if reads_only { entry.into() } else { node.copies.insert_read(at, &keys, entry, &sum, now) };
            Ok(Lookup { entry: Some(entry), soft, ..nothing(record.now, false) })
        }
    }
}

/// An entry in full with its sum, and the record with these tags.
async fn read(
    node: &RedisNode,
    session: &Session,
    at: &EntryRef,
    keys: &Keys,
    tags: &[Tag],
) -> Result<(Option<(StoredResponse, Bytes)>, Option<Record>), Fault> {
    let [body, meta, record] = session.read(keys, node.settings.layout.record(), record_fields(tags)).await?;
    let record = record.and_then(|values| Record::decode(&values.into_array(), &session.replid));
    Ok((decode(node, at, body, meta), record))
}

/// A copy that is of what Redis has, as far as the record spares it.
async fn of_copy(
    node: &RedisNode,
    session: &Session,
    record: Option<Record>,
    copy: &EntryCopy,
) -> Result<Lookup, Fault> {
    let Some(record) = record else { return Ok(nothing(renew(node, session).await?, true)) };
    if !record.spares(copy.entry.token) {
        return Ok(nothing(record.now, true));
    }
    node.copies.count_validated();
    let soft = record.softens(copy.entry.token);
    Ok(Lookup { entry: Some(copy.entry.clone()), soft, ..nothing(record.now, false) })
}

fn nothing(token: Token, invalidated: bool) -> Lookup {
    Lookup { token, entry: None, invalidated, withheld: None, soft: false }
}

/// Makes the record that is missing.
async fn renew(node: &RedisNode, session: &Session) -> Result<Token, Fault> {
    let token = session.renew(node.settings.layout.control()).await;
    node.report.stored(|| node.settings.url.address(), &token);
    token
}

/// The entry that two replies make up, and the sum of its meta; nothing where there is none or it is not sound. `None` for
/// a reply says that the key holds another type.
pub(super) fn decode(
    node: &RedisNode,
    at: &EntryRef,
    body: Option<Value>,
    meta: Option<Value>,
) -> Option<(StoredResponse, Bytes)> {
    let meta = meta.map(Value::into_array);
    let absent = matches!(body, Some(Value::Null)) && meta.as_ref().is_some_and(|meta| meta.iter().all(Value::is_null));
    if absent {
        return None;
    }
    let decoded = body.zip(meta).ok_or(Unfit::Unsound);
    let decoded = decoded.and_then(|(body, meta)| codec::decode(&at.key, &body, &meta));
    if matches!(decoded, Err(Unfit::Unsound)) {
        node.count_unsound();
    }
    decoded.ok()
}

/// Whether an entry was softly invalidated after its token; nothing where it was invalidated. The tags that were not asked for,
/// which only the response has named, are asked for where the others spare it.
async fn judge(
    session: &Session,
    key: &Bytes,
    first: Record,
    entry: &StoredResponse,
    asked: &[Tag],
) -> Result<Option<bool>, Fault> {
    let more: Vec<&Tag> = entry.tags.iter().filter(|tag| !asked.contains(tag)).collect();
    let mut softens = first.softens(entry.token);
    if !first.spares(entry.token) {
        return Ok(None);
    }
    if !more.is_empty() {
        let values = session.read_record(key, record_fields(more)).await?;
        let record = values.and_then(|values| Record::decode(&values.into_array(), &session.replid));
        // A record that was lost between the two reads lost the tags of both.
        let record = record.filter(|record| record.now.epoch == first.now.epoch && record.spares(entry.token));
        let Some(record) = record else { return Ok(None) };
        softens |= record.softens(entry.token);
    }
    Ok(Some(softens))
}
