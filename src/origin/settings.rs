//! What the configuration says about the origin server.

use std::time::Duration;

use http::HeaderValue;
use http::uri::{Authority, PathAndQuery};

use crate::tls::Tls;

/// Which Host the origin sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HostRule {
    /// Its own authority, from `url`.
    Origin,
    /// A fixed one.
    Fixed(String),
    /// The client's, as it would without a proxy.
    #[default]
    Client,
}

impl HostRule {
    /// The Host to be sent for a client that sent this one; none where it is that of the address which is asked.
    pub(super) fn of(&self, client: Option<HeaderValue>) -> Option<HeaderValue> {
        match self {
            Self::Origin => None,
            Self::Fixed(host) => HeaderValue::from_str(host).ok(),
            Self::Client => client,
        }
    }
}

/// The `[origin]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginSettings {
    /// Hosts and ports to connect to; at least one. Which one a request goes to is for the load to say.
    pub addresses: Vec<Authority>,
    /// How to speak TLS to them; `None` where the scheme is http.
    pub tls: Option<Tls>,
    /// Which Host it sees.
    pub host: HostRule,
    /// How long opening a connection may take, its TLS handshake included.
    pub connect_timeout: Duration,
    /// How long the origin may take until its response's head is there, and between two pieces of its body.
    pub response_timeout: Duration,
    /// How long the whole exchange may take, its body included; `None` for as long as it keeps coming.
    pub total_timeout: Option<Duration>,
    /// How long an idle connection is kept for the next request; below the origin's own limit (gunicorn: 2 s).
    pub idle_timeout: Duration,
    /// Whether a connection that a request's body went over is kept for the next request.
    pub reuse_after_body: bool,
    /// How many field lines the head of an answer may have. Room for all of them is made for every answer.
    pub max_fields: usize,
    /// How many bytes the head of an answer may have.
    pub max_header: usize,
    /// How many requests may be under way to the origin at once; further ones wait their turn within `connect_timeout`.
    pub max_connections: usize,
    /// How its addresses are looked after; `None` where only requests tell.
    pub health: Option<HealthSettings>,
    /// Whether a connection may become a WebSocket where a route does not say otherwise.
    pub upgrade: bool,
    /// How long nothing may move through a tunnel.
    pub tunnel_idle: Duration,
}

/// The `[origin.health]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    /// What is asked for.
    pub path: PathAndQuery,
    /// How long from one check to the next.
    pub interval: Duration,
    /// How long the answer's head may take.
    pub timeout: Duration,
}

impl OriginSettings {
    /// Whether they say the same. With TLS nobody knows: the files that it takes may have been replaced.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.tls.is_none() && other.tls.is_none() && format!("{self:?}") == format!("{other:?}")
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The URL of each address, as one would write it.
    pub fn urls(&self) -> Vec<String> {
        self.addresses.iter().map(|address| format!("{}://{address}", self.scheme())).collect()
    }
}
