//! The log: never in a request's way, complete at the end, and telling what a person has to know. And the output of the
//! other commands, which is their result.

use std::io::Read as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::support::client::raw as raw_client;
use super::support::connected;
use super::support::node::Process;
use super::support::origin::{Asked, Gate, Origin, nobody, raw, raw_at, response, say};
use super::support::redis::RedisServer;
use super::support::until;

/// What a terminal takes for a command, and what turns the order of a line or is not seen, as text of a URL.
const MISLEADING: [(char, &str); 7] = [
    ('\u{9b}', "9b"),
    ('\u{85}', "85"),
    ('\u{202e}', "202e"),
    ('\u{2066}', "2066"),
    ('\u{200f}', "200f"),
    ('\u{2028}', "2028"),
    ('\u{200b}', "200b"),
];

/// More than a pipe holds.
const REQUESTS: usize = 200;

async fn serves_and_stops(log: impl Into<Stdio>) {
    let origin = Origin::counting().await;
    let mut node = Process::unheard(origin.address, log).await;
    let path = format!("/{}", "x".repeat(1000));
    for _ in 0..REQUESTS {
        assert_eq!(node.client().get(&path).await.status, 200);
    }
    assert_eq!(node.client().send("PUT", "/x", &[], "{}").await.status, 200);
    assert_eq!(origin.count(), REQUESTS + 1);
    assert_eq!(node.stop().await, Some(0));
}

#[tokio::test]
async fn a_full_disk_under_the_log_costs_no_request() {
    serves_and_stops(std::fs::File::options().write(true).open("/dev/full").unwrap()).await;
}

#[tokio::test]
async fn a_reader_of_the_log_that_has_gone_costs_no_request() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    serves_and_stops(writer).await;
}

#[tokio::test]
async fn a_reader_of_the_log_that_does_not_read_holds_up_nobody() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    serves_and_stops(writer).await;
    let mut log = String::new();
    reader.read_to_string(&mut log).unwrap();
    assert!(log.contains("listening on") && !log.contains("PUT"), "it was not full");
}

#[tokio::test]
async fn the_last_lines_are_in_the_log_when_it_has_stopped() {
    let origin = Origin::counting().await;
    let mut node = Process::telling(origin.address, "memory://", "").await;
    for n in 0..REQUESTS {
        node.client().get(&format!("/{n}")).await;
    }
    assert_eq!(node.stop().await, Some(0));
    let log = node.log();
    assert_eq!(log.matches(" INFO GET /").count(), REQUESTS, "{log}");
    assert!(log.trim_end().ends_with("stopped"), "{log}");
}

#[tokio::test]
async fn a_filter_that_is_none_is_told_and_an_empty_one_is_unset() {
    let origin = Origin::counting().await;
    for (filter, told) in [("", false), ("nonsense", true), ("aside=loud", true), ("aside=info", false)] {
        let node = Process::with_filter(origin.address, "memory://", "", Some(filter)).await;
        let (log, warning) = (node.log(), format!("`{filter}` in ASIDE_LOG is neither a level"));
        assert_eq!(log.contains(&warning), told, "{log}");
        assert_eq!(log.contains("aside=info is used instead"), told, "{log}");
    }
}

#[test]
fn a_result_that_cannot_be_written_is_1_and_one_that_nobody_reads_is_none() {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/proxy.toml");
    for line in ["check -c", "check --json -c", "routes -c", "explain GET /a -c", "--help", "-V"] {
        let words = line.split(' ').chain(line.ends_with("-c").then_some(config));
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_aside"));
        command.args(words);
        let mut run = |stdout: Stdio| {
            let output = command.stdout(stdout).output().unwrap();
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        let (code, complaint) = run(std::fs::File::options().write(true).open("/dev/full").unwrap().into());
        assert_eq!(code, Some(1), "{line}: {complaint}");
        assert!(complaint.contains("standard output cannot be written"), "{complaint}");
        let (reader, gone) = std::io::pipe().unwrap();
        drop(reader);
        let (code, complaint) = run(gone.into());
        // As where `head` reads a line and goes: whether that is before the last one is chance, and no exit code may be.
        assert_eq!(code, Some(0), "{line}: {complaint}");
        assert!(!complaint.contains("error"), "{complaint}");
    }
}

/// What a person at a terminal sees of a command.
fn on_a_terminal(arguments: &str, no_color: Option<&str>) -> String {
    let command = format!("'{}' {arguments}", env!("CARGO_BIN_EXE_aside"));
    let mut terminal = std::process::Command::new("script");
    terminal.args(["-qec", &command, "/dev/null"]).stdin(Stdio::null()).env_remove("NO_COLOR");
    let output = terminal.envs(no_color.map(|value| ("NO_COLOR", value))).output().expect("`script` of util-linux");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn no_color_leaves_a_terminal_without_colours() {
    let (folder, taken) = (tempfile::tempdir().unwrap(), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let file = |name: &str, line: &str| {
        let path = folder.path().join(name);
        let origin = "origin = \"http://127.0.0.1:1\"\n";
        std::fs::write(&path, format!("{origin}{line}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let in_use = file("taken.toml", &format!("listen = \"{}\"", taken.local_addr().unwrap()));
    let bad = file("bad.toml", "listen = 1");
    for (command, said) in [(format!("serve -c {in_use}"), "ERROR"), (format!("check -c {bad}"), "listen = 1")] {
        for (no_color, coloured) in [(None, true), (Some(""), true), (Some("1"), false), (Some("0"), false)] {
            let seen = on_a_terminal(&command, no_color);
            assert!(seen.contains(said), "{seen}");
            assert_eq!(seen.contains('\u{1b}'), coloured, "{command}, NO_COLOR {no_color:?}: {seen}");
        }
    }
}

#[tokio::test]
async fn what_aside_answers_by_itself_has_its_cause_in_the_log() {
    let origin = Origin::counting().await;
    let limits = "[limits]\nrequest_body = \"10B\"\ntarget = \"1KiB\"\n";
    let node = Process::telling(origin.address, "memory://", limits).await;
    let client = node.client();
    let long = format!("/{}", "x".repeat(2000));
    for (method, target, fields, body, status, why) in [
        ("PUT", "/a", &[][..], "more than ten bytes", 413, "The request body is larger than 10 bytes."),
        ("GET", &long, &[], "", 414, "The request target is longer than 1024 bytes."),
        ("TRACE", "/a", &[], "", 405, "CONNECT and TRACE are not forwarded."),
        ("GET", "/a", &[("connection", "cookie")], "", 400, "Connection names a field that is not hop-by-hop."),
    ] {
        assert_eq!(client.send(method, target, fields, body).await.status, status, "{why}");
        node.says(why).await;
        let log = node.log();
        let line = log.lines().find(|line| line.contains(why)).unwrap();
        assert!(line.contains(&format!("  {status}  OWN ")) && line.contains("INFO"), "{line}");
    }
    assert_eq!(origin.count(), 0);
}

#[tokio::test]
async fn an_api_that_is_not_there_at_the_start_is_told_before_anybody_asks_and_so_is_its_coming() {
    let [(one, first), (other, second)] = [nobody(), nobody()];
    let table = format!("[origin]\nurl = [\"http://{one}\", \"http://{other}\"]\n");
    let node = Process::start(one, "memory://", &table).await;
    let told = |address| format!("the origin at {address} cannot be reached: ");
    for address in [one, other] {
        node.says(&told(address)).await;
    }
    assert!(node.log().contains("; is it running?"), "{}", node.log());
    // One comes before anybody asks: nothing was sent to it.
    let listener = first.listen(100).unwrap();
    node.says(&format!("the origin at {one} can be reached now; it could not be for ")).await;
    let (mut looked, _) = listener.accept().await.unwrap();
    let mut sent = Vec::new();
    looked.read_to_end(&mut sent).await.unwrap();
    assert!(sent.is_empty(), "{sent:?}");
    drop(listener);
    // Of the other one requests learn, which say no more until it answers.
    let _back = raw_at(second.listen(100).unwrap(), |_, mut stream| async move {
        say(&mut stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nback").await;
    });
    until("it answers", || async { node.client().get("/x").await.status == 200 }).await;
    node.says(&format!("the origin at {other} ")).await;
    until("its end is told, by whoever comes first", || async {
        let log = node.log();
        let ends =
            [format!("the origin at {other} can be reached now"), format!("the origin at {other} answers again")];
        ends.iter().map(|end| log.matches(end).count()).sum::<usize>() == 1
    })
    .await;
    assert_eq!(node.log().matches(&told(other)).count(), 1, "{}", node.log());
}

#[tokio::test]
async fn where_there_is_a_health_check_that_alone_looks() {
    let (nobody, _socket) = nobody();
    let health =
        format!("[origin]\nurl = \"http://{nobody}\"\n[origin.health]\npath = \"/up\"\ninterval = \"100ms\"\n");
    let node = Process::start(nobody, "memory://", &health).await;
    node.says("fails its health check").await;
    assert_eq!(node.log().matches("is it running?").count(), 1, "what the check has met: {}", node.log());
}

#[tokio::test]
async fn why_the_origin_gave_no_answer_is_for_the_log_and_not_for_the_client() {
    let (nobody, _socket) = nobody();
    let broken = raw(|_, stream| async move { drop(stream) }).await;
    for (origin, method, sentence, cause) in [
        (nobody, "GET", "The origin cannot be reached.", "Connection refused"),
        (
            broken,
            "PUT",
            "The origin broke the connection off, or did not answer in HTTP.",
            "the origin's answer broke off",
        ),
    ] {
        let node = Process::telling(origin, "memory://", "").await;
        let answer = node.client().send(method, "/a", &[], "").await;
        assert_eq!((answer.status, answer.json()["detail"].as_str().unwrap()), (502, sentence));
        // The cause may stand in a line before that, too.
        node.says("  502  ").await;
        let log = node.log();
        let line = log.lines().find(|line| line.contains("  502  ")).unwrap();
        assert!(line.contains(&format!(" WARN {method} /a")) && line.contains(cause), "{line}");
    }
}

#[tokio::test]
async fn stale_answers_that_stand_in_for_a_failing_origin_are_told_of_once_a_route() {
    let fails = Arc::new(AtomicBool::new(false));
    let failing = Arc::clone(&fails);
    let origin = Origin::start(move |_| {
        let status = if failing.load(Ordering::SeqCst) { 503 } else { 200 };
        async move { response(status, &[], "{}") }
    })
    .await;
    let routes = "[[route]]\npath = \"/a/{id}\"\nttl = \"1ms\"\n[[route]]\npath = \"/b/{id}\"\nttl = \"1ms\"\n";
    let node = Process::telling(origin.address, "memory://", routes).await;
    let client = node.client();
    let paths = ["/a/1", "/a/2", "/b/1"];
    for path in paths {
        assert_eq!(client.get(path).await.status, 200);
    }
    fails.store(true, Ordering::SeqCst);
    for path in paths.iter().cycle().take(9) {
        let is_stale = || async { client.get(path).await.cache() == "STALE" };
        until("a stale answer", is_stale).await;
    }
    for route in ["/a/{id}", "/b/{id}"] {
        let told = format!("the origin fails for {route}: stale stored answers");
        node.says(&told).await;
        assert_eq!(node.log().matches(&told).count(), 1, "{}", node.log());
    }
}

#[tokio::test]
async fn a_fetch_that_nobody_waits_for_is_told_of_by_itself() {
    let origin = Origin::start(|request| async move {
        let renewed = request.path() == "/swr";
        let fields = if renewed { "max-age=0, stale-while-revalidate=60" } else { "max-age=60" };
        response(200, &[("cache-control", fields)], "{}")
    })
    .await;
    let node = Process::with_filter(origin.address, "memory://", "", Some("aside=debug")).await;
    let client = node.client();
    assert_eq!(client.get("/swr").await.status, 200);
    assert!(!node.log().contains("in the background"), "{}", node.log());
    assert_eq!(client.get("/swr").await.cache(), "STALE");
    node.says("a stored answer was renewed in the background").await;
    let log = node.log();
    let line = log.lines().find(|line| line.contains("was renewed in the background")).unwrap();
    assert!(line.contains("DEBUG GET /swr") && line.contains("  200  RENEW"), "{line}");
}

#[tokio::test]
async fn no_character_of_a_request_misleads_whoever_reads_the_log() {
    let origin = Origin::counting().await;
    for format in ["text", "json"] {
        let node = Process::telling(origin.address, "memory://", &format!("[log]\nformat = \"{format}\"\n")).await;
        let mut paths = Vec::new();
        for (character, hexadecimal) in MISLEADING {
            let path = format!("/a{character}b");
            let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
            raw_client(node.address, head.as_bytes()).await;
            let shown = match format {
                "text" => format!("a\\u{{{hexadecimal}}}b"),
                _ => format!("a\\u{hexadecimal:0>4}b"),
            };
            node.says(&shown).await;
            paths.push(path);
        }
        let log = node.log();
        assert!(
            log.chars().all(|c| c == '\n' || (!c.is_control() && MISLEADING.iter().all(|(bad, _)| c != *bad))),
            "{log}"
        );
        if format == "json" {
            let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert!(paths.iter().all(|path| lines.iter().any(|line| line["path"] == path.as_str())), "{log}");
        }
    }
}

#[tokio::test]
async fn what_becomes_of_a_fetch_without_a_client_is_told_in_the_log_of_details() {
    let (gate, mut keeper) = Gate::new();
    let gate = Arc::new(gate);
    let origin = Origin::start(move |asked: Asked| {
        let gate = Arc::clone(&gate);
        async move {
            if asked.path() != "/slow" {
                return response(200, &[], "{}");
            }
            gate.pass().await;
            response(200, &[("cache-control", "max-age=60")], "{}")
        }
    })
    .await;
    let route = "[[route]]\npath = \"/stale/{id}\"\nttl = \"1ms\"\nstale_while_revalidate = \"1h\"\n";
    let node = Process::with_filter(origin.address, "memory://", route, Some("aside=debug")).await;
    let client = node.client();
    client.get("/stale/1").await;
    until("a stale answer", || async { client.get("/stale/1").await.cache() == "STALE" }).await;
    node.says("a stored answer was renewed in the background").await;
    let mut leaving = tokio::net::TcpStream::connect(node.address).await.unwrap();
    leaving.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    keeper.arrived().await;
    drop(leaving);
    node.says("the request ended before its answer").await;
    keeper.let_go(1);
    node.says("an answer was fetched that no client waited for").await;
    let log = node.log();
    for (words, path) in [("was renewed in the background", "/stale/1"), ("that no client waited for", "/slow")] {
        let line = log.lines().find(|line| line.contains(words)).unwrap();
        assert!(line.contains(&format!("DEBUG GET {path} ")) && line.contains("  200  "), "{line}");
        assert!(line.contains(": stored") && line.contains(" ms  "), "{line}");
    }
}

#[tokio::test]
async fn what_a_write_dropped_whose_client_has_left_is_in_the_log() {
    let (gate, mut keeper) = Gate::new();
    let gate = Arc::new(gate);
    let origin = Origin::start(move |_| {
        let gate = Arc::clone(&gate);
        async move {
            gate.pass().await;
            response(200, &[], "{}")
        }
    })
    .await;
    let node = Process::telling(origin.address, "memory://", &format!("{FRUIT}[log]\nsample = \"0%\"\n")).await;
    let mut leaving = tokio::net::TcpStream::connect(node.address).await.unwrap();
    leaving.write_all(b"PUT /fruit/1 HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    keeper.arrived().await;
    drop(leaving);
    node.says("the request ended before its answer").await;
    keeper.let_go(1);
    node.says("a write went on although its client had left").await;
    let log = node.log();
    let line = log.lines().find(|line| line.contains("although its client had left")).unwrap();
    assert!(line.contains("INFO PUT /fruit/1") && line.contains("dropped"), "{line}");
}

#[tokio::test]
async fn what_clients_bring_about_has_no_more_lines_than_the_sample_whatever_its_status() {
    let origin = Origin::counting().await;
    let node = Process::telling(origin.address, "memory://", "[log]\nsample = \"0%\"\n").await;
    let client = node.client();
    for _ in 0..5 {
        let coded =
            b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: foo, chunked\r\nconnection: close\r\n\r\n0\r\n\r\n";
        let refused = raw_client(node.address, coded).await;
        assert!(refused.starts_with("HTTP/1.1 501"), "{refused}");
        assert_eq!(client.get_with("/a", &[("cache-control", "only-if-cached")]).await.status, 504);
        assert_eq!(client.get_with("/a", &[("connection", "cookie")]).await.status, 400);
    }
    // A write has its line, and comes last.
    assert_eq!(client.put("/a", "{}").await.status, 200);
    node.says("PUT /a").await;
    let log = node.log();
    // With blanks, for a time has many digits.
    assert!(!log.contains("WARN") && !log.contains(" 504 ") && !log.contains(" 501 "), "{log}");
}

const FRUIT: &str = "[[route]]\npath = \"/fruit/{id}\"\nkey = \"fruit:{id}\"\nttl = \"1h\"\n";

async fn with_redis(config: &str) -> (RedisServer, Process) {
    let (redis, origin) = (RedisServer::start(), Origin::counting().await);
    let node = Process::telling(origin.address, &redis.url(), config).await;
    connected(&node.client()).await;
    (redis, node)
}

const PENDING: &str = "the store did not confirm an invalidation";
const MADE: &str = "confirms invalidations again and has all that were pending";

#[tokio::test]
async fn pending_invalidations_are_told_of_when_the_first_is_and_when_all_are_made() {
    let (mut redis, node) = with_redis(FRUIT).await;
    redis.kill();
    for _ in 0..30 {
        assert_eq!(node.client().put("/fruit/1", "{}").await.status, 200);
        assert_eq!(node.client().get("/fruit/1").await.status, 200);
    }
    node.says(PENDING).await;
    assert!(!node.log().contains(MADE));
    redis.restart();
    node.says(MADE).await;
    let log = node.log();
    for once in [PENDING, MADE, "it did not confirm one 30 times", "cannot be used", "is in use again;"] {
        assert_eq!(log.matches(once).count(), 1, "{once}: {log}");
    }
    let (_, without) = log.split_once("requests went without it ").unwrap();
    assert!(without.split(' ').next().unwrap().parse::<u32>().unwrap() >= 30, "{log}");
}

#[tokio::test]
async fn a_core_that_has_no_session_is_told_of_once_however_much_is_written() {
    let (redis, origin) = (RedisServer::start_with(&["--maxclients", "1"]), Origin::counting().await);
    let node = Process::telling(origin.address, &redis.url(), &format!("{FRUIT}[limits]\ncores = 2\n")).await;
    node.says("max number of clients").await;
    // A connection each, so that both cores have some.
    let write = || async { node.client().put("/fruit/1", "{}").await.status };
    until("the core without a session has written", || async { write().await == 200 && node.log().contains(PENDING) })
        .await;
    for _ in 0..50 {
        assert_eq!(write().await, 200);
    }
    let log = node.log();
    let told = [PENDING, MADE, "cannot be used"].map(|line| log.matches(line).count());
    assert_eq!(told, [1, 0, 1], "{log}");
}

#[tokio::test]
async fn a_redis_without_room_is_told_of_once() {
    let (redis, node) = with_redis(FRUIT).await;
    let client = node.client();
    assert_eq!(client.get("/fruit/0").await.status, 200);
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]);
    for n in 1..10 {
        let answer = client.get(&format!("/fruit/{n}")).await;
        assert!(answer.cache_status().contains("detail=store-full"), "{}", answer.cache_status());
    }
    node.says("is full (maxmemory)").await;
    assert_eq!(node.log().matches("is full (maxmemory)").count(), 1, "{}", node.log());
}
