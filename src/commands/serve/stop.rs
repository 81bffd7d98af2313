//! What signals ask for while the proxy serves, until it has stopped.

use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep};

use super::listener::AdminServer;
use super::notify::Notifier;
use super::reload::{Reload, Reloader};
use super::signals::{Asked, Signals, Stop};
use crate::admin::Readiness;
use crate::server::Running;

/// For how long a second signal counts as the first one's copy. Ctrl-C goes to all processes of a terminal, and whoever
/// started this one may pass on the one that it got.
const COPIES: Duration = Duration::from_secs(1);

/// What the process listens to.
pub(super) struct Ears {
    pub(super) signals: Signals,
    pub(super) notifier: Notifier,
}

/// What a signal may change.
#[derive(Clone, Copy)]
pub(super) struct Steered<'s> {
    pub(super) reload: &'s Reload,
    pub(super) reloader: &'s Reloader,
}

/// What serves.
pub(super) struct Servers {
    pub(super) clients: Running,
    pub(super) admin: AdminServer,
    pub(super) readiness: Readiness,
}

impl Servers {
    /// Stops them: whoever looks after the process is told that it stops until the last request has ended.
    fn stop(self) {
        self.readiness.stopping();
        self.clients.stop();
        self.admin.stop();
    }
}

/// Does what signals ask for, until the server has stopped.
pub(super) async fn until_stopped(servers: Servers, mut ears: Ears, steered: Steered<'_>) -> std::io::Result<()> {
    let Steered { reload, reloader } = steered;
    let told = loop {
        match ears.next(reload).await {
            Asked::Stop(told) => break told,
            Asked::Reload => {
                tracing::info!("SIGHUP: reading the configuration again");
                reloader.ask();
            }
            Asked::Nothing(name) => {
                tracing::info!("{name} does nothing here: SIGTERM stops, SIGHUP reads the configuration again");
            }
        }
    };
    tracing::info!("{}: finishing the requests under way", told.name());
    Notifier::stopping("finishing the requests under way");
    tokio::spawn(closed_in_time(servers.admin.clone(), reload.in_force.load().config.server.shutdown_timeout));
    drained(spawn_blocking(move || servers.stop()), ears, reload).await
}

/// Requests have ended by then, by themselves or not; what writes still have to do must not end later for the admin listener's sake.
async fn closed_in_time(admin: AdminServer, within: Duration) {
    sleep(within).await;
    admin.close();
}

/// Waits until all is done, or until a second signal asks not to wait: that ends the process.
async fn drained(mut stopping: JoinHandle<()>, mut ears: Ears, reload: &Reload) -> std::io::Result<()> {
    let since = Instant::now();
    loop {
        let asked = tokio::select! {
            stopped = &mut stopping => return stopped.map_err(std::io::Error::other),
            asked = ears.next(reload) => asked,
        };
        match asked {
            Asked::Stop(again) if since.elapsed() >= COPIES => end_now(again, reload),
            Asked::Stop(again) => tracing::info!(
                "{} again within a second counts as the same one; after that it stops without waiting",
                again.name()
            ),
            _ => {}
        }
    }
}

fn end_now(again: Stop, reload: &Reload) {
    tracing::warn!("{} again: stopping without waiting", again.name());
    reload.log.flush();
    std::process::exit(again.exit_code());
}

impl Ears {
    /// Waits for the next signal, and gives the service manager its signs of life meanwhile.
    async fn next(&mut self, reload: &Reload) -> Asked {
        loop {
            tokio::select! {
                asked = self.signals.next() => return asked,
                _ = self.notifier.due() => self.notifier.alive(&reload.server),
            }
        }
    }
}
