//! What the answer to a HEAD tells of the stored answer to GET.

use http::header::{CONTENT_LENGTH, ETAG, LAST_MODIFIED};
use http::{HeaderMap, StatusCode};

use crate::fields::content_length;

/// What a HEAD told of a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing that counts.
    Nothing,
    /// The origin's representation is the stored one: its fields may be freshened.
    Same,
    /// It is another one: what is stored is of no use any more.
    Other,
}

/// What an answer to HEAD with this status and these fields tells of a stored response with `stored` status, fields and
/// body length.
///
/// Only a 200 tells anything. Another entity tag, Last-Modified or Content-Length is another representation. Stricter
/// than the RFC: one that names no validator tells nothing, for the same length is not the same body.
///
/// Source: RFC 9111 section 4.3.5
pub fn told_by_head(stored: (StatusCode, &HeaderMap, u64), status: StatusCode, head: &HeaderMap) -> Told {
    let (stored_status, stored, length) = stored;
    if status != StatusCode::OK {
        return Told::Nothing;
    }
    let named = [ETAG, LAST_MODIFIED].map(|name| head.get(&name).map(|value| stored.get(&name) == Some(value)));
    let other_length = head.contains_key(CONTENT_LENGTH) && content_length(head) != Ok(Some(length));
    if stored_status != StatusCode::OK || other_length || named.contains(&Some(false)) {
        return Told::Other;
    }
    if named.contains(&Some(true)) { Told::Same } else { Told::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::fields;

    type Lines<'a> = &'a [(&'static str, &'static str)];

    const EARLY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATE: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    fn told(stored: Lines<'_>, head: Lines<'_>) -> Told {
        told_after(200, stored, 200, head)
    }

    fn told_after(stored_status: u16, stored: Lines<'_>, status: u16, head: Lines<'_>) -> Told {
        let code = |status| StatusCode::from_u16(status).unwrap();
        let (stored, head) = (fields(stored), fields(head));
        told_by_head((code(stored_status), &stored, 4), code(status), &head)
    }

    #[test]
    fn every_validator_that_is_named_has_to_be_the_stored_one() {
        let stored = &[("etag", "\"a\""), ("last-modified", EARLY)];
        for (head, expected) in [
            (&[("etag", "\"a\""), ("last-modified", EARLY), ("content-length", "4")] as Lines<'_>, Told::Same),
            (&[("etag", "\"a\"")], Told::Same),
            (&[("last-modified", EARLY)], Told::Same),
            (&[("etag", "\"b\"")], Told::Other),
            (&[("etag", "W/\"a\"")], Told::Other),
            (&[("etag", "\"a\""), ("last-modified", LATE)], Told::Other),
            (&[("etag", "\"a\""), ("content-length", "5")], Told::Other),
            (&[("etag", "\"a\""), ("content-length", "many")], Told::Other),
            (&[("content-length", "5")], Told::Other),
            (&[("content-length", "4")], Told::Nothing),
            (&[], Told::Nothing),
        ] {
            assert_eq!(told(stored, head), expected, "{head:?}");
        }
        assert_eq!(told(&[], &[("etag", "\"a\"")]), Told::Other, "there was none");
    }

    #[test]
    fn only_a_200_tells_anything_and_only_of_a_stored_200_that_it_is_the_same() {
        let tag = &[("etag", "\"a\"")];
        for status in [204, 206, 304, 404, 405, 500] {
            assert_eq!(told_after(200, tag, status, tag), Told::Nothing, "{status}");
        }
        assert_eq!(told_after(404, tag, 200, tag), Told::Other);
    }
}
