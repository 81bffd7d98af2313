//! What a person with `redis-cli` sees and may do.

use aside::rules::Tag;
use aside::store::{Change, RedisUrl, Shared, StoreSettings, StoreUrl};

use crate::fixture::{
    Harness, InRedis, entry, eventually, fill, hit, lookup, place, put, redis_settings, settings, token, usable,
};
use crate::redis::{RedisServer, Reply};
use aside::store::PutOutcome;

#[tokio::test]
async fn the_body_is_there_byte_for_byte() {
    let redis = InRedis::start().await;
    let apple = place("fruit:1");
    let mut written = entry(&apple, "", token(&redis.store, &apple).await);
    written.body = bytes::Bytes::from_static(b"{\"name\": \"\xc3\xa4pfel\"}\r\n\0\xff");
    put(&redis.store, &apple, written).await;
    assert_eq!(
        redis.server.command(&["GET", "fruit:1"]),
        Reply::Text(b"{\"name\": \"\xc3\xa4pfel\"}\r\n\0\xff".to_vec())
    );
}

#[tokio::test]
async fn the_keys_are_those_that_the_pages_promise() {
    let redis = InRedis::start().await;
    redis.server.command(&["FLUSHALL"]);
    fill(&redis.store, &place("fruit:1"), "apple").await;
    redis.store.invalidate(Change::of(&[Tag::key("fruit", "fruit:2")])).await.unwrap();
    let promised = ["aside:{aside}:gen", "aside:{aside}:held", "aside:{aside}:nodes", "fruit:1", "{fruit:1}:meta"];
    eventually("these keys", async || redis.server.command(&["KEYS", "*"]).texts() == promised).await;
    let record = redis.server.command(&["HKEYS", "aside:{aside}:gen"]).texts();
    assert_eq!(record, ["due", "epoch", "floor", "listed", "replid", "rules", "seq", "t:k:fruit fruit:2"]);
}

#[tokio::test]
async fn every_key_begins_with_the_prefix() {
    let server = RedisServer::start();
    let settings = StoreSettings { prefix: "app:".to_owned(), ..redis_settings(&server) };
    let redis = InRedis::start_with(server, settings).await;
    redis.server.command(&["FLUSHALL"]);
    fill(&redis.store, &place("fruit:1"), "apple").await;
    let keys = redis.server.command(&["KEYS", "*"]).texts();
    assert_eq!(keys, ["app:fruit:1", "aside:{app:}:gen", "{app:fruit:1}:meta"]);
}

#[tokio::test]
async fn both_halves_go_at_the_same_time() {
    let redis = InRedis::start().await;
    let apple = place("fruit:1");
    fill(&redis.store, &apple, "apple").await;
    let Reply::Number(end) = redis.server.command(&["PEXPIRETIME", "fruit:1"]) else { panic!("no time") };
    assert!(end > 0);
    assert_eq!(redis.server.command(&["PEXPIRETIME", "{fruit:1}:meta"]), Reply::Number(end));
    assert_eq!(redis.server.command(&["PTTL", "aside:{aside}:gen"]), Reply::Number(-1));
}

#[tokio::test]
async fn an_entry_that_is_of_no_use_any_more_is_kept_for_a_moment() {
    let redis = InRedis::start().await;
    let apple = place("fruit:1");
    let mut written = entry(&apple, "apple", token(&redis.store, &apple).await);
    written.lifetime.fresh_for = std::time::Duration::ZERO;
    written.lifetime.stale_if_error = std::time::Duration::ZERO;
    assert_eq!(put(&redis.store, &apple, written).await, PutOutcome::Stored);
    let Reply::Number(left) = redis.server.command(&["PTTL", "fruit:1"]) else { panic!("no time") };
    assert!(left <= 1000);
}

#[tokio::test]
async fn deleting_the_body_invalidates() {
    let redis = InRedis::start().await;
    let apple = place("fruit:1");
    fill(&redis.store, &apple, "old").await;
    redis.server.command(&["DEL", "fruit:1"]);
    assert_eq!(hit(&redis.store, &apple).await, None);
    fill(&redis.store, &apple, "new").await;
    assert_eq!(hit(&redis.store, &apple).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_deleted_newer_body_is_in_nobodys_way() {
    let redis = InRedis::start().await;
    let apple = place("fruit:1");
    let early = token(&redis.store, &apple).await;
    redis.store.invalidate(Change::of(&[Tag::key("fruit", "fruit:2")])).await.unwrap();
    fill(&redis.store, &apple, "newer").await;
    redis.server.command(&["DEL", "fruit:1"]);
    assert_eq!(put(&redis.store, &apple, entry(&apple, "older", early)).await, PutOutcome::Stored);
}

#[tokio::test]
async fn what_is_put_back_after_a_flush_stays_invalid() {
    let redis = InRedis::start().await;
    let apple = place("fruit:1");
    let begun = fill(&redis.store, &apple, "old").await;
    let halves = ["fruit:1", "{fruit:1}:meta"].map(|key| match redis.server.command(&["DUMP", key]) {
        Reply::Text(dump) => (key, dump),
        other => panic!("no dump: {other:?}"),
    });

    redis.server.command(&["FLUSHALL"]);
    assert_eq!(hit(&redis.store, &apple).await, None);
    assert_eq!(put(&redis.store, &apple, entry(&apple, "old", begun)).await, PutOutcome::RacedWrite);

    for (key, dump) in &halves {
        redis.server.command(&[b"RESTORE", key.as_bytes(), b"0", dump]);
    }
    let found = lookup(&redis.store, &apple).await;
    assert!(found.entry.is_none() && found.invalidated);
}

#[tokio::test]
async fn a_record_put_back_makes_nothing_valid_that_came_after() {
    let redis = InRedis::start().await;
    let apple = place("fruit:1");
    fill(&redis.store, &apple, "old").await;
    let Reply::Text(record) = redis.server.command(&["DUMP", "aside:{aside}:gen"]) else { panic!("no dump") };
    redis.store.invalidate(Change::of(&[Tag::key("fruit", "fruit:1")])).await.unwrap();
    let begun = fill(&redis.store, &apple, "new").await;

    redis.server.command(&[b"RESTORE".as_slice(), b"aside:{aside}:gen", b"0", &record, b"REPLACE"]);
    assert_eq!(hit(&redis.store, &apple).await, None, "its token is from the record's future");
    assert_eq!(put(&redis.store, &apple, entry(&apple, "new", begun)).await, PutOutcome::RacedWrite);
}

#[tokio::test]
async fn an_emptied_script_cache_does_no_harm() {
    let redis = InRedis::start().await;
    let apple = place("fruit:1");
    for _ in 0..2 {
        redis.server.command(&["SCRIPT", "FLUSH"]);
        fill(&redis.store, &apple, "apple").await;
        redis.server.command(&["SCRIPT", "FLUSH"]);
        redis.store.invalidate(Change::of(&[Tag::key("fruit", "fruit:1")])).await.unwrap();
        assert_eq!(hit(&redis.store, &apple).await, None);
        redis.server.command(&["SCRIPT", "FLUSH"]);
        redis.server.command(&["DEL", "aside:{aside}:gen"]);
    }
}

#[tokio::test]
async fn two_routes_of_one_name_never_share_an_entry() {
    let redis = InRedis::start().await;
    let (apple, mut other) = (place("1"), place("1"));
    other.key.route = "vegetable".into();
    fill(&redis.store, &apple, "apple").await;
    assert_eq!(hit(&redis.store, &other).await, None);
    fill(&redis.store, &other, "leek").await;
    assert_eq!(hit(&redis.store, &other).await.as_deref(), Some("leek"));
    assert_eq!(hit(&redis.store, &apple).await, None);
}

#[tokio::test]
async fn a_socket_file_and_a_database_number_are_understood() {
    let server = RedisServer::start_with(&["--unixsocket", "redis.sock"]);
    let socket = format!("redis+unix://{}", server.folder().join("redis.sock").display());
    let numbered = format!("{}/3", server.url());
    for url in [socket, numbered] {
        let store = Shared::new(&settings(StoreUrl::Redis(RedisUrl::parse(&url).unwrap()))).attach();
        usable(&store).await;
        assert_eq!(hit(&store, &place("fruit:1")).await, None, "{url}");
        fill(&store, &place("fruit:1"), "apple").await;
        assert_eq!(hit(&store, &place("fruit:1")).await.as_deref(), Some("apple"), "{url}");
    }
    assert_eq!(server.command(&["EXISTS", "fruit:1"]), Reply::Number(1), "in database 0, by the socket");
}
