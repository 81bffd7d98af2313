//! Apps that set a cookie on every answer: `set_cookie = "strip"` on a route stores what they answer, and gives nobody
//! another one's cookie.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::support::client::Answer;
use super::support::node::Node;
use super::support::origin::{Gate, Origin, response, say};

const STRIP: &str = "[[route]]\npath = \"/x/{id}\"\nttl = \"1m\"\nset_cookie = \"strip\"\n";

fn cookies(answer: &Answer) -> Vec<&str> {
    answer.fields.get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect()
}

/// Sets a cookie of its own on every answer, with these fields besides.
async fn sessions(fields: &'static [(&'static str, &'static str)]) -> Origin {
    let count = Arc::new(AtomicUsize::new(0));
    Origin::start(move |asked| {
        let session = format!("sid={}; Path=/", count.fetch_add(1, Ordering::SeqCst));
        async move {
            let confirmed = asked.fields.contains_key("if-none-match");
            let all = [fields, &[("set-cookie", session.as_str()), ("set-cookie", "seen=1"), ("x-own", "1")]].concat();
            response(if confirmed { 304 } else { 200 }, &all, if confirmed { "" } else { "same for all" })
        }
    })
    .await
}

#[tokio::test]
async fn without_the_key_an_answer_that_sets_a_cookie_is_its_own_clients() {
    let origin = sessions(&[]).await;
    let node = Node::start(origin.address, &STRIP.replace("strip", "refuse"));
    for _ in 0..2 {
        let answer = node.client().get("/x/1").await;
        assert_eq!((answer.cache(), cookies(&answer).len()), ("MISS", 2));
        assert!(answer.cache_status().ends_with("detail=set-cookie"), "{}", answer.cache_status());
    }
}

#[tokio::test]
async fn what_is_stored_is_stored_without_the_cookie_and_sent_to_nobody_with_it() {
    let origin = sessions(&[]).await;
    for (node, redis) in Node::on_each_store(origin.address, STRIP).await {
        let client = node.client();
        let (miss, hit) = (client.get("/x/1").await, client.get("/x/1").await);
        assert_eq!((miss.cache(), hit.cache()), ("MISS", "HIT"));
        for answer in [&miss, &hit, &client.send("HEAD", "/x/1", &[], "").await] {
            assert_eq!((cookies(answer), answer.field("x-own")), (vec![], "1"));
        }
        assert_eq!(miss.text(), hit.text());
        if let Some(redis) = redis {
            let meta = redis.command(&["HMGET", "{/x/1}:meta", "fields"]).texts().concat();
            assert!(meta.contains("x-own") && !meta.contains("set-cookie"), "{meta}");
        }
        // Who brings a cookie goes past the cache, and is sent one.
        let own = client.get_with("/x/1", &[("cookie", "sid=7")]).await;
        assert_eq!((own.cache(), cookies(&own).len()), ("BYPASS", 2));
    }
}

#[tokio::test]
async fn those_who_waited_for_the_answer_are_sent_no_cookie_either() {
    let (origin, mut keeper) = Origin::gated(|| response(200, &[("set-cookie", "sid=1")], "x")).await;
    let node = Node::start(origin.address, STRIP);
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let client = node.client();
            tokio::spawn(async move { client.get("/x/1").await })
        })
        .collect();
    keeper.arrived().await;
    keeper.let_go(4);
    for answer in asking {
        assert_eq!(cookies(&answer.await.unwrap()), Vec::<&str>::new());
    }
}

#[tokio::test]
async fn an_answer_that_is_not_stored_keeps_its_cookie_for_its_own_client() {
    for (fields, config) in [
        (&[("cache-control", "private")][..], STRIP.to_owned()),
        (&[("cache-control", "no-store")], STRIP.to_owned()),
        (&[], format!("{STRIP}max_body = \"5B\"\n")),
        (&[("content-type", "application/json")], format!("{STRIP}tags = [\"shop:{{response:/shop}}\"]\n")),
    ] {
        let origin = sessions(fields).await;
        let node = Node::start(origin.address, &config);
        for n in 0..2 {
            let answer = node.client().get("/x/1").await;
            assert_eq!(cookies(&answer), [&*format!("sid={n}; Path=/"), "seen=1"], "{fields:?} {config}");
        }
    }
}

#[tokio::test]
async fn private_answers_are_stored_without_the_cookie_only_where_the_route_overrides_that() {
    let origin = sessions(&[("cache-control", "no-store, no-cache, must-revalidate"), ("pragma", "no-cache")]).await;
    let node = Node::start(origin.address, &format!("{STRIP}override_origin = true\noverride_private = true\n"));
    let client = node.client();
    client.fill(&["/x/1"]).await;
    assert_eq!(cookies(&client.get("/x/1").await), Vec::<&str>::new());
}

#[tokio::test]
async fn a_cookie_on_a_304_is_sent_to_nobody_where_the_answer_is_stored() {
    let origin = sessions(&[("etag", "\"a\"")]).await;
    for (config, expected) in [(STRIP.to_owned(), 0), (STRIP.replace("strip", "refuse"), 2)] {
        let node = Node::timed(origin.address, &config);
        node.client().get("/x/1").await;
        node.clock.advance(Duration::from_secs(90));
        let renewed = node.client().get("/x/1").await;
        assert_eq!((renewed.status, cookies(&renewed).len()), (200, expected), "{config}");
    }
}

#[tokio::test]
async fn of_a_body_without_a_length_the_cookie_is_gone_before_it_is_stored() {
    let (gate, mut keeper) = Gate::new();
    let origin = super::support::origin::raw(move |_, mut stream| {
        let gate = gate.clone();
        async move {
            let head = "HTTP/1.1 200 OK\r\nSet-Cookie: sid=1\r\nTransfer-Encoding: chunked\r\n\r\n";
            say(&mut stream, &format!("{head}1\r\nx\r\n")).await;
            gate.pass().await;
            say(&mut stream, "0\r\n\r\n").await;
        }
    })
    .await;
    let node = Node::start(origin, STRIP);
    let client = node.client();
    let first = tokio::spawn(async move { client.get("/x/1").await });
    keeper.arrived().await;
    keeper.let_go(8);
    assert_eq!(cookies(&first.await.unwrap()), Vec::<&str>::new());
    super::support::until("it is stored", || async { node.client().get("/x/1").await.cache() == "HIT" }).await;
    assert_eq!(cookies(&node.client().get("/x/1").await), Vec::<&str>::new());
}

#[tokio::test]
async fn a_body_without_a_length_that_grows_too_large_keeps_its_cookie() {
    let origin = super::support::origin::raw(|_, mut stream| async move {
        let head = "HTTP/1.1 200 OK\r\nSet-Cookie: sid=1\r\nTransfer-Encoding: chunked\r\n\r\n";
        say(&mut stream, &format!("{head}6\r\nxxxxxx\r\n0\r\n\r\n")).await;
    })
    .await;
    let node = Node::start(origin, &format!("{STRIP}max_body = \"5B\"\n"));
    let answer = node.client().get("/x/1").await;
    assert_eq!((answer.text(), cookies(&answer)), ("xxxxxx", vec!["sid=1"]));
}
