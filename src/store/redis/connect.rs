//! How a session is opened: where the server is, and what is asked of it before anybody uses it.

use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::InfoKind;
use fred::types::config::ServerConfig;
use tokio::time::timeout;

use super::client::{CONNECT_TIMEOUT, Connection, at, begin, config};
use super::layout::Layout;
use super::outage::{Outage, outage};
use super::rights::Lacking;
use super::scripts::Scripts;
use super::sentinel;
use super::session::{Master, Session};
use super::url::{Address, Endpoint, RedisUrl};

/// Opens a session with a master that answers each command in this time. One that is to write under these names has its
/// rights looked at; one without is given no scripts.
pub(super) async fn open(
    url: &RedisUrl,
    time: Duration,
    writes: Option<&Layout>,
) -> Result<(Session, Connection), Outage> {
    if url.is_secure() && url.tls.is_none() {
        return Err(Outage::Unfit("nobody has said how TLS is spoken".to_owned()));
    }
    let (server, named) = match &url.endpoint {
        Endpoint::Tcp { address, .. } => (at(address, url.tls.as_deref()), None),
        Endpoint::Unix(path) => (ServerConfig::Unix { path: path.clone() }, None),
        Endpoint::Sentinel { sentinels, name, .. } => {
            let master = sentinel::master(url, sentinels, name).await?;
            (at(&master, url.tls.as_deref()), Some(master))
        }
    };
    let opened = open_at(server, url, time, writes).await;
    let (mut session, connection) = opened.map_err(|why| of_sentinel(why, named.as_ref()))?;
    session.named = named;
    Ok((session, connection))
}

/// Why the server cannot be used that the sentinels have named.
fn of_sentinel(why: Outage, named: Option<&Address>) -> Outage {
    match (why, named) {
        (Outage::Replica, Some(address)) => Outage::Sentinel(format!(
            "its sentinels name {address}, which is no master: either a failover is under way, or they are mistaken"
        )),
        (Outage::Unreachable(text), Some(address)) => Outage::Unreachable(format!("its master {address}: {text}")),
        (why, _) => why,
    }
}

async fn open_at(
    server: ServerConfig,
    url: &RedisUrl,
    time: Duration,
    writes: Option<&Layout>,
) -> Result<(Session, Connection), Outage> {
    let over = if url.is_secure() { " over TLS" } else { "" };
    let late = |_| Outage::Unreachable(format!("no connection{over} within {CONNECT_TIMEOUT:?}"));
    let (client, connection, scripts) =
        timeout(CONNECT_TIMEOUT, connect(server, url, writes)).await.map_err(late)??;

    // The last question is also the test whether it answers as fast as every later command has to be answered.
    let late = |_| Outage::Unreachable(format!("it takes longer to answer than [store] timeout, {time:?}"));
    let info = timeout(time, replication(&client)).await.map_err(late)??;
    Ok((Session::new(client, scripts, Master::of(&info)?, time), connection))
}

async fn connect(
    server: ServerConfig,
    url: &RedisUrl,
    writes: Option<&Layout>,
) -> Result<(Client, Connection, Scripts), Outage> {
    let (client, connection) = begin(config(server, url.tls.as_deref(), &url.login, url.database)).await?;
    Master::of(&replication(&client).await?)?;
    let Some(layout) = writes else { return Ok((client, connection, Scripts::default())) };
    let flags = client.server_version().is_some_and(|version| version.major >= 7);
    let (scripts, lacking) = tokio::join!(Scripts::load(&client, flags), Lacking::find(&client, layout));
    lacking?.or_nothing(url.login.user.as_deref())?;
    Ok((client, connection, scripts.map_err(|error| outage(&error))?))
}

async fn replication(client: &Client) -> Result<String, Outage> {
    client.info(Some(InfoKind::Replication)).await.map_err(|error| outage(&error))
}
