//! What a write changes is not old before the write has come to an end, whichever node it goes through.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aside::verify::{Report, RouteReport};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::support::client::Client;
use super::support::node::{Node, Process};
use super::support::origin::{Asked, Gate, Keeper, Origin, response};
use super::support::redis::RedisServer;
use super::support::{connected, until};

/// `POST /b` drops the route, and whatever else is written nothing of it, unless its answer says so.
const ROUTES: &str = "[[route]]\npath = \"/a/{id}\"\nname = \"a\"\nttl = \"1h\"\nstale_while_revalidate = \"1h\"\n\
                      invalidated_by = [\"POST /b\"]\n";
const ALL: &str = "[verify]\nsample = \"100%\"\n";
/// Longer than a comparison needs that waits for nobody.
const WHILE: Duration = Duration::from_millis(300);

/// An origin that says which version there is: a write raises it at once, and is answered when the test says so.
struct Api {
    origin: Origin,
    version: Arc<AtomicUsize>,
    writes: Keeper,
    /// Reads wait, too.
    holds_reads: Arc<AtomicBool>,
    reads: Keeper,
}

async fn api() -> Api {
    let (version, holds_reads) = (Arc::new(AtomicUsize::new(1)), Arc::new(AtomicBool::new(false)));
    let ((write_gate, writes), (read_gate, reads)) = (Gate::new(), Gate::new());
    let (now, holds) = (Arc::clone(&version), Arc::clone(&holds_reads));
    let origin = Origin::start(move |asked: Asked| {
        let (write_gate, read_gate) = (write_gate.clone(), read_gate.clone());
        let is_write = asked.method == "POST";
        let is_held = holds.load(Ordering::SeqCst);
        let version = now.fetch_add(usize::from(is_write), Ordering::SeqCst);
        async move {
            if is_write {
                write_gate.pass().await;
            } else if is_held {
                read_gate.pass().await;
            }
            let json = ("content-type", "application/json");
            let groups = match asked.path() {
                "/groups" => ("cache-group-invalidation", "\"g\""),
                _ => ("cache-groups", "\"g\""),
            };
            response(200, &[json, groups], &format!("{{\"version\":{version}}}"))
        }
    })
    .await;
    Api { origin, version, writes, holds_reads, reads }
}

impl Api {
    /// Writes, and comes back once the origin has carried it out and says nothing so far.
    async fn writing(&mut self, client: &Client, target: &'static str) -> JoinHandle<u16> {
        let client = client.clone();
        let writing = tokio::spawn(async move { client.post(target, "{}").await.status });
        self.writes.arrived().await;
        writing
    }

    async fn asked_times(&self, times: usize) {
        until("the origin is asked", || async { self.origin.count() >= times }).await;
    }
}

fn of_a(report: Report) -> RouteReport {
    report.routes.into_iter().find(|route| route.route == "a").unwrap_or_default()
}

fn counts(node: &Node) -> RouteReport {
    of_a(node.shared.verified())
}

async fn compared(node: &Node, times: u64) -> (u64, u64) {
    until("it is compared", || async { counts(node).compared == times }).await;
    (counts(node).old, counts(node).void)
}

/// Reads what is old until it is found so: a node that hears of its Redis late for once finds nothing.
async fn found_old(node: &Node, target: &str) {
    let found = || async {
        node.client().get(target).await;
        counts(node).old == 1
    };
    until("it is found old", found).await;
}

async fn two(api: &Api, redis: &RedisServer, config: &str) -> [Node; 2] {
    let nodes = Node::two_on(api.origin.address, &redis.url(), &(config.to_owned() + ALL)).await;
    for node in &nodes {
        let knows = || async { node.shared.verified().others == 1 || node.client().get("/x").await.status != 200 };
        until("it knows of the other", knows).await;
    }
    nodes
}

/// Puts an answer into the store, without a hit.
async fn stored(client: &Client, target: &str) {
    assert_eq!(client.get(target).await.cache(), "MISS");
}

async fn hit(client: &Client, target: &str) {
    assert_eq!(client.get(target).await.cache(), "HIT");
}

#[tokio::test]
async fn a_write_under_way_through_another_node_has_left_nothing_old() {
    let (mut api, redis) = (api().await, RedisServer::start());
    let [one, other] = two(&api, &redis, ROUTES).await;
    stored(&one.client(), "/a/1").await;
    let writing = api.writing(&other.client(), "/b").await;
    hit(&one.client(), "/a/1").await;
    assert_eq!(compared(&one, 1).await, (0, 1));
    api.writes.let_go(1);
    assert_eq!(writing.await.unwrap(), 200);
    stored(&one.client(), "/a/1").await;
}

#[tokio::test]
async fn what_the_answer_to_a_write_through_another_node_will_name_is_not_old_before_it() {
    let (mut api, redis) = (api().await, RedisServer::start());
    let [one, other] = two(&api, &redis, ROUTES).await;
    stored(&one.client(), "/a/1").await;
    let asked = api.origin.count();
    let writing = api.writing(&other.client(), "/groups").await;
    hit(&one.client(), "/a/1").await;
    api.asked_times(asked + 3).await;
    tokio::time::sleep(WHILE).await;
    api.writes.let_go(1);
    assert_eq!(writing.await.unwrap(), 200);
    assert_eq!(compared(&one, 1).await, (0, 1));
}

#[tokio::test]
async fn what_a_write_through_another_node_leaves_old_is_found_once_that_has_ended() {
    let (mut api, redis) = (api().await, RedisServer::start());
    let [one, other] = two(&api, &redis, ROUTES).await;
    stored(&one.client(), "/a/1").await;
    let writing = api.writing(&other.client(), "/elsewhere").await;
    hit(&one.client(), "/a/1").await;
    api.writes.let_go(1);
    assert_eq!(writing.await.unwrap(), 200);
    found_old(&one, "/a/1").await;
    until("it is another one", || async { one.client().get("/a/1").await.json()["version"] == 2 }).await;
}

#[tokio::test]
async fn what_was_dropped_through_another_node_or_fetched_anew_while_the_origin_was_asked_is_not_old() {
    let (mut api, redis) = (api().await, RedisServer::start());
    let [one, other] = two(&api, &redis, ROUTES).await;
    for (times, is_fetched_anew) in [(1, false), (2, true)] {
        stored(&one.client(), "/a/1").await;
        api.holds_reads.store(true, Ordering::SeqCst);
        api.version.fetch_add(1, Ordering::SeqCst);
        hit(&one.client(), "/a/1").await;
        api.reads.arrived().await;
        api.holds_reads.store(false, Ordering::SeqCst);
        api.writes.let_go(1);
        assert_eq!(other.client().post("/b", "{}").await.status, 200);
        api.writes.arrived().await;
        if is_fetched_anew {
            stored(&other.client(), "/a/1").await;
        }
        api.reads.let_go(1);
        assert_eq!(compared(&one, times).await, (0, times));
    }
}

#[tokio::test]
async fn what_a_node_was_writing_that_died_is_not_old() {
    let (mut api, redis) = (api().await, RedisServer::start());
    let one = Node::on(api.origin.address, &redis.url(), &(ROUTES.to_owned() + ALL));
    let other = Process::start(api.origin.address, &redis.url(), ROUTES).await;
    connected(&one.client()).await;
    connected(&other.client()).await;
    stored(&one.client(), "/a/1").await;
    let writing = api.writing(&other.client(), "/b").await;
    drop(other);
    hit(&one.client(), "/a/1").await;
    assert_eq!(compared(&one, 1).await, (0, 1));
    writing.abort();
}

#[tokio::test]
async fn what_a_write_of_unknown_outcome_may_still_change_is_not_old() {
    let mut api = api().await;
    let config = "[origin]\nurl = \"ORIGIN\"\nresponse_timeout = \"300ms\"\n".to_owned() + ROUTES + ALL;
    for (node, _redis) in &Node::on_each_store(api.origin.address, &config).await {
        let client = node.client();
        let writing = api.writing(&client, "/b").await;
        assert_eq!(writing.await.unwrap(), 504);
        // It is dropped each second: then once more.
        let late = || async {
            client.get("/a/1").await;
            api.version.fetch_add(1, Ordering::SeqCst);
            client.get("/a/1").await.cache() == "HIT"
        };
        until("it is stored, and the origin commits after that", late).await;
        until("it is compared", || async { counts(node).void > 0 }).await;
        assert_eq!(counts(node).old, 0);
    }
}

#[tokio::test]
async fn a_redis_that_does_not_answer_says_nothing_against_what_is_stored() {
    let (mut api, redis) = (api().await, RedisServer::start());
    let node = Node::on(api.origin.address, &redis.url(), &(ROUTES.to_owned() + ALL));
    connected(&node.client()).await;
    stored(&node.client(), "/a/1").await;
    api.holds_reads.store(true, Ordering::SeqCst);
    api.version.fetch_add(1, Ordering::SeqCst);
    hit(&node.client(), "/a/1").await;
    for last in [false, true] {
        api.reads.arrived().await;
        if last {
            redis.pause();
        }
        api.reads.let_go(1);
    }
    until("its lease has ended", || async { node.store.state().lease.is_some_and(|lease| !lease.valid) }).await;
    assert_eq!(counts(&node).old, 0);
    redis.resume();
    // It is asked too late, or says what there is once it is awake.
    let (old, void) = compared(&node, 1).await;
    assert_eq!(old + void, 1);
}

/// A way to this Redis on which nothing goes on once it is closed, as in a cut line: nobody hears of that.
async fn way_to(redis: &RedisServer) -> (u16, watch::Sender<bool>) {
    let (listener, port) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), redis.port());
    let (close, closed) = watch::channel(false);
    let at = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut node, _) = listener.accept().await.unwrap();
            let mut closed = closed.clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                tokio::select! {
                    _ = copy_bidirectional(&mut node, &mut server) => {}
                    () = async { drop(closed.wait_for(|closed| *closed).await) } => std::future::pending().await,
                }
            });
        }
    });
    (at, close)
}

#[tokio::test]
async fn what_a_node_is_writing_that_could_not_tell_redis_is_not_old() {
    let (mut api, redis) = (api().await, RedisServer::start());
    let (port, close) = way_to(&redis).await;
    let one = Node::on(api.origin.address, &redis.url(), &(ROUTES.to_owned() + ALL));
    let table = format!("[store]\nurl = \"redis://127.0.0.1:{port}\"\ntimeout = \"200ms\"\n");
    let other = Node::with_store_table(api.origin.address, &table, ROUTES);
    connected(&one.client()).await;
    connected(&other.client()).await;
    until("it knows of the other", || async { one.store.state().peers.len() == 1 }).await;
    stored(&one.client(), "/a/1").await;
    close.send(true).unwrap();
    let writing = api.writing(&other.client(), "/b").await;
    // Nobody knows of it so far: it is a hit, and rightly so.
    if one.client().get("/a/1").await.cache() == "HIT" {
        assert_eq!(compared(&one, 1).await, (0, 1));
    }
    writing.abort();
}

#[tokio::test]
async fn a_stale_answer_is_not_compared() {
    let mut api = api().await;
    let node = Node::timed(api.origin.address, &(ROUTES.to_owned() + ALL));
    let client = node.client();
    stored(&client, "/a/1").await;
    api.version.fetch_add(1, Ordering::SeqCst);
    api.holds_reads.store(true, Ordering::SeqCst);
    node.clock.advance(Duration::from_secs(5_000));
    assert_eq!(client.get("/a/1").await.cache(), "STALE");
    api.reads.arrived().await;
    api.holds_reads.store(false, Ordering::SeqCst);
    api.reads.let_go(2);
    until("it is renewed", || async { client.get("/a/1").await.json()["version"] == 2 }).await;
    hit(&client, "/a/1").await;
    until("one is compared", || async { counts(&node).compared > 0 }).await;
    assert_eq!((counts(&node).old, counts(&node).void), (0, 0));
    assert_eq!(api.origin.asked()[1..].iter().filter(|asked| asked.fields.contains_key("if-none-match")).count(), 0);
}

/// What a process has found.
fn told(process: &Process) -> RouteReport {
    let place = format!("unix:{}", process.admin_socket().display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_aside"));
    let output = command.args(["verify", "--json", "--admin", &place]).current_dir("/").output().unwrap();
    of_a(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn a_write_that_began_under_other_rules_has_left_nothing_old_before_its_end() {
    let mut api = api().await;
    let process = Process::start(api.origin.address, "memory://", &(ROUTES.to_owned() + ALL)).await;
    let client = process.client();
    stored(&client, "/a/1").await;
    let writing = api.writing(&client, "/b").await;
    let more = "[[route]]\npath = \"/more\"\nttl = \"1h\"\n";
    process.rewrite(api.origin.address, &(ROUTES.to_owned() + more + ALL));
    process.hang_up();
    process.says("reloaded ").await;
    hit(&client, "/a/1").await;
    api.asked_times(4).await;
    tokio::time::sleep(WHILE).await;
    api.writes.let_go(1);
    assert_eq!(writing.await.unwrap(), 200);
    until("it is compared", || async { told(&process).compared == 1 }).await;
    assert_eq!((told(&process).old, told(&process).void), (0, 1));
}

/// The answers of a few things, each with how often it was written; what was written is there before the write is answered.
async fn counting() -> Origin {
    let counts: Arc<[AtomicUsize; 4]> = Arc::default();
    Origin::start(move |asked: Asked| {
        let counts = Arc::clone(&counts);
        async move {
            let of: usize = asked.path().rsplit('/').next().and_then(|of| of.parse().ok()).unwrap_or_default();
            let is_write = asked.method == "POST";
            let count = counts[of % 4].fetch_add(usize::from(is_write), Ordering::SeqCst);
            if is_write {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            response(200, &[("content-type", "application/json")], &format!("{{\"count\":{count}}}"))
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writes_through_two_nodes_whose_rules_are_right_none_leaves_anything_old() {
    let (origin, redis) = (counting().await, RedisServer::start());
    let config = "[[route]]\npath = \"/a/{id}\"\nname = \"a\"\nttl = \"1h\"\ninvalidated_by = [\"POST /b/{id}\"]\n\
                  [verify]\nsample = \"100%\"\nat_once = 64\n";
    let nodes = Node::two_on(origin.address, &redis.url(), config).await;
    let readers: Vec<_> = (0..8)
        .map(|reader: usize| {
            let (reads, writes) = (nodes[reader % 2].client(), nodes[reader / 2 % 2].client());
            tokio::spawn(async move {
                for round in 0..100 {
                    let of = (reader * 7 + round) % 4;
                    assert_eq!(reads.get(&format!("/a/{of}")).await.status, 200);
                    if round % 5 == 0 {
                        writes.post(&format!("/b/{of}"), "{}").await;
                    }
                }
            })
        })
        .collect();
    for reader in readers {
        reader.await.unwrap();
    }
    // What was under way has come to its end once one is found old that really is.
    for node in &nodes {
        until("some are compared", || async { counts(node).compared > 0 }).await;
        until("none is under way", || async {
            let before = counts(node).compared;
            tokio::time::sleep(Duration::from_secs(2)).await;
            counts(node).compared == before
        })
        .await;
        println!("{:?}", counts(node));
        assert_eq!(counts(node).old, 0);
    }
}
