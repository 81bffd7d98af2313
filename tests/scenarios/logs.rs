//! The log: never in a request's way, complete at the end, and telling what a person has to know.

use std::io::Read as _;
use std::process::Stdio;

use super::support::node::Process;
use super::support::origin::Origin;

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
    assert_eq!(log.matches(" method=\"GET\"").count(), REQUESTS, "{log}");
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
