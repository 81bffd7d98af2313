//! `PURGE` on the data port: for whom the file names; on every node, and against what is being fetched.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aside::telemetry::{PurgeKind, PurgeMode, PurgeResult, PurgedBy, Recent, RecentWrite};

use super::support::client::{Answer, Client};
use super::support::node::Node;
use super::support::origin::{Gate, Keeper, Origin, json};
use super::support::redis::RedisServer;
use super::support::until;

const ROUTES: &str = "[clients]\npurge_from = [\"127.0.0.1\"]\n[[route]]\npath = \"/fruit/{id}\"\nkey = \"fruit:{id}:{page}\"\n\
                      ttl = \"1h\"\nquery = [\"page\"]\nstale_while_revalidate = \"1h\"\n\
                      [[route]]\npath = \"/plain\"\nttl = \"1h\"\n[[route]]\npath = \"/other\"\nttl = \"1h\"\n";

async fn purge(client: &Client, target: &str, fields: &[(&str, &str)]) -> Answer {
    client.send("PURGE", target, fields, "").await
}

/// How often a URL was purged so hard with that result, and how often any other purge was.
fn counted(node: &Node, mode: PurgeMode, result: PurgeResult) -> (u64, u64) {
    let totals = node.metrics.totals();
    let kind = PurgeKind { by: PurgedBy::Url, mode, result };
    let count = totals.purges[&kind];
    (count, totals.purges.values().sum::<u64>() - count)
}

/// The last purges, the newest first; there were no writes.
fn told(node: &Node) -> Vec<RecentWrite> {
    Recent::of(Arc::clone(&node.metrics), 0).snapshot().writes
}

/// Answers GETs with the version that was current when they came, once the gate lets those of `/fruit/1` go.
async fn versioned() -> (Origin, Keeper, Arc<AtomicUsize>) {
    let version = Arc::new(AtomicUsize::new(1));
    let (gate, keeper) = Gate::new();
    let current = Arc::clone(&version);
    let origin = Origin::start(move |asked| {
        let (gate, current) = (gate.clone(), Arc::clone(&current));
        async move {
            let read = current.load(Ordering::SeqCst);
            if asked.path() == "/fruit/1" {
                gate.pass().await;
            }
            json(&format!("{{\"version\":{read}}}"))
        }
    })
    .await;
    (origin, keeper, version)
}

#[tokio::test]
async fn it_drops_what_the_url_may_be_answered_with_and_nothing_else() {
    let origin = Origin::counting().await;
    for (node, _redis) in &Node::on_each_store(origin.address, ROUTES).await {
        let client = node.client();
        let (page, french) = ("/fruit/1?page=2", [("origin", "https://a.example")]);
        client.fill(&[page, "/fruit/1", "/fruit/2", "/plain?x=1", "/plain?x=2", "/other"]).await;
        for cache in ["MISS", "HIT"] {
            assert_eq!(client.get_with(page, &french).await.cache(), cache);
        }
        let asked = origin.count();
        let answer = purge(&client, "/fruit/1?page=2&utm=x", &[]).await;
        assert_eq!((answer.status, answer.field("content-type")), (200, "application/json"));
        assert_eq!(counted(node, PurgeMode::Hard, PurgeResult::Done), (1, 0));
        let recent = told(node);
        assert_eq!((recent.len(), &*recent[0].method, recent[0].status), (1, "PURGE", Some(200)), "{recent:?}");
        assert_eq!((&*recent[0].path, recent[0].done), ("url /fruit/1?\u{2026}", Some("confirmed")));
        assert_eq!(recent[0].purge.as_ref().unwrap().asked_by, "127.0.0.1");
        let told = answer.json();
        assert_eq!((&told["purged"]["url"], &told["soft"]), (&"/fruit/1?page=2&utm=x".into(), &false.into()));
        assert!(told["token"].is_string() && answer.field("cache-control") == "no-store", "{told}");
        purge(&client, "/plain", &[]).await;
        assert_eq!(origin.count(), asked, "the API never sees one");
        assert_eq!(client.get_with(page, &french).await.cache(), "MISS", "another variant of the key");
        client
            .expect(&[
                (page, "MISS"),
                ("/fruit/1", "HIT"),
                ("/fruit/2", "HIT"),
                ("/other", "HIT"),
                ("/plain?x=1", "MISS"),
                ("/plain?x=2", "MISS"),
            ])
            .await;
    }
}

#[tokio::test]
async fn a_soft_one_leaves_it_stale() {
    let origin = Origin::counting().await;
    for (node, _redis) in &Node::on_each_store(origin.address, ROUTES).await {
        let client = node.client();
        client.fill(&["/fruit/1"]).await;
        let asked = origin.count();
        let answer = purge(&client, "/fruit/1", &[("soft-purge", "1")]).await;
        assert_eq!((answer.status, &answer.json()["soft"]), (200, &true.into()));
        assert_eq!(counted(node, PurgeMode::Soft, PurgeResult::Done), (1, 0));
        assert!(told(node)[0].dropped.as_ref().unwrap().ends_with(", softly"));
        let next = client.get("/fruit/1").await;
        assert!(next.cache_status().contains("fwd=stale"), "{}", next.cache_status());
        assert_eq!(origin.count(), asked + 1);
    }
}

#[tokio::test]
async fn whom_the_file_does_not_name_is_refused_and_the_api_sees_nothing() {
    let origin = Origin::counting().await;
    let trusting = "[clients]\ntrusted_proxies = [\"127.0.0.1\"]\npurge_from = [\"192.0.2.0/24\"]\n\
                    purge_token = \"0123456789abcdef\"\n";
    // A balancer that may say nothing of its clients, and pages that a browser runs where its user may purge.
    let overlapping = "[clients]\ntrusted_proxies = [\"127.0.0.0/8\"]\npurge_from = [\"127.0.0.1\"]\npurge_token = \"0123456789abcdef\"\n";
    let home = "[clients]\npurge_from = [\"127.0.0.1\"]\npurge_token = \"0123456789abcdef\"\n";
    let from = |address| [("x-forwarded-for", address)];
    let page = [("origin", "http://rebound.example"), ("host", "rebound.example")];
    let bearer = |token| [("authorization", token)];
    for (config, fields, status) in [
        ("", &[][..], 405),
        ("", &bearer("Bearer "), 405),
        ("[clients]\npurge_from = [\"192.0.2.0/24\"]\n", &from("192.0.2.1"), 405),
        (trusting, &from("192.0.2.1"), 200),
        (trusting, &from("198.51.100.1"), 405),
        (trusting, &[], 405),
        (trusting, &bearer("Bearer 0123456789abcdef"), 200),
        (trusting, &bearer("Bearer 0123456789abcdeF"), 405),
        (overlapping, &[], 405),
        (overlapping, &from("unknown"), 405),
        (overlapping, &[("forwarded", "for=unknown")], 405),
        (overlapping, &from("127.0.0.1"), 200),
        (overlapping, &from("192.0.2.1"), 405),
        (overlapping, &bearer("Bearer 0123456789abcdef"), 200),
        (home, &[("host", "any.example")], 200),
        (home, &page, 405),
        (home, &[("origin", "null")], 405),
        (home, &[("sec-fetch-site", "same-origin")], 405),
        (home, &[page[0], bearer("Bearer 0123456789abcdef")[0]], 200),
    ] {
        let node = Node::start(origin.address, config);
        let answer = purge(&node.client(), "/fruit/1", fields).await;
        assert_eq!(answer.status, status, "{config}{fields:?}");
        // Clients are told of no key of the file.
        assert!(!answer.text().contains("purge_") && !answer.text().contains("[clients]"), "{}", answer.text());
        let result = if status == 200 { PurgeResult::Done } else { PurgeResult::Refused };
        assert_eq!(counted(&node, PurgeMode::Hard, result), (1, 0), "{config}{fields:?}");
        assert_eq!(told(&node).len(), usize::from(status == 200), "whoever may not purge pushes nothing off the list");
        assert!(status == 200 || (!answer.field("allow").is_empty() && !answer.field("allow").contains("PURGE")));
    }
    assert_eq!(origin.count(), 0);
}

async fn nothing_older_after_it(
    reader: &Node,
    purger: &Node,
    soft: &[(&str, &str)],
    stand: (Keeper, Arc<AtomicUsize>),
) {
    let (mut keeper, version) = stand;
    let ask = || {
        let client = reader.client();
        tokio::spawn(async move { client.get("/fruit/1").await })
    };
    let leader = ask();
    keeper.arrived().await;
    // What is being fetched is old from now on.
    version.store(2, Ordering::SeqCst);
    assert_eq!(purge(&purger.client(), "/fruit/1", soft).await.status, 200);
    // This one may join the fetch that is under way.
    let after = ask();
    keeper.let_go(10);
    let leader = leader.await.unwrap();
    assert_eq!(leader.json()["version"], 1);
    assert!(leader.cache_status().ends_with("detail=raced-write"), "{}", leader.cache_status());
    assert_eq!(after.await.unwrap().json()["version"], 2);
    assert_eq!(reader.client().get("/fruit/1").await.json()["version"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_after_a_purge_gets_nothing_that_was_being_fetched_before_it() {
    for soft in [&[][..], &[("soft-purge", "1")]] {
        let (origin, keeper, version) = versioned().await;
        let node = Node::start(origin.address, ROUTES);
        nothing_older_after_it(&node, &node, soft, (keeper, version)).await;

        let (origin, keeper, version) = versioned().await;
        let redis = RedisServer::start();
        let [reader, purger] = Node::two_on(origin.address, &redis.url(), ROUTES).await;
        nothing_older_after_it(&reader, &purger, soft, (keeper, version)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_redis_did_not_confirm_is_503_and_made_before_anything_is_read() {
    let origin = Origin::counting().await;
    let redis = RedisServer::start();
    let node = Node::on(origin.address, &redis.url(), ROUTES);
    let client = node.client();
    until("there are hits", || async { client.get("/fruit/1").await.cache() == "HIT" }).await;
    redis.pause();
    let answer = purge(&client, "/fruit/1", &[]).await;
    assert_eq!((answer.status, answer.field("retry-after")), (503, "1"));
    assert!(answer.text().contains("It is pending"), "{}", answer.text());
    assert!(node.store.state().pending > 0);
    assert_eq!(counted(&node, PurgeMode::Hard, PurgeResult::Pending), (1, 0));
    assert_eq!((told(&node)[0].status, told(&node)[0].done), (Some(503), Some("pending")));
    redis.resume();
    let before = origin.count();
    until("it is read from again", || async { node.store.state().pending == 0 }).await;
    until("there are hits", || async { client.get("/fruit/1").await.cache() == "HIT" }).await;
    assert!(origin.count() > before, "what was stored before is not given out");
    assert_eq!(
        counted(&node, PurgeMode::Hard, PurgeResult::Pending),
        (1, 0),
        "that it was made later is no further purge"
    );
}

#[tokio::test]
async fn whoever_asks_for_a_purge_and_leaves_has_it_all_the_same() {
    use std::future::Future as _;

    use aside::rules::Purge;
    use aside::store::Strength;

    let origin = Origin::counting().await;
    let node = Node::start(origin.address, ROUTES);
    let client = node.client();
    let targets: Vec<String> = (0..600).map(|n| format!("/fruit/{n}")).collect();
    for target in &targets {
        client.get(target).await;
    }
    let purging = node.shared.rules().routes.purging(Purge::Url("/fruit/1".to_owned()), "").unwrap();
    let store = node.store.attach();
    let mut purge = Box::pin(store.purge(&purging, Strength::Hard));
    let begun = std::future::poll_fn(|context| std::task::Poll::Ready(purge.as_mut().poll(context).is_pending())).await;
    assert!(begun, "it takes a while to count");
    drop(purge);
    until("it is made", || async { client.get("/fruit/1").await.cache() == "MISS" }).await;
}
