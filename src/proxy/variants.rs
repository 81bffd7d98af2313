//! Answers that vary by fields which only they name (RFC 9111 section 4.1), where no route speaks: so many a key.
//!
//! The key's own entry is an index: the names, and which variant stands in which of a bounded number of slots. A new
//! variant takes the slot of the oldest. What stands in a slot bears the variant's tag, so an index that two fills wrote
//! at once, or an old one, leads at worst to another variant, which is a miss. No race makes more entries than slots.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::ingress::Admitted;
use crate::fields::{Vary, is_encoded};
use crate::policy::selecting;
use crate::rules::{EntryRef, Tag, variant_id};
use crate::store::{Expect, Fault, Kind, PutOutcome, Store, StoredResponse};

/// Which variants of a key are stored, and where.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// The entry that it was read from.
    entry: Option<Arc<StoredResponse>>,
    names: Vec<HeaderName>,
    /// The slot that the next new variant takes.
    next: usize,
    /// The variants' ids by slot.
    slots: Vec<String>,
}

/// What is to be stored for one variant.
pub(super) struct Variant {
    /// Its slot's place, the variant's tag among its tags.
    pub(super) place: EntryRef,
    /// What its entry bears.
    pub(super) tag: Tag,
    /// The index that leads to it: its fields and its body.
    pub(super) index: (HeaderMap, Bytes),
    /// The lookup has looked into this very slot.
    same_slot: bool,
}

impl Variant {
    /// What is to be stored for an answer to this request, which belongs to `place`; `None` for one that does not vary.
    /// `known` is the index that was stored at the lookup.
    pub(super) fn of(
        response: &HeaderMap,
        request: &Admitted,
        place: &EntryRef,
        known: Option<&Index>,
        any_order: bool,
        limit: usize,
    ) -> Option<Self> {
        let names = chosen_by(response);
        if names.is_empty() {
            return None;
        }
        let looked_into = known.and_then(|index| index.selected(request, any_order).0);
        let known = known.filter(|index| index.names == names);
        let mut index = known.map_or_else(|| Index::new(names), Index::clone);
        let id = index.id(request, any_order);
        let slot = index.admit(&id, limit);
        Some(Self {
            place: place.variant(slot, &id),
            tag: Tag::variant(&id),
            index: index.written()?,
            same_slot: looked_into == Some(slot),
        })
    }

    /// Keeps the variant, and then the index that leads to it: what is refused leaves the index as it was. `at_key` is
    /// what the index takes the place of, `upon` what the variant is built upon.
    pub(super) async fn put(
        &self,
        store: &Store,
        (key, index, at_key): (&EntryRef, Arc<StoredResponse>, Expect),
        (response, upon): (Arc<StoredResponse>, Expect),
    ) -> Result<PutOutcome, Fault> {
        // What is freshened under other selecting fields than before moves to a slot of which nothing is known yet.
        let moved = matches!(upon, Expect::Entry(_)) && !self.same_slot;
        let upon = if moved { self.other_variant(store).await? } else { upon };
        let kept = store.put(&self.place, response, upon).await?;
        if kept != PutOutcome::Stored {
            return Ok(kept);
        }
        match store.put(key, index, at_key).await? {
            // Another variant came: its index knows this slot too, or leads to a miss.
            PutOutcome::NewerFill if !moved => Ok(PutOutcome::Stored),
            kept => Ok(kept),
        }
    }

    /// What may be replaced in the slot: another variant, but not this one.
    async fn other_variant(&self, store: &Store) -> Result<Expect, Fault> {
        let there = store.lookup(&self.place).await?.entry;
        Ok(there.filter(|there| !there.tags.contains(&self.tag)).map_or(Expect::Absent, Expect::Entry))
    }
}

/// What the lookup saw at the key itself, by what the answer is built upon: the index, where one leads to that.
pub(super) fn at_key(upon: &Expect, index: Option<&Index>) -> Expect {
    match (upon, index.and_then(|index| index.entry.as_ref())) {
        (Expect::Entry(_) | Expect::Absent, Some(index)) => Expect::Entry(Arc::clone(index)),
        _ => upon.clone(),
    }
}

/// The request fields that an answer was chosen by, where the origin saw all of them. Content that is coded is not for
/// those who did not ask for the coding, also where the origin forgot to say so.
pub(super) fn chosen_by(response: &HeaderMap) -> Vec<HeaderName> {
    let Vary::Fields(mut names) = Vary::of(response) else { return Vec::new() };
    if is_encoded(response) && !names.contains(&ACCEPT_ENCODING) {
        names.push(ACCEPT_ENCODING);
    }
    names
}

impl Index {
    fn new(names: Vec<HeaderName>) -> Self {
        Self { entry: None, names, next: 0, slots: Vec::new() }
    }

    /// Reads the index that an entry is; `None` where it is none.
    pub(super) fn of(entry: &Arc<StoredResponse>) -> Option<Self> {
        let names = chosen_by(&entry.fields);
        if entry.kind != Kind::VaryIndex || names.is_empty() {
            return None;
        }
        let mut lines = std::str::from_utf8(&entry.body).unwrap_or_default().lines();
        let next = lines.next().and_then(|line| line.parse().ok()).unwrap_or(0);
        Some(Self { entry: Some(Arc::clone(entry)), names, next, slots: lines.map(ToOwned::to_owned).collect() })
    }

    fn slot_of(&self, id: &str) -> Option<usize> {
        self.slots.iter().position(|known| known == id)
    }

    /// The slot of a variant, which it keeps or gets: the oldest one's where `limit` are taken.
    fn admit(&mut self, id: &str, limit: usize) -> usize {
        self.slots.truncate(limit);
        if let Some(slot) = self.slot_of(id) {
            return slot;
        }
        let slot = if self.slots.len() < limit { self.slots.len() } else { self.next % limit.max(1) };
        match self.slots.get_mut(slot) {
            Some(oldest) => id.clone_into(oldest),
            None => self.slots.push(id.to_owned()),
        }
        self.next = (slot + 1) % limit.max(1);
        slot
    }

    fn written(&self) -> Option<(HeaderMap, Bytes)> {
        let names: Vec<&str> = self.names.iter().map(HeaderName::as_str).collect();
        let fields = HeaderMap::from_iter([(VARY, HeaderValue::from_str(&names.join(", ")).ok()?)]);
        let next = self.next.to_string();
        let lines: Vec<&str> = std::iter::once(next.as_str()).chain(self.slots.iter().map(String::as_str)).collect();
        Some((fields, lines.join("\n").into()))
    }

    fn id(&self, request: &Admitted, any_order: bool) -> String {
        // The host that the origin is told is in the key.
        variant_id(&selecting(&self.names, &request.forwarded_fields(None), any_order))
    }

    /// The slot of the variant that a request selects, and its id; no slot where it is not stored.
    pub(super) fn selected(&self, request: &Admitted, any_order: bool) -> (Option<usize>, String) {
        let id = self.id(request, any_order);
        (self.slot_of(&id), id)
    }

    /// The request fields that choose.
    pub(super) fn names(&self) -> &[HeaderName] {
        &self.names
    }

    /// How many variants are stored.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::fields;

    #[test]
    fn coded_content_is_chosen_by_accept_encoding() {
        assert_eq!(chosen_by(&fields(&[("vary", "accept")])), [http::header::ACCEPT]);
        assert_eq!(chosen_by(&fields(&[("content-encoding", "gzip")])), [ACCEPT_ENCODING]);
        assert_eq!(chosen_by(&fields(&[("content-encoding", "gzip"), ("vary", "Accept-Encoding")])), [ACCEPT_ENCODING]);
        assert!(chosen_by(&HeaderMap::new()).is_empty());
    }

    #[test]
    fn the_oldest_makes_room_and_the_others_stay() {
        let mut index = Index::new(Vec::new());
        let slots: Vec<usize> = ["a", "b", "c", "a", "d", "e", "c"].map(|id| index.admit(id, 3)).to_vec();
        assert_eq!(slots, [0, 1, 2, 0, 0, 1, 2]);
        assert_eq!(index.slots, ["d", "e", "c"]);
        assert_eq!(index.admit("f", 3), 2);
        assert_eq!(index.admit("g", 1), 0, "a smaller limit counts at once");
        assert_eq!(index.slots, ["g"]);
    }

    #[test]
    fn never_more_slots_than_allowed() {
        let mut index = Index::new(Vec::new());
        for n in 0..1000 {
            assert!(index.admit(&n.to_string(), 32) < 32);
        }
        assert_eq!(index.slots.len(), 32);
    }
}
