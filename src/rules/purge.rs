//! What a person or a program asks to be dropped from the cache by name, and what that stands for in tags.

mod beginning;

use std::borrow::Cow;
use std::fmt;

use super::tag::Tag;

pub use self::beginning::Beginning;
pub(in crate::rules) use self::beginning::{ENDS, alike, beginning_alike, is_long, readings};

/// What is to be purged, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purge {
    /// One key, all its variants: as the file's template makes it, or as `redis-cli KEYS` shows it.
    Key(String),
    /// What a GET of this URL, or of its path and query, may be answered with, whoever asks.
    Url(String),
    /// Whatever has this tag, from the file or from a response field.
    Tag(String),
    /// A route by its name; `unrouted`, or `-`, for all paths without one.
    Route(String),
    /// Every key, and every path, that begins so.
    Prefix(String),
    /// Everything.
    All,
}

/// What a purge stands for.
#[derive(Clone, Debug)]
pub struct Purging {
    /// What was asked for.
    pub purge: Purge,
    /// Everything that has one of these is meant; sorted, each once, never none.
    pub tags: Vec<Tag>,
    /// Names of keys under which what a key or a URL names lies for most clients, without what every key begins with; none of
    /// anything else, and where nobody can tell.
    pub names: Vec<String>,
    /// Less than that, for a store that can look at each entry.
    pub beginning: Option<Beginning>,
}

/// Why a purge stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unnamed {
    /// Which of its fields is wrong: see [`Purge::field`].
    pub field: &'static str,
    /// What is wrong, and what to write, as a sentence.
    pub why: String,
}

impl Purge {
    /// What this kind of it is called: in JSON, on the command line and in the log.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Url(_) => "url",
            Self::Tag(_) => "tag",
            Self::Route(_) => "route",
            Self::Prefix(_) => "prefix",
            Self::All => "all",
        }
    }

    /// What it names; empty for everything.
    pub fn text(&self) -> &str {
        match self {
            Self::Key(text) | Self::Url(text) | Self::Tag(text) | Self::Route(text) | Self::Prefix(text) => text,
            Self::All => "",
        }
    }

    /// The same for whoever reads a log: no value of a query and no login, which may be secrets.
    pub fn shown(&self) -> Cow<'_, str> {
        let text = self.text();
        let (before, asks) = text.split_once('?').map_or((text, ""), |(before, _)| (before, "?\u{2026}"));
        let authority =
            before.split_once("://").map(|(scheme, rest)| (scheme, rest.split('/').next().unwrap_or_default()));
        match authority.and_then(|(scheme, authority)| Some((scheme, authority.rfind('@')?))) {
            Some((scheme, at)) => {
                let rest = before.get(scheme.len() + "://".len() + at..).unwrap_or_default();
                format!("{scheme}://\u{2026}{rest}{asks}").into()
            }
            None if asks.is_empty() => text.into(),
            None => format!("{before}{asks}").into(),
        }
    }
}

/// What a log tells of it.
impl fmt::Display for Purge {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => out.write_str("everything"),
            _ => write!(out, "{} {}", self.field(), self.shown()),
        }
    }
}

impl fmt::Display for Unnamed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.why)
    }
}

impl std::error::Error for Unnamed {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        for (url, shown) in [
            ("/a/1", "/a/1"),
            ("/a?b=1&token=s", "/a?\u{2026}"),
            ("http://h/a", "http://h/a"),
            ("http://user:s@h:80/a@b?c=s", "http://\u{2026}@h:80/a@b?\u{2026}"),
            ("http://u:s@s@h", "http://\u{2026}@h"),
            ("/a@b://c@d", "/a@b://\u{2026}@d"),
            ("?", "?\u{2026}"),
        ] {
            assert_eq!(Purge::Url(url.to_owned()).shown(), shown, "{url}");
        }
    }
}
