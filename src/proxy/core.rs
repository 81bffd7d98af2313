//! What the steps of a request's way work with: what a core has, and what all cores of a process share.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::coding::Codings;
use super::flights::Flights;
use super::hosts::OtherHosts;
use super::notices::Notices;
use super::settings::ProxySettings;
use crate::budget::Budget;
use crate::clock::Clock;
use crate::origin::Origin;
use crate::store::Store;
use crate::telemetry::Recorder;

/// What all cores of a process share besides the store.
#[derive(Clone, Debug)]
pub struct Shared {
    pub(super) settings: Arc<ProxySettings>,
    pub(super) flights: Arc<Flights>,
    pub(super) codings: Arc<Codings>,
    pub(super) notices: Arc<Notices>,
    pub(super) other_hosts: Arc<OtherHosts>,
    /// The bytes of answers on their way.
    pub(super) answers: Arc<Budget>,
    pub(super) clock: Clock,
    pub(super) recorder: Recorder,
}

impl Shared {
    /// Sets the shared part up.
    pub fn new(settings: ProxySettings, clock: Clock, recorder: Recorder) -> Self {
        let answers = Budget::new(settings.max_answers);
        Self {
            flights: Arc::new(Flights::new(settings.max_waiters)),
            codings: Arc::new(Codings::new(&settings.compression, &answers)),
            notices: Arc::new(Notices::about(&settings.rules.routes)),
            other_hosts: Arc::default(),
            settings: Arc::new(settings),
            answers,
            clock,
            recorder,
        }
    }

    /// The same for one core, which counts by itself.
    pub(super) fn of_core(&self) -> Self {
        let routes = self.settings.rules.routes.iter().map(|route| &route.name);
        Self { recorder: self.recorder.of_core(routes), ..self.clone() }
    }

    /// What counts the bytes of answers on their way.
    pub fn answers(&self) -> &Arc<Budget> {
        &self.answers
    }
}

/// What one core works with.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) shared: Shared,
    pub(super) store: Store,
    pub(super) origin: Origin,
    /// Writes under way, which no end of a connection stops.
    pub(super) tasks: Tasks,
}

impl Core {
    /// When a fill's body must be whole to be stored: one that drips holds its key's flight no longer than this, and goes
    /// on for its own client only.
    pub(super) fn end_of_fill(&self) -> Instant {
        Instant::now() + self.origin.settings().response_timeout * RESPONSE_TIMEOUTS
    }
}

/// How many times the origin's `response_timeout` a body may take to be stored.
const RESPONSE_TIMEOUTS: u32 = 10;

/// The writes under way on a core: they outlive their clients' connections, and the core waits for them.
#[derive(Debug)]
pub(super) struct Tasks {
    running: watch::Sender<usize>,
}

/// One task under way; counted until it is dropped, so that one that panics is not waited for.
struct Running(watch::Sender<usize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}

impl Tasks {
    pub(super) fn new() -> Self {
        Self { running: watch::Sender::new(0) }
    }

    /// Runs a future in a task of its own, which ends with the core's runtime at the latest.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.running.send_modify(|running| *running += 1);
        let (task, running) = (Box::pin(task), Running(self.running.clone()));
        tokio::spawn(async move {
            task.await;
            drop(running);
        });
    }

    /// Waits until none is under way, at the longest until the deadline; comes back with how many are left.
    pub(super) async fn finish(&self, deadline: Instant) -> usize {
        let mut running = self.running.subscribe();
        let ended = timeout_at(deadline, running.wait_for(|running| *running == 0)).await.is_ok();
        if ended { 0 } else { *self.running.borrow() }
    }
}
