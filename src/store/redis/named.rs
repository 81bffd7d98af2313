//! How many entries a purge by key or URL hits, as far as a few keys tell: those under which they lie for most clients.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use fred::types::Value;
use futures_util::future::try_join_all;

use super::layout::{Record, record_fields};
use super::listing::listed;
use super::node::RedisNode;
use super::session::Session;
use crate::rules::Tag;
use crate::store::core::Fault;
use crate::store::entry::StoredResponse;

/// So many names are looked at: one, unless a key is written with a host or a digest behind it.
const MOST_NAMES: usize = 4;
/// What lies beside an answer that a plain client gets by http. What request fields select has a digest that nobody can guess,
/// and another host's entries bear its name.
const BESIDE: [&str; 4] = ["", "#https", "#part", "#https#part"];
/// Nobody waits longer for what only a person wants to know.
pub(super) const COUNTED_WITHIN: Duration = Duration::from_millis(100);

/// How many of the entries under these names have one of these sorted tags and can be given out. It is asked before the tags are
/// invalidated, and what it asks later is about others.
pub(super) async fn count(
    node: &RedisNode,
    session: &Session,
    names: &[String],
    tags: &[Tag],
) -> Result<Option<u64>, Fault> {
    let layout = &node.settings.layout;
    let keys = names.iter().take(MOST_NAMES).flat_map(|name| BESIDE.map(|beside| layout.meta_of(name, beside)));
    // What one name has at its end another one may add.
    let keys: BTreeSet<Bytes> = keys.collect();
    let metas = try_join_all(keys.into_iter().map(|key| session.read_meta(key)));
    let before = session.read_record(layout.record(), record_fields(tags));
    let (metas, before) = tokio::try_join!(metas, before)?;
    let before = before.map(Value::into_array).unwrap_or_default();
    let Some((head, last)) = Record::head(&before, &session.replid) else { return Ok(None) };
    let metas = metas.into_iter().flatten().map(Value::into_array);
    let entries = metas.filter_map(|meta| listed(&meta).map(|(_, _, entry, _)| entry));
    let hit: Vec<StoredResponse> = entries.filter(|entry| is_hit(entry, tags, head, last)).collect();
    let others = hit.iter().map(|entry| spares_otherwise(session, layout.record(), entry, tags));
    Ok(Some(try_join_all(others).await?.into_iter().filter(|spares| *spares).count() as u64))
}

/// Whether the entry has one of these tags, whose last invalidations these values are, and was there as far as they tell.
fn is_hit(entry: &StoredResponse, tags: &[Tag], head: Record, last: &[Value]) -> bool {
    let has = |tag: &Tag| entry.tags.contains(tag);
    let own: Vec<Value> = tags.iter().zip(last).filter(|(tag, _)| has(tag)).map(|(_, value)| value.clone()).collect();
    !own.is_empty() && head.with(&own).spares(entry.token)
}

/// Whether the tags that it has besides these spare the entry.
async fn spares_otherwise(
    session: &Session,
    record: &Bytes,
    entry: &StoredResponse,
    tags: &[Tag],
) -> Result<bool, Fault> {
    let others = record_fields(entry.tags.iter().filter(|tag| tags.binary_search(tag).is_err()));
    let values = session.read_record(record, others).await?.map(Value::into_array).unwrap_or_default();
    Ok(Record::decode(&values, &session.replid).is_some_and(|record| record.spares(entry.token)))
}
