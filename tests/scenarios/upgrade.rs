//! Connections that become web sockets.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::node::Node;
use super::support::origin::{self, Origin, say};
use super::support::until;

const ALLOWED: &str = "[origin]\nurl = \"ORIGIN\"\nupgrade = true\n";
const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, keep-alive\r\nUpgrade: WebSocket\r\n\
                         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// "Hello" as a client sends it, masked, and as a server does (RFC 6455 section 5.7).
const MASKED: [u8; 11] = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
const UNMASKED: [u8; 7] = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];

async fn connected(node: &Node, handshake: &str) -> TcpStream {
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream.write_all(handshake.as_bytes()).await.unwrap();
    stream
}

async fn exactly(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let reading = tokio::time::timeout(Duration::from_secs(10), stream.read_exact(&mut bytes));
    reading.await.expect("it comes").expect("it is not cut");
    bytes
}

/// The head of the next answer.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(exactly(stream, 1).await);
    }
    String::from_utf8(head).unwrap()
}

/// Whether the connection ends, in whatever way.
async fn ends(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let ending = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest));
    let _ = ending.await.expect("the connection ends");
}

/// An origin that agrees, unmasks each "Hello" and sends it back; whatever is no handshake is answered as an ordinary
/// request.
async fn echoing() -> SocketAddr {
    origin::raw(|head, mut stream| async move {
        let head = head.to_lowercase();
        if !head.contains("upgrade") {
            say(&mut stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 8\r\n\r\nordinary").await;
            return;
        }
        assert_eq!(head.matches("\r\nconnection: upgrade\r\n").count(), 1, "{head}");
        assert_eq!(head.matches("\r\nupgrade: websocket\r\n").count(), 1, "{head}");
        assert!(head.contains("\r\nsec-websocket-key: ") && !head.contains("keep-alive"), "{head}");
        say(&mut stream, AGREED).await;
        let mut frame = [0; MASKED.len()];
        while stream.read_exact(&mut frame).await.is_ok() {
            assert_eq!(frame, MASKED);
            stream.write_all(&UNMASKED).await.unwrap();
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_go_back_and_forth_and_the_end_goes_through() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let origin = origin::raw(move |_, mut stream| {
        let tell = tell.clone();
        async move {
            // The first frame comes with the handshake's answer.
            say(&mut stream, AGREED).await;
            stream.write_all(&UNMASKED).await.unwrap();
            let mut frame = [0; MASKED.len()];
            for _ in 0..2 {
                stream.read_exact(&mut frame).await.unwrap();
                stream.write_all(&UNMASKED).await.unwrap();
            }
            assert_eq!(stream.read(&mut frame).await.unwrap(), 0);
            tell.send(()).unwrap();
        }
    })
    .await;
    let node = Node::start(origin, ALLOWED);
    let mut stream = connected(&node, HANDSHAKE).await;
    let head = head(&mut stream).await.to_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    for field in ["connection: upgrade", "upgrade: websocket", "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="] {
        assert_eq!(head.matches(&format!("\r\n{field}\r\n")).count(), 1, "{field} in {head}");
    }
    assert!(head.contains("cache-status: aside; fwd=bypass; fwd-status=101; detail=upgrade"), "{head}");
    assert_eq!(exactly(&mut stream, UNMASKED.len()).await, UNMASKED);
    for _ in 0..2 {
        stream.write_all(&MASKED).await.unwrap();
        assert_eq!(exactly(&mut stream, UNMASKED.len()).await, UNMASKED);
    }
    stream.shutdown().await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), told.recv()).await.unwrap().unwrap();
    ends(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_sent_along_with_the_handshake_is_not_lost() {
    let node = Node::start(echoing().await, ALLOWED);
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream.write_all(&[HANDSHAKE.as_bytes(), &MASKED].concat()).await.unwrap();
    head(&mut stream).await;
    assert_eq!(exactly(&mut stream, UNMASKED.len()).await, UNMASKED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_may_say_otherwise_than_the_origin_table() {
    for (config, expected) in [
        (String::new(), "200"),
        ("[[route]]\npath = \"/chat\"\nupgrade = true\n".to_owned(), "101"),
        ("[[route]]\npath = \"/other\"\nupgrade = true\n".to_owned(), "200"),
        (ALLOWED.to_owned(), "101"),
        (format!("{ALLOWED}[[route]]\npath = \"/chat\"\nupgrade = false\n"), "200"),
        (format!("{ALLOWED}[[route]]\npath = \"/chat\"\nttl = \"1h\"\n"), "101"),
    ] {
        let node = Node::start(echoing().await, &config);
        let head = head(&mut connected(&node, HANDSHAKE).await).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {expected} ")), "{config}: {head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_get_over_http_1_1_for_a_websocket_alone_asks_for_a_tunnel() {
    for (from, to) in [
        ("Upgrade: WebSocket", "Upgrade: h2c"),
        ("Upgrade: WebSocket", "Upgrade: websocket, h2c"),
        ("Upgrade: WebSocket", "Upgrade: websocket\r\nUpgrade: h2c"),
        ("Connection: Upgrade, keep-alive", "Connection: keep-alive"),
        ("GET /chat", "POST /chat"),
        ("HTTP/1.1", "HTTP/1.0"),
        ("Sec-WebSocket-Version: 13", "Content-Length: 1"),
    ] {
        let node = Node::start(echoing().await, ALLOWED);
        let mut handshake = HANDSHAKE.replace(from, to);
        if to.starts_with("Content-Length") {
            handshake.push('x');
        }
        let head = head(&mut connected(&node, &handshake).await).await;
        assert!(head.contains(" 200 "), "{to}: {head}");
        assert!(!head.to_lowercase().contains("upgrade"), "{to}: {head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_does_not_agree_is_answered_for_as_ever() {
    let origin = Origin::start(|_| async { origin::response(403, &[], "no") }).await;
    let node = Node::start(origin.address, ALLOWED);
    let mut stream = connected(&node, HANDSHAKE).await;
    for _ in 0..2 {
        let head = head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 403 ") && head.contains("detail=upgrade"), "{head}");
        assert_eq!(exactly(&mut stream, 2).await, b"no");
        stream.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_to_another_protocol_than_the_one_asked_for_is_a_502() {
    for other in ["Upgrade: h2c\r\n", "Upgrade: websocket, h2c\r\n", ""] {
        let agreed = AGREED.replace("Upgrade: websocket\r\n", other);
        let origin = origin::raw(move |_, mut stream| {
            let agreed = agreed.clone();
            async move { say(&mut stream, &agreed).await }
        })
        .await;
        let head = head(&mut connected(&Node::start(origin, ALLOWED), HANDSHAKE).await).await;
        assert!(head.starts_with("HTTP/1.1 502 "), "{other}: {head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_through_which_nothing_moves_is_cut() {
    let node = Node::start(echoing().await, &format!("{ALLOWED}tunnel_idle = \"200ms\"\n"));
    let mut stream = connected(&node, HANDSHAKE).await;
    head(&mut stream).await;
    ends(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_holds_its_place_among_the_requests_and_its_connection_is_not_used_again() {
    let limits = "max_connections = 1\nconnect_timeout = \"300ms\"\n";
    let node = Node::start(echoing().await, &format!("{ALLOWED}{limits}"));
    for _ in 0..3 {
        let mut stream = connected(&node, HANDSHAKE).await;
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 101 "));
        assert_eq!(node.client().get("/x").await.status, 503);
        drop(stream);
        until("its place is free", || async { node.client().get("/x").await.text() == "ordinary" }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_holds_its_place_among_the_clients() {
    let node = Node::start(echoing().await, &format!("{ALLOWED}[limits]\nconnections = 1\n"));
    let mut tunnel = connected(&node, HANDSHAKE).await;
    assert!(head(&mut tunnel).await.starts_with("HTTP/1.1 101 "));
    let mut waiting = connected(&node, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let nothing = tokio::time::timeout(Duration::from_millis(300), waiting.read_u8()).await;
    assert!(nothing.is_err(), "it was served");
    tunnel.write_all(&MASKED).await.unwrap();
    assert_eq!(exactly(&mut tunnel, UNMASKED.len()).await, UNMASKED);
    drop(tunnel);
    assert!(head(&mut waiting).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_lasts_until_the_time_to_stop_is_over_and_no_longer() {
    let mut node = Node::start(echoing().await, &format!("{ALLOWED}[limits]\nshutdown_timeout = \"1s\"\n"));
    let mut stream = connected(&node, HANDSHAKE).await;
    head(&mut stream).await;
    let stopping = node.stop();
    until("nobody else is let in", || async { TcpStream::connect(node.address).await.is_err() }).await;
    for _ in 0..5 {
        stream.write_all(&MASKED).await.unwrap();
        assert_eq!(exactly(&mut stream, UNMASKED.len()).await, UNMASKED);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ends(&mut stream).await;
    tokio::task::spawn_blocking(move || stopping.join().unwrap()).await.unwrap();
}
