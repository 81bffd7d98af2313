//! What Redis alone can do to an invalidation with an entry; and what a record looks like after a flood.

use std::sync::Arc;

use aside::rules::Tag;
use aside::store::{Change, Expect, Fault, Kind, Otherwise, PutOutcome, RedisUrl, StoreUrl};

use crate::fixture::{
    Harness, InRedis, down, entry, eventually, fill, hit, key_tag, lookup, place, put, redis_settings, settings, token,
};
use crate::put::{since, written};
use crate::redis::{RedisServer, Reply};

const RECORD: &str = "aside:{aside}:gen";

#[tokio::test]
async fn a_full_redis_takes_the_invalidation_without_the_entry() {
    let redis = InRedis::start().await;
    let (store, apple, tags) = (&redis.store, place("fruit:1"), key_tag("fruit:1"));
    for (otherwise, left) in [(Otherwise::Nothing, Some("old")), (Otherwise::Invalidate, None)] {
        let begun = fill(store, &apple, "old").await;
        redis.server.command(&["CONFIG", "SET", "maxmemory", "1"]);
        let entry = written(&apple, "new", Kind::Written);
        let (finished, kept) =
            store.invalidate_and_put(Change::of(&tags), &since(begun), &apple, entry, otherwise).await.unwrap();
        assert_eq!(kept, Err(Fault::Full));
        assert_eq!(hit(store, &apple).await.as_deref(), left);
        assert_eq!(token(store, &apple).await, finished.token);
        redis.server.command(&["CONFIG", "SET", "maxmemory", "0"]);
        let entry = written(&apple, "new", Kind::Written);
        let (_, kept) = store
            .invalidate_and_put(Change::of(&tags), &since(finished.token), &apple, entry, otherwise)
            .await
            .unwrap();
        assert_eq!(kept, Ok(PutOutcome::Stored));
    }
}

#[tokio::test]
async fn an_entry_that_cannot_be_written_leaves_nothing_half_written() {
    let server = RedisServer::start();
    // Whoever may not set a time to live fails half way.
    server.command(&["ACL", "SETUSER", "poor", "on", ">word", "~*", "&*", "+@all"]);
    let url = format!("redis://poor:word@127.0.0.1:{}", server.port());
    let settings = settings(StoreUrl::Redis(RedisUrl::parse(&url).unwrap()));
    let redis = InRedis::start_with(server, settings).await;
    let rich = InRedis::node(&redis).await.1;
    // A session does not begin without that right, but may lose it.
    redis.server.command(&["ACL", "SETUSER", "poor", "-pexpireat"]);
    let (store, apple) = (&redis.store, place("fruit:1"));
    let begun = fill(&rich, &apple, "old").await;
    for expect in [Expect::Any, Expect::Entry(lookup(&rich, &apple).await.entry.unwrap())] {
        fill(&rich, &apple, "old").await;
        let again = store.put(&apple, Arc::new(entry(&apple, "old", begun)), expect).await;
        assert!(matches!(again, Err(Fault::Refused(_))), "{again:?}");
        assert_eq!(redis.server.command(&["EXISTS", "fruit:1", "{fruit:1}:meta"]), Reply::Number(0));
    }
    fill(&rich, &apple, "old").await;
    let entry = written(&apple, "new", Kind::Written);
    let put = store
        .invalidate_and_put(Change::of(&key_tag("fruit:1")), &since(begun), &apple, entry, Otherwise::Invalidate)
        .await;
    let (finished, kept) = put.unwrap();
    assert!(matches!(kept, Err(Fault::Refused(_))), "{kept:?}");
    assert_eq!(redis.server.command(&["EXISTS", "fruit:1", "{fruit:1}:meta"]), Reply::Number(0));
    assert_eq!(token(&rich, &apple).await, finished.token);
    assert!(finished.token.seq > begun.seq);
}

#[tokio::test]
async fn both_halves_are_as_those_of_a_fill() {
    let redis = InRedis::start().await;
    let (store, apple) = (&redis.store, place("fruit:1"));
    let begun = token(store, &apple).await;
    let entry = written(&apple, "new", Kind::Written);
    let put = store
        .invalidate_and_put(Change::of(&key_tag("fruit:1")), &since(begun), &apple, entry, Otherwise::Nothing)
        .await;
    assert_eq!(put.unwrap().1, Ok(PutOutcome::Stored));
    let Reply::Number(end) = redis.server.command(&["PEXPIRETIME", "fruit:1"]) else { panic!("no time") };
    assert!(end > 0);
    assert_eq!(redis.server.command(&["PEXPIRETIME", "{fruit:1}:meta"]), Reply::Number(end));
    let written = lookup(store, &apple).await.entry.unwrap();
    let by_fill = crate::expect::put_expecting(store, &apple, aside::store::Expect::Entry(written.clone()), {
        let mut same = crate::fixture::entry(&apple, "new", written.token);
        same.kind = Kind::Written;
        same
    });
    let meta = || redis.server.command(&["HGETALL", "{fruit:1}:meta"]);
    let before = meta();
    assert_eq!(by_fill.await, PutOutcome::Stored);
    assert_eq!(meta(), before);
}

/// A store with an old entry whose Redis stands still while a new one is put; what is there once it goes on.
async fn unconfirmed(kind: Kind, otherwise: Otherwise) -> Option<String> {
    let server = RedisServer::start();
    let settings =
        aside::store::StoreSettings { timeout: std::time::Duration::from_millis(400), ..redis_settings(&server) };
    let redis = InRedis::start_with(server, settings).await;
    let (store, apple) = (&redis.store, place("fruit:1"));
    let begun = fill(store, &apple, "old").await;
    redis.server.pause();
    let entry = written(&apple, "new", kind);
    let put = store.invalidate_and_put(Change::of(&key_tag("fruit:1")), &since(begun), &apple, entry, otherwise).await;
    assert_eq!(put.unwrap_err(), Fault::Timeout);
    if otherwise == Otherwise::Invalidate {
        down(store).await;
    }
    redis.server.resume();
    eventually("the store answers", async || store.lookup(&apple).await.is_ok()).await;
    let found = lookup(store, &apple).await.entry;
    found.map(|entry| String::from_utf8_lossy(&entry.body).into_owned())
}

#[tokio::test]
async fn what_nobody_confirmed_is_pending_and_its_entry_is_not_there_after_that() {
    assert_eq!(unconfirmed(Kind::Written, Otherwise::Invalidate).await, None);
}

#[tokio::test]
async fn where_both_happen_or_nothing_no_answered_write_is_lost_for_want_of_an_answer() {
    let found = unconfirmed(Kind::CacheOnly, Otherwise::Nothing).await;
    assert!(matches!(found.as_deref(), Some("old" | "new")), "{found:?}");
}

#[tokio::test]
async fn a_record_lists_so_many_tags_and_no_more() {
    let redis = InRedis::start().await;
    let length = || match redis.server.command(&["HLEN", RECORD]) {
        Reply::Number(length) => length,
        other => panic!("no length: {other:?}"),
    };
    for batch in 0..30 {
        let tags: Vec<Tag> = (0..700).map(|n| Tag::key("fruit", &format!("{batch}:{n}"))).collect();
        redis.store.invalidate(Change::of(&tags)).await.unwrap();
        assert!(length() <= 10_008);
    }
    let number = |field| redis.server.command(&["HGET", RECORD, field]).text().parse::<i64>().unwrap();
    assert_eq!(number("floor"), 0);
    assert!(number("f:fruit") > 0);
    assert_eq!(
        number("listed"),
        length() - 8,
        "all but six fields of the record, where the last look ended, and the route"
    );

    // What somebody has spoilt of it is reckoned anew, from all fields that are there.
    redis.server.command(&["HSET", RECORD, "listed", "many"]);
    redis.store.invalidate(Change::of(&key_tag("fruit:1"))).await.unwrap();
    assert!((9_000..=10_000).contains(&number("listed")));

    redis.store.invalidate(Change::of(&[Tag::everything()])).await.unwrap();
    assert!((5..=6).contains(&length()), "nothing that is listed lies above it");
}

/// More routes than tags are listed, each with one: the list is not gone through for each.
#[tokio::test]
async fn very_many_routes_with_few_tags_each_stay_bounded_too() {
    let redis = InRedis::start().await;
    for batch in 0..11 {
        let tags: Vec<Tag> = (0..1000).map(|n| Tag::key(&format!("route-{batch}-{n}"), "1")).collect();
        redis.store.invalidate(Change::of(&tags)).await.unwrap();
    }
    let listed = redis.server.command(&["HGET", RECORD, "listed"]).text();
    assert!(listed.parse::<u64>().unwrap() <= 10_000, "{listed}");
    let place = crate::fixture::place_in("route-0-1", "1");
    let begun = token(&redis.store, &place).await;
    assert_eq!(put(&redis.store, &place, entry(&place, "new", begun)).await, PutOutcome::Stored);
}
