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
