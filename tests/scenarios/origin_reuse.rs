//! Connections to the origin: which are used for another request, and which never.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::support::client::Client;
use super::support::node::Node;
use super::support::origin::{Gate, Keeper, raw, say};

const EVIL: &str = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\nevil";
const MINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine";
const TAGGED: &str = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nCache-Control: no-cache\r\nContent-Length: 5\r\n\r\nfirst";

/// The next request's head on a connection; none once it is closed.
async fn next(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

/// Answers `/odd` with a tagged answer and, where that is to be confirmed or from the start, with `odd`; all else with what
/// comes of what was answered before on the connection. Counts its connections.
async fn odd(odd: &str, confirms: bool, after_odd: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let odd = odd.to_owned();
    let address = raw(move |head, mut stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        let odd = odd.clone();
        async move {
            let (mut head, mut was_odd) = (Some(head), false);
            while let Some(asked) = head {
                let (is_odd, asks_odd) = (!confirms || asked.contains("if-none-match"), asked.contains(" /odd "));
                let answer = match (asks_odd, is_odd) {
                    (true, true) => &odd,
                    (true, false) => TAGGED,
                    (false, _) if was_odd => after_odd,
                    (false, _) => MINE,
                };
                say(&mut stream, answer).await;
                was_odd = asks_odd && is_odd;
                head = next(&mut stream).await;
            }
        }
    })
    .await;
    (address, connections)
}

/// What [`odd`] is where what it announces comes only when the next request is there, in place of its answer.
async fn late_body(head: &str, confirms: bool) -> SocketAddr {
    odd(head, confirms, EVIL).await.0
}

async fn mine(client: &Client) -> String {
    client.get("/mine").await.text().to_owned()
}

// RFC 9112 section 11.2: what comes late would be the answer to whoever is next on the connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_announced_where_none_belongs_is_nobody_elses_answer() {
    let length = format!("Content-Length: {}", EVIL.len());
    for (method, status, confirms) in [
        ("GET", "204 No Content", false),
        ("PUT", "204 No Content", false),
        ("DELETE", "204 No Content", false),
        ("OPTIONS", "204 No Content", false),
        ("HEAD", "200 OK", false),
        ("HEAD", "404 Not Found", false),
        ("GET", "304 Not Modified", true),
    ] {
        for framing in [length.as_str(), "Transfer-Encoding: chunked"] {
            let origin = late_body(&format!("HTTP/1.1 {status}\r\n{framing}\r\n\r\n"), confirms).await;
            let node = Node::start(origin, "");
            let client = node.client();
            for _ in 0..=usize::from(confirms) {
                client.send(method, "/odd", &[], "").await;
            }
            assert_eq!(mine(&client).await, "mine", "{method} {status} {framing}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_announces_nothing_costs_no_connection() {
    for (status, fields, confirms) in [
        ("204 No Content", "", false),
        ("204 No Content", "Content-Length: 0\r\n", false),
        ("304 Not Modified", "ETag: \"a\"\r\n", true),
        ("304 Not Modified", "ETag: \"a\"\r\nContent-Length: 0\r\n", true),
    ] {
        let (origin, connections) = odd(&format!("HTTP/1.1 {status}\r\n{fields}\r\n"), confirms, MINE).await;
        let node = Node::start(origin, "[origin]\nurl = \"ORIGIN\"\nidle_timeout = \"1h\"\n");
        let client = node.client();
        for _ in 0..20 {
            client.get("/odd").await;
            assert_eq!(mine(&client).await, "mine");
        }
        // A request may come before the connection of the last one is known to be free.
        assert!(connections.load(Ordering::SeqCst) < 10, "{connections:?} for {status} {fields}");
    }
}

// RFC 9110 section 8.6: an interim answer has no length. What follows may be its body or the answer.
#[tokio::test(flavor = "multi_thread")]
async fn what_follows_an_interim_answer_with_a_body_is_no_answer() {
    for framing in [format!("Content-Length: {}", EVIL.len()), "Transfer-Encoding: chunked".to_owned()] {
        let head = format!("HTTP/1.1 103 Early Hints\r\n{framing}\r\n\r\n{EVIL}{MINE}");
        let origin = late_body(&head, false).await;
        let node = Node::start(origin, "");
        let client = node.client();
        for method in ["GET", "PUT"] {
            assert_eq!(client.send(method, "/odd", &[], "").await.status, 502, "{framing}");
            assert_eq!(mine(&client).await, "mine", "{framing}");
        }
    }
}

/// An origin that says something unasked on the first connection once the keeper lets it go, and tells when that is closed.
async fn talkative(unasked: &'static str) -> (SocketAddr, Keeper, Keeper) {
    let ((gate, keeper), (closed, closing)) = (Gate::new(), Gate::new());
    let address = raw(move |_, mut stream| {
        let (gate, closed) = (gate.clone(), closed.clone());
        async move {
            say(&mut stream, MINE).await;
            gate.pass().await;
            say(&mut stream, unasked).await;
            assert_eq!(next(&mut stream).await, None, "nothing more is asked here");
            closed.pass().await;
        }
    })
    .await;
    (address, keeper, closing)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_unasked_on_an_idle_connection_closes_it() {
    for unasked in [EVIL, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n", "x", "\r\n"] {
        let (origin, mut keeper, mut closing) = talkative(unasked).await;
        let node = Node::start(origin, "[origin]\nurl = \"ORIGIN\"\nidle_timeout = \"1h\"\n");
        let client = node.client();
        assert_eq!(mine(&client).await, "mine");
        keeper.arrived().await;
        keeper.let_go(1);
        closing.arrived().await;
        assert_eq!(mine(&client).await, "mine", "{unasked}");
    }
}
