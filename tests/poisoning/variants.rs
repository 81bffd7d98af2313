//! Where no route speaks, a key has so many variants and no more.

use super::support::node::Node;
use super::support::origin::{Origin, response};
use super::support::redis::{RedisServer, Reply};

async fn languages() -> Origin {
    Origin::start(|asked| async move {
        let language = asked.field("accept-language").unwrap_or("-").to_owned();
        response(200, &[("cache-control", "max-age=600"), ("vary", "Accept-Language")], &language)
    })
    .await
}

async fn get(node: &Node, language: usize) -> (String, String) {
    let answer = node.client().get_with("/x", &[("accept-language", &format!("l{language}"))]).await;
    assert_eq!(answer.text(), format!("l{language}"), "an answer in another language");
    (answer.cache().to_owned(), answer.cache_status().to_owned())
}

/// Fills a key to its limit and beyond.
async fn at_the_edge(store: &str, config: &str, limit: usize) {
    let origin = languages().await;
    let node = Node::on(origin.address, store, config);
    super::support::connected(&node.client()).await;
    for language in 0..limit {
        let (cache, status) = get(&node, language).await;
        assert_eq!(cache, "MISS");
        let forward = if language == 0 { "fwd=uri-miss" } else { "fwd=vary-miss" };
        assert!(status.contains("stored") && status.contains(forward), "{status}");
    }
    for language in 0..limit {
        assert_eq!(get(&node, language).await.0, "HIT", "{language} of {limit}");
    }
    assert_eq!(get(&node, limit).await.0, "MISS");
    assert_eq!(get(&node, limit).await.0, "HIT", "a new one takes the place of the oldest");
    for language in 1..limit {
        assert_eq!(get(&node, language).await.0, "HIT", "{language} is not the oldest");
    }
    assert_eq!(get(&node, 0).await.0, "MISS", "the oldest is gone");
}

#[tokio::test]
async fn a_key_has_thirty_two_variants_in_memory() {
    at_the_edge("memory://", "", 32).await;
}

#[tokio::test]
async fn a_key_has_as_many_variants_as_the_file_says() {
    at_the_edge("memory://", "[limits]\nvariants = 2\n", 2).await;
    at_the_edge("memory://", "[limits]\nvariants = 33\n", 33).await;
}

#[tokio::test]
async fn a_key_has_thirty_two_variants_in_redis_and_so_many_entries() {
    let redis = RedisServer::start();
    at_the_edge(&redis.url(), "", 32).await;
    let Reply::List(keys) = redis.command(&["KEYS", "/x*"]) else { panic!("no list of keys") };
    assert_eq!(keys.len(), 33, "the index and its slots: {keys:?}");
}

/// Whatever the order in which a crowd's answers are stored, each gets its own language.
#[tokio::test]
async fn a_crowd_of_variants_makes_no_more_entries_than_there_are_slots() {
    let redis = RedisServer::start();
    let origin = languages().await;
    let node = Node::on(origin.address, &redis.url(), "[limits]\nvariants = 4\n");
    super::support::connected(&node.client()).await;
    for _ in 0..3 {
        futures_util::future::join_all((0..60).map(|language| get(&node, language))).await;
    }
    let Reply::List(keys) = redis.command(&["KEYS", "/x*"]) else { panic!("no list of keys") };
    assert!(keys.len() <= 5, "{keys:?}");
}

#[tokio::test]
async fn a_write_drops_all_variants() {
    let origin = languages().await;
    let node = Node::start(origin.address, "");
    for language in 0..3 {
        get(&node, language).await;
        assert_eq!(get(&node, language).await.0, "HIT");
    }
    node.client().put("/x", "{}").await;
    for language in 0..3 {
        assert_eq!(get(&node, language).await.0, "MISS");
    }
}
