//! What somebody else has written where an entry was is a miss: never an error, never another answer.

use aside::rules::Tag;
use aside::store::{Change, PutOutcome, Since};

use crate::fixture::{InRedis, entry, fill, hit, key_tag, lookup, place, put, token};
use crate::redis::Reply;

const META: [&str; 7] = ["v", "key", "token", "tags", "fields", "about", "sum"];

/// After what was done to it the entry is a miss, and can be filled again.
async fn is_a_miss_and_recovers(redis: &InRedis, what: &str) {
    let apple = place("fruit:1");
    assert_eq!(hit(&redis.store, &apple).await, None, "{what}");
    fill(&redis.store, &apple, "apple").await;
    assert_eq!(hit(&redis.store, &apple).await.as_deref(), Some("apple"), "{what}");
}

#[tokio::test]
async fn halves_that_do_not_fit_are_a_miss() {
    let redis = InRedis::without_copies().await;
    fill(&redis.store, &place("fruit:1"), "apple").await;
    let attacks: [&[&[&str]]; 12] = [
        &[&["DEL", "{fruit:1}:meta"]],
        &[&["DEL", "fruit:1"]],
        &[&["DEL", "fruit:1"], &["LPUSH", "fruit:1", "a"]],
        &[&["DEL", "{fruit:1}:meta"], &["SET", "{fruit:1}:meta", "a"]],
        &[&["DEL", "{fruit:1}:meta"], &["HSET", "{fruit:1}:meta", "v", "1"]],
        &[&["SETRANGE", "fruit:1", "2", "P"]],
        &[&["SET", "fruit:1", "appl", "KEEPTTL"]],
        &[&["APPEND", "fruit:1", "s"]],
        &[&["SET", "fruit:1", "", "KEEPTTL"]],
        &[&["HSET", "{fruit:1}:meta", "v", "0"]],
        &[&["HDEL", "{fruit:1}:meta", "fields"]],
        &[&["HSET", "{fruit:1}:meta", "about", "{}"]],
    ];
    for attack in attacks {
        let before = redis.shared.unsound();
        for command in attack {
            assert!(!matches!(redis.server.command(command), Reply::Error(_)), "{command:?}");
        }
        is_a_miss_and_recovers(&redis, &format!("{attack:?}")).await;
        assert!(redis.shared.unsound() > before, "{attack:?} is not counted");
    }
}

#[tokio::test]
async fn an_entry_of_another_fingerprint_is_replaced_and_is_no_damage() {
    let redis = InRedis::without_copies().await;
    let (today, mut tomorrow) = (place("fruit:1"), place("fruit:1"));
    tomorrow.key.fingerprint = u64::MAX;
    fill(&redis.store, &today, "today").await;
    assert_eq!(hit(&redis.store, &tomorrow).await, None);
    assert_eq!(redis.shared.unsound(), 0);
    fill(&redis.store, &tomorrow, "tomorrow").await;
    let key = redis.server.command(&["HGET", "{fruit:1}:meta", "key"]);
    assert_eq!(key, Reply::Text(b"fruit ffffffffffffffff fruit:1".to_vec()));
    assert_eq!(hit(&redis.store, &today).await, None);
    assert_eq!(hit(&redis.store, &tomorrow).await.as_deref(), Some("tomorrow"));
}

#[tokio::test]
async fn a_flipped_bit_in_the_meta_is_a_miss() {
    let redis = InRedis::without_copies().await;
    let apple = place("fruit:1");
    for field in META {
        for bit in 0..8 {
            fill(&redis.store, &apple, "apple").await;
            let Reply::Text(mut bytes) = redis.server.command(&["HGET", "{fruit:1}:meta", field]) else {
                panic!("no {field}");
            };
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1 << bit;
            redis.server.command(&[b"HSET".as_slice(), b"{fruit:1}:meta", field.as_bytes(), &bytes]);
            is_a_miss_and_recovers(&redis, field).await;
        }
    }
}

#[tokio::test]
async fn another_keys_entry_under_this_name_is_a_miss() {
    let redis = InRedis::without_copies().await;
    fill(&redis.store, &place("fruit:1"), "apple").await;
    fill(&redis.store, &place("fruit:2"), "pear").await;
    redis.server.command(&["RENAME", "fruit:2", "fruit:1"]);
    redis.server.command(&["RENAME", "{fruit:2}:meta", "{fruit:1}:meta"]);
    is_a_miss_and_recovers(&redis, "renamed").await;
}

#[tokio::test]
async fn a_spoilt_record_is_a_new_life() {
    let redis = InRedis::without_copies().await;
    let (apple, record) = (place("fruit:1"), "aside:{aside}:gen");
    let attacks: [&[&[&str]]; 11] = [
        &[&["DEL", record]],
        &[&["DEL", record], &["SET", record, "a"]],
        &[&["DEL", record], &["LPUSH", record, "a"]],
        &[&["HSET", record, "epoch", "a"]],
        &[&["HSET", record, "epoch", "message"]],
        &[&["HSET", record, "epoch", "0123456789abcdeg"]],
        &[&["HSET", record, "replid", "a"]],
        &[&["HSET", record, "seq", "a"]],
        &[&["HSET", record, "seq", "9223372036854775807"]],
        &[&["HSET", record, "floor", "-1"]],
        &[&["HDEL", record, "floor"]],
    ];
    for attack in attacks {
        // By a lookup, by an invalidation, and by the fill that was under way.
        for by in ["lookup", "finish", "keep"] {
            let begun = fill(&redis.store, &apple, "old").await;
            for command in attack {
                assert!(!matches!(redis.server.command(command), Reply::Error(_)), "{command:?}");
            }
            match by {
                "finish" => drop(
                    redis
                        .store
                        .invalidate(Change::of(&key_tag("fruit:2")).since(&Since { token: begun, watched: Vec::new() }))
                        .await
                        .unwrap(),
                ),
                "keep" => {
                    let kept = put(&redis.store, &apple, entry(&apple, "old", begun)).await;
                    assert_eq!(kept, PutOutcome::RacedWrite, "{attack:?}");
                }
                _ => {}
            }
            assert_eq!(hit(&redis.store, &apple).await, None, "{attack:?} {by}");
            assert_ne!(token(&redis.store, &apple).await.epoch, begun.epoch);
        }
    }
    fill(&redis.store, &apple, "apple").await;
    assert_eq!(hit(&redis.store, &apple).await.as_deref(), Some("apple"));
}

#[tokio::test]
async fn a_spoilt_tag_counts_as_invalidated() {
    let redis = InRedis::without_copies().await;
    let apple = place("fruit:1");
    let begun = fill(&redis.store, &apple, "old").await;
    redis.server.command(&["HSET", "aside:{aside}:gen", "t:k:fruit fruit:1", "many"]);
    assert_eq!(hit(&redis.store, &apple).await, None);
    assert_eq!(put(&redis.store, &apple, entry(&apple, "old", begun)).await, PutOutcome::RacedWrite);
    redis.store.invalidate(Change::of(&[Tag::key("fruit", "fruit:1")])).await.unwrap();
    is_a_miss_and_recovers(&redis, "after the next invalidation").await;
}

#[tokio::test]
async fn names_of_pubsub_messages_confuse_nobody() {
    let redis = InRedis::without_copies().await;
    fill(&redis.store, &place("fruit:1"), "apple").await;
    for word in ["message", "pmessage", "smessage", "subscribe", "unsubscribe", "pubsub"] {
        for (key, field) in [("{fruit:1}:meta", "v"), ("{fruit:1}:meta", "key"), ("aside:{aside}:gen", "epoch")] {
            redis.server.command(&["HSET", key, field, word]);
            let mut bare = place("fruit:1");
            bare.tags = Vec::new().into();
            assert!(lookup(&redis.store, &bare).await.entry.is_none());
            is_a_miss_and_recovers(&redis, word).await;
        }
    }
}
