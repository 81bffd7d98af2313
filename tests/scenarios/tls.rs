//! TLS towards clients: the certificate, its renewal, and what else may come to its port.

use std::fs;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::client::raw as plain;
use super::support::node::{Node, Process};
use super::support::origin::{Origin, json, response};
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

/// What an app that insists on https answers, told the scheme.
async fn insisting() -> Origin {
    Origin::start(|asked| async move {
        match asked.field("x-forwarded-proto") {
            Some("https") => response(200, &[("cache-control", "max-age=60")], "welcome"),
            _ => response(301, &[("cache-control", "max-age=60"), ("location", "https://a/x")], ""),
        }
    })
    .await
}

#[tokio::test]
async fn an_app_that_insists_on_https_is_told_where_tls_ended_before_the_proxy() {
    const TLS: [u8; 8] = [0x20, 0, 5, 1, 0, 0, 0, 0];
    const PLAIN: [u8; 8] = [0x20, 0, 5, 0, 0, 0, 0, 0];
    let origin = insisting().await;
    let binary = |extra: &[u8]| {
        let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0".to_vec();
        header.push(u8::try_from(12 + extra.len()).unwrap());
        header.extend([192, 0, 2, 7, 127, 0, 0, 1, 0, 9, 0, 80]);
        header.extend(extra);
        header
    };
    let line = b"PROXY TCP4 192.0.2.7 127.0.0.1 9 443\r\n".to_vec();
    let unspecified = b"\r\n\r\n\0\r\nQUIT\n\x21\x00\0\0".to_vec();
    let (balanced, secure) = ("proxy_protocol = true\n", "secure = true\n");
    let trusted = "trusted_proxies = [\"127.0.0.1\"]\n";
    for path in ["/routed", "/unrouted"] {
        for (clients, before, fields, welcome) in [
            (balanced.to_owned(), binary(&TLS), "", true),
            (balanced.to_owned(), binary(&PLAIN), "", false),
            (balanced.to_owned(), binary(&[]), "", false),
            (balanced.to_owned(), line.clone(), "", false),
            (balanced.to_owned() + secure, line.clone(), "", true),
            (balanced.to_owned() + secure, binary(&PLAIN), "", true),
            (balanced.to_owned() + secure, unspecified.clone(), "", true),
            (secure.to_owned(), Vec::new(), "", true),
            (secure.to_owned(), Vec::new(), "X-Forwarded-Proto: http\r\n", true),
            (secure.to_owned() + trusted, Vec::new(), "X-Forwarded-Proto: http\r\n", false),
            (secure.to_owned() + trusted, Vec::new(), "X-Forwarded-For: 192.0.2.7\r\n", true),
            (trusted.to_owned(), Vec::new(), "Forwarded: for=192.0.2.7;proto=https\r\n", true),
            (String::new(), Vec::new(), "", false),
        ] {
            let node = Node::start(
                origin.address,
                &format!(
                    "[clients]\n{clients}[[route]]\npath = \"/routed\"\nttl = \"1h\"\nstatuses = {{ 200 = \"ttl\", 301 = \"ttl\" }}\n"
                ),
            );
            let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}Connection: close\r\n\r\n");
            let request = [before, head.into_bytes()].concat();
            for cache in ["x-cache: MISS", "x-cache: HIT"] {
                let answer = plain(node.address, &request).await;
                assert_eq!(answer.starts_with("HTTP/1.1 200"), welcome, "{clients} {fields} {answer}");
                assert!(answer.contains(cache), "{clients} {fields} {answer}");
            }
        }
    }
}
