//! Requests: a table a topic, and the one way all of them are tried.

mod chunks;
mod codings;
mod fields;
mod fragments;
mod hosts;
mod lengths;
mod limits;
mod lines;
mod targets;

use super::client::{Connection, Reply};
use super::origin::{Log, Seen, strict};
use super::support::node::Node;

/// A request and what is to become of it.
pub struct Case {
    name: String,
    bytes: Vec<u8>,
    fate: Fate,
}

enum Fate {
    /// Answered here with this status, or closed without a word where it is none; the connection is closed, and
    /// nothing reaches the origin.
    Refused(u16),
    /// Answered here with this status; the connection goes on, and nothing reaches the origin.
    Answered(u16),
    /// The client stops in the middle: nothing reaches the origin, whatever the client is told.
    Cut,
    /// One clean request reaches the origin.
    Passes(Passes),
}

struct Passes {
    line: String,
    body: Vec<u8>,
    with: Vec<(&'static str, String)>,
    without: Vec<&'static str>,
    /// Whether the connection is closed after it.
    closes: bool,
}

/// A case that is refused.
pub fn refused(name: &str, status: u16, bytes: impl AsRef<[u8]>) -> Case {
    Case { name: name.to_owned(), bytes: bytes.as_ref().to_vec(), fate: Fate::Refused(status) }
}

/// A case that is answered without the origin, on a connection that stays.
pub fn answered(name: &str, status: u16, bytes: impl AsRef<[u8]>) -> Case {
    Case { name: name.to_owned(), bytes: bytes.as_ref().to_vec(), fate: Fate::Answered(status) }
}

/// A case in which the client leaves too early.
pub fn cut(name: &str, bytes: impl AsRef<[u8]>) -> Case {
    Case { name: name.to_owned(), bytes: bytes.as_ref().to_vec(), fate: Fate::Cut }
}

/// A case that reaches the origin with this method and target, and no body.
pub fn passes(name: &str, line: &str, bytes: impl AsRef<[u8]>) -> Case {
    let passes =
        Passes { line: line.to_owned(), body: Vec::new(), with: Vec::new(), without: Vec::new(), closes: false };
    Case { name: name.to_owned(), bytes: bytes.as_ref().to_vec(), fate: Fate::Passes(passes) }
}

impl Case {
    fn passing(mut self, change: impl FnOnce(&mut Passes)) -> Self {
        match &mut self.fate {
            Fate::Passes(passes) => change(passes),
            _ => panic!("{} does not pass", self.name),
        }
        self
    }

    pub fn body(self, body: impl AsRef<[u8]>) -> Self {
        self.passing(|passes| passes.body = body.as_ref().to_vec())
    }

    /// With this field once, of this value.
    pub fn with(self, name: &'static str, value: &str) -> Self {
        self.passing(|passes| passes.with.push((name, value.to_owned())))
    }

    pub fn without(self, name: &'static str) -> Self {
        self.passing(|passes| passes.without.push(name))
    }

    /// And the connection is closed after it.
    pub fn closes(self) -> Self {
        self.passing(|passes| passes.closes = true)
    }
}

/// A GET of `/x` with more fields, each line ended.
pub fn get(fields: &str) -> String {
    format!("GET /x HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

/// A POST to `/x` with more fields, each line ended, and a body.
pub fn post(fields: &str, body: &str) -> String {
    format!("POST /x HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}")
}

/// The request that follows every other at once, as an attacker would have it.
const NEXT: &[u8] = b"GET /next HTTP/1.1\r\nHost: next.example\r\nConnection: close\r\n\r\n";

/// Tries a case on a connection of its own; what went wrong, if anything did.
async fn try_case(node: &Node, log: &Log, case: &Case) -> Result<(), String> {
    log.lock().unwrap().clear();
    let mut connection = Connection::open(node.address).await;
    let cut = matches!(case.fate, Fate::Cut);
    connection.send(&if cut { case.bytes.clone() } else { [&case.bytes, NEXT].concat() }).await;
    if cut {
        connection.finish().await;
    }
    let replies = connection.replies(case.bytes.starts_with(b"HEAD ")).await;
    let seen: Result<Vec<Seen>, String> = log.lock().unwrap().drain(..).collect();
    let seen = seen.map_err(|complaint| format!("reached the origin as {complaint}"))?;
    let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    let lines: Vec<&str> = seen.iter().map(Seen::line).collect();
    let (expected_statuses, expected_lines) = match &case.fate {
        Fate::Refused(0) => (vec![], vec![]),
        Fate::Refused(status) => (vec![*status], vec![]),
        Fate::Answered(status) => (vec![*status, 200], vec!["GET /next"]),
        Fate::Cut => (statuses.iter().copied().filter(|status| *status == 400).collect(), vec![]),
        Fate::Passes(passes) if passes.closes => (vec![200], vec![passes.line.as_str()]),
        Fate::Passes(passes) => (vec![200, 200], vec![passes.line.as_str(), "GET /next"]),
    };
    if (&statuses, &lines) != (&expected_statuses, &expected_lines) {
        return Err(format!("answered {statuses:?} instead of {expected_statuses:?}, reached the origin as {lines:?}"));
    }
    if let Fate::Passes(passes) = &case.fate {
        check_passed(passes, &seen[0])?;
    }
    check_bodies(&replies, &seen)
}

fn check_passed(passes: &Passes, seen: &Seen) -> Result<(), String> {
    if seen.body != passes.body {
        return Err(format!("the origin got {} bytes: {:?}", seen.body.len(), String::from_utf8_lossy(&seen.body)));
    }
    for (name, value) in &passes.with {
        if seen.field(name) != [value.as_str()] {
            return Err(format!("{name} is {:?} instead of {value:?}", seen.field(name)));
        }
    }
    match passes.without.iter().find(|name| !seen.field(name).is_empty()) {
        Some(name) => Err(format!("the origin got {name}")),
        None => Ok(()),
    }
}

/// Each answer that comes from the origin is the one to its own request.
fn check_bodies(replies: &[Reply], seen: &[Seen]) -> Result<(), String> {
    let answers = replies.iter().filter(|reply| reply.status == 200 && reply.field("cache-status") != ["aside"]);
    for (reply, seen) in answers.zip(seen) {
        let target: Vec<u8> = seen.line().split(' ').nth(1).unwrap().chars().map(|c| c as u8).collect();
        if reply.body != target && !seen.line().starts_with("HEAD ") {
            return Err(format!("{} was answered with {:?}", seen.line(), String::from_utf8_lossy(&reply.body)));
        }
    }
    Ok(())
}

fn topics() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("request lines", lines::cases()),
        ("targets", targets::cases()),
        ("fragments", fragments::cases()),
        ("hosts", hosts::cases()),
        ("content-length", lengths::cases()),
        ("transfer-encoding", codings::cases()),
        ("chunks", chunks::cases()),
        ("fields", fields::cases()),
        ("limits", limits::cases()),
    ]
}

#[tokio::test]
async fn no_request_that_can_be_read_in_two_ways_gets_through() {
    let (address, log) = strict().await;
    let node = Node::start(address, limits::CONFIG);
    let (mut failures, mut all, mut refused) = (Vec::new(), 0, 0);
    for (topic, cases) in topics() {
        let refusals = cases.iter().filter(|case| !matches!(case.fate, Fate::Passes(_))).count();
        let before = failures.len();
        for case in &cases {
            if let Err(why) = try_case(&node, &log, case).await {
                failures.push(format!("{topic}: {}: {why}", case.name));
            }
        }
        println!(
            "{topic:18} {:4} requests, {refusals:4} to be refused, {:4} wrong",
            cases.len(),
            failures.len() - before
        );
        (all, refused) = (all + cases.len(), refused + refusals);
    }
    println!("{all} requests in all: {refused} to be refused, {} to pass clean", all - refused);
    assert!(failures.is_empty(), "{} of {all}:\n{}", failures.len(), failures.join("\n"));
    assert!(all >= 150 && refused >= 100, "the tables have shrunk");
}

#[tokio::test]
async fn a_request_reaches_the_origin_byte_for_byte_but_for_the_forwarding_fields() {
    let (address, log) = strict().await;
    let node = Node::start(address, "");
    let mut connection = Connection::open(node.address).await;
    let request = "POST /a/%2e?b=%00&&c HTTP/1.1\r\nHost: a.example\r\nX-One: 1\r\nX-Two: \"\t\"\r\nX-One: 2\r\nContent-Length: 4\r\n\r\n\0\r\n\u{ff}";
    let bytes: Vec<u8> = request.chars().map(|c| c as u8).collect();
    connection.send(&bytes).await;
    assert_eq!(connection.reply(false).await.unwrap().status, 200);
    let seen = log.lock().unwrap().remove(0).unwrap();
    let mut lines: Vec<&str> = seen.head.split("\r\n").collect();
    lines[1..].sort_unstable();
    let mut expected = vec![
        "POST /a/%2e?b=%00&&c HTTP/1.1",
        "",
        "",
        "content-length: 4",
        "host: a.example",
        "via: 1.1 aside",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: a.example",
        "x-forwarded-proto: http",
        "x-one: 1",
        "x-one: 2",
        "x-two: \"\t\"",
    ];
    expected[1..].sort_unstable();
    assert_eq!(lines, expected);
    assert_eq!(seen.body, b"\0\r\n\xff");
}
