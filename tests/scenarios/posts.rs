//! Answers to POST that later GETs are given, where somebody chose so (RFC 9110 section 9.3.3).

use aside::config::Config;
use aside::rules::Purge;
use aside::store::Strength;
use tokio::task::JoinHandle;

use super::support::client::Answer;
use super::support::node::Node;
use super::support::origin::{Asked, Gate, Keeper, Origin, response};
use super::support::until;

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

/// An origin that says each method, and to POST once the keeper lets it.
async fn slow_to_post() -> (Origin, Keeper) {
    let (gate, keeper) = Gate::new();
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
    (origin, keeper)
}

/// A POST that the test goes on beside.
fn posting(node: &Node) -> JoinHandle<Answer> {
    let client = node.client();
    tokio::spawn(async move { client.post("/x", "{}").await })
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
    let (origin, mut keeper) = slow_to_post().await;
    let node = Node::start(origin.address, STORING);
    let client = node.client();
    let slow = posting(&node);
    keeper.arrived().await;
    client.put("/x", "{}").await;
    keeper.let_go(1);
    let posted = slow.await.unwrap();
    assert_eq!(posted.cache_status(), "aside; fwd=method; fwd-status=200; detail=raced-write");
    let read = client.get("/x").await;
    assert_eq!((read.text(), read.cache()), ("GET", "MISS"));
}

/// Such a purge finds no entry, so it is none of the answer's own tags that it raises.
#[tokio::test]
async fn an_answer_to_post_that_was_on_its_way_when_a_prefix_of_it_was_purged_is_not_kept() {
    let (origin, mut keeper) = slow_to_post().await;
    let rules = Config::from_text("rules.toml", &format!("origin = \"http://a\"\n{STORING}"), |_| None).unwrap();
    let purging = rules.proxy.rules.routes.purging(Purge::Prefix("/x".to_owned()), "").unwrap();
    for (node, _redis) in &Node::on_each_store(origin.address, STORING).await {
        for strength in [Strength::Hard, Strength::Soft] {
            let slow = posting(node);
            keeper.arrived().await;
            let store = node.store.attach();
            until("it is purged", || async { store.purge(&purging, strength).await.is_ok() }).await;
            keeper.let_go(1);
            let posted = slow.await.unwrap();
            assert_eq!(posted.cache_status(), "aside; fwd=method; fwd-status=200; detail=raced-write");
            assert_eq!(node.client().get("/x").await.text(), "GET");
        }
    }
}

// RFC 9875 section 3: the group is named by the answer alone, which comes after the write that made it old.
#[tokio::test]
async fn an_answer_to_post_is_not_kept_if_one_of_its_groups_was_made_old_meanwhile() {
    let (gate, mut keeper) = Gate::new();
    let origin = Origin::start(move |asked: Asked| {
        let gate = gate.clone();
        async move {
            match asked.method.as_str() {
                "POST" => {
                    gate.pass().await;
                    response(200, &[FRESH, ("content-location", "/x"), ("cache-groups", "\"g\"")], "old")
                }
                "PUT" => response(200, &[("cache-group-invalidation", "\"g\"")], ""),
                _ => response(200, &[FRESH], "new"),
            }
        }
    })
    .await;
    let node = Node::start(origin.address, STORING);
    let client = node.client();
    let slow = posting(&node);
    keeper.arrived().await;
    client.put("/elsewhere/1", "{}").await;
    keeper.let_go(1);
    assert_eq!(slow.await.unwrap().cache_status(), "aside; fwd=method; fwd-status=200; detail=raced-write");
    assert_eq!(client.get("/x").await.text(), "new");
}

#[tokio::test]
async fn section_4_2_3_the_age_of_an_answer_to_post_has_the_time_it_took() {
    let (gate, mut keeper) = Gate::new();
    let origin = Origin::start(move |_| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            response(200, &[("cache-control", "max-age=4"), ("content-location", "/x")], "")
        }
    })
    .await;
    let node = Node::timed(origin.address, STORING);
    let slow = posting(&node);
    keeper.arrived().await;
    node.clock.advance(std::time::Duration::from_secs(3));
    keeper.let_go(1);
    assert_eq!(slow.await.unwrap().cache_status(), "aside; fwd=method; fwd-status=200; ttl=1; stored");
}
