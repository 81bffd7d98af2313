//! One fetch a key, however many ask.

use super::support::client::{Answer, Client};
use super::support::node::Node;
use super::support::origin::{Gate, Origin, json, response};

const ROUTE: &str = "[[route]]\npath = \"/x\"\nttl = \"1h\"\n";

/// So many clients that ask for the same at once.
fn ask(client: &Client, count: usize) -> Vec<tokio::task::JoinHandle<Answer>> {
    let one = || {
        let client = client.clone();
        tokio::spawn(async move { client.get("/x").await })
    };
    (0..count).map(|_| one()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_clients_on_a_cold_key_cost_one_request() {
    let (origin, mut keeper) = Origin::gated(|| json("{}")).await;
    let node = Node::start(origin.address, ROUTE);
    let client = node.client();
    let asking = ask(&client, 500);
    keeper.arrived().await;
    // Whoever is not connected yet finds the entry stored, or a fetch under way: both cost nothing.
    keeper.let_go(500);
    let mut collapsed = 0;
    for asked in asking {
        let answer = asked.await.unwrap();
        assert_eq!(answer.status, 200);
        collapsed += usize::from(answer.cache_status().contains("collapsed"));
    }
    assert_eq!(origin.count(), 1);
    assert!(collapsed > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_for_others_releases_everyone_at_once() {
    let (origin, mut keeper) = Origin::gated(|| response(200, &[("cache-control", "private")], "x")).await;
    let node = Node::start(origin.address, ROUTE);
    let client = node.client();
    let asking = ask(&client, 20);
    keeper.arrived().await;
    keeper.let_go(1);
    // All the others stand at the gate together: none waits for another's answer.
    for _ in 1..20 {
        keeper.arrived().await;
    }
    keeper.let_go(19);
    for asked in asking {
        assert_eq!(asked.await.unwrap().text(), "x");
    }
    assert_eq!(origin.count(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_who_leaves_takes_nobodys_answer_along() {
    let (origin, mut keeper) = Origin::gated(|| json("{}")).await;
    let node = Node::start(origin.address, ROUTE);
    let first = {
        let client = node.client();
        tokio::spawn(async move { client.get("/x").await })
    };
    keeper.arrived().await;
    first.abort();
    let second = {
        let client = node.client();
        tokio::spawn(async move { client.get("/x").await })
    };
    keeper.let_go(2);
    assert_eq!(second.await.unwrap().status, 200);
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_fails_is_asked_once_for_all() {
    let (gate, mut keeper) = Gate::new();
    let origin = super::support::origin::raw(move |_, stream| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            drop(stream);
        }
    })
    .await;
    let node = Node::start(origin, ROUTE);
    let client = node.client();
    let asking = ask(&client, 10);
    keeper.arrived().await;
    keeper.let_go(1000);
    for asked in asking {
        assert_eq!(asked.await.unwrap().status, 502);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_unshareable_once_is_waited_for_again_when_its_answers_can_be_shared() {
    let (gate, mut keeper) = Gate::new();
    let failed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let origin = Origin::start(move |_| {
        let (gate, first) = (gate.clone(), !failed.swap(true, std::sync::atomic::Ordering::SeqCst));
        async move {
            if first {
                return response(500, &[], "");
            }
            gate.pass().await;
            json("{}")
        }
    })
    .await;
    let node = Node::timed(origin.address, ROUTE);
    let client = node.client();
    assert_eq!(client.get("/x").await.status, 500);
    keeper.let_go(1);
    assert_eq!(client.get("/x").await.status, 200);
    keeper.arrived().await;
    node.clock.advance(std::time::Duration::from_secs(3601));
    let asking = ask(&client, 50);
    keeper.arrived().await;
    keeper.let_go(50);
    for asked in asking {
        assert_eq!(asked.await.unwrap().status, 200);
    }
    assert_eq!(origin.count(), 3);
}
