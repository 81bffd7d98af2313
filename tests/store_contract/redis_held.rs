//! What a person with `redis-cli` sees of writes under way and of what is held, and what spoils it.

use aside::clock::Clock;
use aside::rules::Tag;
use aside::store::{Change, Intent, Mark, PutOutcome, Store};

use crate::fixture::{Harness, InRedis, entry, eventually, fill, hit, key_tag, place, put, token};
use crate::redis::{RedisServer, Reply};

const RECORD: &str = "aside:{aside}:gen";
const HELD: &str = "aside:{aside}:held";
const PEND: &str = "aside:{aside}:pend";

/// A write to `fruit:1` that may drop its season, too.
fn intent() -> Intent {
    Intent { held: key_tag("fruit:1").to_vec(), others: vec![Tag::named("season")] }
}

async fn mark(store: &Store) -> Mark {
    store.mark(intent()).await.unwrap()
}

fn number(server: &RedisServer, command: &[&str]) -> i64 {
    match server.command(command) {
        Reply::Number(number) => number,
        other => panic!("no number: {other:?}"),
    }
}

/// The fields of a hash and their values.
fn hash(server: &RedisServer, key: &str) -> Vec<(String, String)> {
    let Reply::List(items) = server.command(&["HGETALL", key]) else { panic!("no hash") };
    items.chunks(2).map(|pair| (pair[0].text(), pair[1].text())).collect()
}

#[tokio::test]
async fn a_mark_says_what_the_write_may_change_and_ends_with_it() {
    let redis = InRedis::start().await;
    let (store, server) = (&redis.store, &redis.server);
    assert!(store.mark(Intent::default()).await.unwrap().intent().is_empty());
    assert_eq!(number(server, &["HLEN", PEND]), 0, "nobody has to know of a write that changes nothing");

    let first = mark(store).await;
    let [(id, note)] = &hash(server, PEND)[..] else { panic!("one mark") };
    let (node, number_of) = id.split_once('.').unwrap();
    assert_eq!((node.len(), number_of), (16, "0.0"));
    let told = format!(r#"{{"node":"{node}","generation":0,"held":["k:fruit fruit:1"],"others":["n:season"]}}"#);
    assert_eq!(*note, told);
    let done = store.invalidate(Change::of(&key_tag("fruit:1")).ending(&first)).await.unwrap();
    assert!(done.marked);
    assert_eq!(number(server, &["HLEN", PEND]), 0);
    assert!(!store.invalidate(Change::of(&key_tag("fruit:1")).ending(&first)).await.unwrap().marked);

    let refused = mark(store).await;
    assert_eq!(number(server, &["HLEN", PEND]), 1);
    store.unmark(refused);
    eventually("the mark has ended", async || number(server, &["HLEN", PEND]) == 0).await;

    let unknown = mark(store).await;
    assert!(store.hold(&unknown).await.unwrap().marked);
    assert_eq!(number(server, &["HLEN", PEND]), 0);
}

#[tokio::test]
async fn what_is_held_says_so_and_until_when() {
    let redis = InRedis::start().await;
    let (store, server, apple) = (&redis.store, &redis.server, place("fruit:1"));
    fill(store, &apple, "old").await;
    let before = Clock::System.now();
    store.hold(&mark(store).await).await.unwrap();
    assert_eq!(hit(store, &apple).await, None);
    let begun = token(store, &apple).await;
    assert_eq!(put(store, &apple, entry(&apple, "old", begun)).await, PutOutcome::RacedWrite);

    let field = server.command(&["HGET", RECORD, "t:k:fruit fruit:1"]).text();
    let (until, owner) = field.strip_prefix('q').unwrap().split_once(' ').unwrap();
    assert!(owner.ends_with(".0.0"), "{owner}");
    let until: u64 = until.parse().unwrap();
    assert!((before + 60_000..before + 90_000).contains(&until));
    let listed = hash(server, HELD);
    assert!(listed.contains(&("k:fruit fruit:1".to_owned(), field)));
    let (_, again) = listed.iter().find(|(tag, _)| tag == "n:season").unwrap();
    let times: Vec<u64> = again.strip_prefix('a').unwrap().split(' ').map(|time| time.parse().unwrap()).collect();
    assert_eq!(times, [until, until - 50_000, until - 59_000]);
}
