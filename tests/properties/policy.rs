//! The policy: what no combination of fields, statuses and times can bring about.

use std::time::Duration;

use aside::fields::CacheControl;
use aside::policy::{
    BodyFraming, Choices, Effect, Exchange, Lifetime, LifetimeSource, Reuse, SetCookie, Stored, StoredFlags,
    corrected_initial_age, current_age, effect, invalidates, is_safe, may_serve_on_error, registered, reuse, selecting,
    storable,
};
use http::header::{CACHE_CONTROL, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use proptest::prelude::*;

const NOW: u64 = 1_795_000_000_000;

/// A line of a response that caches care about, or of none.
fn line() -> impl Strategy<Value = (&'static str, String)> {
    let directive = prop_oneof![
        Just("max-age=60".to_owned()),
        Just("s-maxage=5".to_owned()),
        Just("public".to_owned()),
        Just("private".to_owned()),
        Just("no-cache".to_owned()),
        Just("no-store".to_owned()),
        Just("must-understand".to_owned()),
        Just("must-revalidate".to_owned()),
        Just("stale-while-revalidate=30".to_owned()),
        Just("stale-if-error=30".to_owned()),
        "[a-z-]{1,12}(=[0-9]{1,4})?",
    ];
    prop_oneof![
        proptest::collection::vec(directive.clone(), 1..4).prop_map(|all| ("cache-control", all.join(", "))),
        proptest::collection::vec(directive, 1..3).prop_map(|all| ("cdn-cache-control", all.join(", "))),
        Just(("expires", "Thu, 18 Aug 2050 02:01:18 GMT".to_owned())),
        Just(("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT".to_owned())),
        Just(("etag", "\"a\"".to_owned())),
        "[0-9]{1,6}".prop_map(|age| ("age", age)),
        Just(("set-cookie", "a=b".to_owned())),
        Just(("vary", "accept, origin".to_owned())),
        Just(("vary", "*".to_owned())),
    ]
}

fn head() -> impl Strategy<Value = HeaderMap> {
    proptest::collection::vec(line(), 0..5).prop_map(|lines| {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
        }
        fields
    })
}

fn choices() -> impl Strategy<Value = Choices> {
    (any::<[bool; 5]>(), proptest::option::of(0u64..1000), 0u64..100).prop_map(
        |([routed, override_origin, heuristics, cookies, ignore_cookies], ttl, stale)| Choices {
            routed,
            override_origin: override_origin && routed,
            heuristics,
            set_cookie: if cookies { SetCookie::Store } else { SetCookie::Refuse },
            ignore_cookies,
            ttl: ttl.filter(|_| routed).map(Duration::from_secs),
            stale_if_error: Duration::from_secs(stale),
            ..Choices::default()
        },
    )
}

fn judge(status: u16, response: &HeaderMap, choices: &Choices) -> bool {
    let (method, request) = (Method::GET, HeaderMap::new());
    let status = StatusCode::from_u16(status).unwrap();
    let exchange = Exchange { method: &method, request: &request, status, response, body: BodyFraming::Chunked };
    storable(&exchange, &CacheControl::of_response(response), choices, NOW).is_ok()
}

fn stored() -> impl Strategy<Value = Stored> {
    let lifetime = (0u64..100_000, 0u64..50_000, 0u64..50_000);
    (lifetime, 0u64..50_000, head()).prop_map(|((fresh, revalidate, on_error), age, fields)| Stored {
        soft: false,
        status: StatusCode::OK,
        lifetime: Lifetime {
            fresh_for: Duration::from_millis(fresh),
            source: LifetimeSource::MaxAge,
            stale_while_revalidate: Duration::from_millis(revalidate),
            stale_if_error: Duration::from_millis(on_error),
        },
        flags: StoredFlags::of(&CacheControl::of_response(&fields)),
        initial_age: Duration::from_millis(age),
        response_time: NOW,
    })
}

/// 2 fresh, 1 stale but of use, 0 of no use without the origin.
fn usefulness(judged: Reuse) -> u8 {
    match judged {
        Reuse::Fresh { .. } => 2,
        Reuse::StaleWhileRevalidate { .. } | Reuse::MaxStale { .. } => 1,
        Reuse::Validate { .. } | Reuse::Credentials | Reuse::RequestDirective => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    // RFC 9111 section 5.2.2.5, and 5.2.2.3 for the one directive that lifts it.
    #[test]
    fn adding_no_store_never_makes_an_answer_storable(
        status in 200u16..600, mut response in head(), choices in choices(), targeted in any::<bool>()
    ) {
        let before = judge(status, &response, &choices);
        let name = if targeted { "cdn-cache-control" } else { "cache-control" };
        response.append(name, HeaderValue::from_static("no-store"));
        let after = judge(status, &response, &choices);
        prop_assert!(!after || before || CacheControl::of_response(&response).must_understand);
    }

    // RFC 9111 section 3: what may not be stored is not made storable by a lifetime of the route's.
    #[test]
    fn no_store_and_private_are_never_stored_unless_somebody_lifts_them(
        status in 200u16..600, response in head(), choices in choices()
    ) {
        let said = CacheControl::of_response(&response);
        if (said.no_store && !said.must_understand) || said.private {
            prop_assert!(!judge(status, &response, &choices));
        }
    }

    // RFC 9111 section 4.2: response_is_fresh = (freshness_lifetime > current_age).
    #[test]
    fn what_is_as_old_as_its_lifetime_is_never_fresh(entry in stored(), later in 0u64..200_000) {
        let age = current_age(entry.initial_age, entry.response_time, NOW + later);
        let judged = reuse(&entry, &HeaderMap::new(), &Choices::default(), NOW + later);
        if let Reuse::Fresh { age: told, ttl_left } = judged {
            prop_assert!(age < entry.lifetime.fresh_for && told == age && ttl_left > 0);
        }
        if age >= entry.lifetime.fresh_for {
            let fresh = matches!(judged, Reuse::Fresh { .. });
            prop_assert!(!fresh);
        }
    }

    #[test]
    fn time_moving_on_never_makes_anything_fresher(entry in stored(), first in 0u64..200_000, more in 0u64..200_000, line in line()) {
        let mut request = HeaderMap::new();
        if line.0 == "cache-control" {
            request.insert(CACHE_CONTROL, HeaderValue::from_str(&line.1).unwrap());
        }
        let at = |later| usefulness(reuse(&entry, &request, &Choices::default(), NOW + later));
        prop_assert!(at(first + more) <= at(first));
        let serves = |later| may_serve_on_error(&entry, &Choices::default(), NOW + later).is_some();
        prop_assert!(serves(first) || !serves(first + more));
    }

    // RFC 9111 section 4.2.3: a clock that runs backwards, or an Age that cannot be read, makes nothing younger than it is.
    #[test]
    fn an_age_is_never_less_than_the_time_spent_here(age in "[ -~]{0,12}", came in 0u64..1_000_000, stayed in 0u64..1_000_000) {
        let fields = HeaderMap::from_iter([(http::header::AGE, HeaderValue::from_str(&age).unwrap())]);
        let initial = corrected_initial_age(&fields, NOW, NOW + came);
        prop_assert!(initial >= Duration::from_millis(came));
        prop_assert!(current_age(initial, NOW + came, NOW + came + stayed) >= Duration::from_millis(came + stayed));
    }

    // RFC 9111 section 4.1.
    #[test]
    fn a_request_that_differs_in_a_nominated_field_selects_another_variant(
        one in "[a-zA-Z0-9;=. -]{0,12}", other in "[a-zA-Z0-9;=. -]{0,12}"
    ) {
        let names = [HeaderName::from_static("x-nominated")];
        let text = |value: &str| {
            selecting(&names, &HeaderMap::from_iter([(names[0].clone(), HeaderValue::from_str(value).unwrap())]), false)
        };
        prop_assert_eq!(text(&one) == text(&other), one.trim() == other.trim());
    }

    // RFC 9111 section 4.4.
    #[test]
    fn errors_never_invalidate_what_no_route_has(status in 100u16..1000) {
        let status = StatusCode::from_u16(status).unwrap();
        let counts = status.is_success() || status.is_redirection();
        prop_assert_eq!(invalidates(Some(status)), counts);
        // A refusal drops nothing of a route either; what failed may have changed something all the same.
        prop_assert!(!status.is_client_error() || effect(Some(status)) == Effect::Nothing);
        prop_assert!(!status.is_server_error() || effect(Some(status)) == Effect::Anything);
    }

    /// Whatever nobody has registered as safe may change something, in any other case, too.
    #[test]
    fn a_method_is_safe_only_as_it_is_registered(method in "[A-Za-z]{1,9}") {
        let safe = is_safe(&Method::from_bytes(method.as_bytes()).unwrap());
        prop_assert_eq!(safe, registered(&method) == Some(true));
    }
}
