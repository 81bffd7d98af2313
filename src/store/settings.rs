//! What the store is told by the configuration.

use std::fmt;
use std::time::Duration;

use super::redis::url::RedisUrl;

/// What happens to a write while the store cannot be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenDown {
    /// The write is forwarded; what it made old is owed to the store and invalidated before anything is read from it again.
    #[default]
    Forward,
    /// The write gets 503 and is not forwarded.
    Refuse,
}

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
    /// How many bytes the memory store may hold.
    pub memory: u64,
    /// What every key in Redis begins with.
    pub prefix: String,
    /// How long one command may take.
    pub timeout: Duration,
    /// What happens to writes while it cannot be reached.
    pub when_down: WhenDown,
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => out.write_str("memory://"),
            Self::Redis(url) => write!(out, "{url}"),
        }
    }
}
