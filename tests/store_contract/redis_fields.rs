//! The field of a tag, and the floor, mean the same to a lookup, which reads them here, and to the scripts.

use aside::rules::Tag;
use aside::store::PutOutcome;

use crate::fixture::{Harness, InRedis, entry, lookup, place, put, token};
use crate::redis::Reply;
use crate::redis_held::{RECORD, run};

/// What a field may say, and where it was last invalidated by it, hard and softly: `None` for beyond every point.
const FIELDS: [(&str, Option<(u64, u64)>); 24] = [
    ("0", Some((0, 0))),
    ("2", Some((2, 0))),
    ("002", Some((2, 0))),
    ("s3", Some((0, 3))),
    ("2s3", Some((2, 3))),
    ("3s2", Some((3, 2))),
    ("999999999999999", Some((999_999_999_999_999, 0))),
    ("s999999999999999", Some((0, 999_999_999_999_999))),
    ("1000000000000000", None),
    ("s1000000000000000", None),
    ("1000000000000000s1", None),
    ("", None),
    ("s", None),
    ("2s", None),
    ("2s3s4", None),
    ("-1", None),
    ("+1", None),
    (" 1", None),
    ("1e3", None),
    ("1.0", None),
    ("many", None),
    ("q1", None),
    ("q1 *", None),
    ("q99999999999999 a.0.1", None),
];

#[tokio::test]
async fn a_lookup_and_the_scripts_read_a_field_alike() {
    let redis = InRedis::start().await;
    for (text, last) in FIELDS {
        let lines = format!("local hard, soft = parse_mark('{text}') return {{ digits(hard), digits(soft) }}");
        let Reply::List(read) = run(&redis.server, &lines) else { panic!("no list") };
        let read = last.map(|_| (read[0].text().parse().unwrap(), read[1].text().parse().unwrap()));
        assert_eq!(read, last, "{text}");
        for field in ["t:k:fruit fruit:1", "f:fruit", "t:n:season", "names", "floor"] {
            means(&redis, field, text, last).await;
        }
    }
}

/// An entry of the token 2 stands as it should where a field says this and the sequence is at 4.
async fn means(redis: &InRedis, field: &str, text: &str, last: Option<(u64, u64)>) {
    let (store, server, mut apple, seq) = (&redis.store, &redis.server, place("fruit:1"), 2);
    apple.tags = [&**apple.tags, &[Tag::named("season")]].concat().into();
    server.command(&["DEL", RECORD]);
    token(store, &apple).await;
    server.command(&["HSET", RECORD, "seq", "2"]);
    let begun = token(store, &apple).await;
    assert_eq!(put(store, &apple, entry(&apple, "apple", begun)).await, PutOutcome::Stored);
    server.command(&["HSET", RECORD, "seq", "4", field, text]);

    let found = lookup(store, &apple).await;
    let stands = last.is_some_and(|(hard, _)| hard <= seq);
    assert_eq!(found.entry.is_some(), stands, "{field} {text}");
    assert_eq!(found.soft, stands && last.is_some_and(|(_, soft)| soft > seq), "{field} {text}");
    let readable = last.is_some() || (text.starts_with('q') && text.contains(' '));
    assert_eq!(found.token.epoch == begun.epoch, field != "floor" || readable, "{field} {text}");
    let late = put(store, &apple, entry(&apple, "apple", begun)).await;
    let raced = last.is_none_or(|(hard, soft)| hard.max(soft) > seq);
    assert_eq!(matches!(late, PutOutcome::RacedWrite | PutOutcome::Held), raced, "{field} {text}: {late:?}");
    assert_eq!(late == PutOutcome::Held, text.starts_with("q9"), "{field} {text}: {late:?}");
}
