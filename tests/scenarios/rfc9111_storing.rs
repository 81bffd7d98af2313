//! What is stored and for how long (RFC 9111 sections 3 and 4.2): a test a clause.

use std::time::Duration;

use super::support::node::{NEW_YEAR, Node};
use super::support::origin::{Origin, response};

type Fields = &'static [(&'static str, &'static str)];

const ROUTE: &str = "[[route]]\npath = \"/{n}\"\nttl = \"1h\"\n";
const FRESH: Fields = &[("cache-control", "max-age=60")];

/// Asks a new node twice for each answer and compares what the second one says with what is expected: `None` for a hit,
/// else why it is no hit.
async fn expect(config: &str, request: Fields, cases: &[((u16, Fields), Option<&str>)]) {
    let heads: Vec<_> = cases.iter().map(|(head, _)| *head).collect();
    let origin = Origin::numbered(&heads).await;
    let node = Node::timed(origin.address, config);
    let client = node.client();
    for (n, (head, expected)) in cases.iter().enumerate() {
        let target = format!("/{n}");
        client.get_with(&target, request).await;
        let second = client.get_with(&target, request).await;
        let said = second.cache_status();
        match expected {
            None => assert!(said.starts_with("aside; hit; "), "{config} {head:?}: {said}"),
            Some(why) => assert!(said.ends_with(&format!("; detail={why}")), "{config} {head:?}: {said}"),
        }
    }
}

/// The seconds that an answer with these fields is told to be fresh for as it is stored; `None` where it is not stored.
async fn lifetimes(config: &str, cases: &[(Fields, Option<i64>)]) {
    let heads: Vec<_> = cases.iter().map(|(fields, _)| (200, *fields)).collect();
    let origin = Origin::numbered(&heads).await;
    let node = Node::timed(origin.address, config);
    for (n, (fields, expected)) in cases.iter().enumerate() {
        let answer = node.client().get(&format!("/{n}")).await;
        let told = answer.cache_status().split("; ").find_map(|part| part.strip_prefix("ttl="));
        assert_eq!(told.map(|ttl| ttl.parse().unwrap()), *expected, "{fields:?}: {}", answer.cache_status());
    }
}

#[tokio::test]
async fn section_3_any_final_status_with_a_lifetime_is_stored_but_for_errors_of_one_request() {
    let kept = [200, 203, 204, 299, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501];
    let errors = [400, 403, 406, 418, 422, 500, 502, 503, 504, 599];
    let cases = |codes: &[u16], why| codes.iter().map(|&code| ((code, FRESH), why)).collect::<Vec<_>>();
    expect("", &[], &cases(&kept, None)).await;
    expect("", &[], &cases(&errors, Some("status-not-cacheable"))).await;
    expect("[unrouted]\nerrors = true\n", &[], &cases(&errors, None)).await;
}

#[tokio::test]
async fn section_3_a_route_stores_what_it_lists_and_what_the_origin_gives_a_lifetime() {
    let cases: &[((u16, Fields), _)] = &[
        ((200, &[]), None),
        ((404, &[]), Some("status-not-cacheable")),
        ((404, FRESH), None),
        ((299, FRESH), Some("status-not-cacheable")),
        ((599, FRESH), Some("status-not-cacheable")),
    ];
    expect(ROUTE, &[], cases).await;
    expect(
        &format!("{ROUTE}statuses = {{ 404 = \"5s\", 599 = \"ttl\" }}\n"),
        &[],
        &[((404, &[]), None), ((599, &[]), None), ((500, &[]), Some("status-not-cacheable"))],
    )
    .await;
}

#[tokio::test]
async fn section_3_only_answers_to_get_are_stored() {
    let origin = Origin::numbered(&[(200, FRESH)]).await;
    let node = Node::timed(origin.address, "");
    for method in ["HEAD", "OPTIONS", "PUT", "POST", "QUERY"] {
        node.client().send(method, "/0", &[], "").await;
        let status = node.client().send(method, "/0", &[], "").await.cache_status().to_owned();
        assert!(!status.contains("hit") && !status.contains("stored"), "{method}: {status}");
    }
    assert_eq!(node.client().get("/0").await.cache(), "MISS");
}

#[tokio::test]
async fn section_5_2_2_what_forbids_storing_is_heard_in_any_spelling() {
    expect(
        "",
        &[],
        &[
            ((200, &[("cache-control", "max-age=60, no-store")]), Some("no-store")),
            ((200, &[("cache-control", "max-age=60"), ("cache-control", "No-Store")]), Some("no-store")),
            ((200, &[("cache-control", "max-age=60 , NO-STORE=\"x\"")]), Some("no-store")),
            ((200, &[("cache-control", "private, max-age=60")]), Some("private")),
            ((200, &[("cache-control", "max-age=60, private=\"x-mine\"")]), Some("private")),
            ((200, &[("cache-control", "max-age=60, unknown=\"no-store\"")]), None),
            ((200, &[("cache-control", "max-age=60"), ("pragma", "no-cache")]), None),
        ],
    )
    .await;
}

#[tokio::test]
async fn section_5_2_2_3_must_understand_lifts_no_store_where_the_status_is_known() {
    expect(
        "",
        &[],
        &[
            ((200, &[("cache-control", "must-understand, no-store, max-age=60")]), None),
            ((299, &[("cache-control", "must-understand, no-store, max-age=60")]), Some("status-not-cacheable")),
            ((299, &[("cache-control", "must-understand, max-age=60")]), Some("status-not-cacheable")),
            ((200, &[("cache-control", "must-understand, private, max-age=60")]), Some("private")),
        ],
    )
    .await;
}

#[tokio::test]
async fn section_3_5_an_answer_to_authorization_is_stored_only_if_the_origin_says_that_it_is_for_all() {
    let cases: &[((u16, Fields), _)] = &[
        ((200, FRESH), Some("authorization")),
        ((200, &[("cache-control", "max-age=60, proxy-revalidate")]), Some("authorization")),
        ((200, &[("cache-control", "max-age=60, public")]), None),
        ((200, &[("cache-control", "s-maxage=60")]), None),
        ((200, &[("cache-control", "max-age=60, must-revalidate")]), None),
        ((200, &[("cache-control", "public, private, max-age=60")]), Some("private")),
    ];
    expect("", &[("authorization", "Basic eDp5")], cases).await;
}

#[tokio::test]
async fn section_7_3_an_answer_that_sets_a_cookie_is_stored_only_by_choice_and_only_with_a_named_age() {
    const AGED: Fields = &[("cache-control", "max-age=60"), ("set-cookie", "a=1")];
    const DATED: Fields = &[("expires", "Fri, 01 Jan 2100 00:00:00 GMT"), ("set-cookie", "a=1")];
    for config in ["", ROUTE] {
        expect(config, &[], &[((200, AGED), Some("set-cookie")), ((200, DATED), Some("set-cookie"))]).await;
    }
    let storing = "[unrouted]\nset_cookie = \"store\"\n";
    expect(storing, &[], &[((200, AGED), None), ((200, DATED), Some("set-cookie"))]).await;
    let origin = Origin::numbered(&[(200, AGED)]).await;
    let node = Node::timed(origin.address, storing);
    for _ in 0..2 {
        assert_eq!(node.client().get("/0").await.field("set-cookie"), "a=1");
    }
}

#[tokio::test]
async fn a_cookie_in_the_request_keeps_its_answer_from_others_unless_the_choice_is_to_ignore_it() {
    let cookie: Fields = &[("cookie", "a=1")];
    expect("", cookie, &[((200, FRESH), Some("cookie"))]).await;
    let ignoring = "[unrouted]\ncookies = \"ignore\"\n";
    expect(ignoring, cookie, &[((200, FRESH), None)]).await;
    expect(ignoring, &[("cookie", "a=1"), ("x-api-key", "k")], &[((200, FRESH), Some("credential"))]).await;
}

#[tokio::test]
async fn section_4_1_an_answer_that_varies_on_everything_is_not_stored() {
    expect(
        "",
        &[],
        &[
            ((200, &[("cache-control", "max-age=60"), ("vary", "*")]), Some("vary-any")),
            ((200, &[("cache-control", "max-age=60"), ("vary", "accept, *")]), Some("vary-any")),
            ((200, &[("cache-control", "max-age=60"), ("vary", "accept"), ("vary", " *, x")]), Some("vary-any")),
            ((200, &[("cache-control", "max-age=60"), ("vary", "x y")]), Some("vary-any")),
            ((200, &[("cache-control", "max-age=60"), ("vary", "")]), None),
        ],
    )
    .await;
}

#[tokio::test]
async fn section_4_2_1_the_first_source_that_speaks_gives_the_lifetime() {
    const PAST: (&str, &str) = ("expires", "Thu, 01 Jan 1970 00:00:00 GMT");
    lifetimes(
        "",
        &[
            (&[("cache-control", "s-maxage=7, max-age=60"), PAST], Some(7)),
            (&[("cache-control", "max-age=60"), PAST], Some(60)),
            (&[("cache-control", "max-age=60"), ("cache-control", "max-age=7")], Some(7)),
            (&[("cache-control", "max-age=\"60\"")], Some(60)),
            (&[("cache-control", "max-age=60.5")], None),
            (&[("cache-control", "max-age=-1")], None),
            (&[("cache-control", "max-age=99999999999999999999")], Some(1 << 31)),
            (&[("cache-control", "public")], None),
            (&[PAST], None),
        ],
    )
    .await;
}

#[tokio::test]
async fn section_5_3_expires_counts_from_date_however_either_is_written() {
    lifetimes(
        "",
        &[
            (&[("date", "Thu, 01 Jan 2026 00:00:00 GMT"), ("expires", "Thu, 01 Jan 2026 00:02:00 GMT")], Some(120)),
            // A clock that is a day ahead.
            (&[("date", "Fri, 02 Jan 2026 00:00:00 GMT"), ("expires", "Fri, 02 Jan 2026 00:00:09 GMT")], Some(9)),
            (&[("date", "Thursday, 01-Jan-26 00:00:00 GMT"), ("expires", "Thu Jan  1 00:01:00 2026")], Some(60)),
            (&[("date", "thu, 01 jan 2026 00:00:00 gmt"), ("expires", "Mon, 01 Jan 2026 00:01:00 GMT")], Some(60)),
            (&[("date", "Thu, 01 Jan 2026 00:00:00 GMT"), ("expires", "0")], None),
            (&[("date", "Thu, 01 Jan 2026 00:00:00 GMT"), ("expires", "tomorrow")], None),
            (&[("date", "Thu, 01 Jan 2026 00:00:00 GMT"), ("expires", "Thu, 01 Jan 2026 00:02:00 CET")], None),
            (&[("date", "rubbish"), ("expires", "Thu, 01 Jan 2026 00:02:00 GMT")], Some(120)),
        ],
    )
    .await;
    assert_eq!(NEW_YEAR % 86_400_000, 0, "the cases above are about this day");
}

#[tokio::test]
async fn section_4_2_3_the_age_that_an_answer_brings_is_spent_already() {
    lifetimes(
        "",
        &[
            (&[("cache-control", "max-age=60"), ("age", "55")], Some(5)),
            (&[("cache-control", "max-age=60"), ("age", "5, 55")], Some(55)),
            (&[("cache-control", "max-age=60"), ("age", "old")], Some(60)),
            (&[("cache-control", "max-age=60"), ("date", "Wed, 31 Dec 2025 23:59:20 GMT")], Some(20)),
            (&[("cache-control", "max-age=60"), ("date", "Wed, 31 Dec 2025 23:59:20 GMT"), ("age", "50")], Some(10)),
            (&[("cache-control", "max-age=60"), ("date", "Thu, 01 Jan 2026 10:00:00 GMT")], Some(60)),
        ],
    )
    .await;
    let origin = Origin::numbered(&[(200, &[("cache-control", "max-age=60"), ("age", "50")])]).await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    assert_eq!(client.get("/0").await.field("age"), "50", "as the origin said it");
    node.clock.advance(Duration::from_secs(9));
    let hit = client.get("/0").await;
    assert_eq!((hit.field("age"), hit.cache_status()), ("59", "aside; hit; ttl=1"));
    node.clock.advance(Duration::from_secs(1));
    assert_eq!(client.get("/0").await.cache(), "MISS");
}

#[tokio::test]
async fn section_4_2_2_a_lifetime_is_guessed_only_by_choice() {
    const OLD: Fields =
        &[("date", "Thu, 01 Jan 2026 00:00:00 GMT"), ("last-modified", "Wed, 31 Dec 2025 23:50:00 GMT")];
    const ANCIENT: Fields =
        &[("date", "Thu, 01 Jan 2026 00:00:00 GMT"), ("last-modified", "Wed, 01 Jan 2020 00:00:00 GMT")];
    const NAMED: Fields = &[("cache-control", "max-age=9"), ("last-modified", "Wed, 01 Jan 2020 00:00:00 GMT")];
    const LATER: Fields =
        &[("date", "Thu, 01 Jan 2026 00:00:00 GMT"), ("last-modified", "Fri, 02 Jan 2026 00:00:00 GMT")];
    lifetimes("", &[(OLD, None), (ANCIENT, None)]).await;
    let guessing = "[unrouted]\nheuristics = true\n";
    lifetimes(guessing, &[(OLD, Some(60)), (ANCIENT, Some(86_400)), (NAMED, Some(9)), (LATER, None)]).await;
}

#[tokio::test]
async fn section_5_2_2_4_no_cache_is_stored_with_a_validator_and_asked_about_every_time() {
    let origin = Origin::start(|asked| async move {
        let fields: Fields = &[("cache-control", "max-age=60, no-cache"), ("etag", "\"a\"")];
        match asked.field("if-none-match") {
            Some("\"a\"") => response(304, fields, ""),
            _ => response(200, fields, "body"),
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    assert!(client.get("/x").await.cache_status().contains("stored"));
    for _ in 0..2 {
        let validated = client.get("/x").await;
        assert_eq!((validated.status, validated.text()), (200, "body"));
        assert!(validated.cache_status().starts_with("aside; fwd=stale; fwd-status=304; "));
    }
    expect("", &[], &[((200, &[("cache-control", "max-age=60, no-cache")]), Some("no-freshness"))]).await;
}

#[tokio::test]
async fn section_5_2_1_5_a_request_that_says_no_store_leaves_nothing_behind() {
    let saying: Fields = &[("cache-control", "no-store")];
    expect("", saying, &[((200, FRESH), Some("request-directive"))]).await;
    expect("[unrouted]\nrequest_directives = \"ignore\"\n", saying, &[((200, FRESH), None)]).await;
    expect(ROUTE, saying, &[((200, FRESH), None)]).await;
    expect(&format!("{ROUTE}request_directives = \"honour\"\n"), saying, &[((200, FRESH), Some("request-directive"))])
        .await;
}
