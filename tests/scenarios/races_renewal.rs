//! What is made of a stored answer (a 304, a HEAD, a joined part) comes late: what came meanwhile stays, though it came
//! without a write, through another node or from a person at Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aside::clock::Clock;
use tokio::task::JoinHandle;

use super::support::client::{Answer, Client};
use super::support::connected;
use super::support::node::{NEW_YEAR, Node};
use super::support::origin::{Asked, Gate, Keeper, Origin, response};
use super::support::redis::RedisServer;

const X: &str = "/fruit/1";
const ROUTE: &str = "[[route]]\npath = \"/fruit/{id}\"\nkey = \"fruit:{id}\"\nttl = \"5s\"\n";
const LATE: &str = "newer-fill";

/// An origin that changes by itself, and two nodes on one Redis in front of it.
struct Stand {
    version: Arc<AtomicUsize>,
    keeper: Keeper,
    redis: RedisServer,
    nodes: [Node; 2],
}

/// The answer of this version: to a condition, to a range, or whole. Those who send `x-lasting` get it for a day.
fn answer(asked: &Asked, version: usize, vary: bool) -> hyper::Response<http_body_util::Full<bytes::Bytes>> {
    let tag = format!("\"{version}\"");
    let age = if asked.field("x-lasting").is_some() { "max-age=86400" } else { "max-age=5" };
    let mut fields = vec![("cache-control", age), ("etag", tag.as_str())];
    fields.extend(vary.then_some(("vary", "x-language")));
    if asked.field("if-none-match") == Some(&tag) {
        return response(304, &fields, "");
    }
    let body = format!("v{version}-3456789");
    let Some(range) = asked.field("range").and_then(|range| range.strip_prefix("bytes=")) else {
        return response(200, &fields, if asked.method == "HEAD" { "" } else { &body });
    };
    let (first, last) = range.split_once('-').unwrap();
    let said = format!("bytes {first}-{last}/10");
    fields.push(("content-range", &said));
    response(206, &fields, &body[first.parse().unwrap()..=last.parse().unwrap()])
}

impl Stand {
    /// Answers of version 1 to these requests are made when they come, and wait until they are let go.
    async fn start(config: &str, vary: bool, slow: fn(&Asked) -> bool) -> Self {
        let (gate, keeper) = Gate::new();
        let version = Arc::new(AtomicUsize::new(1));
        let shared = Arc::clone(&version);
        let origin = Origin::start(move |asked| {
            let (gate, version) = (gate.clone(), shared.load(Ordering::SeqCst));
            async move {
                let answer = answer(&asked, version, vary);
                if version == 1 && asked.path() == X && slow(&asked) {
                    gate.pass().await;
                }
                answer
            }
        })
        .await;
        let redis = RedisServer::start();
        let config = format!("{config}\n[clients]\nhosts = [\"api.example\"]\n");
        let node = || Node::with(origin.address, &redis.url(), &config, Clock::at(NEW_YEAR));
        let nodes = [node(), node()];
        for node in &nodes {
            connected(&node.client()).await;
        }
        Self { version, keeper, redis, nodes }
    }

    fn clients(&self) -> [Client; 2] {
        self.nodes.each_ref().map(Node::client)
    }

    fn ten_seconds_pass(&self) {
        for node in &self.nodes {
            node.clock.advance(Duration::from_secs(10));
        }
    }

    /// Begins a request of the first node's that waits at the origin, which then goes on to its second version.
    async fn begin(&mut self, method: &'static str, fields: &'static [(&str, &str)]) -> JoinHandle<Answer> {
        let client = self.nodes[0].client();
        let slow = tokio::spawn(async move { send(&client, method, fields).await });
        self.keeper.arrived().await;
        self.version.store(2, Ordering::SeqCst);
        slow
    }

    /// The other node fetches meanwhile: what comes late is refused, and both have what that node has.
    async fn is_overtaken(&self, late: JoinHandle<Answer>) {
        let [here, there] = self.clients();
        assert_eq!(ask(&there, &[]).await.text(), "v2-3456789");
        self.let_go(late, LATE).await;
        for client in [&here, &there] {
            is_hit(&ask(client, &[]).await, "v2-3456789");
        }
    }

    async fn let_go(&self, late: JoinHandle<Answer>, why: &str) {
        self.keeper.let_go(1);
        let late = late.await.unwrap();
        assert!(late.cache_status().ends_with(&format!("; detail={why}")), "{}", late.cache_status());
    }

    /// Every key of the entries' but the metas.
    fn keys(&self) -> Vec<String> {
        let keys = self.redis.command(&["KEYS", "*"]).texts();
        keys.into_iter().filter(|key| !key.contains('{')).collect()
    }
}

/// A request of the same host's, whichever node it is sent to.
async fn send(client: &Client, method: &str, fields: &[(&str, &str)]) -> Answer {
    client.send(method, X, &[&[("host", "api.example")], fields].concat(), "").await
}

async fn ask(client: &Client, fields: &[(&str, &str)]) -> Answer {
    send(client, "GET", fields).await
}

fn is_hit(answer: &Answer, body: &str) {
    assert_eq!((answer.text(), answer.cache()), (body, "HIT"), "{}", answer.cache_status());
}

fn conditional(asked: &Asked) -> bool {
    asked.fields.contains_key("if-none-match")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_304_does_not_replace_what_another_node_has_fetched() {
    for config in ["", ROUTE] {
        let mut stand = Stand::start(config, false, conditional).await;
        let [here, there] = stand.clients();
        assert_eq!(ask(&here, &[]).await.text(), "v1-3456789");
        stand.ten_seconds_pass();
        let late = stand.begin("GET", &[]).await;
        let follower = tokio::spawn({
            let client = here.clone();
            async move { ask(&client, &[]).await }
        });
        assert_eq!(ask(&there, &[]).await.text(), "v2-3456789");
        stand.let_go(late, LATE).await;
        assert_eq!(follower.await.unwrap().text(), "v2-3456789");
        for client in [&here, &there] {
            is_hit(&ask(client, &[]).await, "v2-3456789");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_head_does_not_replace_what_another_node_has_fetched() {
    for config in ["", ROUTE] {
        let mut stand = Stand::start(config, false, |asked| asked.method == "HEAD").await;
        let [here, _] = stand.clients();
        ask(&here, &[]).await;
        stand.ten_seconds_pass();
        let late = stand.begin("HEAD", &[]).await;
        stand.is_overtaken(late).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_variants_304_does_not_replace_what_another_node_has_fetched() {
    const EN: &[(&str, &str)] = &[("x-language", "en")];
    const DE: &[(&str, &str)] = &[("x-language", "de")];
    let mut stand = Stand::start("", true, conditional).await;
    let [here, there] = stand.clients();
    ask(&here, EN).await;
    stand.ten_seconds_pass();
    let late = stand.begin("GET", EN).await;
    assert_eq!(ask(&there, EN).await.text(), "v2-3456789");
    assert_eq!(ask(&there, DE).await.text(), "v2-3456789");
    stand.let_go(late, LATE).await;
    for client in [&here, &there] {
        is_hit(&ask(client, EN).await, "v2-3456789");
        is_hit(&ask(client, DE).await, "v2-3456789");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_304_that_freshens_a_variant_leaves_the_others_in_the_index() {
    const EN: &[(&str, &str)] = &[("x-language", "en")];
    const DE: &[(&str, &str)] = &[("x-language", "de")];
    let mut stand = Stand::start("", true, conditional).await;
    let [here, there] = stand.clients();
    ask(&here, EN).await;
    stand.ten_seconds_pass();
    let late = stand.begin("GET", EN).await;
    assert_eq!(ask(&there, DE).await.text(), "v2-3456789");
    stand.keeper.let_go(1);
    assert!(late.await.unwrap().cache_status().ends_with("; stored"));
    is_hit(&ask(&there, EN).await, "v1-3456789");
    is_hit(&ask(&here, DE).await, "v2-3456789");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_part_is_joined_to_nothing_but_what_it_was_joined_to() {
    const FIRST: &[(&str, &str)] = &[("range", "bytes=0-3")];
    const LAST: &[(&str, &str)] = &[("range", "bytes=5-8")];
    let mut stand = Stand::start("", false, |asked| asked.fields.contains_key("x-slow")).await;
    let [here, there] = stand.clients();
    assert_eq!(ask(&here, FIRST).await.text(), "v1-3");
    let late = stand.begin("GET", &[("range", "bytes=4-6"), ("x-slow", "1")]).await;
    assert_eq!(ask(&there, LAST).await.text(), "5678");
    stand.let_go(late, LATE).await;
    for client in [&here, &there] {
        let hit = ask(client, LAST).await;
        is_hit(&hit, "5678");
        assert_eq!(hit.field("etag"), "\"2\"");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_first_part_does_not_replace_one_that_came_meanwhile() {
    const LAST: &[(&str, &str)] = &[("range", "bytes=5-8")];
    let mut stand = Stand::start("", false, |asked| asked.fields.contains_key("x-slow")).await;
    let [here, there] = stand.clients();
    let late = stand.begin("GET", &[("range", "bytes=0-3"), ("x-slow", "1")]).await;
    ask(&there, LAST).await;
    stand.let_go(late, LATE).await;
    assert_eq!(ask(&here, LAST).await.field("etag"), "\"2\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_part_that_makes_it_whole_does_not_replace_what_another_node_has_fetched() {
    // There was nothing whole, and there was something stale.
    for stale in [false, true] {
        let mut stand = Stand::start("", false, |asked| asked.fields.contains_key("x-slow")).await;
        let [here, _] = stand.clients();
        if stale {
            ask(&here, &[]).await;
            stand.ten_seconds_pass();
        }
        ask(&here, &[("range", "bytes=0-3")]).await;
        let late = stand.begin("GET", &[("range", "bytes=4-9"), ("x-slow", "1")]).await;
        stand.is_overtaken(late).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_makes_a_stale_answer_whole_again() {
    for vary in [false, true] {
        let stand = Stand::start("", vary, |_| false).await;
        let [here, there] = stand.clients();
        ask(&here, &[]).await;
        stand.ten_seconds_pass();
        let answer = ask(&here, &[("range", "bytes=0-9")]).await;
        assert_eq!(answer.cache_status().contains("stored"), !vary, "{}", answer.cache_status());
        assert_eq!(ask(&there, &[]).await.cache(), if vary { "MISS" } else { "HIT" });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_del_during_a_revalidation_is_not_undone() {
    for method in ["GET", "HEAD"] {
        let slow = |asked: &Asked| conditional(asked) || asked.method == "HEAD";
        let mut stand = Stand::start(ROUTE, false, slow).await;
        let [here, there] = stand.clients();
        ask(&here, &[]).await;
        stand.ten_seconds_pass();
        let late = stand.begin(method, &[]).await;
        stand.redis.command(&["DEL", "fruit:1"]);
        stand.let_go(late, "gone").await;
        for client in [&here, &there] {
            assert_eq!(ask(client, &[]).await.text(), "v2-3456789");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_del_of_an_index_during_a_variants_revalidation_is_not_undone() {
    let mut stand = Stand::start("", true, conditional).await;
    let [here, there] = stand.clients();
    ask(&here, &[]).await;
    stand.ten_seconds_pass();
    let late = stand.begin("GET", &[]).await;
    let keys = stand.keys();
    let index = keys.iter().find(|key| key.starts_with(X) && !key.contains('#')).unwrap();
    stand.redis.command(&["DEL", index]);
    stand.let_go(late, "gone").await;
    for client in [&here, &there] {
        assert_eq!(ask(client, &[]).await.text(), "v2-3456789");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_lived_variant_does_not_shorten_the_life_of_the_others() {
    let lasting = [("x-language", "en"), ("x-lasting", "1")];
    let stand = Stand::start("", true, |_| false).await;
    let [here, there] = stand.clients();
    ask(&here, &lasting).await;
    ask(&here, &[("x-language", "de")]).await;
    let keys = stand.keys();
    let index = keys.iter().find(|key| key.starts_with(X) && !key.contains('#')).unwrap();
    let left = stand.redis.command(&["PTTL", index]);
    assert!(matches!(left, super::support::redis::Reply::Number(left) if left > 86_400_000), "{left:?}");
    is_hit(&ask(&there, &lasting).await, "v1-3456789");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_304_that_names_other_selecting_fields_is_kept_where_they_lead() {
    for (first, then) in [("", "x-a"), ("x-a", "x-b"), ("x-a", "x-a, x-b")] {
        let origin = Origin::start(move |asked: Asked| async move {
            let again = asked.fields.contains_key("if-none-match");
            let named = ("vary", if again { then } else { first });
            let fields = [("cache-control", "max-age=5"), ("etag", "\"a\""), named];
            response(if again { 304 } else { 200 }, &fields, if again { "" } else { "body" })
        })
        .await;
        let redis = RedisServer::start();
        for store in ["memory://", &redis.url()] {
            let node = Node::with(origin.address, store, "", Clock::at(NEW_YEAR));
            let client = node.client();
            connected(&client).await;
            // Another variant has the first slot, which is where those of a new index begin.
            ask(&client, &[("x-a", "other")]).await;
            ask(&client, &[]).await;
            node.clock.advance(Duration::from_secs(10));
            let renewed = ask(&client, &[]).await;
            assert_eq!(renewed.cache_status(), "aside; fwd=stale; fwd-status=304; ttl=5; stored", "{first}, {then}");
            is_hit(&ask(&client, &[]).await, "body");
        }
    }
}
