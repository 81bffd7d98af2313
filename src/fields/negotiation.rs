//! Content negotiation: what a client would rather have, which codings it can undo, and what an answer was chosen by.
//!
//! Source: RFC 9110 section 12

use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, HeaderName, HeaderValue, VARY};

use super::list::{list_members, split_list};

/// A weight in thousandths: 0 refuses, 1000 is the most.
type Weight = u16;

/// The `;q=` of a member; `None` where the parameters are something else.
fn weight(parameters: &[u8]) -> Option<Weight> {
    let [b'q' | b'Q', b'=', value @ ..] = parameters.trim_ascii() else { return None };
    let (whole, decimals) = match value {
        [whole @ (b'0' | b'1')] => (*whole, &b""[..]),
        [whole @ (b'0' | b'1'), b'.', decimals @ ..] if decimals.len() <= 3 => (*whole, decimals),
        _ => return None,
    };
    let mut thousandths = u16::from(whole - b'0') * 1000;
    for (digit, worth) in decimals.iter().zip([100, 10, 1]) {
        thousandths += digit.is_ascii_digit().then(|| u16::from(digit - b'0') * worth)?;
    }
    (thousandths <= 1000).then_some(thousandths)
}

/// What a request would rather have, as one text: two requests that want the same have the same text.
///
/// Case counts for nothing, nor does whitespace, nor how a weight is written; the weightiest comes first. Of the same
/// weight the first comes first, unless `any_order` says that their order, too, counts for nothing. `None` where the
/// field is absent or a member cannot be read.
///
/// Source: RFC 9110 sections 12.5.3 and 12.5.4, RFC 9111 section 4.1
pub fn preferences(request: &HeaderMap, name: &HeaderName, any_order: bool) -> Option<String> {
    let mut wanted = Vec::new();
    for member in list_members(request, name) {
        let mut parts = member.splitn(2, |&byte| byte == b';');
        let value = std::str::from_utf8(parts.next()?.trim_ascii()).ok()?.to_ascii_lowercase();
        wanted.push((value, parts.next().map_or(Some(1000), weight)?));
    }
    if any_order {
        wanted.sort();
    }
    wanted.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    let texts: Vec<String> = wanted.into_iter().map(|(value, weight)| format!("{value};{weight}")).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

/// How much a request wants the first of these media types, which go from the one by name to the widest range: the weight of
/// the most specific that its Accept names, in thousandths. 0 where that names none, or has no sense.
///
/// Source: RFC 9110 section 12.5.1
pub fn media_type_weight(request: &HeaderMap, names: &[&str]) -> u16 {
    let of = |name: &&str| {
        let weights = list_members(request, &ACCEPT).filter_map(|member| {
            let mut parts = member.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
            let is_it = parts.next()?.eq_ignore_ascii_case(name.as_bytes());
            let weighs = |part: &&[u8]| matches!(part, [b'q' | b'Q', b'=', ..]);
            is_it.then(|| parts.find(weighs).map_or(Some(1000), weight)).flatten()
        });
        weights.max()
    };
    names.iter().find_map(of).unwrap_or(0)
}

/// A content coding that the proxy can apply.
///
/// Source: RFC 9110 section 8.4.1, RFC 7932 (br), RFC 8878 (zstd)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentCoding {
    /// `zstd`
    Zstd,
    /// `br`
    Br,
    /// `gzip`
    Gzip,
}

impl ContentCoding {
    /// Every coding there is, in the order in which they are preferred unless the configuration says otherwise.
    pub const ALL: [Self; 3] = [Self::Zstd, Self::Br, Self::Gzip];

    /// Its name as registered.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Br => "br",
            Self::Gzip => "gzip",
        }
    }

    /// Its name as a field value.
    pub const fn field_value(self) -> HeaderValue {
        HeaderValue::from_static(self.as_str())
    }
}

/// What the Accept-Encoding lines of a request say, as far as the codings of [`ContentCoding`] are concerned.
///
/// A coding that is listed twice has its smaller weight. A member that cannot be read does not count.
///
/// Source: RFC 9110 sections 12.4.2 and 12.5.3
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptEncoding {
    /// The weights in the order of [`ContentCoding::ALL`].
    codings: [Option<Weight>; 3],
    identity: Option<Weight>,
    any: Option<Weight>,
}

impl AcceptEncoding {
    /// Reads the field in one pass and without allocating; `None` where the request has none.
    pub fn of(request: &HeaderMap) -> Option<Self> {
        if !request.contains_key(ACCEPT_ENCODING) {
            return None;
        }
        let mut read = Self::default();
        for member in list_members(request, &ACCEPT_ENCODING) {
            read.add(member);
        }
        Some(read)
    }

    fn add(&mut self, member: &[u8]) {
        let mut parts = member.splitn(2, |&byte| byte == b';');
        let name = parts.next().unwrap_or_default().trim_ascii();
        let Some(weight) = parts.next().map_or(Some(1000), weight) else { return };
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let slot = if is("identity") {
            &mut self.identity
        } else if is("*") {
            &mut self.any
        } else {
            // RFC 9110 section 8.4.1.3: x-gzip is gzip.
            let meant =
                |coding: &ContentCoding| is(coding.as_str()) || (*coding == ContentCoding::Gzip && is("x-gzip"));
            let slots = ContentCoding::ALL.iter().zip(&mut self.codings);
            let Some((_, slot)) = slots.into_iter().find(|(coding, _)| meant(coding)) else { return };
            slot
        };
        *slot = Some(slot.map_or(weight, |before| before.min(weight)));
    }

    fn weight(&self, coding: ContentCoding) -> Weight {
        let listed = ContentCoding::ALL.iter().zip(self.codings).find(|(known, _)| **known == coding);
        listed.and_then(|(_, weight)| weight).or(self.any).unwrap_or(0)
    }

    /// The coding to apply: of those that the client accepts the one it likes best, and of several alike the first of
    /// `offered`. `None` leaves the body as it is: the client accepts none of them, or says that it likes that better.
    ///
    /// A client that refuses `identity` and all that is offered gets identity all the same, as RFC 9110 allows.
    pub fn choose(&self, offered: &[ContentCoding]) -> Option<ContentCoding> {
        let mut best = None;
        for &coding in offered {
            let weight = self.weight(coding);
            if weight > best.map_or(0, |(_, most)| most) {
                best = Some((coding, weight));
            }
        }
        let (coding, weight) = best?;
        (self.identity.unwrap_or(0) <= weight).then_some(coding)
    }
}

/// True when a body is not what its media type says it is, but a coded form of it.
///
/// Source: RFC 9110 section 8.4
pub fn is_encoded(fields: &HeaderMap) -> bool {
    let lines = fields.get_all(CONTENT_ENCODING).into_iter();
    lines.flat_map(|line| split_list(line.as_bytes())).any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
}

/// The request fields that a response says it was chosen by.
///
/// Source: RFC 9110 section 12.5.5
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vary {
    /// `*`, a list that cannot be read, or one of more than a hundred names: no request is known to match.
    Any,
    /// These, lower-cased, sorted, each once; empty when the response depends on none.
    Fields(Vec<HeaderName>),
}

/// How many fields an answer may be chosen by: each of them is looked at whenever the answer is looked up.
const MOST_NAMES: usize = 100;

impl Vary {
    /// Reads every Vary line of a response.
    pub fn of(response: &HeaderMap) -> Self {
        let mut names = Vec::new();
        for member in list_members(response, &VARY) {
            match HeaderName::from_bytes(member) {
                Ok(name) if member != b"*" => names.push(name),
                _ => return Self::Any,
            }
        }
        names.sort_unstable_by(|left, right| left.as_str().cmp(right.as_str()));
        names.dedup();
        if names.len() > MOST_NAMES { Self::Any } else { Self::Fields(names) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::field;
    use ContentCoding::{Br, Gzip, Zstd};
    use http::header::ACCEPT_LANGUAGE;

    fn wishes(line: &'static str, any_order: bool) -> Option<String> {
        let request = HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_static(line))]);
        preferences(&request, &ACCEPT_LANGUAGE, any_order)
    }

    #[test]
    fn the_same_wishes_are_the_same_text() {
        for line in ["de, en;q=0.5", "DE ,en ; Q=0.50", "en;q=0.5,de;q=1", "de,,en;q=0.500"] {
            assert_eq!(wishes(line, false).as_deref(), Some("de;1000,en;500"), "{line}");
        }
        assert_ne!(wishes("de, en", false), wishes("en, de", false));
        assert_eq!(wishes("de, en", true), wishes("en, de", true));
        assert_ne!(wishes("de, en;q=0.5", true), wishes("en, de;q=0.5", true));
    }

    #[test]
    fn what_is_absent_or_cannot_be_read_is_none() {
        for line in ["", ",", "en;level=1", "en;q=2", "en;q=0.1234"] {
            assert_eq!(wishes(line, false), None, "{line}");
        }
    }

    fn chosen(lines: &[&'static str]) -> Option<ContentCoding> {
        AcceptEncoding::of(&field(&ACCEPT_ENCODING, lines))?.choose(&ContentCoding::ALL)
    }

    #[test]
    fn without_the_field_nothing_is_chosen() {
        assert_eq!(AcceptEncoding::of(&HeaderMap::new()), None);
    }

    #[test]
    fn the_clients_weight_comes_first_and_the_servers_order_after_it() {
        for (line, coding) in [
            ("gzip", Some(Gzip)),
            ("gzip, deflate, br, zstd", Some(Zstd)),
            ("gzip, deflate, br", Some(Br)),
            ("GZIP, X-Unknown", Some(Gzip)),
            ("x-gzip", Some(Gzip)),
            ("gzip;q=1.0, br;q=0.9, zstd;q=0.8", Some(Gzip)),
            ("gzip;q=0.5, br;q=0.501", Some(Br)),
            ("br ; q=0.001", Some(Br)),
            ("zstd;Q=0, br", Some(Br)),
            ("deflate, compress", None),
            ("", None),
            (" , ,", None),
        ] {
            assert_eq!(chosen(&[line]), coding, "{line}");
        }
        assert_eq!(chosen(&["gzip", "zstd"]), Some(Zstd), "lines are one list");
    }

    #[test]
    fn a_star_stands_for_what_is_not_listed() {
        for (line, coding) in [
            ("*", Some(Zstd)),
            ("*;q=0", None),
            ("gzip, *;q=0", Some(Gzip)),
            ("zstd;q=0, *;q=0.5", Some(Br)),
            ("gzip, *;q=0.5", Some(Gzip)),
        ] {
            assert_eq!(chosen(&[line]), coding, "{line}");
        }
    }

    #[test]
    fn identity_wins_only_where_the_client_likes_it_better() {
        for (line, coding) in [
            ("identity", None),
            ("identity, gzip", Some(Gzip)),
            ("identity, gzip;q=0.9", None),
            ("identity;q=0.5, gzip;q=0.5", Some(Gzip)),
            ("identity;q=0, gzip;q=0.1", Some(Gzip)),
            ("identity;q=0", None),
        ] {
            assert_eq!(chosen(&[line]), coding, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_read_does_not_count() {
        for line in [
            "gzip;q=2",
            "gzip;q=1.001",
            "gzip;q=0.0001",
            "gzip;q=",
            "gzip;q=.5",
            "gzip;q=a",
            "gzip;q=-1",
            "gzip;level=9",
            "gzip;q=0.5;x=y",
            "gzip br",
            "\"gzip\"",
            ";q=1",
            "gzip;",
        ] {
            assert_eq!(chosen(&[line]), None, "{line}");
        }
        assert_eq!(chosen(&["gzip;q=1, gzip;q=0, br;q=0.1"]), Some(Br), "the smaller weight of two");
        assert_eq!(chosen(&["gzip;q=0."]), None);
        assert_eq!(chosen(&["gzip;q=1."]), Some(Gzip));
    }

    #[test]
    fn only_what_is_offered_is_chosen_in_the_order_of_the_offer() {
        let request = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("gzip, br, zstd"))]);
        let accepted = AcceptEncoding::of(&request).unwrap();
        assert_eq!(accepted.choose(&[]), None);
        assert_eq!(accepted.choose(&[Gzip, Br]), Some(Gzip));
    }

    #[test]
    fn a_hostile_list_is_read_in_one_pass() {
        let hostile = HeaderValue::from_str(&"gzip;q=0,*;q=0,\"".repeat(100_000)).unwrap();
        let request = HeaderMap::from_iter([(ACCEPT_ENCODING, hostile)]);
        assert_eq!(AcceptEncoding::of(&request).unwrap().choose(&ContentCoding::ALL), None);
    }

    #[test]
    fn a_coded_body_is_told_by_its_field() {
        for (value, encoded) in [("gzip", true), ("identity, br", true), ("Identity", false), ("", true)] {
            let fields = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(is_encoded(&fields), encoded, "{value}");
        }
        assert!(!is_encoded(&HeaderMap::new()));
    }

    fn vary(lines: &[&[u8]]) -> Vary {
        Vary::of(&field(&VARY, lines))
    }

    #[test]
    fn names_are_lower_cased_sorted_and_each_once() {
        let names = ["accept", "origin", "x-a"].map(HeaderName::from_static).to_vec();
        assert_eq!(vary(&[b"X-A, Origin", b"ACCEPT,, origin"]), Vary::Fields(names));
    }

    #[test]
    fn nothing_named_is_an_empty_list() {
        for lines in [&[][..], &[&b""[..]], &[b" , "]] {
            assert_eq!(vary(lines), Vary::Fields(Vec::new()));
        }
    }

    #[test]
    fn more_names_than_are_looked_at_are_any() {
        let list = |count: usize| (0..count).map(|number| format!("x-{number}, x-0")).collect::<Vec<_>>().join(",");
        assert!(matches!(vary(&[list(MOST_NAMES).as_bytes()]), Vary::Fields(names) if names.len() == MOST_NAMES));
        assert_eq!(vary(&[list(MOST_NAMES + 1).as_bytes()]), Vary::Any);
        assert_eq!(vary(&[list(100_000).as_bytes()]), Vary::Any);
    }

    #[test]
    fn a_star_or_what_cannot_be_read_is_any() {
        for line in [&b"*"[..], b"accept, *", b"a b", b"accept; x", b"\xff", b"\"accept\"", b"a, :"] {
            assert_eq!(vary(&[b"accept", line]), Vary::Any, "{line:?}");
        }
    }
}
