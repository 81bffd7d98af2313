//! Parts that the origin sent, kept and put together (RFC 9111 sections 3.3 and 3.4). No route speaks here.

use std::time::Duration;

use super::support::client::{Answer, Client};
use super::support::node::Node;
use super::support::origin::{self, Asked, Gate, Origin, response, say};

type Fields = &'static [(&'static str, &'static str)];

const DIGITS: &str = "0123456789";
const TAGGED: Fields = &[("cache-control", "max-age=60"), ("etag", "\"a\"")];
const KEPT: &str = "aside; fwd=uri-miss; fwd-status=206; ttl=60; stored";
const MORE: &str = "aside; fwd=partial; fwd-status=206; ttl=60; stored";

/// The answer of an origin that knows ranges such as `bytes=2-4` of its ten digits.
fn ranged(asked: &Asked, fields: &[(&str, &str)]) -> hyper::Response<http_body_util::Full<bytes::Bytes>> {
    let Some(range) = asked.field("range").and_then(|range| range.strip_prefix("bytes=")) else {
        return response(200, fields, DIGITS);
    };
    let (first, last) = range.split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap_or(9));
    let said = format!("bytes {first}-{last}/10");
    response(206, &[fields, &[("content-range", &said)]].concat(), &DIGITS[first..=last])
}

async fn digits(fields: Fields) -> Origin {
    Origin::start(move |asked| async move { ranged(&asked, fields) }).await
}

async fn part(client: &Client, range: &str) -> Answer {
    client.get_with("/x", &[("range", range)]).await
}

fn assert_part(answer: &Answer, body: &str, range: &str, said: &str) {
    assert_eq!((answer.status, answer.text(), answer.field("content-range")), (206, body, range));
    assert_eq!(answer.field("content-length"), body.len().to_string());
    assert_eq!(answer.cache_status(), said, "{range}");
}

#[tokio::test]
async fn section_3_3_a_part_answers_for_what_lies_in_it() {
    let origin = digits(TAGGED).await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    assert_part(&part(&client, "bytes=2-6").await, "23456", "bytes 2-6/10", KEPT);
    node.clock.advance(Duration::from_secs(7));
    let hit = part(&client, "bytes=3-4").await;
    assert_part(&hit, "34", "bytes 3-4/10", "aside; hit; ttl=53");
    assert_eq!((hit.field("age"), hit.field("etag"), hit.cache()), ("7", "\"a\"", "HIT"));
    let same = client.get_with("/x", &[("range", "bytes=2-6"), ("if-range", "\"a\"")]).await;
    assert_part(&same, "23456", "bytes 2-6/10", "aside; hit; ttl=53");
    assert_eq!(origin.count(), 1);
    assert_part(&part(&client, "bytes=8-9").await, "89", "bytes 8-9/10", MORE);
    let only = client.get_with("/x", &[("range", "bytes=8-8"), ("cache-control", "only-if-cached")]).await;
    assert_eq!(only.text(), "8");
    assert_eq!(client.get_with("/x", &[("range", "bytes=0-8"), ("cache-control", "only-if-cached")]).await.status, 504);
    node.clock.advance(Duration::from_secs(60));
    assert_part(&part(&client, "bytes=8-8").await, "8", "bytes 8-8/10", KEPT);
}

#[tokio::test]
async fn section_3_3_a_part_is_never_taken_for_the_whole() {
    let origin = digits(TAGGED).await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    part(&client, "bytes=2-6").await;
    let whole = client.get("/x").await;
    assert_eq!((whole.status, whole.text(), whole.cache()), (200, DIGITS, "MISS"));
    assert_eq!(part(&client, "bytes=0-1").await.cache(), "HIT", "the whole answers from now on");
    let head = client.send("HEAD", "/x", &[("range", "bytes=2-3")], "").await;
    assert_eq!((head.status, head.field("content-length")), (200, "10"));
}

#[tokio::test]
async fn section_3_4_parts_that_touch_are_put_together_and_are_the_whole_once_nothing_is_missing() {
    let origin = digits(TAGGED).await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    assert_part(&part(&client, "bytes=4-6").await, "456", "bytes 4-6/10", KEPT);
    assert_part(&part(&client, "bytes=2-3").await, "23", "bytes 2-3/10", MORE);
    assert_part(&part(&client, "bytes=6-8").await, "678", "bytes 6-8/10", MORE);
    assert_part(&part(&client, "bytes=2-8").await, "2345678", "bytes 2-8/10", "aside; hit; ttl=60");
    assert_part(&part(&client, "bytes=9-").await, "9", "bytes 9-9/10", MORE);
    let asked = origin.count();
    assert_part(&part(&client, "bytes=0-4").await, "01234", "bytes 0-4/10", MORE);
    let whole = client.get("/x").await;
    assert_eq!((whole.status, whole.text(), whole.field("content-range")), (200, DIGITS, ""));
    assert_eq!((whole.cache_status(), whole.field("content-length")), ("aside; hit; ttl=60", "10"));
    assert_eq!(origin.count(), asked + 1);
}

#[tokio::test]
async fn section_3_4_parts_with_a_gap_or_of_another_representation_are_not_put_together() {
    let origin = Origin::start(|asked| async move {
        let tag = asked.field("x-tag").unwrap_or("\"a\"").to_owned();
        ranged(&asked, &[("cache-control", "max-age=60"), ("etag", &tag)])
    })
    .await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    part(&client, "bytes=0-2").await;
    part(&client, "bytes=4-6").await;
    assert_part(&part(&client, "bytes=2-4").await, "234", "bytes 2-4/10", MORE);
    let other = client.get_with("/x", &[("range", "bytes=5-9"), ("x-tag", "\"b\"")]).await;
    assert_eq!(other.field("etag"), "\"b\"");
    let hit = part(&client, "bytes=6-7").await;
    assert_eq!((hit.cache(), hit.field("etag")), ("HIT", "\"b\""));
    assert_eq!(part(&client, "bytes=4-5").await.cache_status(), MORE, "nothing is left of the other one");
}

#[tokio::test]
async fn section_3_3_only_a_sound_part_with_a_strong_tag_and_a_named_lifetime_is_kept() {
    for fields in [
        &[("cache-control", "max-age=60")] as Fields,
        &[("cache-control", "max-age=60"), ("etag", "W/\"a\"")],
        &[("cache-control", "max-age=60"), ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")],
        &[("etag", "\"a\"")],
        &[("cache-control", "no-store, max-age=60"), ("etag", "\"a\"")],
        &[("cache-control", "private, max-age=60"), ("etag", "\"a\"")],
        &[("cache-control", "max-age=60"), ("etag", "\"a\""), ("vary", "accept")],
        &[("cache-control", "max-age=60"), ("etag", "\"a\""), ("set-cookie", "a=1")],
    ] {
        let origin = digits(fields).await;
        let node = Node::timed(origin.address, "");
        for _ in 0..2 {
            let answer = part(&node.client(), "bytes=0-1").await;
            let said = "aside; fwd=uri-miss; fwd-status=206; detail=partial-content";
            assert_part(&answer, "01", "bytes 0-1/10", said);
        }
    }
    for said in ["bytes 0-2/10", "bytes 0-1/1", "bytes */10", "lines 0-1/10", ""] {
        let origin = Origin::start(move |_: Asked| async move {
            response(206, &[TAGGED, &[("content-range", said)]].concat(), "01")
        })
        .await;
        let node = Node::timed(origin.address, "");
        part(&node.client(), "bytes=0-1").await;
        assert_eq!(part(&node.client(), "bytes=0-1").await.cache(), "MISS", "{said}");
    }
}

#[tokio::test]
async fn a_part_whose_length_nobody_told_is_not_kept() {
    let origin = origin::raw(|_, mut stream| async move {
        say(&mut stream, "HTTP/1.1 206 Partial Content\r\nCache-Control: max-age=60\r\nETag: \"a\"\r\n").await;
        say(&mut stream, "Content-Range: bytes 0-1/10\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n01\r\n0\r\n\r\n").await;
    })
    .await;
    let node = Node::timed(origin, "");
    for _ in 0..2 {
        let answer = part(&node.client(), "bytes=0-1").await;
        assert_eq!((answer.text(), answer.cache()), ("01", "MISS"));
    }
}

#[tokio::test]
async fn a_part_is_nobody_elses_and_a_client_with_a_credential_gets_its_own() {
    let origin = digits(TAGGED).await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    let mine = [("range", "bytes=0-1"), ("authorization", "me")];
    assert_eq!(client.get_with("/x", &mine).await.cache(), "MISS");
    assert_eq!(part(&client, "bytes=0-1").await.cache_status(), KEPT, "what was mine was not kept");
    assert_eq!(client.get_with("/x", &mine).await.cache(), "MISS");
}

#[tokio::test]
async fn a_write_drops_a_part_and_a_part_that_it_overtook_is_not_kept() {
    let (gate, mut keeper) = Gate::new();
    let origin = Origin::start(move |asked: Asked| {
        let gate = gate.clone();
        async move {
            if asked.field("x-slow").is_some() {
                gate.pass().await;
            }
            ranged(&asked, TAGGED)
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    part(&client, "bytes=0-1").await;
    client.put("/x", "{}").await;
    assert_eq!(part(&client, "bytes=0-1").await.cache_status(), KEPT);
    let slow = tokio::spawn({
        let client = node.client();
        async move { client.get_with("/x", &[("range", "bytes=2-9"), ("x-slow", "1")]).await }
    });
    keeper.arrived().await;
    client.put("/x", "{}").await;
    keeper.let_go(1);
    let raced = slow.await.unwrap();
    assert_part(&raced, "23456789", "bytes 2-9/10", "aside; fwd=partial; fwd-status=206; detail=raced-write");
    assert_eq!(client.get("/x").await.cache(), "MISS");
}
