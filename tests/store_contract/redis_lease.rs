//! Nodes that share a Redis: who is listed, who is waited for, and what is allowed meanwhile.

use std::time::Duration;

use aside::store::{Change, Shared, Store, StoreSettings, Withheld};

use crate::fixture::{InRedis, eventually, fill, hit, key_tag, lookup, place, place_in, redis_settings, token, usable};
use crate::redis::{RedisServer, Reply};

const NODES: &str = "aside:{aside}:nodes";
const RECORD: &str = "aside:{aside}:gen";

async fn node(settings: &StoreSettings) -> (Shared, Store) {
    let shared = Shared::new(settings);
    let store = shared.attach();
    usable(&store).await;
    (shared, store)
}

/// The registry, but for the field that is about the server: each node's number and what is said of it.
fn listed(server: &RedisServer) -> Vec<(String, String)> {
    let Reply::List(fields) = server.command(&["HGETALL", NODES]) else { return Vec::new() };
    let texts: Vec<String> = fields.iter().map(|reply| reply.clone().text()).collect();
    let pairs = texts.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone()));
    pairs.filter(|(id, _)| id != "@").collect()
}

/// Another node in the registry, whose lease ended so long ago.
fn silent_node(server: &RedisServer, id: &str, since: Duration) {
    let now: Vec<u64> = match server.command(&["TIME"]) {
        Reply::List(parts) => parts.iter().map(|part| part.clone().text().parse().unwrap()).collect(),
        other => panic!("{other:?}"),
    };
    let ends = now[0] * 1000 + now[1] / 1000 - u64::try_from(since.as_millis()).unwrap();
    let rules = listed(server)[0].1.split(' ').nth(4).unwrap().to_owned();
    let entry = format!("1 {ends} 1000 {ends} {rules} - on");
    server.command(&["HSET", NODES, id, &entry]);
}

async fn withheld(store: &Store) -> Option<Withheld> {
    lookup(store, &place("fruit:1")).await.withheld
}

async fn epoch(store: &Store) -> u64 {
    token(store, &place("fruit:1")).await.epoch
}

#[tokio::test]
async fn a_silent_node_is_waited_for_and_then_all_from_before_is_invalid() {
    let server = RedisServer::start();
    let settings = StoreSettings { absence: Duration::from_secs(3), ..redis_settings(&server) };
    let redis = InRedis::start_with(server, settings).await;
    let apple = place("fruit:1");
    let before = fill(&redis.store, &apple, "apple").await;
    silent_node(&redis.server, "0abc", Duration::from_millis(10));
    eventually("nothing is given out", async || withheld(&redis.store).await == Some(Withheld::Peer)).await;
    assert_eq!(hit(&redis.store, &apple).await, None);
    assert_eq!(epoch(&redis.store).await, before.epoch, "not yet");
    eventually("the other one is given up", async || withheld(&redis.store).await.is_none()).await;
    assert_ne!(epoch(&redis.store).await, before.epoch);
    assert!(lookup(&redis.store, &apple).await.invalidated);
    fill(&redis.store, &apple, "new").await;
    assert_eq!(hit(&redis.store, &apple).await.as_deref(), Some("new"));
    assert!(listed(&redis.server).iter().any(|(id, entry)| id == "0abc" && entry.ends_with(" off")));
}

#[tokio::test]
async fn without_absence_a_silent_node_is_not_waited_for() {
    let server = RedisServer::start();
    let settings = StoreSettings { absence: Duration::ZERO, ..redis_settings(&server) };
    let redis = InRedis::start_with(server, settings).await;
    let before = fill(&redis.store, &place("fruit:1"), "apple").await;
    silent_node(&redis.server, "0abc", Duration::from_millis(10));
    eventually("it is given up", async || epoch(&redis.store).await != before.epoch).await;
    assert_eq!(withheld(&redis.store).await, None);
}

#[tokio::test]
async fn who_leaves_is_not_waited_for() {
    let server = RedisServer::start();
    let settings = redis_settings(&server);
    let redis = InRedis::start_with(server, settings).await;
    let (shared, store) = node(&redis_settings(&redis.server)).await;
    let before = fill(&store, &place("fruit:1"), "apple").await;
    assert_eq!(shared.leave(Duration::from_secs(5)).await, Ok(()));
    assert!(listed(&redis.server).iter().any(|(_, entry)| entry.ends_with(" off")));
    // For longer than a lease.
    for _ in 0..30 {
        assert_eq!(withheld(&redis.store).await, None);
        assert_eq!(epoch(&redis.store).await, before.epoch);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(hit(&redis.store, &place("fruit:1")).await.as_deref(), Some("apple"));
}

#[tokio::test]
async fn a_predecessor_whose_lock_is_free_is_buried_at_once() {
    let server = RedisServer::start();
    let settings = StoreSettings { lock: Some(format!("test-{}", server.url().len())), ..redis_settings(&server) };
    let settings =
        StoreSettings { lock: settings.lock.map(|name| name + &server.url().replace([':', '/'], "-")), ..settings };
    let redis = InRedis::start_with(server, settings).await;
    let before = fill(&redis.store, &place("fruit:1"), "apple").await;
    let (_, own) = listed(&redis.server).remove(0);
    let lock = own.split(' ').nth(5).unwrap().to_owned();
    assert_ne!(lock, "-");
    // One that looks alive, and held the lock that this one has now.
    let dead = own.replacen(own.split(' ').next().unwrap(), "7", 1);
    redis.server.command(&["HSET", NODES, "0abc", &dead]);
    eventually("a new epoch", async || epoch(&redis.store).await != before.epoch).await;
    assert_eq!(withheld(&redis.store).await, None);
    assert!(listed(&redis.server).iter().any(|(id, entry)| id == "0abc" && entry.ends_with(" off")));
}

#[tokio::test]
async fn a_node_that_is_no_longer_listed_joins_anew() {
    let server = RedisServer::start();
    let settings = redis_settings(&server);
    let redis = InRedis::start_with(server, settings).await;
    let apple = place("fruit:1");
    fill(&redis.store, &apple, "apple").await;
    let generation =
        |server: &RedisServer| listed(server).first().map(|(_, entry)| entry.split(' ').next().unwrap().to_owned());
    let before = generation(&redis.server);
    redis.server.command(&["DEL", NODES]);
    eventually("it is listed again", async || generation(&redis.server).is_some_and(|now| Some(now) != before)).await;
    eventually("it has hits", async || hit(&redis.store, &apple).await.as_deref() == Some("apple")).await;
}

#[tokio::test]
async fn foreign_and_torn_values_under_control_keys_cost_misses() {
    let server = RedisServer::start();
    let settings = redis_settings(&server);
    let redis = InRedis::start_with(server, settings).await;
    let apple = place("fruit:1");
    let commands: [&[&str]; 9] = [
        &["SET", NODES, "x"],
        &["LPUSH", NODES, "x"],
        &["HSET", NODES, "zz", "x", "0abc", "1 2 3"],
        &["HSET", NODES, "@", "x"],
        &["SET", "aside:{aside}:pend", "x"],
        &["SET", "aside:{aside}:held", "x"],
        &["HSET", "aside:{aside}:held", "r:x", "many"],
        &["HSET", "aside:{aside}:pend", "0abc.1.1", "{"],
        &["SET", RECORD, "x"],
    ];
    for command in commands {
        if command[0] != "HSET" {
            redis.server.command(&["DEL", command[1]]);
        }
        redis.server.command(command);
        eventually("it has hits again", async || {
            let Ok(found) = redis.store.lookup(&apple).await else { return false };
            if found.entry.is_none() && found.withheld.is_none() {
                let entry = crate::fixture::entry(&apple, "apple", found.token);
                let _ = redis.store.put(&apple, entry.into(), aside::store::Expect::Any).await;
            }
            redis.store.invalidate(Change::of(&key_tag("other"))).await.is_ok()
                && hit(&redis.store, &apple).await.as_deref() == Some("apple")
        })
        .await;
    }
}

#[tokio::test]
async fn while_rules_differ_every_write_drops_everything() {
    let server = RedisServer::start();
    let settings = redis_settings(&server);
    let redis = InRedis::start_with(server, settings).await;
    let (apple, order) = (place("fruit:1"), place_in("orders", "order:1"));
    let (shared, other) = node(&StoreSettings { rules: 1, ..redis_settings(&redis.server) }).await;
    eventually("both know", async || withheld(&other).await.is_none()).await;
    fill(&redis.store, &order, "order").await;
    fill(&other, &apple, "apple").await;
    redis.store.invalidate(Change::of(&key_tag("something"))).await.unwrap();
    assert_eq!((hit(&redis.store, &order).await, hit(&other, &apple).await), (None, None));
    assert!(redis.store.rules_differ() && other.rules_differ());

    shared.leave(Duration::from_secs(5)).await.unwrap();
    eventually("they are the same again", async || !redis.store.rules_differ()).await;
    fill(&redis.store, &order, "order").await;
    redis.store.invalidate(Change::of(&key_tag("something"))).await.unwrap();
    assert_eq!(hit(&redis.store, &order).await.as_deref(), Some("order"));
}

/// The number of the law comes behind those of the rules; a node of before has none.
#[tokio::test]
async fn a_node_of_another_law_or_form_of_entries_is_one_of_other_rules() {
    // The rules, the law, and the form of an entry.
    for known in [16, 18] {
        let server = RedisServer::start();
        let settings = redis_settings(&server);
        let redis = InRedis::start_with(server, settings).await;
        let rules = listed(&redis.server)[0].1.split(' ').nth(4).unwrap().to_owned();
        assert_eq!(rules.len(), 19);
        silent_node(&redis.server, "0abc", Duration::ZERO);
        let entry = redis.server.command(&["HGET", NODES, "0abc"]).text();
        let ends: u64 = entry.split(' ').nth(1).unwrap().parse().unwrap();
        let entry = format!("1 {} 60000 {ends} {} - on", ends + 60_000, &rules[..known]);
        redis.server.command(&["HSET", NODES, "0abc", &entry]);
        eventually("everything is dropped", async || redis.store.rules_differ()).await;
    }
}

#[tokio::test]
async fn a_hiccup_is_not_an_outage() {
    let server = RedisServer::start();
    let settings = StoreSettings { timeout: Duration::from_millis(50), ..redis_settings(&server) };
    let redis = InRedis::start_with(server, settings).await;
    let apple = place("fruit:1");
    fill(&redis.store, &apple, "apple").await;
    let clients = || {
        let text = redis.server.command(&["CLIENT", "LIST", "TYPE", "normal"]).text();
        let ids = text.lines().map(|line| line.split(' ').next().unwrap().to_owned());
        let mut ids: Vec<String> = ids.collect();
        // The last one is the test's own.
        ids.pop();
        ids
    };
    let before = clients();
    redis.server.pause();
    for _ in 0..5 {
        assert!(redis.store.lookup(&apple).await.is_err());
    }
    let tags = key_tag("fruit:1");
    let write = redis.store.invalidate(Change::of(&tags));
    let resume = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        redis.server.resume();
    };
    let (write, ()) = tokio::join!(write, resume);
    assert!(write.is_ok(), "it waited: {write:?}");
    eventually("hits", async || redis.store.lookup(&apple).await.is_ok_and(|found| found.withheld.is_none())).await;
    assert_eq!(clients(), before, "the same connections");
    assert_eq!(hit(&redis.store, &apple).await, None);
}
