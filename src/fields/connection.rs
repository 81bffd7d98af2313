//! Hop-by-hop fields: those that end at this proxy, by name or because Connection nominates them.

use http::HeaderMap;
use http::header::{CONNECTION, HeaderName};

use super::list::list_members;

/// Whether a field is hop-by-hop by its name, Connection among them.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authentication-info"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Removes Connection, every field it nominates, and the fields that are hop-by-hop by name.
///
/// Source: RFC 9110 section 7.6.1
pub fn strip_hop_by_hop(fields: &mut HeaderMap) {
    // One walk over the few fields there are: a search for each name was a tenth of a hit.
    let by_name: Vec<HeaderName> = fields.keys().filter(|name| is_hop_by_hop(name)).cloned().collect();
    if by_name.is_empty() {
        return;
    }
    for name in nominated(fields).into_iter().chain(by_name) {
        fields.remove(name);
    }
}

/// The fields that Connection nominates, in its order; `close` and `keep-alive` are options and no fields.
///
/// What is no field name nominates nothing.
///
/// Source: RFC 9110 section 7.6.1
pub fn nominated(fields: &HeaderMap) -> Vec<HeaderName> {
    list_members(fields, &CONNECTION)
        .filter(|option| !option.eq_ignore_ascii_case(b"close") && !option.eq_ignore_ascii_case(b"keep-alive"))
        .filter_map(|option| HeaderName::from_bytes(option).ok())
        .collect()
}

/// The first nominated field that is meant for the other end, so that removing it would change the message:
/// identity, framing, caching, conditions, or what an answer may be chosen by.
///
/// Source: RFC 9110 section 7.6.1
pub fn nominates_end_to_end(fields: &HeaderMap) -> Option<HeaderName> {
    nominated(fields).into_iter().find(is_end_to_end)
}

fn is_end_to_end(name: &HeaderName) -> bool {
    let name = name.as_str();
    let families = ["accept", "access-control-", "content-", "if-", "x-forwarded-"];
    families.iter().any(|family| name.starts_with(family))
        || matches!(
            name,
            "age"
                | "authorization"
                | "cache-control"
                | "cookie"
                | "date"
                | "etag"
                | "expires"
                | "forwarded"
                | "host"
                | "last-modified"
                | "location"
                | "origin"
                | "pragma"
                | "range"
                | "set-cookie"
                | "user-agent"
                | "vary"
                | "via"
                | "www-authenticate"
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::fields;
    use http::HeaderValue;

    #[test]
    fn hop_by_hop_fields_go_and_the_others_stay() {
        let mut message = fields(&[
            ("connection", "close, X-Private"),
            ("connection", "x-other"),
            ("x-private", "1"),
            ("x-private", "2"),
            ("x-other", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "close"),
            ("proxy-authenticate", "x"),
            ("proxy-authorization", "x"),
            ("proxy-authentication-info", "x"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("x-stays", "1"),
        ]);
        strip_hop_by_hop(&mut message);
        assert_eq!(message, fields(&[("x-stays", "1")]));
    }

    #[test]
    fn options_and_garbage_nominate_nothing() {
        let message = fields(&[("connection", "Close, KEEP-ALIVE, , a b, \"x\", Foo")]);
        assert_eq!(nominated(&message), [HeaderName::from_static("foo")]);
        assert!(nominated(&HeaderMap::new()).is_empty());
    }

    #[test]
    fn an_end_to_end_field_may_not_be_nominated() {
        for name in ["Authorization", "cookie", "Host", "If-None-Match", "X-Forwarded-For", "content-length", "ACCEPT"]
        {
            let mut message = fields(&[("connection", "close, x-mine")]);
            message.append(CONNECTION, HeaderValue::from_str(name).unwrap());
            let found = nominates_end_to_end(&message).unwrap();
            assert!(found.as_str().eq_ignore_ascii_case(name));
        }
        for allowed in ["close", "keep-alive, Upgrade", "TE, HTTP2-Settings", "x-mine, transfer-encoding"] {
            assert_eq!(nominates_end_to_end(&fields(&[("connection", allowed)])), None, "{allowed}");
        }
    }

    #[test]
    fn a_connection_field_full_of_names_is_no_trouble() {
        let mut message = HeaderMap::new();
        let hostile = "x,".repeat(50_000);
        message.append(CONNECTION, HeaderValue::from_str(&hostile).unwrap());
        strip_hop_by_hop(&mut message);
        assert!(message.is_empty());
    }
}
