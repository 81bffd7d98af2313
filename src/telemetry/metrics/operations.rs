//! What no outcome tells of: what is so at the moment of a scrape, and how long a store's operations take. The store and the
//! origin say it themselves; they know nothing of requests.

use std::sync::Arc;

use super::histogram::{Buckets, Count, Histogram};

/// What a store is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The entry at a key.
    Lookup,
    /// An entry is put.
    Put,
    /// A write under way is noted.
    Mark,
    /// An invalidation, with or without an entry in its place.
    Invalidate,
    /// What a write of unknown outcome may have changed is held.
    Hold,
}

/// Every operation with its name, as the label `op` has it.
pub const OPERATIONS: [(Operation, &str); 5] = [
    (Operation::Lookup, "lookup"),
    (Operation::Put, "put"),
    (Operation::Mark, "mark"),
    (Operation::Invalidate, "invalidate"),
    (Operation::Hold, "hold"),
];

/// What a store has done, and failed to do. Any thread may count: beside an operation that waits for another machine that
/// costs nothing.
#[derive(Debug)]
pub struct Operations {
    took: [Histogram; OPERATIONS.len()],
    kinds: &'static [&'static str],
    errors: Vec<Count>,
}

impl Operations {
    /// Nothing yet; these are the kinds of errors, as the label `kind` has them.
    pub fn new(kinds: &'static [&'static str]) -> Self {
        Self { took: Default::default(), kinds, errors: kinds.iter().map(|_| Count::default()).collect() }
    }

    /// An operation took so long, and failed with an error of this kind if it did.
    pub fn record(&self, operation: Operation, micros: u64, error: Option<usize>) {
        if let Some(took) = self.took.get(operation as usize) {
            took.record_of_many(micros);
        }
        if let Some(count) = error.and_then(|kind| self.errors.get(kind)) {
            count.add_of_many(1);
        }
    }

    /// How long the operations took, by name.
    pub fn took(&self) -> Vec<(&'static str, Buckets)> {
        OPERATIONS.iter().zip(&self.took).map(|((_, name), took)| (*name, took.read())).collect()
    }

    /// How often they failed, by kind.
    pub fn errors(&self) -> Vec<(&'static str, u64)> {
        self.kinds.iter().zip(&self.errors).map(|(kind, count)| (*kind, count.get())).collect()
    }
}

/// What the store and the origin say of themselves at a scrape. What nobody has said is left out of it.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Whether the store can be used.
    pub store_up: Option<bool>,
    /// Whether what is stored may be given out: the lease on the shared store runs, or there is none to be had.
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
    /// The routes whose hits are compared with the origin's answers, by name.
    pub compared: Vec<Arc<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_numbered_as_they_are_named() {
        for (index, (operation, _)) in OPERATIONS.iter().enumerate() {
            assert_eq!(*operation as usize, index);
        }
        let operations = Operations::new(&["down", "full"]);
        operations.record(Operation::Put, 70, Some(1));
        operations.record(Operation::Put, 70, None);
        assert_eq!(operations.took()[1].1.count(), 2);
        assert_eq!(operations.errors(), [("down", 0), ("full", 1)]);
    }
}
