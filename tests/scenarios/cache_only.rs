//! What was written to the cache only is all there is of it: nothing that the origin says takes its place while it is fresh.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::support::node::Node;
use super::support::origin::{Origin, json, response};
use super::support::redis::RedisServer;

const ORDERS: &str = r#"
[[route]]
path = "/orders/{order_id}"
key = "order:{order_id}"
ttl = "1h"
request_directives = "honour"
[route.write]
request = "POST /orders"
cache_by = "anyone"
select = { query = "target", default = "both", both = "through", redis = "cache", oracle = "around" }
entry = '{"order": {body}, "source": "Redis"}'
reply = { status = 201, json = '{"status": "success"}' }
"#;

#[tokio::test]
async fn who_insists_on_the_origin_gets_its_answer_and_changes_nothing() {
    let origin = Origin::start(|asked| async move {
        match asked.path() {
            "/orders/1" => json(r#"{"source": "Oracle"}"#),
            "/orders/2" => response(404, &[("cache-control", "no-store")], ""),
            _ => response(500, &[], ""),
        }
    })
    .await;
    let node = Node::start(origin.address, ORDERS);
    let client = node.client();
    for (id, status) in [(1, 200), (2, 404), (3, 500)] {
        let path = format!("/orders/{id}");
        assert_eq!(client.post("/orders?target=redis", &format!("{{\"order_id\": {id}}}")).await.status, 201);
        for method in ["GET", "HEAD"] {
            for accept in ["*/*", "application/json", "text/plain"] {
                let fields = [("accept", accept), ("cache-control", "no-cache")];
                let past = client.send(method, &path, &fields, "").await;
                assert_eq!(past.status, status, "{method} {path}");
                assert!(past.cache_status().ends_with("detail=request-directive"), "{}", past.cache_status());
                for accept in ["*/*", "application/json", "text/plain"] {
                    let read = client.send("GET", &path, &[("accept", accept)], "").await;
                    assert_eq!((read.cache(), read.json()["source"].as_str()), ("HIT", Some("Redis")), "{path}");
                }
            }
        }
        let fields = [("cache-control", "no-cache, only-if-cached")];
        assert_eq!(client.send("GET", &path, &fields, "").await.status, 504);
    }
}

#[tokio::test]
async fn what_went_through_may_be_fetched_again() {
    let origin = Origin::start(|_| async { json(r#"{"source": "Oracle"}"#) }).await;
    let node = Node::start(origin.address, ORDERS);
    let client = node.client();
    client.post("/orders", r#"{"order_id": 1}"#).await;
    assert_eq!(client.get("/orders/1").await.json()["source"], "Redis");
    client.send("GET", "/orders/1", &[("cache-control", "no-cache")], "").await;
    assert_eq!(client.get("/orders/1").await.json()["source"], "Oracle");
}

#[tokio::test]
async fn once_it_is_over_the_origin_is_asked_again() {
    let origin = Origin::start(|_| async { json(r#"{"source": "Oracle"}"#) }).await;
    let node = Node::timed(origin.address, ORDERS);
    let client = node.client();
    client.post("/orders?target=redis", r#"{"order_id": 1}"#).await;
    node.clock.advance(std::time::Duration::from_secs(3601));
    assert_eq!(client.get("/orders/1").await.json()["source"], "Oracle");
    assert_eq!(client.get("/orders/1").await.cache(), "HIT");
}

/// Each order has one writer. Readers on every node, some of which insist on the origin, which knows none of the orders.
async fn no_write_is_lost(nodes: Arc<Vec<Node>>) {
    let answered: Arc<[AtomicUsize; 3]> = Arc::new(std::array::from_fn(|_| AtomicUsize::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for id in 0..3 {
        let (nodes, answered) = (Arc::clone(&nodes), Arc::clone(&answered));
        tasks.spawn(async move {
            let client = nodes[id % nodes.len()].client();
            for version in 1..=100 {
                let order = format!("{{\"order_id\": {id}, \"version\": {version}}}");
                assert_eq!(client.post("/orders?target=redis", &order).await.status, 201);
                answered[id].store(version, Ordering::SeqCst);
            }
        });
    }
    for reader in 0..8 {
        let (nodes, answered) = (Arc::clone(&nodes), Arc::clone(&answered));
        tasks.spawn(async move {
            let client = nodes[reader % nodes.len()].client();
            for round in 0..300 {
                let id = (reader + round) % 3;
                let path = format!("/orders/{id}");
                if round % 5 == 0 {
                    client.send("GET", &path, &[("cache-control", "no-cache")], "").await;
                }
                let least = answered[id].load(Ordering::SeqCst);
                let read = client.get(&path).await;
                let seen = read.json()["order"]["version"].as_u64().unwrap_or(0);
                assert!(seen >= least as u64, "{seen} after {least} was answered; {}", read.cache_status());
            }
        });
    }
    tasks.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_write_is_lost_among_readers_in_memory() {
    let origin = Origin::start(|_| async { json(r#"{"source": "Oracle"}"#) }).await;
    no_write_is_lost(Arc::new(vec![Node::start(origin.address, ORDERS)])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_write_is_lost_among_readers_of_two_nodes_in_redis() {
    let origin = Origin::start(|_| async { json(r#"{"source": "Oracle"}"#) }).await;
    let redis = RedisServer::start();
    let nodes = Arc::new(Vec::from(Node::two_on(origin.address, &redis.url(), ORDERS).await));
    no_write_is_lost(nodes).await;
}
