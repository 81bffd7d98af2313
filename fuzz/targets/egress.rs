//! Whatever head an answer has, it is refused or comes out in the one form that everybody reads alike.
//!
//! The input: `STATUS BODY`, then a field a line.

#![no_main]

mod text;

use aside::fields::response_fault;
use aside::proxy::fuzzing::egress;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response, StatusCode, Version};
use libfuzzer_sys::fuzz_target;

const GONE: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let words: Vec<&[u8]> = lines.next().unwrap_or_default().split(|byte| *byte == b' ').collect();
    let [status, body] = words[..] else { return };
    let Ok(status) = StatusCode::from_bytes(status) else { return };
    let mut fields = HeaderMap::new();
    lines.for_each(|line| text::append(&mut fields, line));
    if response_fault(status, &fields).is_some() {
        return;
    }
    let body = text::body(body);
    let (mut head, ()) = Response::new(()).into_parts();
    (head.status, head.headers, head.version) = (status, fields, Version::HTTP_10);

    egress(&mut head, body);

    assert_eq!((head.version, (200..=599).contains(&head.status.as_u16())), (Version::HTTP_11, true));
    assert!(!head.headers.keys().any(|name| GONE.contains(&name.as_str())));
    let lengths: Vec<u64> =
        head.headers.get_all(CONTENT_LENGTH).iter().map(|length| length.to_str().unwrap().parse().unwrap()).collect();
    match (status.as_u16(), body) {
        (204, _) => assert!(lengths.is_empty()),
        (205, _) => assert_eq!(lengths, [0]),
        (_, Some(Some(length))) => assert_eq!(lengths, [length]),
        (_, Some(None)) => assert!(lengths.is_empty()),
        (_, None) => assert!(lengths.len() <= 1),
    }
    let once = head.headers.clone();
    egress(&mut head, body);
    assert_eq!(head.headers, once);
});
