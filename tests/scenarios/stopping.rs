//! What clients get while the server stops: an answer to all that was asked in time, which says that it is the last.

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, sleep, timeout};

use super::support::node::{Node, Process};
use super::support::origin::{Gate, Origin, json, raw as raw_origin, say};
use super::support::tls::{Certificate, over};
use super::support::until;

const GET: &str = "GET /fruit/1 HTTP/1.1\r\nHost: a\r\n\r\n";
const FRUIT: &str = "[[route]]\npath = \"/fruit/{id}\"\nttl = \"1h\"\n";
/// Long enough that no deadline ends a connection here.
const PATIENT: &str = "[limits]\nshutdown_timeout = \"1h\"\n";

async fn connected(node: &Node, begin: &str) -> TcpStream {
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream.write_all(begin.as_bytes()).await.unwrap();
    stream
}

/// Reads an answer whose body is `{}`.
async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    let reading = async {
        while !text.ends_with(b"\r\n\r\n{}") {
            assert!(stream.read_buf(&mut text).await.unwrap() > 0, "cut: {:?}", String::from_utf8_lossy(&text));
        }
    };
    timeout(Duration::from_secs(10), reading).await.expect("an answer comes");
    String::from_utf8(text).unwrap()
}

/// The same, and then the end of the connection.
async fn last_answer(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let text = answer(stream).await;
    let end = timeout(Duration::from_secs(10), stream.read_u8()).await.expect("the connection ends");
    assert!(end.is_err(), "there is more after {text}");
    text
}

/// Returns when the node lets nobody in any more.
async fn told_to_stop(node: &mut Node) -> std::thread::JoinHandle<()> {
    let stopping = node.stop();
    until("nobody else is let in", || async { TcpStream::connect(node.address).await.is_err() }).await;
    stopping
}

async fn is_over(stopping: std::thread::JoinHandle<()>) {
    tokio::task::spawn_blocking(move || stopping.join().unwrap()).await.unwrap();
}

async fn asks_at_last(mut stream: impl AsyncRead + AsyncWrite + Unpin, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    last_answer(&mut stream).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_late_on_a_connection_is_answered_and_told_that_it_was_the_last() {
    let origin = Origin::start(|_| async { json("{}") }).await;
    let mut node = Node::start(origin.address, &format!("{FRUIT}{PATIENT}"));
    let mut kept = Vec::new();
    // Without anything asked yet; with half a head; between two requests, for long and for a moment; of HTTP/1.0.
    kept.push((connected(&node, "").await, GET));
    kept.push((connected(&node, &GET[..10]).await, &GET[10..]));
    let mut quiet = connected(&node, GET).await;
    assert!(!answer(&mut quiet).await.contains("connection: close"));
    let mut half = connected(&node, GET).await;
    answer(&mut half).await;
    sleep(Duration::from_millis(200)).await;
    half.write_all(&GET.as_bytes()[..10]).await.unwrap();
    let mut asking = connected(&node, GET).await;
    answer(&mut asking).await;
    kept.extend([(quiet, GET), (half, &GET[10..]), (asking, GET)]);
    let old = "GET /fruit/1 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n";
    let mut of_old = connected(&node, old).await;
    assert!(answer(&mut of_old).await.contains("keep-alive"));
    let stopping = told_to_stop(&mut node).await;
    let last: Vec<_> = kept.into_iter().map(|(stream, text)| tokio::spawn(asks_at_last(stream, text))).collect();
    let of_old = tokio::spawn(asks_at_last(of_old, old));
    for last in last {
        let last = last.await.unwrap();
        assert!(last.starts_with("HTTP/1.1 200 ") && last.contains("\r\nconnection: close\r\n"), "{last}");
        assert!(last.contains("x-cache: HIT"), "{last}");
    }
    let of_old = of_old.await.unwrap();
    assert!(of_old.starts_with("HTTP/1.0 200 ") && !of_old.contains("keep-alive"), "{of_old}");
    is_over(stopping).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_under_way_says_that_it_is_the_last() {
    let (origin, mut keeper) = Origin::gated(|| json("{}")).await;
    let mut node = Node::start(origin.address, PATIENT);
    let mut stream = connected(&node, GET).await;
    keeper.arrived().await;
    let stopping = told_to_stop(&mut node).await;
    keeper.let_go(1);
    let last = last_answer(&mut stream).await;
    assert!(last.contains("\r\nconnection: close\r\n"), "{last}");
    is_over(stopping).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_head_is_out_is_finished_and_is_the_last() {
    let (gate, keeper) = Gate::new();
    let origin = raw_origin(move |_, mut stream| {
        let gate = gate.clone();
        async move {
            say(&mut stream, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{").await;
            gate.pass().await;
            say(&mut stream, "}").await;
        }
    })
    .await;
    let mut node = Node::start(origin, PATIENT);
    let mut stream = connected(&node, GET).await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n{") {
        stream.read_buf(&mut head).await.unwrap();
    }
    let stopping = told_to_stop(&mut node).await;
    keeper.let_go(1);
    let mut rest = String::new();
    timeout(Duration::from_secs(10), stream.read_to_string(&mut rest)).await.expect("it ends").unwrap();
    assert_eq!(rest, "}");
    is_over(stopping).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_connected_and_not_let_in_yet_is_answered() {
    let origin = Origin::start(|_| async { json("{}") }).await;
    let mut node = Node::start(origin.address, &format!("{PATIENT}connections = 1\n"));
    let mut first = connected(&node, GET).await;
    answer(&mut first).await;
    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(connected(&node, GET).await);
    }
    let stopping = node.stop();
    for mut stream in waiting {
        let last = last_answer(&mut stream).await;
        assert!(last.contains("\r\nconnection: close\r\n"), "{last}");
    }
    is_over(stopping).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_and_a_balancers_header_under_way_may_end() {
    let origin = Origin::start(|_| async { json("{}") }).await;
    let certificate = Certificate::new();
    let mut node = Node::start(origin.address, &format!("{}{PATIENT}", certificate.table()));
    let stream = connected(&node, "").await;
    let stopping = told_to_stop(&mut node).await;
    let stream = over(stream, &certificate.der, &[]).await.unwrap();
    assert!(asks_at_last(stream, GET).await.contains("\r\nconnection: close\r\n"));
    is_over(stopping).await;
    for (clients, begun, rest) in
        [("proxy_protocol = true", "PROXY TCP4 192.0.2.7", " 127.0.0.1 9 80\r\n"), ("http2 = \"always\"", "", "")]
    {
        let mut node = Node::start(origin.address, &format!("[clients]\n{clients}\n{PATIENT}"));
        let stream = connected(&node, begun).await;
        let stopping = told_to_stop(&mut node).await;
        let last = asks_at_last(stream, &format!("{rest}{GET}")).await;
        assert!(last.contains("\r\nconnection: close\r\n"), "{last}");
        is_over(stopping).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_that_ask_for_nothing_do_nothing() {
    let origin = Origin::start(|_| async { json("{}") }).await;
    let mut process = Process::telling(origin.address, "memory://", "").await;
    for (signal, name) in [(Signal::USR1, "SIGUSR1"), (Signal::USR2, "SIGUSR2")] {
        process.signal(signal);
        process.says(name).await;
    }
    assert_eq!(process.client().get("/x").await.status, 200);
    assert_eq!(process.stop().await, Some(0));
}

/// The thread that reloads may be reading still, and it has the log, too.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_line_of_the_log_is_written_whoever_else_has_the_log() {
    let origin = Origin::counting().await;
    for _ in 0..10 {
        let mut process = Process::start(origin.address, "memory://", "").await;
        let file = process.folder().join("proxy.toml");
        std::fs::remove_file(&file).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
        process.hang_up();
        process.says("SIGHUP: reading").await;
        process.signal(Signal::TERM);
        assert_eq!(process.ended().await, Some(0));
        assert!(process.log().ends_with("stopped\n"), "{}", process.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_signals_copy_cuts_nothing() {
    let (origin, mut keeper) = Origin::gated(|| json("{}")).await;
    let mut process = Process::telling(origin.address, "memory://", "").await;
    let client = process.client();
    let asking = tokio::spawn(async move { client.get("/x").await });
    keeper.arrived().await;
    process.signal(Signal::TERM);
    process.says("SIGTERM: ").await;
    process.signal(Signal::TERM);
    process.says("SIGTERM again").await;
    process.signal(Signal::INT);
    process.says("SIGINT again").await;
    keeper.let_go(1);
    assert_eq!(asking.await.unwrap().status, 200);
    assert_eq!(process.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_stops_without_waiting() {
    let (origin, mut keeper) = Origin::gated(|| json("{}")).await;
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let mut process = Process::telling(origin.address, "memory://", PATIENT).await;
        let client = process.client();
        let asking = tokio::spawn(async move { client.try_send("GET", "/x", &[], "").await });
        keeper.arrived().await;
        process.signal(Signal::TERM);
        process.says("SIGTERM: ").await;
        sleep(Duration::from_millis(1100)).await;
        process.signal(signal);
        assert_eq!(process.ended().await, Some(code));
        assert!(asking.await.unwrap().is_err());
        assert!(process.log().contains("stopping without waiting"), "{}", process.log());
    }
}
