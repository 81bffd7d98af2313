//! Interim answers (RFC 9110 section 15.2): handed on before the final one is there, and never kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::node::Node;
use super::support::origin::{Gate, Keeper, raw, say};

const HINT: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n";

/// An origin that hints, waits until it is let go, and then answers with what may be kept.
async fn hinting() -> (std::net::SocketAddr, Keeper) {
    let (gate, keeper) = Gate::new();
    let origin = raw(move |_, mut stream| {
        let gate = gate.clone();
        async move {
            say(
                &mut stream,
                "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n",
            )
            .await;
            say(&mut stream, "Connection: x-hop\r\nX-Hop: 1\r\n\r\n").await;
            gate.pass().await;
            say(&mut stream, "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\nbody").await;
        }
    })
    .await;
    (origin, keeper)
}

/// Reads until what came ends so.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut came = Vec::new();
    while !came.ends_with(end.as_bytes()) {
        let mut piece = [0; 1024];
        let size = stream.read(&mut piece).await.unwrap();
        assert!(size > 0, "it ended after {:?}", String::from_utf8_lossy(&came));
        came.extend_from_slice(&piece[..size]);
    }
    String::from_utf8(came).unwrap()
}

#[tokio::test]
async fn hints_come_before_the_answer_and_are_not_kept_with_it() {
    let (origin, keeper) = hinting().await;
    for config in ["", "[[route]]\npath = \"/x\"\nttl = \"1h\"\n"] {
        let node = Node::start(origin, config);
        let mut client = TcpStream::connect(node.address).await.unwrap();
        client.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        assert_eq!(until(&mut client, HINT).await, format!("HTTP/1.1 102 Processing\r\n\r\n{HINT}"));
        keeper.let_go(1);
        let answer = until(&mut client, "body").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && !answer.contains("link"), "{answer}");
        client.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let hit = until(&mut client, "body").await;
        assert!(hit.starts_with("HTTP/1.1 200 OK\r\n") && hit.contains("x-cache: HIT"), "{hit}");
    }
}

/// Source: RFC 8297 section 2: hints are the client's to act on as they come, and there is one final answer to them.
#[tokio::test]
async fn the_hints_of_a_try_that_broke_off_are_not_followed_by_those_of_the_next() {
    let tries = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&tries);
    let origin = raw(move |_, mut stream| {
        let broken = tries.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            say(&mut stream, &HINT.repeat(15)).await;
            if !broken {
                say(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody").await;
            }
        }
    })
    .await;
    let node = Node::start(origin, "");
    let mut client = TcpStream::connect(node.address).await.unwrap();
    client.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let answer = until(&mut client, "body").await;
    assert_eq!((answer.matches(" 103 ").count(), asked.load(Ordering::Relaxed)), (15, 2), "{answer}");
}

#[tokio::test]
async fn writes_have_their_hints_too() {
    let (origin, keeper) = hinting().await;
    let node = Node::start(origin, "");
    let mut client = TcpStream::connect(node.address).await.unwrap();
    client.write_all(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
    until(&mut client, HINT).await;
    keeper.let_go(1);
    until(&mut client, "body").await;
}

#[tokio::test]
async fn a_client_that_knows_no_interim_answers_gets_none() {
    let (origin, keeper) = hinting().await;
    let node = Node::start(origin, "");
    keeper.let_go(1);
    let mut client = TcpStream::connect(node.address).await.unwrap();
    client.write_all(b"GET /x HTTP/1.0\r\nHost: a\r\n\r\n").await.unwrap();
    let answer = until(&mut client, "body").await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n") || answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}
