//! One connection with Redis from its beginning to its end: how it is opened, its commands bounded in time, and what ends it.

use std::fmt;
use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, HashesInterface, KeysInterface};
use fred::types::config::{Config, ConnectionConfig, PerformanceConfig, ServerConfig, TcpConfig, TlsConnector};
use fred::types::{InfoKind, Value};
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;

use super::codec::META_FIELDS;
use super::layout::{Keys, parse_answer, write_epoch};
use super::scripts::{Arguments, Invalidate, InvalidateAndPut, Put, Renew, Script, Scripts};
use super::url::{Endpoint, RedisUrl};
use crate::store::core::{Fault, Invalidated, PutOutcome, Token, fresh_epoch};

/// How long it may take to get a session.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// So many commands without an answer in time, one after another, end the session.
const LATE_LIMIT: u32 = 3;
/// An error's text from the server is cut here.
const TEXT_LIMIT: usize = 200;

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

impl Outage {
    /// Which of the kinds of an outage it is, as its episode numbers them.
    pub(super) fn kind(&self) -> u8 {
        match self {
            Self::Unreachable(_) => 0,
            Self::Login(_) => 1,
            Self::Replica => 2,
            Self::Unfit(_) => 3,
        }
    }
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

/// One connection, from its beginning to its end. It is never mended: a new one takes its place.
pub(super) struct Session {
    client: Client,
    scripts: Scripts,
    /// The master's replication id: another one means that writes may have been lost.
    pub(super) replid: String,
    timeout: Duration,
    /// Commands in a row that had no answer in time.
    late: AtomicU32,
    ended: OnceLock<Outage>,
    bell: Notify,
}

/// A reply, or nothing where the key holds another type.
type Reply = Option<Value>;

impl Session {
    fn new(client: Client, scripts: Scripts, replid: String, timeout: Duration) -> Self {
        let (late, ended, bell) = (AtomicU32::new(0), OnceLock::new(), Notify::new());
        Self { client, scripts, replid, timeout, late, ended, bell }
    }

    /// Body, meta and record of an entry, read in this order and in one round trip.
    pub(super) async fn read(&self, keys: &Keys, record_fields: Vec<Bytes>) -> Result<[Reply; 3], Fault> {
        let Keys { body, meta, record } = keys;
        // They go out one after another at the first poll, and in one write. Measured per 100,000 with 64 callers: 1.2 CPU
        // seconds, a fred pipeline of the same 1.5; not boxed, where fred's futures of 7 kB each are copied, 1.4.
        let replies = self.within(async {
            tokio::join!(
                Box::pin(self.client.get(body.clone())),
                Box::pin(self.client.hmget(meta.clone(), META_FIELDS.to_vec())),
                Box::pin(self.client.hmget(record.clone(), record_fields)),
            )
        });
        let (body, meta, record) = replies.await?;
        Ok([self.reply(body)?, self.reply(meta)?, self.reply(record)?])
    }

    /// Fields of the app's record.
    pub(super) async fn read_record(&self, record: Bytes, fields: Vec<Bytes>) -> Result<Reply, Fault> {
        let reply = self.within(Box::pin(self.client.hmget(record, fields))).await?;
        self.reply(reply)
    }

    /// Stores a fill. Answers with what became of it.
    pub(super) async fn put(&self, put: Put) -> Result<PutOutcome, Fault> {
        let answer = self.run(&self.scripts.put, put).await?;
        match answer.as_str() {
            "stored" => Ok(PutOutcome::Stored),
            "raced" => Ok(PutOutcome::RacedWrite),
            "newer" => Ok(PutOutcome::NewerFill),
            "gone" => Ok(PutOutcome::Gone),
            _ => Err(strange(&answer)),
        }
    }

    /// Makes sure that the app has a record, and reads its token.
    pub(super) async fn renew(&self, record_key: Bytes) -> Result<Token, Fault> {
        let renew = Renew { record_key, fresh_epoch: write_epoch(fresh_epoch()).into() };
        let answer = self.run(&self.scripts.renew, renew).await?;
        Ok(parse_answer(&answer).ok_or_else(|| strange(&answer))?.0)
    }

    /// Invalidates tags. A session that cannot do that ends.
    pub(super) async fn invalidate(&self, invalidate: Invalidate) -> Result<Invalidated, Fault> {
        self.or_end(self.try_invalidate(invalidate).await)
    }

    async fn try_invalidate(&self, invalidate: Invalidate) -> Result<Invalidated, Fault> {
        let answer = self.run(&self.scripts.invalidate, invalidate).await?;
        let (token, alone) = parse_answer(&answer).ok_or_else(|| strange(&answer))?;
        Ok(Invalidated { token, alone: alone == "1" })
    }

    /// Invalidates tags and puts an entry in the same step. Where there is no room for it nothing is done; a session that
    /// cannot do it at all ends.
    pub(super) async fn invalidate_and_put(
        &self,
        both: InvalidateAndPut,
    ) -> Result<(Invalidated, Result<PutOutcome, Fault>), Fault> {
        let answer = match self.run(&self.scripts.invalidate_and_put, both).await {
            Err(Fault::Full) => return Err(Fault::Full),
            answer => self.or_end(answer)?,
        };
        let read = parse_answer(&answer).and_then(|(token, rest)| Some((token, rest.split_once(' ')?)));
        let (token, (alone, outcome)) = self.or_end(read.ok_or_else(|| strange(&answer)))?;
        let outcome = match outcome {
            "stored" => Ok(PutOutcome::Stored),
            "raced" => Ok(PutOutcome::RacedWrite),
            _ => Err(strange(&answer)),
        };
        Ok((Invalidated { token, alone: alone == "1" }, outcome))
    }

    /// Ends the session that an invalidation failed in.
    fn or_end<T>(&self, invalidated: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault) = &invalidated {
            let text = format!("an invalidation failed: {fault}");
            self.end(match fault {
                Fault::Full | Fault::Refused(_) => Outage::Unfit(text),
                Fault::Down | Fault::Timeout => Outage::Unreachable(text),
            });
        }
        invalidated
    }

    /// Ends the session if it is no longer with the master that it began with.
    pub(super) async fn look(&self) -> Result<(), Outage> {
        let info = self.within(Box::pin(self.client.info::<String>(Some(InfoKind::Replication)))).await;
        // A late answer or an error is counted, and may have ended the session.
        let Ok(Ok(info)) = info.map(|info| info.map_err(|error| self.fault(&error))) else { return Ok(()) };
        if master_replid(&info)? == self.replid {
            Ok(())
        } else {
            Err(Outage::Unreachable("its replication id has changed".to_owned()))
        }
    }

    /// Whether it can still be used.
    pub(super) fn is_open(&self) -> bool {
        self.ended.get().is_none()
    }

    /// Ends the session; only the first reason counts.
    pub(super) fn end(&self, why: Outage) {
        if self.ended.set(why).is_ok() {
            self.bell.notify_one();
        }
    }

    /// Waits until somebody has ended the session.
    pub(super) async fn ended(&self) -> Outage {
        loop {
            if let Some(why) = self.ended.get() {
                return why.clone();
            }
            self.bell.notified().await;
        }
    }

    async fn run<A: Arguments>(&self, script: &Script<A>, arguments: A) -> Result<String, Fault> {
        let answer = self.within(Box::pin(script.run(&self.client, &self.replid, arguments))).await?;
        answer.map_err(|error| self.fault(&error))
    }

    /// Gives a command its time.
    async fn within<T>(&self, command: impl Future<Output = T>) -> Result<T, Fault> {
        if let Ok(answer) = tokio::time::timeout(self.timeout, command).await {
            self.late.store(0, Ordering::Relaxed);
            return Ok(answer);
        }
        if self.late.fetch_add(1, Ordering::Relaxed) + 1 >= LATE_LIMIT {
            let text = format!("it did not answer within {:?}, {LATE_LIMIT} times in a row", self.timeout);
            self.end(Outage::Unreachable(text));
        }
        Err(Fault::Timeout)
    }

    fn reply(&self, reply: Result<Value, Error>) -> Result<Reply, Fault> {
        match reply {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.details().starts_with("WRONGTYPE") => Ok(None),
            Err(error) => Err(self.fault(&error)),
        }
    }

    /// What an error means, for the caller and for the session.
    fn fault(&self, error: &Error) -> Fault {
        let text = error.details();
        if !is_reply(text) {
            self.end(outage(error));
            return if *error.kind() == ErrorKind::Timeout { Fault::Timeout } else { Fault::Down };
        }
        if text.contains("OOM command not allowed") {
            return Fault::Full;
        }
        // The server is another one than it was when the session began, or is about to be.
        if ["READONLY", "LOADING", "MASTERDOWN", "NOAUTH"].iter().any(|code| text.starts_with(code)) {
            self.end(outage(error));
        }
        Fault::Refused(plain(text))
    }
}

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
    let replid = master_replid(&info)?;
    Ok((Session::new(client, scripts, replid, time), connection))
}

async fn connect(url: &RedisUrl, write: bool) -> Result<(Client, Connection, Scripts), Outage> {
    // Without a policy fred never connects a second time, and never sends a command twice.
    let client = Client::new(config(url)?, Some(performance()), Some(connection_config()), None);
    let mut connection = Connection(client.connect());
    tokio::select! {
        why = connection.ended() => return Err(why),
        ready = client.wait_for_connect() => ready.map_err(|error| outage(&error))?,
    }
    master_replid(&replication(&client).await?)?;
    let flags = client.server_version().is_some_and(|version| version.major >= 7);
    let scripts =
        if write { Scripts::load(&client, flags).await.map_err(|error| outage(&error))? } else { Scripts::default() };
    Ok((client, connection, scripts))
}

async fn replication(client: &Client) -> Result<String, Outage> {
    client.info(Some(InfoKind::Replication)).await.map_err(|error| outage(&error))
}

/// The replication id that `INFO replication` names, if it is a master's.
fn master_replid(info: &str) -> Result<String, Outage> {
    let line = |name| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if line("role:") != Some("master") {
        return Err(Outage::Replica);
    }
    let replid = line("master_replid:").filter(|replid| !replid.is_empty());
    replid.map(str::to_owned).ok_or_else(|| Outage::Unfit("INFO replication names no master_replid".to_owned()))
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

fn strange(answer: &str) -> Fault {
    Fault::Refused(format!("a script answered {}", plain(answer)))
}

/// Whether an error is the server's answer, which begins with a code in capitals, and not the client's own.
fn is_reply(text: &str) -> bool {
    let code = text.split(' ').next().unwrap_or_default();
    code.len() > 1 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Why Redis cannot be used, by an error of the client or the server.
fn outage(error: &Error) -> Outage {
    let text = error.details();
    let login = ["NOAUTH", "WRONGPASS", "ERR AUTH", "ERR invalid password", "ERR invalid username"];
    if *error.kind() == ErrorKind::Auth || login.iter().any(|code| text.starts_with(code)) {
        Outage::Login(plain(text))
    } else if is_reply(text) && !["LOADING", "MASTERDOWN", "BUSY"].iter().any(|code| text.starts_with(code)) {
        Outage::Unfit(plain(text))
    } else {
        Outage::Unreachable(plain(text))
    }
}

/// An error's text for people: fred prints I/O errors as Rust does, with the message inside.
fn plain(text: &str) -> String {
    let message = text.split_once("message: \"").and_then(|(_, rest)| rest.split_once('"'));
    let text = message.map_or(text, |(message, _)| message).trim_end_matches('.');
    text.chars().filter(|character| !character.is_control()).take(TEXT_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_master_will_do() {
        assert_eq!(master_replid("# Replication\r\nrole:master\r\nmaster_replid:f00d\r\n"), Ok("f00d".to_owned()));
        assert_eq!(master_replid("role:slave\r\nmaster_replid:f00d\r\n"), Err(Outage::Replica));
        assert!(matches!(master_replid("role:master\r\n"), Err(Outage::Unfit(_))));
    }

    #[test]
    fn errors_of_the_server_are_told_from_those_of_the_client() {
        for text in ["ERR unknown command", "WRONGTYPE Operation", "OOM command not allowed", "NOAUTH"] {
            assert!(is_reply(text), "{text}");
        }
        for text in ["Connection closed.", "channel closed", "Request timed out.", "", "Os { code: 111 }"] {
            assert!(!is_reply(text), "{text}");
        }
    }

    #[test]
    fn texts_are_made_plain() {
        let text = r#"Os { code: 111, kind: ConnectionRefused, message: "Connection refused" }"#;
        assert_eq!(plain(text), "Connection refused");
        assert_eq!(plain("Connection closed."), "Connection closed");
        assert_eq!(plain("a\r\nb"), "ab");
        assert_eq!(plain(&"x".repeat(1000)).len(), TEXT_LIMIT);
    }
}
