//! What the store is told by the configuration.

use std::fmt;
use std::time::Duration;

use super::core::WhenDown;
use super::redis::RedisUrl;

/// Where the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// In this process.
    Memory,
    /// A Redis that many nodes may share.
    Redis(RedisUrl),
}

/// What the store is told by the configuration.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// Where it is.
    pub url: StoreUrl,
    /// How many bytes the memory store may hold, or the copies of what is in Redis.
    pub memory: u64,
    /// What every key in Redis begins with.
    pub prefix: String,
    /// How long one command may take.
    pub timeout: Duration,
    /// What happens to writes while it cannot be reached.
    pub when_down: WhenDown,
    /// For how long a renewal that Redis confirmed allows hits, from when it was sent.
    pub lease: Duration,
    /// For how long nothing is reused while another node is silent that has not signed off; after that everything it may
    /// have left behind is invalidated. Zero does not wait.
    pub absence: Duration,
    /// How many replicas have to confirm a renewal; `None` for all that Sentinel's master has, none elsewhere.
    pub replicas: Option<u32>,
    /// How long the origin may take to commit a write whose outcome is unknown (`[origin] commit_within`).
    pub commit_within: Duration,
    /// The [fingerprint](crate::rules::Ruleset::of_writes) of the rules: while nodes have different ones, every write invalidates everything.
    pub rules: u64,
    /// What the file is called by whose lock a process knows that its predecessor is dead; `None` for none.
    pub lock: Option<String>,
}

/// The longest lease that is any good: for three of them a write waits whose invalidation Redis does not confirm.
pub const LONGEST_LEASE: Duration = Duration::from_secs(60);

impl fmt::Display for StoreUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => out.write_str("memory://"),
            Self::Redis(url) => write!(out, "{url}"),
        }
    }
}
