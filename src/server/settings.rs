//! What the configuration says about listening.

use std::net::SocketAddr;
use std::time::Duration;

/// `listen` and the parts of `[limits]` that concern connections.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Every address to listen on; at least one.
    pub listen: Vec<SocketAddr>,
    /// How many cores to use, each with its own runtime and listeners; at least one.
    pub cores: usize,
    /// How many client connections may be open at once.
    pub max_connections: usize,
    /// How long a request's head may take to arrive.
    pub header_timeout: Duration,
    /// The largest request head in bytes.
    pub max_header: usize,
    /// How many fields a request may have.
    pub max_fields: usize,
    /// How long requests under way may take to end once the server was told to stop.
    pub shutdown_timeout: Duration,
}
