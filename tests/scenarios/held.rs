//! Held: what a write of unknown outcome may still change is neither reused nor stored until the origin cannot commit it any
//! more, and what a route's replicas have to catch up with not until they have had time to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::support::client::Client;
use super::support::node::Node;
use super::support::origin::{Asked, Gate, Keeper, Origin, json};
use super::support::until;

const ROUTES: &str = "[[route]]\npath = \"/items/{id}\"\nttl = \"1h\"\n[[route]]\npath = \"/items\"\nttl = \"1h\"\n\
                      invalidated_by = []\n[[route]]\npath = \"/other\"\nttl = \"1h\"\n";

/// Says the version that is current; a PUT makes the next one, but only when the keeper lets it, and answers after that.
pub(super) async fn late() -> (Origin, Arc<AtomicUsize>, Keeper) {
    let (gate, keeper) = Gate::new();
    let version = Arc::new(AtomicUsize::new(1));
    let current = Arc::clone(&version);
    let origin = Origin::start(move |asked: Asked| {
        let (gate, current) = (gate.clone(), Arc::clone(&current));
        async move {
            if asked.method == "PUT" {
                let current = Arc::clone(&current);
                // The proxy gives up; the view goes on.
                tokio::spawn(async move {
                    gate.pass().await;
                    current.fetch_add(1, Ordering::SeqCst);
                });
                std::future::pending::<()>().await;
            }
            json(&format!("{{\"version\":{}}}", current.load(Ordering::SeqCst)))
        }
    })
    .await;
    (origin, version, keeper)
}

async fn version(client: &Client, target: &str) -> u64 {
    client.get(target).await.json()["version"].as_u64().unwrap()
}

pub(super) async fn is_held(client: &Client, target: &str) {
    let answer = client.get(target).await;
    assert!(answer.cache_status().ends_with("detail=held"), "{target}: {}", answer.cache_status());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_commits_after_a_timeout_leaves_nothing_old_behind() {
    let (origin, made, mut keeper) = late().await;
    let config = format!("[origin]\nurl = \"ORIGIN\"\nresponse_timeout = \"300ms\"\ncommit_within = \"5s\"\n{ROUTES}");
    for (node, redis) in &Node::on_each_store(origin.address, &config).await {
        let client = node.client();
        client.fill(&["/items/1", "/items/2", "/items", "/other"]).await;
        let before = made.load(Ordering::SeqCst) as u64;
        assert_eq!(client.put("/items/1", "{}").await.status, 504);
        keeper.arrived().await;
        // What it was sent to, and what lies one segment above, whatever that says of writes.
        for target in ["/items/1", "/items", "/items/1"] {
            is_held(&client, target).await;
            assert_eq!(version(&client, target).await, before);
        }
        // What else it would have dropped is dropped, and may be stored.
        assert_eq!(client.get("/other").await.cache(), "MISS");
        keeper.let_go(1);
        until("the origin has committed", || async { made.load(Ordering::SeqCst) as u64 > before }).await;
        for target in ["/items/1", "/items"] {
            assert_eq!(version(&client, target).await, before + 1, "{target}");
        }
        // In Redis it is the renewals that invalidate what else there is again and again.
        let again = if redis.is_some() { &["/items/1", "/items"][..] } else { &["/items/1", "/items", "/other"] };
        for target in again {
            until("it is stored again", || async { client.get(target).await.cache() == "HIT" }).await;
            until("it is the new one", || async { version(&client, target).await == before + 1 }).await;
        }
    }
}

#[tokio::test]
async fn where_late_commits_are_ruled_out_nothing_is_held() {
    let (origin, _, _keeper) = late().await;
    let config = format!("[origin]\nurl = \"ORIGIN\"\nresponse_timeout = \"300ms\"\ncommit_within = \"0s\"\n{ROUTES}");
    for (node, _redis) in &Node::on_each_store(origin.address, &config).await {
        let client = node.client();
        client.fill(&["/items/1", "/items"]).await;
        assert_eq!(client.put("/items/1", "{}").await.status, 504);
        assert_eq!(client.get("/items/1").await.cache(), "MISS");
        until("it is stored again", || async { client.get("/items/1").await.cache() == "HIT" }).await;
    }
}

/// A route with replicas that lag, and one without.
const SETTLING: &str = "[[route]]\npath = \"/slow/{id}\"\nttl = \"1h\"\nsettle = \"SETTLE\"\n\
                        invalidated_by = [\"PUT /slow/{id}\", \"POST /import\"]\n\
                        [[route]]\npath = \"/quick\"\nttl = \"1h\"\n";

#[tokio::test]
async fn after_a_write_reads_of_what_it_dropped_pass_through_unstored_until_it_has_settled() {
    let origin = Origin::counting().await;
    for (node, _redis) in &Node::on_each_store(origin.address, &SETTLING.replace("SETTLE", "1h")).await {
        let client = node.client();
        client.fill(&["/slow/1", "/slow/2", "/quick"]).await;
        client.put("/slow/1", "{}").await;
        for _ in 0..3 {
            is_held(&client, "/slow/1").await;
        }
        client.expect(&[("/slow/2", "HIT"), ("/quick", "MISS"), ("/quick", "HIT")]).await;
        client.post("/import", "{}").await;
        is_held(&client, "/slow/2").await;
        is_held(&client, "/slow/3").await;
    }
    for (node, _redis) in &Node::on_each_store(origin.address, &SETTLING.replace("SETTLE", "2s")).await {
        let client = node.client();
        client.fill(&["/slow/1"]).await;
        client.put("/slow/1", "{}").await;
        assert_eq!(client.get("/slow/1").await.cache(), "MISS");
        until("it has settled", || async { client.get("/slow/1").await.cache() == "HIT" }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_an_answer_that_is_not_stored_for_being_held() {
    let (gate, mut keeper) = Gate::new();
    let origin = Origin::start(move |asked: Asked| {
        let gate = gate.clone();
        async move {
            if asked.method == "GET" {
                gate.pass().await;
            }
            json("{}")
        }
    })
    .await;
    for (node, _redis) in &Node::on_each_store(origin.address, &SETTLING.replace("SETTLE", "1h")).await {
        let ask = || {
            let client = node.client();
            tokio::spawn(async move { client.get("/slow/1").await })
        };
        node.client().put("/slow/1", "{}").await;
        let first = ask();
        keeper.arrived().await;
        keeper.let_go(1);
        assert!(first.await.unwrap().cache_status().ends_with("detail=held"));
        let others = [ask(), ask(), ask()];
        for _ in &others {
            keeper.arrived().await;
        }
        keeper.let_go(3);
        for other in others {
            assert!(other.await.unwrap().cache_status().ends_with("detail=held"));
        }
    }
}

const POLICY: &str = "[[route]]\npath = \"/orders/{id}\"\nkey = \"order:{id}\"\nttl = \"1h\"\nsettle = \"1h\"\n\
                      [route.write]\nrequest = \"POST /orders\"\npolicy = \"through\"\n";

#[tokio::test]
async fn neither_what_a_policy_leaves_nor_what_a_get_would_fetch_is_stored_while_it_settles() {
    let origin = Origin::counting().await;
    let with_entry = format!("{POLICY}entry = '{{\"order\": {{body}}}}'\n");
    for (node, _redis) in &Node::on_each_store(origin.address, &with_entry).await {
        let client = node.client();
        client.fill(&["/orders/2"]).await;
        let written = client.post("/orders", r#"{"id": 1}"#).await;
        // Its tags are those of other answers, too, which may come from before the write.
        assert!(written.cache_status().ends_with("detail=held"), "{}", written.cache_status());
        is_held(&client, "/orders/1").await;
        is_held(&client, "/orders/1?x=1").await;
        client.expect(&[("/orders/2", "HIT")]).await;
    }
    for (node, _redis) in &Node::on_each_store(origin.address, POLICY).await {
        let client = node.client();
        let gets = || origin.asked().iter().filter(|asked| asked.method == "GET").count();
        let before = gets();
        let written = client.post("/orders", r#"{"id": 1}"#).await;
        assert!(written.cache_status().ends_with("detail=held"), "{}", written.cache_status());
        is_held(&client, "/orders/1").await;
        assert_eq!(gets(), before + 1, "nothing was fetched for the store");
    }
}
