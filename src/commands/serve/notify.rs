//! What a service manager is told (`sd_notify(3)`): that the proxy is ready, reads its configuration again, stops; and now and
//! then that it is alive. Without one nobody is told anything.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use std::{env, io};

use sd_notify::NotifyState;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use crate::server::ServerControl;

/// Tells the service manager, where there is one.
#[derive(Debug)]
pub(super) struct Notifier {
    /// How long it waits for a sign of life before it ends this process.
    watchdog: Option<Duration>,
    ticks: Interval,
}

/// So long it is waited for where it has not yet read what it was told before. Signals and reloads wait meanwhile.
const READS_WITHIN: Duration = Duration::from_secs(1);

/// Where nobody waits for a sign of life.
const SELDOM: Duration = Duration::from_secs(3600);

impl Notifier {
    /// To be called within a runtime.
    pub(super) fn new() -> Self {
        let watchdog = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero());
        let mut ticks = interval(watchdog.map_or(SELDOM, |limit| limit / 2));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { watchdog, ticks }
    }

    /// It listens.
    pub(super) fn ready(status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// It reads its configuration again; [`Notifier::ready`] ends that.
    pub(super) fn reloading() {
        // Without the time `Type=notify-reload` takes it for no answer to its signal.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    /// It stops.
    pub(super) fn stopping(status: &str) {
        tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
    }

    /// Waits for the next sign of life that is due. Dropping the future loses none.
    pub(super) async fn due(&mut self) -> Instant {
        self.ticks.tick().await
    }

    /// Gives it, as long as all cores have: one that hangs serves nobody, and only a restart helps.
    pub(super) fn alive(&self, server: &ServerControl) {
        let Some(limit) = self.watchdog else { return };
        let silence = server.silence();
        if silence < (limit / 2).max(LATE) {
            // The next one is under way soon: it is not waited for.
            let told = send(&[NotifyState::Watchdog], None);
            drop(told.inspect_err(|error| tracing::debug!(%error, "the service manager gets no sign of life")));
        } else {
            tracing::error!(
                "a core has not been heard of for {silence:?}; the service manager is told no more that all is well"
            );
        }
    }
}

/// Within this time a core that has much to do is heard of.
const LATE: Duration = Duration::from_secs(2);

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = send(states, Some(READS_WITHIN)) {
        let what = states.first().map(ToString::to_string).unwrap_or_default();
        tracing::warn!("the service manager that NOTIFY_SOCKET names cannot be told {what}: {error}");
    }
}

/// Sends it these states; waits at most so long, or not at all, where its queue is full. The crate's own would wait for good, and
/// knows no abstract names.
fn send(states: &[NotifyState<'_>], within: Option<Duration>) -> io::Result<()> {
    let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Ok(()) };
    let socket = UnixDatagram::unbound()?;
    match within {
        Some(within) => socket.set_write_timeout(Some(within))?,
        None => socket.set_nonblocking(true)?,
    }
    let text = states.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    socket.send_to_addr(text.as_bytes(), &address(&name)?).map(drop)
}

/// The address with this name: a path, or after an `@` a name of the abstract kind.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(name),
    }
}
