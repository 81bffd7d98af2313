//! The configuration in force: what all cores look at as a request comes in, and what another one takes the place of whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::core::{InForce, Shared};
use crate::origin;

/// The one that is in force.
#[derive(Debug)]
pub(super) struct Live {
    current: ArcSwap<InForce>,
    /// Its number, which whoever has that one need not look further for.
    number: AtomicU64,
    /// Tells those whom no request does.
    changed: watch::Sender<u64>,
}

impl Live {
    pub(super) fn new(shared: Shared, origin: Arc<origin::Shared>) -> Self {
        let current = ArcSwap::from_pointee(InForce { shared, origin, number: 0 });
        Self { current, number: AtomicU64::new(0), changed: watch::Sender::new(0) }
    }

    /// Whether this is the number of the one in force. Writes nothing that cores share.
    pub(super) fn is(&self, number: u64) -> bool {
        self.number.load(Ordering::Acquire) == number
    }

    /// The one in force.
    pub(super) fn current(&self) -> Arc<InForce> {
        self.current.load_full()
    }

    /// Puts another one in force. To be called by one at a time.
    pub(super) fn replace(&self, shared: Shared, origin: Arc<origin::Shared>) {
        let number = self.current.load().number + 1;
        self.current.store(Arc::new(InForce { shared, origin, number }));
        self.number.store(number, Ordering::Release);
        self.changed.send_replace(number);
    }

    /// Says when another one comes into force.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
