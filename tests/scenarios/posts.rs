//! Answers to POST that later GETs are given, where somebody chose so (RFC 9110 section 9.3.3).

use super::support::node::Node;
use super::support::origin::{Asked, Gate, Origin, response};

const STORING: &str = "[unrouted]\npost = \"store\"\n";
const FRESH: (&str, &str) = ("cache-control", "max-age=60");

/// An origin whose answers are `method n`, n counting up; to POST it names what the query says as their URI.
async fn naming() -> Origin {
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    Origin::start(move |asked: Asked| {
        let n = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        async move {
            let named = asked.field("x-name").unwrap_or("/x").to_owned();
            response(200, &[FRESH, ("content-location", &named)], &format!("{} {n}", asked.method))
        }
    })
    .await
}

#[tokio::test]
async fn an_answer_to_post_that_names_its_own_uri_answers_later_gets() {
    let origin = naming().await;
    let node = Node::start(origin.address, STORING);
    let client = node.client();
    client.get("/x").await;
    let posted = client.post("/x", "{}").await;
    assert_eq!(posted.text(), "POST 1");
    assert_eq!(posted.cache_status(), "aside; fwd=method; fwd-status=200; ttl=60; stored");
    let hit = client.get("/x").await;
    assert_eq!((hit.text(), hit.cache()), ("POST 1", "HIT"));
    client.put("/x", "{}").await;
    assert_eq!(client.get("/x").await.cache(), "MISS");
}

#[tokio::test]
async fn an_answer_to_post_is_stored_only_by_choice_and_only_for_the_uri_it_was_sent_to() {
    let origin = naming().await;
    for (config, name) in
        [("", "/x"), (STORING, "/y"), (STORING, "http://other/x"), (STORING, "/x?1"), (STORING, "not a uri")]
    {
        let node = Node::start(origin.address, config);
        let client = node.client();
        client.send("POST", "/x", &[("x-name", name)], "{}").await;
        assert_eq!(client.get("/x").await.cache(), "MISS", "{config} {name}");
    }
}

#[tokio::test]
async fn an_answer_to_post_that_raced_another_write_is_not_kept() {
    let (gate, mut keeper) = Gate::new();
    let origin = Origin::start(move |asked: Asked| {
        let gate = gate.clone();
        async move {
            if asked.method == "POST" {
                gate.pass().await;
            }
            response(200, &[FRESH, ("content-location", "/x")], asked.method.as_str())
        }
    })
    .await;
    let node = Node::start(origin.address, STORING);
    let client = node.client();
    let slow = tokio::spawn({
        let client = node.client();
        async move { client.post("/x", "{}").await }
    });
    keeper.arrived().await;
    client.put("/x", "{}").await;
    keeper.let_go(1);
    let posted = slow.await.unwrap();
    assert_eq!(posted.cache_status(), "aside; fwd=method; fwd-status=200; detail=raced-write");
    let read = client.get("/x").await;
    assert_eq!((read.text(), read.cache()), ("GET", "MISS"));
}
