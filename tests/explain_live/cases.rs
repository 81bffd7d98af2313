//! Many kinds of stored answers, each with the verdict that is expected of it.

use std::time::Duration;

use aside::clock::Clock;
use serde_json::Value;

use super::support::client::Client;
use super::support::node::Node;
use super::support::origin::{Asked, Origin, response};
use super::support::redis::{RedisServer, Reply};
use super::{assert_agrees, file, live};

const CONFIG: &str = r#"
[unrouted]
heuristics = true
[[route]]
path = "/private/{id}"
ttl = "10h"
override_origin = true
override_private = true
[[route]]
path = "/negative/{id}"
ttl = "10h"
statuses = { 200 = "ttl", 404 = "5h" }
[[route]]
path = "/languages/{id}"
ttl = "10h"
vary = ["Accept-Language"]
[[route]]
path = "/annotated/{id}"
ttl = "10h"
annotate = { field = "source", hit = "cache", miss = "database" }
[[route]]
path = "/honoured/{id}"
ttl = "10h"
request_directives = "honour"
[[route]]
path = "/orders/{order_id}"
key = "order:{order_id}"
ttl = "10h"
[route.write]
request = "POST /orders"
select = { query = "target", default = "both", both = "through", oracle = "around" }
entry = '{"order": {body}}'
[[write]]
request = ["PUT /dropped", "POST /orders"]
drops = []
"#;

const HOUR: Duration = Duration::from_secs(3600);
const LONG: &str = "max-age=36000";
const SHORT: &str = "max-age=600";
const OLD: &str = "Sat, 01 Jan 2000 00:00:00 GMT";
const FAR: &str = "Fri, 01 Jan 2100 00:00:00 GMT";

type Fields = &'static [(&'static str, &'static str)];

/// What the origin answers, by path.
const ANSWERS: &[(&str, u16, Fields)] = &[
    ("/absent", 200, &[("cache-control", LONG)]),
    ("/absent-part", 200, &[("cache-control", LONG)]),
    ("/fresh", 200, &[("cache-control", LONG)]),
    ("/stale-etag", 200, &[("cache-control", SHORT), ("etag", "\"1\"")]),
    ("/stale-modified", 200, &[("cache-control", "max-age=600, stale-if-error=36000"), ("last-modified", OLD)]),
    ("/stale-bare", 200, &[("cache-control", SHORT)]),
    ("/renewed", 200, &[("cache-control", "max-age=600, stale-while-revalidate=36000")]),
    ("/no-cache", 200, &[("cache-control", "no-cache"), ("etag", "\"1\"")]),
    ("/must-revalidate", 200, &[("cache-control", "max-age=600, must-revalidate"), ("etag", "\"1\"")]),
    ("/stale-accepted", 200, &[("cache-control", SHORT)]),
    ("/private/1", 200, &[("cache-control", "private")]),
    ("/missing", 404, &[("cache-control", LONG)]),
    ("/negative/1", 404, &[]),
    ("/varies", 200, &[("cache-control", LONG), ("vary", "Accept-Language")]),
    ("/dropped", 200, &[("cache-control", LONG)]),
    ("/languages/2", 200, &[("vary", "accept-language, hx-request")]),
    ("/annotated/1", 200, &[("content-type", "application/json")]),
    ("/cdn", 200, &[("cdn-cache-control", LONG), ("cache-control", "no-store")]),
    ("/shared", 200, &[("cache-control", "s-maxage=36000, max-age=1")]),
    ("/expires", 200, &[("expires", FAR)]),
    ("/guessed", 200, &[("last-modified", OLD)]),
    ("/public", 200, &[("cache-control", "public, max-age=36000")]),
    ("/aged", 200, &[("cache-control", LONG), ("age", "100")]),
    ("/text", 200, &[("cache-control", LONG), ("content-type", "text/plain")]),
    ("/gzipped", 200, &[("cache-control", LONG), ("content-encoding", "gzip")]),
];

const EN: Fields = &[("accept-language", "en")];
const DE: Fields = &[("accept-language", "de")];
const HTMX: Fields = &[("hx-request", "true")];
const GZIP: Fields = &[("accept-encoding", "gzip")];
const BEARER: Fields = &[("authorization", "Bearer hunter2")];

/// A request, its outcome, and where a part of what is said about it must be found.
type Case = (&'static str, &'static str, Fields, &'static str, &'static str, &'static str);

const CASES: &[Case] = &[
    ("GET", "/fresh", &[], "fresh", "/entry/lifetime/because", "the origin's max-age"),
    ("HEAD", "/fresh", &[], "fresh", "/entry/kind", "response"),
    ("GET", "/fresh", &[("range", "bytes=0-3")], "fresh", "/entry/kind", "response"),
    ("GET", "/fresh", &[("cache-control", "max-age=60")], "request", "/verdict/because", "Cache-Control asked for it"),
    ("GET", "/aged", &[("cache-control", "no-cache")], "request", "/verdict/detail", "request-directive"),
    ("GET", "/guessed", &[("cache-control", "min-fresh=90000")], "request", "/verdict/detail", "request-directive"),
    ("GET", "/fresh", &[("cache-control", "only-if-cached")], "fresh", "/verdict/forward", ""),
    ("GET", "/absent", &[("cache-control", "only-if-cached")], "refused", "/verdict/because", "504"),
    ("GET", "/shared", BEARER, "fresh", "/entry/lifetime/source", "s-maxage"),
    ("GET", "/public", BEARER, "fresh", "/entry/flags/0", "public"),
    ("GET", "/expires", BEARER, "bypass", "/verdict/detail", "authorization"),
    ("GET", "/expires", &[], "fresh", "/entry/lifetime/source", "expires"),
    ("GET", "/stale-etag", &[], "stale", "/verdict/because", "it has ETag"),
    ("GET", "/stale-modified", &[], "stale", "/verdict/because", "Should the origin fail, it is served for"),
    ("GET", "/stale-bare", &[], "stale", "/verdict/because", "no validator"),
    ("GET", "/renewed", &[], "stale-while-revalidate", "/verdict/because", "renewed in the background"),
    ("GET", "/no-cache", &[], "stale", "/verdict/because", "It is never fresh"),
    ("GET", "/must-revalidate", &[("cache-control", "max-stale")], "stale", "/entry/flags", "must-revalidate"),
    ("GET", "/stale-accepted", &[("cache-control", "max-stale")], "max-stale", "/verdict/because", "accepts"),
    ("GET", "/private/1", &[], "fresh", "/entry/flags/0", "private"),
    ("GET", "/missing", &[], "fresh", "/entry/status", "404"),
    ("GET", "/negative/1", &[], "fresh", "/entry/lifetime/source", "status"),
    ("GET", "/varies", EN, "fresh", "/variants/fields/0", "accept-language"),
    ("GET", "/varies", DE, "vary-miss", "/variants/slot", "null"),
    ("GET", "/languages/1", EN, "fresh", "/entry/lifetime/source", "route-ttl"),
    ("GET", "/languages/1", DE, "uri-miss", "/entry", "null"),
    ("GET", "/languages/2", HTMX, "fresh", "/verdict/detail", "vary-withheld"),
    ("GET", "/languages/2", HTMX, "fresh", "/verdict/because", "the route kept from the origin"),
    ("GET", "/languages/2", &[], "fresh", "/verdict/detail", "null"),
    ("GET", "/dropped", &[], "invalidated", "/entry/invalidated/tags/0", "p:unrouted /dropped"),
    ("GET", "/annotated/1", &[], "fresh", "/entry/annotation", "source"),
    ("GET", "/annotated/1", &[("cookie", "a=b")], "bypass", "/verdict/detail", "cookie"),
    ("GET", "/annotated/1", &[("cache-control", "no-cache")], "fresh", "/entry/kind", "response"),
    ("GET", "/honoured/1", &[("cache-control", "max-age=0")], "request", "/verdict/detail", "request-directive"),
    ("GET", "/orders/3", &[], "bypass", "/entry/kind", "around marker"),
    ("GET", "/orders/4", EN, "fresh", "/entry/kind", "written"),
    ("GET", "/cdn", &[], "fresh", "/entry/lifetime/because", "CDN-Cache-Control"),
    ("GET", "/text", GZIP, "fresh", "/entry/coding", "gzip"),
    ("GET", "/gzipped", GZIP, "fresh", "/entry/content_encoding", "gzip"),
    ("GET", "/gzipped", &[], "vary-miss", "/entry", "null"),
    ("GET", "/absent", &[], "uri-miss", "/verdict/because", "Nothing is stored"),
    ("HEAD", "/absent-too", &[], "uri-miss", "/entry", "null"),
    ("GET", "/absent-part", &[("range", "bytes=0-3")], "uri-miss", "/verdict/because", "Nothing is stored"),
    ("GET", "//fresh", &[], "bypass", "/verdict/detail", "path-ambiguous"),
];

fn answer(asked: &Asked) -> hyper::Response<http_body_util::Full<bytes::Bytes>> {
    let known = ANSWERS.iter().find(|(path, ..)| *path == asked.path());
    let (status, fields) = known.map_or((200, &[][..]), |(_, status, fields)| (*status, *fields));
    let body = if asked.path() == "/text" { "a line of text\n".repeat(200) } else { r#"{"id": 1}"#.to_owned() };
    response(status, fields, &body)
}

/// Fills the store with every kind, an hour ago by the node's clock.
async fn fill(client: &Client) {
    for (path, ..) in ANSWERS.iter().filter(|(path, ..)| !path.starts_with("/absent")) {
        let fields = match *path {
            "/varies" => EN,
            "/gzipped" => GZIP,
            _ => &[],
        };
        client.get_with(path, fields).await;
    }
    client.get_with("/languages/1", EN).await;
    client.get("/honoured/1").await;
    client.put("/dropped", "{}").await;
    client.post("/orders?target=oracle", r#"{"order_id": 3}"#).await;
    client.post("/orders", r#"{"order_id": 4}"#).await;
}

/// Redis keeps what is never fresh for a second only: fills it until it could be made to stay.
async fn make_stay(client: &Client, redis: &RedisServer) {
    let name = "/no-cache".to_owned();
    let meta = format!("{{{name}}}:meta");
    super::support::until("an entry that stays", || async {
        client.get("/no-cache").await;
        [&name, &meta].iter().all(|key| redis.command(&["PERSIST", key.as_str()]) == Reply::Number(1))
            && redis.command(&["EXISTS", &name, &meta]) == Reply::Number(2)
    })
    .await;
}

fn found(live: &Value, pointer: &str) -> String {
    let value = live.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {live}"));
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[tokio::test]
async fn what_is_told_of_every_kind_of_answer_is_what_the_proxy_then_does() {
    let redis = RedisServer::start();
    let origin = Origin::start(|asked| async move { answer(&asked) }).await;
    let now = Clock::System.now();
    let clock = Clock::at(now - u64::try_from(HOUR.as_millis()).unwrap());
    let node = Node::with(origin.address, &redis.url(), CONFIG, clock);
    let client = node.client();
    super::support::until("a session", || async {
        client.get("/up").await;
        client.get("/fresh").await.cache() == "HIT"
    })
    .await;
    fill(&client).await;
    make_stay(&client, &redis).await;
    node.clock.advance(HOUR);
    let file = file(node.address, &redis.url(), CONFIG);
    for &(method, target, fields, outcome, pointer, part) in CASES {
        let what = format!("{method} {target} {fields:?}");
        let asked = origin.count();
        let told = live(&file, method, target, fields);
        assert_eq!(origin.count(), asked, "{what} touched the origin");
        let verdict = &told["verdict"];
        assert_eq!(verdict["outcome"], outcome, "{what}: {told}");
        assert!(found(&told, pointer).contains(part), "{what}: {pointer} of {told}");
        assert!(!told.to_string().contains("hunter2"), "{told}");
        let answer = client.send(method, target, fields, "").await;
        assert_agrees(&what, verdict, &answer);
    }
}
