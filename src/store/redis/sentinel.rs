//! Where the master is, as its sentinels have it: all of them are asked, for each session anew.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fred::interfaces::ClientLike;
use fred::types::{ClusterHash, CustomCommand};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{sleep, timeout};

use super::client::{CONNECT_TIMEOUT, at, begin, config};
use super::outage::{Outage, outage};
use super::url::{Address, Endpoint, RedisUrl};
use crate::clock::{Clock, Millis};

/// Where one sentinel has named a master, each of the others has so long to say something else.
const GRACE: Duration = Duration::from_millis(250);

/// How often the sentinels are asked while there are sessions, in milliseconds.
const WATCH_INTERVAL: Millis = 1_000;

/// Where the sentinels have the master, for all sessions of a process: after a failover an old master that still lives goes on
/// as if it were one for ten seconds, and its clients are told nothing.
#[derive(Debug, Default)]
pub(super) struct Whereabouts(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// When the sentinels were asked last.
    asked: Millis,
    master: Option<Address>,
}

impl Whereabouts {
    /// Waits until the sentinels name another master than this. One that is not theirs never moves, and none does while they
    /// say nothing.
    pub(super) async fn moved(&self, url: &RedisUrl, named: Option<&Address>) -> Outage {
        loop {
            sleep(Duration::from_millis(WATCH_INTERVAL)).await;
            if let Err(why) = self.check(url, named).await {
                return why;
            }
        }
    }

    async fn check(&self, url: &RedisUrl, named: Option<&Address>) -> Result<(), Outage> {
        let (Some(named), Endpoint::Sentinel { sentinels, name, .. }) = (named, &url.endpoint) else { return Ok(()) };
        let due = self.is_due();
        // What is known may be older than the session, so who is to end asks again.
        if due || self.known().master.as_ref().is_some_and(|master| master != named) {
            let answer = master(url, sentinels, name).await;
            self.known().master = answer.ok();
        }
        match self.known().master.as_ref().filter(|master| *master != named) {
            Some(master) => Err(Outage::Sentinel(format!("its sentinels name {master} now, and no longer {named}"))),
            None => Ok(()),
        }
    }

    /// Whether the caller is the one to ask now.
    fn is_due(&self) -> bool {
        let now = Clock::System.ticks();
        let mut known = self.known();
        let due = now.saturating_sub(known.asked) >= WATCH_INTERVAL;
        if due {
            known.asked = now;
        }
        due
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address that most of the sentinels name: as soon as more than half of them do, else when all have answered or have had
/// their time. One that was cut off together with an old master is outvoted.
pub(super) async fn master(url: &RedisUrl, sentinels: &[Address], name: &str) -> Result<Address, Outage> {
    let ask = |sentinel| async move {
        let late = |_| Outage::Unreachable(format!("no answer within {CONNECT_TIMEOUT:?}"));
        (
            sentinel,
            timeout(CONNECT_TIMEOUT, ask(url, sentinel, name)).await.unwrap_or_else(|elapsed| Err(late(elapsed))),
        )
    };
    let mut asked: FuturesUnordered<_> = sentinels.iter().map(ask).collect();
    let mut heard = Heard::default();
    loop {
        let next = if heard.named.is_empty() { Ok(asked.next().await) } else { timeout(GRACE, asked.next()).await };
        let Ok(Some((sentinel, answer))) = next else { return heard.result(name, sentinels.len()) };
        match answer {
            Ok(Some(address)) => heard.named.push(address),
            Ok(None) => heard.unknown = true,
            Err(why) => heard.faults.push((sentinel, why)),
        }
        if let Some(address) = heard.favourite().filter(|address| heard.count(address) * 2 > sentinels.len()) {
            return Ok(address.clone());
        }
    }
}

/// What the sentinels have answered so far.
#[derive(Default)]
struct Heard<'s> {
    named: Vec<Address>,
    /// Whether one does not know the name.
    unknown: bool,
    faults: Vec<(&'s Address, Outage)>,
}

impl Heard<'_> {
    fn count(&self, address: &Address) -> usize {
        self.named.iter().filter(|named| *named == address).count()
    }

    /// What is named most often, of several that which was named first.
    fn favourite(&self) -> Option<&Address> {
        self.named.iter().rev().max_by_key(|address| self.count(address))
    }

    /// What they all have said, of so many that were asked.
    fn result(mut self, name: &str, asked: usize) -> Result<Address, Outage> {
        // A few may be cut off with a master that the others have left.
        if let Some(address) = self.favourite() {
            return match self.count(address) {
                count if 2 * count > asked => Ok(address.clone()),
                count => Err(Outage::Sentinel(format!(
                    "only {count} of its {asked} sentinels say where {name} is, and more than half of them have to agree"
                ))),
            };
        }
        if self.unknown {
            let text =
                format!("its sentinels know no master named {name}, which stands after the hosts in [store] url");
            return Err(Outage::Sentinel(text));
        }
        // A login that is refused is refused by all; what one of them says stands for all.
        self.faults.sort_by_key(|(_, why)| !matches!(why, Outage::Login(_)));
        Err(match self.faults.into_iter().next() {
            Some((sentinel, Outage::Login(text))) => Outage::Login(format!(
                "sentinel {sentinel} says {text}; `sentinel_user` and `sentinel_password` in [store] are the login there"
            )),
            Some((sentinel, why)) => Outage::Sentinel(format!("none of its sentinels answers; {sentinel}: {why}")),
            None => Outage::Sentinel("no sentinel is named".to_owned()),
        })
    }
}

/// Asks one sentinel; `None` where it does not know the name.
async fn ask(url: &RedisUrl, sentinel: &Address, name: &str) -> Result<Option<Address>, Outage> {
    let server = at(sentinel, url.tls.as_deref());
    let (client, _connection) = begin(config(server, url.tls.as_deref(), &url.sentinel_login, 0)).await?;
    let command = CustomCommand::new_static("SENTINEL", ClusterHash::FirstKey, false);
    let answer: Option<(String, u16)> =
        client.custom(command, vec!["GET-MASTER-ADDR-BY-NAME", name]).await.map_err(|error| outage(&error))?;
    Ok(answer.map(|(host, port)| Address { host, port }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_port(port: u16) -> Address {
        Address { host: "h".to_owned(), port }
    }

    #[test]
    fn most_sentinels_are_right() {
        let heard = |ports: &[u16]| Heard { named: ports.iter().copied().map(at_port).collect(), ..Heard::default() };
        assert_eq!(heard(&[1, 2, 2]).result("m", 3), Ok(at_port(2)));
        assert_eq!(heard(&[3, 3]).result("m", 3), Ok(at_port(3)), "one does not answer");
        assert_eq!(heard(&[3]).result("m", 1), Ok(at_port(3)));
        for (named, asked) in [(&[1, 2][..], 2), (&[3], 2), (&[3], 3), (&[1, 2, 2], 5)] {
            let why = heard(named).result("m", asked).unwrap_err().to_string();
            assert!(why.contains("more than half of them have to agree"), "{why}");
        }
    }

    #[test]
    fn what_is_told_is_what_most_likely_helps() {
        let sentinel = at_port(1);
        let unreachable = || (&sentinel, Outage::Unreachable("Connection refused".to_owned()));
        let heard = Heard { faults: vec![unreachable()], ..Heard::default() };
        let text = heard.result("m", 2).unwrap_err().to_string();
        assert_eq!(text, "none of its sentinels answers; h:1: Connection refused");
        let login = (&sentinel, Outage::Login("WRONGPASS".to_owned()));
        let heard = Heard { faults: vec![unreachable(), login], ..Heard::default() };
        assert!(heard.result("m", 2).unwrap_err().to_string().contains("`sentinel_password` in [store]"));
        let heard = Heard { faults: vec![unreachable()], unknown: true, ..Heard::default() };
        assert!(heard.result("m", 2).unwrap_err().to_string().contains("know no master named m"));
    }
}
