//! Cache-Control, of requests and responses alike, and CDN-Cache-Control, which an origin says to shared caches alone.

use http::header::{CACHE_CONTROL, HeaderName};
use http::{HeaderMap, HeaderValue};
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use super::framing::decimal;
use super::list::list_members;

/// What a number of seconds that is too large to matter is read as: 68 years.
///
/// Source: RFC 9111 section 1.2.2
pub const MAX_DELTA_SECONDS: u64 = 1 << 31;

/// The longest directive known here is `stale-while-revalidate`; a longer name is none of ours.
const LONGEST_NAME: usize = 22;

/// The directives of a message, all of its lines together.
///
/// Numbers are seconds, at most [`MAX_DELTA_SECONDS`]. A directive that is repeated counts in its most restrictive
/// form; one whose number cannot be read counts as the most restrictive number, since a limit was meant.
/// A directive that allows something does not count when it has an argument, one that forbids something does:
/// a qualified `no-cache="set-cookie"` or `private="x"` is read as if it stood alone. `private` and `no-store` count also
/// as a word of what is no directive.
///
/// Source: RFC 9111 section 5.2, RFC 5861
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one bool a directive, named as the RFC names it")]
pub struct CacheControl {
    /// These are the directives of a targeted field, which takes the place of Expires as well.
    ///
    /// Source: RFC 9213 section 2.2
    pub targeted: bool,
    /// Source: RFC 9111 sections 5.2.1.5 and 5.2.2.5
    pub no_store: bool,
    /// Source: RFC 9111 sections 5.2.1.4 and 5.2.2.4
    pub no_cache: bool,
    /// Source: RFC 9111 sections 5.2.1.6 and 5.2.2.6
    pub no_transform: bool,
    /// Source: RFC 9111 section 5.2.2.9
    pub public: bool,
    /// Source: RFC 9111 section 5.2.2.7
    pub private: bool,
    /// Source: RFC 9111 section 5.2.2.2
    pub must_revalidate: bool,
    /// Source: RFC 9111 section 5.2.2.8
    pub proxy_revalidate: bool,
    /// Source: RFC 9111 section 5.2.2.3
    pub must_understand: bool,
    /// Source: RFC 9111 section 5.2.1.7
    pub only_if_cached: bool,
    /// Source: RFC 9111 sections 5.2.1.1 and 5.2.2.1
    pub max_age: Option<u64>,
    /// Source: RFC 9111 section 5.2.2.10
    pub s_maxage: Option<u64>,
    /// Source: RFC 5861 section 3
    pub stale_while_revalidate: Option<u64>,
    /// Source: RFC 5861 section 4
    pub stale_if_error: Option<u64>,
    /// Source: RFC 9111 section 5.2.1.3
    pub min_fresh: Option<u64>,
    /// `Some(None)` is the directive without a number: however stale.
    ///
    /// Source: RFC 9111 section 5.2.1.2
    pub max_stale: Option<Option<u64>>,
}

impl CacheControl {
    /// Reads the Cache-Control lines; without any, nothing is set.
    pub fn parse(fields: &HeaderMap) -> Self {
        let mut read = Self::default();
        for member in list_members(fields, &CACHE_CONTROL) {
            let mut parts = member.splitn(2, |&byte| byte == b'=');
            let directive = parts.next().unwrap_or_default().trim_ascii();
            let argument = parts.next().map(<[u8]>::trim_ascii);
            read.add(directive, argument.map(unquoted));
            if !is_token(directive) || argument.is_some_and(|argument| !is_token(argument) && !is_quoted(argument)) {
                read.add_forbidding(member);
            }
        }
        read
    }

    /// What a response says to a shared cache: its CDN-Cache-Control where that counts, else its Cache-Control.
    ///
    /// Source: RFC 9213 section 2.2
    pub fn of_response(fields: &HeaderMap) -> Self {
        targeted(fields).unwrap_or_else(|| Self::parse(fields))
    }

    /// True when a lifetime is named for a shared cache, whatever it is.
    pub fn names_lifetime(&self) -> bool {
        self.s_maxage.or(self.max_age).is_some()
    }

    /// What forbids in a member that is no directive, as in `no-store; max-age=5`: it was meant all the same.
    fn add_forbidding(&mut self, member: &[u8]) {
        for word in member.split(|&byte| byte != b'=' && !is_token_octet(byte)) {
            let name = word.split(|&byte| byte == b'=').next().unwrap_or_default();
            let is = |directive: &[u8]| name.eq_ignore_ascii_case(directive);
            self.no_store |= is(b"no-store");
            self.private |= is(b"private");
            self.no_cache |= is(b"no-cache");
            self.must_revalidate |= is(b"must-revalidate");
            self.proxy_revalidate |= is(b"proxy-revalidate");
        }
    }

    fn add(&mut self, directive: &[u8], argument: Option<&[u8]>) {
        let mut lowered = [0; LONGEST_NAME];
        let Some(name) = lowered.get_mut(..directive.len()) else { return };
        name.copy_from_slice(directive);
        name.make_ascii_lowercase();
        match &*name {
            b"no-store" => self.no_store = true,
            b"no-cache" => self.no_cache = true,
            b"no-transform" => self.no_transform = true,
            b"public" => self.public |= argument.is_none(),
            b"private" => self.private = true,
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"must-understand" => self.must_understand = true,
            b"only-if-cached" => self.only_if_cached = true,
            b"max-age" => lower(&mut self.max_age, argument),
            b"s-maxage" => lower(&mut self.s_maxage, argument),
            b"stale-while-revalidate" => lower(&mut self.stale_while_revalidate, argument),
            b"stale-if-error" => lower(&mut self.stale_if_error, argument),
            b"min-fresh" => raise(&mut self.min_fresh, argument),
            b"max-stale" => {
                let said = argument.map(|text| delta_seconds(text).unwrap_or(0));
                self.max_stale = Some(stricter(self.max_stale.flatten(), said));
            }
            _ => {}
        }
    }
}

/// Reads a number of seconds, digits and nothing else; larger ones come back as [`MAX_DELTA_SECONDS`].
///
/// Source: RFC 9111 section 1.2.2
pub fn delta_seconds(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    digits.then(|| decimal(text).map_or(MAX_DELTA_SECONDS, |seconds| seconds.min(MAX_DELTA_SECONDS)))
}

/// Source: RFC 9110 section 5.6.2
fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().copied().all(is_token_octet)
}

fn is_token_octet(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Source: RFC 9110 section 5.6.4
fn is_quoted(text: &[u8]) -> bool {
    let Some(inside) = text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else { return false };
    let mut bytes = inside.iter();
    while let Some(byte) = bytes.next() {
        if *byte == b'"' || (*byte == b'\\' && bytes.next().is_none()) {
            return false;
        }
    }
    true
}

fn unquoted(argument: &[u8]) -> &[u8] {
    argument.strip_prefix(b"\"").and_then(|inside| inside.strip_suffix(b"\"")).unwrap_or(argument)
}

fn lower(limit: &mut Option<u64>, argument: Option<&[u8]>) {
    let seconds = argument.and_then(delta_seconds).unwrap_or(0);
    *limit = Some(limit.map_or(seconds, |before| before.min(seconds)));
}

fn raise(limit: &mut Option<u64>, argument: Option<&[u8]>) {
    let seconds = argument.and_then(delta_seconds).unwrap_or(MAX_DELTA_SECONDS);
    *limit = Some(limit.map_or(seconds, |before| before.max(seconds)));
}

/// Two readings of `max-stale`, of which one without a number accepts whatever the other does.
fn stricter(before: Option<u64>, said: Option<u64>) -> Option<u64> {
    match (before, said) {
        (Some(before), Some(said)) => Some(before.min(said)),
        (before, said) => before.or(said),
    }
}

/// The targeted field that a reverse proxy counts itself among the targets of.
///
/// Source: RFC 9213 section 3
pub const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

/// The directives of CDN-Cache-Control; `None` when it is absent, empty or malformed, so that Cache-Control counts.
///
/// It is a dictionary of structured fields, read strictly: a key in capitals, a number in quotes or a stray character
/// makes all of it malformed. Where it counts, Cache-Control and Expires do not.
///
/// Source: RFC 9213 section 2.1
fn targeted(fields: &HeaderMap) -> Option<CacheControl> {
    let lines: Vec<&[u8]> = fields.get_all(&CDN_CACHE_CONTROL).into_iter().map(HeaderValue::as_bytes).collect();
    if lines.is_empty() {
        return None;
    }
    let dictionary: Dictionary = Parser::new(&lines.join(&b", "[..])).parse().ok()?;
    if dictionary.is_empty() {
        return None;
    }
    let mut read = CacheControl { targeted: true, ..CacheControl::default() };
    for (key, value) in &dictionary {
        let ListEntry::Item(value) = value else { return None };
        add_targeted(&mut read, key.as_str(), &value.bare_item)?;
    }
    Some(read)
}

/// `None` when a directive known here has a value of another type than its own.
fn add_targeted(read: &mut CacheControl, directive: &str, value: &BareItem) -> Option<()> {
    match directive {
        "max-age" => read.max_age = Some(seconds(value)?),
        "s-maxage" => read.s_maxage = Some(seconds(value)?),
        "stale-while-revalidate" => read.stale_while_revalidate = Some(seconds(value)?),
        "stale-if-error" => read.stale_if_error = Some(seconds(value)?),
        "no-store" => read.no_store = flag(value)?,
        "no-transform" => read.no_transform = flag(value)?,
        "public" => read.public = flag(value)?,
        "must-revalidate" => read.must_revalidate = flag(value)?,
        "proxy-revalidate" => read.proxy_revalidate = flag(value)?,
        "must-understand" => read.must_understand = flag(value)?,
        // These two may name fields; they are read as if they stood alone, as in Cache-Control.
        "no-cache" => read.no_cache = flag_or_fields(value)?,
        "private" => read.private = flag_or_fields(value)?,
        _ => {}
    }
    Some(())
}

fn seconds(value: &BareItem) -> Option<u64> {
    let BareItem::Integer(seconds) = value else { return None };
    u64::try_from(i64::from(*seconds)).ok().map(|seconds| seconds.min(MAX_DELTA_SECONDS))
}

fn flag(value: &BareItem) -> Option<bool> {
    match value {
        BareItem::Boolean(set) => Some(*set),
        _ => None,
    }
}

fn flag_or_fields(value: &BareItem) -> Option<bool> {
    match value {
        BareItem::String(_) | BareItem::Token(_) => Some(true),
        value => flag(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::field;

    fn parse(lines: &[&str]) -> CacheControl {
        CacheControl::parse(&field(&CACHE_CONTROL, lines))
    }

    #[test]
    fn no_field_sets_nothing() {
        assert_eq!(parse(&[]), CacheControl::default());
        assert_eq!(parse(&["", " , ,"]), CacheControl::default());
    }

    #[test]
    fn every_directive_is_read_in_any_case_and_on_any_line() {
        let read = parse(&[
            "No-Store, NO-CACHE,no-transform , public, private",
            "must-revalidate, proxy-revalidate, must-understand, only-if-cached, max-stale",
            "Max-Age=1, s-maxage=2, stale-while-revalidate=3, stale-if-error=4, min-fresh=5",
        ]);
        assert_eq!(
            read,
            CacheControl {
                targeted: false,
                no_store: true,
                no_cache: true,
                no_transform: true,
                public: true,
                private: true,
                must_revalidate: true,
                proxy_revalidate: true,
                must_understand: true,
                only_if_cached: true,
                max_age: Some(1),
                s_maxage: Some(2),
                stale_while_revalidate: Some(3),
                stale_if_error: Some(4),
                min_fresh: Some(5),
                max_stale: Some(None),
            }
        );
    }

    #[test]
    fn numbers_that_cannot_be_read_are_the_strictest() {
        for (line, seconds) in [
            ("max-age=60", 60),
            ("max-age=\"60\"", 60),
            ("max-age= 60 ", 60),
            ("max-age=060", 60),
            ("max-age=-1", 0),
            ("max-age=+1", 0),
            ("max-age=1.5", 0),
            ("max-age=60s", 0),
            ("max-age='60'", 0),
            ("max-age=\"60", 0),
            ("max-age=", 0),
            ("max-age", 0),
            ("max-age=99999999999999999999999999999", MAX_DELTA_SECONDS),
            ("max-age=2147483649", MAX_DELTA_SECONDS),
            ("max-age=\u{e9}", 0),
        ] {
            assert_eq!(parse(&[line]).max_age, Some(seconds), "{line}");
        }
        assert_eq!(parse(&["min-fresh=x"]).min_fresh, Some(MAX_DELTA_SECONDS));
        assert_eq!(parse(&["max-stale=x"]).max_stale, Some(Some(0)));
    }

    #[test]
    fn repeated_directives_count_in_their_strictest_form() {
        assert_eq!(parse(&["max-age=60, max-age=1"]).max_age, Some(1));
        assert_eq!(parse(&["max-age=1", "max-age=60"]).max_age, Some(1));
        assert_eq!(parse(&["min-fresh=1, min-fresh=60"]).min_fresh, Some(60));
        assert_eq!(parse(&["max-stale, max-stale=9, max-stale=10"]).max_stale, Some(Some(9)));
        assert_eq!(parse(&["max-stale=9, max-stale"]).max_stale, Some(Some(9)));
    }

    #[test]
    fn arguments_restrict_but_never_allow() {
        let read = parse(&[r#"no-cache="set-cookie", private="x, y", no-store=0, public=0""#]);
        assert!(read.no_cache && read.private && read.no_store);
        assert!(!read.public);
    }

    #[test]
    fn a_quoted_string_is_no_place_for_directives_unless_it_never_ends() {
        assert_eq!(parse(&[r#"ext="max-age=1, no-store", max-age=60"#]).max_age, Some(60));
        assert!(!parse(&[r#"ext="a, no-store""#]).no_store);
        assert!(parse(&[r#"ext="a, no-store"#]).no_store);
    }

    #[test]
    fn what_is_no_directive_still_forbids() {
        for (line, private) in [
            ("private;max-age=5", true),
            ("private; max-age=5", true),
            ("Private max-age=60", true),
            ("max-age=60; private", true),
            ("\"private\", max-age=60", true),
            ("max-age=60;private=x", true),
            ("max-age=60 \"PRIVATE", true),
            ("{private}", true),
            ("no-store; max-age=5", false),
            ("max-age=60 no-store", false),
            ("max-age=60\tNo-Store", false),
            ("no-store/public", false),
            ("ext=\"a\" no-store", false),
        ] {
            let read = parse(&[line]);
            assert_eq!((read.private, read.no_store), (private, !private), "{line}");
        }
        for line in ["no-cache; max-age=60", "must-revalidate; no-cache", "max-age=60 No-Cache"] {
            assert!(parse(&[line]).no_cache, "{line}");
        }
        let read = parse(&["max-age=5; must-revalidate", "s-maxage=5; proxy-revalidate"]);
        assert!(read.must_revalidate && read.proxy_revalidate && !read.no_cache);
        for line in [
            r#"ext="no-store""#,
            r#"ext="a \" private; no-store""#,
            r#"ext = "private; no-store""#,
            "ext=private",
            "ext=no-store, max-age=60",
            "ext=private; x=no-store",
            "no-storeX; xprivate; private-x",
            "'private'",
            "a b c; d",
            "",
        ] {
            let read = parse(&[line]);
            assert!(!read.private && !read.no_store, "{line}");
        }
    }

    #[test]
    fn unknown_and_endless_names_are_ignored() {
        let endless = format!("{}=1, max-age=5", "x".repeat(5000));
        assert_eq!(parse(&[&endless, "xmax-age=1, =, =1"]), CacheControl { max_age: Some(5), ..Default::default() });
    }

    fn read_targeted(lines: &[&'static str]) -> Option<CacheControl> {
        targeted(&field(&CDN_CACHE_CONTROL, lines))
    }

    #[test]
    fn its_directives_are_read_over_all_lines() {
        let all = read_targeted(&[
            "max-age=1, s-maxage=2, foo, bar=\"x\";y=1",
            "stale-while-revalidate=3, stale-if-error=4, no-store, no-transform, public",
            "must-revalidate, proxy-revalidate, must-understand, no-cache=\"x\", private",
        ]);
        let expected = CacheControl {
            targeted: true,
            max_age: Some(1),
            s_maxage: Some(2),
            stale_while_revalidate: Some(3),
            stale_if_error: Some(4),
            no_store: true,
            no_transform: true,
            public: true,
            must_revalidate: true,
            proxy_revalidate: true,
            must_understand: true,
            no_cache: true,
            private: true,
            ..CacheControl::default()
        };
        assert_eq!(all, Some(expected));
    }

    #[test]
    fn a_large_number_is_cut_and_the_last_of_a_key_counts() {
        assert_eq!(read_targeted(&["max-age=99999999999"]).unwrap().max_age, Some(MAX_DELTA_SECONDS));
        assert_eq!(read_targeted(&["max-age=1, max-age=5"]).unwrap().max_age, Some(5));
        assert!(!read_targeted(&["no-store=?0"]).unwrap().no_store);
    }

    #[test]
    fn what_is_absent_empty_or_malformed_does_not_count() {
        for lines in [
            &[][..],
            &[""],
            &["max-age=10, &&&&&"],
            &["max-age=\"10\""],
            &["max-age=-1"],
            &["max-age=1.5"],
            &["max-age"],
            &["max-age =10"],
            &["MAX-AGE=10"],
            &["max-age=10,"],
            &["no-store=1"],
            &["private=(a b)"],
            &["max-age=10", "x y"],
        ] {
            assert_eq!(read_targeted(lines), None, "{lines:?}");
        }
    }
}
