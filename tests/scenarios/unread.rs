//! Answers that clients do not read take a bounded part of memory: what one connection may have on its way, and what all
//! of them may; and others are served meanwhile.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use tokio::task::JoinHandle;

use super::support::node::{Node, patient};
use super::support::origin::{Gate, Origin, json, raw, response, say};
use super::support::redis::RedisServer;
use super::support::tls::H2;

/// How many bytes of an answer are taken that is not read.
const WINDOW: u32 = 1 << 10;
const HTTP2: &str = "[clients]\nhttp2 = \"always\"\n";
const ROUTE: &str = "[[route]]\npath = \"/{*rest}\"\nttl = \"1h\"\n";
/// Too large for a store of one MiB, and not for a route.
const LARGE: usize = 1_040_000;
const SMALL_STORE: &str = "[store]\nmemory = \"1MiB\"\n";
/// Room for four of the large ones, and then for small ones.
const FOUR: &str = "[limits]\nanswers = \"4MiB\"\nconnection_answers = \"1GiB\"\n";

/// Answers `/small` with a few bytes, `/kib/N/…` with so many KiB, and everything else with a large body.
async fn origin() -> Origin {
    Origin::start(|asked| async move {
        let mut segments = asked.path().split('/').skip(1);
        let size = match segments.next() {
            Some("small") => 10,
            Some("kib") => segments.next().unwrap().parse::<usize>().unwrap() << 10,
            _ => LARGE,
        };
        response(200, &[("content-type", "text/plain")], &"a".repeat(size))
    })
    .await
}

fn url(node: &Node, target: &str) -> String {
    format!("http://{}{target}", node.address)
}

/// One that is not read, and need not be answered yet.
fn begin(client: &H2, node: &Node, target: &str) -> JoinHandle<Response<Incoming>> {
    let (client, url) = (client.clone(), url(node, target));
    tokio::spawn(async move { client.begin("GET", &url, &[], "").await.unwrap() })
}

async fn size(answer: Response<Incoming>) -> usize {
    answer.into_body().collect().await.unwrap().to_bytes().len()
}

/// One that is not read, and is answered.
async fn unread(client: &H2, node: &Node, target: &str) -> Response<Incoming> {
    let answer = client.begin("GET", &url(node, target), &[], "").await.unwrap();
    assert_eq!(answer.status(), 200, "{target}: {:?}", answer.headers());
    answer
}

fn refused(answer: &Response<Incoming>, why: &str) -> bool {
    let said = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    answer.status() == 503 && said("cache-status").contains(why) && said("retry-after") == "1"
}

/// Asks until there is room again: the node notices only after a while that a client has left.
async fn until_served(node: &Node, target: &str) {
    let asking = async { while node.client().get(target).await.status != 200 {} };
    tokio::time::timeout(Duration::from_secs(10), asking).await.expect("room is given back");
}

#[tokio::test]
async fn what_a_connection_leaves_unread_keeps_its_own_next_answers_and_nobody_elses() {
    let origin = origin().await;
    let node = Node::start(origin.address, &format!("{HTTP2}{ROUTE}[limits]\nconnection_answers = \"1MiB\"\n"));
    let targets: Vec<String> = (0..6).map(|number| format!("/kib/250/{number}")).collect();
    node.client().fill(&[&targets[0], &targets[1]]).await;
    let client = H2::with_window(node.address, WINDOW).await;
    let mut held = Vec::new();
    for target in &targets[..4] {
        held.push(unread(&client, &node, target).await);
    }
    let waiting = [begin(&client, &node, &targets[4]), begin(&client, &node, &targets[5])];
    // What has no body goes ahead of those that wait, and what is small.
    for _ in 0..10 {
        assert_eq!(client.try_send("HEAD", &url(&node, &targets[0]), &[], "").await.unwrap().status, 200);
        assert_eq!(client.get(&url(&node, "/small")).await.body.len(), 10);
    }
    let (other, _) = H2::to(node.address).await;
    for target in &targets {
        assert_eq!(other.get(&url(&node, target)).await.body.len(), 250 << 10);
    }
    assert!(!waiting.iter().any(JoinHandle::is_finished));
    for answer in held {
        assert_eq!(size(answer).await, 250 << 10);
    }
    for answer in waiting {
        let answer = answer.await.unwrap();
        assert_eq!((answer.status().as_u16(), size(answer).await), (200, 250 << 10));
    }
    assert_eq!(origin.count(), 7, "an answer that waits for its turn is asked for once");
    assert_eq!(node.metrics.totals().origin.count(), 7, "one that is given up was the origin's all the same");
}

#[tokio::test]
async fn a_turn_that_does_not_come_is_said() {
    let origin = origin().await;
    let limits = "[limits]\nconnection_answers = \"64KiB\"\nwrite_stall = \"500ms\"\n";
    let node = Node::start(origin.address, &format!("{HTTP2}{ROUTE}{limits}"));
    let client = H2::with_window(node.address, WINDOW).await;
    // Each fits into the buffer of its stream, so that nothing but the client itself can end them.
    let mut held = Vec::new();
    for target in ["/kib/16/a", "/kib/16/b", "/kib/16/c", "/kib/16/d"] {
        held.push(unread(&client, &node, target).await);
    }
    let answer = client.begin("GET", &url(&node, "/kib/16/e"), &[], "").await.unwrap();
    assert!(refused(&answer, "answers-unread"), "{answer:?}");
    drop(held.pop());
    unread(&client, &node, "/kib/16/e").await;
}

#[tokio::test]
async fn what_all_leave_unread_is_bounded_and_given_back_when_they_leave() {
    let origin = origin().await;
    let node = Node::with_store_table(origin.address, SMALL_STORE, &format!("{HTTP2}{ROUTE}{FOUR}"));
    let stays = H2::with_window(node.address, WINDOW).await;
    let mut held = Vec::new();
    for target in ["/a", "/b", "/c", "/d"] {
        held.push(unread(&stays, &node, target).await);
    }
    for _ in 0..2 {
        let answer = stays.begin("GET", &url(&node, "/e"), &[], "").await.unwrap();
        assert!(refused(&answer, "answers-full"), "{answer:?}");
        assert_eq!(node.client().get("/f").await.status, 503);
    }
    // Cheap ones are served to everybody.
    assert_eq!(node.client().get("/small").await.status, 200);
    assert_eq!(node.client().get("/small").await.cache(), "HIT");
    assert_eq!(node.client().get("/kib/16/x").await.status, 200);
    assert_eq!(node.client().send("HEAD", "/g", &[], "").await.status, 200);
    drop((held, stays));
    until_served(&node, "/e").await;
}

#[tokio::test]
async fn an_answer_larger_than_the_budget_is_delivered() {
    let origin = origin().await;
    let limits = "[limits]\nanswers = \"64KiB\"\nconnection_answers = \"64KiB\"\n";
    let node = Node::start(origin.address, &format!("{HTTP2}{ROUTE}{limits}"));
    let (client, _) = H2::to(node.address).await;
    for cache in ["MISS", "HIT"] {
        let answer = client.get(&url(&node, "/a")).await;
        assert_eq!((answer.cache(), answer.body.len()), (cache, LARGE));
    }
    assert_eq!(node.client().get("/b").await.body.len(), LARGE);
}

#[tokio::test]
async fn many_who_are_slow_with_one_stored_answer_hold_it_once() {
    let origin = origin().await;
    let node = Node::start(origin.address, &format!("{HTTP2}{ROUTE}{FOUR}"));
    node.client().fill(&["/a"]).await;
    let client = H2::with_window(node.address, WINDOW).await;
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(unread(&client, &node, "/a").await);
    }
    assert_eq!(node.client().get("/b").await.body.len(), LARGE);
}

#[tokio::test]
async fn an_answer_that_the_store_has_let_go_counts_while_somebody_reads_it() {
    let origin = origin().await;
    // Each pushes the one before it out.
    let limits = "[limits]\nanswers = \"2MiB\"\nconnection_answers = \"1GiB\"\n";
    let node = Node::with_store_table(origin.address, SMALL_STORE, &format!("{HTTP2}{ROUTE}{limits}"));
    let client = H2::with_window(node.address, WINDOW).await;
    let mut held = Vec::new();
    let mut number = 0;
    let refusal = loop {
        let target = format!("/kib/700/{number}");
        let answer = client.begin("GET", &url(&node, &target), &[], "").await.unwrap();
        if answer.status() != 200 {
            break answer;
        }
        held.push(answer);
        number += 1;
        assert!(number < 8, "nothing is refused");
    };
    assert!(refused(&refusal, "answers-full") && number >= 2, "{number}: {refusal:?}");
    drop((held, client));
    until_served(&node, "/kib/700/0").await;
}

#[tokio::test]
async fn annotated_answers_of_one_fetch_count_each() {
    let (gate, mut keeper) = Gate::new();
    let body = format!("{{\"data\":\"{}\"}}", "a".repeat(900_000));
    let origin = Origin::start(move |_| {
        let (gate, body) = (gate.clone(), body.clone());
        async move {
            gate.pass().await;
            json(&body)
        }
    })
    .await;
    let annotate = "annotate = { field = \"cached\", hit = true, miss = false }\n";
    let node = Node::start(origin.address, &format!("{ROUTE}{annotate}{HTTP2}{FOUR}"));
    let client = H2::with_window(node.address, WINDOW).await;
    let asking: Vec<_> = (0..10).map(|_| begin(&client, &node, "/one")).collect();
    keeper.arrived().await;
    keeper.let_go(10);
    let mut held = Vec::new();
    let mut refusals = 0;
    for answer in asking {
        let answer = answer.await.unwrap();
        refusals += usize::from(refused(&answer, "answers-full"));
        held.push(answer);
    }
    assert!(refusals >= 4, "{refusals}");
    // A hit's copy belongs to what is stored.
    assert_eq!(node.client().get("/one").await.cache(), "HIT");
}

#[tokio::test]
async fn without_room_a_body_of_unknown_length_goes_past_the_store_at_its_readers_pace() {
    let origin = raw(|head, mut stream| async move {
        let (field, body) = if head.starts_with("GET /chunked") {
            let body = "a".repeat(300_000);
            ("Transfer-Encoding: chunked".to_owned(), format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()))
        } else {
            (format!("Content-Length: {LARGE}"), "a".repeat(LARGE))
        };
        say(&mut stream, &format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n{body}")).await;
    })
    .await;
    let node = Node::with_store_table(origin, SMALL_STORE, &format!("{HTTP2}{ROUTE}{FOUR}"));
    let client = H2::with_window(node.address, WINDOW).await;
    let mut held = Vec::new();
    for target in ["/a", "/b", "/c", "/d"] {
        held.push(unread(&client, &node, target).await);
    }
    for _ in 0..2 {
        let answer = node.client().get("/chunked").await;
        assert_eq!((answer.status, answer.cache(), answer.body.len()), (200, "MISS", 300_000));
    }
    drop((held, client));
    let stored = async { while node.client().get("/chunked").await.cache() != "HIT" {} };
    tokio::time::timeout(Duration::from_secs(10), stored).await.expect("with room it is stored");
}

#[tokio::test]
async fn a_renewal_behind_a_stale_answer_has_nothing_to_do_with_what_its_client_leaves_unread() {
    let origin = raw(|head, mut stream| async move {
        let body = "a".repeat(16 << 10);
        let answer = if head.starts_with("GET /stale") {
            "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n".to_owned()
        } else {
            format!("Content-Length: {}\r\n\r\n{body}", body.len())
        };
        say(&mut stream, &format!("HTTP/1.1 200 OK\r\n{answer}")).await;
    })
    .await;
    let config = format!("{HTTP2}{ROUTE}stale_while_revalidate = \"1h\"\n[limits]\nconnection_answers = \"64KiB\"\n");
    let node = Node::timed(origin, &config);
    node.client().fill(&["/stale"]).await;
    let client = H2::with_window(node.address, WINDOW).await;
    let mut held = Vec::new();
    for target in ["/a", "/b", "/c", "/d"] {
        held.push(unread(&client, &node, target).await);
    }
    node.clock.advance(Duration::from_secs(3601));
    let stale = url(&node, "/stale");
    let head = async || client.try_send("HEAD", &stale, &[], "").await.unwrap();
    assert_eq!(head().await.cache(), "STALE");
    let renewed = async { while head().await.cache() != "HIT" {} };
    tokio::time::timeout(Duration::from_secs(10), renewed).await.expect("it is stored");
}

#[tokio::test]
async fn what_comes_from_redis_is_held_by_each_answer_and_refused_without_room() {
    let (origin, redis) = (origin().await, RedisServer::start());
    // No copy of it fits, which answers would share.
    let store = patient(&redis.url()) + "memory = \"1MiB\"\n";
    let node = Node::with_store_table(origin.address, &store, &format!("{HTTP2}{ROUTE}{FOUR}"));
    let client = H2::with_window(node.address, WINDOW).await;
    super::support::connected(&node.client()).await;
    node.client().fill(&["/a"]).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let answer = unread(&client, &node, "/a").await;
        assert_eq!(answer.headers()["x-cache"], "HIT");
        held.push(answer);
    }
    let answer = client.begin("GET", &url(&node, "/a"), &[], "").await.unwrap();
    assert!(refused(&answer, "answers-full"), "{answer:?}");
    assert_eq!(node.client().send("HEAD", "/a", &[], "").await.cache(), "HIT");
    drop((held, client));
    until_served(&node, "/a").await;
}
