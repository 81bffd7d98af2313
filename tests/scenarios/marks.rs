//! Marks: what a write may be about to change is known to the store before the origin sees it, for as long as it is under way.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::support::client::{Answer, Client, read_until};
use super::support::node::Node;
use super::support::origin::{Asked, Gate, Keeper, Origin, nobody, raw, response, say};
use super::support::redis::{RedisServer, Reply};
use super::support::{connected, until};

const CONFIG: &str = r#"
[unrouted]
post = "store"
[[route]]
path = "/items/{id}"
ttl = "1h"
[[route]]
path = "/orders/{order_id}"
key = "order:{order_id}"
ttl = "1h"
[route.write]
request = "POST /orders"
select = { query = "target", default = "both", both = "through", redis = "cache", oracle = "around" }
cache_by = "anyone"
entry = '{"order": {body}}'
reply = { status = 201, json = '{}' }
[[write]]
request = "POST /search"
drops = []
[[write]]
request = "POST /login"
refused = { status = [302], location = "/login" }
[[write]]
request = "POST /told"
when = { status = [201] }
"#;

type Fields = &'static [(&'static str, &'static str)];

const JSON: (&str, &str) = ("content-type", "application/json");

const PEND: &str = "aside:{aside}:pend";

/// The writes that the store knows to be under way.
fn marks(redis: &RedisServer) -> Vec<String> {
    match redis.command(&["HVALS", PEND]) {
        Reply::List(notes) => notes.iter().map(Reply::text).collect(),
        other => panic!("{other:?}"),
    }
}

async fn none_is_left(redis: &RedisServer, what: &str) {
    until(&format!("no mark is left after {what}"), || async { marks(redis).is_empty() }).await;
}

/// Answers a write as it asks to be answered, once the keeper lets it go.
async fn obeying() -> (Origin, Keeper) {
    let (gate, keeper) = Gate::new();
    let origin = Origin::start(move |asked: Asked| {
        let gate = gate.clone();
        async move {
            if asked.method == "GET" || asked.method == "HEAD" {
                return response(200, &[("cache-control", "max-age=60")], "x");
            }
            gate.pass().await;
            let status = asked.field("answer").map_or(200, |status| status.parse().unwrap());
            let location = asked.field("answer-location").unwrap_or("/orders/1").to_owned();
            let named = asked.target.clone();
            let fields = [("content-location", &*named), ("cache-control", "max-age=60"), ("location", &*location)];
            response(status, if (300..400).contains(&status) { &fields[2..] } else { &fields[..2] }, "x")
        }
    })
    .await;
    (origin, keeper)
}

/// Answers anything.
async fn fine(mut stream: TcpStream) {
    say(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
}

async fn stand(origin: &Origin) -> (Node, RedisServer) {
    let redis = RedisServer::start();
    let node = Node::on(origin.address, &redis.url(), CONFIG);
    connected(&node.client()).await;
    (node, redis)
}

fn sending(client: &Client, line: &str, fields: &[(&str, &str)], body: String) -> tokio::task::JoinHandle<Answer> {
    let (method, target) = line.split_once(' ').unwrap();
    let (client, method, target) = (client.clone(), method.to_owned(), target.to_owned());
    let fields: Vec<(String, String)> = fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    tokio::spawn(async move {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        client.send(&method, &target, &fields, &body).await
    })
}

#[tokio::test]
async fn a_write_is_marked_while_it_is_under_way_and_no_longer_however_it_is_answered() {
    let (origin, mut keeper) = obeying().await;
    let (node, redis) = stand(&origin).await;
    let large = "x".repeat(200_000);
    let writes: [(&str, Fields, &str); 16] = [
        ("PUT /items/1", &[], ""),
        ("DELETE /items/1", &[("answer", "204")], ""),
        ("PATCH /items/1", &[("answer", "404")], "{}"),
        ("PUT /items/1", &[("answer", "500")], "{}"),
        ("PUT /items/1", &[("answer", "301")], "{}"),
        ("PUT /items/1", &[("answer", "307"), ("answer-location", "/items/2")], "{}"),
        ("PUT /items/1", &[("answer", "303")], "{}"),
        ("PUT /items/1", &[], &large),
        ("PUT /items/1", &[("expect", "100-continue")], "{}"),
        ("MOVE /items/1", &[("destination", "http://a/items/2")], ""),
        ("POST /posted", &[], "{}"),
        ("POST /posted", &[("answer", "400")], "{}"),
        ("POST /login", &[("answer", "302"), ("answer-location", "/login")], ""),
        ("POST /told", &[("answer", "200")], ""),
        ("POST /orders", &[JSON], r#"{"order_id": 1}"#),
        ("POST /orders?target=oracle", &[JSON, ("answer", "422")], r#"{"order_id": 1}"#),
    ];
    for (line, fields, body) in writes {
        let answer = sending(&node.client(), line, fields, body.to_owned());
        keeper.arrived().await;
        let under_way = marks(&redis);
        assert_eq!(under_way.len(), 1, "{line} {fields:?}");
        assert!(!under_way[0].contains("\"held\":[]"), "{under_way:?}");
        keeper.let_go(1);
        let status = fields.iter().find(|(name, _)| *name == "answer").map_or("200", |(_, status)| status);
        assert_eq!(answer.await.unwrap().status.to_string(), status, "{line} {fields:?}");
        none_is_left(&redis, line).await;
    }
}

#[tokio::test]
async fn what_changes_nothing_or_the_cache_alone_is_not_marked() {
    let (origin, mut keeper) = obeying().await;
    let (node, redis) = stand(&origin).await;
    let search = sending(&node.client(), "POST /search", &[], "{}".to_owned());
    keeper.arrived().await;
    assert_eq!(marks(&redis), Vec::<String>::new());
    keeper.let_go(1);
    assert_eq!(search.await.unwrap().status, 200);
    let to_cache = node.client().post("/orders?target=redis", r#"{"order_id": 1}"#).await;
    assert_eq!((to_cache.status, marks(&redis).len()), (201, 0));
}

#[tokio::test]
async fn a_client_that_leaves_takes_no_mark_along() {
    let (origin, mut keeper) = obeying().await;
    let (node, redis) = stand(&origin).await;
    node.client().fill(&["/items/1"]).await;
    let leaving = sending(&node.client(), "PUT /items/1", &[], "{}".to_owned());
    keeper.arrived().await;
    leaving.abort();
    assert!(leaving.await.unwrap_err().is_cancelled());
    assert_eq!(marks(&redis).len(), 1);
    keeper.let_go(1);
    none_is_left(&redis, "a client that left").await;
    assert_eq!(node.client().get("/items/1").await.cache(), "MISS");
}

// It had no chance to act on what it never saw.
#[tokio::test]
async fn a_write_that_reached_nobody_leaves_no_mark_and_holds_nothing() {
    let redis = RedisServer::start();
    let (address, _socket) = nobody();
    let node = Node::on(address, &redis.url(), CONFIG);
    connected(&node.client()).await;
    // The second one, or a later one, is told that the origin is out of order.
    assert!([502, 503].contains(&node.client().put("/items/1", "{}").await.status));
    none_is_left(&redis, "a write that reached nobody").await;
    assert_eq!(redis.command(&["HGET", "aside:{aside}:held", "p:/items/{id} /items/1"]), Reply::Nil);
}

#[tokio::test]
async fn what_has_no_answer_is_held_and_its_mark_ends() {
    let closing = raw(|head, stream| async move {
        if !head.starts_with("PUT") {
            fine(stream).await;
        }
    })
    .await;
    let hanging = raw(|head, stream| async move {
        if !head.starts_with("PUT") {
            return fine(stream).await;
        }
        std::future::pending::<()>().await;
    })
    .await;
    let config = format!("[origin]\nurl = \"ORIGIN\"\nresponse_timeout = \"300ms\"\n{CONFIG}");
    for (address, status) in [(closing, 502), (hanging, 504)] {
        let redis = RedisServer::start();
        let node = Node::on(address, &redis.url(), &config);
        connected(&node.client()).await;
        assert_eq!(node.client().put("/items/1", "{}").await.status, status);
        none_is_left(&redis, "a write without an answer").await;
        let held = redis.command(&["HGET", "aside:{aside}:held", "p:/items/{id} /items/1"]).text();
        assert!(held.starts_with('q'), "{held}");
        let others = redis.command(&["HGET", "aside:{aside}:held", "d:*"]).text();
        assert!(others.starts_with('a'), "{others}");
    }
}

#[tokio::test]
async fn an_upload_that_its_client_cuts_is_held() {
    let address = raw(|head, mut stream| async move {
        if head.starts_with("PUT") {
            say(&mut stream, "HTTP/1.1 103 Early Hints\r\n\r\n").await;
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        } else {
            fine(stream).await;
        }
    })
    .await;
    let redis = RedisServer::start();
    let node = Node::on(address, &redis.url(), CONFIG);
    connected(&node.client()).await;
    let mut client = TcpStream::connect(node.address).await.unwrap();
    let head = "PUT /items/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&vec![b'x'; 90_000]).await.unwrap();
    let hints = read_until(&mut client, "\r\n\r\n").await;
    assert_eq!(marks(&redis).len(), 1, "{hints}");
    drop(client);
    none_is_left(&redis, "an upload that was cut").await;
    assert!(matches!(redis.command(&["HGET", "aside:{aside}:held", "p:/items/{id} /items/1"]), Reply::Text(_)));
}

#[tokio::test]
async fn a_write_that_is_answered_before_its_bodys_end_and_one_after_hints_end_their_marks() {
    let address = raw(|head, mut stream| async move {
        if head.starts_with("PUT") {
            say(&mut stream, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n").await;
            say(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        } else {
            fine(stream).await;
        }
    })
    .await;
    let redis = RedisServer::start();
    let node = Node::on(address, &redis.url(), CONFIG);
    connected(&node.client()).await;
    let mut client = TcpStream::connect(node.address).await.unwrap();
    let head = "PUT /items/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&vec![b'x'; 90_000]).await.unwrap();
    assert!(read_until(&mut client, "ok").await.contains("200 OK"));
    none_is_left(&redis, "an early answer").await;
    let held = redis.command(&["HGET", "aside:{aside}:held", "p:/items/{id} /items/1"]);
    assert_eq!(held, Reply::Nil, "its outcome is known");
}

#[tokio::test]
async fn with_when_down_refuse_what_could_not_be_invalidated_has_an_unknown_outcome() {
    let (origin, mut keeper) = obeying().await;
    let redis = RedisServer::start();
    let store = format!("[store]\nurl = \"{}\"\nwhen_down = \"refuse\"\n", redis.url());
    let node = Node::with_store_table(origin.address, &store, CONFIG);
    connected(&node.client()).await;
    let write = sending(&node.client(), "PUT /items/1", &[], "{}".to_owned());
    keeper.arrived().await;
    redis.pause();
    keeper.let_go(1);
    let answer = write.await.unwrap();
    assert_eq!(answer.status, 504, "{}", answer.text());
    assert!(answer.text().contains("Read before sending it again"), "{}", answer.text());
    redis.resume();
    keeper.let_go(1000);
    until("writes are taken again", || async { node.client().put("/items/1", "{}").await.status == 200 }).await;
}
