//! `aside explain --live` on a real Redis: what it says must be what the running proxy then does.

#![allow(unreachable_pub, reason = "nobody uses a test crate, and its parts use each other")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; the lints spare only what is inside of test functions"
)]

mod cases;
mod stores;

#[path = "../support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::NamedTempFile;

use support::client::Answer;

/// A `proxy.toml` for the command, with the listener that a running node has.
fn file(listen: SocketAddr, store: &str, rest: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    // The command asks no origin, so this one is nobody's.
    let head = format!("listen = \"{listen}\"\norigin = \"http://127.0.0.1:1\"\n");
    std::fs::write(file.path(), format!("{head}{rest}\n{}", support::node::patient(store))).unwrap();
    file
}

/// Runs `aside explain --live METHOD TARGET` with more arguments.
fn explain(file: &NamedTempFile, method: &str, target: &str, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aside"));
    command.args(["explain", "--live", "--config"]).arg(file.path()).args([method, target]).args(more);
    command.output().unwrap()
}

/// What it prints for programs about the store.
fn live(file: &NamedTempFile, method: &str, target: &str, fields: &[(&str, &str)]) -> Value {
    let lines: Vec<String> = fields.iter().map(|(name, value)| format!("-H{name}: {value}")).collect();
    let more: Vec<&str> = lines.iter().map(String::as_str).chain(["--json"]).collect();
    let output = explain(file, method, target, &more);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    all["live"].clone()
}

/// A parameter of Cache-Status.
fn parameter<'a>(cache_status: &'a str, name: &str) -> Option<&'a str> {
    cache_status.split("; ").find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

/// Holds a verdict against the answer that the running proxy then gave.
fn assert_agrees(what: &str, verdict: &Value, answer: &Answer) {
    let (told, done) = (verdict["cache_status"].as_str().unwrap(), answer.cache_status());
    assert_eq!(told.contains("; hit"), done.contains("; hit"), "{what}: {told}, then {done}");
    for name in ["fwd", "detail"] {
        assert_eq!(parameter(told, name), parameter(done, name), "{what}: {told}, then {done}");
    }
    if let Some(status) = verdict["status"].as_u64() {
        assert_eq!(status, u64::from(answer.status), "{what}");
    }
    if told.contains("; hit") {
        let ttl = |text| parameter(text, "ttl").unwrap().parse::<i64>().unwrap();
        // The node's clock stands still and the command's does not, so it may see an entry later and never earlier.
        assert!(ttl(told) <= ttl(done) && ttl(told).signum() == ttl(done).signum(), "{what}: {told}, then {done}");
    }
}
