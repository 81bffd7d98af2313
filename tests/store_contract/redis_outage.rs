//! Redis dies, hangs, fills up, comes back, or becomes another one.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use aside::store::{Change, Expect, Fault, PutOutcome, Shared, StoreSettings, WhenDown};

use crate::fixture::{
    Harness, InRedis, down, entry, eventually, fill, hit, key_tag, lookup, place, place_in, put, redis_settings, token,
    usable,
};
use crate::redis::{RedisServer, Reply};

/// Short enough to be reached on purpose.
fn impatient(server: &RedisServer) -> StoreSettings {
    StoreSettings { timeout: Duration::from_millis(400), ..redis_settings(server) }
}

#[tokio::test]
async fn a_killed_redis_is_down_at_once_and_returns_without_the_old() {
    let mut redis = InRedis::start().await;
    let apple = place("fruit:1");
    let begun = fill(&redis.store, &apple, "old").await;

    redis.server.kill();
    down(&redis.store).await;
    let kept = redis.store.put(&apple, Arc::new(entry(&apple, "old", begun)), Expect::Any).await;
    assert_eq!(kept.unwrap_err(), Fault::Down);
    assert_eq!(redis.store.invalidate(Change::of(&key_tag("fruit:1"))).await.unwrap_err(), Fault::Down);

    redis.server.restart();
    usable(&redis.store).await;
    assert_eq!(hit(&redis.store, &apple).await, None);
    assert_eq!(put(&redis.store, &apple, entry(&apple, "old", begun)).await, PutOutcome::RacedWrite);
    fill(&redis.store, &apple, "new").await;
    assert_eq!(hit(&redis.store, &apple).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn what_a_restart_loads_from_disk_is_invalid() {
    let mut redis = InRedis::start().await;
    let apple = place("fruit:1");
    let begun = fill(&redis.store, &apple, "old").await;
    redis.server.command(&["SAVE"]);
    // This invalidation is not in the dump.
    redis.store.invalidate(Change::of(&key_tag("fruit:1"))).await.unwrap();

    redis.server.kill();
    redis.server.restart();
    assert_eq!(redis.server.command(&["GET", "fruit:1"]), Reply::Text(b"old".to_vec()));
    eventually("the store answers", async || {
        let Ok(found) = redis.store.lookup(&apple).await else { return false };
        assert!(found.entry.is_none() && found.token.epoch != begun.epoch);
        true
    })
    .await;
    assert_eq!(put(&redis.store, &apple, entry(&apple, "old", begun)).await, PutOutcome::RacedWrite);
}

#[tokio::test]
async fn an_absent_redis_is_taken_up_when_it_comes() {
    let mut server = RedisServer::start();
    server.kill();
    let store = Shared::new(&redis_settings(&server)).attach();
    assert_eq!(store.lookup(&place("fruit:1")).await.unwrap_err(), Fault::Down);
    server.restart();
    usable(&store).await;
    fill(&store, &place("fruit:1"), "apple").await;
}

#[tokio::test]
async fn a_hanging_redis_is_late_and_then_down() {
    let server = RedisServer::start();
    let settings = impatient(&server);
    let redis = InRedis::start_with(server, settings).await;
    redis.server.pause();
    assert_eq!(redis.store.lookup(&place("fruit:1")).await.unwrap_err(), Fault::Timeout);
    down(&redis.store).await;
    redis.server.resume();
    usable(&redis.store).await;
}

#[tokio::test]
async fn what_is_pending_is_made_before_anything_is_read() {
    let server = RedisServer::start();
    let settings = impatient(&server);
    let redis = InRedis::start_with(server, settings).await;
    // Another core of the same process: what is pending is its too.
    let core = redis.shared.attach();
    usable(&core).await;
    let (apple, order) = (place("fruit:1"), place_in("orders", "order:1"));
    fill(&redis.store, &apple, "old").await;
    fill(&redis.store, &order, "old").await;

    redis.server.pause();
    down(&redis.store).await;
    // Nothing of these reaches Redis: there is no session.
    assert_eq!(redis.store.invalidate(Change::of(&key_tag("fruit:1"))).await.unwrap_err(), Fault::Down);
    let many: Vec<_> = (0..1500).flat_map(|n| key_tag(&n.to_string())).collect();
    assert_eq!(redis.store.invalidate(Change::of(&many)).await.unwrap_err(), Fault::Down);
    assert_eq!(core.lookup(&apple).await.unwrap_err(), Fault::Down, "at once, though its session may still be there");

    redis.server.resume();
    for store in [&redis.store, &core] {
        for place in [&apple, &order] {
            eventually("the store answers", async || {
                let Ok(found) = store.lookup(place).await else { return false };
                assert!(found.entry.is_none(), "read before what was pending was made");
                true
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_healthy_core_pays_for_a_broken_one() {
    let redis = InRedis::start().await;
    let healthy = redis.shared.attach();
    usable(&healthy).await;
    let apple = place("fruit:1");
    fill(&healthy, &apple, "old").await;

    for connection in connections(&redis.server) {
        redis.server.command(&["CLIENT", "KILL", "ID", &connection]);
        // Whichever it was: the process's own pays for a core, and a new one for that.
        redis.store.invalidate(Change::of(&key_tag("fruit:1"))).await.unwrap();
        assert!(!healthy.lookup(&apple).await.is_ok_and(|found| found.entry.is_some()), "older than the write");
        usable(&redis.store).await;
        usable(&healthy).await;
        fill(&healthy, &apple, "new").await;
    }
}

/// The clients of the server besides the test itself.
fn connections(server: &RedisServer) -> Vec<String> {
    let clients = server.command(&["CLIENT", "LIST", "TYPE", "normal"]).text();
    let mut ids: Vec<String> =
        clients.lines().filter_map(|line| Some(line.strip_prefix("id=")?.split(' ').next()?.to_owned())).collect();
    ids.pop();
    ids
}

#[tokio::test]
async fn a_dropped_invalidation_goes_on() {
    let redis = InRedis::start().await;
    let apple = place("fruit:1");
    fill(&redis.store, &apple, "old").await;
    let tags = key_tag("fruit:1");
    let mut finish = Box::pin(redis.store.invalidate(Change::of(&tags)));
    assert!(finish.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(finish);
    eventually("it is done", async || hit(&redis.store, &apple).await.is_none()).await;
}

#[tokio::test]
async fn a_full_redis_takes_invalidations_and_no_fills() {
    let redis = InRedis::start().await;
    let (apple, pear) = (place("fruit:1"), place("fruit:2"));
    fill(&redis.store, &apple, "apple").await;
    let begun = fill(&redis.store, &pear, "pear").await;
    redis.server.command(&["CONFIG", "SET", "maxmemory", "1"]);

    assert_eq!(hit(&redis.store, &apple).await.as_deref(), Some("apple"));
    let kept = redis.store.put(&pear, Arc::new(entry(&pear, "pear", begun)), Expect::Any).await;
    assert_eq!(kept.unwrap_err(), Fault::Full);
    redis.store.invalidate(Change::of(&key_tag("fruit:1"))).await.unwrap();
    assert_eq!(hit(&redis.store, &apple).await, None);
    assert_eq!(hit(&redis.store, &pear).await.as_deref(), Some("pear"));
    assert!(lookup(&redis.store, &place_in("orders", "order:1")).await.entry.is_none(), "another route");

    redis.server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    fill(&redis.store, &apple, "new").await;
}

#[tokio::test]
async fn writes_are_refused_only_if_so_configured() {
    for (when_down, admitted) in [(WhenDown::Forward, true), (WhenDown::Refuse, false)] {
        let server = RedisServer::start();
        let settings = StoreSettings { when_down, ..redis_settings(&server) };
        let mut redis = InRedis::start_with(server, settings).await;
        assert!(redis.store.admits_writes());
        redis.server.kill();
        down(&redis.store).await;
        eventually("it is decided", async || redis.store.admits_writes() == admitted).await;
        redis.server.restart();
        usable(&redis.store).await;
        assert!(redis.store.admits_writes());
    }
}

#[tokio::test]
async fn a_master_that_becomes_a_replica_is_left() {
    let redis = InRedis::start().await;
    let apple = place("fruit:1");
    let begun = fill(&redis.store, &apple, "old").await;
    redis.server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    down(&redis.store).await;
    redis.server.command(&["REPLICAOF", "NO", "ONE"]);
    usable(&redis.store).await;
    assert_eq!(hit(&redis.store, &apple).await, None);
    assert_ne!(token(&redis.store, &apple).await.epoch, begun.epoch);
}

#[tokio::test]
async fn a_write_finds_out_that_the_master_is_a_replica() {
    let redis = InRedis::start().await;
    fill(&redis.store, &place("fruit:1"), "old").await;
    redis.server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    assert!(redis.store.invalidate(Change::of(&key_tag("fruit:1"))).await.is_err());
    assert_eq!(redis.store.lookup(&place("fruit:1")).await.unwrap_err(), Fault::Down);
}

/// The replica lacks the last invalidation when it takes over, and the old master follows it under connections that stay: what
/// it has now is from before a write that was answered.
#[tokio::test]
async fn what_a_former_master_has_of_the_new_one_answers_nobody() {
    let at_once = &["--repl-diskless-sync-delay", "0"];
    let master = RedisServer::start_with(at_once);
    let of = format!("127.0.0.1 {}", master.port());
    let replica = RedisServer::start_with(&[at_once, &["--replicaof", &of][..]].concat());
    let in_step =
        async |server: &RedisServer| server.command(&["INFO", "replication"]).text().contains("master_link_status:up");
    eventually("the replica is in step", async || in_step(&replica).await).await;
    // None of them renews its lease while the test goes on.
    let settings = StoreSettings { lease: Duration::from_secs(5), memory: 0, ..redis_settings(&master) };
    let redis = InRedis::start_with(master, settings.clone()).await;
    let copying = Shared::new(&StoreSettings { memory: 64 << 20, ..settings });
    let copies = copying.attach();
    usable(&copies).await;
    let (apple, pear) = (place("fruit:1"), place("fruit:2"));
    fill(&copies, &apple, "old").await;
    assert_eq!(hit(&copies, &apple).await.as_deref(), Some("old"));
    eventually("the replica has it", async || replica.command(&["EXISTS", "fruit:1"]) == Reply::Number(1)).await;

    replica.command(&["REPLICAOF", "NO", "ONE"]);
    redis.store.invalidate(Change::of(&key_tag("fruit:1"))).await.unwrap();
    assert_eq!(hit(&copies, &apple).await, None);
    redis.server.command(&["REPLICAOF", "127.0.0.1", &replica.port().to_string()]);
    eventually("the former master is in step", async || in_step(&redis.server).await).await;

    for store in [&copies, &redis.store] {
        let found = store.lookup(&apple).await;
        assert!(!matches!(&found, Ok(found) if found.entry.is_some()), "{found:?}");
        // Nor does a fill begin there.
        assert!(store.lookup(&pear).await.is_err());
    }
}

#[tokio::test]
async fn a_new_replication_id_is_a_new_life() {
    let server = RedisServer::start_with(&["--enable-debug-command", "yes"]);
    let settings = redis_settings(&server);
    let redis = InRedis::start_with(server, settings).await;
    let apple = place("fruit:1");
    let begun = fill(&redis.store, &apple, "old").await;
    redis.server.command(&["DEBUG", "CHANGE-REPL-ID"]);
    eventually("the session is another one", async || {
        redis.store.lookup(&apple).await.is_ok_and(|found| found.token.epoch != begun.epoch && found.entry.is_none())
    })
    .await;
    fill(&redis.store, &apple, "new").await;
    assert_eq!(hit(&redis.store, &apple).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn no_connection_outlives_its_session() {
    let server = RedisServer::start();
    let settings = impatient(&server);
    let redis = InRedis::start_with(server, settings).await;
    let connections = || connections(&redis.server).len();
    // A core's, and the process's own.
    assert_eq!(connections(), 2);

    redis.server.pause();
    down(&redis.store).await;
    redis.server.resume();
    usable(&redis.store).await;
    eventually("the old connection is closed", async || connections() == 2).await;

    drop((redis.store, redis.shared));
    eventually("the last connection is closed", async || connections() == 0).await;
}
