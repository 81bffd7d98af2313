//! What the tests stand on: a node of aside in this process, an origin that does as the test says, and a client.

#![allow(dead_code, unreachable_pub, reason = "each test target uses its own part of this module")]

pub mod client;
pub mod frames;
pub mod https;
pub mod node;
pub mod origin;
pub mod redis;
pub mod scrape;
pub mod sentinel;
pub mod tls;

use std::future::Future;
use std::time::Duration;

/// Waits until a condition holds; fails loudly when it does not within ten seconds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let patience = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), patience).await.is_ok(), "never came true: {what}");
}

/// Waits until every core of the node has its session with the store: a read of a path that the origin never sees
/// stored tells.
pub async fn connected(client: &client::Client) {
    until("the node has its sessions", || async {
        let mut up = true;
        for _ in 0..16 {
            // A new connection each time, so that both cores are asked.
            let answer = client.on_new_connections().send("HEAD", "/fruit/0", &[], "").await;
            up &= !answer.cache_status().contains("store-");
        }
        up
    })
    .await;
}
