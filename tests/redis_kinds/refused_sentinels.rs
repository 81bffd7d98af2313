//! Sentinels that lead nowhere: the log says which of them, or what they are wrong about.

use crate::kind::{FRUIT, store};
use crate::refused::told;
use crate::support::node::Node;
use crate::support::origin::Origin;
use crate::support::redis::{RedisServer, free_port};
use crate::support::sentinel::{Watched, naming};
use crate::support::until;

#[tokio::test]
async fn sentinels_that_know_no_such_master() {
    let all = Watched::start().await;
    let url = format!("redis+sentinel://:hush@{}", all.list().replace("mymaster", "other"));
    told(&store(&url), "its sentinels know no master named other").await;
}

#[tokio::test]
async fn sentinels_that_are_not_there() {
    let (one, other) = (free_port(), free_port());
    let url = format!("redis+sentinel://:hush@127.0.0.1:{one},127.0.0.1:{other}/mymaster");
    told(&store(&url), "none of its sentinels answers; 127.0.0.1:").await;
    told(&store("redis+sentinel://[::1]:1/mymaster"), "none of its sentinels answers; [::1]:1: ").await;
}

#[tokio::test]
async fn a_redis_that_is_no_sentinel() {
    let server = RedisServer::start();
    let url = format!("redis+sentinel://127.0.0.1:{}/mymaster", server.port());
    told(&store(&url), "unknown command").await;
}

#[tokio::test]
async fn a_master_that_is_a_replica() {
    let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1 1"]);
    let sentinel = naming(Some(("127.0.0.1", replica.port()))).await;
    let url = format!("redis+sentinel://{sentinel}/mymaster");
    told(&store(&url), &format!("its sentinels name 127.0.0.1:{}, which is no master", replica.port())).await;
}

#[tokio::test]
async fn a_master_that_is_not_there() {
    let port = free_port();
    let sentinel = naming(Some(("127.0.0.1", port))).await;
    told(&store(&format!("redis+sentinel://{sentinel}/m")), &format!("its master 127.0.0.1:{port}: ")).await;
}

#[tokio::test]
async fn sentinels_that_want_a_login() {
    let sentinel = RedisServer::sentinel("requirepass right\nsentinel monitor mymaster 127.0.0.1 1 1\n");
    let url = store(&format!("redis+sentinel://:hush@127.0.0.1:{}/mymaster", sentinel.port()));
    told(&url, "NOAUTH").await;
    told(&format!("{url}sentinel_password = \"hush\"\n"), "`sentinel_password` in [store] are the login there").await;
}

#[tokio::test]
async fn most_sentinels_are_right_and_a_host_may_have_a_name() {
    let server = RedisServer::start();
    let right = Some(("localhost", server.port()));
    let [one, cut_off, other] =
        [naming(right).await, naming(Some(("127.0.0.1", free_port()))).await, naming(right).await];
    let origin = Origin::counting().await;
    let url = format!("redis+sentinel://{cut_off}, {one},{other}/mymaster");
    let node = Node::with_store_table(origin.address, &store(&url), FRUIT);
    let client = node.client();
    until("it is a hit", || async { client.get("/fruit/1").await.cache() == "HIT" }).await;
}
