//! Entity tags: how a representation is told from another.
//!
//! The tags of answers whose bytes are not the origin's, annotated ones and coded ones, are made here, too. Such an answer
//! means the same as the origin's, so its tag is the origin's, weakened. A weak tag never matches in If-Match, though, and a
//! client that has only that one could no longer say which state it means to change. So the tag is marked, and a marked one
//! that a client sends is the origin's again before anybody looks at it.

use std::fmt;

use http::HeaderMap;
use http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};

use super::list::list_members;

/// One entity tag: `"abc"`, or weak, `W/"abc"`.
///
/// Source: RFC 9110 section 8.8.3
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityTag {
    /// True when it only promises that two representations mean the same.
    pub weak: bool,
    /// What stands between the quotes, without them.
    pub opaque: String,
}

/// What If-None-Match or If-Match names.
///
/// Source: RFC 9110 sections 13.1.1 and 13.1.2
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntityTags {
    /// `*`: whatever representation there is.
    Any,
    /// These; what could not be read as a tag is not among them, so the list may be empty.
    List(Vec<EntityTag>),
}

impl EntityTag {
    /// Reads a field value that is one tag and nothing else. Tags that are not quoted or not UTF-8 are no tags.
    pub fn parse(value: &[u8]) -> Option<Self> {
        match Self::split_first(value.trim_ascii())? {
            (tag, []) => Some(tag),
            _ => None,
        }
    }

    /// True when both are strong and the same: the representations are equal byte for byte.
    ///
    /// Source: RFC 9110 section 8.8.3.2
    pub fn strong_eq(&self, other: &Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// True when both are the same but for their strength: the representations mean the same.
    ///
    /// Source: RFC 9110 section 8.8.3.2
    pub fn weak_eq(&self, other: &Self) -> bool {
        self.opaque == other.opaque
    }

    fn split_first(text: &[u8]) -> Option<(Self, &[u8])> {
        let (weak, quoted) = text.strip_prefix(b"W/").map_or((false, text), |quoted| (true, quoted));
        let inside = quoted.strip_prefix(b"\"")?;
        let (opaque, quote_on) = inside.split_at_checked(inside.iter().position(|&byte| byte == b'"')?)?;
        if !opaque.iter().all(|&byte| byte > b' ' && byte != 0x7f) {
            return None;
        }
        let opaque = std::str::from_utf8(opaque).ok()?;
        // One that was weakened here means what the origin's own does.
        let opaque = if weak { opaque.trim_end_matches(OWN_MARK) } else { opaque }.to_owned();
        Some((Self { weak, opaque }, quote_on.get(1..)?))
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}\"{}\"", if self.weak { "W/" } else { "" }, self.opaque)
    }
}

impl EntityTags {
    /// Reads every line of the field `name`; `None` when there is no such field.
    pub fn of(fields: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut lines = fields.get_all(name).into_iter().peekable();
        lines.peek()?;
        let mut tags = Vec::new();
        for line in lines {
            if line.as_bytes().trim_ascii() == b"*" {
                return Some(Self::Any);
            }
            read_tags(line.as_bytes(), &mut tags);
        }
        Some(Self::List(tags))
    }

    /// True when one of them is `tag` but for its strength.
    pub fn weakly_contain(&self, tag: &EntityTag) -> bool {
        match self {
            Self::Any => true,
            Self::List(tags) => tags.iter().any(|listed| listed.weak_eq(tag)),
        }
    }
}

/// A backslash escapes nothing in an entity tag, and a comma may stand in one: so this is no list of quoted strings.
fn read_tags(mut rest: &[u8], tags: &mut Vec<EntityTag>) {
    while !rest.is_empty() {
        rest = rest.trim_ascii_start();
        if let Some((tag, after)) = EntityTag::split_first(rest) {
            let after = after.trim_ascii_start();
            if after.is_empty() || after.starts_with(b",") {
                tags.push(tag);
            }
            rest = after;
        }
        let comma = rest.iter().position(|&byte| byte == b',').unwrap_or(rest.len());
        rest = rest.get(comma + 1..).unwrap_or_default();
    }
}

/// Stands at the end of a tag that was weakened here, within its quotes.
const OWN_MARK: &str = ";aside";
/// The same with the quote that ends the tag.
const MARK: &[u8] = b";aside\"";

/// Weakens a strong entity tag, with the mark; weak ones stay as they are.
///
/// Source: RFC 9110 section 8.8.1
pub fn weaken_entity_tag(fields: &mut HeaderMap) {
    if let Some(strong) = fields.get(ETAG).and_then(|tag| tag.as_bytes().strip_suffix(b"\""))
        && !strong.starts_with(b"W/")
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", strong, MARK].concat())
    {
        fields.insert(ETAG, weak);
    }
}

/// Gives back the origin's own tags in If-Match and If-None-Match. If-Range stays as it is: of what it names the bytes
/// count, and those are not the origin's.
///
/// Source: RFC 9110 sections 13.1.1 and 13.1.2
pub fn restore_entity_tags(request: &mut HeaderMap) {
    for name in [IF_MATCH, IF_NONE_MATCH] {
        if !request.get_all(&name).iter().any(|line| line.as_bytes().windows(MARK.len()).any(|bytes| bytes == MARK)) {
            continue;
        }
        let members: Vec<Vec<u8>> = list_members(request, &name).map(restored).collect();
        if let Ok(value) = HeaderValue::from_bytes(&members.join(&b", "[..])) {
            request.insert(name, value);
        }
    }
}

fn restored(tag: &[u8]) -> Vec<u8> {
    match tag.strip_prefix(b"W/").and_then(|tag| tag.strip_suffix(MARK)) {
        Some(own) => [own, b"\""].concat(),
        None => tag.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::field;

    fn tag(weak: bool, opaque: &str) -> EntityTag {
        EntityTag { weak, opaque: opaque.to_owned() }
    }

    fn listed(lines: &[&[u8]]) -> Option<EntityTags> {
        EntityTags::of(&field(&IF_NONE_MATCH, lines), &IF_NONE_MATCH)
    }

    #[test]
    fn a_tag_is_read_and_written_alike() {
        for (text, read) in
            [("\"\"", tag(false, "")), ("\"a,b\\\"", tag(false, "a,b\\")), ("W/\"\u{e9}\"", tag(true, "\u{e9}"))]
        {
            assert_eq!(EntityTag::parse(text.as_bytes()), Some(read.clone()));
            assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_tag_is_none() {
        for text in
            [&b""[..], b"abc", b"\"abc", b"abc\"", b"\"", b"w/\"a\"", b"W/", b"W/ \"a\"", b"\"a b\"", b"\"a\"b\"", b"*"]
        {
            assert_eq!(EntityTag::parse(text), None, "{text:?}");
        }
        assert_eq!(EntityTag::parse(b"\"\xff\""), None, "no UTF-8");
        assert_eq!(EntityTag::parse(b"\"a\x7f\""), None, "DEL");
        assert_eq!(EntityTag::parse(b"\"a\", \"b\""), None, "two");
    }

    #[test]
    fn comparison_is_strong_or_weak() {
        for (left, right, strong, weak) in [
            (tag(true, "1"), tag(true, "1"), false, true),
            (tag(true, "1"), tag(true, "2"), false, false),
            (tag(true, "1"), tag(false, "1"), false, true),
            (tag(false, "1"), tag(false, "1"), true, true),
        ] {
            assert_eq!((left.strong_eq(&right), left.weak_eq(&right)), (strong, weak), "{left} {right}");
        }
    }

    #[test]
    fn lists_hold_the_tags_that_can_be_read() {
        let list = |tags: &[EntityTag]| Some(EntityTags::List(tags.to_vec()));
        assert_eq!(listed(&[]), None);
        assert_eq!(listed(&[b" * "]), Some(EntityTags::Any));
        assert_eq!(
            listed(&[b"\"a,b\" , W/\"c\",,", b"\"d\\\""]),
            list(&[tag(false, "a,b"), tag(true, "c"), tag(false, "d\\")])
        );
        assert_eq!(listed(&[b"abc, \"d\", \"e\"f, \"g\""]), list(&[tag(false, "d"), tag(false, "g")]));
        assert_eq!(listed(&[b"", b",", b"\"", b"W/", b"*, x", b"\xff"]), list(&[]));
    }

    #[test]
    fn a_hostile_list_is_read_in_one_pass() {
        let hostile = "W/\"".repeat(300_000);
        assert!(matches!(listed(&[hostile.as_bytes()]), Some(EntityTags::List(_))));
        let unclosed = "\",".repeat(300_001);
        assert!(matches!(listed(&[unclosed.as_bytes()]), Some(EntityTags::List(_))));
    }

    fn weakened(tag: &'static str) -> String {
        let mut fields = HeaderMap::from_iter([(ETAG, HeaderValue::from_static(tag))]);
        weaken_entity_tag(&mut fields);
        fields[ETAG].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_strong_tag_is_weakened_and_given_back() {
        for tag in ["\"a\"", "\"a, b\"", "\"\"", "\"a;b\""] {
            let weak = weakened(tag);
            assert!(weak.starts_with("W/\"") && weak.ends_with(";aside\""), "{weak}");
            for name in [IF_MATCH, IF_NONE_MATCH] {
                let line = format!("\"x\", {weak}");
                let mut request = HeaderMap::from_iter([(name.clone(), HeaderValue::from_str(&line).unwrap())]);
                restore_entity_tags(&mut request);
                assert_eq!(request[name], format!("\"x\", {tag}"));
            }
        }
    }

    #[test]
    fn what_is_weak_or_no_tag_already_stays() {
        for tag in ["W/\"a\"", "a", ""] {
            assert_eq!(weakened(tag), tag);
        }
    }

    #[test]
    fn a_clients_other_conditions_are_not_touched() {
        for line in ["*", "W/\"a\",\"b\"", "\"a;aside\"", "W/a;aside", ""] {
            let mut request = HeaderMap::from_iter([(IF_MATCH, HeaderValue::from_static(line))]);
            restore_entity_tags(&mut request);
            assert_eq!(request[IF_MATCH], line);
        }
        let range = HeaderValue::from_static("W/\"a;aside\"");
        let mut request = HeaderMap::from_iter([(http::header::IF_RANGE, range.clone())]);
        restore_entity_tags(&mut request);
        assert_eq!(request[http::header::IF_RANGE], range);
    }
}
