//! What a service manager is told (`sd_notify(3)`): that the proxy is ready, reads its configuration again, stops; and now and
//! then that it is alive. Without one nobody is told anything.

use std::time::Duration;

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
            tell(&[NotifyState::Watchdog]);
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
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
