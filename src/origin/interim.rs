//! Interim (1xx) answers: handed on, but not without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use tokio::sync::Notify;

use super::early::EarlyAnswer;

/// How many interim answers may come before the final one.
pub(super) const MAX_INTERIM: usize = 16;

/// Counts a request's interim answers.
#[derive(Debug, Default)]
pub(super) struct Interim {
    count: AtomicUsize,
    too_many: Notify,
}

impl Interim {
    /// Counts from now on, and hands on what may be.
    pub(super) fn of<B>(request: &mut Request<B>, early: Option<EarlyAnswer>) -> Arc<Self> {
        let interim = Arc::new(Self::default());
        let counting = Arc::clone(&interim);
        hyper::ext::on_informational(request, move |interim| {
            let before = counting.count.fetch_add(1, Ordering::Relaxed);
            if before == MAX_INTERIM {
                counting.too_many.notify_one();
            }
            if let Some(early) = early.as_ref().filter(|_| before < MAX_INTERIM) {
                early.send(interim.status(), interim.headers());
            }
        });
        interim
    }

    /// Whether there were too many: the final answer may come along with them.
    pub(super) fn were_too_many(&self) -> bool {
        self.count.load(Ordering::Relaxed) > MAX_INTERIM
    }

    /// Returns when there were too many.
    pub(super) async fn too_many(&self) {
        self.too_many.notified().await;
    }
}
