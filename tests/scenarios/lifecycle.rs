//! Starting and stopping.

use aside::config::Config;
use aside::server::Server;

use super::support::node::Node;
use super::support::origin::{Gate, Origin, json};

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
    let (gate, mut keeper) = Gate::new();
    let origin = Origin::start(move |_| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            json("{}")
        }
    })
    .await;
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
