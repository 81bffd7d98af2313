//! What an entry is invalidated by.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::{Arc, LazyLock};

use super::fold::{fold_path, fold_tag};
use super::key::Digest;
use super::pattern::{Source, Template};
use super::value::plain;

/// How many bytes of a text a tag has at most; a longer one is cut.
const LONGEST: usize = 100;

/// How many bytes one that was cut has at most.
const LONGEST_CUT: usize = 120;

/// How many bytes of a long text are shown, but for those of a character that would be cut.
const SHOWN: usize = 80;

/// What a write invalidates: everything, a class of routes, one route, one entry, one path, or whatever shares a name.
///
/// An entry has a tag for each of these scopes that it is in, and is invalid once one of them was invalidated after its token.
/// Tags are folded, so that one may cover several keys; they are compared as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

static EVERYTHING: LazyLock<Tag> = LazyLock::new(|| Tag("*".into()));
static NAMES: LazyLock<Tag> = LazyLock::new(|| Tag("names".into()));
static UNLISTED: LazyLock<Tag> = LazyLock::new(|| Tag("d:*".into()));
static ODD_NAMES: LazyLock<Tag> = LazyLock::new(|| Tag("o:*".into()));

/// What a tag is of, which says what counts as invalidated in its place where a store lists it no longer.
enum Owner<'t> {
    /// It is a route, or of a class that there are only as many of as there are routes.
    Itself,
    /// Something in a route.
    Route(&'t str),
    /// The marker of something in a route.
    Markers(&'t str),
    /// One variant.
    Variant,
    /// Nothing but a name.
    Name,
}

impl Tag {
    /// Everything that is stored.
    pub fn everything() -> Self {
        EVERYTHING.clone()
    }

    /// Whatever has a name: what counts as invalidated in the place of a name that a store lists no longer. No entry says that
    /// it has this one, see [`Tag::is_name`], and no configuration and no response can name it.
    pub fn names() -> Self {
        NAMES.clone()
    }

    /// Every route that does not say which writes drop it, and so is dropped by all that nothing is said of.
    pub fn unlisted() -> Self {
        UNLISTED.clone()
    }

    /// All of a route with a write policy that the origin had a part in: what a write left in the cache alone is all there
    /// is of it, and stays.
    pub fn fetched(name: &str) -> Self {
        Self::of_route('d', name)
    }

    /// Everything in one route.
    pub fn route(name: &str) -> Self {
        Self::of_route('r', name)
    }

    /// What is being fetched for a route. No entry has it: a fill that was begun before is refused for it, and what is stored
    /// stays.
    pub fn fills(name: &str) -> Self {
        Self::of_route('i', name)
    }

    /// Every entry of one folded path of a route, whatever its query and variant.
    pub fn path(route: &str, folded: &str) -> Self {
        Self::within('p', route, folded)
    }

    /// Every variant of one key of a route.
    pub fn key(route: &str, folded: &str) -> Self {
        Self::within('k', route, folded)
    }

    /// Every entry of a route with a value that begins with a number, where this is its path or key with the number alone.
    pub fn near(route: &str, text: &str) -> Self {
        Self::within('y', route, text)
    }

    /// One key or path of a route with a write policy, word for word: what a write left in the cache alone under an odd
    /// value is one thing all the same.
    pub fn exact(route: &str, text: &str) -> Self {
        Self::within('x', route, text)
    }

    /// Every entry of a route that lacks a value of its key: the origin may have put any value in its place.
    pub fn absent(route: &str) -> Self {
        Self::of_route('a', route)
    }

    /// Every entry of a route with a value that a backend may take for another one: nobody here knows for which.
    pub fn odd(route: &str) -> Self {
        Self::of_route('o', route)
    }

    /// Every entry that has a name with such a value in it.
    pub fn odd_names() -> Self {
        ODD_NAMES.clone()
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
    pub(super) fn around(route: &str, key: &str) -> Self {
        Self::within('w', route, key)
    }

    /// All such markers of one route.
    pub(super) fn all_around(route: &str) -> Self {
        Self::of_route('w', route)
    }

    fn of(kind: char, text: &str) -> Self {
        let mut tag = format!("{kind}:");
        push_cut(&mut tag, text);
        Self(tag.into())
    }

    /// A route's name in one word.
    fn of_route(kind: char, route: &str) -> Self {
        Self::of(kind, &route.replace(char::is_whitespace, "_"))
    }

    /// A tag of something in a route, whose name comes first: see [`Tag::heir`].
    fn within(kind: char, route: &str, text: &str) -> Self {
        let mut tag = Self::of_route(kind, route).0.to_string();
        tag.push(' ');
        push_cut(&mut tag, text);
        Self(tag.into())
    }

    /// What counts as invalidated in its place where a store lists it no longer: the whole route, or all markers of it, which
    /// an entry that has the tag has too; all names, or everything. `None` for one that is listed for good.
    pub fn heir(&self) -> Option<Self> {
        match self.owner() {
            Owner::Itself => None,
            Owner::Route(route) => Some(Self(format!("r:{route}").into())),
            // A marker is not dropped with its route, so it would not notice that one.
            Owner::Markers(route) => Some(Self(format!("w:{route}").into())),
            // No write names one.
            Owner::Variant => Some(Self::everything()),
            Owner::Name => Some(Self::names()),
        }
    }

    /// Whether a store never takes it out of its list.
    pub fn is_listed_for_good(&self) -> bool {
        matches!(self.owner(), Owner::Itself)
    }

    /// Whether [`Tag::names`] may count in its place.
    pub fn is_name(&self) -> bool {
        matches!(self.owner(), Owner::Name)
    }

    fn owner(&self) -> Owner<'_> {
        let (kind, text) = self.0.split_once(':').unwrap_or_default();
        match (kind, text.split_once(' ')) {
            ("p" | "k" | "x" | "y", Some((route, _))) => Owner::Route(route),
            ("w", Some((route, _))) => Owner::Markers(route),
            ("r" | "d" | "a" | "o" | "w" | "i", _) => Owner::Itself,
            ("v", _) => Owner::Variant,
            _ if *self == *EVERYTHING || *self == *NAMES => Owner::Itself,
            _ => Owner::Name,
        }
    }

    /// Whether it stands for this decoded path of a route.
    pub fn is_of_path(&self, route: &str, path: &str) -> bool {
        *self == Self::path(route, &fold_path(path))
    }

    /// Rebuilds a tag from [`Tag::as_str`].
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether it is of the one entry, as far as anything is: of its key, of its path, or of all that are spelt as oddly.
    pub fn is_of_entry(&self) -> bool {
        ["k:", "p:", "x:", "o:"].iter().any(|kind| self.0.starts_with(kind))
    }

    /// Of an entry's tags the one that the fewest other entries have; any of them invalidates it.
    pub fn narrowest(tags: &[Self]) -> Option<&Self> {
        let of_kind = |kind: &str| tags.iter().find(|tag| tag.0.starts_with(kind) && !tag.is_listed_for_good());
        ["k:", "x:", "p:", "w:"].into_iter().find_map(of_kind).or_else(|| {
            let wide = |kind: &str| tags.iter().find(|tag| tag.0.starts_with(kind));
            ["o:", "r:", "w:"].into_iter().find_map(wide)
        })
    }

    /// Whether it is of one key.
    pub(super) fn is_of_key(&self) -> bool {
        self.0.starts_with("k:")
    }

    /// Whether it is of one key or path word for word.
    pub(super) fn is_exact(&self) -> bool {
        self.0.starts_with("x:")
    }

    /// Whether it goes with whatever else of its route is dropped: that of entries which may be what is meant.
    pub(super) fn is_besides(&self) -> bool {
        ["o:", "a:", "y:"].iter().any(|kind| self.0.starts_with(kind))
    }

    /// Its text, as it was given; `None` for a tag that no configuration and no response named.
    pub fn name(&self) -> Option<&str> {
        self.0.strip_prefix("n:")
    }

    /// As a person names it to have it purged: its text, folded, and the host of a cache group before its name; `None` for one
    /// that no configuration and no response named.
    pub fn purgeable(&self) -> Option<&str> {
        self.0.strip_prefix("n:").or_else(|| self.0.strip_prefix("g:"))
    }

    /// Those whose text is this, where it is one that was cut: to cut it again would make another one.
    pub(super) fn of_cut(text: &str) -> Vec<Self> {
        let is_cut = text.len() > LONGEST && text.len() <= LONGEST_CUT;
        ["n:", "g:"].iter().filter(|_| is_cut).map(|kind| Self(format!("{kind}{text}").into())).collect()
    }

    /// Whether it is all of this route, or of something in it.
    pub(super) fn is_within(&self, route: &str) -> bool {
        let of = match self.owner() {
            Owner::Route(of) | Owner::Markers(of) => of,
            Owner::Itself => self.0.split_once(':').map_or("", |(_, of)| of),
            Owner::Variant | Owner::Name => return false,
        };
        Self::route(route).0.strip_prefix("r:") == Some(of)
    }

    /// What it stands for, without the letter of its kind and without its route.
    pub fn shown(&self) -> &str {
        let (_, text) = self.0.split_once(':').unwrap_or(("", &self.0));
        match self.owner() {
            Owner::Route(_) | Owner::Markers(_) => text.split_once(' ').map_or(text, |(_, named)| named),
            Owner::Itself | Owner::Variant | Owner::Name => text,
        }
    }

    /// The tag as the store writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Of a long text as much as a person needs, then a hash of all of it: a store keeps a mark of many a tag for long, and the
/// texts are for whoever writes to choose. A cut text is longer than any that is not.
fn push_cut(tag: &mut String, text: &str) {
    if text.len() <= LONGEST {
        return tag.push_str(text);
    }
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= SHOWN).last();
    tag.push_str(end.and_then(|end| text.get(..end)).unwrap_or_default());
    tag.push('#');
    let _ = write!(tag, "{}", Digest::of(text.as_bytes()));
}

impl fmt::Display for Tag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The tag of a raw path of a route.
pub(super) fn path_tag(route: &str, path: &str) -> Tag {
    Tag::path(route, &fold_path(&percent_encoding::percent_decode_str(path).decode_utf8_lossy()))
}

/// What a template of a tag names; `None` where a value is unknown or odd. With the values as they are, for the API may name
/// the same in its answers, and with the forms that stand for them, for another spelling of a value means the same.
pub(super) fn tags_of<'v>(
    template: &Template,
    mut value: impl FnMut(&Source) -> Option<Cow<'v, str>>,
) -> Option<Vec<Tag>> {
    let mut named = |form: fn(&str) -> Option<Cow<'_, str>>| {
        let text = template.render_plain(|source| Some(Cow::Owned(form(&value(source)?)?.into_owned())));
        text.map(|text| Tag::named(&text))
    };
    let mut tags = vec![named(plain)?, named(|value| Some(value.into()))?];
    tags.dedup();
    Some(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_and_still_told_from_others() {
        let (short, long) = ("/r/".to_owned() + &"z".repeat(97), "/r/".to_owned() + &"z".repeat(98));
        assert_eq!(Tag::path("x", &short).as_str(), format!("p:x {short}"));
        let cut = Tag::path("x", &long);
        assert!(cut.as_str().starts_with(&format!("p:x /r/{}#", "z".repeat(77))), "{cut}");
        assert!(cut.is_of_entry());
        assert_ne!(cut, Tag::path("x", &format!("{long}z")));
        assert_ne!(cut, Tag::path("y", &long));
        assert_ne!(cut, Tag::key("x", &long));
        assert_eq!(Tag::from_stored(cut.as_str()), cut);
        for text in ["z".repeat(101), "я".repeat(60), "ﬃ".repeat(4000)] {
            for tag in [Tag::named(&text), Tag::cache_group("h", &text)] {
                let shown = tag.purgeable().unwrap();
                assert!(Tag::of_cut(shown).contains(&tag), "{tag}");
            }
        }
        for text in ["я".repeat(60), "ﬃ".repeat(4000), format!("a{}", "語".repeat(40))] {
            for tag in [Tag::route(&text), Tag::named(&text), Tag::absent(&text), Tag::cache_group(&text, &text)] {
                assert!((110..=115).contains(&tag.as_str().len()), "{} bytes: {tag}", tag.as_str().len());
            }
            let both = Tag::key(&text, &text);
            assert!(both.as_str().len() <= 230, "{} bytes: {both}", both.as_str().len());
        }
    }

    #[test]
    fn what_is_listed_no_longer_has_an_heir_that_covers_it() {
        for route in ["/fruit/{id}", "a b", &"long/".repeat(60)] {
            for tag in
                [Tag::path(route, "/fruit/1"), Tag::key(route, "a b"), Tag::exact(route, "a b"), Tag::near(route, "/a")]
            {
                assert_eq!(tag.heir(), Some(Tag::route(route)), "{tag}");
            }
            assert_eq!(Tag::around(route, "x").heir(), Some(Tag::all_around(route)));
            assert_eq!(Tag::all_around(route).heir(), None);
            for tag in [Tag::route(route), Tag::absent(route), Tag::odd(route), Tag::fetched(route)] {
                assert_eq!(tag.heir(), None, "{tag}");
            }
        }
        assert!(Tag::key("/a b", "x").is_within("/a b") && Tag::odd("/a b").is_within("/a b"));
        assert!(!Tag::key("/a", "/b").is_within("/b") && !Tag::named("/a").is_within("/a"));
        for tag in [Tag::unlisted(), Tag::odd_names(), Tag::everything(), Tag::names()] {
            assert!(tag.heir().is_none() && !tag.is_name(), "{tag}");
        }
        for tag in [Tag::named("a b"), Tag::named("names"), Tag::cache_group("h", "r: x"), Tag::from_stored("p:x")] {
            assert_eq!(tag.heir(), Some(Tag::names()), "{tag}");
            assert!(tag.is_name(), "{tag}");
        }
        assert_eq!(Tag::variant("1").heir(), Some(Tag::everything()));
    }
}
