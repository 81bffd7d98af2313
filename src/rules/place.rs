//! Where a read's answer is kept: its group, its key and the tags that make it old.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use http::HeaderMap;
use sha2::{Digest, Sha256};

use super::fold::fold_tag;
use super::tags::Tags;
use crate::fields::Detail;

/// What a write makes old: one entry, one path, a whole route, or whatever shares a tag.
///
/// Tags are folded, so that one may cover several keys; they are compared as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

impl Tag {
    /// Everything in one route of a group.
    pub fn route(name: &str) -> Self {
        Self(format!("r:{name}").into())
    }

    /// Every entry of one folded path, whatever its query and variant.
    pub fn path(folded: &str) -> Self {
        Self(format!("p:{folded}").into())
    }

    /// Every variant of one key of a route.
    pub fn key(folded: &str) -> Self {
        Self(format!("k:{folded}").into())
    }

    /// Every entry of a route that lacks a value of its key: the origin may have put any value in its place.
    pub fn absent(route: &str) -> Self {
        Self(format!("a:{route}").into())
    }

    /// A tag from the configuration or from a response field: folded, because the one has to meet the other.
    pub fn named(text: &str) -> Self {
        Self(format!("n:{}", fold_tag(text)).into())
    }

    /// One variant of a key, whichever slot it stands in: no write names it.
    pub fn variant(id: &str) -> Self {
        Self(format!("v:{id}").into())
    }

    /// A group of cached responses, as an answer names it: case counts, and it is a group of one host's, lower-cased; of
    /// every host's where the host is empty.
    ///
    /// Source: RFC 9875 section 2
    pub fn cache_group(host: &str, name: &str) -> Self {
        Self(format!("g:{}:{name}", host.to_ascii_lowercase()).into())
    }

    /// The `write.around` marker of one key.
    fn around(key: &str) -> Self {
        Self(format!("w:{key}").into())
    }

    /// Rebuilds a tag from [`Tag::as_str`].
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether it stands for one key or one path.
    pub fn is_of_entry(&self) -> bool {
        self.0.starts_with("k:") || self.0.starts_with("p:")
    }

    /// The tag as the store writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The key of one stored response (RFC 9111 section 2): unique among all routes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    /// The route it belongs to: two routes whose templates render the same text never share an entry.
    pub route: Arc<str>,
    /// What `redis-cli KEYS '*'` shows: the template's text, `#https` where that was the scheme, and `#` with a hash or a
    /// number where a variant needs one.
    pub name: String,
}

impl fmt::Display for CacheKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)
    }
}

/// Where a read's answer is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The group whose sequence orders the entry's fills and invalidations.
    pub group: Arc<str>,
    /// The entry's key.
    pub key: CacheKey,
    /// The tags known from the request alone; a stored response may have more.
    pub tags: Tags,
}

/// A read as the rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// The raw path.
    pub path: &'a str,
    /// The raw query, without its `?`.
    pub query: Option<&'a str>,
    /// The request's fields.
    pub fields: &'a HeaderMap,
    /// The host that is part of the key, where the origin sees the client's: empty for a request without one.
    pub host: Option<&'a str>,
    /// Whether it was asked by https: the origin is told so, and an answer may have links of that scheme.
    pub secure: bool,
}

/// Why a read is neither looked up nor stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bypass(pub Detail);

/// What the origin sees on a fill: a function of the key, and of nothing else in the request.
#[derive(Clone, Debug)]
pub struct Fill {
    /// Path and query.
    pub target: String,
    /// The keyed fields.
    pub fields: HeaderMap,
}

impl Place {
    /// The place of the variant that a plain client gets; `None` if it is this one.
    pub fn plain(&self) -> Option<Self> {
        let (name, _) = self.key.name.split_once('#')?;
        let key = CacheKey { route: Arc::clone(&self.key.route), name: name.to_owned() };
        Some(Self { group: Arc::clone(&self.group), key, tags: self.tags.clone() })
    }

    /// Where a `write.around` marker of this place, whatever its variant, is kept: with a tag of its own, so that writes
    /// that drop the entry leave the marker.
    #[must_use]
    pub fn around(&self) -> Self {
        let name = self.key.name.split('#').next().unwrap_or_default();
        let key = CacheKey { route: Arc::clone(&self.key.route), name: format!("{name}#around") };
        Self { group: Arc::clone(&self.group), tags: vec![Tag::around(name)].into(), key }
    }

    /// Where a part of this place's answer is kept: it goes with the same writes.
    #[must_use]
    pub fn part(&self) -> Self {
        let name = format!("{}#part", self.key.name);
        let key = CacheKey { route: Arc::clone(&self.key.route), name };
        Self { group: Arc::clone(&self.group), key, tags: self.tags.clone() }
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
        Self {
            group: Arc::clone(&self.group),
            key: CacheKey { route: Arc::clone(&self.key.route), name },
            tags: tags.into(),
        }
    }
}

/// What tells a variant from the others of its key, from a text of its selecting fields.
pub fn variant_id(selecting: &str) -> String {
    short_hash(selecting.as_bytes())
}

/// 128 bits of SHA-256 in hex: long enough that nobody finds two texts with the same, or a credential from it.
pub(super) fn short_hash(text: &[u8]) -> String {
    let digest = Sha256::digest(text);
    digest.iter().take(16).fold(String::with_capacity(32), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
