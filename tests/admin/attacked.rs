//! The admin port under attack: clients of the other port notice nothing, and it answers again when it is over.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::client::Client;
use crate::support::node::Process;
use crate::support::origin::Origin;
use crate::support::redis::free_port;
use crate::support::until;
use crate::{ROUTES, over_tcp, request};

/// As many files as the machine allows.
fn many_files() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
}

/// Asks both ways, for a stored answer and for what only the origin has, until it is told to stop; comes back with how often.
async fn asks_all_the_while(client: Client, stop: Arc<AtomicBool>, asked: Arc<AtomicUsize>) {
    while !stop.load(SeqCst) {
        let target = format!("/fruit/{}", asked.fetch_add(1, SeqCst) % 50);
        assert_eq!(client.get(&target).await.status, 200, "{target}");
        assert_eq!(client.put(&target, "{}").await.status, 200, "{target}");
    }
}

/// Sends what no client that means well sends; what comes back, if anything does.
fn attacks(address: SocketAddr) {
    let host = format!("host: {address}");
    let json = "content-type: application/json";
    let large = "x".repeat(1 << 20);
    for _ in 0..20 {
        assert_eq!(over_tcp(address, &request("GET", "/status", &["host: evil.example"], "")).status, 403);
        assert_eq!(over_tcp(address, &request("GET", "/status", &[&host], "")).status, 401);
        let right = "authorization: Bearer sesame-open-sesame";
        assert_eq!(over_tcp(address, &request("GET", "/reload", &[&host, right], "")).status, 405);
        assert_eq!(over_tcp(address, &request("POST", "/reload", &[&host, right], "{}")).status, 415);
        // What is refused is not read: the answer comes, or the connection breaks off.
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let _ = stream.write_all(request("POST", "/reload", &[&host, right, json], &large).as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_notice_nothing_of_an_attack_on_the_admin_port() {
    many_files();
    let origin = Origin::counting().await;
    let address: SocketAddr = format!("127.0.0.1:{}", free_port()).parse().unwrap();
    let table = format!("[admin]\nlisten = \"{address}\"\ntoken = \"sesame-open-sesame\"\n");
    let process = Process::start(origin.address, "memory://", &format!("{ROUTES}{table}")).await;
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let asking = tokio::spawn(asks_all_the_while(process.client(), Arc::clone(&stop), Arc::clone(&asked)));

    tokio::task::spawn_blocking(move || attacks(address)).await.unwrap();
    // Some are silent, some begin a head and go no further, and some a body.
    let begun = ["", "GET /status HTTP/1.1\r\nhost: x", "POST /reload HTTP/1.1\r\ncontent-length: 9\r\n\r\n{"];
    let mut slow = Vec::new();
    for index in 0..1000 {
        let mut stream = TcpStream::connect(address).unwrap();
        let _ = stream.write_all(begun[index % begun.len()].as_bytes());
        slow.push(stream);
    }
    let so_far = asked.load(SeqCst);
    until("clients go on to be answered", || async { asked.load(SeqCst) > so_far + 50 }).await;
    assert!(process.descriptors() < 200, "{} files are open", process.descriptors());
    let host = format!("host: {address}");
    let lives = move || over_tcp(address, &request("GET", "/livez", &[&host], "")).status == 200;
    // They are all still there.
    assert!(tokio::task::spawn_blocking(lives).await.unwrap());
    drop(slow);
    stop.store(true, SeqCst);
    asking.await.unwrap();
}

/// Connects so often, and sends this each time.
fn connect_often(address: SocketAddr, count: usize, sent: &str) -> Vec<TcpStream> {
    let connect = |_| {
        let mut stream = TcpStream::connect(address).unwrap();
        let _ = stream.write_all(sent.as_bytes());
        stream
    };
    (0..count).map(connect).collect()
}

#[tokio::test]
async fn a_probe_is_answered_whoever_holds_connections_open() {
    let origin = Origin::counting().await;
    let address: SocketAddr = format!("127.0.0.1:{}", free_port()).parse().unwrap();
    let table = format!("[admin]\nlisten = \"{address}\"\n");
    let process = Process::start(origin.address, "memory://", &format!("{ROUTES}{table}")).await;
    let asked = move |path: &str| over_tcp(address, &request("GET", path, &[&format!("host: {address}")], ""));
    let lives = move || asked("/livez").status == 200 && asked("/readyz").status == 200;
    let head = format!("POST /purge HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n");
    let unsent = format!(" HTTP/1.1\r\nhost: {address}\r\ncontent-length: 9\r\n\r\n");
    // Each kind alone, that none of them does: one held for seconds by each of so many would make a probe wait for minutes.
    for (count, sent) in [
        (500, String::new()),
        (500, "GET /livez HTTP/1.1\r\nho".to_owned()),
        (500, format!("GET /livez HTTP/1.1\r\nhost: {address}\r\n\r\n")),
        (30, format!("{head}content-length: 9\r\n\r\n{{")),
        (500, format!("GET /livez{unsent}")),
        (500, format!("GET /{unsent}")),
        (500, format!("GET /livez HTTP/1.1\r\nhost: {address}\r\ntransfer-encoding: chunked\r\n\r\n")),
        (500, format!("GET /page.js HTTP/1.1\r\nhost: {address}\r\n\r\n").repeat(100)),
    ] {
        let held = connect_often(address, count, &sent);
        let lived = tokio::task::spawn_blocking(lives).await;
        assert!(lived.is_ok_and(|lived| lived), "{count} with {sent:.80}");
        drop(held);
    }
    let held = connect_often(address, 30, &format!("{head}content-length: 9\r\n\r\n{{"));
    let busy = || async { tokio::task::spawn_blocking(move || asked("/entries")).await.unwrap().status == 503 };
    until("what takes a while is told that too much is asked", busy).await;
    let known = tokio::task::spawn_blocking(move || asked("/status")).await.unwrap();
    assert_eq!(known.status, 200, "what is known is told all the same");
    drop(held);
    let answers = || async { tokio::task::spawn_blocking(move || asked("/entries")).await.unwrap().status == 200 };
    until("it is answered again", answers).await;
    assert!(!process.log().contains("panic"));
}

#[tokio::test]
async fn who_has_no_token_keeps_nobody_who_has_it_from_an_answer() {
    let origin = Origin::counting().await;
    let address: SocketAddr = format!("127.0.0.1:{}", free_port()).parse().unwrap();
    let table = format!("[admin]\nlisten = \"{address}\"\ntoken = \"sesame-open-sesame\"\n");
    let process = Process::start(origin.address, "memory://", &format!("{ROUTES}{table}")).await;
    let fields = [&*format!("host: {address}"), "authorization: Bearer sesame-open-sesame"];
    let json = [&fields[..], &["content-type: application/json"]].concat();
    let needs = [
        request("GET", "/status", &fields, ""),
        request("GET", "/metrics", &fields, ""),
        request("GET", "/entries", &fields, ""),
        request("POST", "/purge", &json, "{\"all\": true}"),
    ];
    let head = |line: &str| format!("{line} HTTP/1.1\r\nhost: {address}\r\n");
    let unsent = "content-type: application/json\r\ncontent-length: 9\r\n\r\n";
    for sent in [
        head("GET /") + unsent,
        head("GET /page.css") + unsent,
        head("GET /readyz") + "transfer-encoding: chunked\r\n\r\n",
        head("GET /status") + unsent,
        head("POST /purge") + unsent + "{",
        head("POST /reload") + "expect: 100-continue\r\n" + unsent,
        head("POST /nothing") + unsent,
    ] {
        let held = connect_often(address, 300, &sent);
        for needed in &needs {
            let needed = needed.clone();
            let answer = tokio::task::spawn_blocking(move || over_tcp(address, &needed)).await.unwrap();
            assert_eq!(answer.status, 200, "{sent}: {}", answer.body);
        }
        drop(held);
    }
    assert!(!process.log().contains("panic"));
}

#[tokio::test]
async fn a_read_with_a_body_is_refused_and_its_connection_ends() {
    let origin = Origin::counting().await;
    let address: SocketAddr = format!("127.0.0.1:{}", free_port()).parse().unwrap();
    let table = format!("[admin]\nlisten = \"{address}\"\n");
    let _process = Process::start(origin.address, "memory://", &format!("{ROUTES}{table}")).await;
    for (method, path) in
        [("GET", "/livez"), ("GET", "/"), ("GET", "/status"), ("HEAD", "/readyz"), ("GET", "/explain")]
    {
        for (body, status) in [("content-length: 9\r\n", 400), ("transfer-encoding: chunked\r\n", 400)] {
            let sent = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n{body}\r\n");
            // It ends although nobody says `connection: close` and nothing of the body comes.
            let answer = tokio::task::spawn_blocking(move || over_tcp(address, &sent)).await.unwrap();
            assert_eq!(answer.status, status, "{method} {path}: {}", answer.head);
            assert!(answer.head.contains("connection: close"), "{}", answer.head);
        }
    }
}
