//! What a route withholds is what the origin does not see.

use aside::config::Config;
use aside::rules::{Read, Remedy, Route, is_dealt_with, remedy, says_any, withheld};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue, VARY};
use http::uri::PathAndQuery;
use proptest::prelude::*;
use std::sync::Arc;

fn route(cookies: &str, authorization: &str, vary: &str) -> Arc<Route> {
    let text = format!(
        "origin = \"http://127.0.0.1:1\"\n[[route]]\npath = \"/a\"\nttl = \"1h\"\ncookies = \"{cookies}\"\n\
         authorization = \"{authorization}\"\n{vary}"
    );
    let routes = Config::from_text("withheld.toml", &text, |_| None).unwrap().proxy.rules.routes.clone();
    Arc::clone(routes.iter().next().unwrap())
}

fn names(route: &Route, vary: &str) -> Vec<String> {
    let answer = HeaderMap::from_iter([(VARY, HeaderValue::from_str(vary).unwrap())]);
    withheld(route, &answer).iter().map(ToString::to_string).collect()
}

/// Whether the origin would see this field on a fill, or the request would go past the route's entries.
fn is_seen(route: &Route, fields: &HeaderMap, name: &HeaderName) -> bool {
    let read = Read { target: &PathAndQuery::from_static("/a"), fields, host: None, secure: false };
    route.refuse_credentials(fields).is_err() || route.fill(&read).unwrap().fields.get(name) == fields.get(name)
}

const FIELDS: [&str; 19] = [
    "accept",
    "accept-language",
    "authorization",
    "cookie",
    "dnt",
    "forwarded",
    "hx-request",
    "origin",
    "prefer",
    "rsc",
    "save-data",
    "sec-fetch-dest",
    "user-agent",
    "via",
    "x-api-key",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-requested-with",
    "x-csrf-token",
];

proptest! {
    #[test]
    fn a_field_is_withheld_exactly_where_the_origin_does_not_see_it(
        cookies in prop::sample::select(vec!["bypass", "ignore", "key"]),
        authorization in prop::sample::select(vec!["bypass", "ignore", "key"]),
        vary in prop::sample::select(vec!["", "vary = []", "vary = [\"HX-Request\", \"User-Agent\"]"]),
        field in prop::sample::select(FIELDS.to_vec()),
    ) {
        let route = route(cookies, authorization, vary);
        let name = HeaderName::from_static(field);
        let fields = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static("something"))]);
        let named = names(&route, &format!("{}, X-Forwarded-Proto", field.to_uppercase()));
        prop_assert_eq!(named.iter().any(|named| named == field), !is_seen(&route, &fields, &name));
        prop_assert!(named.len() <= 1, "{:?}", named);
    }
}

#[test]
fn what_the_proxy_itself_deals_with_is_not_withheld() {
    let route = route("ignore", "ignore", "vary = []");
    for name in ["accept-encoding", "host", "origin", "x-forwarded-proto", "range", "if-none-match", "cache-control"] {
        assert_eq!(names(&route, name), [] as [&str; 0], "{name}");
    }
    assert_eq!(names(&route, "Access-Control-Request-Headers, Access-Control-Request-Method"), [] as [&str; 0]);
    assert!(is_dealt_with(&HeaderName::from_static("te")) && !is_dealt_with(&HeaderName::from_static("accept")));
    for vary in ["*", "hx-request, *", "(hx-request)"] {
        assert_eq!(names(&route, vary), [] as [&str; 0], "{vary} is never stored");
    }
    assert_eq!(names(&route, "X-B, x-a,, X-b"), ["x-a", "x-b"]);
}

#[test]
fn a_field_that_says_what_its_absence_says_concerns_nobody() {
    for (name, value, says) in [
        ("accept", "*/*", false),
        ("accept", "text/html", true),
        ("accept-language", "*", false),
        ("hx-request", "", true),
        ("other", "x", false),
    ] {
        let fields = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
        let withheld = ["accept", "accept-language", "hx-request"].map(HeaderName::from_static);
        assert_eq!(says_any(&fields, &withheld), says, "{name}: {value}");
        assert!(!says_any(&fields, &[]));
    }
}

#[test]
fn what_to_write_is_what_the_file_takes() {
    let with = |cookies, authorization, vary: &str| {
        let vary = if vary.is_empty() { String::new() } else { format!("vary = [\"{vary}\"]") };
        route(cookies, authorization, &vary)
    };
    for field in FIELDS.into_iter().filter(|field| *field != "origin") {
        let name = HeaderName::from_static(field);
        let route = match remedy(&name) {
            Remedy::Vary => with("ignore", "ignore", field),
            Remedy::Cookies => with("key", "ignore", ""),
            Remedy::Authorization => with("ignore", "key", ""),
            Remedy::Nothing => continue,
        };
        assert_eq!(names(&route, field), [] as [&str; 0], "{field}");
    }
}
