//! Where a read's answer is kept: its key and the tags that make it old.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::canonical::is_canonical;
use super::digest::short_hash;
use super::hosts::{Hosts, KeyedHost};
use super::path::Captures;
use super::query::plain_query_octet;
use super::read::{Bypass, Read};
use super::route::{Route, RouteQuery};
use super::tag::Tag;
use super::tags::Tags;
use crate::fields::Detail;

/// The key of one stored response (RFC 9111 section 2): unique among all routes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    /// The route it belongs to: two routes whose templates render the same text never share an entry.
    pub route: Arc<str>,
    /// A hash of what of the file shapes the route's answers and their storing: an entry of another one is another entry.
    pub fingerprint: u64,
    /// What `redis-cli KEYS '*'` shows: the template's text, `#https` where that was the scheme, and `#` with a hash or a
    /// number where a variant needs one.
    pub name: String,
}

impl CacheKey {
    /// The key of another entry of the same route.
    fn beside(&self, name: String) -> Self {
        Self { route: Arc::clone(&self.route), fingerprint: self.fingerprint, name }
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)
    }
}

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
        let (name, _) = self.key.name.split_once('#')?;
        Some(Self { key: self.key.beside(name.to_owned()), tags: self.tags.clone() })
    }

    /// Where a `write.around` marker of this place, whatever its variant, is kept: with tags of its own, so that writes
    /// that drop the entry leave the marker.
    #[must_use]
    pub fn around(&self) -> Self {
        let name = self.key.name.split('#').next().unwrap_or_default();
        let tags = vec![self.around_tag(), Tag::all_around(&self.key.route)];
        Self { key: self.key.beside(format!("{name}#around")), tags: tags.into() }
    }

    /// What takes that marker away.
    pub fn around_tag(&self) -> Tag {
        Tag::around(&self.key.route, self.key.name.split('#').next().unwrap_or_default())
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
        let name = format!("{}#part", self.key.name);
        Self { key: self.key.beside(name), tags: self.tags.clone() }
    }

    /// The same place for requests with one text of selecting fields, whatever the response says.
    #[must_use]
    pub fn selected_by(mut self, selecting: &str) -> Self {
        self.key.name.push('#');
        self.key.name.push_str(&short_hash(selecting.as_bytes()));
        self
    }

    /// The place of one variant of its response, in one of the slots that the key has for them.
    #[must_use]
    pub fn variant(&self, slot: usize, id: &str) -> Self {
        let name = format!("{}#{slot}", self.key.name);
        let tags: Vec<Tag> = self.tags.iter().cloned().chain([Tag::variant(id)]).collect();
        Self { key: self.key.beside(name), tags: tags.into() }
    }
}

/// No request can have a longer one.
const LONGEST_TARGET: usize = u16::MAX as usize - 1;

impl Route {
    /// Where this read's answer is kept, or why it is kept nowhere.
    pub fn place(self: &Arc<Self>, read: &Read<'_>, captures: &Captures<'_>) -> Result<EntryRef, Bypass> {
        if !is_canonical(read.path) {
            return Err(Bypass(Detail::PathAmbiguous));
        }
        self.refuse_credentials(read.fields)?;
        let query = read.query.unwrap_or_default();
        // Written anew, each of its bytes may take three.
        if self.query != RouteQuery::Raw && read.path.len() + 3 * query.len() > LONGEST_TARGET {
            return Err(Bypass(Detail::QueryAmbiguous));
        }
        let mut name = self.render(query, captures).ok_or(Bypass(Detail::QueryAmbiguous))?;
        if self.query == RouteQuery::Raw && !query.is_empty() {
            if !query.bytes().all(plain_query_octet) {
                return Err(Bypass(Detail::QueryAmbiguous));
            }
            let _ = write!(name, "?{query}");
        }
        match read.host {
            Some(KeyedHost::Other(host)) => name.extend(["@", host]),
            // Only a raw query brings an `@` of its own: the last one must always be this one.
            Some(KeyedHost::Known) if self.query == RouteQuery::Raw && query.contains('@') => name.push('@'),
            _ => {}
        }
        if read.secure {
            name.push_str("#https");
        }
        if let Some(selecting) = self.selecting(read) {
            let _ = write!(name, "#{}", short_hash(&selecting));
        }
        let key = CacheKey { route: Arc::clone(&self.name), fingerprint: self.fingerprint, name };
        Ok(EntryRef { key, tags: Tags::of_route(self, read.path, query) })
    }
}

/// What tells a variant from the others of its key, from a text of its selecting fields.
pub fn variant_id(selecting: &str) -> String {
    short_hash(selecting.as_bytes())
}
