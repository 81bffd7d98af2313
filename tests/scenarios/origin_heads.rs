//! Answers with very many fields: handed on and stored with all of them, up to a bound that the file can raise.

use std::time::Duration;

use hyper::HeaderMap;

use super::support::node::{Node, Process};
use super::support::origin::{Asked, Origin, response};
use super::support::tls::H2;

const ROUTE: &str = "[[route]]\npath = \"/routed/{n}\"\nttl = \"1h\"\n";

fn answer(asked: &Asked) -> hyper::Response<http_body_util::Full<bytes::Bytes>> {
    let lines: usize = asked.path().rsplit('/').next().unwrap().parse().unwrap();
    let mut answer = response(200, &[("cache-control", "max-age=60"), ("etag", "\"a\"")], "ok");
    for n in 0..lines {
        let link = format!("</assets/{n:04}/a-module-of-the-page.js>; rel=preload; as=script");
        answer.headers_mut().append("link", link.parse().unwrap());
    }
    answer
}

/// Answers `/…/n` with `n` lines of Link besides the usual fields.
async fn linking() -> Origin {
    Origin::start(|asked| async move { answer(&asked) }).await
}

fn links(fields: &HeaderMap) -> Vec<&str> {
    fields.get_all("link").iter().map(|line| line.to_str().unwrap()).collect()
}

#[tokio::test]
async fn a_thousand_lines_of_a_field_are_handed_on_and_stored() {
    let origin = linking().await;
    let config = format!("[clients]\nhttp2 = \"always\"\n{ROUTE}");
    for (node, _redis) in Node::on_each_store(origin.address, &config).await {
        let client = node.client();
        let (over_h2, _) = H2::to(node.address).await;
        for target in ["/routed/1000", "/elsewhere/1000", "/elsewhere/201"] {
            let count = target.rsplit('/').next().unwrap().parse().unwrap();
            let miss = client.get(target).await;
            let expected: Vec<_> = links(&miss.fields);
            assert_eq!((miss.cache(), expected.len()), ("MISS", count), "{target}");
            assert!(expected.is_sorted(), "in their order");
            for hit in [client.get(target).await, client.send("HEAD", target, &[], "").await] {
                assert_eq!((hit.cache(), links(&hit.fields)), ("HIT", expected.clone()), "{target}");
            }
            let hit = over_h2.get(&format!("http://{}{target}", node.address)).await;
            assert_eq!((hit.cache(), links(&hit.fields)), ("HIT", expected), "{target} over HTTP/2");
        }
    }
}

#[tokio::test]
async fn a_field_of_200_kilobytes_is_handed_on_and_stored() {
    let origin = Origin::start(|_| async {
        let long = "x".repeat(200_000);
        response(200, &[("cache-control", "max-age=60"), ("x-long", &long)], "ok")
    })
    .await;
    for (node, _redis) in Node::on_each_store(origin.address, ROUTE).await {
        for target in ["/routed/1", "/elsewhere/1"] {
            for cache in ["MISS", "HIT"] {
                let answer = node.client().get(target).await;
                let length = answer.fields.get("x-long").map(hyper::header::HeaderValue::len);
                assert_eq!((answer.status, answer.cache(), length), (200, cache, Some(200_000)), "{target}");
            }
        }
    }
}

#[tokio::test]
async fn a_head_beyond_the_bounds_is_a_502_whose_log_line_names_them() {
    let origin = linking().await;
    for (limits, target) in [("", "/x/1100"), ("max_fields = 10", "/x/10"), ("max_header = \"8KiB\"", "/x/200")] {
        let config =
            format!("[origin]\nurl = \"ORIGIN\"\n{limits}\n").replace("ORIGIN", &format!("http://{}", origin.address));
        let node = Process::telling(origin.address, "memory://", &config).await;
        let asked = origin.count();
        let answer = node.client().get(target).await;
        assert_eq!(answer.status, 502, "{limits}");
        assert_eq!(answer.json()["detail"], "The head of the origin's answer is larger than allowed.");
        assert!(answer.cache_status().ends_with("detail=large-head"), "{}", answer.cache_status());
        assert_eq!(origin.count(), asked + 1, "it would be no smaller the next time");
        node.says("`max_fields` in [origin]").await;
        node.says("`max_header` there").await;
    }
    let raised = "[origin]\nurl = \"ORIGIN\"\nmax_fields = 3000\nmax_header = \"1MiB\"\n";
    let node = Node::start(origin.address, raised);
    assert_eq!(links(&node.client().get("/x/2900").await.fields).len(), 2900);
}

#[tokio::test]
async fn whoever_sends_a_large_head_is_there() {
    let (first, second) = (linking().await, linking().await);
    let urls = format!("[origin]\nurl = [\"http://{}\", \"http://{}\"]\n", first.address, second.address);
    let node = Node::start(first.address, &urls);
    let client = node.client();
    for _ in 0..20 {
        assert_eq!(client.get("/x/2000").await.status, 502);
    }
    assert_eq!(client.get("/x/1").await.status, 200);
}

#[tokio::test]
async fn what_is_stale_stands_in_for_a_head_that_has_grown_too_large() {
    let grown = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let switch = std::sync::Arc::clone(&grown);
    let origin = Origin::start(move |mut asked| {
        asked.target = if switch.load(std::sync::atomic::Ordering::SeqCst) { "/2000" } else { "/3" }.to_owned();
        async move { answer(&asked) }
    })
    .await;
    let node = Node::timed(origin.address, "[[route]]\npath = \"/x\"\nttl = \"1m\"\nstale_if_error = \"1h\"\n");
    let client = node.client();
    client.get("/x").await;
    grown.store(true, std::sync::atomic::Ordering::SeqCst);
    node.clock.advance(Duration::from_secs(90));
    let stale = client.get("/x").await;
    assert_eq!((stale.status, stale.cache(), links(&stale.fields).len()), (200, "STALE", 3));
}
