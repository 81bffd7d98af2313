//! Tells the log once that Redis cannot be used, and once that it can again.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use tracing::{info, warn};

use crate::clock::{Clock, Episode};
use crate::store::Fault;

/// Why Redis cannot be used. The texts have no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outage {
    /// It is not there, not answering or not ready.
    Unreachable(String),
    /// It does not accept the login.
    Login(String),
    /// It is not a master.
    Replica,
    /// It does not take what this store needs of it.
    Unfit(String),
}

impl fmt::Display for Outage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(text) => out.write_str(text),
            Self::Login(text) => write!(out, "it refuses the login: {text}"),
            Self::Replica => out
                .write_str("it is a replica, which takes no writes and may lag behind: name its master in [store] url"),
            Self::Unfit(text) => write!(out, "it refuses what aside needs: {text}"),
        }
    }
}

/// What the log has been told about one Redis, by all cores together.
#[derive(Debug, Default)]
pub(super) struct Report {
    told: Mutex<Told>,
    full: Episode,
}

#[derive(Debug, Default)]
struct Told {
    /// Cores without a session.
    down: usize,
    /// Kinds of outage that were told since it was last up.
    kinds: Vec<std::mem::Discriminant<Outage>>,
    /// Whether it has ever been up.
    greeted: bool,
}

impl Report {
    /// A core begins without a session.
    pub(super) fn begins(&self) {
        self.with(|told| told.down += 1);
    }

    /// A core has lost its session.
    pub(super) fn lost(&self, address: &str, why: &Outage) {
        self.with(|told| told.down += 1);
        self.failed(address, why);
    }

    /// A core could not get a session. Each kind of outage is told once.
    pub(super) fn failed(&self, address: &str, why: &Outage) {
        let kind = std::mem::discriminant(why);
        let news = self.with(|told| {
            let news = !told.kinds.contains(&kind);
            if news {
                told.kinds.push(kind);
            }
            news
        });
        if news {
            warn!("Redis at {address} cannot be used: {why}; until it can, the origin answers");
        }
    }

    /// A core has got a session.
    pub(super) fn found(&self, address: &str) {
        let news = self.with(|told| {
            told.down = told.down.saturating_sub(1);
            let news = told.down == 0 && (!told.greeted || !told.kinds.is_empty());
            if told.down == 0 {
                told.kinds.clear();
                told.greeted = true;
            }
            news
        });
        if news {
            info!("Redis at {address} is in use");
        }
    }

    /// A core has ended.
    pub(super) fn ends(&self, had_session: bool) {
        self.with(|told| told.down = told.down.saturating_sub(usize::from(!had_session)));
    }

    /// What came of storing something. Tells when Redis has no room, and when it has some again.
    pub(super) fn stored<T>(&self, address: impl Fn() -> String, outcome: &Result<T, Fault>) {
        let now = Clock::System.ticks();
        match outcome {
            Err(Fault::Full) if self.full.met(now) => warn!(
                "Redis at {} is full (maxmemory) and takes no more answers: the origin gives them each time",
                address()
            ),
            Ok(_) if self.full.is_over(now) => info!("Redis at {} has room again", address()),
            _ => {}
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Told) -> T) -> T {
        work(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
