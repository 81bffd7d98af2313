//! A fill against a write that says nothing of what it changes: everything goes, so the fill is not kept either.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::support::client::{Answer, Client};
use super::support::connected;
use super::support::node::{Node, Process};
use super::support::origin::{Gate, Keeper, Origin, json, response};
use super::support::redis::RedisServer;

const CONFIG: &str = r#"
[[route]]
path = "/articles/{slug}"
name = "articles"
ttl = "1h"
[[route]]
path = "/free/{slug}"
ttl = "1h"
invalidated_by = []
[[route]]
path = "/orders/{order_id}"
ttl = "1h"
[route.write]
request = "PUT /orders/{order_id}"
policy = "through"
[[write]]
request = "POST /login"
drops = []
[[write]]
request = "POST /favorite"
drops = ["route:articles"]
"#;

/// A GET is answered with the number of writes so far, once the gate lets it go. HEAD waits for nobody.
async fn versioned() -> (Origin, Keeper) {
    let (gate, keeper) = Gate::new();
    let version = Arc::new(AtomicUsize::new(1));
    let origin = Origin::start(move |asked| {
        let (gate, version) = (gate.clone(), Arc::clone(&version));
        async move {
            if asked.method != "GET" {
                let status = asked.field("answer").map_or(200, |status| status.parse().unwrap());
                version.fetch_add(1, Ordering::SeqCst);
                return response(status, &[], "");
            }
            let read = version.load(Ordering::SeqCst);
            gate.pass().await;
            json(&read.to_string())
        }
    })
    .await;
    (origin, keeper)
}

/// What a GET is answered that another request comes in between of.
async fn overtaken(reader: &Client, keeper: &mut Keeper, target: &'static str, between: impl Future) -> Answer {
    let client = reader.clone();
    let slow = tokio::spawn(async move { client.get(target).await });
    keeper.arrived().await;
    between.await;
    keeper.let_go(1);
    slow.await.unwrap()
}

async fn a_late_fill_is_refused(reader: &Client, writer: &Client, mut keeper: Keeper) {
    let mut slugs = ["/articles/a", "/articles/b", "/articles/c", "/articles/d", "/articles/e"].into_iter();
    for (method, target) in [("POST", "/beacon"), ("DELETE", "/users/1"), ("POST", "/favorite"), ("BREW", "/")] {
        let slug = slugs.next().unwrap();
        let late = overtaken(reader, &mut keeper, slug, writer.send(method, target, &[], "")).await;
        assert!(late.cache_status().ends_with("detail=raced-write"), "{method} {target}: {}", late.cache_status());
        keeper.let_go(1);
        let after = writer.get(slug).await;
        keeper.arrived().await;
        assert_eq!((after.cache(), after.json().as_u64() > late.json().as_u64()), ("MISS", true), "{method} {target}");
        assert_eq!(reader.get(slug).await.json(), after.json());
    }
    // Of a route with a write policy it is what was fetched that goes.
    let late = overtaken(reader, &mut keeper, "/orders/7", writer.send("POST", "/beacon", &[], "")).await;
    assert!(late.cache_status().ends_with("detail=raced-write"), "{}", late.cache_status());
    // What drops nothing of it is in nobody's way.
    let slug = slugs.next().unwrap();
    let kept = overtaken(reader, &mut keeper, slug, async {
        writer.send("POST", "/login", &[], "").await;
        writer.send("POST", "/beacon", &[("answer", "422")], "").await;
        writer.send("POST", "/beacon", &[("answer", "308")], "").await;
        writer.send("QUERY", "/articles/e", &[], "").await;
    })
    .await;
    assert!(kept.cache_status().contains("; stored"), "{}", kept.cache_status());
    writer.expect(&[(slug, "HIT")]).await;
    let other = overtaken(reader, &mut keeper, "/free/a", writer.send("POST", "/beacon", &[], "")).await;
    assert!(other.cache_status().contains("; stored"), "{}", other.cache_status());
    writer.expect(&[("/free/a", "HIT")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_that_an_unrelated_write_overtakes_is_not_kept_in_memory() {
    let (origin, keeper) = versioned().await;
    let node = Node::start(origin.address, CONFIG);
    a_late_fill_is_refused(&node.client(), &node.client(), keeper).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_that_an_unrelated_write_through_another_node_overtakes_is_not_kept() {
    let (origin, keeper) = versioned().await;
    let redis = RedisServer::start();
    let nodes = Node::two_on(origin.address, &redis.url(), CONFIG).await;
    let [reader, writer] = nodes.each_ref().map(Node::client);
    a_late_fill_is_refused(&reader, &writer, keeper).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_that_an_unrelated_write_through_another_process_overtakes_is_not_kept() {
    let (origin, keeper) = versioned().await;
    let redis = RedisServer::start();
    let processes = [
        Process::start(origin.address, &redis.url(), CONFIG).await,
        Process::start(origin.address, &redis.url(), CONFIG).await,
    ];
    let [reader, writer] = processes.each_ref().map(Process::client);
    for client in [&reader, &writer] {
        connected(client).await;
    }
    a_late_fill_is_refused(&reader, &writer, keeper).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_after_the_writes_answer_does_not_get_what_a_fill_before_it_brings() {
    let (origin, mut keeper) = versioned().await;
    let node = Node::start(origin.address, CONFIG);
    let ask = || {
        let client = node.client();
        tokio::spawn(async move { client.get("/articles/a").await })
    };
    let leader = ask();
    keeper.arrived().await;
    node.client().post("/beacon", "{}").await;
    let after = ask();
    keeper.let_go(10);
    assert_eq!(leader.await.unwrap().json(), 1);
    assert_eq!(after.await.unwrap().json(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_and_writers_on_two_nodes_never_see_an_older_version_than_was_answered() {
    let version = Arc::new(AtomicUsize::new(0));
    let kept = Arc::clone(&version);
    let origin = Origin::start(move |asked| {
        let version = Arc::clone(&kept);
        async move {
            if asked.method == "POST" {
                version.fetch_add(1, Ordering::SeqCst);
            }
            let version = version.load(Ordering::SeqCst);
            tokio::task::yield_now().await;
            json(&version.to_string())
        }
    })
    .await;
    let redis = RedisServer::start();
    let nodes = Arc::new(Node::two_on(origin.address, &redis.url(), CONFIG).await);
    let answered = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..2 {
        let (nodes, answered) = (Arc::clone(&nodes), Arc::clone(&answered));
        tasks.spawn(async move {
            let client = nodes[writer % 2].client();
            for _ in 0..60 {
                let version = client.post("/beacon", "{}").await.json().as_u64().unwrap();
                answered.fetch_max(usize::try_from(version).unwrap(), Ordering::SeqCst);
            }
            0
        });
    }
    for reader in 0..6 {
        let (nodes, answered) = (Arc::clone(&nodes), Arc::clone(&answered));
        tasks.spawn(async move {
            let client = nodes[reader % 2].client();
            let mut hits = 0;
            for round in 0..300 {
                let least = answered.load(Ordering::SeqCst);
                let answer = client.get(&format!("/articles/{}", (reader + round) % 3)).await;
                let seen = usize::try_from(answer.json().as_u64().unwrap()).unwrap();
                assert!(seen >= least, "stale: {seen} after {least} was answered; {}", answer.cache_status());
                hits += usize::from(answer.cache() == "HIT");
            }
            hits
        });
    }
    let hits: usize = tasks.join_all().await.into_iter().sum();
    assert!(hits > 100, "only {hits} hits: the race was not run");
}
