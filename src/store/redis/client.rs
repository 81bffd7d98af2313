//! The client as fred is told to be one: a single connection, which is never opened a second time.

use std::time::Duration;

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::config::{
    Config, ConnectionConfig, PerformanceConfig, Server, ServerConfig, TcpConfig, TlsConfig, TlsConnector,
};
use tokio::task::{JoinError, JoinHandle};

use super::outage::{Outage, outage};
use super::url::{Address, Login};
use crate::tls::Tls;

/// How long it may take to get a session, and to get an answer of a sentinel.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The task that moves bytes for a client. It ends with the connection, and the connection ends with it.
pub(super) struct Connection(JoinHandle<Result<(), Error>>);

impl Connection {
    /// Waits for the end, and says what it was.
    pub(super) async fn ended(&mut self) -> Outage {
        why_ended((&mut self.0).await)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The task holds the client, and so itself: dropping the client alone would end nothing.
        self.0.abort();
    }
}

/// Connects and logs in.
pub(super) async fn begin(config: Config) -> Result<(Client, Connection), Outage> {
    // Without a policy fred never connects a second time, and never sends a command twice.
    let client = Client::new(config, Some(performance()), Some(connection_config()), None);
    let mut connection = Connection(client.connect());
    tokio::select! {
        why = connection.ended() => return Err(why),
        ready = client.wait_for_connect() => ready.map_err(|error| outage(&error))?,
    }
    Ok((client, connection))
}

/// A server, and who to be there.
pub(super) fn config(server: ServerConfig, tls: Option<&Tls>, login: &Login, database: u8) -> Config {
    let connector = |tls: &Tls| TlsConfig::from(TlsConnector::Rustls(tls.client().into()));
    Config {
        server,
        tls: tls.map(connector),
        username: login.user.clone(),
        password: login.password.clone(),
        database: (database != 0).then_some(database),
        ..Config::default()
    }
}

/// A server by host and port, known by what the settings of TLS say.
pub(super) fn at(address: &Address, tls: Option<&Tls>) -> ServerConfig {
    let name = tls.and_then(Tls::name).map(|name| name.to_str().into_owned());
    ServerConfig::Centralized { server: Server::new_with_tls(address.host.as_str(), address.port, name) }
}

fn performance() -> PerformanceConfig {
    // `Session::within` bounds every call; fred would arm one more timer for each command of it.
    PerformanceConfig { default_command_timeout: Duration::ZERO, ..PerformanceConfig::default() }
}

fn connection_config() -> ConnectionConfig {
    ConnectionConfig {
        connection_timeout: CONNECT_TIMEOUT,
        internal_command_timeout: CONNECT_TIMEOUT,
        max_command_attempts: 1,
        // fred leaves Nagle's algorithm on, which holds the second of two small writes back for an acknowledgement.
        tcp: TcpConfig { nodelay: Some(true), ..TcpConfig::default() },
        ..ConnectionConfig::default()
    }
}

fn why_ended(end: Result<Result<(), Error>, JoinError>) -> Outage {
    match end {
        Ok(Err(error)) => outage(&error),
        Ok(Ok(())) | Err(_) => Outage::Unreachable("the connection was closed".to_owned()),
    }
}
