//! Fills that nobody waits for any more: they go on, until somebody else needs their place at the origin.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::node::Node;
use super::support::origin::{self, Gate, Keeper, say};
use super::support::until;

/// Answers `/quick` at once, says of `/begun` no more than a head and a piece, and of all else nothing; but whatever the
/// keeper lets go is ended. Counts the connections that were closed on it meanwhile.
async fn slow_origin() -> (SocketAddr, Keeper, Arc<AtomicUsize>) {
    let (gate, keeper) = Gate::new();
    let closed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&closed);
    let address = origin::raw(move |head, mut stream| {
        let (gate, count) = (gate.clone(), Arc::clone(&count));
        async move {
            let fields =
                "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nConnection: close\r\nContent-Length: 2\r\n\r\n";
            if head.contains("/quick") {
                return say(&mut stream, &format!("{fields}ab")).await;
            }
            if head.contains("/begun") {
                say(&mut stream, &format!("{fields}a")).await;
            }
            let mut nothing = [0];
            tokio::select! {
                () = gate.pass() => {}
                _ = stream.read(&mut nothing) => {
                    count.fetch_add(1, Ordering::SeqCst);
                    return;
                }
            }
            let rest = if head.contains("/begun") { "b".to_owned() } else { format!("{fields}ab") };
            say(&mut stream, &rest).await;
        }
    })
    .await;
    (address, keeper, closed)
}

fn config(places: usize, patience: &str) -> String {
    format!(
        "[origin]\nurl = \"ORIGIN\"\nmax_connections = {places}\nconnect_timeout = \"{patience}\"\n\
         [[route]]\npath = \"/kept/{{x}}\"\nttl = \"1h\"\n"
    )
}

async fn ask(node: &Node, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream.write_all(format!("{request}Host: {}\r\n\r\n", node.address).as_bytes()).await.unwrap();
    stream
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = String::new();
    while !read.ends_with(end) {
        read.push(char::from(stream.read_u8().await.unwrap()));
    }
    read
}

/// Asks, and leaves as soon as the origin has been asked.
async fn ask_and_leave(node: &Node, keeper: &mut Keeper, target: &str) {
    let stream = ask(node, &format!("GET {target} HTTP/1.1\r\n")).await;
    keeper.arrived().await;
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_make_room_as_are_needed_and_what_they_leave_is_as_if_they_had_not_been() {
    let (origin, mut keeper, closed) = slow_origin().await;
    let node = Node::start(origin, &config(2, "10s"));
    for (round, target) in ["/a", "/kept/a", "/begun", "/kept/begun", "/a", "/kept/a"].into_iter().enumerate() {
        for number in 1..=6 {
            ask_and_leave(&node, &mut keeper, &format!("{target}{number}")).await;
        }
        assert_eq!(node.client().get(&format!("/quick/{round}")).await.status, 200, "{target}");
    }
    until("they are closed", || async { closed.load(Ordering::SeqCst) == 35 }).await;
    // No address is out of order, and no key is remembered for it. The last one is still there.
    keeper.let_go(3);
    for target in ["/a1", "/kept/a1"] {
        let answer = node.client().get(target).await;
        assert_eq!((answer.status, answer.text()), (200, "ab"), "{}", answer.cache_status());
        assert!(answer.cache_status().contains("stored"), "{}", answer.cache_status());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_there_is_room_they_go_on_and_the_next_client_has_a_hit() {
    let (origin, mut keeper, _) = slow_origin().await;
    let node = Node::start(origin, &config(2, "10s"));
    for target in ["/kept/a", "/kept/begun"] {
        ask_and_leave(&node, &mut keeper, target).await;
        assert_eq!(node.client().get("/quick").await.status, 200);
        keeper.let_go(1);
        until("it is stored", || async { node.client().get(target).await.cache() == "HIT" }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_somebody_follows_is_not_given_up() {
    let (origin, mut keeper, closed) = slow_origin().await;
    let node = Node::start(origin, &config(1, "300ms"));
    node.client().fill(&["/quick"]).await;
    ask_and_leave(&node, &mut keeper, "/kept/a").await;
    // The first of its requests is a hit; with that answered it is at the second one.
    let (hit, follow) = ("GET /quick HTTP/1.1\r\n", "GET /kept/a HTTP/1.1\r\nConnection: close\r\n");
    let mut follower = ask(&node, &format!("{hit}Host: {}\r\n\r\n{follow}", node.address)).await;
    read_until(&mut follower, "ab").await;
    assert_eq!(node.client().get("/quick/2").await.status, 503);
    keeper.let_go(1);
    let answer = read_until(&mut follower, "ab").await;
    assert!(answer.contains("collapsed"), "{answer}");
    assert_eq!(closed.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_takes_is_not_given_up() {
    let (origin, mut keeper, closed) = slow_origin().await;
    let node = Node::start(origin, &config(1, "300ms"));
    for target in ["/begun", "/kept/begun"] {
        let mut client = ask(&node, &format!("GET {target} HTTP/1.1\r\nConnection: close\r\n")).await;
        keeper.arrived().await;
        assert_eq!(node.client().get("/quick").await.status, 503);
        keeper.let_go(1);
        read_until(&mut client, "\r\n\r\nab").await;
    }
    assert_eq!(closed.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_never_given_up() {
    let (origin, mut keeper, closed) = slow_origin().await;
    let node = Node::start(origin, &config(1, "300ms"));
    for method in ["PUT", "POST", "DELETE"] {
        let write = ask(&node, &format!("{method} /kept/a HTTP/1.1\r\nContent-Length: 0\r\n")).await;
        keeper.arrived().await;
        drop(write);
        assert_eq!(node.client().get("/quick").await.status, 503, "{method}");
        keeper.let_go(1);
        until("its place is free again", || async { node.client().get("/quick/again").await.status == 200 }).await;
    }
    assert_eq!(closed.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_fetched_for_others_ends_with_its_client() {
    let (origin, mut keeper, closed) = slow_origin().await;
    let node = Node::start(origin, &config(1, "10s"));
    let requests = [
        "GET /kept/a HTTP/1.1\r\nCookie: a=b\r\n",
        "HEAD /kept/a HTTP/1.1\r\n",
        "OPTIONS /kept/a HTTP/1.1\r\n",
        "GET /a HTTP/1.1\r\nRange: bytes=0-1\r\n",
        "GET /begun HTTP/1.1\r\nAuthorization: a\r\n",
    ];
    for (ended, request) in requests.into_iter().enumerate() {
        let stream = ask(&node, request).await;
        keeper.arrived().await;
        drop(stream);
        until(request, || async { closed.load(Ordering::SeqCst) == ended + 1 }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_makes_room_where_no_other_does() {
    let (gate, mut keeper) = Gate::new();
    let origin = origin::raw(move |head, mut stream| {
        let gate = gate.clone();
        async move {
            if head.contains("if-none-match") {
                gate.pass().await;
            }
            let fields = "Cache-Control: max-age=60, stale-while-revalidate=600\r\nETag: \"a\"\r\nConnection: close";
            say(&mut stream, &format!("HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: 1\r\n\r\nx")).await;
        }
    })
    .await;
    let node = Node::timed(origin, &config(1, "10s"));
    let client = node.client();
    client.fill(&["/x"]).await;
    node.clock.advance(std::time::Duration::from_secs(61));
    client.expect(&[("/x", "STALE")]).await;
    keeper.arrived().await;
    assert_eq!(client.get("/other").await.status, 200);
    // It is begun anew.
    client.expect(&[("/x", "STALE")]).await;
    keeper.arrived().await;
    keeper.let_go(2);
    until("it is fresh", || async { client.get("/x").await.cache() == "HIT" }).await;
}
