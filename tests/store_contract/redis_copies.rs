//! Copies in memory of what is in Redis: a hit reads no body, and whatever becomes of the entry there is seen.

use aside::clock::Stopwatch;
use aside::rules::{EntryRef, Tag};
use aside::store::{Change, PutOutcome, PutOutcome::Stored, Shared, StoreSettings};
use futures_util::future::{FutureExt, join_all};

use crate::fixture::{
    Harness, InRedis, entry, eventually, fill, hit, key_tag, lookup, place, put, redis_settings, tagged_entry, token,
    usable,
};
use crate::redis::{RedisServer, Reply};

/// How often each command was carried out.
fn calls<const COMMANDS: usize>(server: &RedisServer, commands: [&str; COMMANDS]) -> [u64; COMMANDS] {
    let Reply::Text(info) = server.command(&["INFO", "commandstats"]) else { panic!("no statistics") };
    let info = String::from_utf8(info).unwrap();
    commands.map(|command| {
        let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.and_then(|line| line.split(',').next()).map_or(0, |calls| calls.parse().unwrap())
    })
}

/// What each of these commands is carried out for `count` hits. A second after the last time each is read in full.
async fn of_hits(redis: &InRedis, at: &EntryRef, count: u64) -> [u64; 3] {
    let commands = ["get", "strlen", "hmget", "evalsha"];
    let (begun, before) = (Stopwatch::start(), calls(&redis.server, commands));
    for _ in 0..count {
        assert!(hit(&redis.store, at).await.is_some());
    }
    let after = calls(&redis.server, commands);
    let [gets, lengths, fields, scripts] = [0, 1, 2, 3].map(|n| after[n] - before[n]);
    // Each renewal's script asks for fields of the record, too.
    let fields = fields - scripts;
    assert!(gets <= begun.elapsed().as_secs() + 1, "{gets} bodies read");
    [gets, lengths, fields]
}

#[tokio::test]
async fn a_hit_asks_once_and_for_no_body() {
    let redis = InRedis::start().await;
    let apple = place("fruit:1");
    let named = [Tag::named("sweet"), Tag::named("red")];
    let begun = token(&redis.store, &apple).await;
    let kept = put(&redis.store, &apple, tagged_entry(&apple, "apple", begun, &named)).await;
    assert_eq!(kept, PutOutcome::Stored);

    let validated = redis.shared.validated();
    let [gets, lengths, fields] = of_hits(&redis, &apple, 200).await;
    assert_eq!(gets + lengths, 200);
    assert_eq!(fields, 400, "the tags that the response alone has named are asked for with the others");
    assert_eq!(redis.shared.validated() - validated, lengths);
}

#[tokio::test]
async fn cores_share_copies_and_an_entry_that_was_read_is_one() {
    let redis = InRedis::start().await;
    let apple = place("fruit:1");
    fill(&redis.store, &apple, "apple").await;
    let (other, core) = redis.node().await;
    let begun = (Stopwatch::start(), other.validated());
    assert_eq!(hit(&core, &apple).await.as_deref(), Some("apple"));
    let second = other.attach();
    usable(&second).await;
    for _ in 0..100 {
        assert_eq!(hit(&second, &apple).await.as_deref(), Some("apple"));
    }
    assert!(other.validated() - begun.1 >= 99 - begun.0.elapsed().as_secs());
    let first = lookup(&core, &apple).await.entry.unwrap();
    let again = lookup(&second, &apple).await.entry.unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &again), "what hits have made of it is made once");
}

#[tokio::test]
async fn what_looks_in_from_outside_reads_past_the_copies() {
    let redis = InRedis::start().await;
    fill(&redis.store, &place("fruit:1"), "apple").await;
    let reader = redis.shared.attach_reader().await.unwrap();
    let [before] = calls(&redis.server, ["get"]);
    for _ in 0..3 {
        assert_eq!(hit(&reader, &place("fruit:1")).await.as_deref(), Some("apple"));
    }
    assert_eq!(calls(&redis.server, ["get"]), [before + 3]);
}

#[tokio::test]
async fn what_becomes_of_the_entry_is_seen_at_once() {
    let redis = InRedis::start().await;
    let (apple, body, meta) = (place("fruit:1"), "fruit:1", "{fruit:1}:meta");
    let attacks: [&[&[&str]]; 11] = [
        &[&["DEL", body]],
        &[&["SET", body, "pineapple"]],
        &[&["APPEND", body, "s"]],
        &[&["DEL", body], &["LPUSH", body, "a"]],
        &[&["DEL", meta]],
        &[&["DEL", meta], &["SET", meta, "a"]],
        &[&["HSET", meta, "sum", "0123456789abcdef@0000000000000000:0"]],
        &[&["HDEL", meta, "sum"]],
        &[&["DEL", "aside:{aside}:gen"]],
        &[&["HSET", "aside:{aside}:gen", "replid", "a"]],
        &[&["FLUSHALL"]],
    ];
    for text in ["apple", ""] {
        for attack in attacks {
            fill(&redis.store, &apple, text).await;
            assert_eq!(hit(&redis.store, &apple).await.as_deref(), Some(text));
            for command in attack {
                assert!(!matches!(redis.server.command(command), Reply::Error(_)), "{command:?}");
            }
            assert_eq!(hit(&redis.store, &apple).await, None, "{attack:?} of {text:?}");
        }
    }
}

#[tokio::test]
async fn what_keeps_length_and_sum_is_seen_within_a_second() {
    let redis = InRedis::start().await;
    let (apple, body, meta) = (place("fruit:1"), "fruit:1", "{fruit:1}:meta");
    let attacks: [&[&str]; 4] = [
        &["SET", body, "melon"],
        &["SETRANGE", body, "2", "P"],
        &["HSET", meta, "about", "{}"],
        &["HDEL", meta, "fields"],
    ];
    for attack in attacks {
        fill(&redis.store, &apple, "apple").await;
        redis.server.command(attack);
        let what = format!("{attack:?} is seen");
        eventually(&what, async || match hit(&redis.store, &apple).await {
            None => true,
            Some(text) => {
                assert_eq!(text, "apple", "{attack:?}: never what somebody else has written");
                false
            }
        })
        .await;
    }
}

#[tokio::test]
async fn another_nodes_entry_and_invalidation_are_seen_at_once() {
    let redis = InRedis::start().await;
    let (_, other) = redis.node().await;
    let (apple, named) = (place("fruit:1"), Tag::named("sweet"));
    for n in 0..20 {
        let (old, new) = (format!("old {n:02}"), format!("new {n:02}"));
        fill(&redis.store, &apple, &old).await;
        assert_eq!(hit(&redis.store, &apple).await, Some(old));
        let begun = token(&other, &apple).await;
        let entry = tagged_entry(&apple, &new, begun, std::slice::from_ref(&named));
        assert_eq!(put(&other, &apple, entry).await, PutOutcome::Stored);
        assert_eq!(hit(&redis.store, &apple).await, Some(new), "of the same length, and no write between");
        let tags = if n % 2 == 0 { key_tag("fruit:1") } else { [named.clone()] };
        other.invalidate(Change::of(&tags)).await.unwrap();
        let found = lookup(&redis.store, &apple).await;
        assert!(found.entry.is_none() && found.invalidated);
    }
}

#[tokio::test]
async fn a_tag_of_the_key_that_the_copy_lacks_counts_too() {
    let redis = InRedis::start().await;
    let apple = place("fruit:1");
    fill(&redis.store, &apple, "apple").await;
    assert_eq!(hit(&redis.store, &apple).await.as_deref(), Some("apple"));
    let mut more = place("fruit:1");
    more.tags = [&**more.tags, &[Tag::named("new")]].concat().into();
    assert_eq!(hit(&redis.store, &more).await.as_deref(), Some("apple"));
    redis.store.invalidate(Change::of(&[Tag::named("new")])).await.unwrap();
    assert_eq!(hit(&redis.store, &more).await, None);
}

#[tokio::test]
async fn copies_stay_within_their_bound() {
    let server = RedisServer::start();
    let settings = StoreSettings { memory: 1 << 20, ..redis_settings(&server) };
    let redis = InRedis::start_with(server, settings).await;
    let text = "x".repeat(1500);
    for n in 0..1000 {
        fill(&redis.store, &place(&n.to_string()), &text).await;
        assert!(redis.shared.weight_held() <= 1 << 20);
    }
    assert!(redis.shared.weight_held() > 1 << 19, "half of what there is room for: {}", redis.shared.weight_held());
    for n in 0..1000 {
        assert_eq!(hit(&redis.store, &place(&n.to_string())).await.as_deref(), Some(&*text), "{n}");
    }
    assert!(redis.shared.weight_held() <= 1 << 20);
}

#[tokio::test]
async fn what_is_larger_than_the_bound_is_read_each_time() {
    let server = RedisServer::start();
    let settings = StoreSettings { memory: 1 << 20, ..redis_settings(&server) };
    let redis = InRedis::start_with(server, settings.clone()).await;
    let (large, text) = (place("large"), "x".repeat(2 << 20));
    fill(&redis.store, &large, &text).await;
    let [before] = calls(&redis.server, ["get"]);
    for _ in 0..3 {
        assert_eq!(hit(&redis.store, &large).await.as_deref(), Some(&*text));
    }
    assert_eq!(calls(&redis.server, ["get"]), [before + 3]);
    assert_eq!(redis.shared.validated(), 0);

    let without = Shared::new(&StoreSettings { memory: 0, ..settings });
    let store = without.attach();
    usable(&store).await;
    put(&store, &place("fruit:1"), entry(&place("fruit:1"), "apple", token(&store, &place("fruit:1")).await)).await;
    assert_eq!(hit(&store, &place("fruit:1")).await.as_deref(), Some("apple"));
    assert_eq!((without.validated(), without.weight_held()), (0, 0), "no memory, no copies");
}

#[tokio::test]
async fn tags_of_an_older_copy_say_nothing_of_the_entry_that_took_its_place() {
    let redis = InRedis::start().await;
    let (_, other) = redis.node().await;
    let (apple, named) = (place("fruit:1"), [Tag::named("sweet")]);
    let begun = token(&redis.store, &apple).await;
    put(&redis.store, &apple, tagged_entry(&apple, "sweet", begun, &named)).await;
    assert_eq!(hit(&redis.store, &apple).await.as_deref(), Some("sweet"));
    assert_eq!(put(&other, &apple, entry(&apple, "sour", begun)).await, PutOutcome::Stored);
    other.invalidate(Change::of(&named)).await.unwrap();
    assert_eq!(hit(&redis.store, &apple).await.as_deref(), Some("sour"));
}

#[tokio::test]
async fn lookups_at_one_time_ask_once_and_each_is_told_of_its_own() {
    let redis = InRedis::start().await;
    // More copies than one batch has.
    let places: Vec<EntryRef> = (0..40).map(|n| place(&n.to_string())).collect();
    for (n, place) in places.iter().enumerate() {
        let named = [Tag::named(&format!("of {n}"))];
        let begun = token(&redis.store, place).await;
        assert_eq!(put(&redis.store, place, tagged_entry(place, &format!("body {n}"), begun, &named)).await, Stored);
    }
    for round in 0..3 {
        match round {
            0 => {}
            1 => drop(redis.store.invalidate(Change::of(&[Tag::named("of 7"), Tag::named("of 39")])).await.unwrap()),
            _ => {
                redis.server.command(&["DEL", "3"]);
                redis.server.command(&["DEL", "{20}:meta"]);
                redis.server.command(&["DEL", "30"]);
                redis.server.command(&["LPUSH", "30", "a"]);
            }
        }
        let gone: &[usize] = [&[][..], &[7, 39], &[3, 7, 20, 30, 39]][round];
        let before = calls(&redis.server, ["strlen"]);
        let asked = places.iter().cycle().take(200).map(|place| hit(&redis.store, place));
        for (at, found) in join_all(asked).await.into_iter().enumerate() {
            let n = at % places.len();
            let expected = (!gone.contains(&n)).then(|| format!("body {n}"));
            assert_eq!(found, expected, "round {round}, entry {n}");
        }
        let [asked] = calls(&redis.server, ["strlen"]);
        assert!(asked - before[0] <= 200, "{} lengths asked for", asked - before[0]);
    }
}

#[tokio::test]
async fn those_who_ask_the_same_ask_it_once_and_nobody_needs_another_one() {
    let redis = InRedis::start().await;
    let apple = place("fruit:1");
    fill(&redis.store, &apple, "apple").await;
    let (begun, before) = (Stopwatch::start(), calls(&redis.server, ["strlen", "hmget"]));
    for _ in 0..20 {
        let mut asked: Vec<_> = (0..50).map(|_| Box::pin(hit(&redis.store, &apple))).collect();
        // Whoever asked first goes before anybody is told.
        for early in &mut asked {
            assert!(early.as_mut().now_or_never().is_none());
        }
        drop(asked.remove(0));
        for found in join_all(asked).await {
            assert_eq!(found.as_deref(), Some("apple"));
        }
    }
    let after = calls(&redis.server, ["strlen", "hmget"]);
    let in_full = 2 * 50 * (begun.elapsed().as_secs() + 1);
    assert!(after[0] - before[0] <= 20, "{} lengths", after[0] - before[0]);
    assert!(after[1] - before[1] <= 40 + in_full, "{} other questions", after[1] - before[1]);
}

#[tokio::test]
async fn who_asks_after_a_write_is_not_told_what_was_asked_before_it() {
    let redis = InRedis::start().await;
    let (apple, tags) = (place("fruit:1"), key_tag("fruit:1"));
    for _ in 0..50 {
        fill(&redis.store, &apple, "apple").await;
        let ask = || (0..20).map(|_| Box::pin(hit(&redis.store, &apple))).collect::<Vec<_>>();
        let mut early = ask();
        for early in &mut early {
            assert!(early.as_mut().now_or_never().is_none());
        }
        let (_, late) = tokio::join!(join_all(early), async {
            redis.store.invalidate(Change::of(&tags)).await.unwrap();
            join_all(ask()).await
        });
        assert!(late.iter().all(Option::is_none), "{late:?}");
    }
}
