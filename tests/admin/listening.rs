//! Where it listens, and for whom.

use std::os::unix::fs::MetadataExt as _;

use crate::support::node::Process;
use crate::support::origin::Origin;
use crate::support::redis::free_port;
use crate::{ROUTES, get, over_tcp, over_unix, request};

#[tokio::test]
async fn by_default_there_is_a_socket_of_this_users_own_until_the_end() {
    let origin = Origin::counting().await;
    let mut process = Process::start(origin.address, "memory://", ROUTES).await;
    let socket = process.admin_socket();
    assert_eq!(std::fs::symlink_metadata(&socket).unwrap().mode() & 0o777, 0o600);
    process.says(&format!("admin listener on unix:{}", socket.display())).await;
    let answer = over_unix(&socket, &get("/livez"));
    assert_eq!((answer.status, answer.json()["live"].as_bool()), (200, Some(true)));
    assert_eq!(process.stop().await, Some(0));
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_default_socket_that_cannot_be_opened_is_a_warning_and_one_that_was_asked_for_is_the_end() {
    let origin = Origin::counting().await;
    let process = Process::start(origin.address, "memory://", "[admin]\nlisten = \"unix:admin.sock\"\n").await;
    let socket = process.folder().join("admin.sock");
    assert_eq!(over_unix(&socket, &get("/readyz")).status, 200);
    let taken = format!(
        "origin = \"http://127.0.0.1:1\"\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"unix:{}\"\n",
        socket.display()
    );
    let file = process.folder().join("second.toml");
    std::fs::write(&file, taken).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_aside"));
    let output = command.arg("serve").arg("--config").arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("another process listens there already; stop what listens there"), "{said}");
    assert_eq!(over_unix(&socket, &get("/readyz")).status, 200);

    let port = free_port();
    let mut started = Process::prepared(origin.address, port, |folder| {
        std::fs::write(folder.join(format!("aside-{port}.sock")), "somebody's notes").unwrap();
    })
    .await;
    assert_eq!(started.client().get("/fruit/1").await.status, 200);
    assert!(started.log().contains("there is no admin listener"), "{}", started.log());
    assert!(std::fs::read_to_string(started.admin_socket()).unwrap().contains("notes"));
    assert_eq!(started.stop().await, Some(0));
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let origin = Origin::counting().await;
    let process = Process::start(origin.address, "memory://", "[admin]\nlisten = \"off\"\n").await;
    assert!(!process.admin_socket().exists());
    assert!(!process.log().contains("admin listener"));
}

#[tokio::test]
async fn by_tcp_the_host_is_looked_at_and_the_token_asked_for() {
    let origin = Origin::counting().await;
    let address = format!("127.0.0.1:{}", free_port());
    let table = format!("[admin]\nlisten = \"{address}\"\ntoken = \"sesame-open-sesame\"\n");
    let process = Process::start(origin.address, "memory://", &table).await;
    assert!(!process.admin_socket().exists());
    let asked = |target: &str, fields: &[&str]| over_tcp(address.parse().unwrap(), &request("GET", target, fields, ""));
    let host = format!("host: {address}");
    let right = "authorization: Bearer sesame-open-sesame";
    assert_eq!(asked("/status", &[&host, right]).status, 200);
    assert_eq!(asked("/livez", &[&host]).status, 200);
    assert_eq!(asked("/readyz", &["host: localhost"]).status, 200);
    assert_eq!(asked("/livez", &["host: evil.example"]).status, 403);
    let refused = asked("/status", &[&host]);
    assert_eq!(refused.status, 401);
    assert!(refused.head.to_lowercase().contains("www-authenticate: bearer"));
    assert!(refused.error(Some("authorization")).contains("the token of [admin]"));
    assert_eq!(asked("/status", &[&host, "authorization: Bearer sesame"]).status, 401);
    assert!(asked("/status", &["host: evil.example"]).error(Some("host")).contains("not known by the host"));
    assert_eq!(asked("/status", &[]).status, 400);
    assert!(!process.log().contains("sesame"));
}
