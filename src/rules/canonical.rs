//! Paths that two parsers could read differently: recognised for reads, and read every way for writes.

use std::collections::HashSet;

use http::HeaderMap;
use http::header::HeaderName;
use percent_encoding::percent_decode_str;

use crate::policy::path_of;

/// Whether every server reads this raw path the same way, so that it may be looked up and stored.
///
/// False for encoded slashes, backslashes, `?`, `#` and control characters, dot segments, empty segments other than a trailing slash, `;`,
/// needlessly encoded octets, bytes outside ASCII and text that is not UTF-8 once decoded. In which case the digits of an
/// encoded octet are makes no difference (RFC 3986 section 6.2.2.1).
/// Such requests are forwarded and never answered from the store.
pub fn is_canonical(path: &str) -> bool {
    let Some(inner) = path.strip_prefix('/') else { return false };
    plain_octets(path) && plain_segments(inner)
}

fn plain_segments(inner: &str) -> bool {
    let mut segments = inner.split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if matches!(segment, "." | "..") || (segment.is_empty() && !last) {
            return false;
        }
    }
    true
}

fn plain_octets(path: &str) -> bool {
    if !path.contains('%') {
        return path.bytes().all(is_plain);
    }
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            if !is_plain(byte) {
                return false;
            }
            continue;
        }
        let Some(octet) = encoded_octet(&mut bytes, hex) else { return false };
        let needless = octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~');
        if needless || octet.is_ascii_control() || matches!(octet, b'/' | b'\\' | b';' | b'%' | b'?' | b'#') {
            return false;
        }
    }
    percent_decode_str(path).decode_utf8().is_ok()
}

/// Whether a canonical path is spelt as RFC 3986 would have it: bare what may stand bare in a segment, encoded all else,
/// in upper case.
///
/// Two such paths that decode to the same text are the same. `/x%3Ay` decodes to what `/x:y` does and is not spelt so: an
/// origin may tell the two apart. `/%c3%a9` it should not tell from `/%C3%A9`, but sees it as it is.
///
/// Source: RFC 3986 sections 2.1, 2.2 and 3.3
pub(super) fn is_spelt_plainly(path: &str) -> bool {
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let encoded = byte == b'%';
        let octet = if encoded { encoded_octet(&mut bytes, upper_hex) } else { Some(byte) };
        if octet.is_none_or(|octet| encoded == may_stand_bare(octet)) {
            return false;
        }
    }
    true
}

/// Whether an octet may stand in a path as it is; `;` too, though nothing with it is canonical.
fn may_stand_bare(octet: u8) -> bool {
    BARE.get(usize::from(octet)).is_some_and(|bare| *bare)
}

static BARE: [bool; 256] = table(b"-._~!$&'()*+,;=:@/");
static PLAIN: [bool; 256] = table(b"!$%&'()*+,-./:=@[]^_`|~");

/// ASCII letters, digits and these.
const fn table(others: &[u8]) -> [bool; 256] {
    let mut known = [false; 256];
    let mut octet = 0;
    while octet < 256 {
        #[allow(clippy::cast_possible_truncation, clippy::indexing_slicing, reason = "it is below 256")]
        {
            known[octet] = (octet as u8).is_ascii_alphanumeric();
        }
        octet += 1;
    }
    let mut at = 0;
    while at < others.len() {
        #[allow(clippy::indexing_slicing, reason = "so far are there octets, and none is above 255")]
        {
            known[others[at] as usize] = true;
        }
        at += 1;
    }
    known
}

/// What the two digits after a `%` stand for, each by itself being worth `digit`.
fn encoded_octet(digits: &mut impl Iterator<Item = u8>, digit: fn(u8) -> Option<u8>) -> Option<u8> {
    let (high, low) = (digits.next().and_then(digit)?, digits.next().and_then(digit)?);
    Some(high * 16 + low)
}

fn is_plain(byte: u8) -> bool {
    PLAIN.get(usize::from(byte)).is_some_and(|plain| *plain)
}

fn hex(digit: u8) -> Option<u8> {
    upper_hex(digit.to_ascii_uppercase())
}

fn upper_hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Every path an origin may take this raw write target for, decoded: as sent, with doubled slashes merged, with dot
/// segments resolved, with `;` parameters cut, before or after; the same for a path whose encoded slashes are a part of
/// their segment (as U+FFFD), for one that somebody decodes twice, or cuts at an encoded NUL, `?` or `#`. A few texts without repeats, each starting with `/`.
///
/// A write must drop what any of these readings drops: never too little.
pub fn write_paths(raw: &str) -> Vec<String> {
    let once = decode(raw);
    let mut paths = Vec::with_capacity(1);
    add_readings(&once, &mut paths);
    if let Some(within) = slashes_within(raw) {
        // Routers that split the path before they decode it: what they find in the segment is no plain value.
        add_readings(&decode(&within), &mut paths);
    }
    if once.contains('%') {
        add_readings(&decode(&once), &mut paths);
    }
    if let Some((before, _)) = once.split_once(['\0', '?', '#']) {
        add_readings(before, &mut paths);
    }
    paths
}

/// The raw path with something that is no slash in place of each encoded one; `None` where there is none.
fn slashes_within(raw: &str) -> Option<String> {
    let encoded = raw.contains("%2F") || raw.contains("%2f");
    encoded.then(|| raw.replace("%2F", "\u{fffd}").replace("%2f", "\u{fffd}"))
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn add_readings(decoded: &str, paths: &mut Vec<String>) {
    let decoded = if decoded.starts_with('/') { decoded.to_owned() } else { format!("/{decoded}") };
    let merged = merge_slashes(&decoded);
    let resolved = resolve_dots(&merged);
    let cut = cut_parameters(&resolved);
    // `..;` is a dot segment for whoever cuts parameters first.
    let again = resolve_dots(&cut);
    for path in [decoded, merged, resolved, cut, again] {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
}

fn merge_slashes(path: &str) -> String {
    let mut merged = String::with_capacity(path.len());
    for character in path.chars() {
        let character = if character == '\\' { '/' } else { character };
        if character != '/' || !merged.ends_with('/') {
            merged.push(character);
        }
    }
    merged
}

fn resolve_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

fn cut_parameters(path: &str) -> String {
    let cut: Vec<&str> = path.split('/').map(|segment| segment.split(';').next().unwrap_or(segment)).collect();
    cut.join("/")
}

const DESTINATION: HeaderName = HeaderName::from_static("destination");

/// Every reading of the path of a write's `target`, a raw path with or without a query, and of what its Destination names,
/// as COPY and MOVE have it: decoded, without repeats, the target's own first.
///
/// Source: RFC 4918 sections 9.8, 9.9 and 10.3
pub fn written_paths(target: &str, fields: &HeaderMap) -> Vec<String> {
    let mut paths = write_paths(target.split('?').next().unwrap_or_default());
    if !fields.contains_key(DESTINATION) {
        return paths;
    }
    let also = fields.get_all(DESTINATION).iter().filter_map(|value| path_of(value, target));
    paths.extend(also.flat_map(|path| write_paths(&path)));
    let mut seen = HashSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    paths
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_octets_of_paths_are_these() {
        for octet in 0..=u8::MAX {
            let odd = b"\\;#?\"<>{}".contains(&octet);
            assert_eq!(is_plain(octet), octet.is_ascii_graphic() && !odd, "{octet}");
        }
    }

    #[test]
    fn ordinary_paths_are_canonical() {
        for path in [
            "/",
            "/orders/99",
            "/orders/",
            "/a-b_c.d~e",
            "/caf%C3%A9",
            "/a%20b",
            "/@x:y,z=1+2",
            "/%d9%85",
            "/caf%c3%A9",
        ] {
            assert!(is_canonical(path), "{path}");
        }
    }

    #[test]
    fn one_spelling_of_a_path_is_the_plain_one() {
        for path in
            ["/", "/orders/99", "/a-b_c.d~e/", "/caf%C3%A9", "/a%20b", "/@x:y,z=1+2!$&'()*", "/a%7Cb%5Bc%5D%5E%60"]
        {
            assert!(is_canonical(path) && is_spelt_plainly(path), "{path}");
        }
        for octet in b"!$&'()*+,:=@" {
            let path = format!("/x%{octet:02X}y");
            assert!(is_canonical(&path) && !is_spelt_plainly(&path), "{path}");
        }
        for path in ["/a|b", "/a[1]", "/a^b", "/a`b", "/caf%c3%a9", "/caf%C3%a9", "/a%7c"] {
            assert!(is_canonical(path) && !is_spelt_plainly(path), "{path}");
        }
    }

    #[test]
    fn paths_that_parsers_read_differently_are_not() {
        let odd = [
            "",
            "orders",
            "//orders",
            "/a//b",
            "/a/./b",
            "/a/../b",
            "/..",
            "/a%2Fb",
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/a;b",
            "/a%3Bb",
            "/a%00",
            "/%61",
            "/a%2E%2E/b",
            "/%7a",
            "/a%2fb%C3%A9",
            "/a%3bb",
            "/a%5cb",
            "/%c3",
            "/%c0%af",
            "/%gg",
            "/%FF",
            "/%",
            "/%2",
            "/a%25b",
            "/caf\u{e9}",
            "/a%3Fb",
            "/a%23b",
            "/a%0Ab",
            "/a%0D%0Ab",
            "/a%7F",
            "/a%09",
            "/%C0%AF",
            "/a%252e",
            "/...%2f",
            "/a/..",
            "/a/.",
        ];
        for path in odd {
            assert!(!is_canonical(path), "{path}");
        }
    }

    #[test]
    fn a_write_is_read_every_way_an_origin_may() {
        assert_eq!(write_paths("/fruit/1"), ["/fruit/1"]);
        assert!(write_paths("/fruit%2F1").contains(&"/fruit/1".to_owned()));
        assert!(write_paths("/fruit/1%2Fx").contains(&"/fruit/1\u{fffd}x".to_owned()));
        assert!(write_paths("//fruit//1").contains(&"/fruit/1".to_owned()));
        assert!(write_paths("/x/../fruit/1").contains(&"/fruit/1".to_owned()));
        assert!(write_paths("/fruit/1;v=2").contains(&"/fruit/1".to_owned()));
        assert!(write_paths("/x/..;/fruit/1").contains(&"/fruit/1".to_owned()));
        for raw in [
            "/fruit\\1",
            "/fruit/%31",
            "/%66ruit/1",
            "//fruit/1",
            "/./fruit/1",
            "/x/%2e%2e/fruit/1",
            "/fruit/1;x",
            "/fruit/1%3Bx",
            "/fruit;a/1;b",
            "/fruit/%2531",
            "/fruit%252F1",
            "/fruit/1%00.png",
            "/fruit/1%3Fa=b",
            "/fruit/1%23x",
            "/fruit/x/..%2f1",
            "/fruit%5c1",
        ] {
            assert!(write_paths(raw).contains(&"/fruit/1".to_owned()), "{raw}");
        }
    }

    #[test]
    fn what_a_destination_names_is_written_too() {
        for destination in ["/b/2", "http://any.example/b/2", "//any.example/b/2?x", "2", "/b/x/../2", "/%62/2"] {
            let fields = HeaderMap::from_iter([(DESTINATION, HeaderValue::from_static(destination))]);
            let paths = written_paths("/b/1", &fields);
            assert!(paths.first().is_some_and(|path| path == "/b/1"), "{paths:?}");
            assert!(paths.contains(&"/b/2".to_owned()), "{destination}: {paths:?}");
        }
        assert_eq!(written_paths("/b/1?x=/b/2", &HeaderMap::new()), ["/b/1"]);
    }
}
