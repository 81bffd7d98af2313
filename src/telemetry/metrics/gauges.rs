//! What is so at this moment: no outcome tells of it, so whoever scrapes asks the store and the origin for it.

use super::histogram::Buckets;

/// What the store and the origin say of themselves at a scrape. What nobody has said is left out of it.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Whether the store can be used.
    pub store_up: Option<bool>,
    /// Whether what is stored may be given out: the lease on the shared store runs.
    pub lease_valid: Option<bool>,
    /// Invalidations that the store has yet to confirm.
    pub pending_invalidations: Option<u64>,
    /// How many entries, or copies of entries, this process has in memory.
    pub entries: Option<u64>,
    /// How many bytes those take.
    pub stored_bytes: Option<u64>,
    /// How many entries had to go, by reason.
    pub evictions: Vec<(&'static str, u64)>,
    /// How often the store did not do its part, by kind.
    pub store_errors: Vec<(&'static str, u64)>,
    /// How long its operations took, by operation.
    pub store_operations: Vec<(&'static str, Buckets)>,
    /// Each address of the origin, and whether it is out of use.
    pub breakers: Vec<(String, bool)>,
    /// Requests under way to the origin.
    pub origin_inflight: Option<u64>,
    /// What is known of the build and of what runs besides the version.
    pub build: Vec<(&'static str, String)>,
}
