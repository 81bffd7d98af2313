//! Bodies that come piece by piece.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::client::read_until;
use super::support::node::Node;
use super::support::origin::{self, Gate, Origin, say};

async fn ask(node: &Node, target: &str) -> TcpStream {
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", node.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_answer_is_handed_on_as_it_comes_and_stored_once_whole() {
    let (origin, mut keeper) = origin::in_two_pieces().await;
    let node = Node::start(origin, "[[route]]\npath = \"/x\"\nttl = \"1h\"\n");
    let mut stream = ask(&node, "/x").await;
    read_until(&mut stream, "first").await;
    keeper.arrived().await;
    keeper.let_go(1);
    read_until(&mut stream, "\r\n0\r\n\r\n").await;
    let hit = node.client().get("/x").await;
    assert_eq!((hit.cache(), hit.text()), ("HIT", "firstsecond"));
}

#[tokio::test(flavor = "multi_thread")]
async fn server_sent_events_pass_one_by_one_and_are_never_stored() {
    let (gate, mut keeper) = Gate::new();
    let origin = origin::raw(move |_, mut stream| {
        let gate = gate.clone();
        async move {
            say(
                &mut stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
            )
            .await;
            for event in ["data: 1\n\n", "data: 2\n\n"] {
                say(&mut stream, &format!("9\r\n{event}\r\n")).await;
                gate.pass().await;
            }
            say(&mut stream, "0\r\n\r\n").await;
        }
    })
    .await;
    let node = Node::start(origin, "[[route]]\npath = \"/events\"\nttl = \"1h\"\n");
    let mut stream = ask(&node, "/events").await;
    let head = read_until(&mut stream, "data: 1").await;
    assert!(head.contains("detail=streaming"), "{head}");
    keeper.arrived().await;
    keeper.let_go(1);
    read_until(&mut stream, "data: 2").await;
    keeper.arrived().await;
    keeper.let_go(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_larger_than_allowed_streams_through_unstored() {
    let body = "x".repeat(300_000);
    for head in ["Content-Length: 300000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n493E0\r\n"] {
        let tail = if head.starts_with('T') { "\r\n0\r\n\r\n" } else { "" };
        let answer = format!("HTTP/1.1 200 OK\r\n{head}{body}{tail}");
        let origin = origin::raw(move |_, mut stream| {
            let answer = answer.clone();
            async move { say(&mut stream, &answer).await }
        })
        .await;
        let node = Node::start(origin, "[[route]]\npath = \"/x\"\nttl = \"1h\"\nmax_body = \"100KiB\"\n");
        for _ in 0..2 {
            let answer = node.client().get("/x").await;
            assert_eq!((answer.cache(), answer.text() == body), ("MISS", true), "{head}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_upload_streams_to_the_origin_before_it_is_whole() {
    let (gate, mut keeper) = Gate::new();
    let origin = origin::raw(move |head, mut stream| {
        let gate = gate.clone();
        async move {
            assert!(head.starts_with("PUT /x"));
            gate.pass().await;
            let mut rest = vec![0; 200_000];
            stream.read_exact(&mut rest).await.unwrap();
            say(&mut stream, "HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    })
    .await;
    let node = Node::start(origin, "");
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream.write_all(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n").await.unwrap();
    stream.write_all(&vec![b'x'; 100_000]).await.unwrap();
    keeper.arrived().await;
    stream.write_all(&vec![b'x'; 100_000]).await.unwrap();
    keeper.let_go(1);
    read_until(&mut stream, "204").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_chunked_body_reaches_the_origin_whatever_the_method() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, "");
    for method in ["GET", "POST", "DELETE", "OPTIONS"] {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        let head = format!("{method} /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n186A0\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b'x'; 100_000]).await.unwrap();
        stream.write_all(b"\r\n0\r\n\r\n").await.unwrap();
        let answer = read_until(&mut stream, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(origin.asked().pop().unwrap().body.len(), 100_000, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_upload_larger_than_allowed_is_refused_also_where_it_streams() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, "[limits]\nrequest_body = \"100KiB\"\nbuffer_body = \"16KiB\"\n");
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream.write_all(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
    for _ in 0..101 {
        stream.write_all(format!("400\r\n{}\r\n", "x".repeat(1024)).as_bytes()).await.unwrap();
    }
    let answer = read_until(&mut stream, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(node.client().post("/x", &"x".repeat(100 << 10)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_that_an_upload_takes_is_not_the_origins() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, "[origin]\nurl = \"ORIGIN\"\nresponse_timeout = \"400ms\"\n");
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream.write_all(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n").await.unwrap();
    for _ in 0..15 {
        stream.write_all(&vec![b'x'; 20_000]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let answer = read_until(&mut stream, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_the_origin_does_not_take_is_a_504() {
    let origin = origin::raw(|_, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let node = Node::start(origin, "[origin]\nurl = \"ORIGIN\"\nresponse_timeout = \"300ms\"\n");
    for size in [200_000, 30_000_000] {
        let (mut answers, mut uploads) = TcpStream::connect(node.address).await.unwrap().into_split();
        tokio::spawn(async move {
            let head = format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n");
            uploads.write_all(head.as_bytes()).await.unwrap();
            let _ = uploads.write_all(&vec![b'x'; size]).await;
            std::future::pending::<()>().await;
        });
        let mut status = [0; 12];
        tokio::time::timeout(Duration::from_secs(10), answers.read_exact(&mut status)).await.unwrap().unwrap();
        assert_eq!(&status, b"HTTP/1.1 504", "{size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_the_client_does_not_end_is_its_own_fault() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, "[origin]\nurl = \"ORIGIN\"\nresponse_timeout = \"300ms\"\n");
    // Streamed, and small enough to be read whole first.
    for length in [200_000, 2_000] {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        let head = format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b'x'; length / 2]).await.unwrap();
        let answer = read_until(&mut stream, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_too_large_to_keep_holds_its_place_at_the_origin_while_it_comes() {
    for framing in ["Transfer-Encoding: chunked\r\n\r\n", "Content-Length: 1000000\r\n\r\n1000\r\n"] {
        let origin = origin::raw(move |head, mut stream| async move {
            if head.starts_with("GET /big") {
                say(&mut stream, &format!("HTTP/1.1 200 OK\r\n{framing}")).await;
                for _ in 0..4 {
                    say(&mut stream, &format!("1000\r\n{}\r\n", "x".repeat(4096))).await;
                }
                std::future::pending::<()>().await;
            }
            say(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx").await;
        })
        .await;
        let node = Node::start(
            origin,
            "[origin]\nurl = \"ORIGIN\"\nmax_connections = 1\nconnect_timeout = \"300ms\"\n\
             [[route]]\npath = \"/big/{x}\"\nttl = \"1h\"\nmax_body = \"8KiB\"\n",
        );
        let mut stream = ask(&node, "/big/1").await;
        read_until(&mut stream, &"x".repeat(4096)).await;
        assert_eq!(node.client().get("/small").await.status, 503, "{framing}");
        drop(stream);
        let free = || async { node.client().get("/small").await.status == 200 };
        super::support::until("its place is free again", free).await;
    }
}
