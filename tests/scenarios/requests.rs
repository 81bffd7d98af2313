//! What a request goes through with, and what it may not do to others; malformed ones are in `tests/wire`.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::support::client::raw;
use super::support::node::Node;
use super::support::origin::Origin;

#[tokio::test]
async fn what_passes_through_keeps_its_fields_but_for_hop_by_hop_and_forgeable_ones() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, "");
    let fields = [
        ("x-custom", "1"),
        ("authorization", "secret"),
        ("te", "trailers"),
        ("proxy-authorization", "x"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-http-method-override", "DELETE"),
        ("bad_name", "1"),
        ("keep-alive", "5"),
    ];
    node.client().send("POST", "/x", &fields, "body").await;
    let asked = origin.asked().remove(0);
    assert_eq!((asked.field("x-custom"), asked.field("authorization")), (Some("1"), Some("secret")));
    for gone in ["te", "proxy-authorization", "bad_name", "keep-alive", "connection"] {
        assert_eq!(asked.field(gone), None, "{gone}");
    }
    // On a write it is for the app, and counts here too; a read is what it says.
    assert_eq!(asked.field("x-http-method-override"), Some("DELETE"));
    node.client().get_with("/x", &fields).await;
    assert_eq!(origin.asked().remove(1).field("x-http-method-override"), None);
    assert_eq!(asked.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(asked.field("host").unwrap(), node.address.to_string());
    assert_eq!(asked.field("x-forwarded-host").unwrap(), node.address.to_string());
}

#[tokio::test]
async fn a_head_that_does_not_arrive_in_time_is_a_408_and_silence_is_none() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, "[limits]\nheader_timeout = \"200ms\"\nidle_timeout = \"300ms\"\n");
    let answer = raw(node.address, b"GET / HTTP/1.1\r\nHost: a\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer:?}");
    let mut silent = TcpStream::connect(node.address).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(10), silent.read(&mut [0; 100])).await.unwrap();
    assert_eq!(closed.unwrap(), 0);
    let idle = raw(node.address, b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(idle.contains(" 200 OK") && !idle.contains(" 408 "), "{idle}");
}

#[tokio::test]
async fn cores_without_clients_keep_no_places_from_the_others() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, "[limits]\nconnections = 1\n");
    for n in 0..30 {
        let answer = raw(node.address, b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "connection {n} hangs although no other is open: {answer}");
    }
}
