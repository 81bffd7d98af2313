//! Connections over time: idle ones, silent ones, ones that take nothing, too many of them, and who is at their other end.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::support::client::{raw, read_until};
use super::support::node::{Node, Process};
use super::support::origin::{Gate, Keeper, Origin, json, raw as raw_origin, say};
use super::support::tls::{Certificate, H2, over, raw as raw_over};
use super::support::until;

const GET: &str = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
const IDLE: &str = "[limits]\nidle_timeout = \"2s\"\nheader_timeout = \"300ms\"\n";

/// An origin whose answers are a piece, a pause as long as the test likes, and another piece.
async fn pausing() -> (std::net::SocketAddr, Keeper) {
    let (gate, keeper) = Gate::new();
    let origin = raw_origin(move |_, mut stream| {
        let gate = gate.clone();
        async move {
            say(&mut stream, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\none;")
                .await;
            gate.pass().await;
            say(&mut stream, "two;").await;
        }
    })
    .await;
    (origin, keeper)
}

async fn is_closed_without_a_word(stream: &mut TcpStream) -> bool {
    let read = timeout(Duration::from_secs(10), stream.read(&mut [0; 100])).await;
    matches!(read, Ok(Ok(0)))
}

#[tokio::test]
async fn a_connection_is_kept_between_requests_for_the_idle_timeout_and_then_closed() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, IDLE);
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    for _ in 0..3 {
        // Longer than a head may take: that is another timer.
        sleep(Duration::from_millis(600)).await;
        stream.write_all(GET.as_bytes()).await.unwrap();
        read_until(&mut stream, "}").await;
    }
    assert!(is_closed_without_a_word(&mut stream).await);
}

/// How long a connection has nothing to do before it counts as quiet, and some more.
const QUIET: Duration = Duration::from_millis(400);

/// One exchange, its request in pieces, on a connection that was quiet before.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, pieces: &[&str], end: &str) {
    sleep(QUIET).await;
    for piece in pieces {
        stream.write_all(piece.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
    let answer = read_until(stream, end).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_connection_that_was_quiet_goes_on_as_before() {
    let origin = Origin::counting().await;
    let certificate = Certificate::new();
    let (plain, secure) = (Node::start(origin.address, ""), Node::start(origin.address, &certificate.table()));
    let connect = async |node: &Node| TcpStream::connect(node.address).await.unwrap();
    let mut one = connect(&plain).await;
    let mut two = over(connect(&secure).await, &certificate.der, &[]).await.unwrap();
    let long = format!("GET /x HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(5000));
    let post = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    for pieces in [&[GET][..], &[&long], &["G", "ET /x HTTP/1.1\r\n", "Host: a\r\n\r\n"], &[post], &[GET]] {
        tokio::join!(exchange(&mut one, pieces, "}"), exchange(&mut two, pieces, "}"));
    }
    assert_eq!(origin.count(), 10);
}

#[tokio::test]
async fn the_rest_of_a_body_is_no_request_however_late_it_comes() {
    let (asked, mut heads) = tokio::sync::mpsc::unbounded_channel();
    // Answers before it has read the body, and goes on reading.
    let origin = raw_origin(move |head, mut stream| {
        let asked = asked.clone();
        async move {
            let _ = asked.send(head);
            say(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
    .await;
    let node = Node::start(origin, "[limits]\nbuffer_body = \"1KiB\"\n");
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    let (begin, rest) = ("x".repeat(4096), "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", begin.len() + rest.len());
    exchange(&mut stream, &[&head, &begin], "{}").await;
    sleep(QUIET).await;
    let _ = stream.write_all(rest.as_bytes()).await;
    let _ = timeout(QUIET, stream.read(&mut [0; 100])).await;
    assert!(heads.recv().await.unwrap().starts_with("POST /x "));
    let next = heads.try_recv();
    assert!(next.is_err(), "what was a body became a request: {next:?}");
}

#[tokio::test]
async fn a_head_is_timed_from_its_first_byte() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, "[limits]\nheader_timeout = \"1s\"\n");
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    sleep(Duration::from_millis(1500)).await;
    stream.write_all(b"GET /x HTTP/1.1\r\n").await.unwrap();
    stream.write_all(b"Host: a\r\n\r\n").await.unwrap();
    read_until(&mut stream, "}").await;
    // The second head on a connection is timed like the first; a byte now and then does not help.
    stream.write_all(b"GET /x HTTP/1.1\r\n").await.unwrap();
    for _ in 0..15 {
        sleep(Duration::from_millis(100)).await;
        let _ = stream.write_all(b"x").await;
    }
    let answer = read_until(&mut stream, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn a_head_over_tls_that_does_not_end_is_a_408_too() {
    let origin = Origin::counting().await;
    let certificate = Certificate::new();
    let node = Node::start(origin.address, &format!("{}[limits]\nheader_timeout = \"2s\"\n", certificate.table()));
    let stream = TcpStream::connect(node.address).await.unwrap();
    let stream = over(stream, &certificate.der, &[]).await.unwrap();
    let answer = raw_over(stream, b"GET /x HTTP/1.1\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn a_quiet_stream_is_not_idle_in_either_version() {
    let (origin, keeper) = pausing().await;
    let node = Node::start(origin, &format!("{IDLE}write_stall = \"300ms\"\n[clients]\nhttp2 = \"always\"\n"));
    let mut one = TcpStream::connect(node.address).await.unwrap();
    one.write_all(GET.as_bytes()).await.unwrap();
    read_until(&mut one, "one;").await;
    let (client, _) = H2::to(node.address).await;
    let two = client.begin("GET", "http://a/x", &[], "").await.unwrap();
    sleep(Duration::from_secs(3)).await;
    keeper.let_go(2);
    read_until(&mut one, "two;").await;
    let two = http_body_util::BodyExt::collect(two.into_body()).await.unwrap().to_bytes();
    assert_eq!(&two[..], b"one;two;");
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed_in_good_order() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, &format!("{IDLE}[clients]\nhttp2 = \"always\"\n"));
    let (client, ended) = H2::to(node.address).await;
    for _ in 0..3 {
        sleep(Duration::from_millis(800)).await;
        assert_eq!(client.get("http://a/x").await.status, 200);
    }
    assert!(!ended.is_finished());
    timeout(Duration::from_secs(10), ended).await.expect("it is closed").unwrap().expect("without an error");
}

#[tokio::test]
async fn a_client_that_stops_reading_is_given_up() {
    let (gate, mut keeper) = Gate::new();
    let origin = raw_origin(move |_, mut stream| {
        let gate = gate.clone();
        async move {
            say(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").await;
            let piece = vec![b'a'; 1 << 20];
            while stream.write_all(&piece).await.is_ok() {}
            gate.pass().await;
        }
    })
    .await;
    let certificate = Certificate::new();
    let limits = "[limits]\nwrite_stall = \"300ms\"\n";
    let plain = Node::start(origin, limits);
    let mut stream = TcpStream::connect(plain.address).await.unwrap();
    stream.write_all(GET.as_bytes()).await.unwrap();
    keeper.arrived().await;
    let secure = Node::start(origin, &format!("{limits}{}", certificate.table()));
    let mut stream = over(TcpStream::connect(secure.address).await.unwrap(), &certificate.der, &[]).await.unwrap();
    stream.write_all(GET.as_bytes()).await.unwrap();
    keeper.arrived().await;
}

#[tokio::test]
async fn connections_above_the_limit_wait_for_a_place() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, "[limits]\nconnections = 2\n");
    let open = || async {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(GET.as_bytes()).await.unwrap();
        stream
    };
    let (mut one, mut two) = (open().await, open().await);
    read_until(&mut one, "}").await;
    read_until(&mut two, "}").await;
    let mut three = open().await;
    assert!(timeout(Duration::from_millis(300), three.read(&mut [0; 10])).await.is_err(), "there is no place");
    one.write_all(GET.as_bytes()).await.unwrap();
    read_until(&mut one, "}").await;
    drop(two);
    read_until(&mut three, "}").await;
}

#[tokio::test]
async fn a_process_out_of_file_descriptors_waits_for_them_and_goes_on() {
    let origin = Origin::counting().await;
    let process = Process::start(origin.address, "memory://", "[[route]]\npath = \"/x\"\nttl = \"1h\"\n").await;
    process.client().get("/x").await;
    process.allow_descriptors(process.descriptors() + 4);
    let mut open = Vec::new();
    for _ in 0..20 {
        // The kernel takes them all; the process cannot.
        let mut stream = TcpStream::connect(process.address).await.unwrap();
        stream.write_all(GET.as_bytes()).await.unwrap();
        open.push(tokio::spawn(async move {
            let served = timeout(Duration::from_secs(3), stream.read(&mut [0; 10])).await.is_ok();
            (stream, served)
        }));
    }
    let (mut answered, mut kept) = (0, Vec::new());
    for one in open {
        let (stream, served) = one.await.unwrap();
        answered += usize::from(served);
        kept.push(stream);
    }
    assert!((1..20).contains(&answered), "{answered} of 20 were served with 4 descriptors left");
    process.says("no connection can be accepted").await;
    drop(kept);
    until("it serves again", || async {
        process.client().try_send("GET", "/x", &[], "").await.is_ok_and(|answer| answer.cache() == "HIT")
    })
    .await;
    process.says("connections are accepted again").await;
}

#[tokio::test]
async fn the_header_of_a_load_balancer_tells_the_clients_address() {
    let origin = Origin::counting().await;
    let certificate = Certificate::new();
    let clients = "[clients]\nproxy_protocol = true\n[limits]\nheader_timeout = \"2s\"\n";
    let node = Node::start(origin.address, clients);
    let request = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let told = format!("PROXY TCP4 192.0.2.7 127.0.0.1 9 80\r\n{request}");
    assert!(raw(node.address, told.as_bytes()).await.starts_with("HTTP/1.1 200"));
    let unknown = format!("PROXY UNKNOWN\r\n{request}");
    assert!(raw(node.address, unknown.as_bytes()).await.starts_with("HTTP/1.1 200"));
    assert_eq!(raw(node.address, request.as_bytes()).await, "", "it is required");
    let mut slow = TcpStream::connect(node.address).await.unwrap();
    slow.write_all(b"PROXY TCP4 192.0").await.unwrap();
    assert!(is_closed_without_a_word(&mut slow).await, "and in time");
    let secure = Node::start(origin.address, &format!("{clients}{}", certificate.table()));
    let mut stream = TcpStream::connect(secure.address).await.unwrap();
    let mut binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    binary.extend([198, 51, 100, 9, 127, 0, 0, 1, 0, 9, 0, 80]);
    stream.write_all(&binary).await.unwrap();
    let stream = over(stream, &certificate.der, &[]).await.unwrap();
    assert!(raw_over(stream, request.as_bytes()).await.starts_with("HTTP/1.1 200"));
    let addresses: Vec<_> =
        origin.asked().iter().map(|asked| asked.field("x-forwarded-for").unwrap().to_owned()).collect();
    assert_eq!(addresses, ["192.0.2.7", "127.0.0.1", "198.51.100.9"]);
}

#[tokio::test]
async fn a_client_that_waits_for_100_gets_it_only_when_its_body_is_wanted() {
    let origin = Origin::counting().await;
    let node = Node::start(origin.address, "[limits]\nrequest_body = \"1KiB\"\n");
    let ask = |length: usize, extra: &str| {
        format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nExpect: 100-Continue\r\n{extra}\r\n")
    };
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream.write_all(ask(4, "").as_bytes()).await.unwrap();
    assert_eq!(read_until(&mut stream, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"body").await.unwrap();
    assert!(read_until(&mut stream, "}").await.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(origin.asked()[0].field("expect"), None);
    assert_eq!(&origin.asked()[0].body[..], b"body");
    for (request, status) in [(ask(2000, ""), "HTTP/1.1 413 "), (ask(4, "Host: b\r\n"), "HTTP/1.1 400 ")] {
        let answer = raw(node.address, request.as_bytes()).await;
        assert!(answer.starts_with(status) && !answer.contains("100 Continue"), "{request:?}: {answer}");
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_hold_up_a_stop() {
    let origin = Origin::start(|_| async { json("{}") }).await;
    let certificate = Certificate::new();
    let limits = "[limits]\nshutdown_timeout = \"1h\"\nheader_timeout = \"300ms\"\n";
    for config in [String::new(), "[clients]\nhttp2 = \"always\"\n".to_owned(), certificate.table()] {
        let mut node = Node::start(origin.address, &format!("{config}{limits}"));
        // One that said nothing yet, and one that never says all.
        let _silent = TcpStream::connect(node.address).await.unwrap();
        let mut begun = TcpStream::connect(node.address).await.unwrap();
        begun.write_all(b"P").await.unwrap();
        let stopping = node.stop();
        let stopped = tokio::task::spawn_blocking(move || stopping.join().unwrap());
        timeout(Duration::from_secs(10), stopped)
            .await
            .unwrap_or_else(|_| panic!("it does not stop: {config}"))
            .unwrap();
    }
}
