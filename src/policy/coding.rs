//! May a body be sent in a content coding that its origin did not choose? One condition a line, each with its clause.

use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};

use crate::fields::{AcceptEncoding, CacheControl, ContentCoding};

/// Smaller bodies fit into one packet as they are.
const LEAST: usize = 1024;

/// True when answers with these fields and a whole body of this many bytes are negotiated by Accept-Encoding, and so
/// have to say `Vary: Accept-Encoding`, in whatever coding they go out.
pub fn may_encode(status: StatusCode, fields: &HeaderMap, length: usize) -> bool {
    length >= LEAST
        // RFC 9110 section 14.4: a part is of the representation that it was cut from.
        && status != StatusCode::PARTIAL_CONTENT
        && !fields.contains_key(CONTENT_RANGE)
        // RFC 9110 section 8.4: it has a coding already.
        && !fields.contains_key(CONTENT_ENCODING)
        && shrinks(fields)
        && !forbids_transforming(fields)
}

/// The coding that a request is to get of those offered, for an answer that [`may_encode`]; `None` for none.
pub fn coding_for(request: &HeaderMap, offered: &[ContentCoding]) -> Option<ContentCoding> {
    let coding = AcceptEncoding::of(request)?.choose(offered)?;
    (!forbids_transforming(request)).then_some(coding)
}

/// `no-transform`, of a request or a response.
///
/// Source: RFC 9111 sections 5.2.1.6 and 5.2.2.6
pub fn forbids_transforming(fields: &HeaderMap) -> bool {
    fields.contains_key(CACHE_CONTROL) && CacheControl::parse(fields).no_transform
}

/// Whether the media type is one of text, which shrinks, and not one that is compressed in itself.
fn shrinks(fields: &HeaderMap) -> bool {
    let Some(Ok(text)) = fields.get(CONTENT_TYPE).map(HeaderValue::to_str) else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim();
    let Some((kind, name)) = essence.split_once('/') else { return false };
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    let ends = |suffix: &str| {
        name.len()
            .checked_sub(suffix.len())
            .and_then(|at| name.get(at..))
            .is_some_and(|s| s.eq_ignore_ascii_case(suffix))
    };
    if kind.eq_ignore_ascii_case("text") {
        // Events have to leave one by one.
        return !is("event-stream");
    }
    let application = ["json", "javascript", "x-javascript", "xml", "wasm", "x-ndjson", "yaml", "graphql"];
    (kind.eq_ignore_ascii_case("application") && application.into_iter().any(is))
        || (kind.eq_ignore_ascii_case("font") && (is("ttf") || is("otf")))
        || ends("+json")
        || ends("+xml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::fields;

    fn of_type(kind: &'static str) -> bool {
        may_encode(StatusCode::OK, &fields(&[("content-type", kind)]), LEAST)
    }

    #[test]
    fn text_is_encoded_and_what_is_compressed_in_itself_is_not() {
        for kind in [
            "text/html; charset=utf-8",
            "text/plain",
            "Application/JSON",
            "application/problem+json",
            "application/javascript",
            "image/svg+xml",
            "application/wasm",
            "model/gltf+JSON ;x=y",
        ] {
            assert!(of_type(kind), "{kind}");
        }
        for kind in ["image/png", "application/zip", "text/event-stream", "video/mp4", "json", "", "image/+", "a/json"]
        {
            assert!(!of_type(kind), "{kind}");
        }
        assert!(!may_encode(StatusCode::OK, &HeaderMap::new(), LEAST));
    }

    #[test]
    fn what_is_small_partial_encoded_or_not_to_be_touched_stays() {
        let text = ("content-type", "text/plain");
        let may = |status, more: &[(&'static str, &'static str)], length| {
            may_encode(status, &fields(&[&[text], more].concat()), length)
        };
        assert!(may(StatusCode::OK, &[], LEAST) && may(StatusCode::NOT_FOUND, &[], LEAST));
        assert!(!may(StatusCode::OK, &[], LEAST - 1));
        assert!(!may(StatusCode::PARTIAL_CONTENT, &[], LEAST));
        assert!(!may(StatusCode::OK, &[("content-range", "bytes 0-1/2")], LEAST));
        assert!(!may(StatusCode::OK, &[("content-encoding", "gzip")], LEAST));
        assert!(!may(StatusCode::OK, &[("cache-control", "max-age=1, No-Transform")], LEAST));
    }

    #[test]
    fn a_request_gets_what_it_accepts_unless_it_forbids_transforming() {
        let gzip = ("accept-encoding", "gzip");
        assert_eq!(coding_for(&fields(&[gzip]), &ContentCoding::ALL), Some(ContentCoding::Gzip));
        assert_eq!(coding_for(&fields(&[gzip]), &[ContentCoding::Br]), None);
        assert_eq!(coding_for(&fields(&[gzip, ("cache-control", "no-transform")]), &ContentCoding::ALL), None);
        assert_eq!(coding_for(&fields(&[]), &ContentCoding::ALL), None);
    }
}
