//! One core's session with Redis: commands bounded in number and in time, and a circuit that opens when they fail.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, HashesInterface, KeysInterface};
use fred::types::{InfoKind, Value};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use super::RedisNode;
use super::codec::META_FIELDS;
use super::layout::{Keys, parse_answer, write_epoch};
use super::report::Outage;
use super::scripts::{Script, Scripts};
use crate::rules::Tag;
use crate::store::core::{
    FOLDED_AT_ONCE, Fault, Invalidated, Otherwise, PutOutcome, Since, TAG_LIMIT, Token, fresh_epoch,
};

/// Commands that a core may have under way; a fill takes one more for every 16 KiB of its body, 64 MiB in all.
const PERMITS: u32 = 4096;
const BYTES_PER_PERMIT: usize = 16 << 10;
/// So many commands without an answer in time, one after another, end the session.
const LATE_LIMIT: u32 = 3;
/// An error's text from the server is cut here.
const TEXT_LIMIT: usize = 200;

/// A core's way to Redis. Without a session every call answers at once; nothing queues.
pub(super) struct Link {
    pub(super) node: Arc<RedisNode>,
    session: ArcSwapOption<Session>,
    permits: Semaphore,
}

impl Link {
    pub(super) fn new(node: Arc<RedisNode>) -> Self {
        Self { node, session: ArcSwapOption::empty(), permits: Semaphore::new(PERMITS as usize) }
    }

    /// The session, if there is one that may be used.
    pub(super) fn session(&self) -> Result<Arc<Session>, Fault> {
        self.session.load_full().filter(|session| session.ended.get().is_none()).ok_or(Fault::Down)
    }

    /// Gives the session to everybody on this core.
    pub(super) fn publish(&self, session: Arc<Session>) {
        self.session.store(Some(session));
    }

    /// Takes the session away; false if there was none.
    pub(super) fn withdraw(&self) -> bool {
        self.session.swap(None).is_some()
    }

    /// A place among the commands under way, for a value of so many bytes.
    pub(super) fn permit(&self, bytes: usize) -> Result<SemaphorePermit<'_>, Fault> {
        let wanted = u32::try_from(bytes / BYTES_PER_PERMIT + 1).unwrap_or(u32::MAX);
        // One fill that is larger than all together may pass alone.
        self.permits.try_acquire_many(wanted.min(PERMITS)).map_err(|_| Fault::Down)
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
    pub(super) fn new(client: Client, scripts: Scripts, replid: String, timeout: Duration) -> Self {
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

    /// Stores a fill; `args` as the script takes them after the replication id. Answers with what became of it.
    pub(super) async fn put(&self, keys: Keys, args: impl IntoIterator<Item = Bytes>) -> Result<String, Fault> {
        let args = std::iter::once(self.replid.clone().into()).chain(args.into_iter().map(Value::Bytes));
        self.run(&self.scripts.put, vec![keys.body, keys.meta, keys.record], args.collect()).await
    }

    /// Makes sure that the app has a record, and reads its token.
    pub(super) async fn renew(&self, record: Bytes) -> Result<Token, Fault> {
        let args = vec![self.replid.clone().into(), write_epoch(fresh_epoch()).into()];
        let answer = self.run(&self.scripts.renew, vec![record], args).await?;
        Ok(parse_answer(&answer).ok_or_else(|| strange(&answer))?.0)
    }

    /// Makes tags old, or everything. A session that cannot do that ends.
    pub(super) async fn invalidate(
        &self,
        record: Bytes,
        whole: bool,
        tags: &[Tag],
        since: Option<&Since>,
    ) -> Result<Invalidated, Fault> {
        self.or_end(self.try_invalidate(record, whole, tags, since).await)
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

    async fn try_invalidate(
        &self,
        record: Bytes,
        whole: bool,
        tags: &[Tag],
        since: Option<&Since>,
    ) -> Result<Invalidated, Fault> {
        let (epoch, seq) =
            since.map_or_else(Default::default, |since| (write_epoch(since.token.epoch), since.token.seq.to_string()));
        let head = [
            self.replid.clone(),
            write_epoch(fresh_epoch()),
            u8::from(whole).to_string(),
            epoch,
            seq,
            limits(),
            tags.len().to_string(),
        ];
        let args = head.into_iter().map(Value::from).chain(texts(tags, since));
        let answer = self.run(&self.scripts.invalidate, vec![record], args.collect()).await?;
        let (token, alone) = parse_answer(&answer).ok_or_else(|| strange(&answer))?;
        Ok(Invalidated { token, alone: alone == "1" })
    }

    /// Makes tags old and puts an entry in the same step; `entry` as the script takes it. Where there is no room for it
    /// nothing is done; a session that cannot do it at all ends.
    pub(super) async fn invalidate_and_put(
        &self,
        keys: Keys,
        tags: &[Tag],
        since: &Since,
        otherwise: Otherwise,
        entry: impl IntoIterator<Item = Bytes>,
    ) -> Result<(Invalidated, Result<PutOutcome, Fault>), Fault> {
        let head = [
            self.replid.clone(),
            write_epoch(fresh_epoch()),
            write_epoch(since.token.epoch),
            since.token.seq.to_string(),
            limits(),
            u8::from(otherwise == Otherwise::Invalidate).to_string(),
        ];
        let entry = entry.into_iter().map(Value::Bytes).chain([tags.len().to_string().into()]);
        let args = head.into_iter().map(Value::from).chain(entry).chain(texts(tags, Some(since)));
        let keys = vec![keys.body, keys.meta, keys.record];
        let answer = match self.run(&self.scripts.invalidate_and_put, keys, args.collect()).await {
            Err(Fault::Full) => return Err(Fault::Full),
            answer => self.or_end(answer)?,
        };
        let read = parse_answer(&answer).and_then(|(token, rest)| Some((token, rest.split_once(' ')?)));
        let (token, (alone, kept)) = self.or_end(read.ok_or_else(|| strange(&answer)))?;
        let kept = match kept {
            "stored" => Ok(PutOutcome::Stored),
            "raced" => Ok(PutOutcome::RacedWrite),
            _ => Err(strange(&answer)),
        };
        Ok((Invalidated { token, alone: alone == "1" }, kept))
    }

    /// What `INFO replication` says.
    pub(super) async fn replication(&self) -> Result<String, Fault> {
        let info = self.within(Box::pin(self.client.info(Some(InfoKind::Replication)))).await?;
        info.map_err(|error| self.fault(&error))
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

    async fn run(&self, script: &Script, keys: Vec<Bytes>, args: Vec<Value>) -> Result<String, Fault> {
        let answer = self.within(Box::pin(script.run(&self.client, keys, args))).await?;
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

/// How many tags are listed, as the scripts take it.
fn limits() -> String {
    format!("{TAG_LIMIT} {FOLDED_AT_ONCE}")
}

/// The tags that are made old, then those that are watched.
fn texts<'a>(tags: &'a [Tag], since: Option<&'a Since>) -> impl Iterator<Item = Value> {
    tags.iter().chain(since.map_or(&[][..], |since| &since.watched)).map(|tag| tag.as_str().into())
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
pub(super) fn outage(error: &Error) -> Outage {
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
