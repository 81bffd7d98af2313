//! Bad requests get a clear error, and nothing of them goes further.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::support::client::raw;
use super::support::node::Node;
use super::support::origin::Origin;

#[tokio::test]
async fn what_cannot_be_understood_is_refused_and_never_reaches_the_origin() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, "[limits]\ntarget = \"1KiB\"\n");
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(2000));
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: authorization\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "501"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "400"),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "405"),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "405"),
        ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
        ("nonsense\r\n\r\n", "400"),
        (long.as_str(), "414"),
    ] {
        let answer = raw(node.address, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
    }
    assert_eq!(origin.count(), 0);
}

#[tokio::test]
async fn a_body_larger_than_allowed_is_refused() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, "[limits]\nrequest_body = \"1KiB\"\n");
    assert_eq!(node.client().post("/x", &"a".repeat(1025)).await.status, 413);
    let chunked = format!(
        "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n{}\r\n0\r\n\r\n",
        "a".repeat(2048)
    );
    assert!(raw(node.address, chunked.as_bytes()).await.starts_with("HTTP/1.1 413 "));
    assert_eq!(origin.count(), 0);
    assert_eq!(node.client().post("/x", &"a".repeat(1024)).await.status, 200);
}

#[tokio::test]
async fn unknown_hosts_paths_and_methods_pass_to_the_origin() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, "");
    for request in [
        "GET /nowhere HTTP/1.1\r\nHost: unheard.of\r\nConnection: close\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "PROPFIND /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET http://a.example/x?y HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n",
        "GET http://a.example?y HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n",
        "GET /x HTTP/1.0\r\n\r\n",
    ] {
        let answer = raw(node.address, request.as_bytes()).await;
        assert!(answer.contains(" 200 OK"), "{request:?}: {answer}");
    }
    let targets: Vec<String> = origin.asked().into_iter().map(|asked| asked.target).collect();
    assert_eq!(targets, ["/nowhere", "*", "/x", "/x?y", "/?y", "/x"]);
}

#[tokio::test]
async fn the_next_request_on_a_connection_is_answered_for_itself() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, "");
    let two = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = raw(node.address, two.as_bytes()).await;
    assert!(answer.contains("\"target\":\"/a\"") && answer.contains("\"target\":\"/b\""), "{answer}");
    assert_eq!(&origin.asked()[0].body[..], b"abc");
}

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
    for gone in ["te", "proxy-authorization", "x-http-method-override", "bad_name", "keep-alive", "connection"] {
        assert_eq!(asked.field(gone), None, "{gone}");
    }
    assert_eq!(asked.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(asked.field("host").unwrap(), origin.address.to_string());
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
