//! Whatever head a request has, it is refused or comes out in the one form that everybody reads alike.
//!
//! The input: `METHOD TARGET VERSION BODY`, then a field a line.

#![no_main]

mod text;

use std::sync::LazyLock;

use aside::config::Config;
use aside::proxy::ProxySettings;
use aside::proxy::fuzzing::ingress;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, Method, Request, Uri, Version};
use libfuzzer_sys::fuzz_target;

/// The most fields that a request may have.
const FIELDS: usize = 20;

static SETTINGS: LazyLock<ProxySettings> = LazyLock::new(|| {
    let limits = format!("target = \"1KiB\"\nrequest_body = \"1KiB\"\nfields = {FIELDS}\n");
    let text = format!("origin = \"http://127.0.0.1:1\"\n[limits]\n{limits}");
    Config::from_text("fuzz.toml", &text, |_| None).unwrap().proxy
});

const GONE: [&str; 12] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-original-url",
];

fn request(method: &Method, uri: Uri, version: Version, fields: &HeaderMap) -> http::request::Parts {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = method.clone();
    head.uri = uri;
    head.version = version;
    head.headers = fields.clone();
    head
}

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let words: Vec<&[u8]> = lines.next().unwrap_or_default().split(|byte| *byte == b' ').collect();
    let [method, target, version, body] = words[..] else { return };
    let (Ok(method), Ok(uri)) = (Method::from_bytes(method), Uri::try_from(target)) else { return };
    let version = match version {
        b"1.0" => Version::HTTP_10,
        b"2" => Version::HTTP_2,
        _ => Version::HTTP_11,
    };
    let mut fields = HeaderMap::new();
    lines.for_each(|line| text::append(&mut fields, line));
    let body = text::body(body);

    let Ok((target, clean, host)) = ingress(request(&method, uri, version, &fields), body, &SETTINGS) else { return };

    assert!(method.as_str().len() <= 32 && method != Method::CONNECT && method != Method::TRACE);
    let text = target.as_str();
    assert!(text.starts_with('/') || (text == "*" && method == Method::OPTIONS), "{text}");
    assert!(text.len() <= 1024 && !text.bytes().any(|byte| byte <= b' ' || byte == b'#' || byte == 0x7f), "{text}");
    for name in clean.keys() {
        assert!(!GONE.contains(&name.as_str()) && !name.as_str().contains('_'), "{name}");
    }
    let lengths: Vec<_> = clean.get_all(CONTENT_LENGTH).iter().collect();
    match (&lengths[..], body) {
        ([], _) => {}
        ([one], body) => assert_eq!(one.to_str().unwrap(), body.map_or(0, |length| length.unwrap()).to_string()),
        _ => panic!("{lengths:?}"),
    }
    let host_text = host.as_ref().map(|host| host.to_str().unwrap());
    assert!(host_text.is_some() || version == Version::HTTP_10);
    if let Some(host) = host_text {
        assert!(
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte)),
            "{host}"
        );
    }

    // What came out goes through again as it is, but for a host of the target that no field has room for.
    if clean.len() == FIELDS {
        return;
    }
    let mut again = clean.clone();
    host.iter().for_each(|host| drop(again.insert(HOST, host.clone())));
    let second = ingress(request(&method, text.parse().unwrap(), version, &again), body, &SETTINGS);
    if method == Method::OPTIONS && clean.contains_key("max-forwards") {
        return;
    }
    // As text, since the crate tells an empty path from `/`.
    let second = second.map(|(target, fields, host)| (target.as_str().to_owned(), fields, host));
    assert_eq!(second, Ok((text.to_owned(), clean, host)));
});
