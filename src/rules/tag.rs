//! What an entry is made old by.

use std::fmt;
use std::sync::Arc;

use super::fold::{fold_path, fold_tag};

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
    pub(super) fn around(key: &str) -> Self {
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

/// The tag of a raw path.
pub(super) fn path_tag(path: &str) -> Tag {
    Tag::path(&fold_path(&percent_encoding::percent_decode_str(path).decode_utf8_lossy()))
}
