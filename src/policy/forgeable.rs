//! Which request fields speak in a proxy's name: a client that sends one could tell the origin whatever it likes.

use http::HeaderName;

use super::credentials::is_everyday;

/// True for a field by which a client could give itself another address, or its request another host, scheme, path or
/// method, in the eyes of an origin that believes its proxy.
///
/// Names are judged by their families, for each vendor has one of its own. `Forwarded` itself is one of them.
pub fn is_forgeable(name: &HeaderName) -> bool {
    let name = name.as_str();
    if is_everyday(name) {
        return false;
    }
    let (own, by_family) = match name.strip_prefix("x-") {
        Some(own) => (own, own == "host" || FAMILIES.iter().any(|family| own.starts_with(family))),
        None => (name, name.starts_with("forwarded")),
    };
    by_family || NAMES.binary_search(&own).is_ok() || tells_an_address(name)
}

/// True for a field by which a request names another method than its own. An app that uses it must have it, on writes.
pub fn is_overriding(name: &HeaderName) -> bool {
    let name = name.as_str();
    let own = name.strip_prefix("x-").unwrap_or(name);
    matches!(own, "http-method-override" | "method-override" | "http-method" | "override-method" | "real-method")
}

/// What such names begin with after `X-`.
const FAMILIES: [&str; 13] = [
    "forwarded",
    "forward-",
    "forwarder-",
    "original-",
    "originating-",
    "override-",
    "real-",
    "rewrite-",
    "http-",
    "proxy-",
    "envoy-",
    "arr-",
    "invoke-",
];

/// `X-Client-IP`, `True-Client-IP`, `CF-Connecting-IPv6`, `X-Azure-SocketIP`, `X-Remote-Addr` and the like.
fn tells_an_address(name: &str) -> bool {
    let ends = |end: &str| name.strip_suffix(end).is_some_and(|before| !before.is_empty());
    match name.as_bytes().last() {
        Some(b'p') => ["-ip", "clientip", "socketip", "remoteip"].into_iter().any(ends),
        Some(b'4' | b'6') => ["-ipv4", "-ipv6"].into_iter().any(ends),
        Some(b'r') => ["-remote-addr", "-client-addr", "-peer-addr"].into_iter().any(ends),
        _ => false,
    }
}

/// Further names, with and without `X-` before them; in order.
const NAMES: [&str; 31] = [
    // The origin's own web server would be told which files to hand out.
    "accel-mapping",
    "base-url",
    "cf-visitor",
    "client-ip",
    "cloudfront-forwarded-proto",
    "fastly-ssl",
    "front-end-https",
    "host-override",
    "http-host",
    "http-method-override",
    "http-url",
    "matched-path",
    "method-override",
    "middleware-rewrite",
    "middleware-subrequest",
    "now-route-matches",
    "path-info",
    "protocol",
    // CGI programs take it for the proxy that they are to use.
    "proxy",
    "proxy-host",
    "proxy-url",
    "remote-addr",
    "request-uri",
    "scheme",
    "script-name",
    "sendfile-type",
    "surrogate-capability",
    "uri",
    "url",
    "url-scheme",
    "wl-proxy-ssl",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_proxy_may_say_is_forgeable() {
        for name in [
            "forwarded",
            "forwarded-for",
            "x-forwarded",
            "x-forwarded-for",
            "x-forwarded-prefix",
            "x-forwarded-user",
            "x-forward-for",
            "x-original-url",
            "x-original-host",
            "x-rewrite-url",
            "x-real-ip",
            "x-http-method-override",
            "x-http-host-override",
            "x-http-destinationurl",
            "x-method-override",
            "true-client-ip",
            "fastly-client-ip",
            "cf-connecting-ip",
            "cf-connecting-ipv6",
            "fly-client-ip",
            "x-azure-clientip",
            "x-azure-socketip",
            "x-appengine-user-ip",
            "x-cluster-client-ip",
            "x-remote-addr",
            "x-originating-ip",
            "x-envoy-external-address",
            "x-host",
            "x-scheme",
            "proxy",
        ] {
            assert!(is_forgeable(&HeaderName::from_static(name)), "{name}");
        }
    }

    #[test]
    fn with_an_x_or_without_it_is_the_same_name() {
        assert!(NAMES.is_sorted());
        for name in NAMES {
            for name in [name.to_owned(), format!("x-{name}")] {
                assert!(is_forgeable(&name.parse().unwrap()), "{name}");
            }
        }
        for name in ["x-invoke-path", "x-invoke-query", "x-invoke-status", "x-host"] {
            assert!(is_forgeable(&HeaderName::from_static(name)), "{name}");
        }
    }

    #[test]
    fn what_clients_say_of_themselves_is_not() {
        for name in [
            "accept",
            "authorization",
            "content-type",
            "destination",
            "dnt",
            "from",
            "host",
            "http-referer",
            "http2-settings",
            "idempotency-key",
            "if-none-match",
            "origin",
            "referer",
            "sec-fetch-site",
            "upgrade-insecure-requests",
            "user-agent",
            "via",
            "x-api-key",
            "x-api-version",
            "x-csrf-token",
            "x-middleware-prefetch",
            "x-remote-user",
            "x-request-id",
            "x-requested-with",
            "x-zip",
        ] {
            assert!(!is_forgeable(&HeaderName::from_static(name)), "{name}");
        }
    }
}
