//! What the admin listener does while its process stops, and reads its file again.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::json;

use crate::support::node::Process;
use crate::support::origin::{Origin, json as in_json};
use crate::support::redis::free_port;
use crate::support::until;
use crate::{Answer, ROUTES, get, over_tcp, over_unix, post};

/// Asks by the address, else at the socket.
fn ask(place: Result<SocketAddr, &Path>, request: &str) -> Answer {
    match place {
        Ok(address) => over_tcp(address, request),
        Err(socket) => over_unix(socket, request),
    }
}

/// The two kinds of places, with the lines that configure them.
fn tables(folder: &Path) -> [(String, Option<SocketAddr>); 2] {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let socket = folder.join("a.sock");
    [
        (format!("[admin]\nlisten = \"unix:{}\"\n", socket.display()), None),
        (format!("[admin]\nlisten = \"{address}\"\n"), Some(address)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn until_the_last_request_has_ended_it_says_that_it_stops_and_then_a_successor_answers() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("a.sock");
    for (table, address) in tables(folder.path()) {
        let place = address.ok_or(&*socket);
        let (origin, mut keeper) = Origin::gated(|| in_json("{}")).await;
        let mut process = Process::start(origin.address, "memory://", &format!("{ROUTES}{table}")).await;
        let client = process.client();
        assert_eq!(ask(place, &get("/readyz")).status, 200);
        let asking = tokio::spawn(async move { client.get("/x").await });
        keeper.arrived().await;
        process.signal(Signal::TERM);
        process.says("SIGTERM: ").await;
        until("it is not ready any more", || async { ask(place, &get("/readyz")).status == 503 }).await;
        assert!(ask(place, &get("/readyz")).json()["error"].as_str().unwrap().contains("told to stop"));
        assert_eq!(ask(place, &get("/livez")).status, 200);
        assert_eq!(ask(place, &get("/status")).json()["ready"], false);
        // Whoever takes its place serves clients at once, and is asked as soon as the place is free.
        let mut successor = Process::start(origin.address, "memory://", &format!("{ROUTES}{table}")).await;
        let client = successor.client();
        let served = tokio::spawn(async move { client.get("/y").await });
        keeper.arrived().await;
        keeper.let_go(2);
        assert_eq!((asking.await.unwrap().status, served.await.unwrap().status), (200, 200));
        assert_eq!(process.ended().await, Some(0));
        successor.says("admin listener on ").await;
        let status = ask(place, &get("/status")).json();
        assert_eq!(
            (&status["ready"], &status["listen"][0]),
            (&true.into(), &format!("http://{}", successor.address).into())
        );
        assert_eq!(successor.stop().await, Some(0));
        assert!(!socket.exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_write_still_has_to_do_at_the_end_does_not_wait_for_who_asks_the_admin_listener() {
    let (origin, mut keeper) = Origin::gated(|| in_json("{}")).await;
    let limits = "[limits]\nshutdown_timeout = \"1s\"\n";
    let mut process = Process::start(origin.address, "memory://", &format!("{ROUTES}{limits}")).await;
    let (client, socket) = (process.client(), process.admin_socket());
    let writing = tokio::spawn(async move { client.try_send("PUT", "/fruit/1", &[], "{}").await });
    keeper.arrived().await;
    process.signal(Signal::TERM);
    process.says("SIGTERM: ").await;
    // The write's task has seconds more, which it takes: its answer never comes.
    until("nobody is let in", || async { std::os::unix::net::UnixStream::connect(&socket).is_err() }).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(!process.log().contains("stopped"), "{}", process.log());
    process.ended().await;
    drop(writing.await);
}

/// Puts a pipe in the place of a process's file: whoever reads it waits for whoever writes. Comes back with what was there.
fn piped(process: &Process) -> String {
    let file = process.folder().join("proxy.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_takes_long_to_read_keeps_nobody_from_asking_and_nothing_from_stopping() {
    let origin = Origin::counting().await;
    for by_signal in [true, false] {
        let mut process = Process::start(origin.address, "memory://", ROUTES).await;
        let (socket, text) = (process.admin_socket(), piped(&process));
        let reload =
            |socket: std::path::PathBuf| std::thread::spawn(move || over_unix(&socket, &post("/reload", &json!({}))));
        let asked = (!by_signal).then(|| reload(socket.clone()));
        if by_signal {
            process.hang_up();
        }
        process.says("reading the configuration again").await;
        for target in ["/status", "/explain?url=/fruit/1", "/livez"] {
            assert_eq!(over_unix(&socket, &get(target)).status, 200, "{target}");
        }
        process.client().fill(&["/fruit/1"]).await;
        std::fs::write(process.folder().join("proxy.toml"), text).unwrap();
        process.says("reloaded ").await;
        assert!(asked.is_none_or(|asked| asked.join().unwrap().status == 200));
        // The next one is never written.
        let asked = (!by_signal).then(|| reload(socket.clone()));
        if by_signal {
            process.hang_up();
        }
        until("it is read again", || async { process.log().matches("reading the configuration again").count() == 2 })
            .await;
        assert_eq!(process.stop().await, Some(0), "it stops by {}", if by_signal { "signal" } else { "request" });
        drop(asked);
    }
}
