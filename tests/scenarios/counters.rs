//! Every counter against truth: requests of every kind through a real proxy, and each figure is what the script did.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aside::telemetry::{CacheResult, Done, Format, Gauges, Totals};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::support::client::{Client, raw as raw_client};
use super::support::node::Node;
use super::support::origin::{Asked, Gate, Origin, json, raw, response, say};
use super::support::scrape::read_strictly;
use super::support::until;

const CONFIG: &str = "[[route]]\npath = \"/hit/{id}\"\nkey = \"hit:{id}\"\nttl = \"1h\"\ninvalidated_by = [\"PUT /hit/{id}\"]\n\
    [[route]]\npath = \"/stale\"\nttl = \"10s\"\nstale_if_error = \"1d\"\ninvalidated_by = []\n\
    [[route]]\npath = \"/renewed\"\nttl = \"10s\"\nstale_while_revalidate = \"1d\"\nstale_if_error = \"1d\"\n\
    invalidated_by = []\n\
    [[route]]\npath = \"/kept/{id}\"\nkey = \"kept:{id}\"\nttl = \"1h\"\ninvalidated_by = []\n[route.write]\nrequest = \"PUT /kept/{id}\"\n\
    select = { query = \"target\", default = \"both\", both = \"through\" }\n\
    [[write]]\nrequest = \"POST /beacon\"\ndrops = []\n\
    [[write]]\nrequest = \"POST /told\"\nwhen = { \"response.result\" = \"Ok\" }\ndrops = [\"/hit/none\"]\n";
/// With the requests that begin and end it, ten thousand.
const ROUNDS: usize = 500;

/// What the script did: requests by route, method, class of the status and result.
#[derive(Default)]
struct Script {
    cells: BTreeMap<(&'static str, &'static str, u8, CacheResult), u64>,
    bytes: BTreeMap<(&'static str, &'static str), u64>,
}

impl Script {
    fn did(&mut self, route: &'static str, method: &'static str, class: u8, result: CacheResult, bytes: u64) {
        *self.cells.entry((route, method, class, result)).or_default() += 1;
        let source = match result {
            CacheResult::Hit | CacheResult::Stale => "cache",
            CacheResult::Own | CacheResult::Gone => return,
            _ => "origin",
        };
        *self.bytes.entry((route, source)).or_default() += bytes;
    }
}

async fn origin(fails: Arc<AtomicBool>) -> Origin {
    Origin::start(move |asked: Asked| {
        let fails = fails.load(Ordering::SeqCst);
        async move {
            match (asked.method.as_str(), asked.path()) {
                ("GET", "/stale" | "/renewed") if fails => response(503, &[], "down"),
                ("GET", "/none") => response(404, &[("cache-control", "no-store")], "nothing here"),
                ("GET", "/private") => response(200, &[("cache-control", "private")], "yours"),
                ("PUT", "/hit/refused") => response(409, &[], "no"),
                ("POST", "/told") => json("{\"result\": \"Ok\"}"),
                ("PUT" | "POST", _) => response(200, &[], "done"),
                (_, path) if path.starts_with("/hit/") => response(200, &[("etag", "\"a\"")], "0123456789"),
                _ => response(200, &[], "0123456789"),
            }
        }
    })
    .await
}

async fn round(client: &Client, node: &Node, script: &mut Script, round: usize) {
    use CacheResult as R;
    let hit = format!("/hit/{}", round % 7);
    // The write before it has dropped this entry.
    assert_eq!(client.get(&hit).await.cache(), "MISS");
    script.did("/hit/{id}", "GET", 2, R::Miss, 10);
    for _ in 0..8 {
        assert_eq!(client.get(&hit).await.cache(), "HIT");
        script.did("/hit/{id}", "GET", 2, R::Hit, 10);
    }
    assert_eq!(client.send("HEAD", &hit, &[], "").await.cache(), "HIT");
    script.did("/hit/{id}", "HEAD", 2, R::Hit, 0);
    assert_eq!(client.get_with(&hit, &[("if-none-match", "\"a\"")]).await.status, 304);
    script.did("/hit/{id}", "GET", 3, R::Hit, 0);
    assert_eq!(client.get_with(&hit, &[("range", "bytes=2-4")]).await.text(), "234");
    script.did("/hit/{id}", "GET", 2, R::Hit, 3);
    assert_eq!(client.get_with(&hit, &[("cookie", "a=b")]).await.cache(), "BYPASS");
    script.did("/hit/{id}", "GET", 2, R::Pass, 10);
    assert_eq!(client.get("/stale").await.cache(), "STALE");
    script.did("/stale", "GET", 2, R::Stale, 10);
    assert_eq!(client.get("/renewed").await.cache(), "STALE");
    script.did("/renewed", "GET", 2, R::Stale, 10);
    // It fills its entry by a GET of its own.
    assert_eq!(client.put(&format!("/kept/{round}"), "{}").await.status, 200);
    script.did("/kept/{id}", "PUT", 2, R::Write, 4);
    *script.bytes.entry(("/kept/{id}", "origin")).or_default() += 10;
    assert_eq!(client.post("/told", "{}").await.status, 200);
    script.did("-", "POST", 2, R::Write, 16);
    assert_eq!(client.get("/none").await.status, 404);
    script.did("-", "GET", 4, R::Miss, 12);
    assert_eq!(client.send("OPTIONS", "/any", &[], "").await.status, 200);
    script.did("-", "OPTIONS", 2, R::Pass, 10);
    assert_eq!(client.put("/hit/refused", "{}").await.status, 409);
    script.did("/hit/{id}", "PUT", 4, R::Write, 2);
    assert_eq!(client.post("/beacon", "{}").await.status, 200);
    script.did("-", "POST", 2, R::Write, 4);
    let refused = raw_client(node.address, b"TRACE / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 405"), "{refused}");
    script.did("-", "other", 4, R::Own, 0);
    assert_eq!(client.put(&hit, "{}").await.status, 200);
    script.did("/hit/{id}", "PUT", 2, R::Write, 4);
}

fn told(totals: &Totals) -> Script {
    let mut told = Script::default();
    for (route, figures) in &totals.routes {
        let route: &'static str = route.to_string().leak();
        for (method, class, result, count) in figures.cells() {
            told.cells.insert((route, method, class, result), count);
        }
        for (source, bytes) in [("cache", figures.cache_bytes), ("origin", figures.origin_bytes)] {
            told.bytes.insert((route, source), bytes);
        }
    }
    told
}

#[tokio::test]
async fn each_counter_of_ten_thousand_requests_is_what_the_script_did() {
    let fails = Arc::new(AtomicBool::new(false));
    let origin = origin(Arc::clone(&fails)).await;
    let node = Node::timed(origin.address, CONFIG);
    let (client, mut script) = (node.client(), Script::default());
    for (path, route) in [("/stale", "/stale"), ("/renewed", "/renewed")] {
        assert_eq!(client.get(path).await.cache(), "MISS");
        script.did(route, "GET", 2, CacheResult::Miss, 10);
    }
    fails.store(true, Ordering::SeqCst);
    node.clock.advance(Duration::from_secs(60));
    for number in 0..ROUNDS {
        round(&client, &node, &mut script, number).await;
    }
    let requests: u64 = script.cells.values().sum();
    assert!(requests >= 10_000, "{requests}");
    let ended = || async { node.metrics.totals().count() == requests };
    until("all requests have their outcome", ended).await;
    // What goes on in the background is the origin's work, and nobody's request.
    let told_of = || async { node.metrics.totals().origin.count() == origin.count() as u64 };
    until("each answer of the origin's is counted", told_of).await;
    let totals = node.metrics.totals();
    let told = told(&totals);
    assert_eq!(told.cells, script.cells);
    for (of, bytes) in told.bytes {
        assert_eq!(bytes, script.bytes.get(&of).copied().unwrap_or(0), "{of:?}");
    }
    let rounds = ROUNDS as u64;
    assert_eq!(totals.stale, [("stale-if-error", rounds), ("stale-while-revalidate", rounds)].into());
    assert_eq!(totals.refused, [("no-store", rounds)].into());
    let invalidated = totals.missed.get("invalidated").copied().unwrap_or(0);
    let plainly = totals.missed.get("uri-miss").copied().unwrap_or(0);
    assert_eq!(invalidated + plainly, rounds + 2, "{:?}", totals.missed);
    assert_eq!(totals.missed.get("method"), None, "what is no read misses nothing");
    assert_eq!((totals.missed["cookie"], totals.missed["no-store"]), (rounds, rounds), "{:?}", totals.missed);
    let (origin_answers, fetches) = (origin.count() as u64, totals.routes.values().map(|route| route.origin_fetches));
    assert_eq!((totals.origin.count(), fetches.sum::<u64>()), (origin_answers, origin_answers));
    let of = |route: &str, rule: &str| {
        let mine = totals.invalidations.iter().filter(|(one, _)| (&*one.route, &*one.rule) == (route, rule));
        mine.filter(|(one, _)| one.result == Done::Confirmed).map(|(_, count)| count).sum::<u64>()
    };
    assert_eq!(of("/hit/{id}", "PUT /hit/{id}"), rounds, "{:?}", totals.invalidations);
    // The beacon drops nothing of a route, and what is stored of its own path.
    assert_eq!(
        totals.acks.count(),
        4 * rounds,
        "one for each write that changed something: {:?}",
        totals.invalidations
    );
    let saved = totals.routes["/hit/{id}"].saved_origin_seconds;
    assert!(saved > 0.0 && totals.saved_origin_seconds() >= saved);
    assert_eq!(read_strictly(&node.metrics.write(Format::Text, &Gauges::default())), requests);
}

#[tokio::test]
async fn what_passes_through_without_a_length_is_counted_as_it_was_sent() {
    let head = "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let address = raw(move |_, mut stream| async move {
        say(&mut stream, &format!("{head}5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")).await;
    })
    .await;
    let node = Node::start(address, "");
    assert_eq!(node.client().get("/a").await.text(), "hello world");
    until("its bytes are counted", || async { node.metrics.totals().routes["-"].origin_bytes == 11 }).await;
}

#[tokio::test]
async fn who_leaves_is_counted_and_what_its_write_dropped_is_too() {
    let (gate, mut keeper) = Gate::new();
    let origin = Origin::start(move |_| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            response(200, &[], "{}")
        }
    })
    .await;
    let node = Node::start(origin.address, CONFIG);
    let mut leaving = TcpStream::connect(node.address).await.unwrap();
    leaving.write_all(b"PUT /hit/1 HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    keeper.arrived().await;
    drop(leaving);
    let gone =
        || async { told(&node.metrics.totals()).cells.get(&("/hit/{id}", "PUT", 0, CacheResult::Gone)) == Some(&1) };
    until("it has left", gone).await;
    keeper.let_go(1);
    until("what it changed is dropped", || async { node.metrics.totals().acks.count() == 1 }).await;
    let totals = node.metrics.totals();
    assert!(totals.invalidations.keys().any(|one| &*one.rule == "PUT /hit/{id}"), "{:?}", totals.invalidations);
    assert_eq!(totals.count(), 1, "a request is counted once");
}
