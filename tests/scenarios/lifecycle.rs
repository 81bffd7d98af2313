//! Starting and stopping.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aside::config::Config;
use aside::server::Server;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::support::connected;
use super::support::node::Node;
use super::support::origin::{Gate, Origin, json};
use super::support::redis::RedisServer;

#[tokio::test]
async fn a_port_that_another_program_listens_on_is_refused() {
    let origin = Origin::counting().await;
    let first = Node::start(origin.address, "");
    let text = format!("origin = \"http://{}\"\nlisten = \"{}\"\n", origin.address, first.address);
    let config = Config::from_text("second.toml", &text, |_| None).unwrap();
    let refused = Server::bind(config.server).unwrap_err().to_string();
    assert!(refused.contains("in use") && refused.contains(&first.address.to_string()), "{refused}");
    assert_eq!(first.client().get("/x").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_answered_before_the_server_stops() {
    let (origin, mut keeper) = Origin::gated(|| json("{}")).await;
    let mut node = Node::start(origin.address, "");
    let asking = {
        let client = node.client();
        tokio::spawn(async move { client.get("/x").await })
    };
    keeper.arrived().await;
    let stopping = node.stop();
    keeper.let_go(1);
    assert_eq!(asking.await.unwrap().status, 200);
    stopping.join().unwrap();
    assert!(node.client().try_send("GET", "/x", &[], "").await.is_err());
}

const FRUIT: &str =
    "[[route]]\npath = \"/fruit/{id}\"\nkey = \"fruit:{id}\"\nttl = \"1h\"\ninvalidated_by = [\"PUT /fruit/{id}\"]\n";

/// One of two nodes is told to stop while the origin works on a write of its; the other must not go on with old data.
async fn a_write_outlives(client_stays: bool) {
    let (gate, mut keeper) = Gate::new();
    let version = Arc::new(AtomicUsize::new(1));
    let origin = Origin::start(move |asked| {
        let (gate, version) = (gate.clone(), Arc::clone(&version));
        async move {
            if asked.method == "PUT" {
                // What was begun is finished, whoever is still listening.
                let work = async move {
                    gate.pass().await;
                    version.fetch_add(1, Ordering::SeqCst);
                };
                tokio::spawn(work).await.unwrap();
                return json("{}");
            }
            json(&format!("{{\"v\":{}}}", version.load(Ordering::SeqCst)))
        }
    })
    .await;
    let redis = RedisServer::start();
    let limits = "[limits]\nshutdown_timeout = \"300ms\"\n";
    let mut one = Node::on(origin.address, &redis.url(), &format!("{FRUIT}{limits}"));
    let two = Node::on(origin.address, &redis.url(), FRUIT);
    connected(&one.client()).await;
    connected(&two.client()).await;
    assert_eq!(two.client().get("/fruit/1").await.json()["v"], 1);
    let mut stream = TcpStream::connect(one.address).await.unwrap();
    stream.write_all(b"PUT /fruit/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
    keeper.arrived().await;
    let mut stream = Some(stream);
    if !client_stays {
        stream.take();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let stopping = one.stop();
    tokio::time::sleep(Duration::from_millis(800)).await;
    keeper.let_go(1);
    tokio::task::spawn_blocking(|| stopping.join().unwrap()).await.unwrap();
    let after = two.client().get("/fruit/1").await;
    assert_eq!(after.json()["v"], 2, "{}", after.cache_status());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_client_has_left_is_finished_before_the_server_stops() {
    a_write_outlives(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_client_is_cut_off_at_the_deadline_is_finished_before_the_server_stops() {
    a_write_outlives(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_never_ends_does_not_keep_the_server_from_stopping() {
    let (origin, mut keeper) = Origin::gated(|| json("{}")).await;
    let mut node = Node::start(origin.address, "[limits]\nshutdown_timeout = \"100ms\"\n");
    let asking = {
        let client = node.client();
        tokio::spawn(async move { client.try_send("PUT", "/x", &[], "").await })
    };
    keeper.arrived().await;
    let stopping = node.stop();
    let stopped = tokio::task::spawn_blocking(|| stopping.join().unwrap());
    tokio::time::timeout(Duration::from_secs(10), stopped).await.expect("it stops").unwrap();
    assert!(asking.await.unwrap().is_err());
}
