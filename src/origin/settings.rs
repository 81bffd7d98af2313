//! What the configuration says about the origin server.

use std::time::Duration;

use http::uri::Authority;

/// Which Host the origin sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HostRule {
    /// Its own authority, from `url`.
    #[default]
    Origin,
    /// A fixed one.
    Fixed(String),
    /// The client's, which then is part of every key.
    Client,
}

/// The `[origin]` table.
#[derive(Clone, Debug)]
pub struct OriginSettings {
    /// Host and port to connect to. The scheme is http.
    pub authority: Authority,
    /// Which Host it sees.
    pub host: HostRule,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How long the origin may take until its response's head is there, and between two pieces of its body.
    pub response_timeout: Duration,
    /// How long an idle connection is kept for the next request; below the origin's own limit (gunicorn: 2 s).
    pub idle_timeout: Duration,
    /// How many requests may be under way to the origin at once; further ones wait their turn within `connect_timeout`.
    pub max_connections: usize,
}
