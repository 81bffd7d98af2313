//! Lookup: what the store has for a read.

use std::sync::Arc;

use super::asked::{Asked, Resource, Seen};
use super::variants::Index;
use crate::rules::{Tag, WriteTarget};
use crate::store::{Fault, Kind, Lookup, RuledStore, StoredResponse};

/// Asks the store; a second time where the answers vary by fields that only the response named.
///
/// A store that was attached for reading is not changed by it.
pub(super) async fn lookup(store: &RuledStore, asked: &Asked) -> Result<Seen, Fault> {
    let first = store.lookup(&asked.resource.at).await?;
    match &first.entry {
        Some(index) if index.kind == Kind::VaryIndex => variant(store, asked, &first, index).await,
        None if asked.resource.has_write_policy() && first.withheld.is_none() => {
            written_or_around(store, &asked.resource, &first).await
        }
        _ => Ok(seen(first)),
    }
}

/// The same where the store answers at once and with the first lookup; `None` where it does not.
pub(super) fn lookup_now(store: &RuledStore, asked: &Asked) -> Option<Seen> {
    let first = store.lookup_now(&asked.resource.at)?;
    match &first.entry {
        Some(index) if index.kind == Kind::VaryIndex => None,
        None if asked.resource.has_write_policy() => None,
        _ => Some(seen(first)),
    }
}

/// What a lookup saw; nothing of what the store does not give out.
fn seen(lookup: Lookup) -> Seen {
    let Lookup { token, entry, invalidated, withheld, soft } = lookup;
    match withheld {
        Some(why) => Seen::withheld(token, why),
        None => Seen { entry, invalidated, soft, ..Seen::nothing(token) },
    }
}

/// What the index that the first lookup found leads to.
async fn variant(
    store: &RuledStore,
    asked: &Asked,
    first: &Lookup,
    entry: &Arc<StoredResponse>,
) -> Result<Seen, Fault> {
    let index = Index::of(entry);
    let mut found = Seen::nothing(first.token);
    if let Some(index) = &index
        && let (Some(slot), id) = index.selected(&asked.request, asked.choices().any_order)
    {
        // A fill begun now carries the token from before the index was read.
        found = Seen { token: first.token, ..seen(store.lookup(&asked.resource.at.variant(slot, &id)).await?) };
        found.entry = found.entry.filter(|entry| entry.tags.contains(&Tag::variant(&id)));
    }
    found.vary_miss = found.entry.is_none();
    found.index = index.map(Arc::new);
    Ok(found)
}

/// What a write policy left where a read finds no entry of its own: the written entry, or a `write.around` marker.
async fn written_or_around(store: &RuledStore, resource: &Resource, first: &Lookup) -> Result<Seen, Fault> {
    // A fill begun now carries the token of the first lookup, and it is that one's entry that a write has invalidated.
    let as_first = |seen: Seen| Seen { token: first.token, invalidated: first.invalidated, ..seen };
    if let Some(written) = resource.written() {
        let written = seen(store.lookup(&written).await?);
        if written.withheld.is_some() || written.entry.as_ref().is_some_and(|entry| entry.kind.is_written()) {
            return Ok(as_first(written));
        }
    }
    if !resource.offers(WriteTarget::Around) {
        return Ok(as_first(Seen::nothing(first.token)));
    }
    Ok(as_first(seen(store.lookup(&resource.around()).await?)))
}
