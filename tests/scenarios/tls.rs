//! TLS towards clients: the certificate, its renewal, and what else may come to its port.

use std::fs;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::client::raw as plain;
use super::support::node::{Node, Process};
use super::support::origin::{Origin, json};
use super::support::tls::{Certificate, H2, connect, raw};
use super::support::until;

const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_client_over_tls_is_answered_and_the_origin_hears_https() {
    let origin = Origin::counting().await;
    let certificate = Certificate::new();
    let node = Node::start(origin.address, &certificate.table());
    let stream = connect(node.address, &certificate.der, &["http/1.1"]).await.unwrap();
    let answer = raw(stream, GET).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(origin.asked()[0].field("x-forwarded-proto"), Some("https"));
    assert_eq!(origin.asked()[0].field("via"), Some("1.1 aside"));
}

#[tokio::test]
async fn what_is_no_tls_costs_its_own_connection_only() {
    let origin = Origin::counting().await;
    let certificate = Certificate::new();
    let node = Node::start(origin.address, &format!("{}[limits]\nheader_timeout = \"2s\"\n", certificate.table()));
    let told = plain(node.address, GET).await;
    assert!(told.starts_with("HTTP/1.1 400 ") && told.ends_with("ask it by https, please"), "{told}");
    let mut silent = TcpStream::connect(node.address).await.unwrap();
    assert_eq!(silent.read(&mut [0; 10]).await.unwrap(), 0, "a handshake that does not begin is given up");
    let mut slow = TcpStream::connect(node.address).await.unwrap();
    slow.write_all(&[22, 3, 1, 0, 200]).await.unwrap();
    assert_eq!(slow.read(&mut [0; 10]).await.unwrap_or(0), 0, "a handshake that does not end is given up");
    let stranger = Certificate::new();
    assert!(connect(node.address, &stranger.der, &[]).await.is_err());
    let stream = connect(node.address, &certificate.der, &[]).await.unwrap();
    assert!(raw(stream, GET).await.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_and_a_bad_one_is_not() {
    let origin = Origin::counting().await;
    let certificate = Certificate::new();
    let node = Node::start(origin.address, &certificate.table());
    let mut old = connect(node.address, &certificate.der, &[]).await.unwrap();
    let second = certificate.replace();
    until("the new certificate is served", || async { connect(node.address, &second, &[]).await.is_ok() }).await;
    assert!(connect(node.address, &certificate.der, &[]).await.is_err());
    old.write_all(GET).await.unwrap();
    let mut answer = Vec::new();
    old.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"), "a connection lives on with the certificate it began with");

    let file = certificate.folder.path().join("cert.pem");
    let good = fs::read(&file).unwrap();
    fs::write(&file, "-----BEGIN CERTIFICATE-----\nnonsense\n").unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert!(connect(node.address, &second, &[]).await.is_ok(), "the old one stays in use");
    fs::remove_file(&file).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert!(connect(node.address, &second, &[]).await.is_ok(), "the old one stays in use");
    fs::write(&file, good).unwrap();
    let third = certificate.replace();
    until("the third certificate is served", || async { connect(node.address, &third, &[]).await.is_ok() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_over_tls_is_answered_before_the_server_stops() {
    let (origin, mut keeper) = Origin::gated(|| json("{}")).await;
    let certificate = Certificate::new();
    let mut node = Node::start(origin.address, &certificate.table());
    let one = connect(node.address, &certificate.der, &["http/1.1"]).await.unwrap();
    let one = tokio::spawn(raw(one, b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let two = connect(node.address, &certificate.der, &["h2"]).await.unwrap();
    let (client, ended) = H2::on(two).await;
    let two = tokio::spawn(async move { client.get("https://localhost/y").await });
    keeper.arrived().await;
    keeper.arrived().await;
    let stopping = node.stop();
    keeper.let_go(2);
    assert!(one.await.unwrap().starts_with("HTTP/1.1 200 OK"));
    assert_eq!(two.await.unwrap().status, 200);
    ended.await.unwrap().unwrap();
    tokio::task::spawn_blocking(|| stopping.join().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_hangup_reads_the_certificate_again_and_ends_nothing() {
    let origin = Origin::counting().await;
    let certificate = Certificate::new();
    for (table, said) in [(certificate.table(), "was read again"), (String::new(), "SIGHUP: ")] {
        let process = Process::start(origin.address, "memory://", &table).await;
        process.hang_up();
        process.says(said).await;
        assert!(TcpStream::connect(process.address).await.is_ok());
    }
}
