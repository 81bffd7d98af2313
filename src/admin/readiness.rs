//! Whether the process serves clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Where the process stands. Whoever runs it sets it, and the admin listener reads it.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicU8>);

/// What is neither of these is a start.
const SERVING: u8 = 1;
const STOPPING: u8 = 2;

impl Readiness {
    /// Clients are served from now on.
    pub fn serving(&self) {
        self.0.store(SERVING, Ordering::Release);
    }

    /// No new clients are served from now on.
    pub fn stopping(&self) {
        self.0.store(STOPPING, Ordering::Release);
    }

    /// Why it is not ready, as a sentence; `None` where it is.
    pub fn missing(&self) -> Option<&'static str> {
        match self.0.load(Ordering::Acquire) {
            SERVING => None,
            STOPPING => Some("It was told to stop and takes no new requests."),
            _ => Some("It is starting and takes no requests yet."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_between_its_start_and_its_stop() {
        let readiness = Readiness::default();
        assert!(readiness.missing().is_some_and(|why| why.contains("starting")));
        let same = readiness.clone();
        readiness.serving();
        assert_eq!(same.missing(), None);
        readiness.stopping();
        assert!(same.missing().is_some_and(|why| why.contains("stop")));
    }
}
