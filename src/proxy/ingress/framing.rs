//! Where the request ends, and how many hops it may still take.

use http::header::{CONTENT_LENGTH, MAX_FORWARDS};
use http::{HeaderMap, HeaderValue, Method};

use super::Refusal;
use crate::fields::{TransferCoding, content_length, decimal, transfer_coding};

/// What of a request comes after its head, as the one who parsed it found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Content {
    /// Nothing.
    None,
    /// So many bytes.
    Length(u64),
    /// As much as comes.
    Unknown,
}

/// Refuses what could end in two places, and writes Content-Length as the parser read it, so that `0005` and `5` do not
/// mean different things further on.
///
/// Source: RFC 9112 sections 6.1 and 6.3
pub(super) fn settle(fields: &mut HeaderMap, content: Content, limit: Option<u64>) -> Result<(), Refusal> {
    let coding = transfer_coding(fields);
    if matches!(coding, TransferCoding::Unknown | TransferCoding::Other) {
        return Err(Refusal::UnknownCoding);
    }
    let Ok(said) = content_length(fields) else {
        return Err(Refusal::BadRequest("Content-Length is no number."));
    };
    let parsed = match content {
        Content::None => Some(0),
        Content::Length(length) => Some(length),
        Content::Unknown => None,
    };
    if said.is_some() && (coding == TransferCoding::Chunked || said != parsed) {
        return Err(Refusal::BadRequest("Content-Length does not fit the rest of the request."));
    }
    if let (Some(limit), Some(length)) = (limit, parsed)
        && length > limit
    {
        return Err(Refusal::BodyTooLarge(limit));
    }
    if let Some(length) = said {
        fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(())
}

/// Counts this hop of an OPTIONS request that says how many it may take.
///
/// Source: RFC 9110 section 7.6.2
pub(super) fn count_hop(method: &Method, fields: &mut HeaderMap) -> Result<(), Refusal> {
    if method != Method::OPTIONS || !fields.contains_key(MAX_FORWARDS) {
        return Ok(());
    }
    let mut lines = fields.get_all(MAX_FORWARDS).iter();
    let left = match (lines.next(), lines.next()) {
        (Some(only), None) => decimal(only.as_bytes()),
        _ => None,
    };
    match left.and_then(|left| u32::try_from(left).ok()) {
        None => Err(Refusal::BadRequest("Max-Forwards is no number.")),
        Some(0) => Err(Refusal::LastHop),
        Some(left) => {
            fields.insert(MAX_FORWARDS, HeaderValue::from(left - 1));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::fields;

    #[test]
    fn a_length_is_written_as_it_was_read() {
        for (said, content) in [("0005", Content::Length(5)), ("5", Content::Length(5)), ("00", Content::None)] {
            let mut fields = fields(&[("content-length", said)]);
            settle(&mut fields, content, None).unwrap();
            let number: u64 = said.parse().unwrap();
            assert_eq!(fields.get(CONTENT_LENGTH).unwrap(), &HeaderValue::from(number));
        }
        let mut silent = HeaderMap::new();
        settle(&mut silent, Content::None, None).unwrap();
        assert!(silent.is_empty());
    }

    #[test]
    fn what_could_end_in_two_places_is_refused() {
        for (lines, content) in [
            (&[("content-length", "5"), ("transfer-encoding", "chunked")][..], Content::Unknown),
            (&[("transfer-encoding", "gzip")], Content::Unknown),
            (&[("content-length", "5")], Content::Length(6)),
            (&[("content-length", "5")], Content::None),
            (&[("content-length", "x")], Content::None),
        ] {
            assert!(settle(&mut fields(lines), content, None).is_err(), "{lines:?}");
        }
        assert_eq!(settle(&mut HeaderMap::new(), Content::Length(6), Some(5)), Err(Refusal::BodyTooLarge(5)));
    }

    #[test]
    fn hops_are_counted_down_for_options_alone() {
        let count = |method: &Method, lines: &[(&'static str, &'static str)]| {
            let mut fields = fields(lines);
            count_hop(method, &mut fields).map(|()| fields.get(MAX_FORWARDS).cloned())
        };
        assert_eq!(count(&Method::OPTIONS, &[("max-forwards", "3")]), Ok(Some(HeaderValue::from_static("2"))));
        assert_eq!(count(&Method::OPTIONS, &[("max-forwards", "0")]), Err(Refusal::LastHop));
        assert_eq!(count(&Method::GET, &[("max-forwards", "0")]), Ok(Some(HeaderValue::from_static("0"))));
        for bad in ["", "-1", "+1", "x", "99999999999"] {
            assert!(matches!(count(&Method::OPTIONS, &[("max-forwards", bad)]), Err(Refusal::BadRequest(_))), "{bad}");
        }
        assert!(count(&Method::OPTIONS, &[("max-forwards", "1"), ("max-forwards", "1")]).is_err());
    }
}
