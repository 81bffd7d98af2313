//! What traces and correlates requests: how far it goes, and what of it is in the log.

use std::time::Duration;

use super::support::node::{Node, Process};
use super::support::origin::{Asked, Origin, response};
use super::support::until;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const BESIDES: [(&str, &str); 5] = [
    ("tracestate", "a=b"),
    ("x-request-id", "r-1"),
    ("x-correlation-id", "c-1"),
    ("x-b3-traceid", "80f198ee56343ba8"),
    ("baggage", "a=b"),
];

const ROUTE: &str = "[[route]]\npath = \"/r/{x}\"\nttl = \"10s\"\nstale_while_revalidate = \"1m\"\n\
    [[route]]\npath = \"/keyed\"\nttl = \"1h\"\nvary = [\"Traceparent\"]\n";

fn traced(parent: &'static str) -> Vec<(&'static str, &'static str)> {
    std::iter::once(("traceparent", parent)).chain(BESIDES).collect()
}

/// Answers with the traceparent that it was asked with.
async fn echoing() -> Origin {
    Origin::start(|asked: Asked| async move {
        let vary = if asked.path() == "/r/varies" { "Accept, TraceParent" } else { "Accept" };
        let body = asked.field("traceparent").unwrap_or("none").to_owned();
        match asked.field("if-none-match") {
            Some(_) => response(304, &[("etag", "\"a\"")], ""),
            None if asked.path() == "/u/1" => response(200, &[("cache-control", "max-age=60")], &body),
            None => response(200, &[("etag", "\"a\""), ("vary", vary)], &body),
        }
    })
    .await
}

#[tokio::test]
async fn a_miss_is_a_part_of_the_trace_that_brought_it_about() {
    let origin = echoing().await;
    let node = Node::timed(origin.address, ROUTE);
    let client = node.client();
    assert_eq!(client.get_with("/r/1", &traced(PARENT)).await.cache(), "MISS");
    assert_eq!(client.get_with("/r/1", &traced(OTHER)).await.cache(), "HIT", "it is in no key");
    assert_eq!(client.get("/r/1").await.cache(), "HIT");
    let asked = origin.asked().remove(0);
    assert_eq!(asked.field("traceparent"), Some(PARENT));
    for (name, _) in BESIDES {
        assert_eq!(asked.field(name), None, "{name} on a fill");
    }
    node.clock.advance(Duration::from_secs(30));
    assert_eq!(client.get_with("/r/1", &traced(OTHER)).await.cache(), "STALE");
    until("it is renewed", || async { origin.count() == 2 }).await;
    let renewed = &origin.asked()[1];
    assert_eq!((renewed.field("traceparent"), renewed.field("if-none-match")), (Some(OTHER), Some("\"a\"")));
}

#[tokio::test]
async fn only_what_has_the_form_goes_along_on_a_fill() {
    let origin = echoing().await;
    let node = Node::start(origin.address, ROUTE);
    let client = node.client();
    let later = format!("01-{TRACE}-00f067aa0ba902b7-03-m4rk");
    for (n, (lines, seen)) in [
        (&[PARENT][..], Some(PARENT.to_owned())),
        (&[PARENT, PARENT], None),
        (&[PARENT, OTHER], None),
        (&[""], None),
        (&["00-m4rk"], None),
        (&["00-00000000000000000000000000000000-00f067aa0ba902b7-01"], None),
        (&["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"], None),
        (&["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-m4rk"], None),
        (&["ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"], None),
        (&[later.as_str()], Some(PARENT.to_owned())),
    ]
    .into_iter()
    .enumerate()
    {
        let fields: Vec<_> = lines.iter().map(|line| ("traceparent", *line)).collect();
        let answer = client.get_with(&format!("/r/form{n}"), &fields).await;
        assert_eq!(answer.text(), seen.as_deref().unwrap_or("none"), "{lines:?}");
        // What is not kept carries what the client sent.
        let passed = [&fields[..], &[("cookie", "a=b")]].concat();
        client.get_with("/r/passed", &passed).await;
        let asked = origin.asked().pop().unwrap();
        let sent: Vec<_> = asked.fields.get_all("traceparent").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(sent, lines, "a pass");
    }
}

#[tokio::test]
async fn what_passes_and_what_has_no_route_carries_them_all() {
    let origin = echoing().await;
    let node = Node::start(origin.address, ROUTE);
    let client = node.client();
    client.get_with("/u/1", &traced(PARENT)).await;
    client.send("POST", "/r/1", &traced(PARENT), "{}").await;
    client.get_with("/r/1", &[&traced(PARENT)[..], &[("cookie", "a=b")]].concat()).await;
    for asked in origin.asked() {
        for (name, value) in traced(PARENT) {
            assert_eq!(asked.field(name), Some(value), "{} {}", asked.method, asked.target);
        }
    }
    assert_eq!(client.get_with("/u/1", &traced(OTHER)).await.cache(), "HIT");
}

/// An answer that depends on the trace depends on what no two requests share.
#[tokio::test]
async fn an_answer_that_varies_by_the_trace_is_kept_only_where_that_is_keyed() {
    let origin = echoing().await;
    let node = Node::start(origin.address, ROUTE);
    let client = node.client();
    for parent in [PARENT, OTHER] {
        let answer = client.get_with("/r/varies", &traced(parent)).await;
        assert_eq!((answer.text(), answer.cache()), (parent, "MISS"));
        assert!(answer.cache_status().ends_with("detail=vary-any"), "{}", answer.cache_status());
    }
    for (parent, cache) in [(PARENT, "MISS"), (OTHER, "MISS"), (PARENT, "HIT"), (OTHER, "HIT")] {
        let answer = client.get_with("/keyed", &traced(parent)).await;
        assert_eq!((answer.text(), answer.cache()), (parent, cache));
    }
}

#[tokio::test]
async fn the_log_has_the_ids_of_a_request() {
    let origin = echoing().await;
    for format in ["text", "json"] {
        let node = Process::telling(origin.address, "memory://", &format!("[log]\nformat = \"{format}\"\n")).await;
        let client = node.client();
        client.get_with("/traced", &traced(PARENT)).await;
        client.get_with("/odd", &[("traceparent", "00-m4rk-m4rk-01"), ("x-request-id", "m4rk m4rk")]).await;
        client.get("/last").await;
        node.says("/last").await;
        let log = node.log();
        let line = log.lines().find(|line| line.contains("/traced")).unwrap();
        for (name, value) in [
            ("trace_id", TRACE),
            ("span_id", "00f067aa0ba902b7"),
            ("request_id", "r-1"),
            ("correlation_id", "c-1"),
            ("b3_trace_id", "80f198ee56343ba8"),
        ] {
            let told = if format == "json" { format!("\"{name}\":\"{value}\"") } else { format!("{name}=\"{value}\"") };
            assert!(line.contains(&told), "{told}: {line}");
        }
        for silent in ["/odd", "/last"] {
            let line = log.lines().find(|line| line.contains(silent)).unwrap();
            assert!(!line.contains("_id") && !line.contains("m4rk"), "{line}");
        }
    }
}
