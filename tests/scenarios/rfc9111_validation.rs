//! Conditions, the client's and ours (RFC 9111 section 4.3, RFC 9110 section 13).

use std::time::Duration;

use super::support::node::Node;
use super::support::origin::{self, Asked, Origin, response, say};

type Fields = &'static [(&'static str, &'static str)];

const LONG_AGO: &str = "Wed, 01 Jan 2020 00:00:00 GMT";
const BEFORE: &str = "Tue, 31 Dec 2019 23:59:59 GMT";
const DATE: (&str, &str) = ("date", "Thu, 01 Jan 2026 00:00:00 GMT");
const FRESH: (&str, &str) = ("cache-control", "max-age=5");

/// What comes of validating an answer with the fields `stored` when the origin says 304 with the fields `brought`: whether
/// it was believed, and the conditions that it was asked under.
async fn validate(stored: Fields, brought: Fields) -> (bool, [Option<String>; 2]) {
    let origin = Origin::start(move |asked| async move {
        let conditional = asked.field("if-none-match").or(asked.field("if-modified-since")).is_some();
        if conditional {
            response(304, &[&[FRESH, DATE], brought].concat(), "")
        } else {
            response(200, &[&[FRESH, DATE], stored].concat(), "body")
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    node.client().get("/x").await;
    node.clock.advance(Duration::from_secs(10));
    let answer = node.client().get("/x").await;
    assert_eq!((answer.status, answer.text()), (200, "body"));
    let asked = &origin.asked()[1];
    let conditions = ["if-none-match", "if-modified-since"].map(|name| asked.field(name).map(ToOwned::to_owned));
    let believed = origin.count() == 2;
    let status = if believed { 304 } else { 200 };
    assert!(answer.cache_status().contains(&format!("fwd-status={status};")), "{}", answer.cache_status());
    (believed, conditions)
}

#[tokio::test]
async fn section_4_3_1_an_entry_is_validated_with_all_the_validators_it_has() {
    let text = |value: &str| Some(value.to_owned());
    for (stored, conditions) in [
        (&[("etag", "\"a\"")] as Fields, [text("\"a\""), None]),
        (&[("etag", "W/\"a\"")], [text("W/\"a\""), None]),
        (&[("etag", "unquoted")], [text("unquoted"), None]),
        (&[("last-modified", LONG_AGO)], [None, text(LONG_AGO)]),
        (&[("etag", "\"a\""), ("last-modified", LONG_AGO)], [text("\"a\""), text(LONG_AGO)]),
    ] {
        assert_eq!(validate(stored, &[]).await, (true, conditions), "{stored:?}");
    }
}

#[tokio::test]
async fn section_4_3_4_a_304_confirms_the_entry_whose_validator_it_names() {
    for (stored, brought, expected) in [
        (&[("etag", "\"a\"")] as Fields, &[("etag", "\"a\"")] as Fields, true),
        (&[("etag", "\"a\"")], &[("etag", "\"b\"")], false),
        (&[("etag", "W/\"a\"")], &[("etag", "W/\"a\"")], true),
        (&[("etag", "\"a\"")], &[("etag", "W/\"a\"")], true),
        (&[("etag", "W/\"a\"")], &[("etag", "\"a\"")], false),
        (&[("etag", "W/\"a\"")], &[("etag", "W/\"b\"")], false),
        (&[("last-modified", LONG_AGO)], &[("last-modified", LONG_AGO)], true),
        (&[("last-modified", LONG_AGO)], &[("last-modified", BEFORE)], false),
        (&[("etag", "\"a\""), ("last-modified", LONG_AGO)], &[("last-modified", LONG_AGO)], true),
    ] {
        assert_eq!(validate(stored, brought).await.0, expected, "{stored:?} {brought:?}");
    }
}

#[tokio::test]
async fn section_3_2_a_304_brings_new_fields_and_changes_nothing_about_the_body() {
    let origin = Origin::start(|asked| async move {
        match asked.field("if-none-match") {
            None => response(
                200,
                &[
                    FRESH,
                    DATE,
                    ("etag", "\"a\""),
                    ("x-kept", "1"),
                    ("x-new", "1"),
                    ("content-type", "a/b"),
                    ("age", "1"),
                ],
                "body",
            ),
            Some(_) => response(
                304,
                &[
                    ("cache-control", "max-age=50"),
                    ("date", "Thu, 01 Jan 2026 00:00:10 GMT"),
                    ("etag", "\"a\""),
                    ("x-new", "2"),
                    ("x-new", "3"),
                    ("content-type", "c/d"),
                    ("content-encoding", "gzip"),
                    ("content-range", "bytes 0-0/1"),
                    ("connection", "x-hop"),
                    ("x-hop", "1"),
                ],
                "",
            ),
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    node.client().get("/x").await;
    node.clock.advance(Duration::from_secs(10));
    for told in ["aside; fwd=stale; fwd-status=304; ttl=50; stored", "aside; hit; ttl=50"] {
        let answer = node.client().get("/x").await;
        assert_eq!((answer.cache_status(), answer.text()), (told, "body"));
        assert_eq!(answer.fields.get_all("x-new").iter().collect::<Vec<_>>(), ["2", "3"]);
        for (name, value) in [
            ("x-kept", "1"),
            ("content-type", "a/b"),
            ("content-length", "4"),
            ("content-encoding", ""),
            ("content-range", ""),
            ("x-hop", ""),
            ("age", "0"),
            ("date", "Thu, 01 Jan 2026 00:00:10 GMT"),
        ] {
            assert_eq!(answer.field(name), value, "{name}");
        }
    }
}

/// Whether a stored answer with these fields is sent as 304 under these conditions.
async fn is_304(stored: Fields, conditions: &[(&str, &str)]) -> bool {
    let origin =
        Origin::start(move |_: Asked| async move { response(200, &[&[FRESH, DATE], stored].concat(), "x") }).await;
    let node = Node::timed(origin.address, "");
    node.client().get("/x").await;
    let get = node.client().get_with("/x", conditions).await;
    assert_eq!(get.cache(), "HIT");
    let head = node.client().send("HEAD", "/x", conditions, "").await;
    assert_eq!(get.status, head.status);
    get.status == 304
}

#[tokio::test]
async fn section_4_3_2_an_entity_tag_decides_alone_where_the_client_names_one() {
    let both: Fields = &[("etag", "\"a\""), ("last-modified", LONG_AGO)];
    for (conditions, expected) in [
        (&[("if-none-match", "\"a\"")][..], true),
        (&[("if-none-match", "W/\"a\"")], true),
        (&[("if-none-match", "\"b\", \"a\"")], true),
        (&[("if-none-match", "*")], true),
        (&[("if-none-match", "\"b\"")], false),
        (&[("if-none-match", "\"b\""), ("if-modified-since", LONG_AGO)], false),
        (&[("if-none-match", "\"a\""), ("if-modified-since", BEFORE)], true),
        (&[("if-modified-since", LONG_AGO)], true),
        (&[("if-modified-since", BEFORE)], false),
        (&[("if-modified-since", "yesterday")], false),
    ] {
        assert_eq!(is_304(both, conditions).await, expected, "{conditions:?}");
    }
}

#[tokio::test]
async fn section_4_3_2_without_last_modified_the_date_of_the_answer_counts() {
    assert!(is_304(&[], &[("if-modified-since", DATE.1)]).await);
    assert!(!is_304(&[], &[("if-modified-since", LONG_AGO)]).await, "it is from later: sent whole");
}

#[tokio::test]
async fn rfc_9110_section_13_conditions_on_a_match_are_the_origins_to_judge() {
    let origin = Origin::start(|asked| async move {
        let judged = asked.field("if-match").or(asked.field("if-unmodified-since")).is_some();
        response(if judged { 412 } else { 200 }, &[("cache-control", "max-age=60")], "x")
    })
    .await;
    let node = Node::timed(origin.address, "");
    node.client().get("/x").await;
    for condition in [("if-match", "\"a\""), ("if-unmodified-since", LONG_AGO)] {
        let answer = node.client().get_with("/x", &[condition]).await;
        assert_eq!((answer.status, answer.cache()), (412, "BYPASS"));
    }
}

// RFC 5861 section 4: what the origin has contradicted stands in for no later failure.
#[tokio::test]
async fn a_304_of_another_representation_leaves_nothing_to_stand_in() {
    leaves_nothing(404).await;
    leaves_nothing(503).await;
}

async fn leaves_nothing(said: u16) {
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let origin = Origin::start(move |asked: Asked| {
        let n = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        async move {
            match n {
                0 => response(200, &[("cache-control", "max-age=5, stale-if-error=600"), ("etag", "\"a\"")], "old"),
                1 => response(304, &[("etag", "\"b\"")], ""),
                2 => {
                    assert!(asked.field("if-none-match").is_none());
                    response(said, &[], "gone")
                }
                _ => response(503, &[], "down"),
            }
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    client.get("/x").await;
    node.clock.advance(Duration::from_secs(10));
    assert_eq!(client.get("/x").await.status, said);
    assert_eq!(client.get("/x").await.status, 503);
}

// RFC 9110 section 6.6.1, RFC 9111 section 4.3.2: where the origin does not say when, the time of receipt counts.
#[tokio::test]
async fn an_answer_without_a_date_has_the_one_it_came_at_for_every_reuse() {
    let origin = origin::raw(|_, mut stream| async move {
        say(
            &mut stream,
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
        )
        .await;
    })
    .await;
    let node = Node::timed(origin, "");
    let first = node.client().get("/x").await;
    node.clock.advance(Duration::from_secs(20));
    let second = node.client().get("/x").await;
    assert_eq!((second.cache(), second.field("age"), second.field("date")), ("HIT", "20", first.field("date")));
    let known = [("if-modified-since", first.field("date"))];
    assert_eq!(node.client().get_with("/x", &known).await.status, 304);
}

// RFC 9111 section 4.2.3 counts what the origin gives from its Date; a route's time is the route's own.
#[tokio::test]
async fn a_routes_ttl_is_no_matter_of_the_origins_clock() {
    for (fields, expected) in [(&[DATE] as Fields, "aside; hit; ttl=5"), (&[DATE, ("age", "2")], "aside; hit; ttl=3")] {
        let origin = Origin::numbered(&[(200, fields)]).await;
        let node = Node::timed(origin.address, "[[route]]\npath = \"/{n}\"\nttl = \"5s\"\n");
        node.clock.advance(Duration::from_secs(3600));
        node.client().get("/0").await;
        assert_eq!(node.client().get("/0").await.cache_status(), expected);
    }
}
