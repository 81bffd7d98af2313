//! Lookup: what the store has for a read.

use std::sync::Arc;

use super::asked::{Asked, Resource, Seen};
use super::variants::Index;
use crate::rules::{Tag, WriteTarget};
use crate::store::{Fault, Kind, Lookup, Store, StoredResponse};

/// Asks the store; a second time where the answers vary by fields that only the response named.
///
/// A store that was attached for reading is not changed by it.
pub(super) async fn lookup(store: &Store, asked: &Asked) -> Result<Seen, Fault> {
    let first = store.lookup(&asked.resource.at).await?;
    let entry = match &first.entry {
        Some(index) if index.kind == Kind::VaryIndex => return variant(store, asked, &first, index).await,
        None if asked.resource.has_write_policy() => written_or_around(store, &asked.resource).await?,
        entry => entry.clone(),
    };
    Ok(Seen { entry, invalidated: first.invalidated, ..Seen::nothing(first.token) })
}

/// The same where the store answers at once and with the first lookup; `None` where it does not.
pub(super) fn lookup_now(store: &Store, asked: &Asked) -> Option<Seen> {
    let Lookup { token, entry, invalidated, .. } = store.lookup_now(&asked.resource.at)?;
    match &entry {
        Some(index) if index.kind == Kind::VaryIndex => None,
        None if asked.resource.has_write_policy() => None,
        _ => Some(Seen { entry, invalidated, ..Seen::nothing(token) }),
    }
}

/// What the index that the first lookup found leads to.
async fn variant(store: &Store, asked: &Asked, first: &Lookup, entry: &Arc<StoredResponse>) -> Result<Seen, Fault> {
    let index = Index::of(entry);
    let mut seen = Seen::nothing(first.token);
    if let Some(index) = &index
        && let (Some(slot), id) = index.selected(&asked.request, asked.choices().any_order)
    {
        let second = store.lookup(&asked.resource.at.variant(slot, &id)).await?;
        seen.invalidated = second.invalidated;
        seen.entry = second.entry.filter(|entry| entry.tags.contains(&Tag::variant(&id)));
    }
    seen.vary_miss = seen.entry.is_none();
    seen.index = index.map(Arc::new);
    Ok(seen)
}

/// What a write policy left where a read finds no entry of its own: the written entry, or a `write.around` marker.
async fn written_or_around(store: &Store, resource: &Resource) -> Result<Option<Arc<StoredResponse>>, Fault> {
    if let Some(written) = resource.written() {
        let written = store.lookup(&written).await?.entry.filter(|entry| entry.kind.is_written());
        if written.is_some() {
            return Ok(written);
        }
    }
    if !resource.offers(WriteTarget::Around) {
        return Ok(None);
    }
    Ok(store.lookup(&resource.around()).await?.entry)
}
