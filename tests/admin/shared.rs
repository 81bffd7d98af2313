//! A purge where several nodes share a Redis, and where that does not confirm it.

use std::path::Path;

use serde_json::json;

use crate::commands::{aside, code, printed};
use crate::support::node::Process;
use crate::support::origin::Origin;
use crate::support::redis::RedisServer;
use crate::support::scrape::read_strictly;
use crate::support::until;
use crate::{ROUTES, get, over_unix, post};

#[tokio::test]
async fn a_purge_on_one_node_is_a_miss_on_the_other() {
    let (origin, redis) = (Origin::counting().await, RedisServer::start());
    let one = Process::start(origin.address, &redis.url(), ROUTES).await;
    let other = Process::start(origin.address, &redis.url(), ROUTES).await;
    let other_hits = || async { other.client().get("/fruit/1").await.cache() == "HIT" };
    for named in
        [json!({"url": "/fruit/1"}), json!({"key": "fruit:1"}), json!({"route": "/fruit/{id}"}), json!({"all": true})]
    {
        until("the other node has it", other_hits).await;
        let purged = over_unix(&one.admin_socket(), &post("/purge", &named));
        assert_eq!(purged.status, 200, "{named}: {}", purged.body);
        assert_eq!(other.client().get("/fruit/1").await.cache(), "MISS", "{named}");
    }
}

#[tokio::test]
async fn verify_asks_several_nodes_and_puts_together_what_they_say() {
    let (origin, redis) = (Origin::counting().await, RedisServer::start());
    let config = ROUTES.to_owned() + "[verify]\nsample = \"100%\"\n";
    let one = Process::start(origin.address, &redis.url(), &config).await;
    let other = Process::start(origin.address, &redis.url(), &config).await;
    let places = [&one, &other].map(|process| format!("unix:{}", process.admin_socket().display()));
    let verify = |arguments: &[&str]| aside(Path::new("/nowhere/proxy.toml"), &[&["verify"], arguments].concat());
    let told = |arguments: &[&str]| -> serde_json::Value {
        let output = verify(&[&["--json", "--admin", &places[0]], arguments].concat());
        serde_json::from_str(&printed(&output)).unwrap()
    };
    let knows = || async {
        one.client().get("/fruit/unlike").await;
        told(&[])["others"] == 1
    };
    until("the one knows of the other", knows).await;
    other.client().get("/fruit/1").await;
    let compared = || async {
        other.client().get("/fruit/1").await;
        let both = told(&["--also", &places[1]]);
        assert_eq!((&both["nodes"], &both["others"]), (&2.into(), &0.into()));
        both["routes"][0]["compared"].as_u64() > told(&[])["routes"][0]["compared"].as_u64()
    };
    until("what the other one has seen is in it", compared).await;
    assert_eq!(code(&verify(&["--admin", &places[0], "--also", "unix:/nowhere/else.sock"])), 69);
    assert_eq!(code(&verify(&["--admin", &places[0], "--also", "unix:"])), 2);
}

#[tokio::test]
async fn a_purge_that_redis_does_not_confirm_is_503_and_is_made_later() {
    let (origin, redis) = (Origin::counting().await, RedisServer::start());
    let node = Process::start(origin.address, &redis.url(), ROUTES).await;
    let cache = || async { node.client().get("/fruit/1").await.cache().to_owned() };
    until("it is stored", || async { cache().await == "HIT" }).await;
    let before = node.client().get("/fruit/1").await.text().to_owned();
    redis.pause();
    let refused = over_unix(&node.admin_socket(), &post("/purge", &json!({"url": "/fruit/1"})));
    assert_eq!(refused.status, 503);
    assert!(refused.error(None).contains("pending"), "{}", refused.body);
    let pending = over_unix(&node.admin_socket(), &get("/status")).json()["pending"].as_u64();
    assert!(pending.is_some_and(|pending| pending > 0), "{pending:?}");
    assert_ne!(cache().await, "HIT", "nothing is read from the store meanwhile");
    let told = || {
        let scrape = over_unix(&node.admin_socket(), &get("/metrics")).body;
        let count = |result: &str| {
            scrape.contains(&format!("aside_purges_total{{by=\"url\",mode=\"hard\",result=\"{result}\"}} 1\n"))
        };
        (count("pending"), count("done"))
    };
    assert_eq!(told(), (true, false));
    node.says("a purge of url /fruit/1, by the admin listener, is pending").await;
    redis.resume();
    until("it is stored again", || async { cache().await == "HIT" }).await;
    assert_ne!(node.client().get("/fruit/1").await.text(), before, "what was there is gone");
    assert_eq!(over_unix(&node.admin_socket(), &get("/status")).json()["pending"], 0);
    assert_eq!(told(), (true, false), "that it was made later is no further purge");
}

#[tokio::test]
async fn a_scrape_tells_how_long_redis_took_with_writes_and_purges() {
    let (origin, redis) = (Origin::counting().await, RedisServer::start());
    let node = Process::start(origin.address, &redis.url(), ROUTES).await;
    until("it is stored", || async { node.client().get("/fruit/1").await.cache() == "HIT" }).await;
    let counted = |series: &str| {
        let scrape = over_unix(&node.admin_socket(), &get("/metrics")).body;
        let line = scrape.lines().find(|line| line.starts_with(series)).unwrap_or_default().to_owned();
        line.rsplit(' ').next().and_then(|count| count.parse::<u64>().ok()).unwrap_or_default()
    };
    read_strictly(&over_unix(&node.admin_socket(), &get("/metrics")).body);
    let operations = |name: &str| counted(&format!("aside_store_operation_seconds_count{{op=\"{name}\"}}"));
    assert!(operations("lookup") > 0 && operations("put") > 0);
    assert_eq!((operations("invalidate"), counted("aside_invalidation_ack_seconds_count")), (0, 0));
    node.client().put("/fruit/1", "{}").await;
    until("the write is counted", || async { counted("aside_invalidation_ack_seconds_count") == 1 }).await;
    assert!(operations("mark") > 0);
    let before = operations("invalidate");
    assert!(before > 0);
    assert_eq!(over_unix(&node.admin_socket(), &post("/purge", &json!({"url": "/fruit/1"}))).status, 200);
    assert_eq!(operations("invalidate"), before + 1, "a purge is timed as an invalidation is");
    redis.pause();
    node.client().put("/fruit/1", "{}").await;
    let pending = || over_unix(&node.admin_socket(), &get("/metrics")).body.contains("result=\"pending\"} 1");
    until("it is told as pending", || async { pending() }).await;
    assert_eq!(counted("aside_invalidation_ack_seconds_count"), 1, "what is pending has no word of the store's");
    redis.resume();
}

#[tokio::test]
async fn the_command_says_whether_redis_confirmed_it() {
    let (origin, redis) = (Origin::counting().await, RedisServer::start());
    let table = format!("[store]\nurl = \"{}\"\ntimeout = \"1s\"\n", redis.url());
    let node = Process::with_store_table(origin.address, &table, ROUTES).await;
    until("it is stored", || async { node.client().get("/fruit/1").await.cache() == "HIT" }).await;
    let told = std::fs::read_to_string(node.folder().join("proxy.toml")).unwrap();
    let file = node.folder().join("other.toml");
    std::fs::write(&file, told.replace("127.0.0.1:0", &node.address.to_string())).unwrap();
    let purged = aside(&file, &["purge", "/fruit/1"]);
    assert_eq!((code(&purged), printed(&purged).as_str()), (0, "dropped: url /fruit/1 (1 entry or more)\n"));
    redis.pause();
    let pending = aside(&file, &["purge", "/fruit/1"]);
    assert_eq!((code(&pending), pending.stdout.len()), (1, 0), "{}", printed(&pending));
    assert!(printed(&pending).contains("did not confirm it. It is pending"), "{}", printed(&pending));
    let pending = aside(&file, &["purge", "--json", "/fruit/1"]);
    assert_eq!(code(&pending), 1, "{}", printed(&pending));
    redis.resume();
    until("it is made", || async { over_unix(&node.admin_socket(), &get("/status")).json()["pending"] == 0 }).await;
    assert_eq!(code(&aside(&file, &["purge", "--all"])), 0);
}
