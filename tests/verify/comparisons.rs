//! What a comparison finds, and what it leaves alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use aside::verify::{Report, RouteReport};

use super::support::client::Client;
use super::support::node::Node;
use super::support::origin::{Asked, Gate, Keeper, Origin, response};
use super::support::redis::RedisServer;
use super::support::{connected, until};

const ROUTES: &str = "[[route]]\npath = \"/a/{id}\"\nname = \"a\"\nttl = \"1h\"\ninvalidated_by = []\nquery = [\"q\"]\n\
                      [[write]]\nrequest = \"POST /b\"\ndrops = [\"/a/{body:/id}\"]\n";
const ALL: &str = "[verify]\nsample = \"100%\"\n";

/// An origin that says what the test lets it say.
struct Api {
    origin: Origin,
    version: Arc<AtomicUsize>,
    status: Arc<AtomicU16>,
    writes: Keeper,
}

/// A GET is answered with the version, and with another number each time below `/a/volatile`; a write raises the version at
/// once and is answered when the test says so.
async fn api() -> Api {
    let (version, status, count) = (Arc::new(AtomicUsize::new(1)), Arc::new(AtomicU16::new(200)), AtomicUsize::new(0));
    let (gate, writes) = Gate::new();
    let gate = Arc::new(gate);
    let (said, now) = (Arc::clone(&status), Arc::clone(&version));
    let origin = Origin::start(move |asked: Asked| {
        let (gate, count) = (Arc::clone(&gate), count.fetch_add(1, Ordering::SeqCst));
        let is_write = asked.method == "POST";
        let version = if is_write { now.fetch_add(1, Ordering::SeqCst) } else { now.load(Ordering::SeqCst) };
        let status = said.load(Ordering::SeqCst);
        async move {
            if is_write {
                gate.pass().await;
            }
            let count = if asked.path() == "/a/volatile" { count } else { 0 };
            let body = format!("{{\"version\":{version},\"at\":{{\"n\":{count}}}}}");
            response(status, &[("content-type", "application/json")], &body)
        }
    })
    .await;
    Api { origin, version, status, writes }
}

fn report(node: &Node) -> Report {
    node.shared.verified()
}

fn counts(node: &Node) -> RouteReport {
    report(node).routes.into_iter().find(|route| route.route == "a").unwrap_or_default()
}

/// Puts an answer into the store, without a hit.
async fn stored(client: &Client, target: &str) {
    assert_eq!(client.get(target).await.cache(), "MISS");
}

async fn compared(node: &Node, times: u64) {
    until("it is compared", || async { counts(node).compared == times }).await;
}

#[tokio::test]
async fn a_hit_that_says_the_same_is_left_alone_and_the_origin_is_asked_as_for_a_fill() {
    let api = api().await;
    let node = Node::start(api.origin.address, &(ROUTES.to_owned() + ALL));
    let client = node.client();
    stored(&client, "/a/1?q=x").await;
    assert_eq!(client.get_with("/a/1?q=x&r=y", &[("x-own", "1")]).await.cache(), "HIT");
    compared(&node, 1).await;
    assert_eq!((counts(&node).old, counts(&node).void), (0, 0));
    let [fill, again] = &api.origin.asked()[..] else { panic!("once more") };
    assert_eq!((&fill.target, &fill.fields), (&again.target, &again.fields));
    assert_eq!(client.get("/a/1?q=x").await.cache(), "HIT");
}

#[tokio::test]
async fn each_comparison_counts_as_a_fetch_of_the_origin_and_none_as_a_request() {
    let api = api().await;
    let node = Node::start(api.origin.address, &(ROUTES.to_owned() + ALL));
    let client = node.client();
    stored(&client, "/a/1").await;
    let mut length = 0;
    for hit in 1..=10 {
        length = client.get("/a/1").await.body.len() as u64;
        compared(&node, hit).await;
    }
    let told = || {
        let totals = node.metrics.totals();
        let route = &totals.routes["a"];
        assert_eq!((totals.count(), route.requests, route.hits), (totals.count(), totals.count(), totals.count() - 1));
        assert_eq!(route.cache_bytes, route.hits * length);
        (totals.origin.count(), route.origin_fetches, route.origin_bytes)
    };
    assert_eq!(told(), (11, 11, 11 * length));
    // What is said twice is asked twice.
    api.version.fetch_add(1, Ordering::SeqCst);
    client.get("/a/1").await;
    compared(&node, 11).await;
    assert_eq!((told(), api.origin.count()), ((13, 13, 13 * length), 13));
}

#[tokio::test]
async fn what_changed_without_a_write_is_old_and_dropped_and_nobody_is_blamed() {
    let api = api().await;
    for (node, _redis) in &Node::on_each_store(api.origin.address, &(ROUTES.to_owned() + ALL)).await {
        let client = node.client();
        stored(&client, "/a/1?q=x").await;
        let version = api.version.fetch_add(1, Ordering::SeqCst) + 1;
        assert_eq!(client.get("/a/1?q=x").await.cache(), "HIT");
        compared(node, 1).await;
        assert_eq!(counts(node).old, 1);
        let finding = &report(node).findings[0];
        assert_eq!((finding.target.as_str(), finding.blamed.len()), ("/a/1?q=x", 0));
        assert!(finding.text.contains("no write went through this process since then"), "{}", finding.text);
        let fresh = client.get("/a/1?q=x").await;
        assert_eq!((fresh.cache(), fresh.json()["version"].as_u64()), ("MISS", Some(version as u64)));
    }
}

#[tokio::test]
async fn of_what_was_stored_before_its_start_a_process_does_not_know_the_writes() {
    let (api, redis) = (api().await, RedisServer::start());
    let config = ROUTES.to_owned() + ALL;
    let before = Node::on(api.origin.address, &redis.url(), &config);
    connected(&before.client()).await;
    stored(&before.client(), "/a/1").await;
    let node = Node::on(api.origin.address, &redis.url(), &config);
    connected(&node.client()).await;
    api.version.fetch_add(1, Ordering::SeqCst);
    assert_eq!(node.client().get("/a/1").await.cache(), "HIT");
    let found = || async {
        node.client().get("/a/1").await;
        !report(&node).findings.is_empty()
    };
    until("it is found old", found).await;
    let finding = &report(&node).findings[0];
    assert!(
        finding
            .text
            .contains("no write went through this process; writes are known from later on only; what went through 1"),
        "{finding:?}"
    );
}

#[tokio::test]
async fn a_write_that_did_not_drop_what_it_changed_is_told() {
    let api = api().await;
    let node = Node::start(api.origin.address, &(ROUTES.to_owned() + ALL));
    let client = node.client();
    stored(&client, "/a/1").await;
    stored(&client, "/a/2").await;
    api.writes.let_go(1);
    client.post("/b", "{\"id\":2}").await;
    assert_eq!(client.get("/a/1").await.cache(), "HIT");
    compared(&node, 1).await;
    let finding = &report(&node).findings[0];
    assert_eq!(finding.blamed, ["POST /b"]);
    assert!(
        finding.text.ends_with("is old; since then POST /b went through, which drops only some of route a"),
        "{}",
        finding.text
    );
    assert_eq!(client.get("/a/2").await.cache(), "MISS", "this one it had dropped");
}

#[tokio::test]
async fn a_write_whose_answer_is_on_its_way_has_left_nothing_old() {
    let mut api = api().await;
    let node = Node::start(api.origin.address, &(ROUTES.to_owned() + ALL));
    let client = node.client();
    stored(&client, "/a/1").await;
    let writing = tokio::spawn({
        let client = client.clone();
        async move { client.post("/b", "{\"id\":1}").await.status }
    });
    api.writes.arrived().await;
    // The origin says something else already, and rightly the entry is still there.
    assert_eq!(client.get("/a/1").await.cache(), "HIT");
    until("the origin was asked twice again", || async { api.origin.count() == 4 }).await;
    assert_eq!(counts(&node).compared, 0);
    api.writes.let_go(1);
    assert_eq!(writing.await.unwrap(), 200);
    compared(&node, 1).await;
    assert_eq!((counts(&node).old, counts(&node).void), (0, 1));
}

#[tokio::test]
async fn what_is_another_one_each_time_is_volatile_and_stays() {
    let api = api().await;
    let node = Node::start(api.origin.address, &(ROUTES.to_owned() + ALL));
    let client = node.client();
    stored(&client, "/a/volatile").await;
    for times in 1..=2 {
        assert_eq!(client.get("/a/volatile").await.cache(), "HIT");
        compared(&node, times).await;
    }
    assert_eq!((counts(&node).old, counts(&node).volatile), (0, 2));
    assert_eq!(report(&node).ignore, ["/at/n"]);
    let node = Node::start(api.origin.address, &(ROUTES.to_owned() + ALL + "ignore = [\"/at/n\"]\n"));
    let client = node.client();
    stored(&client, "/a/volatile").await;
    client.get("/a/volatile").await;
    compared(&node, 1).await;
    assert_eq!((counts(&node).old, counts(&node).volatile, counts(&node).void), (0, 0, 0));
}

#[tokio::test]
async fn what_is_another_one_each_time_is_named_where_each_route_has_it() {
    let count = AtomicUsize::new(0);
    let origin = Origin::start(move |asked: Asked| {
        let seen = count.fetch_add(1, Ordering::SeqCst);
        let user = format!("{{\"name\":\"ann\",\"last_seen\":{seen}}}");
        let body = if asked.path() == "/me" { user } else { format!("{{\"users\":[{user}]}}") };
        async move { response(200, &[("content-type", "application/json")], &body) }
    })
    .await;
    let routes = "[[route]]\npath = \"/me\"\nttl = \"1h\"\n[[route]]\npath = \"/users\"\nttl = \"1h\"\n";
    let node = Node::start(origin.address, &(routes.to_owned() + ALL));
    let client = node.client();
    for target in ["/me", "/users"] {
        stored(&client, target).await;
        for times in 1..=2 {
            assert_eq!(client.get(target).await.cache(), "HIT");
            let volatile = || report(&node).routes.iter().any(|of| of.route == target && of.volatile == times);
            until("it is compared", || async { volatile() }).await;
        }
    }
    assert_eq!(report(&node).ignore, ["/last_seen", "/users/*/last_seen"]);
}

#[tokio::test]
async fn an_origin_in_trouble_says_nothing() {
    let api = api().await;
    let node = Node::start(api.origin.address, &(ROUTES.to_owned() + ALL));
    let client = node.client();
    stored(&client, "/a/1").await;
    for (times, status) in [(1, 500), (2, 503), (3, 429)] {
        api.status.store(status, Ordering::SeqCst);
        assert_eq!(client.get("/a/1").await.cache(), "HIT");
        compared(&node, times).await;
        assert_eq!((counts(&node).old, counts(&node).void), (0, times));
    }
    api.status.store(404, Ordering::SeqCst);
    client.get("/a/1").await;
    compared(&node, 4).await;
    assert_eq!(counts(&node).old, 1, "that it is gone is an answer");
}

#[tokio::test]
async fn where_half_of_the_origins_places_are_taken_nothing_is_compared() {
    let api = api().await;
    let few = format!("[origin]\nurl = \"ORIGIN\"\nmax_connections = 2\n{ROUTES}{ALL}");
    let mut api = api;
    let node = Node::start(api.origin.address, &few);
    let client = node.client();
    stored(&client, "/a/1").await;
    let writing = |id: u32| {
        let client = client.clone();
        tokio::spawn(async move { client.post("/b", &format!("{{\"id\":{id}}}")).await.status })
    };
    let under_way = [writing(5), writing(6)];
    for _ in &under_way {
        api.writes.arrived().await;
    }
    assert_eq!(client.get("/a/1").await.cache(), "HIT");
    api.writes.let_go(2);
    for write in under_way {
        assert_eq!(write.await.unwrap(), 200);
    }
    // The next one is compared, and no other is.
    assert_eq!(client.get("/a/1").await.cache(), "HIT");
    compared(&node, 1).await;
}

/// Says a version, and what a field says that it does not name in Vary; a language that it does name.
async fn shaped() -> (Origin, Arc<AtomicUsize>) {
    let version = Arc::new(AtomicUsize::new(1));
    let now = Arc::clone(&version);
    let origin = Origin::start(move |asked: Asked| {
        let said = |name| asked.field(name).unwrap_or("-").to_owned();
        let body = format!("{} {} {}", now.load(Ordering::SeqCst), said("x-shape"), said("accept-language"));
        async move { response(200, &[("cache-control", "public, max-age=3600"), ("vary", "accept-language")], &body) }
    })
    .await;
    (origin, version)
}

// Anybody could have an entry called old, and dropped, who has the page look otherwise for himself.
#[tokio::test]
async fn without_a_route_what_a_clients_own_fields_make_of_a_page_is_not_old_and_is_not_asked_for() {
    let (origin, version) = shaped().await;
    let node = Node::start(origin.address, ALL);
    let client = node.client();
    let german = ("accept-language", "de");
    assert_eq!(client.get_with("/page", &[german]).await.text(), "1 - de");
    let counts = || report(&node).routes.first().cloned().unwrap_or_default();
    let mut times = 0;
    for fields in [&[german, ("x-shape", "own")][..], &[german, ("cookie", "s=1")], &[german, ("authorization", "x")]] {
        let hit = client.get_with("/page", fields).await;
        assert_eq!((hit.cache(), hit.text()), ("HIT", "1 - de"));
        times += 1;
        until("it is compared", || async { counts().compared == times }).await;
    }
    assert_eq!((counts().old, counts().void, counts().volatile, origin.count()), (0, 0, 0, 4));
    for asked in &origin.asked()[1..] {
        assert_eq!(asked.field("accept-language"), Some("de"));
        for name in ["x-shape", "cookie", "authorization", "x-forwarded-for"] {
            assert_eq!(asked.field(name), None, "{name}");
        }
    }

    // It has changed, for whoever asks: a login would have to be used to be sure, and a shape says nothing of others' pages.
    version.store(2, Ordering::SeqCst);
    for fields in [&[german, ("cookie", "s=1")][..], &[german, ("x-shape", "own")]] {
        assert_eq!(client.get_with("/page", fields).await.cache(), "HIT");
        times += 1;
        until("it is compared", || async { counts().compared == times }).await;
    }
    assert_eq!((counts().old, counts().void, counts().volatile), (0, 2, 0));
    assert!(origin.asked().iter().skip(4).all(|asked| asked.field("cookie").is_none()));
    assert_eq!(client.get_with("/page", &[german]).await.cache(), "HIT");
    until("it is found", || async { counts().old == 1 }).await;
}

#[tokio::test]
async fn in_shadow_what_a_clients_own_fields_make_of_a_page_is_not_old() {
    let (origin, version) = shaped().await;
    let node = Node::start(origin.address, "[verify]\nshadow = true\n");
    let client = node.client();
    assert_eq!(client.get("/page").await.text(), "1 - -");
    let counts = || report(&node).routes.first().cloned().unwrap_or_default();
    assert_eq!(client.get_with("/page", &[("x-shape", "own")]).await.text(), "1 own -");
    until("it is compared", || async { counts().compared == 1 }).await;
    assert_eq!((counts().old, counts().void), (0, 1));
    version.store(2, Ordering::SeqCst);
    assert_eq!(client.get("/page").await.text(), "2 - -");
    until("it is found", || async { counts().old == 1 }).await;
}

#[tokio::test]
async fn in_shadow_clients_get_the_origins_answers_and_what_is_old_stays_and_is_counted() {
    let api = api().await;
    let node = Node::start(api.origin.address, &(ROUTES.to_owned() + "[verify]\nshadow = true\n"));
    let client = node.client();
    stored(&client, "/a/1").await;
    api.version.store(7, Ordering::SeqCst);
    for times in 1..=3 {
        let answer = client.get("/a/1").await;
        assert_eq!((answer.status, answer.json()["version"].as_u64(), answer.cache()), (200, Some(7), "BYPASS"));
        assert!(answer.cache_status().contains("detail=shadow"), "{}", answer.cache_status());
        compared(&node, times).await;
        assert_eq!(counts(&node).old, times);
    }
    assert_eq!(report(&node).findings.len(), 1);
    api.status.store(503, Ordering::SeqCst);
    assert_eq!(client.get("/a/1").await.status, 503, "nothing stored stands in");
}
