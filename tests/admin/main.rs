//! The admin listener of a real process: what it answers, whom it refuses, and the commands that ask it.

#![allow(unreachable_pub, reason = "nobody uses a test crate, and its parts use each other")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod asked;
mod attacked;
mod commands;
mod documented;
mod listening;
mod shared;
mod stopping;

#[path = "../support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// A route, and no line a request.
const ROUTES: &str = "[[route]]\npath = \"/fruit/{id}\"\nkey = \"fruit:{id}\"\nttl = \"10m\"\n";

/// What came back: the status, the head, and the body.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}\n{}", self.head, self.body))
    }

    /// The sentence of an error, which names this field.
    fn error(&self, field: Option<&str>) -> String {
        let json = self.json();
        assert_eq!(json["field"].as_str(), field, "{json}");
        json["error"].as_str().unwrap().to_owned()
    }
}

/// Sends a request as it is written here, and reads until the connection ends.
fn exchanged(mut stream: impl Read + Write, request: &str) -> Answer {
    let _ = stream.write_all(request.as_bytes());
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// Asks over a unix socket.
fn over_unix(path: &Path, request: &str) -> Answer {
    let stream = UnixStream::connect(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    exchanged(stream, request)
}

/// Asks by TCP.
fn over_tcp(address: SocketAddr, request: &str) -> Answer {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    exchanged(stream, request)
}

/// A request with more fields and a body.
fn request(method: &str, target: &str, fields: &[&str], body: &str) -> String {
    let length = body.len();
    let fields: String = fields.iter().flat_map(|field| [*field, "\r\n"]).collect();
    format!("{method} {target} HTTP/1.1\r\nconnection: close\r\ncontent-length: {length}\r\n{fields}\r\n{body}")
}

fn get(target: &str) -> String {
    request("GET", target, &["host: localhost"], "")
}

/// Sends JSON.
fn post(target: &str, body: &Value) -> String {
    request("POST", target, &["host: localhost", "content-type: application/json"], &body.to_string())
}
