//! `[verify] shadow`: whatever is stored, each client gets what the API says to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering::SeqCst};

use super::support::node::Node;
use super::support::origin::{Asked, Origin, json, response};

const ROUTE: &str =
    "[[route]]\npath = \"/a/{id}\"\nttl = \"1h\"\nstale_if_error = \"1h\"\nstale_while_revalidate = \"1h\"\n";
const SHADOW: &str = "[clients]\npurge_from = [\"127.0.0.1\"]\n[unrouted]\ncache = true\n[verify]\nshadow = true\n";

/// Answers with this status and its version, as what may stand in for an hour.
async fn api() -> (Origin, Arc<AtomicU16>, Arc<AtomicUsize>) {
    let (status, version) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicUsize::new(1)));
    let (said, now) = (Arc::clone(&status), Arc::clone(&version));
    let origin = Origin::start(move |asked: Asked| {
        let (status, version) = (said.load(SeqCst), now.load(SeqCst));
        let tag = format!("\"v{version}\"");
        let fields =
            [("etag", &*tag), ("cache-control", "max-age=3600, stale-if-error=3600, stale-while-revalidate=3600")];
        let body = if asked.method == "HEAD" { String::new() } else { format!("version {version}") };
        let answer = response(status, &fields, &body);
        async move { answer }
    })
    .await;
    (origin, status, version)
}

/// A read, and fields that it has.
type Read = (&'static str, &'static [(&'static str, &'static str)]);

const READS: [Read; 7] = [
    ("GET", &[]),
    ("HEAD", &[]),
    ("GET", &[("range", "bytes=0-3")]),
    ("GET", &[("if-none-match", "\"v1\"")]),
    ("HEAD", &[("if-none-match", "\"v1\"")]),
    ("GET", &[("cache-control", "max-stale")]),
    ("GET", &[("cache-control", "no-cache")]),
];

#[tokio::test]
async fn nothing_stored_answers_or_stands_in_whatever_is_asked() {
    for target in ["/a/1", "/b/1"] {
        for (method, fields) in READS {
            for (soft, honoured) in [(false, ""), (true, ""), (true, "request_directives = \"honour\"\n")] {
                let (origin, status, version) = api().await;
                let node = Node::start(origin.address, &format!("{SHADOW}{ROUTE}{honoured}"));
                let client = node.client();
                assert_eq!(client.get(target).await.status, 200);
                if soft {
                    assert_eq!(client.send("PURGE", target, &[("soft-purge", "1")], "").await.status, 200);
                }
                let (asked, case) = (origin.count(), format!("{method} {target} {fields:?}, soft: {soft}"));
                status.store(503, SeqCst);
                assert_eq!(client.send(method, target, fields, "").await.status, 503, "{case}");
                status.store(200, SeqCst);
                version.store(2, SeqCst);
                let new = client.send(method, target, fields, "").await;
                assert_ne!(new.status, 304, "{case}");
                assert!(method == "HEAD" || "version 2".starts_with(new.text()), "{case}: {}", new.text());
                assert_eq!((new.field("etag"), new.field("age")), ("\"v2\"", ""), "{case}");
                assert!(origin.count() >= asked + 2, "{case}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_those_who_ask_at_once_gets_an_answer_of_its_own() {
    let (origin, mut keeper) = Origin::gated(|| json("{}")).await;
    let node = Node::start(origin.address, &format!("{SHADOW}{ROUTE}"));
    let ask = || {
        let client = node.client();
        tokio::spawn(async move { client.get("/a/1").await })
    };
    let first = ask();
    keeper.arrived().await;
    let others = [ask(), ask()];
    // Time enough to join the first one, if they did.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    keeper.let_go(1);
    assert_eq!(first.await.unwrap().status, 200);
    keeper.let_go(2);
    for other in others {
        let answer = other.await.unwrap();
        assert!(answer.status == 200 && !answer.cache_status().contains("collapsed"), "{}", answer.cache_status());
    }
    assert_eq!(origin.count(), 3);
}
