//! Redis as the scripts make it: an app's record, its registry, marks, what is held, and entries.

use std::collections::BTreeMap;

use aside::store::lease::{Answer, Call, NodeId, Peer, PeerState, Roll, Step};

use crate::rules::{Rule, Rules};

/// Ticks of the model's clock.
pub type Time = u64;
/// A write, by its number.
pub type WriteId = u32;

/// How the model is set up.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// What holds.
    pub rules: Rules,
    /// A lease.
    pub lease: Time,
    /// How long a silent node is waited for.
    pub absence: Time,
    /// How long after it was forwarded a write may be committed.
    pub commit_within: Time,
    /// Whether a write that is not confirmed is answered all the same.
    pub forward: bool,
    /// How many nodes there are.
    pub nodes: usize,
    /// How many keys there are, each a tag.
    pub keys: usize,
}

impl Setup {
    /// Whether a rule holds.
    pub fn has(&self, rule: Rule) -> bool {
        self.rules.has(rule)
    }
}

/// What a lookup hands to a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    pub epoch: u32,
    pub seq: u32,
}

/// What is stored of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    pub token: Token,
    pub version: u32,
}

/// The app's record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Record {
    server: u64,
    epoch: u32,
    seq: u32,
    /// Of each tag: when it was invalidated last.
    tags: Vec<u32>,
    /// Of each tag: whether it is invalidated whatever the token.
    held: Vec<bool>,
}

/// A tag that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Hold {
    until: Time,
    /// The write; none for several.
    owner: Option<WriteId>,
}

/// A node in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Listed {
    generation: u64,
    end: Time,
    on: bool,
    lock: Option<usize>,
}

/// The mark of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    pub write: WriteId,
    pub node: u64,
    pub generation: u64,
    pub key: usize,
}

/// What a write leaves to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unmade {
    pub key: usize,
    pub write: WriteId,
    /// Its outcome is unknown.
    pub hold: bool,
}

/// A call with all that goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    pub node: u64,
    pub lock: Option<usize>,
    pub call: Call,
    /// Its node comes from another server.
    pub moves: bool,
    /// To sign off instead.
    pub leaves: bool,
    pub batch: Vec<Unmade>,
    pub marks: Vec<Mark>,
    /// What is pending up to here is in the batch.
    pub until: u32,
}

/// One Redis.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    /// Its replication id.
    pub id: u64,
    /// Whether replicas confirm what it does.
    pub replicated: bool,
    record: Option<Record>,
    made_under: Option<u64>,
    since: Time,
    /// When everything is invalidated once more.
    again: Option<Time>,
    nodes: BTreeMap<u64, Listed>,
    pend: BTreeMap<WriteId, Mark>,
    holds: Vec<Option<Hold>>,
    entries: Vec<Option<Entry>>,
}

impl Server {
    /// An empty one.
    pub fn new(id: u64, keys: usize) -> Self {
        Self {
            id,
            replicated: true,
            record: None,
            made_under: None,
            since: 0,
            again: None,
            nodes: BTreeMap::new(),
            pend: BTreeMap::new(),
            holds: vec![None; keys],
            entries: vec![None; keys],
        }
    }

    /// The same under another replication id: after a restart, or promoted.
    pub fn renamed(&self, id: u64) -> Self {
        Self { id, replicated: true, ..self.clone() }
    }

    /// The nodes that it lists.
    pub fn listed(&self) -> impl Iterator<Item = u64> {
        self.nodes.keys().copied()
    }

    /// Loses its control keys; the entries, too, with `all`.
    pub fn flush(&mut self, all: bool) {
        let keys = self.entries.len();
        let entries = std::mem::take(&mut self.entries);
        *self = Self { replicated: self.replicated, ..Self::new(self.id, keys) };
        if !all {
            self.entries = entries;
        }
    }

    /// A person or an eviction takes its record, or its registry.
    pub fn evict(&mut self, record: bool) {
        if record {
            self.record = None;
        } else {
            self.nodes.clear();
            self.made_under = None;
        }
    }

    /// What may be given out of a key.
    pub fn valid(&self, setup: &Setup, key: usize) -> Option<Entry> {
        let record = self.record(setup)?;
        let entry = self.entries[key]?;
        let spared = record.tags[key] <= entry.token.seq && !record.held[key];
        (record.epoch == entry.token.epoch && (spared || !setup.has(Rule::HitNeedsToken))).then_some(entry)
    }

    /// Looks a key up: the token of a fill.
    pub fn look_up(&mut self, setup: &Setup, now: Time, epochs: &mut u32) -> Token {
        let record = self.record_or_new(setup, now, epochs);
        Token { epoch: record.epoch, seq: record.seq }
    }

    /// Puts what a fill has brought.
    pub fn put(&mut self, setup: &Setup, key: usize, entry: Entry) {
        let fresh = self.record(setup).is_some_and(|record| {
            record.epoch == entry.token.epoch && record.tags[key] <= entry.token.seq && !record.held[key]
        });
        let newer = self.valid(setup, key).is_some_and(|there| there.token.seq > entry.token.seq);
        if fresh && !newer {
            self.entries[key] = Some(entry);
        }
    }

    /// Notes a write.
    pub fn mark(&mut self, mark: Mark) {
        self.pend.entry(mark.write).or_insert(mark);
    }

    /// Makes what a write has left to be made.
    pub fn make(&mut self, setup: &Setup, now: Time, epochs: &mut u32, unmade: Unmade) {
        self.record_or_new(setup, now, epochs);
        let there = self.pend.remove(&unmade.write).is_some();
        if unmade.hold {
            if setup.has(Rule::UnknownIsHeld) {
                self.hold(unmade.key, now + setup.commit_within, Some(unmade.write));
            } else {
                self.invalidate(setup, unmade.key);
            }
            return;
        }
        if !there && self.holds[unmade.key].is_some_and(|hold| hold.owner == Some(unmade.write)) {
            self.end_hold(unmade.key);
        }
        self.invalidate(setup, unmade.key);
    }

    /// A node joins, renews or leaves.
    pub fn call(&mut self, setup: &Setup, now: Time, epochs: &mut u32, message: &Message) -> Answer {
        let call = message.call;
        if now > call.run_before && setup.has(Rule::CallRunsInTime) {
            return Answer::Late(now);
        }
        self.take_over(setup, now, call.since);
        let alive = |listed: &Listed| listed.on && now < listed.end && listed.end <= now + setup.lease;
        let me = self.nodes.get(&message.node);
        let renewable = me.is_some_and(|listed| listed.generation == call.generation && alive(listed));
        if call.step == Step::Renew && !message.leaves && !renewable && setup.has(Rule::LapsedIsNotRenewed) {
            return Answer::Lapsed(now);
        }
        self.record_or_new(setup, now, epochs);
        for mark in message.marks.iter().filter(|_| setup.has(Rule::JoinNotesMarks)) {
            self.mark(*mark);
        }
        for unmade in &message.batch {
            self.make(setup, now, epochs, *unmade);
        }
        let (peers, forgotten) = self.call_others(setup, now, message);
        if setup.has(Rule::UnlistedAreReaped) {
            self.reap_unlisted(setup, now, message.node);
        }
        let why = if message.moves { Rule::MovedMeansNewEpoch } else { Rule::GivenUpMeansNewEpoch };
        if forgotten || (call.gives_up && setup.has(why)) {
            self.reset(now, epochs, setup);
        }
        let end = if message.leaves { now } else { now + setup.lease };
        let listed = Listed { generation: call.generation, end, on: !message.leaves, lock: message.lock };
        self.nodes.insert(message.node, listed);
        if self.again.is_some_and(|at| at <= now) {
            self.again = None;
            self.reset(now, epochs, setup);
        }
        self.sweep(setup, now);
        Answer::Done(Roll { now, since: self.since, peers, unaware: false, rules_differ: false })
    }

    fn take_over(&mut self, setup: &Setup, now: Time, known_since: Option<Time>) {
        if self.made_under != Some(self.id) {
            if setup.has(Rule::OtherServersEntriesLapsed) {
                for listed in self.nodes.values_mut().filter(|listed| listed.on) {
                    listed.end = listed.end.min(now);
                }
            }
            self.made_under = Some(self.id);
            self.since = now;
            if setup.has(Rule::NewRegistryInvalidatesLater) {
                self.again = Some(now + setup.commit_within);
            }
        }
        self.since = self.since.min(known_since.unwrap_or(now));
    }

    /// How the others stand, and whether one is forgotten.
    fn call_others(&mut self, setup: &Setup, now: Time, message: &Message) -> (Vec<Peer>, bool) {
        let (mut peers, mut forgotten) = (Vec::new(), false);
        for (id, listed) in self.nodes.clone() {
            if id == message.node {
                continue;
            }
            let state = if !listed.on {
                PeerState::Off
            } else if listed.lock.is_some() && listed.lock == message.lock {
                self.reap(setup, now, id, listed.generation);
                forgotten |= setup.has(Rule::BuriedMeansNewEpoch);
                self.nodes.insert(id, Listed { on: false, end: now, ..listed });
                PeerState::Off
            } else if now < listed.end && listed.end <= now + setup.lease {
                PeerState::Alive
            } else {
                self.reap(setup, now, id, listed.generation);
                if now >= listed.end.min(now) + setup.absence {
                    forgotten |= setup.has(Rule::AbsenceMeansNewEpoch);
                    self.nodes.insert(id, Listed { on: false, end: now, ..listed });
                    peers.push(Peer { id: NodeId(id), state: PeerState::Off });
                    continue;
                }
                if !setup.has(Rule::LapsedIsListed) {
                    continue;
                }
                PeerState::Lapsed
            };
            peers.push(Peer { id: NodeId(id), state });
        }
        (peers, forgotten)
    }

    /// Reaps what nodes have marked that are not in the registry, or not any more.
    fn reap_unlisted(&mut self, setup: &Setup, now: Time, caller: u64) {
        let is_on = |node: &u64| self.nodes.get(node).is_some_and(|listed| listed.on);
        let unlisted = self.pend.values().filter(|mark| mark.node != caller && !is_on(&mark.node)).copied().collect();
        self.reap_marks(setup, now, unlisted);
    }

    fn reap(&mut self, setup: &Setup, now: Time, node: u64, generation: u64) {
        let dead = self.pend.values().filter(|mark| mark.node == node && mark.generation <= generation);
        self.reap_marks(setup, now, dead.copied().collect());
    }

    fn reap_marks(&mut self, setup: &Setup, now: Time, marks: Vec<Mark>) {
        for mark in marks {
            if !setup.has(Rule::MarksAreReaped) {
                continue;
            }
            self.pend.remove(&mark.write);
            if setup.has(Rule::ReapedIsHeld) {
                self.hold(mark.key, now + setup.commit_within, Some(mark.write));
            } else {
                self.invalidate(setup, mark.key);
            }
        }
    }

    fn hold(&mut self, key: usize, until: Time, owner: Option<WriteId>) {
        let hold = match self.holds[key] {
            Some(there) => {
                let owner = owner.filter(|_| there.owner == owner);
                Hold { until: until.max(there.until), owner }
            }
            None => Hold { until, owner },
        };
        self.holds[key] = Some(hold);
        if let Some(record) = &mut self.record {
            record.held[key] = true;
        }
    }

    fn end_hold(&mut self, key: usize) {
        self.holds[key] = None;
        if let Some(record) = &mut self.record {
            record.held[key] = false;
        }
    }

    fn invalidate(&mut self, setup: &Setup, key: usize) {
        if !setup.has(Rule::HeldIsNotLowered) {
            self.end_hold(key);
        }
        if let Some(record) = &mut self.record {
            record.seq += 1;
            record.tags[key] = record.seq;
        }
    }

    /// What was held until now is invalidated instead.
    fn sweep(&mut self, setup: &Setup, now: Time) {
        for key in 0..self.holds.len() {
            if self.holds[key].is_some_and(|hold| hold.until <= now) {
                self.end_hold(key);
                if setup.has(Rule::HeldEndsInvalidated) {
                    self.invalidate(setup, key);
                }
            }
        }
    }

    fn record(&self, setup: &Setup) -> Option<&Record> {
        let record = self.record.as_ref()?;
        (record.server == self.id || !setup.has(Rule::OtherServersRecordIsNone)).then_some(record)
    }

    fn record_or_new(&mut self, setup: &Setup, now: Time, epochs: &mut u32) -> &mut Record {
        if self.record(setup).is_none() {
            self.reset(now, epochs, setup);
        }
        self.record.as_mut().expect("there is one now")
    }

    fn reset(&mut self, now: Time, epochs: &mut u32, setup: &Setup) {
        *epochs += 1;
        for hold in &mut self.holds {
            *hold = hold.filter(|hold| hold.until > now);
        }
        let laid = |hold: &Option<Hold>| hold.is_some() && setup.has(Rule::HeldIsLaidAgain);
        let held = self.holds.iter().map(laid).collect();
        let tags = vec![0; self.holds.len()];
        self.record = Some(Record { server: self.id, epoch: *epochs, seq: 0, tags, held });
    }
}
