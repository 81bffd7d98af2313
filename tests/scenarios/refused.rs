//! Connections that are ended before there is a request: each is counted with its reason, and a flood of them fills no log.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::support::client::raw;
use super::support::frames::{PING, PREFACE, SETTINGS, frame};
use super::support::node::{Node, Process};
use super::support::origin::Origin;
use super::support::tls::Certificate;
use super::support::until;

/// How often connections were ended for this reason, and how often for any other.
fn counted(node: &Node, reason: &str) -> (u64, u64) {
    let counts = node.metrics.totals().refused_connections;
    let of = |is_it: bool| counts.iter().filter(|(of, _)| (*of == reason) == is_it).map(|(_, count)| count).sum();
    (of(true), of(false))
}

#[tokio::test]
async fn what_is_no_request_is_counted_with_its_reason_and_what_is_one_is_not() {
    let origin = Origin::counting().await;
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let (certificate, other) = (Certificate::new(), "[clients]\nproxy_protocol = true\n");
    let broken = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(PING, 0, 1, &[0; 8])].concat();
    let tls = certificate.table();
    for (config, sent, reason, answer) in [
        ("", &b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"[..], "malformed", "HTTP/1.1 400 "),
        ("", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "malformed", "HTTP/1.1 400 "),
        ("", large.as_bytes(), "head-too-large", "HTTP/1.1 431 "),
        ("[limits]\nheader_timeout = \"300ms\"\n", b"GET / HTTP/1.1\r\nHo", "head-too-slow", "HTTP/1.1 408 "),
        ("[clients]\nhttp2 = \"always\"\n", &broken, "http2", ""),
        (&tls, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "plain-http", "HTTP/1.1 400 "),
        (&tls, b"\x16\x03\x01\x00\x05hello", "tls", ""),
        (other, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "proxy-header", ""),
    ] {
        let node = Node::start(origin.address, config);
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        until(reason, || async { counted(&node, reason) == (1, 0) }).await;
        drop(stream);
        if !answer.is_empty() {
            let told = raw(node.address, sent).await;
            assert!(told.starts_with(answer), "{reason}: {told}");
        }
    }
    let node = Node::start(origin.address, "[limits]\nheader_timeout = \"300ms\"\nidle_timeout = \"300ms\"\n");
    assert_eq!(node.client().get("/x").await.status, 200);
    // One that leaves in the midst of a head, one that says nothing, and one that is refused by aside's own rules.
    let mut leaves = TcpStream::connect(node.address).await.unwrap();
    leaves.write_all(b"GET / HT").await.unwrap();
    drop(leaves);
    assert_eq!(raw(node.address, b"").await, "");
    assert!(raw(node.address, b"GET / HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 400 "), "no host");
    assert_eq!(counted(&node, "malformed"), (0, 0));
}

#[tokio::test]
async fn a_flood_of_them_is_one_line() {
    let origin = Origin::counting().await;
    let process = Process::start(origin.address, "memory://", "").await;
    for _ in 0..50 {
        assert!(raw(process.address, b"nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
    }
    process.says("a connection was ended before there was a request: the head of a request is malformed").await;
    let log = process.log();
    assert_eq!(log.matches("a connection was ended").count(), 1, "{log}");
    assert!(log.contains("client=127.0.0.1") && log.contains("status=400"), "{log}");
}
