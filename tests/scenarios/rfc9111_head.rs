//! What a HEAD that goes to the origin does to the stored answer to GET (RFC 9111 section 4.3.5).

use std::time::Duration;

use super::support::client::Answer;
use super::support::node::Node;
use super::support::origin::{Asked, Gate, Origin, response};

type Fields = &'static [(&'static str, &'static str)];

const ROUTE: &str = "[[route]]\npath = \"/x\"\nttl = \"5s\"\n";
const FRESH: (&str, &str) = ("cache-control", "max-age=5");
const TAG: (&str, &str) = ("etag", "\"a\"");

/// An origin whose answer to GET has the fields `get`, and whose answer to HEAD has `status` and the fields `head`.
async fn answering(get: Fields, status: u16, head: Fields) -> Origin {
    Origin::start(move |asked: Asked| async move {
        match asked.method.as_str() {
            "HEAD" => response(status, head, ""),
            _ => response(200, &[&[FRESH], get].concat(), "body"),
        }
    })
    .await
}

/// A GET, ten seconds later a HEAD, and what answers the next GET.
async fn after_a_head(config: &str, get: Fields, status: u16, head: Fields) -> (Answer, Answer) {
    let origin = answering(get, status, head).await;
    let node = Node::timed(origin.address, config);
    let client = node.client();
    client.get("/x").await;
    node.clock.advance(Duration::from_secs(10));
    let head = client.send("HEAD", "/x", &[], "").await;
    assert_eq!(origin.count(), 2);
    (head, client.get("/x").await)
}

#[tokio::test]
async fn a_head_with_the_stored_validator_freshens_the_stored_answer() {
    const NEW: Fields = &[("cache-control", "max-age=50"), TAG, ("content-length", "4"), ("x-new", "1")];
    for config in ["", ROUTE] {
        let (head, get) = after_a_head(config, &[TAG, ("x-kept", "1")], 200, NEW).await;
        assert_eq!((head.status, head.body.len(), head.field("content-length")), (200, 0, "4"));
        assert_eq!(head.cache_status(), "aside; fwd=stale; fwd-status=200; ttl=50; stored");
        assert_eq!((get.cache_status(), get.text()), ("aside; hit; ttl=50", "body"));
        assert_eq!((get.field("x-kept"), get.field("x-new")), ("1", "1"));
    }
}

#[tokio::test]
async fn a_head_that_tells_of_something_else_ends_the_stored_answer() {
    for config in ["", ROUTE] {
        for head in [
            &[FRESH, ("etag", "\"b\"")] as Fields,
            &[FRESH, TAG, ("content-length", "9")],
            &[FRESH, ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")],
        ] {
            let (_, get) = after_a_head(config, &[TAG], 200, head).await;
            let said = get.cache_status();
            assert_eq!(said, "aside; fwd=uri-miss; fwd-status=200; ttl=5; stored; detail=invalidated", "{head:?}");
        }
    }
}

#[tokio::test]
async fn a_head_that_tells_nothing_leaves_the_stored_answer_as_it_is() {
    for (status, head) in [(200, &[FRESH] as Fields), (404, &[FRESH, TAG]), (405, &[])] {
        let (_, get) = after_a_head("", &[TAG], status, head).await;
        assert_eq!(get.cache_status(), "aside; fwd=stale; fwd-status=200; ttl=5; stored", "{status}");
    }
}

#[tokio::test]
async fn a_head_that_calls_the_answer_private_ends_it() {
    let (head, get) = after_a_head("", &[TAG], 200, &[("cache-control", "private"), TAG]).await;
    assert_eq!(head.cache_status(), "aside; fwd=stale; fwd-status=200; detail=private");
    assert!(get.cache_status().ends_with("detail=invalidated"), "{}", get.cache_status());
}

#[tokio::test]
async fn a_head_is_sent_without_conditions_and_answered_under_the_clients() {
    let origin = answering(&[TAG], 200, &[FRESH, TAG]).await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    client.get("/x").await;
    node.clock.advance(Duration::from_secs(10));
    let head = client.send("HEAD", "/x", &[("if-none-match", "\"a\"")], "").await;
    assert_eq!(head.status, 304);
    assert_eq!(origin.asked()[1].field("if-none-match"), None);
}

#[tokio::test]
async fn on_a_route_a_head_shows_the_origin_what_a_fill_does() {
    let origin = answering(&[TAG], 200, &[FRESH, TAG]).await;
    let node = Node::timed(origin.address, ROUTE);
    let client = node.client();
    client.get("/x").await;
    node.clock.advance(Duration::from_secs(10));
    client.send("HEAD", "/x", &[("x-own", "1"), ("user-agent", "me")], "").await;
    let asked = &origin.asked()[1];
    assert_eq!((asked.method.as_str(), asked.field("x-own")), ("HEAD", None));
    assert_ne!(asked.field("user-agent"), Some("me"));
}

#[tokio::test]
async fn a_stale_answer_stands_in_for_a_head_too() {
    const LASTING: Fields = &[("cache-control", "stale-if-error=60")];
    let (head, _) = after_a_head("", LASTING, 503, &[]).await;
    assert_eq!((head.status, head.body.len(), head.field("content-length")), (200, 0, "4"));
    assert_eq!(head.cache_status(), "aside; fwd=stale; fwd-status=503; ttl=-5; detail=stale-if-error");
}

/// A HEAD that goes on while the test does something else.
fn head_meanwhile(node: &Node) -> tokio::task::JoinHandle<Answer> {
    let client = node.client();
    tokio::spawn(async move { client.send("HEAD", "/x", &[], "").await })
}

#[tokio::test]
async fn a_head_that_a_write_overtook_brings_nothing_back() {
    let (gate, mut keeper) = Gate::new();
    let origin = Origin::start(move |asked: Asked| {
        let gate = gate.clone();
        async move {
            if asked.method == "HEAD" {
                gate.pass().await;
            }
            response(200, &[FRESH, TAG], if asked.method == "GET" { "body" } else { "" })
        }
    })
    .await;
    for config in ["", ROUTE] {
        let node = Node::timed(origin.address, config);
        let client = node.client();
        client.get("/x").await;
        node.clock.advance(Duration::from_secs(10));
        let slow = head_meanwhile(&node);
        keeper.arrived().await;
        client.put("/x", "{}").await;
        keeper.let_go(1);
        let head = slow.await.unwrap();
        assert_eq!(head.status, 200);
        let said = client.get("/x").await.cache_status().to_owned();
        assert!(said.ends_with("detail=invalidated"), "{said}");
    }
}

#[tokio::test]
async fn a_head_does_not_put_an_answer_back_that_a_newer_one_has_replaced() {
    let (gate, mut keeper) = Gate::new();
    let count = std::sync::atomic::AtomicUsize::new(0);
    let origin = Origin::start(move |asked: Asked| {
        let gate = gate.clone();
        let gets = count.fetch_add(usize::from(asked.method == "GET"), std::sync::atomic::Ordering::SeqCst);
        async move {
            match (asked.method.as_str(), gets) {
                ("GET", 0) => response(200, &[FRESH, TAG], "old"),
                ("GET", _) => response(200, &[FRESH, ("etag", "\"b\"")], "new"),
                _ => {
                    gate.pass().await;
                    response(200, &[FRESH, TAG], "")
                }
            }
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    client.get("/x").await;
    node.clock.advance(Duration::from_secs(10));
    let slow = head_meanwhile(&node);
    keeper.arrived().await;
    assert_eq!(client.get("/x").await.text(), "new");
    keeper.let_go(1);
    assert_eq!(slow.await.unwrap().status, 200);
    let hit = client.get("/x").await;
    assert_eq!((hit.text(), hit.cache()), ("new", "HIT"));
}
