//! How a session is opened: the client, as fred is told to be one, and what is asked of the server before anybody uses it.

use std::time::Duration;

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::InfoKind;
use fred::types::config::{Config, ConnectionConfig, PerformanceConfig, ServerConfig, TcpConfig, TlsConnector};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;

use super::outage::{Outage, outage};
use super::scripts::Scripts;
use super::session::{Master, Session};
use super::url::{Endpoint, RedisUrl};

/// How long it may take to get a session.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

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

/// Opens a session with a master that answers each command in this time; one that does not `write` is given no scripts.
pub(super) async fn open(url: &RedisUrl, time: Duration, write: bool) -> Result<(Session, Connection), Outage> {
    let late = |_| Outage::Unreachable(format!("no connection within {CONNECT_TIMEOUT:?}"));
    let (client, connection, scripts) = timeout(CONNECT_TIMEOUT, connect(url, write)).await.map_err(late)??;

    // The last question is also the test whether it answers as fast as every later command has to be answered.
    let late = |_| Outage::Unreachable(format!("it takes longer to answer than [store] timeout, {time:?}"));
    let info = timeout(time, replication(&client)).await.map_err(late)??;
    Ok((Session::new(client, scripts, Master::of(&info)?, time), connection))
}

async fn connect(url: &RedisUrl, write: bool) -> Result<(Client, Connection, Scripts), Outage> {
    // Without a policy fred never connects a second time, and never sends a command twice.
    let client = Client::new(config(url)?, Some(performance()), Some(connection_config()), None);
    let mut connection = Connection(client.connect());
    tokio::select! {
        why = connection.ended() => return Err(why),
        ready = client.wait_for_connect() => ready.map_err(|error| outage(&error))?,
    }
    Master::of(&replication(&client).await?)?;
    let flags = client.server_version().is_some_and(|version| version.major >= 7);
    let scripts =
        if write { Scripts::load(&client, flags).await.map_err(|error| outage(&error))? } else { Scripts::default() };
    Ok((client, connection, scripts))
}

async fn replication(client: &Client) -> Result<String, Outage> {
    client.info(Some(InfoKind::Replication)).await.map_err(|error| outage(&error))
}

fn config(url: &RedisUrl) -> Result<Config, Outage> {
    let server = match &url.endpoint {
        Endpoint::Tcp { host, port, .. } => ServerConfig::new_centralized(host, *port),
        Endpoint::Unix(path) => ServerConfig::Unix { path: path.clone() },
    };
    let tls = match &url.endpoint {
        Endpoint::Tcp { tls: true, .. } => Some(TlsConnector::default_rustls().map_err(|error| outage(&error))?.into()),
        _ => None,
    };
    Ok(Config {
        server,
        tls,
        username: url.user.clone(),
        password: url.password.clone(),
        database: (url.database != 0).then_some(url.database),
        ..Config::default()
    })
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
