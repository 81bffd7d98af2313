//! Where a read's answer is kept: its key and the tags that make it old.

use std::fmt::Write as _;
use std::sync::Arc;

use super::canonical::is_canonical;
use super::digest::Digest;
use super::hosts::{Hosts, KeyedHost};
use super::key::{CacheKey, Role};
use super::path::Captures;
use super::query::plain_query_octet;
use super::read::{Bypass, Read};
use super::route::{Route, RouteQuery};
use super::tag::Tag;
use super::tags::Tags;
use crate::fields::Detail;

/// Where a read's answer is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRef {
    /// The entry's key.
    pub key: CacheKey,
    /// The tags known from the request alone; a stored response may have more.
    pub tags: Tags,
}

impl EntryRef {
    /// The place of the variant that a plain client gets; `None` if it is this one.
    pub fn plain(&self) -> Option<Self> {
        (!self.key.is_plain()).then(|| Self { key: self.key.plain(), tags: self.tags.clone() })
    }

    /// Where a `write.around` marker of this place, whatever its variant, is kept: with tags of its own, so that writes
    /// that drop the entry leave the marker.
    #[must_use]
    pub fn around(&self) -> Self {
        let tags = vec![self.around_tag(), Tag::all_around(&self.key.route)];
        Self { key: CacheKey { role: Role::Around, ..self.key.plain() }, tags: tags.into() }
    }

    /// What takes that marker away.
    pub fn around_tag(&self) -> Tag {
        let CacheKey { route, name, host, .. } = &self.key;
        match host {
            Some(host) => Tag::around(route, &[name, "@", host].concat()),
            None => Tag::around(route, name),
        }
    }

    /// The place of what is fetched for a name that clients know the proxy by: the origin sees the first of these.
    #[must_use]
    pub fn known_by(mut self, hosts: &Hosts) -> Self {
        self.key.fingerprint ^= hosts.fingerprint();
        self
    }

    /// Where a part of this place's answer is kept: it goes with the same writes.
    #[must_use]
    pub fn part(&self) -> Self {
        Self { key: CacheKey { role: Role::Part, ..self.key.clone() }, tags: self.tags.clone() }
    }

    /// The same place for requests with one text of selecting fields, whatever the response says.
    #[must_use]
    pub fn selected_by(self, selecting: &str) -> Self {
        Self { key: self.key.selected_by(selecting.as_bytes()), ..self }
    }

    /// The place of one variant of its response, in one of the slots that the key has for them.
    #[must_use]
    pub fn variant(&self, slot: usize, id: &str) -> Self {
        let role = Role::Variant(u32::try_from(slot).unwrap_or(u32::MAX));
        let tags: Vec<Tag> = self.tags.iter().cloned().chain([Tag::variant(id)]).collect();
        Self { key: CacheKey { role, ..self.key.clone() }, tags: tags.into() }
    }
}

/// No request can have a longer one.
const LONGEST_TARGET: usize = u16::MAX as usize - 1;

impl Route {
    /// Where this read's answer is kept, or why it is kept nowhere.
    pub fn place(self: &Arc<Self>, read: &Read<'_>, captures: &Captures<'_>) -> Result<EntryRef, Bypass> {
        if !is_canonical(read.path()) {
            return Err(Bypass(Detail::PathAmbiguous));
        }
        self.refuse_credentials(read.fields)?;
        let query = read.query();
        // Written anew, each of its bytes may take three.
        if self.query != RouteQuery::Raw && read.path().len() + 3 * query.len() > LONGEST_TARGET {
            return Err(Bypass(Detail::QueryAmbiguous));
        }
        let mut name = self.render(query, captures).ok_or(Bypass(Detail::QueryAmbiguous))?;
        if self.query == RouteQuery::Raw && !query.is_empty() {
            if !query.bytes().all(plain_query_octet) {
                return Err(Bypass(Detail::QueryAmbiguous));
            }
            let _ = write!(name, "?{query}");
        }
        let host = match read.host {
            Some(KeyedHost::Other(host)) => Some(host.into()),
            // Only a raw query brings an `@` of its own.
            Some(KeyedHost::Known) if self.query == RouteQuery::Raw && query.contains('@') => Some("".into()),
            _ => None,
        };
        let key = CacheKey::new(Arc::clone(&self.name), self.fingerprint, name);
        let key = CacheKey { host, secure: read.secure, ..key };
        let key = match self.selecting(read) {
            Some(selecting) => key.selected_by(&selecting),
            None => key,
        };
        Ok(EntryRef { key, tags: Tags::of_route(self, read.target) })
    }
}

/// What tells a variant from the others of its key, from a text of its selecting fields.
pub fn variant_id(selecting: &str) -> String {
    Digest::of(selecting.as_bytes()).to_string()
}
