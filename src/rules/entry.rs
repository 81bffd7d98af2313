//! Where answers are stored: the place of a read's answer, its key and the tags that invalidate it; and of what a write with a
//! policy leaves for a later read.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use http::uri::PathAndQuery;

use super::UNROUTED;
use super::canonical::is_canonical;
use super::hosts::{Hosts, KeyedHost};
use super::key::{CacheKey, Digest, Role};
use super::pattern::{Captures, Source};
use super::read::{Bypass, Found, Read, encode, find_parameter, plain_query_octet};
use super::route::{Route, RouteQuery};
use super::tag::{Tag, path_tag};
use super::write::Write;
use crate::fields::Detail;

/// Where a read's answer is stored.
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

    /// Where a `write.around` marker of this place, whatever its variant, is stored: with tags of its own, so that writes
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

    /// Where a part of this place's answer is stored: it goes with the same writes.
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

/// The tags that invalidate an entry, as far as its request tells them.
#[derive(Clone)]
pub struct Tags {
    made: OnceLock<Vec<Tag>>,
    of: Asked,
}

/// What the tags are made from.
#[derive(Clone)]
enum Asked {
    /// They were given.
    Nothing,
    /// A read without a route.
    Unrouted(PathAndQuery),
    /// A route's read.
    Route(Arc<Route>, PathAndQuery),
}

impl Tags {
    /// Those of a read that has a route's key.
    pub(super) fn of_route(route: &Arc<Route>, target: &PathAndQuery) -> Self {
        Self { made: OnceLock::new(), of: Asked::Route(Arc::clone(route), target.clone()) }
    }

    /// Those of a read without a route.
    pub(super) fn unrouted(target: &PathAndQuery) -> Self {
        Self { made: OnceLock::new(), of: Asked::Unrouted(target.clone()) }
    }

    /// What they are made from, in bytes of its own; `None` where they were given.
    pub fn basis(&self) -> Option<TagsBasis> {
        match &self.of {
            Asked::Nothing => None,
            Asked::Unrouted(target) | Asked::Route(_, target) => Some(TagsBasis(target.as_str().into())),
        }
    }

    /// Whether they are the same as those of the same key that were made from this. False also where nobody can tell without
    /// making them, which this does not.
    ///
    /// What else they are made from, the route, is in the key by its name and its fingerprint.
    pub fn rest_on(&self, basis: &TagsBasis) -> bool {
        let basis = &*basis.0;
        match &self.of {
            Asked::Nothing => false,
            Asked::Unrouted(target) => target.as_str() == basis,
            Asked::Route(route, target) => {
                let path = || basis.split_once('?').map_or(basis, |(path, _)| path);
                // Where the path tells all values, none is looked for in the query.
                target.as_str() == basis || (target.path() == path() && !route.may_lack_values())
            }
        }
    }
}

/// What a read's tags were made from: enough to know, of another read with the same key, that it has the same ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagsBasis(Box<str>);

impl TagsBasis {
    /// How many bytes it has of its own.
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

impl Deref for Tags {
    type Target = Vec<Tag>;

    fn deref(&self) -> &Vec<Tag> {
        self.made.get_or_init(|| match &self.of {
            Asked::Nothing => Vec::new(),
            Asked::Unrouted(target) => vec![Tag::route(UNROUTED), path_tag(UNROUTED, target.path())],
            Asked::Route(route, target) => route.tags_of(target.path(), target.query().unwrap_or_default()),
        })
    }
}

impl From<Vec<Tag>> for Tags {
    fn from(tags: Vec<Tag>) -> Self {
        Self { made: tags.into(), of: Asked::Nothing }
    }
}

impl<'t> IntoIterator for &'t Tags {
    type Item = &'t Tag;
    type IntoIter = std::slice::Iter<'t, Tag>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Tags {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Tags {}

impl fmt::Debug for Tags {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(out)
    }
}

/// No request can have a longer one.
const LONGEST_TARGET: usize = u16::MAX as usize - 1;

/// Where the answer to a route's read is kept, or why it is stored nowhere.
pub fn place(route: &Arc<Route>, read: &Read<'_>, captures: &Captures<'_>) -> Result<EntryRef, Bypass> {
    if !is_canonical(read.path()) {
        return Err(Bypass(Detail::PathAmbiguous));
    }
    route.refuse_credentials(read.fields)?;
    let query = read.query();
    // Written anew, each of its bytes may take three.
    if route.query != RouteQuery::Raw && read.path().len() + 3 * query.len() > LONGEST_TARGET {
        return Err(Bypass(Detail::QueryAmbiguous));
    }
    let mut name = route.render(query, captures).ok_or(Bypass(Detail::QueryAmbiguous))?;
    if route.query == RouteQuery::Raw && !query.is_empty() {
        if !query.bytes().all(plain_query_octet) {
            return Err(Bypass(Detail::QueryAmbiguous));
        }
        let _ = write!(name, "?{query}");
    }
    let host = match read.host {
        Some(KeyedHost::Other(host)) => Some(host.into()),
        // Only a raw query brings an `@` of its own.
        Some(KeyedHost::Known) if route.query == RouteQuery::Raw && query.contains('@') => Some("".into()),
        _ => None,
    };
    let key = CacheKey::new(Arc::clone(&route.name), route.fingerprint, name);
    let key = CacheKey { host, secure: read.secure, ..key };
    let key = match route.selecting(read) {
        Some(selecting) => key.selected_by(&selecting),
        None => key,
    };
    Ok(EntryRef { key, tags: Tags::of_route(route, read.target) })
}

/// The entry that a write with a policy writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where a later GET looks for it.
    pub place: EntryRef,
    /// Path and query of that GET.
    pub target: PathAndQuery,
}

/// The value that a write of a route's policy gives a variable: from its path, its query or its JSON body.
pub fn written_value<'a>(route: &'a Route, write: &Write<'a>, name: &str) -> Option<Cow<'a, str>> {
    let (_, captures) = write.paths.iter().find_map(|path| route.policy_for(write, path))?;
    let told = write.value(&Source::Name(name.to_owned()), &captures);
    told.map(|value| Cow::Owned(value.into_owned())).or_else(|| {
        // A fraction is no part of a key, but a template may show it.
        let in_query = find_parameter(write.query, name) != Found::Absent;
        let number = write.body.json()?.get(name)?.as_number().filter(|_| !in_query)?;
        Some(Cow::Owned(number.to_string()))
    })
}

/// The entry that a write writes by a route's policy; `None` when a variable of its key is unknown.
pub fn written(route: &Arc<Route>, write: &Write<'_>, host: Option<KeyedHost<'_>>) -> Option<Written> {
    let (_, captures) = write.paths.iter().find_map(|path| route.policy_for(write, path))?;
    let value = |name: &str| write.value(&Source::Name(name.to_owned()), &captures);
    let mut target = route.path.render(value)?;
    if let RouteQuery::Listed(names) = &route.query {
        for (index, name) in names.iter().enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            let _ = write!(target, "{separator}{}={}", encode(name), encode(&value(name)?));
        }
    }
    let target: PathAndQuery = target.parse().ok()?;
    let read = Read { target: &target, fields: &HeaderMap::new(), host, secure: false };
    let place = place(route, &read, &route.path.matches(target.path())?).ok()?;
    Some(Written { place, target })
}

/// What tells a variant from the others of its key, from a text of its selecting fields.
pub fn variant_id(selecting: &str) -> String {
    Digest::of(selecting.as_bytes()).to_string()
}
