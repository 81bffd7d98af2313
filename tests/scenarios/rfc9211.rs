//! Cache-Status (RFC 9211), to the letter, for every way that an answer may come about.

use std::time::Duration;

use super::support::node::Node;
use super::support::origin::{Asked, Origin, response};

#[tokio::test]
async fn every_way_of_an_answer_has_its_own_text() {
    let origin = Origin::start(|asked: Asked| async move {
        let control = asked.field("x-control").unwrap_or("max-age=60").to_owned();
        match asked.field("x-status") {
            Some(status) => response(status.parse().unwrap(), &[("cache-control", &control)], "x"),
            None => response(200, &[("cache-control", &control)], "x"),
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    let client = node.client();
    for (method, target, fields, expected) in [
        ("GET", "/x", &[][..], "aside; fwd=uri-miss; fwd-status=200; ttl=60; stored"),
        ("GET", "/x", &[], "aside; hit; ttl=60"),
        ("HEAD", "/x", &[], "aside; hit; ttl=60"),
        ("HEAD", "/never", &[], "aside; fwd=uri-miss; fwd-status=200"),
        ("OPTIONS", "/x", &[], "aside; fwd=method; fwd-status=200"),
        (
            "GET",
            "/x",
            &[("cache-control", "no-cache"), ("x-status", "404"), ("x-control", "max-age=7")],
            "aside; fwd=request; fwd-status=404; ttl=7; stored; detail=request-directive",
        ),
        ("PUT", "/x", &[], "aside; fwd=method; fwd-status=200"),
        ("GET", "/x", &[], "aside; fwd=uri-miss; fwd-status=200; ttl=60; stored; detail=invalidated"),
        ("GET", "/y", &[("x-control", "no-store")], "aside; fwd=uri-miss; fwd-status=200; detail=no-store"),
        ("GET", "/x", &[("authorization", "a")], "aside; fwd=bypass; fwd-status=200; detail=authorization"),
        ("GET", "/x", &[("if-match", "*")], "aside; fwd=bypass; fwd-status=200; detail=precondition"),
        ("GET", "/a//b", &[], "aside; fwd=bypass; fwd-status=200; detail=path-ambiguous"),
    ] {
        let answer = client.send(method, target, fields, "").await;
        assert_eq!(answer.cache_status(), expected, "{method} {target} {fields:?}");
    }
}

#[tokio::test]
async fn section_2_the_member_of_a_cache_behind_comes_first() {
    let origin = Origin::start(|_| async {
        response(200, &[("cache-status", "inner; hit"), ("cache-control", "max-age=60")], "x")
    })
    .await;
    let node = Node::timed(origin.address, "");
    for ours in ["aside; fwd=uri-miss; fwd-status=200; ttl=60; stored", "aside; hit; ttl=60"] {
        let answer = node.client().get("/x").await;
        assert_eq!(answer.fields.get_all("cache-status").iter().collect::<Vec<_>>(), ["inner; hit", ours]);
    }
}

#[tokio::test]
async fn an_answer_that_stands_in_for_an_error_says_why_the_origin_was_asked() {
    let origin = Origin::start(|asked: Asked| async move {
        match asked.field("x-fail") {
            Some(_) => response(503, &[], "broken"),
            None => response(200, &[("cache-control", "max-age=60, stale-if-error=600")], "x"),
        }
    })
    .await;
    let node = Node::timed(origin.address, "");
    node.client().get("/x").await;
    node.clock.advance(Duration::from_secs(10));
    let fail = ("x-fail", "1");
    let asked = node.client().get_with("/x", &[fail, ("cache-control", "no-cache")]).await;
    assert_eq!(asked.cache_status(), "aside; fwd=request; fwd-status=503; ttl=50; detail=stale-if-error");
    assert_eq!((asked.text(), asked.cache()), ("x", "STALE"));
    node.clock.advance(Duration::from_secs(100));
    let stale = node.client().get_with("/x", &[fail]).await;
    assert_eq!(stale.cache_status(), "aside; fwd=stale; fwd-status=503; ttl=-50; detail=stale-if-error");
}
