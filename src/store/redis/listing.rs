//! What is stored in Redis: a scan for a person, in bounded steps.

use std::time::Duration;

use bytes::Bytes;
use fred::types::Value;
use futures_util::future::try_join_all;

use super::codec::{VERSION, json, read};
use super::layout::{Record, record_fields, text};
use super::node::RedisNode;
use super::session::Session;
use crate::clock::{Clock, Stopwatch};
use crate::rules::{Beginning, Tag};
use crate::store::core::Fault;
use crate::store::entry::StoredResponse;
use crate::store::found::Found;
use crate::store::listing::{Listing, MOST, StoredEntry};

/// So many steps are taken at the most, each past about so many keys of whatever kind.
const STEPS: usize = 100;
const KEYS_A_STEP: u32 = 500;
/// A purge looks at all of them, so long at the most, and at so many at once.
const LONGEST: Duration = Duration::from_secs(3);
const AT_ONCE: usize = 50;

/// Some of the entries that can be given out, of this route where one is named.
pub(super) async fn listing(
    node: &RedisNode,
    session: &Session,
    route: Option<&str>,
    limit: usize,
) -> Result<Listing, Fault> {
    let (pattern, limit) = (node.settings.layout.meta_pattern(), limit.min(MOST));
    let (mut listing, mut cursor) = (Listing::default(), "0".to_owned());
    for _ in 0..STEPS {
        let found: Vec<Bytes>;
        (cursor, found) = session.scan(cursor, pattern.clone(), KEYS_A_STEP).await?;
        for key in found {
            if listing.entries.len() == limit {
                return Ok(Listing { more: true, ..listing });
            }
            if let Some(entry) = look_at(node, session, key, route).await? {
                // A key may come twice in a scan.
                if !listing.entries.iter().any(|known| known.key == entry.key && known.route == entry.route) {
                    listing.entries.push(entry);
                }
            }
        }
        if cursor == "0" {
            return Ok(listing);
        }
    }
    Ok(Listing { more: true, ..listing })
}

/// The entries that begin so and can be given out; `None` where these are too many, or it would take too long.
pub(super) async fn beginning(
    node: &RedisNode,
    session: &Session,
    beginning: &Beginning,
) -> Result<Option<Found>, Fault> {
    let (took, pattern) = (Stopwatch::start(), node.settings.layout.meta_pattern());
    let (mut found, mut cursor) = (Found::default(), "0".to_owned());
    while took.elapsed() < LONGEST {
        let keys: Vec<Bytes>;
        (cursor, keys) = session.scan(cursor, pattern.clone(), KEYS_A_STEP).await?;
        for some in keys.chunks(AT_ONCE) {
            let looks = some.iter().map(|key| begins(node, session, key.clone(), beginning));
            for (route, name, tags) in try_join_all(looks).await?.into_iter().flatten() {
                if found.add(&route, &name, &tags).is_none() {
                    return Ok(None);
                }
            }
        }
        if cursor == "0" {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Route, name and tags of the entry with this meta key, if it begins so and can be given out.
async fn begins(
    node: &RedisNode,
    session: &Session,
    key: Bytes,
    beginning: &Beginning,
) -> Result<Option<(String, String, Vec<Tag>)>, Fault> {
    let meta = session.read_meta(key).await?.map(Value::into_array).unwrap_or_default();
    let Some((route, name, entry, _)) = listed(&meta).filter(|(route, name, ..)| beginning.covers(route, name)) else {
        return Ok(None);
    };
    let (route, name) = (route.to_owned(), name.to_owned());
    let values = session.read_record(node.settings.layout.record(), record_fields(&entry.tags)).await?;
    let record = values.and_then(|values| Record::decode(&values.into_array(), &session.replid));
    let is_there = record.is_some_and(|record| record.spares(entry.token));
    Ok(is_there.then_some((route, name, entry.tags)))
}

/// The entry with this meta key, if it can be given out and is of the route.
async fn look_at(
    node: &RedisNode,
    session: &Session,
    key: Bytes,
    route: Option<&str>,
) -> Result<Option<StoredEntry>, Fault> {
    let meta = session.read_meta(key).await?.map(Value::into_array).unwrap_or_default();
    let Some((of, name, entry, size)) = listed(&meta) else { return Ok(None) };
    if route.is_some_and(|route| route != of) {
        return Ok(None);
    }
    let values = session.read_record(node.settings.layout.record(), record_fields(&entry.tags)).await?;
    let record = values.and_then(|values| Record::decode(&values.into_array(), &session.replid));
    let record = record.filter(|record| record.spares(entry.token));
    Ok(record.map(|record| StoredEntry {
        size,
        ..StoredEntry::of(name.to_owned(), of, &entry, record.softens(entry.token), Clock::System.now())
    }))
}

/// What the meta alone says of an entry: its route, the name of its key, the entry without its body, and how long that is.
pub(super) fn listed(meta: &[Value]) -> Option<(&str, &str, StoredResponse, u64)> {
    let [version, primary, token, tags, fields, about, sum] = meta else { return None };
    // The name has no blank in it, and a route's name may.
    let (rest, name) = text(primary)?.rsplit_once(' ')?;
    let (route, _) = rest.rsplit_once(' ').filter(|_| text(version) == Some(VERSION))?;
    let mut about: serde_json::Value = serde_json::from_str(text(about)?).ok()?;
    let members = about.as_object_mut()?;
    let size = members.insert("length".to_owned(), 0.into())?.as_u64()?;
    members.remove("annotated_length");
    let about = Value::Bytes(json(&about));
    let meta = [version, primary, token, tags, fields, &about, sum].map(Clone::clone);
    Some((route, name, read(Bytes::new(), &meta)?, size))
}
