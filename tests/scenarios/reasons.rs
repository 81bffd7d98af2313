//! The reason that is told is the true one.

use super::support::node::Node;
use super::support::origin::{Origin, json, nobody, raw as raw_origin, response, say};

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn a_field_that_goes_no_further_is_the_reason_and_not_a_directive_that_nobody_sent() {
    for nominated in ["etag", "set-cookie", "close, Cache-Control"] {
        let origin = raw_origin(move |_, mut stream| async move {
            let head = format!(
                "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nETag: \"a\"\r\nConnection: {nominated}\r\nContent-Length: 2\r\n\r\n{{}}"
            );
            say(&mut stream, &head).await;
        })
        .await;
        let node = Node::start(origin, "");
        let answer = node.client().get("/x").await;
        assert_eq!(answer.cache_status(), "aside; fwd=uri-miss; fwd-status=200; detail=hop-by-hop", "{nominated}");
    }
}

const POLICY: &str = r#"
[[route]]
path = "/orders/{order_id}"
key = "order:{order_id}"
ttl = "1h"
[route.write]
request = "POST /orders"
policy = "through"
entry = '{"order": {body}, "note": "{note}"}'
"#;

#[tokio::test]
async fn a_write_that_lacks_what_its_entry_needs_is_told_so() {
    let origin = Origin::start(|_| async { json("{}") }).await;
    let node = Node::start(origin.address, POLICY);
    let client = node.client();
    for (body, told) in [
        (r#"{"order_id": 1, "note": 2}"#, "fwd=method; fwd-status=200; stored; detail=write-through"),
        (r#"{"order_id": 1}"#, "fwd=method; fwd-status=200; detail=value-unknown"),
        (r#"{"note": 2}"#, "fwd=method; fwd-status=200; detail=value-unknown"),
    ] {
        let answer = client.post("/orders", body).await;
        assert_eq!(answer.cache_status(), format!("aside; {told}"), "{body}");
    }
}

#[tokio::test]
async fn an_answer_to_post_says_why_it_is_not_kept() {
    let origin = Origin::start(|asked| async move {
        let status = asked.field("x-status").map_or(200, |status| status.parse().unwrap());
        let control = asked.field("x-control").unwrap_or("max-age=60").to_owned();
        let named = asked.field("x-name").unwrap_or("/x").to_owned();
        response(status, &[JSON, ("cache-control", &control), ("content-location", &named)], "{}")
    })
    .await;
    let node = Node::start(origin.address, "[unrouted]\npost = \"store\"\n");
    let other = Node::start(origin.address, "");
    for (field, status, why) in [
        (("x-name", "/y"), 200, "content-location"),
        (("x-control", "no-store"), 200, "no-store"),
        (("x-control", "private"), 200, "private"),
        (("x-status", "201"), 201, "status-not-cacheable"),
        (("if-match", "\"a\""), 200, "precondition"),
        (("authorization", "x"), 200, "authorization"),
    ] {
        let told = format!("aside; fwd=method; fwd-status={status}");
        let answer = node.client().send("POST", "/x", &[field], "{}").await;
        assert_eq!(answer.cache_status(), format!("{told}; detail={why}"), "{field:?}");
        let answer = other.client().send("POST", "/x", &[field], "{}").await;
        assert_eq!(answer.cache_status(), told, "nobody asked for it: {field:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_part_is_not_called_one() {
    let origin = Origin::start(|_| async { response(404, &[("cache-control", "no-store")], "") }).await;
    let node = Node::start(origin.address, "");
    for range in ["bytes=0-1", "bytes=0-1, 3-4"] {
        let answer = node.client().get_with("/x", &[("range", range)]).await;
        assert!(!answer.cache_status().contains("partial-content"), "{}", answer.cache_status());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_has_no_place_is_busy_and_one_that_is_not_there_is_down() {
    let (origin, mut keeper) = Origin::gated(|| json("{}")).await;
    let node =
        Node::start(origin.address, "[origin]\nurl = \"ORIGIN\"\nmax_connections = 1\nconnect_timeout = \"100ms\"\n");
    let first = {
        let client = node.client();
        tokio::spawn(async move { client.get("/a").await })
    };
    keeper.arrived().await;
    let busy = node.client().get("/b").await;
    assert_eq!((busy.status, busy.cache_status()), (503, "aside; fwd=uri-miss; detail=origin-busy"));
    keeper.let_go(1);
    assert_eq!(first.await.unwrap().status, 200);
    let (dead, _held) = nobody();
    let down = Node::start(dead, "").client().get("/a").await;
    assert!(down.cache_status().ends_with("detail=origin-down"), "{}", down.cache_status());
}
