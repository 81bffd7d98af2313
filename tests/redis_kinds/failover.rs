//! Another master under live sessions.

use crate::kind::{FRUIT, store};
use crate::support::node::Process;
use crate::support::origin::Origin;
use crate::support::sentinel::Watched;
use crate::support::{connected, until};

/// Asks until the fruit is a hit again; nobody gets an error meanwhile.
async fn kept(process: &Process) {
    let client = process.client();
    until("it is a hit again", || async {
        let answer = client.get("/fruit/1").await;
        assert_eq!(answer.status, 200);
        answer.cache() == "HIT"
    })
    .await;
}

/// A write makes what is kept old, on whichever master that is.
async fn written(process: &Process) {
    assert_eq!(process.client().put("/fruit/1", "{}").await.status, 200);
    assert_eq!(process.client().get("/fruit/1").await.cache(), "MISS");
}

#[tokio::test]
async fn a_master_that_dies_is_succeeded() {
    let origin = Origin::counting().await;
    let mut all = Watched::start().await;
    let table = store(&format!("redis+sentinel://{}", all.list()));
    let process = Process::with_store_table(origin.address, &table, FRUIT).await;
    connected(&process.client()).await;
    kept(&process).await;
    all.servers[0].kill();
    until("a replica has been promoted", || async {
        assert_eq!(process.client().get("/fruit/1").await.status, 200);
        all.master() != 0
    })
    .await;
    kept(&process).await;
    written(&process).await;
    process.says("is in use again").await;
    // It comes back as a replica, and nobody goes there.
    all.servers[0].restart();
    all.settled(2).await;
    kept(&process).await;
    written(&process).await;
}

#[tokio::test]
async fn a_master_and_a_replica_may_change_places() {
    let origin = Origin::counting().await;
    let all = Watched::start().await;
    let table = store(&format!("redis+sentinel://{}", all.list()));
    let process = Process::with_store_table(origin.address, &table, FRUIT).await;
    connected(&process.client()).await;
    kept(&process).await;
    all.sentinels[0].command(&["SENTINEL", "FAILOVER", "mymaster"]);
    until("a replica has been promoted", || async {
        assert_eq!(process.client().get("/fruit/1").await.status, 200);
        all.master() != 0
    })
    .await;
    process.says("is in use again").await;
    kept(&process).await;
    written(&process).await;
    // The former master is one until the sentinel has told it; what it took meanwhile is lost, and is fetched once more.
    until("the new master has it", || async {
        kept(&process).await;
        all.servers[all.master()].command(&["EXISTS", "fruit:1"]) == crate::support::redis::Reply::Number(1)
    })
    .await;
}

#[tokio::test]
async fn one_of_three_sentinels_may_be_gone() {
    let origin = Origin::counting().await;
    let mut all = Watched::start().await;
    let table = store(&format!("redis+sentinel://{}", all.list()));
    all.sentinels[0].kill();
    let process = Process::with_store_table(origin.address, &table, FRUIT).await;
    kept(&process).await;
    process.says("is in use").await;
    all.servers[0].command(&["CLIENT", "KILL", "TYPE", "normal"]);
    kept(&process).await;
}
