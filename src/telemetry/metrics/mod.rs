//! Every figure of the process: counted a core by itself, so that no request touches what another core writes, and summed
//! where somebody asks.

mod exposition;
mod histogram;
mod operations;
mod saved;
mod shard;
mod totals;

use std::sync::{Arc, Mutex, PoisonError};

pub use self::exposition::{Format, METRICS, Metric};
pub use self::histogram::{BOUNDS_MICROS, Buckets, Histogram};
pub use self::operations::{Gauges, OPERATIONS, Operation, Operations};
pub use self::totals::{Invalidations, RouteTotals, Totals, Verified};

pub(super) use self::shard::{Labels, Shard};

use self::saved::Saved;
use super::journal::Journal;
use super::refused::RefusedConnections;

/// The figures of a process. Shared by all cores, each of which has a shard of its own.
#[derive(Debug, Default)]
pub struct Metrics {
    shards: Mutex<Vec<Arc<Shard>>>,
    saved: Mutex<Saved>,
    refused: Arc<RefusedConnections>,
}

impl Metrics {
    /// Nothing is counted yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// A further shard, for one thread to count in.
    pub(super) fn shard(&self) -> Arc<Shard> {
        let shard = Arc::<Shard>::default();
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&shard));
        shard
    }

    /// The figures so far, of all cores. What a core counts meanwhile may be there in part.
    pub fn totals(&self) -> Totals {
        let (mut totals, shards) = (Totals::default(), self.shards());
        // Held from before the first count is read: whoever comes next sees no less.
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        for shard in shards {
            shard.add_to(&mut totals);
        }
        saved.account(&mut totals);
        totals.refused_connections = self.refused.read();
        totals
    }

    /// Where connections are counted that no request came of.
    pub fn refused_connections(&self) -> Arc<RefusedConnections> {
        Arc::clone(&self.refused)
    }

    /// All metrics as a scrape wants them.
    pub fn write(&self, format: Format, gauges: &Gauges) -> String {
        exposition::write(format, self.totals(), gauges.clone())
    }

    /// What each core has taken down of its last writes and misses.
    pub(super) fn journals(&self) -> Vec<Journal> {
        self.shards().iter().map(|shard| shard.journal()).collect()
    }

    fn shards(&self) -> Vec<Arc<Shard>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
