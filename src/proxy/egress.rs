//! What leaves towards the client: an origin's head made into one that every client reads the same way.
//!
//! What leaves towards the origin is settled where a request comes in: its fields are those that ingress let through.

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE, ETAG, HeaderName, LAST_MODIFIED,
    LOCATION,
};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, Version};

use crate::fields::{Detail, TransferCoding, content_length, nominates_end_to_end, strip_hop_by_hop, transfer_coding};
use crate::policy::BodyFraming;

/// What a head said before it was made ready, as far as storing its answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Where its body ends.
    pub(super) framing: BodyFraming,
    /// Why it may not be stored, whatever else it says.
    pub(super) unsound: Option<Detail>,
}

/// A body, as the one who parsed the head found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Nothing (more) to come.
    Done,
    /// So many bytes.
    Length(u64),
    /// As much as comes.
    Unknown,
}

/// Fields of which a recipient takes one: two that differ are two answers in one.
static SINGLE: [HeaderName; 6] =
    [ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_LOCATION, CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION];

/// Makes an origin's head ready for the client: no hop-by-hop fields, a length that is the parsed body's and never the
/// words that came, HTTP/1.1. Comes back with what storing depends on, read before it is gone.
///
/// The head is one that `fields::response_fault` finds no fault with.
///
/// Source: RFC 9110 sections 7.6.1 and 8.6, RFC 9112 section 6
pub(super) fn ready(head: &mut Parts, body: Extent) -> Said {
    let misplaced = has_no_body(head.status) && !matches!(body, Extent::Done | Extent::Length(0));
    let unsound = unsound(&head.headers).or(misplaced.then_some(Detail::Ambiguous));
    let said = Said { framing: framing(&head.headers, body), unsound };
    let length = length(head.status, &head.headers, body);
    strip_hop_by_hop(&mut head.headers);
    match length {
        Some(length) => head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length)),
        None => head.headers.remove(CONTENT_LENGTH),
    };
    head.version = Version::HTTP_11;
    said
}

/// Whether the status leaves no place for a body, so that some recipients would take one for the next answer.
///
/// Source: RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5
pub(super) fn has_no_body(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

fn length(status: StatusCode, fields: &HeaderMap, body: Extent) -> Option<u64> {
    match (status, body) {
        (StatusCode::NO_CONTENT, _) => None,
        (StatusCode::RESET_CONTENT, _) => Some(0),
        // The answer to a HEAD, or a 304: the length that the body would have.
        (_, Extent::Done) => content_length(fields).ok().flatten(),
        (_, Extent::Length(length)) => Some(length),
        (_, Extent::Unknown) => None,
    }
}

fn framing(fields: &HeaderMap, body: Extent) -> BodyFraming {
    match body {
        Extent::Done => BodyFraming::None,
        Extent::Length(length) => BodyFraming::Length(length),
        Extent::Unknown if transfer_coding(fields) == TransferCoding::Chunked => BodyFraming::Chunked,
        Extent::Unknown => BodyFraming::CloseDelimited,
    }
}

fn unsound(fields: &HeaderMap) -> Option<Detail> {
    if nominates_end_to_end(fields).is_some() {
        // What is gone with it may have said that the answer is private.
        return Some(Detail::HopByHop);
    }
    let differs = |name: &HeaderName| {
        let mut lines = fields.get_all(name).iter();
        lines.next().is_some_and(|first| lines.any(|other| other != first))
    };
    SINGLE.iter().any(differs).then_some(Detail::Ambiguous)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: u16, lines: &[(&'static str, &'static str)]) -> Parts {
        let (mut head, ()) = http::Response::new(()).into_parts();
        head.status = StatusCode::from_u16(status).unwrap();
        head.version = Version::HTTP_10;
        for (name, value) in lines {
            head.headers.append(*name, HeaderValue::from_static(value));
        }
        head
    }

    #[test]
    fn the_length_is_the_parsed_bodys() {
        for (status, said, body, length) in [
            (200, "5, 5", Extent::Length(5), Some("5")),
            (200, "005", Extent::Length(5), Some("5")),
            (200, "0", Extent::Done, Some("0")),
            (200, "07", Extent::Done, Some("7")),
            (304, "7", Extent::Done, Some("7")),
            (204, "7", Extent::Done, None),
            (205, "7", Extent::Length(7), Some("0")),
        ] {
            let mut head = head(status, &[("content-length", said)]);
            ready(&mut head, body);
            let found = head.headers.get(CONTENT_LENGTH).map(|length| length.to_str().unwrap());
            assert_eq!((found, head.version), (length, Version::HTTP_11), "{status} {said}");
        }
    }

    #[test]
    fn the_end_of_a_body_is_read_before_its_words_are_gone() {
        let mut chunked = head(200, &[("transfer-encoding", "chunked"), ("trailer", "x"), ("keep-alive", "5")]);
        assert_eq!(ready(&mut chunked, Extent::Unknown).framing, BodyFraming::Chunked);
        assert!(chunked.headers.is_empty());
        assert_eq!(ready(&mut head(200, &[]), Extent::Unknown).framing, BodyFraming::CloseDelimited);
        assert_eq!(ready(&mut head(200, &[]), Extent::Length(3)).framing, BodyFraming::Length(3));
        assert_eq!(ready(&mut head(200, &[]), Extent::Done).framing, BodyFraming::None);
    }

    #[test]
    fn a_head_that_hides_or_contradicts_something_is_not_stored() {
        for (lines, unsound) in [
            (&[("connection", "close, set-cookie"), ("set-cookie", "a=1")][..], Some(Detail::HopByHop)),
            (&[("connection", "cache-control")], Some(Detail::HopByHop)),
            (&[("content-type", "text/html"), ("content-type", "text/plain")], Some(Detail::Ambiguous)),
            (&[("location", "/a"), ("location", "/b")], Some(Detail::Ambiguous)),
            (&[("content-type", "text/html"), ("content-type", "text/html")], None),
            (&[("connection", "x-mine"), ("x-mine", "1")], None),
        ] {
            let mut head = head(200, lines);
            assert_eq!(ready(&mut head, Extent::Length(1)).unsound, unsound, "{lines:?}");
            assert!(!head.headers.contains_key("connection") && !head.headers.contains_key("set-cookie"));
        }
    }
}
