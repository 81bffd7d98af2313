//! What the configuration says about listening.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::tls::TlsSettings;

/// `listen`, `[tls]`, `[clients]` and the parts of `[limits]` that concern connections.
#[derive(Clone, Debug, Default)]
pub struct ServerSettings {
    /// Every address to listen on.
    pub listen: Vec<SocketAddr>,
    /// Every unix socket to listen on, by its path, which the first core serves: without TLS and the PROXY protocol.
    pub unix: Vec<PathBuf>,
    /// What its threads are called, each with its number; empty for `core`.
    pub threads: &'static str,
    /// The certificate that every address is served with; `None` for plain HTTP.
    pub tls: Option<TlsSettings>,
    /// Where HTTP/2 is spoken.
    pub http2: Http2,
    /// Whether every connection begins with a header of the PROXY protocol, which then tells the client's address, and in
    /// its version 2 perhaps that the client came over TLS.
    pub proxy_protocol: bool,
    /// Whether every client came over TLS, which ended before this proxy.
    pub secure: bool,
    /// How many cores to use, each with its own runtime and listeners; at least one.
    pub cores: usize,
    /// How many client connections may be open at once.
    pub max_connections: usize,
    /// Whether, when so many are, those that ask nothing make room for who comes, the longest idle first; else who comes
    /// waits. For a server of one core that opens no tunnels.
    pub idle_make_room: bool,
    /// How long a request's head may take to arrive, from its first byte on; and before that, each for itself, the TLS
    /// handshake and the load balancer's header.
    pub header_timeout: Duration,
    /// How long a connection is kept on which nothing is asked.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of its answer.
    pub write_stall: Duration,
    /// How many bytes of answers one connection of HTTP/2 may have on their way.
    pub max_connection_answers: usize,
    /// The largest request head in bytes.
    pub max_header: usize,
    /// How many fields a request may have.
    pub max_fields: usize,
    /// How long requests under way may take to end once the server was told to stop.
    pub shutdown_timeout: Duration,
}

/// How long a request may be on its way when the server is told to stop: clients who keep a connection send one without
/// looking whether the connection is still open.
const LATE: Duration = Duration::from_secs(1);

impl ServerSettings {
    /// Whether a client came over TLS of whom nothing else is known.
    pub fn is_secure(&self) -> bool {
        self.secure || self.tls.is_some()
    }

    /// How long an idle connection is kept once the server was told to stop: at most half of the time that it has.
    pub(super) fn late_wait(&self) -> Duration {
        LATE.min(self.shutdown_timeout / 2)
    }
}

/// Where HTTP/2 is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http2 {
    /// Nowhere.
    Off,
    /// Where the client chooses it in the TLS handshake (ALPN `h2`).
    #[default]
    Tls,
    /// There, and without TLS where the client begins with it (RFC 9113 section 3.3).
    Always,
}

/// What tests start from: one core, no TLS, and limits that nothing reaches.
#[cfg(test)]
pub(super) fn any() -> ServerSettings {
    let long = Duration::from_secs(60);
    ServerSettings {
        listen: Vec::new(),
        unix: Vec::new(),
        threads: "",
        tls: None,
        http2: Http2::Off,
        proxy_protocol: false,
        secure: false,
        cores: 1,
        max_connections: 10,
        idle_make_room: false,
        header_timeout: long,
        idle_timeout: long,
        write_stall: long,
        max_connection_answers: 1 << 20,
        max_header: 16 << 10,
        max_fields: 100,
        shutdown_timeout: Duration::from_secs(2),
    }
}
