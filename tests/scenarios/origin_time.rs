//! How long an exchange with the origin may take, and what becomes of one that takes longer; how much of it is held.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::node::Node;
use super::support::origin::{self, Gate, Origin, nobody, say};
use super::support::until;

const ROUTE: &str = "[[route]]\npath = \"/kept\"\nttl = \"1h\"\nstale_if_error = \"0s\"\n";

/// How often a drop falls: far below any limit here.
const DROP: Duration = Duration::from_millis(50);

/// An origin whose bodies come in so many drops of one byte; and how often it was asked.
async fn dripping(drops: usize, chunked: bool) -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let address = origin::raw(move |_, mut stream| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            let framing =
                if chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {drops}") };
            say(&mut stream, &format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{framing}\r\n\r\n")).await;
            for _ in 0..drops {
                say(&mut stream, if chunked { "1\r\nx\r\n" } else { "x" }).await;
                tokio::time::sleep(DROP).await;
            }
            if chunked {
                say(&mut stream, "0\r\n\r\n").await;
            }
        }
    })
    .await;
    (address, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_takes_longer_than_all_of_it_may_is_cut_and_not_stored() {
    for chunked in [false, true] {
        let (origin, asked) = dripping(1000, chunked).await;
        let node = Node::start(origin, &format!("[origin]\nurl = \"ORIGIN\"\ntotal_timeout = \"400ms\"\n{ROUTE}"));
        for target in ["/kept", "/kept", "/passed"] {
            let answer = node.client().try_send("GET", target, &[], "").await;
            let cut = answer.as_ref().map_or(true, |answer| answer.status == 502);
            assert!(cut, "{target}, chunked {chunked}: {answer:?}");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_ends_in_time_is_whole() {
    for chunked in [false, true] {
        let (origin, _) = dripping(8, chunked).await;
        let node = Node::start(origin, &format!("[origin]\nurl = \"ORIGIN\"\ntotal_timeout = \"10s\"\n{ROUTE}"));
        for target in ["/kept", "/passed"] {
            assert_eq!(node.client().get(target).await.text(), "xxxxxxxx");
        }
        assert_eq!(node.client().get("/kept").await.cache(), "HIT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_come_before_all_is_to_be_over_is_a_504() {
    let hanging = origin::raw(|_, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let node = Node::start(hanging, "[origin]\nurl = \"ORIGIN\"\ntotal_timeout = \"200ms\"\n");
    for method in ["GET", "PUT"] {
        let answer = node.client().send(method, "/x", &[], "").await;
        assert_eq!(answer.status, 504);
        assert!(answer.text().contains("within 200ms"), "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_drips_for_too_long_goes_to_its_own_client_and_is_not_stored() {
    let drip = |chunked: bool| async move {
        let (origin, asked) = dripping(110, chunked).await;
        // Ten times this is the most that a fill may take.
        let node = Node::start(origin, &format!("[origin]\nurl = \"ORIGIN\"\nresponse_timeout = \"500ms\"\n{ROUTE}"));
        for _ in 0..2 {
            let answer = node.client().get("/kept").await;
            assert_eq!((answer.text(), answer.cache()), ("x".repeat(110).as_str(), "MISS"));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    };
    tokio::join!(drip(false), drip(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_post_that_drips_is_begun_before_all_of_it_came() {
    let origin = origin::raw(|_, mut stream| async move {
        let head = "Content-Location: /x\r\nCache-Control: max-age=60\r\nContent-Length: 600";
        say(&mut stream, &format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n")).await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(DROP).await;
        }
    })
    .await;
    let config = "[origin]\nurl = \"ORIGIN\"\nresponse_timeout = \"200ms\"\n[unrouted]\npost = \"store\"\n";
    let node = Node::start(origin, config);
    let mut client = TcpStream::connect(node.address).await.unwrap();
    client.write_all(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
    let mut head = Vec::new();
    let reading = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
    };
    tokio::time::timeout(Duration::from_secs(15), reading).await.expect("the head comes before the end of the body");
    assert!(String::from_utf8_lossy(&head).contains("detail=too-slow"), "{}", String::from_utf8_lossy(&head));
}

/// An origin that sends a body without end and counts what it could send.
async fn endless() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let address = origin::raw(move |_, mut stream| {
        let count = Arc::clone(&count);
        async move {
            say(&mut stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            let piece = format!("10000\r\n{}\r\n", "x".repeat(1 << 16));
            while stream.write_all(piece.as_bytes()).await.is_ok() {
                count.fetch_add(1 << 16, Ordering::SeqCst);
            }
        }
    })
    .await;
    (address, sent)
}

/// Whether a count stands still, and where.
async fn still(count: &AtomicUsize) -> Option<usize> {
    let before = count.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(300)).await;
    (before > 0 && count.load(Ordering::SeqCst) == before).then_some(before)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_stops_the_origin_from_sending() {
    for target in ["/kept", "/passed"] {
        let (origin, sent) = endless().await;
        let node = Node::start(origin, ROUTE);
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        until("no more is sent", || async { still(&sent).await.is_some() }).await;
        // What the sockets of this machine hold, and no more than the largest body that is stored.
        assert!(sent.load(Ordering::SeqCst) < 32 << 20, "{target}: {sent:?}");
        drop(stream);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_reads_nothing_stops_the_client_from_sending() {
    let origin = origin::raw(|_, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let node = Node::start(origin, "");
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    tokio::spawn(async move {
        stream.write_all(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n").await.unwrap();
        let piece = vec![b'x'; 1 << 16];
        while stream.write_all(&piece).await.is_ok() {
            count.fetch_add(1 << 16, Ordering::SeqCst);
        }
    });
    until("no more is taken", || async { still(&sent).await.is_some() }).await;
    assert!(sent.load(Ordering::SeqCst) < 32 << 20, "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_slowly_does_not_hold_up_those_who_wait_for_the_same() {
    let body = "x".repeat(900_000);
    let (gate, mut keeper) = Gate::new();
    let origin = {
        let body = body.clone();
        origin::raw(move |_, mut stream| {
            let (gate, body) = (gate.clone(), body.clone());
            async move {
                say(&mut stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
                gate.pass().await;
                say(&mut stream, &format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())).await;
            }
        })
        .await
    };
    let node = Node::start(origin, ROUTE);
    let mut reads_nothing = TcpStream::connect(node.address).await.unwrap();
    let request = format!("GET /kept HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", node.address);
    reads_nothing.write_all(request.as_bytes()).await.unwrap();
    keeper.arrived().await;
    let client = node.client();
    let follower = tokio::spawn(async move { client.get("/kept").await });
    keeper.let_go(1);
    assert_eq!(follower.await.unwrap().text(), body);
    let mut all = Vec::new();
    reads_nothing.read_to_end(&mut all).await.unwrap();
    assert!(all.len() > body.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_outlives_the_client_that_began_it() {
    let (origin, mut keeper) = origin::in_two_pieces().await;
    let node = Node::start(origin, ROUTE);
    let mut leaves = TcpStream::connect(node.address).await.unwrap();
    leaves.write_all(format!("GET /kept HTTP/1.1\r\nHost: {}\r\n\r\n", node.address).as_bytes()).await.unwrap();
    keeper.arrived().await;
    assert!(leaves.read_u8().await.is_ok());
    drop(leaves);
    keeper.let_go(1);
    let client = node.client();
    until("it is stored", || async {
        let answer = client.get_with("/kept", &[("cache-control", "only-if-cached")]).await;
        answer.status == 200 && answer.text() == "firstsecond" && answer.cache() == "HIT"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_one_by_one_whatever_the_route_does_to_its_answers() {
    for (framing, chunked) in [("Transfer-Encoding: chunked\r\n", true), ("Connection: close\r\n", false)] {
        let (gate, mut keeper) = Gate::new();
        let origin = origin::raw(move |_, mut stream| {
            let gate = gate.clone();
            async move {
                say(&mut stream, &format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{framing}\r\n")).await;
                for event in ["data: 1\n\n", "data: 2\n\n"] {
                    say(&mut stream, &if chunked { format!("9\r\n{event}\r\n") } else { event.to_owned() }).await;
                    gate.pass().await;
                }
            }
        })
        .await;
        let annotated = "annotate = { field = \"cached\", hit = true, miss = false }\noverride_origin = true\n";
        let node = Node::start(origin, &format!("{ROUTE}{annotated}"));
        for _ in 0..2 {
            let mut stream = TcpStream::connect(node.address).await.unwrap();
            stream.write_all(b"GET /kept HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
            for event in ["data: 1", "data: 2"] {
                let mut read = String::new();
                while !read.contains(event) {
                    read.push(char::from(stream.read_u8().await.unwrap()));
                }
                keeper.arrived().await;
                keeper.let_go(1);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_very_many_pieces_is_stored_as_any_other() {
    let origin = origin::raw(|_, mut stream| async move {
        let pieces = "1\r\nx\r\n".repeat(200_000);
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
        say(&mut stream, &format!("{head}{pieces}0\r\n\r\n")).await;
    })
    .await;
    let node = Node::start(origin, ROUTE);
    for expected in ["MISS", "HIT"] {
        let answer = node.client().get("/kept").await;
        assert_eq!((answer.cache(), answer.body.len()), (expected, 200_000));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_nobody_listens_to_was_seen_by_nobody() {
    let origin = Origin::counting().await;
    let (dead, _held) = nobody();
    let node = Node::start(dead, ROUTE);
    assert_eq!(node.client().put("/kept", "{}").await.status, 502);
    assert_eq!(origin.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_stale_answers_one_fetch_is_under_way_though_what_it_brings_cannot_be_shared() {
    let (gate, mut keeper) = Gate::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let origin = origin::raw(move |_, mut stream| {
        let (gate, n) = (gate.clone(), count.fetch_add(1, Ordering::SeqCst));
        async move {
            let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=10, stale-while-revalidate=600\r\nConnection: close";
            if n == 0 {
                return say(&mut stream, &format!("{head}\r\nContent-Length: 1\r\n\r\nx")).await;
            }
            gate.pass().await;
            say(
                &mut stream,
                &format!("{head}\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n{}\r\n", "x".repeat(1 << 12)),
            )
            .await;
        }
    })
    .await;
    let node = Node::timed(origin, "[[route]]\npath = \"/kept\"\nmax_body = \"1KiB\"\n");
    let client = node.client();
    client.get("/kept").await;
    node.clock.advance(Duration::from_secs(20));
    for round in 1..=3 {
        // The last fetch has landed once another one begins.
        until("it is fetched behind", || async {
            assert_eq!(client.get("/kept").await.cache(), "STALE");
            asked.load(Ordering::SeqCst) > round
        })
        .await;
        keeper.arrived().await;
        for _ in 0..10 {
            assert_eq!(client.get("/kept").await.cache(), "STALE");
        }
        assert_eq!(asked.load(Ordering::SeqCst), round + 1);
        keeper.let_go(1);
    }
}
