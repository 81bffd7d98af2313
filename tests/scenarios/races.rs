//! A write against a slow read: once a write is answered, nothing older is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::support::client::Client;
use super::support::connected;
use super::support::node::{Node, Process};
use super::support::origin::{Gate, Keeper, Origin, json};
use super::support::redis::RedisServer;

const ROUTE: &str =
    "[[route]]\npath = \"/fruit/{id}\"\nkey = \"fruit:{id}\"\nttl = \"1h\"\ninvalidated_by = [\"PUT /fruit/{id}\"]\n";

/// Answers GETs with the version that was current when they came, but only when the gate lets them go; a PUT makes the
/// next version at once.
async fn versioned() -> (Origin, Keeper) {
    let (gate, keeper) = Gate::new();
    let version = Arc::new(AtomicUsize::new(1));
    let origin = Origin::start(move |asked| {
        let (gate, version) = (gate.clone(), Arc::clone(&version));
        async move {
            if asked.method == "PUT" {
                let now = version.fetch_add(1, Ordering::SeqCst) + 1;
                return json(&format!("{{\"version\":{now}}}"));
            }
            let read = version.load(Ordering::SeqCst);
            if asked.path() == "/fruit/1" {
                gate.pass().await;
            }
            json(&format!("{{\"version\":{read}}}"))
        }
    })
    .await;
    (origin, keeper)
}

async fn a_late_fill_is_refused(reader: &Client, writer: &Client, mut keeper: Keeper, origin: &Origin) {
    let slow = {
        let client = reader.clone();
        tokio::spawn(async move { client.get("/fruit/1").await })
    };
    keeper.arrived().await;
    assert_eq!(writer.put("/fruit/1", "{}").await.json()["version"], 2);
    keeper.let_go(1);
    let late = slow.await.unwrap();
    assert_eq!(late.json()["version"], 1);
    assert!(late.cache_status().ends_with("detail=raced-write"), "{}", late.cache_status());

    keeper.let_go(2);
    for client in [reader, writer] {
        assert_eq!(client.get("/fruit/1").await.json()["version"], 2);
    }
    assert_eq!(writer.get("/fruit/1").await.cache(), "HIT");
    let fetches = origin.asked().iter().filter(|asked| asked.method == "GET").count();
    assert_eq!(fetches, 2, "the late fill and one after the write");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_that_raced_a_write_on_the_same_node_is_never_kept() {
    let (origin, keeper) = versioned().await;
    let node = Node::start(origin.address, ROUTE);
    a_late_fill_is_refused(&node.client(), &node.client(), keeper, &origin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_that_raced_a_write_on_another_node_is_never_kept() {
    let (origin, keeper) = versioned().await;
    let redis = RedisServer::start();
    let nodes = Node::two_on(origin.address, &redis.url(), ROUTE).await;
    let [reader, writer] = nodes.each_ref().map(Node::client);
    a_late_fill_is_refused(&reader, &writer, keeper, &origin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_that_raced_a_write_through_another_process_is_never_kept() {
    let (origin, keeper) = versioned().await;
    let redis = RedisServer::start();
    let store = redis.url();
    let start = || Process::start(origin.address, &store, ROUTE);
    let processes = [start().await, start().await];
    let [reader, writer] = processes.each_ref().map(Process::client);
    for client in [&reader, &writer] {
        connected(client).await;
    }
    a_late_fill_is_refused(&reader, &writer, keeper, &origin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_of_a_fill_that_raced_a_write_get_the_new_answer() {
    let (origin, mut keeper) = versioned().await;
    let node = Node::start(origin.address, ROUTE);
    let ask = || {
        let client = node.client();
        tokio::spawn(async move { client.get("/fruit/1").await })
    };
    let leader = ask();
    keeper.arrived().await;
    node.client().put("/fruit/1", "{}").await;
    // This one starts after the write's answer: whether it follows the old fetch or not, it must see version 2.
    let after = ask();
    keeper.let_go(10);
    assert_eq!(leader.await.unwrap().json()["version"], 1);
    assert_eq!(after.await.unwrap().json()["version"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_and_writers_on_two_nodes_never_see_an_older_version_than_was_answered() {
    let versions: Arc<[AtomicUsize; 4]> = Arc::new(std::array::from_fn(|_| AtomicUsize::new(0)));
    let kept = Arc::clone(&versions);
    let origin = Origin::start(move |asked| {
        let versions = Arc::clone(&kept);
        async move {
            let id: usize = asked.path().rsplit('/').next().unwrap().parse().unwrap();
            if asked.method == "PUT" {
                versions[id].fetch_add(1, Ordering::SeqCst);
            }
            let version = versions[id].load(Ordering::SeqCst);
            tokio::task::yield_now().await;
            json(&format!("{{\"version\":{version}}}"))
        }
    })
    .await;
    let redis = RedisServer::start();
    let nodes = Arc::new(Node::two_on(origin.address, &redis.url(), ROUTE).await);
    let answered: Arc<[AtomicUsize; 4]> = Arc::new(std::array::from_fn(|_| AtomicUsize::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let (nodes, answered) = (Arc::clone(&nodes), Arc::clone(&answered));
        tasks.spawn(async move {
            let client = nodes[writer % 2].client();
            for round in 0..100 {
                let id = (writer + round) % 4;
                let version = client.put(&format!("/fruit/{id}"), "{}").await.json()["version"].as_u64().unwrap();
                answered[id].fetch_max(usize::try_from(version).unwrap(), Ordering::SeqCst);
            }
            0
        });
    }
    for reader in 0..8 {
        let (nodes, answered) = (Arc::clone(&nodes), Arc::clone(&answered));
        tasks.spawn(async move {
            let client = nodes[reader % 2].client();
            let mut hits = 0;
            for round in 0..400 {
                let id = (reader + round) % 4;
                let least = answered[id].load(Ordering::SeqCst);
                let answer = client.get(&format!("/fruit/{id}")).await;
                let seen = usize::try_from(answer.json()["version"].as_u64().unwrap()).unwrap();
                assert!(seen >= least, "stale: {seen} after {least} was answered; {}", answer.cache_status());
                hits += usize::from(answer.cache() == "HIT");
            }
            hits
        });
    }
    let hits: usize = tasks.join_all().await.into_iter().sum();
    assert!(hits > 100, "only {hits} hits: the race was not run");
}
