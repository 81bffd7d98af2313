//! What a person does in Redis to the entry that another one is built upon; and how long an index lives.

use std::sync::Arc;
use std::time::Duration;

use aside::store::{Change, Expect, Kind, PutOutcome, StoredResponse};
use bytes::Bytes;

use crate::expect::{found, put_expecting};
use crate::fixture::{Harness, InRedis, entry, fill, hit, place, put, token};
use crate::redis::Reply;

#[tokio::test]
async fn what_a_person_deleted_or_changed_is_not_brought_back() {
    let redis = InRedis::without_copies().await;
    let (store, apple) = (&redis.store, place("fruit:1"));
    let attacks: [&[&[&str]]; 9] = [
        &[&["DEL", "fruit:1"]],
        &[&["DEL", "{fruit:1}:meta"]],
        &[&["DEL", "fruit:1", "{fruit:1}:meta"]],
        &[&["SET", "fruit:1", "NEW"]],
        &[&["SET", "fruit:1", "NEW", "KEEPTTL"]],
        &[&["DEL", "fruit:1"], &["LPUSH", "fruit:1", "old"]],
        &[&["HDEL", "{fruit:1}:meta", "token"]],
        &[&["HSET", "{fruit:1}:meta", "tags", "[[1]]"]],
        &[&["PEXPIRE", "fruit:1", "0"]],
    ];
    for attack in attacks {
        let begun = fill(store, &apple, "old").await;
        let old = found(store, &apple).await;
        for command in attack {
            assert!(!matches!(redis.server.command(command), Reply::Error(_)), "{command:?}");
        }
        let mut fresher = entry(&apple, "old", begun);
        fresher.response_time += 1;
        let kept = put_expecting(store, &apple, Expect::Entry(old), fresher).await;
        assert_eq!(kept, PutOutcome::Gone, "{attack:?}");
        assert_eq!(hit(store, &apple).await, None, "{attack:?}");
    }
}

#[tokio::test]
async fn a_fill_that_began_with_nothing_is_kept_where_somebody_left_half_an_entry() {
    let redis = InRedis::start().await;
    let (store, apple) = (&redis.store, place("fruit:1"));
    for command in [&["DEL", "fruit:1"][..], &["DEL", "{fruit:1}:meta"], &["SET", "fruit:1", "junk"]] {
        let begun = fill(store, &apple, "old").await;
        redis.server.command(command);
        assert_eq!(put_expecting(store, &apple, Expect::Absent, entry(&apple, "new", begun)).await, PutOutcome::Stored);
        assert_eq!(hit(store, &apple).await.as_deref(), Some("new"));
    }
}

async fn kept_for(redis: &InRedis, kind: Kind, seconds: u64) -> u64 {
    let fruit = place("fruit:1");
    let StoredResponse { status, fields, mut lifetime, flags, tags, token, response_time, .. } =
        entry(&fruit, "", token(&redis.store, &fruit).await);
    lifetime.fresh_for = Duration::from_secs(seconds);
    let (body, age) = (Bytes::from_static(b"0"), Duration::ZERO);
    let marker = StoredResponse::new(kind, status, fields, body, response_time, age, lifetime, flags, tags, token);
    assert_eq!(put(&redis.store, &fruit, marker).await, PutOutcome::Stored);
    let Reply::Number(end) = redis.server.command(&["PEXPIRETIME", "fruit:1"]) else { panic!("no time") };
    assert_eq!(redis.server.command(&["PEXPIRETIME", "{fruit:1}:meta"]), Reply::Number(end));
    u64::try_from(end).unwrap()
}

#[tokio::test]
async fn an_index_lives_as_long_as_its_longest_variant() {
    const A_DAY: u64 = 86_400;
    let redis = InRedis::start().await;
    let first = kept_for(&redis, Kind::VaryIndex, A_DAY).await;
    // The time left is in whole milliseconds.
    assert!(kept_for(&redis, Kind::VaryIndex, 1).await + 1 >= first, "a short-lived variant came");
    assert!(kept_for(&redis, Kind::VaryIndex, 2 * A_DAY).await >= first + A_DAY * 1000, "a longer one came");

    let short = kept_for(&redis, Kind::Response, 1).await;
    assert!(short < first, "an answer that does not vary takes its place");
    assert!(kept_for(&redis, Kind::VaryIndex, 1).await < first);
    kept_for(&redis, Kind::VaryIndex, A_DAY).await;
    redis.store.invalidate(Change::of(&crate::fixture::key_tag("fruit:1"))).await.unwrap();
    assert!(kept_for(&redis, Kind::VaryIndex, 1).await < first, "the one before was made old");
}

#[tokio::test]
async fn an_index_is_built_upon_like_any_other_entry() {
    let redis = InRedis::start().await;
    let fruit = place("fruit:1");
    kept_for(&redis, Kind::VaryIndex, 60).await;
    let index = found(&redis.store, &fruit).await;
    let late = || entry(&fruit, "late", index.token);
    redis.server.command(&["DEL", "fruit:1"]);
    assert_eq!(put_expecting(&redis.store, &fruit, Expect::Entry(Arc::clone(&index)), late()).await, PutOutcome::Gone);
    fill(&redis.store, &fruit, "new").await;
    assert_eq!(put_expecting(&redis.store, &fruit, Expect::Entry(index.clone()), late()).await, PutOutcome::NewerFill);
}
