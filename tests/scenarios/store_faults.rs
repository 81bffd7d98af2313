//! A store that is killed, stopped, flushed or tampered with costs misses, never an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::support::node::Node;
use super::support::origin::{Asked, Origin, response};
use super::support::redis::{RedisServer, Reply};
use super::support::{connected, until};

const ROUTE: &str = "[[route]]\npath = \"/fruit/{id}\"\nkey = \"fruit:{id}\"\nttl = \"1h\"\n";

async fn hits(node: &Node, target: &str) {
    until("the store answers", || async { node.client().get(target).await.cache() == "HIT" }).await;
}

/// A node that waits for its store no longer than any does.
fn hasty(origin: &Origin, redis: &RedisServer) -> Node {
    Node::with_store_table(origin.address, &format!("store = \"{}\"", redis.url()), ROUTE)
}

#[tokio::test]
async fn an_entry_stays_as_long_as_it_may_be_served_and_no_longer() {
    let origin = Origin::start(|asked: Asked| async move {
        let control: &[_] = match asked.path() {
            "/a/must" => &[("cache-control", "must-revalidate")],
            "/a/window" => &[("cache-control", "stale-if-error=5")],
            "/a/etag" => &[("etag", "\"x\""), ("cache-control", "stale-if-error=0")],
            _ => &[],
        };
        response(if asked.path() == "/a/busy" { 503 } else { 200 }, control, "{}")
    })
    .await;
    let redis = RedisServer::start();
    let routes = "[[route]]\npath = \"/a/{id}\"\nkey = \"a:{id}\"\nttl = \"1m\"\nstatuses = { 503 = \"10s\" }\n\
                  [[route]]\npath = \"/b/{id}\"\nkey = \"b:{id}\"\nttl = \"1m\"\nstale_if_error = \"1d\"\n\
                  [[route]]\npath = \"/c/{id}\"\nkey = \"c:{id}\"\nttl = \"1m\"\nstale_if_error = \"0s\"\n";
    let node = Node::on(origin.address, &redis.url(), routes);
    connected(&node.client()).await;
    for (path, key, seconds) in [
        ("/a/plain", "a:plain", 60 + 3_600),
        ("/a/plain?x=1", "a:plain?x=1", 60 + 3_600),
        ("/a/must", "a:must", 60),
        ("/a/window", "a:window", 65),
        ("/a/etag", "a:etag", 120),
        ("/a/busy", "a:busy", 10),
        ("/b/plain", "b:plain", 60 + 86_400),
        ("/c/plain", "c:plain", 60),
    ] {
        node.client().get(path).await;
        for key in [key.to_owned(), format!("{{{key}}}:meta")] {
            let Reply::Number(left) = redis.command(&["PTTL", &key]) else { panic!("no time") };
            assert!(left <= seconds * 1000 && left > seconds * 1000 - 8_000, "{key}: {left} ms");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_killed_and_restarted_under_load_costs_no_client_an_error() {
    let origin = Origin::counting().await;
    let mut redis = RedisServer::start();
    let node = Arc::new(hasty(&origin, &redis));
    hits(&node, "/fruit/0").await;
    let stop = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicUsize::new(0));
    let mut load = tokio::task::JoinSet::new();
    for worker in 0..16 {
        let (node, stop, served) = (Arc::clone(&node), Arc::clone(&stop), Arc::clone(&served));
        load.spawn(async move {
            let client = node.client();
            let mut round = worker;
            while !stop.load(Ordering::SeqCst) {
                round += 1;
                let target = format!("/fruit/{}", round % 50);
                let answer = if round % 10 == 0 { client.put(&target, "{}").await } else { client.get(&target).await };
                assert_eq!(answer.status, 200, "{}", answer.text());
                served.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    let more = |count: usize| {
        let (served, goal) = (Arc::clone(&served), served.load(Ordering::SeqCst) + count);
        until("requests are served", move || {
            let done = served.load(Ordering::SeqCst) >= goal;
            async move { done }
        })
    };
    more(500).await;
    redis.kill();
    more(500).await;
    redis.restart();
    hits(&node, "/fruit/7").await;
    more(500).await;
    stop.store(true, Ordering::SeqCst);
    load.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_redis_keeps_nobody_from_starting_and_is_used_when_it_comes() {
    let origin = Origin::counting().await;
    let mut redis = RedisServer::start();
    redis.kill();
    let node = hasty(&origin, &redis);
    let answer = node.client().get("/fruit/1").await;
    assert_eq!((answer.status, answer.cache()), (200, "MISS"));
    assert!(answer.cache_status().contains("detail=store-down"), "{}", answer.cache_status());
    redis.restart();
    hits(&node, "/fruit/1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_during_an_outage_is_made_good_before_anything_is_read_again() {
    let origin = Origin::counting().await;
    let redis = RedisServer::start();
    let node = hasty(&origin, &redis);
    hits(&node, "/fruit/1").await;
    let before = node.client().get("/fruit/1").await.json()["n"].as_u64();
    redis.pause();
    assert_eq!(node.client().put("/fruit/1", "{}").await.status, 200);
    redis.resume();
    hits(&node, "/fruit/1").await;
    assert!(node.client().get("/fruit/1").await.json()["n"].as_u64() > before);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_when_down_refuse_a_write_is_not_forwarded_while_the_store_is_away() {
    let origin = Origin::counting().await;
    let mut redis = RedisServer::start();
    redis.kill();
    let store = format!("[store]\nurl = \"{}\"\nwhen_down = \"refuse\"\n", redis.url());
    let node = Node::with_store_table(origin.address, &store, ROUTE);
    let refused = node.client().put("/fruit/1", "{}").await;
    assert_eq!((refused.status, refused.field("retry-after")), (503, "1"));
    assert_eq!(origin.count(), 0);
    redis.restart();
    until("writes are taken again", || async { node.client().put("/fruit/1", "{}").await.status == 200 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_or_damaged_value_is_a_miss() {
    let origin = Origin::counting().await;
    let redis = RedisServer::start();
    let node = hasty(&origin, &redis);
    for (what, commands) in [
        ("another type", vec![vec!["DEL", "fruit:1"], vec!["LPUSH", "fruit:1", "x"]]),
        ("a body of an app", vec![vec!["SET", "fruit:1", "{}"]]),
        ("no body", vec![vec!["DEL", "fruit:1"]]),
        ("no meta", vec![vec!["DEL", "{fruit:1}:meta"]]),
        ("a foreign meta", vec![vec!["DEL", "{fruit:1}:meta"], vec!["SET", "{fruit:1}:meta", "x"]]),
        ("no record", vec![vec!["FLUSHALL"]]),
    ] {
        hits(&node, "/fruit/1").await;
        for command in commands {
            redis.command(&command);
        }
        let answer = node.client().get("/fruit/1").await;
        assert_eq!((answer.status, answer.cache()), (200, "MISS"), "{what}: {}", answer.cache_status());
        assert_eq!(answer.json()["target"], "/fruit/1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_was_changed_and_is_as_long_is_never_given_out_and_soon_a_miss() {
    let origin = Origin::counting().await;
    let redis = RedisServer::start();
    let node = hasty(&origin, &redis);
    hits(&node, "/fruit/1").await;
    redis.command(&["SETRANGE", "fruit:1", "3", "XX"]);
    until("it is a miss", || async {
        let answer = node.client().get("/fruit/1").await;
        assert_eq!((answer.status, &answer.json()["target"]), (200, &"/fruit/1".into()));
        answer.cache() == "MISS"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_shows_the_keys_and_bodies_that_people_expect() {
    let origin = Origin::counting().await;
    let redis = RedisServer::start();
    let node = hasty(&origin, &redis);
    hits(&node, "/fruit/1").await;
    let body = node.client().get("/fruit/1").await;
    assert!(redis.command(&["KEYS", "*"]).texts().contains(&"fruit:1".to_owned()));
    assert_eq!(redis.command(&["GET", "fruit:1"]).text(), body.text());
}
