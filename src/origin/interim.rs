//! Interim (1xx) answers: handed on, but not without end, and none that says to have a body.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::Request;
use tokio::sync::Notify;

use super::early::EarlyAnswer;
use super::error::OriginError;
use crate::fields::announces_body;

/// How many interim answers may come before the final one.
const MOST: usize = 16;

/// Watches a request's interim answers.
#[derive(Debug, Default)]
pub(super) struct Interim {
    count: AtomicUsize,
    /// Whether one of them announced a body: what comes next may be that, or the answer.
    with_body: AtomicBool,
    faulty: Notify,
}

impl Interim {
    /// Watches from now on, and hands on what may be.
    pub(super) fn of<B>(request: &mut Request<B>, early: Option<EarlyAnswer>) -> Arc<Self> {
        let interim = Arc::new(Self::default());
        let watching = Arc::clone(&interim);
        hyper::ext::on_informational(request, move |interim| {
            let before = watching.count.fetch_add(1, Ordering::Relaxed);
            if announces_body(interim.headers()) {
                watching.with_body.store(true, Ordering::Relaxed);
            }
            if watching.fault().is_some() {
                watching.faulty.notify_one();
            } else if let Some(early) = early.as_ref().filter(|_| before < MOST) {
                early.send(interim.status(), interim.headers());
            }
        });
        interim
    }

    /// Why the answer that follows them counts for nothing; it may come along with them.
    pub(super) fn fault(&self) -> Option<OriginError> {
        if self.with_body.load(Ordering::Relaxed) {
            return Some(OriginError::Broken("it sent an interim answer with a body".to_owned()));
        }
        let too_many = self.count.load(Ordering::Relaxed) > MOST;
        too_many.then(|| OriginError::Broken(format!("it sent more than {MOST} interim answers")))
    }

    /// Comes back with the fault once there is one.
    pub(super) async fn faulty(&self) -> OriginError {
        loop {
            self.faulty.notified().await;
            if let Some(fault) = self.fault() {
                return fault;
            }
        }
    }
}
