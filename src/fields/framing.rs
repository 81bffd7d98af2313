//! Where a message ends, as its head says it, read in the one way that every recipient reads it or not at all.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, Method, StatusCode};

use super::list::split_list;

/// What Transfer-Encoding says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferCoding {
    /// Nothing: the field is not there.
    None,
    /// One line with the one word `chunked`.
    Chunked,
    /// One word that is not registered: the message ends with its connection.
    Unknown,
    /// Anything else: a coding that has to be undone, several of them, or `chunked` in a spelling that some would not take
    /// for it.
    Other,
}

/// The codings there are besides `chunked`, and one that there was.
///
/// Source: RFC 9112 section 7, RFC 2616 section 3.6
const KNOWN: [&str; 6] = ["gzip", "x-gzip", "deflate", "compress", "x-compress", "identity"];

/// Reads Transfer-Encoding.
///
/// Source: RFC 9112 section 6.1
pub fn transfer_coding(fields: &HeaderMap) -> TransferCoding {
    let mut lines = fields.get_all(TRANSFER_ENCODING).iter();
    match (lines.next(), lines.next()) {
        (None, _) => TransferCoding::None,
        (Some(only), None) if only.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => TransferCoding::Chunked,
        (Some(only), None) if is_unknown_word(only.as_bytes().trim_ascii()) => TransferCoding::Unknown,
        _ => TransferCoding::Other,
    }
}

fn is_unknown_word(text: &[u8]) -> bool {
    let word = text.to_ascii_lowercase();
    let sounds_like_chunked = word.windows(b"chunked".len()).any(|part| part == b"chunked");
    HeaderName::from_bytes(&word).is_ok_and(|word| !KNOWN.contains(&word.as_str())) && !sounds_like_chunked
}

/// The number of bytes that Content-Length tells: the same number on every line and in every member, or it is an error.
///
/// Source: RFC 9112 section 6.3, item 5
pub fn content_length(fields: &HeaderMap) -> Result<Option<u64>, BadLength> {
    let mut lines = fields.get_all(CONTENT_LENGTH).iter().flat_map(|line| split_list(line.as_bytes()));
    let Some(first) = lines.next() else { return Ok(None) };
    let length = decimal(first).ok_or(BadLength)?;
    if lines.all(|other| decimal(other) == Some(length)) { Ok(Some(length)) } else { Err(BadLength) }
}

/// A Content-Length that is no number, or more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLength;

/// The number that ASCII digits and nothing else make: no sign, no space; `None` where they do not fit 64 bits.
pub fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Whether a head says that a body follows it.
///
/// Source: RFC 9112 section 6
pub fn announces_body(fields: &HeaderMap) -> bool {
    fields.contains_key(TRANSFER_ENCODING) || !matches!(content_length(fields), Ok(None | Some(0)))
}

/// Whether a final response has no body, whatever its fields say.
///
/// Source: RFC 9112 section 6.3, item 1
pub fn is_bodiless(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Why a final response's head goes no further; `None` where every reader sees the same in it.
///
/// Source: RFC 9110 section 15, RFC 9112 section 6
pub fn response_fault(status: StatusCode, fields: &HeaderMap) -> Option<String> {
    if !(200..=599).contains(&status.as_u16()) {
        return Some(format!("it answered {} unasked", status.as_u16()));
    }
    let coding = transfer_coding(fields);
    if coding != TransferCoding::None && fields.contains_key(CONTENT_LENGTH) {
        return Some("it sent both Content-Length and Transfer-Encoding".to_owned());
    }
    if coding == TransferCoding::Other {
        return Some("it sent a transfer coding that cannot be undone".to_owned());
    }
    content_length(fields).err().map(|BadLength| "its Content-Length is no number".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::{field, fields};

    #[test]
    fn chunked_is_one_word_on_one_line() {
        let coding = |lines: &[&str]| transfer_coding(&field(&TRANSFER_ENCODING, lines));
        assert_eq!(coding(&[]), TransferCoding::None);
        for chunked in ["chunked", "Chunked", " chunked\t"] {
            assert_eq!(coding(&[chunked]), TransferCoding::Chunked, "{chunked}");
        }
        for other in
            ["", "gzip, chunked", ", chunked", "chunked,", "chunked;q=1", "\"chunked\"", "xchunked", "identity"]
        {
            assert_eq!(coding(&[other]), TransferCoding::Other, "{other}");
        }
        assert_eq!(coding(&["chunked", "chunked"]), TransferCoding::Other);
        for unknown in ["whatever", " X-Mine "] {
            assert_eq!(coding(&[unknown]), TransferCoding::Unknown, "{unknown}");
        }
        for known in ["gzip", "x-GZIP", "x-chunkedly", "a b", "a, b", "a;b"] {
            assert_eq!(coding(&[known]), TransferCoding::Other, "{known}");
        }
    }

    #[test]
    fn a_length_is_digits_and_said_once_or_said_alike() {
        let length = |lines: &[&str]| content_length(&field(&CONTENT_LENGTH, lines));
        assert_eq!(length(&[]), Ok(None));
        for five in [&["5"][..], &["005"], &["5", "5"], &["5, 5"], &["5,05"]] {
            assert_eq!(length(five), Ok(Some(5)), "{five:?}");
        }
        assert_eq!(length(&["18446744073709551615"]), Ok(Some(u64::MAX)));
        for bad in [
            &[""][..],
            &["+5"],
            &["-5"],
            &["5 5"],
            &["0x5"],
            &["5,"],
            &["5", "6"],
            &["18446744073709551616"],
            &["\"5\""],
        ] {
            assert_eq!(length(bad), Err(BadLength), "{bad:?}");
        }
    }

    #[test]
    fn a_body_is_announced_by_a_length_or_a_coding() {
        for lines in [
            &[("content-length", "5")][..],
            &[("content-length", "0"), ("content-length", "5")],
            &[("content-length", "much")],
            &[("transfer-encoding", "chunked")],
            &[("transfer-encoding", "")],
        ] {
            assert!(announces_body(&fields(lines)), "{lines:?}");
        }
        for lines in [&[][..], &[("content-length", "0")], &[("content-length", "0, 00")]] {
            assert!(!announces_body(&fields(lines)), "{lines:?}");
        }
    }

    #[test]
    fn a_response_has_no_body_by_its_status_or_its_request() {
        let bodiless = |method, status: u16| is_bodiless(&method, StatusCode::from_u16(status).unwrap());
        assert!(bodiless(Method::HEAD, 200) && bodiless(Method::PUT, 204) && bodiless(Method::GET, 304));
        assert!(!bodiless(Method::GET, 200) && !bodiless(Method::GET, 205) && !bodiless(Method::DELETE, 200));
    }

    #[test]
    fn a_response_that_two_would_read_differently_has_a_fault() {
        let fault = |status: u16, lines: &[(&'static str, &'static str)]| {
            response_fault(StatusCode::from_u16(status).unwrap(), &fields(lines))
        };
        assert_eq!(fault(200, &[]), None);
        assert_eq!(fault(599, &[("content-length", "5, 5")]), None);
        assert_eq!(fault(204, &[("transfer-encoding", "chunked")]), None);
        for status in [101, 103, 600, 999] {
            assert!(fault(status, &[]).is_some(), "{status}");
        }
        for lines in [
            &[("content-length", "5"), ("transfer-encoding", "chunked")][..],
            &[("transfer-encoding", "gzip, chunked")],
            &[("transfer-encoding", "identity")],
            &[("content-length", "+5")],
        ] {
            assert!(fault(200, lines).is_some(), "{lines:?}");
        }
    }
}
