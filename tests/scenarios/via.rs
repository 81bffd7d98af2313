//! Via on every answer, and what of an answer is for caches and not for clients.

use std::time::Duration;

use super::support::client::Answer;
use super::support::node::{NEW_YEAR, Node};
use super::support::origin::{Asked, Origin, response};
use aside::clock::Clock;

const ROUTE: &str = "[[route]]\npath = \"/r/{*rest}\"\nttl = \"10s\"\nstale_if_error = \"0s\"\n";

/// Answers as the path says: with a validator, as a 304 where that matches, with an error, or with a body of its own.
async fn origin() -> Origin {
    Origin::start(|asked: Asked| async move {
        let fields = [
            ("etag", "\"a\""),
            ("cache-control", "max-age=10, stale-if-error=0"),
            ("surrogate-key", "one two"),
            ("xkey", "three"),
            ("cache-tag", "four,five"),
            ("cache-groups", "\"six\""),
            ("surrogate-control", "max-age=7"),
            ("cdn-cache-control", "max-age=10"),
        ];
        match asked.field("if-none-match") {
            Some("\"a\"") => response(304, &fields, ""),
            _ if asked.path().ends_with("/gone") => response(404, &fields[2..], "gone"),
            _ if asked.path().ends_with("/no-store") => response(200, &[("cache-control", "no-store"), fields[2]], "x"),
            _ => response(200, &fields, "0123456789"),
        }
    })
    .await
}

fn via(answer: &Answer) -> Vec<&str> {
    answer.fields.get_all("via").iter().map(|value| value.to_str().unwrap()).collect()
}

fn tags(answer: &Answer) -> Vec<&str> {
    ["surrogate-key", "xkey", "cache-tag"].into_iter().filter(|name| answer.fields.contains_key(*name)).collect()
}

/// Every kind of answer, each with its status and what the cache had to do with it.
async fn each(node: &Node, path: &str) -> Vec<(&'static str, Answer)> {
    let client = node.client();
    let later = || node.clock.advance(Duration::from_secs(20));
    let same = [("if-none-match", "\"a\"")];
    let target = |name: &str| format!("{path}/{name}");
    let mut answers = vec![
        ("200 MISS", client.get(&target("x")).await),
        ("200 HIT", client.get(&target("x")).await),
        ("304 HIT", client.get_with(&target("x"), &same).await),
        ("206 HIT", client.get_with(&target("x"), &[("range", "bytes=1-2")]).await),
        ("416 HIT", client.get_with(&target("x"), &[("range", "bytes=90-")]).await),
        ("200 HIT", client.send("HEAD", &target("x"), &[], "").await),
        ("304 HIT", client.send("HEAD", &target("x"), &same, "").await),
        ("304 MISS", client.get_with(&target("new"), &same).await),
        ("200 MISS", client.get(&target("no-store")).await),
        ("404 MISS", client.get(&target("gone")).await),
        ("200 BYPASS", client.get_with(&target("x"), &[("cookie", "a=b")]).await),
        ("304 BYPASS", client.get_with(&target("x"), &[("cookie", "a=b"), same[0]]).await),
        ("200 BYPASS", client.send("POST", &target("y"), &[], "{}").await),
        ("504 BYPASS", client.get_with("/unknown", &[("cache-control", "only-if-cached")]).await),
        ("405 BYPASS", client.send("TRACE", &target("x"), &[], "").await),
    ];
    client.get(&target("x")).await;
    later();
    answers.push(("304 MISS", client.get_with(&target("x"), &same).await));
    later();
    answers.push(("200 MISS", client.get(&target("x")).await));
    later();
    answers.push(("200 MISS", client.send("HEAD", &target("x"), &[], "").await));
    answers
}

#[tokio::test]
async fn every_answer_has_our_via_once_and_tags_are_kept_in() {
    let origin = origin().await;
    for (node, _redis) in [(Node::timed(origin.address, ROUTE), None), on_redis(&origin).await] {
        for (path, cookie) in [("/r/a", "BYPASS"), ("/unrouted", "HIT")] {
            for (at, (expected, answer)) in each(&node, path).await.into_iter().enumerate() {
                let said = format!("{} {}", answer.status, answer.cache());
                let of_a_cookie = (10..12).contains(&at) && said == expected.replace("BYPASS", "MISS");
                assert!(said == expected || (cookie == "HIT" && of_a_cookie), "{path}, {at}: {said}, not {expected}");
                assert_eq!(via(&answer), ["1.1 aside"], "{path}, {at}: {expected}");
                assert!(tags(&answer).is_empty(), "{path}, {at}: {expected} has {:?}", tags(&answer));
                if expected == "200 HIT" {
                    for name in ["cache-groups", "surrogate-control", "cdn-cache-control"] {
                        assert_ne!(answer.field(name), "", "{name}");
                    }
                }
            }
        }
    }
}

async fn on_redis(origin: &Origin) -> (Node, Option<super::support::redis::RedisServer>) {
    let redis = super::support::redis::RedisServer::start();
    let node = Node::with(origin.address, &redis.url(), ROUTE, Clock::at(NEW_YEAR));
    super::support::connected(&node.client()).await;
    (node, Some(redis))
}

#[tokio::test]
async fn a_cache_in_front_is_sent_the_tags_where_the_file_says_so() {
    let origin = origin().await;
    let node = Node::timed(origin.address, &format!("[clients]\npass_tags = true\n{ROUTE}"));
    for path in ["/r/a", "/unrouted"] {
        for (expected, answer) in each(&node, path).await {
            if ["200 MISS", "200 HIT", "200 BYPASS"].contains(&expected) && answer.field("cache-control") != "no-store"
            {
                assert_eq!(tags(&answer), ["surrogate-key", "xkey", "cache-tag"], "{path}: {expected}");
            }
        }
    }
}

/// The Via lines of those before us stay before ours.
#[tokio::test]
async fn the_origins_own_via_goes_along() {
    let origin = Origin::start(|_| async {
        response(200, &[("etag", "\"a\""), ("cache-control", "max-age=60"), ("via", "1.0 a, 1.1 b")], "x")
    })
    .await;
    let node = Node::start(origin.address, ROUTE);
    for path in ["/r/x", "/unrouted"] {
        for _ in 0..2 {
            assert_eq!(via(&node.client().get(path).await), ["1.0 a, 1.1 b", "1.1 aside"]);
        }
        let same = node.client().get_with(path, &[("if-none-match", "\"a\"")]).await;
        assert_eq!((same.status, via(&same)), (304, vec!["1.0 a, 1.1 b", "1.1 aside"]));
    }
}
