//! The writes under way on a core: they outlive their clients' connections, and the core waits for them.

use std::future::Future;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// Counts the tasks under way.
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
        let running = Running(self.running.clone());
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
