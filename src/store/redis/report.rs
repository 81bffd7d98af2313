//! Tells the log once that Redis cannot be used, is full or has not confirmed an invalidation, and once that this is over.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{info, warn};

use super::outage::Outage;
use crate::clock::{Clock, Millis};
use crate::store::core::Fault;
use crate::store::entry::Withheld;
use crate::store::lease::Permit;
use crate::telemetry::Episode;

/// What the log has been told about one Redis, by all cores together: of each trouble when it begins and when it ends.
#[derive(Debug, Default)]
pub(super) struct Report {
    told: Mutex<Told>,
    /// Met by requests that find no session.
    outage: Episode,
    pending: Episode,
    full: Episode,
    /// Another node is silent.
    silent: Episode,
    /// Other nodes have other rules.
    differing: Episode,
}

#[derive(Debug, Default)]
struct Told {
    /// Cores without a session.
    down: usize,
    /// Whether it has ever been up.
    greeted: bool,
    /// Why a core could not get its session, the last time.
    why: Option<String>,
}

impl Report {
    /// A core begins without a session.
    pub(super) fn begins(&self) {
        self.told().down += 1;
    }

    /// A core has lost its session.
    pub(super) fn lost(&self, address: &str, why: &Outage) {
        self.told().down += 1;
        self.failed(address, why);
    }

    /// A core could not get a session. Each kind of outage is told once.
    pub(super) fn failed(&self, address: &str, why: &Outage) {
        self.told().why = Some(why.to_string());
        if self.outage.lasts_as(why.kind(), Clock::System.ticks()) {
            warn!("Redis at {address} cannot be used: {why}; until it can, the origin answers");
        }
    }

    /// Whether every core has a session, and why not as far as is known.
    pub(super) fn state(&self) -> (bool, Option<String>) {
        let told = self.told();
        let up = told.down == 0 && told.greeted;
        let why = || told.why.clone().unwrap_or_else(|| "it has not been reached so far".to_owned());
        (up, (!up).then(why))
    }

    /// Tells how this process stands with the others, where that is news; asked after each call to the registry.
    pub(super) fn standing(&self, permit: &Permit, absence: Duration) {
        let ticks = Clock::System.ticks();
        if permit.withheld == Some(Withheld::Peer) {
            if self.silent.lasts_as(0, ticks) {
                warn!(
                    "another node that shares Redis is silent and has not signed off; nothing is answered from Redis until it \
                     is back, or for {absence:?} ([store] absence), after which everything from before is invalidated"
                );
            }
        } else if self.silent.is_mended(ticks).is_some() {
            info!("all nodes that share Redis are there again, or have been given up; answers come from Redis again");
        }
        if permit.rules_differ {
            if self.differing.lasts_as(0, ticks) {
                warn!(
                    "nodes that share Redis have different rules; as long as they do, every write invalidates everything. In a \
                     rolling restart that passes; otherwise give them the same proxy.toml"
                );
            }
        } else if self.differing.is_mended(ticks).is_some() {
            info!("all nodes that share Redis have the same rules again");
        }
    }

    /// A request found no session.
    pub(super) fn missed(&self) {
        self.outage.met_again(Clock::System.ticks());
    }

    /// A core has got a session.
    pub(super) fn found(&self) {
        let mut told = self.told();
        told.down = told.down.saturating_sub(1);
    }

    /// Tells what has ended; asked now and then by each core with a session. `caught_up` says that no invalidation is pending.
    pub(super) fn look(&self, address: &str, caught_up: bool) {
        let ticks = Clock::System.ticks();
        let up = self.told().down == 0;
        if up {
            self.greet(address, ticks);
        }
        // What a core without a session invalidates is pending, however fast the others are.
        let ended = match (caught_up, up) {
            (false, _) => None,
            (true, true) => self.pending.is_mended(ticks),
            (true, false) => self.pending.is_over(ticks),
        };
        if let Some(ended) = ended {
            info!(
                "Redis at {address} confirms invalidations again and has all that were pending; it did not confirm one \
                 {ended}"
            );
        }
    }

    /// Tells that all cores have a session, where that is news.
    fn greet(&self, address: &str, ticks: Millis) {
        let ended = self.outage.is_mended(ticks);
        if !std::mem::replace(&mut self.told().greeted, true) {
            info!("Redis at {address} is in use");
        } else if let Some(ended) = ended {
            // Whoever waited for it in vain had found it there.
            if ended.times == 0 {
                info!("Redis at {address} is in use again, after {:.1} s", ended.lasted.as_secs_f64());
            } else {
                info!("Redis at {address} is in use again; requests went without it {ended}");
            }
        }
    }

    /// A core has ended.
    pub(super) fn ends(&self, had_session: bool) {
        let mut told = self.told();
        told.down = told.down.saturating_sub(usize::from(!had_session));
    }

    /// An invalidation is pending.
    pub(super) fn pends(&self, fault: &Fault) {
        if self.pending.met(Clock::System.ticks()) {
            warn!(
                %fault,
                "the store did not confirm an invalidation; it is sent again until it is confirmed, and until then nothing \
                 is read from the store"
            );
        }
    }

    /// What came of storing something. Tells when Redis has no room, and when it has some again.
    pub(super) fn stored<T>(&self, address: impl Fn() -> String, outcome: &Result<T, Fault>) {
        match outcome {
            Err(Fault::Full) if self.full.met(Clock::System.ticks()) => warn!(
                "Redis at {} is full (maxmemory) and stores no more answers, so the origin is asked each time: raise \
                 maxmemory, or set maxmemory-policy to volatile-lru",
                address()
            ),
            Ok(_) if self.full.is_on() => {
                if let Some(ended) = self.full.is_over(Clock::System.ticks()) {
                    info!("Redis at {} has room again; it could not store an answer {ended}", address());
                }
            }
            _ => {}
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
