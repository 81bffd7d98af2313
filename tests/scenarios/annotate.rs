//! The field that the seeds' clients look at.

use super::support::node::Node;
use super::support::origin::{Origin, json, response};

const FRUIT: &str = r#"
[[route]]
path = "/fruit/{id}"
key = "fruit:{id}"
ttl = "10m"
annotate = { field = "from_cache", hit = true, miss = false }
"#;

#[tokio::test]
async fn a_json_object_says_whether_it_came_from_the_cache() {
    let origin = Origin::start(|_| async { json("{\"data\":{\"id\":1}}\n") }).await;
    let node = Node::start(origin.address, FRUIT);
    let client = node.client();
    let miss = client.get("/fruit/1").await;
    assert_eq!(miss.text(), "{\"data\":{\"id\":1},\"from_cache\":false}\n");
    let hit = client.get("/fruit/1").await;
    assert_eq!(hit.text(), "{\"data\":{\"id\":1},\"from_cache\":true}\n");
    assert_eq!(hit.field("content-length"), hit.body.len().to_string());
    // Miss and hit differ in bytes, so the tag they share can only be a weak one.
    assert_eq!(miss.field("etag"), hit.field("etag"));
    assert!(hit.field("etag").starts_with("W/\""));
    assert_eq!(client.get_with("/fruit/1", &[("if-none-match", hit.field("etag"))]).await.status, 304);
    let head = client.send("HEAD", "/fruit/1", &[], "").await;
    assert_eq!(head.field("content-length"), hit.field("content-length"));
}

#[tokio::test]
async fn a_bypassed_answer_counts_as_a_miss() {
    let origin = Origin::start(|_| async { json("{}") }).await;
    let node = Node::start(origin.address, FRUIT);
    assert_eq!(node.client().get_with("/fruit/1", &[("cookie", "a=b")]).await.text(), "{\"from_cache\":false}");
}

#[tokio::test]
async fn what_is_no_json_object_stays_as_it_is() {
    for (kind, body) in [("application/json", "[1]"), ("text/plain", "{}"), ("application/json", "{broken")] {
        let origin = Origin::start(move |_| async move { response(200, &[("content-type", kind)], body) }).await;
        let node = Node::start(origin.address, FRUIT);
        for _ in 0..2 {
            assert_eq!(node.client().get("/fruit/1").await.text(), body);
        }
    }
    let origin = Origin::start(|_| async { response(404, &[("content-type", "application/json")], "{}") }).await;
    assert_eq!(Node::start(origin.address, FRUIT).client().get("/fruit/1").await.text(), "{}");
}

const TAGGED: [(&str, &str); 6] = [
    ("content-type", "application/json"),
    ("etag", "\"v1\""),
    ("content-digest", "sha-256=:AAAA:"),
    ("repr-digest", "sha-256=:AAAA:"),
    ("digest", "sha-256=AAAA"),
    ("content-md5", "AAAA"),
];

#[tokio::test]
async fn what_the_origin_says_of_its_bytes_does_not_hold_for_an_annotated_answer() {
    let origin = Origin::start(|_| async { response(200, &TAGGED, "{\"a\":1}") }).await;
    let node = Node::start(origin.address, FRUIT);
    let client = node.client();
    for (field, body) in [("cookie", "false"), ("x-any", "false"), ("x-any", "true")] {
        let answer = client.get_with("/fruit/1", &[(field, "a=b")]).await;
        assert_eq!(answer.text(), format!("{{\"a\":1,\"from_cache\":{body}}}"));
        assert_eq!(answer.field("etag"), "W/\"v1;aside\"", "{}", answer.cache_status());
        for gone in ["content-digest", "repr-digest", "digest", "content-md5"] {
            assert_eq!(answer.field(gone), "", "{gone} {}", answer.cache_status());
        }
    }
}

#[tokio::test]
async fn an_answer_that_must_not_be_transformed_stays_as_it_is() {
    let fields = [("content-type", "application/json"), ("cache-control", "public, No-Transform"), ("etag", "\"v1\"")];
    let origin = Origin::start(move |_| async move { response(200, &fields, "{\"a\":1}") }).await;
    let node = Node::start(origin.address, FRUIT);
    for cookie in [("x-any", "a"), ("x-any", "a"), ("cookie", "a=b")] {
        let answer = node.client().get_with("/fruit/1", &[cookie]).await;
        assert_eq!((answer.text(), answer.field("etag")), ("{\"a\":1}", "\"v1\""), "{}", answer.cache_status());
    }
}

#[tokio::test]
async fn the_length_that_a_head_tells_is_the_annotated_one_or_none() {
    let origin = Origin::start(|_| async { response(200, &TAGGED, "{\"a\":1}") }).await;
    let node = Node::start(origin.address, FRUIT);
    let client = node.client();
    let head = client.send("HEAD", "/fruit/1", &[], "").await;
    assert_eq!((head.field("content-length"), head.field("etag"), head.field("digest")), ("", "W/\"v1;aside\"", ""));
    client.get("/fruit/1").await;
    let hit = client.get("/fruit/1").await;
    let head = client.send("HEAD", "/fruit/1", &[], "").await;
    assert_eq!(head.field("content-length"), hit.field("content-length"));
}
