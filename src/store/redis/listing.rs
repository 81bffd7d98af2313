//! What is stored in Redis: a scan for a person, in bounded steps.

use bytes::Bytes;
use fred::types::Value;

use super::codec::{VERSION, json, read};
use super::layout::{Record, record_fields, text};
use super::node::RedisNode;
use super::session::Session;
use crate::clock::Clock;
use crate::store::core::Fault;
use crate::store::entry::StoredResponse;
use crate::store::listing::{Listing, MOST, StoredEntry};

/// So many steps are taken at the most, each past about so many keys of whatever kind.
const STEPS: usize = 100;
const KEYS_A_STEP: u32 = 500;

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
fn listed(meta: &[Value]) -> Option<(&str, &str, StoredResponse, u64)> {
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
