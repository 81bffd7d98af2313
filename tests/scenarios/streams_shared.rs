//! Many clients on one stream: each has its own, of whichever type, with and without a route.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Barrier;

use super::support::client::read_until;
use super::support::node::Node;
use super::support::origin::{self, Gate, Keeper, response, say};

/// What an answer can be a stream by, and how its body ends.
const KINDS: [(&str, &str, &str); 9] = [
    ("events", "text/event-stream", CHUNKED),
    ("mixed", "multipart/x-mixed-replace; boundary=x", CHUNKED),
    ("ndjson", "application/x-ndjson", CHUNKED),
    ("json-seq", "application/json-seq", CHUNKED),
    ("grpc-web", "application/grpc-web", CHUNKED),
    ("text", "text/plain", CHUNKED),
    ("closed", "text/plain", "Connection: close"),
    ("json", "application/json", CHUNKED),
    ("long", "application/json", "Content-Length: 1000"),
];
const CHUNKED: &str = "Transfer-Encoding: chunked";

const ROUTES: &str = "[[route]]\npath = \"/plain/{kind}\"\nttl = \"1h\"\n\
    [[route]]\npath = \"/annotated/{kind}\"\nttl = \"1h\"\nannotate = { field = \"from_cache\", hit = true, miss = false }\n";

/// An origin whose answers are a head and a first piece, and nothing more until the keeper lets them go.
async fn streaming() -> (SocketAddr, Keeper) {
    let (gate, keeper) = Gate::new();
    let address = origin::raw(move |head, mut stream| {
        let gate = gate.clone();
        async move {
            let kind = KINDS.iter().find(|(name, _, _)| head.contains(&format!("/{name} "))).unwrap();
            let (_, media_type, framing) = *kind;
            let fields = format!("Content-Type: {media_type}\r\n{framing}\r\nCache-Control: max-age=60");
            say(&mut stream, &format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n")).await;
            if head.starts_with("HEAD") {
                return;
            }
            say(&mut stream, if framing == CHUNKED { "8\r\n{\"first\"\r\n" } else { "{\"first\"" }).await;
            gate.pass().await;
            say(&mut stream, if framing == CHUNKED { "5\r\n:\"x\"}\r\n0\r\n\r\n" } else { ":\"x\"}" }).await;
        }
    })
    .await;
    (address, keeper)
}

async fn ask(node: &Node, method: &str, target: &str, fields: &str) -> TcpStream {
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    let request = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", node.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// No answer goes on before every client of every stream has its first piece.
async fn all_have_their_first_piece(clients: usize, prefixes: &[&str]) {
    let (origin, keeper) = streaming().await;
    let node = Arc::new(Node::start(origin, ROUTES));
    let targets: Vec<String> =
        prefixes.iter().flat_map(|prefix| KINDS.map(|(kind, _, _)| format!("/{prefix}/{kind}"))).collect();
    let all_here = Arc::new(Barrier::new(targets.len() * clients));
    let one = |target: &String| {
        let (node, target, all_here) = (Arc::clone(&node), target.clone(), Arc::clone(&all_here));
        tokio::spawn(async move {
            let mut stream = ask(&node, "GET", &target, "").await;
            read_until(&mut stream, "{\"first\"").await;
            all_here.wait().await;
        })
    };
    let asking: Vec<_> = targets.iter().flat_map(|target| (0..clients).map(move |_| target)).map(one).collect();
    for asked in asking {
        asked.await.unwrap();
    }
    keeper.let_go(targets.len() * clients);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_of_each_stream_have_their_first_piece_while_it_runs() {
    all_have_their_first_piece(2, &["unrouted", "plain", "annotated"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_clients_of_each_stream_have_their_first_piece_while_it_runs() {
    all_have_their_first_piece(20, &["unrouted", "plain"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_while_a_stream_runs_has_its_own_at_once_whatever_they_ask_it_by() {
    let (origin, keeper) = streaming().await;
    let node = Node::start(origin, &format!("{ROUTES}[unrouted]\npost = \"store\"\n"));
    let mut running = Vec::new();
    for prefix in ["unrouted", "plain", "annotated"] {
        for (kind, _, _) in KINDS {
            let target = format!("/{prefix}/{kind}");
            for fields in ["", "Range: bytes=0-3\r\n", "If-None-Match: \"a\"\r\n", "Cookie: a=b\r\n", ""] {
                let mut stream = ask(&node, "GET", &target, fields).await;
                read_until(&mut stream, "{\"first\"").await;
                running.push(stream);
            }
            let mut head = ask(&node, "HEAD", &target, "").await;
            read_until(&mut head, "\r\n\r\n").await;
            let mut post = ask(&node, "POST", &target, "Content-Length: 0\r\n").await;
            read_until(&mut post, "{\"first\"").await;
            running.push(post);
        }
    }
    keeper.let_go(running.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_handed_on_as_a_stream_is_stored_when_it_ends_in_time() {
    for kind in ["ndjson", "json"] {
        let (origin, mut keeper) = streaming().await;
        let node = Node::start(origin, ROUTES);
        let target = format!("/plain/{kind}");
        let mut first = ask(&node, "GET", &target, "").await;
        keeper.arrived().await;
        let mut second = ask(&node, "GET", &target, "").await;
        keeper.arrived().await;
        for stream in [&mut first, &mut second] {
            read_until(stream, "{\"first\"").await;
        }
        keeper.let_go(1);
        // Whichever ended: it is stored before its client has its end.
        let ended = async |stream: &mut TcpStream| read_until(stream, "\r\n0\r\n\r\n").await;
        tokio::select! { _ = ended(&mut first) => {}, _ = ended(&mut second) => {} }
        let hit = node.client().get(&target).await;
        assert_eq!((hit.cache(), hit.text()), ("HIT", "{\"first\":\"x\"}"), "{}", hit.cache_status());
        keeper.let_go(1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_annotated_answer_has_its_field_where_it_is_whole_soon_and_in_every_hit() {
    let (origin, mut keeper) = streaming().await;
    let node = Node::start(origin, ROUTES);
    let mut late = ask(&node, "GET", "/annotated/json", "").await;
    read_until(&mut late, "{\"first\"").await;
    keeper.arrived().await;
    keeper.let_go(1);
    assert!(!read_until(&mut late, "\r\n0\r\n\r\n").await.contains("from_cache"));
    assert_eq!(node.client().get("/annotated/json").await.text(), "{\"first\":\"x\",\"from_cache\":true}");
    // Let go before it asks, so that all of it is there with its head.
    keeper.let_go(1);
    let soon = node.client().get_with("/annotated/json", &[("cookie", "a=b")]).await;
    assert_eq!(soon.text(), "{\"first\":\"x\",\"from_cache\":false}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_comes_slowly_is_handed_on_at_once_and_kept() {
    let (gate, keeper) = Gate::new();
    let origin = origin::raw(move |_, mut stream| {
        let gate = gate.clone();
        async move {
            let fields =
                "Content-Range: bytes 0-9/100\r\nContent-Length: 10\r\nCache-Control: max-age=60\r\nETag: \"a\"";
            say(&mut stream, &format!("HTTP/1.1 206 Partial Content\r\n{fields}\r\n\r\nfirst")).await;
            gate.pass().await;
            say(&mut stream, "other").await;
        }
    })
    .await;
    let node = Node::start(origin, "");
    let mut stream = ask(&node, "GET", "/x", "Range: bytes=0-9\r\n").await;
    read_until(&mut stream, "first").await;
    keeper.let_go(1);
    read_until(&mut stream, "other").await;
    let part = node.client().get_with("/x", &[("range", "bytes=2-6")]).await;
    assert_eq!((part.status, part.cache(), part.text()), (206, "HIT", "rstot"), "{}", part.cache_status());
}

#[tokio::test(flavor = "multi_thread")]
async fn long_polls_without_a_route_all_reach_the_origin_and_hear_the_same_message() {
    let (origin, mut keeper) = origin::Origin::gated(|| response(200, &[("cache-control", "no-store")], "news")).await;
    let node = Node::start(origin.address, "");
    for clients in [5, 50] {
        let polling: Vec<_> = (0..clients)
            .map(|_| {
                let client = node.client();
                let target = format!("/poll/{clients}");
                tokio::spawn(async move { client.get(&target).await })
            })
            .collect();
        for _ in 0..clients {
            keeper.arrived().await;
        }
        keeper.let_go(clients);
        for polled in polling {
            assert_eq!(polled.await.unwrap().text(), "news");
        }
    }
}
