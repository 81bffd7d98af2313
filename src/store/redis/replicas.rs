//! How many replicas have to have a renewal before it counts. A master that nobody follows any more may be one that the others
//! have left: it would extend a lease for ever.

use std::sync::{Mutex, PoisonError};

use crate::clock::{Millis, boot_millis};

/// For so long a replica that is gone is asked for all the same: longer than a failover takes.
const REMEMBERED_MS: Millis = 60_000;

/// The replicas of a master that Sentinel names.
#[derive(Debug, Default)]
pub(super) struct Replicas(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    count: u32,
    at: Millis,
}

impl Replicas {
    /// How many have to confirm a renewal on a session whose master had so many when it began.
    pub(super) fn needed(&self, connected: u32) -> u32 {
        self.needed_at(connected, boot_millis())
    }

    /// So many have confirmed one.
    pub(super) fn confirmed(&self, count: u32) {
        self.needed_at(count, boot_millis());
    }

    fn needed_at(&self, count: u32, now: Millis) -> u32 {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if count >= seen.count || now.saturating_sub(seen.at) >= REMEMBERED_MS {
            *seen = Seen { count, at: now };
        }
        seen.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_that_is_gone_is_asked_for_as_long_as_a_failover_may_take() {
        let replicas = Replicas::default();
        assert_eq!(replicas.needed_at(2, 0), 2);
        assert_eq!(replicas.needed_at(0, 100), 2);
        assert_eq!(replicas.needed_at(2, 50_000), 2, "confirmed by both");
        assert_eq!(replicas.needed_at(0, 109_999), 2);
        assert_eq!(replicas.needed_at(1, 110_000), 1);
        assert_eq!(replicas.needed_at(3, 110_001), 3);
    }
}
