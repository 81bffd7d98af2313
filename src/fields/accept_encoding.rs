//! Accept-Encoding: which content codings a client can undo, and which it likes best.

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, HeaderValue};

use super::list::{list_members, split_list};
use super::weight::{Weight, weight};

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
    /// Every coding there is, in the order in which they are preferred unless somebody says otherwise.
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
    let lines = fields.get_all(http::header::CONTENT_ENCODING).into_iter();
    lines.flat_map(|line| split_list(line.as_bytes())).any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::field;
    use ContentCoding::{Br, Gzip, Zstd};

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
            let fields = HeaderMap::from_iter([(http::header::CONTENT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(is_encoded(&fields), encoded, "{value}");
        }
        assert!(!is_encoded(&HeaderMap::new()));
    }
}
