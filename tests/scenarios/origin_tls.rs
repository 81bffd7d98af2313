//! An origin behind TLS: whom the node believes, and what it says when it does not.

use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::https::{self, Authority, Issued};
use super::support::node::{Node, Process};
use super::support::origin::{self, Origin};

/// Answers one request a connection with the Host it saw.
async fn answering(shown: &Issued, clients: Option<&Authority>) -> std::net::SocketAddr {
    https::origin(shown, clients, |mut stream| async move {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            head.push(byte);
        }
        let text = String::from_utf8(head).unwrap();
        let host = text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
        let answer = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{host}", host.len());
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    })
    .await
}

struct Files(tempfile::TempDir);

impl Files {
    fn with(ca: &Authority) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write("ca.pem", &ca.certificate());
        files
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        Path::new(self.0.path()).join(name)
    }

    /// A node whose `[origin.tls]` is this, with `FOLDER` for where the files are.
    fn node(&self, origin: std::net::SocketAddr, tls: &str) -> Node {
        Node::start(origin, &self.config(origin, tls))
    }

    fn config(&self, origin: std::net::SocketAddr, tls: &str) -> String {
        let tls = tls.replace("FOLDER", &self.0.path().display().to_string());
        format!("[origin]\nurl = \"https://{origin}\"\nconnect_timeout = \"2s\"\n{tls}\n")
    }

    /// Asks once in vain; the log says why, and the client is not told.
    async fn fails(&self, origin: std::net::SocketAddr, tls: &str, why: &str) {
        let process = Process::telling(origin, "memory://", &self.config(origin, tls)).await;
        let answer = process.client().get("/x").await;
        assert_eq!((answer.status, answer.json()["detail"].as_str().unwrap()), (502, "The origin cannot be reached."));
        assert!(answer.cache_status().contains("detail=origin-down"), "{}", answer.cache_status());
        process.says("  502  ").await;
        let log = process.log();
        let line = log.lines().find(|line| line.contains("  502  ")).unwrap();
        assert!(line.contains(" WARN GET /x ") && line.contains(why), "{why}: {line}");
    }
}

const CA: &str = "[origin.tls]\nca = \"FOLDER/ca.pem\"";

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_with_a_good_certificate_is_reached() {
    let authority = Authority::new();
    let origin = answering(&authority.issue("127.0.0.1"), None).await;
    let node = Files::with(&authority).node(origin, CA);
    for method in ["GET", "PUT", "GET"] {
        let answer = node.client().send(method, "/x", &[], "").await;
        assert_eq!((answer.status, answer.text()), (200, node.address.to_string().as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_to_be_believed_is_a_502_and_the_log_says_why() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for (shown, why) in [
        (authority.issue("other.test"), "for another name"),
        (authority.issue("127.0.0.2"), "for another name"),
        (authority.issue_expired("127.0.0.1"), "has expired"),
        (stranger.issue("127.0.0.1"), "unknown issuer"),
    ] {
        let origin = answering(&shown, None).await;
        Files::with(&authority).fails(origin, CA, why).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_ca_only_those_are_believed_whom_the_machine_trusts() {
    let authority = Authority::new();
    let origin = answering(&authority.issue("127.0.0.1"), None).await;
    Files::with(&authority).fails(origin, "", "unknown issuer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_to_verify_can_be_another_than_the_urls() {
    let authority = Authority::new();
    let origin = answering(&authority.issue("api.test"), None).await;
    let files = Files::with(&authority);
    assert_eq!(files.node(origin, CA).client().get("/x").await.status, 502);
    assert_eq!(files.node(origin, &format!("{CA}\nname = \"api.test\"")).client().get("/x").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_asks_for_a_certificate_is_shown_one() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let origin = answering(&authority.issue("127.0.0.1"), Some(&clients)).await;
    let files = Files::with(&authority);
    let own = clients.issue("aside.test");
    files.write("cert.pem", &own.certificate);
    files.write("key.pem", &own.key);
    assert_eq!(files.node(origin, CA).client().get("/x").await.status, 502);
    let shown = format!("{CA}\ncert = \"FOLDER/cert.pem\"\nkey = \"FOLDER/key.pem\"");
    assert_eq!(files.node(origin, &shown).client().get("/x").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_it_believes_anybody() {
    let stranger = Authority::new();
    let origin = answering(&stranger.issue_expired("other.test"), None).await;
    let node = Files::with(&Authority::new()).node(origin, "[origin.tls]\nverify = false");
    assert_eq!(node.client().get("/x").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_speaks_no_tls_is_a_502() {
    let plain = Origin::counting().await;
    let files = Files::with(&Authority::new());
    let answer = files.node(plain.address, CA).client().get("/x").await;
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("cannot be reached"), "{}", answer.text());
    assert_eq!(plain.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_without_end_is_a_502_within_the_time_to_connect() {
    let silent = origin::raw(|_, _| std::future::ready(())).await;
    let files = Files::with(&Authority::new());
    files.fails(silent, CA, "no connection within 2s").await;
}
