//! What an entry is made old by.

use std::fmt;
use std::sync::Arc;

use super::digest::short_hash;
use super::fold::{fold_path, fold_tag};

/// How many bytes a tag's text has at most; a longer one is cut.
const LONGEST: usize = 100;

/// How many bytes of a long text are shown, but for those of a character that would be cut.
const SHOWN: usize = 80;

/// What a write makes old: one entry, one path, a whole route, or whatever shares a tag.
///
/// Tags are folded, so that one may cover several keys; they are compared as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

impl Tag {
    /// Everything in one route of a group.
    pub fn route(name: &str) -> Self {
        Self::of('r', name)
    }

    /// Every entry of one folded path, whatever its query and variant.
    pub fn path(folded: &str) -> Self {
        Self::of('p', folded)
    }

    /// Every variant of one key of a route.
    pub fn key(folded: &str) -> Self {
        Self::of('k', folded)
    }

    /// Every entry of a route that lacks a value of its key: the origin may have put any value in its place.
    pub fn absent(route: &str) -> Self {
        Self::of('a', route)
    }

    /// A tag from the configuration or from a response field: folded, because the one has to meet the other.
    pub fn named(text: &str) -> Self {
        Self::of('n', &fold_tag(text))
    }

    /// One variant of a key, whichever slot it stands in: no write names it.
    pub fn variant(id: &str) -> Self {
        Self::of('v', id)
    }

    /// A group of cached responses, as an answer names it: case counts, and it is a group of one host's, lower-cased; of
    /// every host's where the host is empty.
    ///
    /// Source: RFC 9875 section 2
    pub fn cache_group(host: &str, name: &str) -> Self {
        Self::of('g', &format!("{}:{name}", host.to_ascii_lowercase()))
    }

    /// The `write.around` marker of one key.
    pub(super) fn around(key: &str) -> Self {
        Self::of('w', key)
    }

    /// A tag of one kind. Of a long text as much as a person needs is kept, then a hash of all of it: a store keeps a mark of
    /// many a tag for long, and the texts are for whoever writes to choose. Such a tag is longer than any that is not cut.
    fn of(kind: char, text: &str) -> Self {
        if text.len() <= LONGEST {
            return Self(format!("{kind}:{text}").into());
        }
        let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= SHOWN).last();
        let shown = end.and_then(|end| text.get(..end)).unwrap_or_default();
        Self(format!("{kind}:{shown}#{}", short_hash(text.as_bytes())).into())
    }

    /// Whether it stands for this decoded path.
    pub fn is_of_path(&self, path: &str) -> bool {
        *self == Self::path(&fold_path(path))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_and_still_told_from_others() {
        let (short, long) = ("/r/".to_owned() + &"z".repeat(97), "/r/".to_owned() + &"z".repeat(98));
        assert_eq!(Tag::path(&short).as_str(), format!("p:{short}"));
        let cut = Tag::path(&long);
        assert!(cut.as_str().starts_with(&format!("p:/r/{}#", "z".repeat(77))), "{cut}");
        assert!(cut.is_of_entry());
        assert_ne!(cut, Tag::path(&format!("{long}z")));
        assert_ne!(cut, Tag::key(&long));
        assert_eq!(Tag::from_stored(cut.as_str()), cut);
        for text in ["я".repeat(60), "ﬃ".repeat(4000), format!("a{}", "語".repeat(40))] {
            for tag in [Tag::route(&text), Tag::named(&text), Tag::absent(&text), Tag::cache_group(&text, &text)] {
                assert!((110..=115).contains(&tag.as_str().len()), "{} bytes: {tag}", tag.as_str().len());
            }
        }
    }
}
