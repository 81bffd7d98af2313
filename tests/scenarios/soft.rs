//! Soft invalidation: what it hits is stale at once, however new. It is validated, and stands in for an origin in trouble.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use aside::rules::{CacheKey, EntryRef, Tag};
use aside::store::{Change, Store};

use super::support::node::Node;
use super::support::origin::{Asked, Origin, response};
use super::support::until;

const ROUTES: &str = "[[route]]\npath = \"/fruit/{id}\"\nname = \"fruit\"\nttl = \"1h\"\nstale_while_revalidate = \"1h\"\n\
                      stale_if_error = \"1h\"\nrequest_directives = \"honour\"\n\
                      [[route]]\npath = \"/bare/{id}\"\nname = \"bare\"\nttl = \"1h\"\nstale_if_error = \"0s\"\n";

/// Says 304 to who has what it has, and the status of the test's choice otherwise.
async fn stand() -> (Origin, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(200));
    let said = Arc::clone(&status);
    let origin = Origin::start(move |asked: Asked| {
        let status = said.load(Ordering::SeqCst);
        async move {
            match asked.field("if-none-match") {
                Some("\"x\"") if status == 200 => response(304, &[("etag", "\"x\"")], ""),
                _ => response(status, &[("etag", "\"x\"")], "x"),
            }
        }
    })
    .await;
    (origin, status)
}

async fn soften(store: &Store, route: &str) {
    let tags = [Tag::route(route)];
    // What could not be made at once would be made good later, and not softly.
    let anywhere = EntryRef { key: CacheKey::new("x", 0, "x"), tags: tags.to_vec().into() };
    until("the store answers", || async { store.lookup(&anywhere).await.is_ok() }).await;
    store.invalidate(Change::of(&tags).soft()).await.unwrap();
}

#[tokio::test]
async fn what_was_invalidated_softly_is_validated_once_and_then_reused() {
    let (origin, _) = stand().await;
    for (node, _redis) in &Node::on_each_store(origin.address, ROUTES).await {
        let (client, store) = (node.client(), node.store.attach());
        for fields in [&[][..], &[("cache-control", "max-stale")]] {
            client.fill(&["/fruit/1"]).await;
            soften(&store, "fruit").await;
            let asked = origin.count();
            let answer = client.get_with("/fruit/1", fields).await;
            assert_eq!((answer.status, answer.text()), (200, "x"));
            let status = answer.cache_status();
            assert!(status.contains("fwd=stale; fwd-status=304") && status.contains("stored"), "{status}");
            assert_eq!(origin.asked()[asked].field("if-none-match"), Some("\"x\""));
            assert_eq!((client.get("/fruit/1").await.cache(), origin.count()), ("HIT", asked + 1));
        }
    }
}

#[tokio::test]
async fn it_stands_in_for_an_origin_in_trouble_within_its_window() {
    let (origin, status) = stand().await;
    for (node, _redis) in &Node::on_each_store(origin.address, ROUTES).await {
        let (client, store) = (node.client(), node.store.attach());
        status.store(200, Ordering::SeqCst);
        client.fill(&["/fruit/1", "/bare/1"]).await;
        soften(&store, "fruit").await;
        soften(&store, "bare").await;
        status.store(503, Ordering::SeqCst);
        let stale = client.get("/fruit/1").await;
        assert_eq!((stale.status, stale.text()), (200, "x"));
        assert!(stale.cache_status().contains("detail=stale-if-error"), "{}", stale.cache_status());
        assert_eq!(client.get("/bare/1").await.status, 503);
        // A write is another matter.
        client.put("/fruit/1", "{}").await;
        assert_eq!(client.get("/fruit/1").await.status, 503);
    }
}

#[tokio::test]
async fn a_head_says_that_it_still_holds() {
    let (origin, _) = stand().await;
    for (node, _redis) in &Node::on_each_store(origin.address, ROUTES).await {
        let (client, store) = (node.client(), node.store.attach());
        client.fill(&["/fruit/1"]).await;
        soften(&store, "fruit").await;
        let head = client.send("HEAD", "/fruit/1", &[], "").await;
        assert!(head.cache_status().contains("fwd=stale"), "{}", head.cache_status());
        assert_eq!(client.get("/fruit/1").await.cache(), "HIT");
    }
}
