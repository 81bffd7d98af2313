//! What a service manager hears of a process that it has started (`sd_notify(3)`).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::process::Signal;

use super::support::node::Process;
use super::support::origin::Origin;

/// The next thing that a service manager hears which begins like that.
fn heard(socket: &UnixDatagram, begins: &str) -> String {
    let mut bytes = [0; 4096];
    loop {
        let length = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("{begins}: {error}"));
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        if text.starts_with(begins) {
            return text;
        }
    }
}

/// What nobody has read of a service manager's socket fills its queue, which is short.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_manager_that_does_not_read_keeps_nothing_from_happening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let other = UnixDatagram::unbound().unwrap();
    other.set_nonblocking(true).unwrap();
    let origin = Origin::counting().await;
    let path = path.display().to_string();
    let mut process = Process::in_environment(origin.address, "", &[("NOTIFY_SOCKET", &path)]).await;
    heard(&manager, "READY=1");
    while other.send_to(b"X=1", &path).is_ok() {}
    process.hang_up();
    process.says("reloaded ").await;
    process.says("cannot be told READY=1").await;
    process.signal(Signal::TERM);
    assert_eq!(process.ended().await, Some(0));
    assert!(process.log().contains("stopped"), "{}", process.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_managers_socket_may_have_an_abstract_name() {
    let name = format!("aside-test-{}", std::process::id());
    let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let origin = Origin::counting().await;
    let _process = Process::in_environment(origin.address, "", &[("NOTIFY_SOCKET", &format!("@{name}"))]).await;
    heard(&manager, "READY=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_manager_hears_that_it_is_ready_reloads_lives_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let origin = Origin::counting().await;
    let path = path.display().to_string();
    let environment = [("NOTIFY_SOCKET", path.as_str()), ("WATCHDOG_USEC", "600000")];
    let mut process = Process::in_environment(origin.address, "", &environment).await;
    assert!(heard(&socket, "READY=1").contains("STATUS=serving"));
    heard(&socket, "WATCHDOG=1");
    heard(&socket, "WATCHDOG=1");
    process.hang_up();
    assert!(heard(&socket, "RELOADING=1").contains("MONOTONIC_USEC="));
    heard(&socket, "READY=1");
    process.signal(Signal::TERM);
    heard(&socket, "STOPPING=1");
    assert_eq!(process.ended().await, Some(0));
}
