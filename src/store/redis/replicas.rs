//! How many replicas have to have a renewal before it counts. A master that nobody follows any more may be one that the others
//! have left: it would extend a lease for ever.

use std::sync::{Mutex, PoisonError};

use crate::clock::{Millis, boot_millis};
use crate::store::lease::ServerId;

/// For so long a replica that is gone is asked for all the same: longer than a failover takes.
const REMEMBERED_MS: Millis = 60_000;

/// The replicas of a master that Sentinel names.
#[derive(Debug, Default)]
pub(super) struct Replicas(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    server: Option<ServerId>,
    count: u32,
    at: Millis,
}

impl Replicas {
    /// How many have to confirm a renewal on a session whose master had so many when it began.
    pub(super) fn needed(&self, server: ServerId, connected: u32) -> u32 {
        self.needed_at(server, connected, boot_millis())
    }

    /// So many have confirmed one.
    pub(super) fn confirmed(&self, server: ServerId, count: u32) {
        self.needed_at(server, count, boot_millis());
    }

    /// A new master begins with those that have found it.
    fn needed_at(&self, server: ServerId, count: u32, now: Millis) -> u32 {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_forgotten = seen.server != Some(server) || now.saturating_sub(seen.at) >= REMEMBERED_MS;
        if count >= seen.count || is_forgotten {
            *seen = Seen { server: Some(server), count, at: now };
        }
        seen.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_that_is_gone_is_asked_for_as_long_as_a_failover_may_take() {
        let (replicas, one, other) = (Replicas::default(), ServerId(1), ServerId(2));
        assert_eq!(replicas.needed_at(one, 2, 0), 2);
        assert_eq!(replicas.needed_at(one, 0, 100), 2);
        assert_eq!(replicas.needed_at(one, 2, 50_000), 2, "confirmed by both");
        assert_eq!(replicas.needed_at(one, 0, 109_999), 2);
        assert_eq!(replicas.needed_at(one, 1, 110_000), 1);
        assert_eq!(replicas.needed_at(one, 3, 110_001), 3);
        assert_eq!(replicas.needed_at(other, 0, 110_002), 0, "another master");
    }
}
