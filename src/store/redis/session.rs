//! One connection with Redis from its beginning to its end: its commands bounded in time, and what ends it.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, HashesInterface, KeysInterface, ServerInterface};
use fred::types::{CustomCommand, InfoKind, Value};
use futures_util::future::join_all;
use tokio::sync::Notify;
use xxhash_rust::xxh3::xxh3_64;

use super::arguments::{
    Arguments, Call, Hold, Invalidate, InvalidateAndPut, LookAround, MarkWrite, Put, Renew, Unmark,
};
use super::batch::{Questions, Reply, Verdict};
use super::codec::{META_FIELDS, SUM};
use super::copies::EntryCopy;
use super::layout::{Control, Keys, parse_answer};
use super::outage::{Outage, is_reply, outage, plain};
use super::scripts::{Script, Scripts};
use super::url::Address;
use crate::store::change::Unfinished;
use crate::store::core::{Fault, Invalidated, PutOutcome, Token};
use crate::store::lease::ServerId;

/// After so many commands without an answer in time, one after another, further ones are not sent before it is seen that
/// there are answers again.
const LATE_LIMIT: u32 = 3;
/// For how long that is looked for; after that the connection is taken for dead. Shorter than writes wait for one.
const SILENCE_LIMIT: Duration = Duration::from_secs(2);

/// A field that no record has.
const NO_FIELD: &str = "-";

/// Asks for the server's clock.
fn time() -> CustomCommand {
    CustomCommand::new_static("TIME", None::<u16>, false)
}

/// One connection, from its beginning to its end. It is never mended: a new one takes its place.
pub(super) struct Session {
    client: Client,
    scripts: Scripts,
    /// The master's replication id: another one means that writes may have been lost.
    pub(super) replid: String,
    /// How many replicas the master had when the session began.
    pub(super) replicas: u32,
    /// The replication id as a number.
    pub(super) server: ServerId,
    /// Where its sentinels have this master, if it has any.
    pub(super) named: Option<Address>,
    /// Whether nobody is answered from it: its user may have no right to write.
    pub(super) only_looks: bool,
    timeout: Duration,
    /// Commands in a row that had no answer in time.
    late: AtomicU32,
    ended: OnceLock<Outage>,
    /// Rings when the session has ended, and when answers are late.
    bell: Notify,
    /// About copies.
    questions: Questions,
}

/// A command that is sent when it is polled for the first time.
type Command<'c> = Pin<Box<dyn Future<Output = Result<Value, Error>> + Send + 'c>>;

impl Session {
    pub(super) fn new(client: Client, scripts: Scripts, master: Master, timeout: Duration) -> Self {
        let (late, ended, bell, questions) = (AtomicU32::new(0), OnceLock::new(), Notify::new(), Questions::default());
        let Master { replid, replicas } = master;
        let server = ServerId(xxh3_64(replid.as_bytes()));
        Self {
            client,
            scripts,
            replid,
            replicas,
            server,
            named: None,
            only_looks: false,
            timeout,
            late,
            ended,
            bell,
            questions,
        }
    }

    /// What is sent after reads, to be sure that a master has answered them: a replica refuses it. It changes nothing, for no
    /// record has that field.
    ///
    /// A master that becomes a replica keeps its connections, and what it has may be replaced by what its new master has, which
    /// may lack the last invalidations. The record is still one of this session's master then.
    fn prove(&self, record: Bytes) -> Command<'_> {
        if self.only_looks { Box::pin(ready(Ok(Value::Null))) } else { Box::pin(self.client.hdel(record, NO_FIELD)) }
    }

    /// Body, meta and record of an entry, read in this order and in one round trip.
    pub(super) async fn read(&self, keys: &Keys, record: &Bytes, fields: Vec<Bytes>) -> Result<[Reply; 3], Fault> {
        let Keys { body, meta } = keys;
        // They go out one after another at the first poll, and in one write. Measured per 100,000 with 64 callers: 1.2 CPU
        // seconds, a fred pipeline of the same 1.5; not boxed, where fred's futures of 7 kB each are copied, 1.4.
        let replies = self.within(async {
            tokio::join!(
                Box::pin(self.client.get(body.clone())),
                Box::pin(self.client.hmget(meta.clone(), META_FIELDS.to_vec())),
                Box::pin(self.client.hmget(record.clone(), fields)),
                self.prove(record.clone()),
            )
        });
        let (body, meta, record, proof) = replies.await?;
        self.reply(proof)?;
        Ok([self.reply(body)?, self.reply(meta)?, self.reply(record)?])
    }

    /// Whether Redis has what this is a copy of, and what the record under this key says of all its tags: read after this is
    /// asked, the record last, and in one round trip with what others ask meanwhile.
    pub(super) async fn validate(self: &Arc<Self>, copy: &Arc<EntryCopy>, record: &Bytes) -> Verdict {
        let (verdict, begins) = self.questions.ask(copy);
        if begins {
            // It runs after all that is ready to run now, so that the lookups among that are in the batch.
            tokio::spawn(Arc::clone(self).validate_batch(record.clone()));
        }
        verdict.await.unwrap_or(Err(Fault::Down))
    }

    /// Asks what a batch of lookups want to know. None of them is left without an answer if one of them goes.
    async fn validate_batch(self: Arc<Self>, record: Bytes) {
        let batch = self.questions.take();
        let mut commands: Vec<Command<'_>> = Vec::with_capacity(2 * batch.len() + 1);
        for EntryCopy { entry, keys: Keys { body, meta }, .. } in batch.copies() {
            // Of an empty body the length would not tell whether it is there: it is read.
            let body: Command<'_> = if entry.body.is_empty() {
                Box::pin(self.client.get(body.clone()))
            } else {
                Box::pin(self.client.strlen(body.clone()))
            };
            commands.push(body);
            commands.push(Box::pin(self.client.hmget(meta.clone(), SUM)));
        }
        commands.push(Box::pin(self.client.hmget(record.clone(), batch.record_fields())));
        commands.push(self.prove(record));
        let replies = self.within(join_all(commands)).await.and_then(|mut replies| {
            self.reply(replies.pop().unwrap_or(Ok(Value::Null)))?;
            Ok(replies)
        });
        batch.answer(replies.map(|replies| replies.into_iter().map(|reply| self.reply(reply)).collect()), &self.replid);
    }

    /// Fields of the app's record.
    pub(super) async fn read_record(&self, record: &Bytes, fields: Vec<Bytes>) -> Result<Reply, Fault> {
        let replies = self.within(async {
            tokio::join!(Box::pin(self.client.hmget(record.clone(), fields)), self.prove(record.clone()))
        });
        let (values, proof) = replies.await?;
        self.reply(proof)?;
        self.reply(values)
    }

    /// The meta of an entry.
    pub(super) async fn read_meta(&self, meta: Bytes) -> Result<Reply, Fault> {
        let reply = self.within(Box::pin(self.client.hmget(meta, META_FIELDS.to_vec()))).await?;
        self.reply(reply)
    }

    /// One step of a scan: where the next one begins, `0` after the last one, and the keys that were found.
    pub(super) async fn scan(
        &self,
        cursor: String,
        pattern: String,
        count: u32,
    ) -> Result<(String, Vec<Bytes>), Fault> {
        let step = Box::pin(self.client.scan_page(cursor, pattern, Some(count), None));
        self.within(step).await?.map_err(|error| self.fault(&error))
    }

    /// Stores a fill. Answers with what became of it.
    pub(super) async fn put(&self, put: Put) -> Result<PutOutcome, Fault> {
        let answer = self.run(&self.scripts.put, put).await?;
        match answer.as_str() {
            "stored" => Ok(PutOutcome::Stored),
            "raced" => Ok(PutOutcome::RacedWrite),
            "held" => Ok(PutOutcome::Held),
            "newer" => Ok(PutOutcome::NewerFill),
            "gone" => Ok(PutOutcome::Gone),
            _ => Err(strange(&answer)),
        }
    }

    /// Makes sure that the app has a record, and reads its token.
    pub(super) async fn renew(&self, keys: Control) -> Result<Token, Fault> {
        let answer = self.run(&self.scripts.renew, Renew::of(keys)).await?;
        Ok(parse_answer(&answer).ok_or_else(|| strange(&answer))?.0)
    }

    /// Invalidates tags. A session that cannot do that ends.
    pub(super) async fn invalidate(&self, invalidate: Invalidate) -> Result<Invalidated, Fault> {
        let answer = self.run(&self.scripts.invalidate, invalidate).await;
        self.or_end(answer.and_then(|answer| invalidated(&answer)))
    }

    /// Holds what a write of unknown outcome may have changed. A session that cannot do that ends.
    pub(super) async fn hold(&self, hold: Hold) -> Result<Invalidated, Fault> {
        let answer = self.run(&self.scripts.hold, hold).await;
        self.or_end(answer.and_then(|answer| invalidated(&answer)))
    }

    /// Notes a write that is about to be forwarded; false if there are too many of them.
    pub(super) async fn mark(&self, mark: MarkWrite) -> Result<bool, Fault> {
        let answer = self.run(&self.scripts.mark, mark).await?;
        match answer.as_str() {
            "noted" => Ok(true),
            "full" => Ok(false),
            _ => Err(strange(&answer)),
        }
    }

    /// Ends the mark of a write that has changed nothing.
    pub(super) async fn unmark(&self, unmark: Unmark) -> Result<(), Fault> {
        self.run(&self.scripts.unmark, unmark).await.map(drop)
    }

    /// Which writes of others are under way, and whether what was asked about may still be changed.
    pub(super) async fn unfinished(&self, look: LookAround) -> Result<Unfinished, Fault> {
        let answer = self.run(&self.scripts.unfinished, look).await?;
        let mut words = answer.split(' ');
        let concerns = words.next() != Some("0");
        Ok(Unfinished { concerns, others: words.map(str::to_owned).collect() })
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
        let invalidated = self.or_end(invalidated(&answer))?;
        let outcome = match answer.splitn(5, ' ').last() {
            Some("stored") => Ok(PutOutcome::Stored),
            Some("raced") => Ok(PutOutcome::RacedWrite),
            Some("held") => Ok(PutOutcome::Held),
            _ => Err(strange(&answer)),
        };
        Ok((invalidated, outcome))
    }

    /// Ends the session that an invalidation failed in.
    fn or_end<T>(&self, invalidated: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault @ (Fault::Full | Fault::Refused(_))) = &invalidated {
            self.end(Outage::Unfit(format!("an invalidation failed: {fault}")));
        }
        invalidated
    }

    /// Ends the session if it is no longer with the master that it began with.
    pub(super) async fn look(&self) -> Result<(), Outage> {
        let info = self.within(Box::pin(self.client.info::<String>(Some(InfoKind::Replication)))).await;
        // A late answer or an error is counted, and may have ended the session.
        let Ok(Ok(info)) = info.map(|info| info.map_err(|error| self.fault(&error))) else { return Ok(()) };
        if Master::of(&info)?.replid == self.replid {
            Ok(())
        } else {
            Err(Outage::Unreachable("its replication id has changed".to_owned()))
        }
    }

    /// Waits until so many replicas have all that was written in this session, at most for this time. Comes back with how
    /// many have; fewer than were asked for when the time is over. The connection does nothing else meanwhile.
    pub(super) async fn wait_replicas(&self, count: u32, time: Duration) -> Result<u32, Fault> {
        // Zero would be for ever.
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX).max(1);
        let waiting = Box::pin(self.client.wait::<u32>(count.into(), millis));
        let Ok(confirmed) = tokio::time::timeout(time + self.timeout, waiting).await else {
            return Err(Fault::Timeout);
        };
        confirmed.map_err(|error| self.fault(&error))
    }

    /// Whether it can be used now.
    pub(super) fn is_open(&self) -> bool {
        self.ended.get().is_none() && !self.is_late()
    }

    /// Whether answers are so late that nothing more is sent.
    fn is_late(&self) -> bool {
        self.late.load(Ordering::Relaxed) >= LATE_LIMIT
    }

    /// Waits until answers are so late that nothing more is sent, and then until there are some again. A hiccup is not an
    /// outage: the connection stays. Comes back with the end of the session where that is one.
    pub(super) async fn hiccup(&self) -> Option<Outage> {
        while !self.is_late() {
            if let Some(why) = self.ended.get() {
                return Some(why.clone());
            }
            self.bell.notified().await;
        }
        let asked = Box::pin(self.client.custom::<Value, Value>(time(), Vec::new()));
        match tokio::time::timeout(SILENCE_LIMIT, asked).await {
            Ok(answer) => {
                self.late.store(0, Ordering::Relaxed);
                if let Err(error) = answer {
                    self.fault(&error);
                }
                self.ended.get().cloned()
            }
            Err(_) => Some(Self::silence()),
        }
    }

    /// Why a session is given up that is not answered on.
    pub(super) fn silence() -> Outage {
        Outage::Unreachable(format!("it did not answer within {SILENCE_LIMIT:?}"))
    }

    /// What the server's clock says, in milliseconds.
    pub(super) async fn time(&self) -> Result<u64, Outage> {
        let asked = Box::pin(self.client.custom::<Vec<u64>, Value>(time(), Vec::new()));
        let asked = tokio::time::timeout(SILENCE_LIMIT, asked).await;
        match asked.map_err(|_| Self::silence())?.map_err(|error| outage(&error))?.as_slice() {
            [seconds, micros] => Ok(seconds.saturating_mul(1_000).saturating_add(micros / 1_000)),
            _ => Err(Outage::Unfit("it answered TIME with something else".to_owned())),
        }
    }

    /// Calls the registry, and waits for as long as it takes.
    pub(super) async fn call(&self, call: Call) -> Result<String, Outage> {
        let answer = Box::pin(self.scripts.call.run(&self.client, &self.replid, call)).await;
        answer.map_err(|error| outage(&error))
    }

    /// Ends the session; only the first reason counts.
    pub(super) fn end(&self, why: Outage) {
        if self.ended.set(why).is_ok() {
            self.bell.notify_one();
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
        if self.late.fetch_add(1, Ordering::Relaxed) + 1 == LATE_LIMIT {
            self.bell.notify_one();
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

/// What `INFO replication` says of a master.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Master {
    pub(super) replid: String,
    /// How many replicas are connected.
    pub(super) replicas: u32,
}

impl Master {
    /// Reads that, if it is a master's.
    pub(super) fn of(info: &str) -> Result<Self, Outage> {
        let line = |name| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        if line("role:") != Some("master") {
            return Err(Outage::Replica);
        }
        let Some(replid) = line("master_replid:").filter(|replid| !replid.is_empty()) else {
            return Err(Outage::Unfit("INFO replication names no master_replid".to_owned()));
        };
        // One that is still being given a copy of everything confirms nothing.
        let online = |line: &&str| line.starts_with("slave") && line.contains(",state=online,");
        let replicas = u32::try_from(info.lines().filter(online).count()).unwrap_or(u32::MAX);
        Ok(Self { replid: replid.to_owned(), replicas })
    }
}

/// What the scripts answer that invalidate: epoch, seq, whether it was alone, whether the mark was there, and more.
fn invalidated(answer: &str) -> Result<Invalidated, Fault> {
    let (token, rest) = parse_answer(answer).ok_or_else(|| strange(answer))?;
    let mut flags = rest.split(' ').map(|flag| flag == "1");
    let (alone, marked) = flags.next().zip(flags.next()).ok_or_else(|| strange(answer))?;
    Ok(Invalidated { token, alone, marked })
}

fn strange(answer: &str) -> Fault {
    Fault::Refused(format!("a script answered {}", plain(answer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_master_will_do() {
        let info = "# Replication\r\nrole:master\r\nconnected_slaves:2\r\n\
                    slave0:ip=127.0.0.1,port=1,state=online,offset=42,lag=0\r\n\
                    slave1:ip=127.0.0.1,port=2,state=wait_bgsave,offset=0,lag=0\r\nmaster_replid:f00d\r\n";
        assert_eq!(Master::of(info), Ok(Master { replid: "f00d".to_owned(), replicas: 1 }));
        assert_eq!(Master::of("role:slave\r\nmaster_replid:f00d\r\n"), Err(Outage::Replica));
        assert!(matches!(Master::of("role:master\r\n"), Err(Outage::Unfit(_))));
    }
}
