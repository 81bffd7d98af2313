//! How this node stands: what it has sent, what was confirmed, and what that allows.

use super::peers::{NodeId, Peers, Roll};
use crate::clock::Millis;
use crate::store::entry::Withheld;

/// So many renewals are sent in the time of one lease.
const RENEWALS_A_LEASE: Millis = 4;
/// So many leases a call may go without an answer before its connection is taken for dead. No longer than writes wait: what
/// is pending needs another one.
const PATIENCE_LEASES: Millis = 2;
/// So many leases after a call was sent nobody has hits any more that it allowed: one until it has run, one until what it
/// renewed has ended, and one until the last renewal of another node has ended that named this one as alive.
const QUIET_LEASES: Millis = 3;

/// What the configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaseSettings {
    /// For how long a confirmed renewal allows hits, in milliseconds.
    pub lease: Millis,
    /// For how long a silent node is waited for, in milliseconds.
    pub absence: Millis,
}

/// A Redis under one replication id: another one after each restart and each promotion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServerId(pub u64);

/// What is to be sent to the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// What it asks for.
    pub step: Step,
    /// The generation that joins, or is renewed.
    pub generation: u64,
    /// The time by Redis's clock after which it must not run.
    pub run_before: Millis,
    /// Since when this node knows the server, by Redis's clock; `None` for one that it has not joined yet.
    pub since: Option<Millis>,
    /// A new epoch is to begin with this: a peer has been silent for too long, and what it has written nobody will hear; or
    /// this node comes from another server, and what that one has confirmed may be lost with it.
    pub gives_up: bool,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// To be listed under a new generation.
    Join,
    /// One lease more.
    Renew,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Do {
    /// This is to be sent, with everything that is pending at that moment.
    Call(Call),
    /// The connection is dead: another one is to be opened.
    Reconnect,
}

/// How a call was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It ran.
    Done(Roll),
    /// The generation is not listed any more, or its lease has ended. Nothing was done.
    Lapsed(Millis),
    /// It came after its time, which is named. Nothing was done.
    Late(Millis),
    /// It failed. Whether anything was done nobody knows.
    Failed,
}

/// What is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Permit {
    /// The server that it is about: what another one says counts for nothing.
    pub server: Option<ServerId>,
    /// Hits are given until then, by this node's time.
    pub until: Millis,
    /// Why not, where the time has not ended it.
    pub withheld: Option<Withheld>,
    /// Writes that the server has confirmed are answered from then on.
    pub confirms_from: Millis,
    /// Other nodes have other rules: every write invalidates everything.
    pub rules_differ: bool,
}

/// A node's standing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    settings: LeaseSettings,
    generation: u64,
    /// Whether a connection is there, and to which server.
    connected: Option<ServerId>,
    /// Whether this generation is listed as far as is known.
    joined: bool,
    under_way: Option<UnderWay>,
    /// When the last call was sent, and where to, whatever became of it.
    last_sent: Option<(Millis, ServerId)>,
    /// When the last one was sent to another server than that.
    sent_elsewhere: Option<Millis>,
    /// How far Redis's clock is ahead of this node's, at the least.
    ahead: i64,
    /// The server of the last join that was confirmed, and since when it is known, by its clock.
    home: Option<(ServerId, Millis)>,
    peers: Peers,
    permit: Permit,
}

/// A call without an answer so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct UnderWay {
    sent: Millis,
    step: Step,
    gives_up: bool,
    /// Other rules have come into force since.
    outdated: bool,
}

impl Permit {
    const NONE: Self = Self { server: None, until: 0, withheld: None, confirms_from: 0, rules_differ: false };

    /// Whether a hit may be given now of what this server says; why not, otherwise.
    pub fn allows(&self, server: ServerId, now: Millis) -> Result<(), Withheld> {
        match self.withheld {
            Some(why) => Err(why),
            None if self.server == Some(server) && now < self.until => Ok(()),
            None => Err(Withheld::Lapsed),
        }
    }
}

impl Lease {
    /// A node that has just started.
    pub fn new(settings: LeaseSettings) -> Self {
        Self {
            settings,
            generation: 0,
            connected: None,
            joined: false,
            under_way: None,
            last_sent: None,
            sent_elsewhere: None,
            ahead: 0,
            home: None,
            peers: Peers::default(),
            permit: Permit::NONE,
        }
    }

    /// What is allowed, until the next event.
    pub fn permit(&self) -> Permit {
        self.permit
    }

    /// The generation under which this node was listed last.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The other nodes that it knows of, and since when each has been silent; `None` for one that is alive.
    pub fn peers(&self) -> impl Iterator<Item = (NodeId, Option<Millis>)> {
        self.peers.iter()
    }

    /// Whether it is listed, as far as is known.
    pub fn is_joined(&self) -> bool {
        self.joined
    }

    /// A connection was opened. `redis_now` is what Redis's clock said at a moment no later than `now`. What was under way
    /// on another connection is answered no more.
    pub fn connected(&mut self, now: Millis, server: ServerId, redis_now: Millis) -> Option<Do> {
        self.connected = Some(server);
        self.ahead = signed(redis_now) - signed(now);
        self.call(now, Step::Join)
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        self.connected = None;
        self.joined = false;
        self.under_way = None;
    }

    /// When [`Lease::tick`] has something to do; `None` without a connection.
    pub fn due(&self) -> Option<Millis> {
        self.connected?;
        let LeaseSettings { lease, .. } = self.settings;
        match self.under_way {
            Some(UnderWay { sent, .. }) => Some(sent.saturating_add(lease.saturating_mul(PATIENCE_LEASES))),
            None => Some(self.last_sent.map_or(0, |(sent, _)| sent.saturating_add(lease / RENEWALS_A_LEASE))),
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Millis) -> Option<Do> {
        if self.due().is_none_or(|due| now < due) {
            return None;
        }
        if self.under_way.is_some() {
            self.disconnected();
            return Some(Do::Reconnect);
        }
        self.call(now, self.next_step())
    }

    /// Something is pending, and waits for the next call.
    pub fn urge(&mut self, now: Millis) -> Option<Do> {
        if self.under_way.is_some() {
            return None;
        }
        self.call(now, self.next_step())
    }

    /// Other rules are in force from now on. Until a join that is sent after this is confirmed, others may not know by which
    /// rules this node writes, nor it by which they do: no hits, and every write invalidates everything.
    pub fn goes_by_other_rules(&mut self) {
        self.joined = false;
        if let Some(under_way) = &mut self.under_way {
            under_way.outdated = true;
        }
        self.permit.withheld = Some(Withheld::Rules);
        self.permit.rules_differ = true;
    }

    /// The call under way was answered.
    pub fn answered(&mut self, now: Millis, answer: Answer) -> Option<Do> {
        let UnderWay { sent, step, gives_up, outdated } = self.under_way.take()?;
        let server = self.connected?;
        match answer {
            Answer::Done(roll) => {
                self.ahead = signed(roll.now) - signed(now);
                if step == Step::Join {
                    self.arrives(now, server, &roll);
                }
                if gives_up {
                    self.peers.give_up(sent, self.settings.absence);
                }
                self.called(now, sent, server, &roll);
                if outdated {
                    self.goes_by_other_rules();
                    return self.call(now, Step::Join);
                }
                None
            }
            Answer::Lapsed(redis_now) | Answer::Late(redis_now) => {
                self.ahead = signed(redis_now) - signed(now);
                self.joined = false;
                self.call(now, Step::Join)
            }
            Answer::Failed => {
                self.disconnected();
                Some(Do::Reconnect)
            }
        }
    }

    /// From when on a write may be answered whose invalidation became pending just now and is not confirmed: nobody has hits
    /// by then that it should have prevented. To be asked once it is pending.
    pub fn unconfirmed_from(&self, now: Millis) -> Millis {
        self.last_sent.map_or(now, |(sent, _)| sent.saturating_add(self.quiet()).max(now))
    }

    /// From when on a write may be answered whose invalidation this server has confirmed by now; `None` without a lease there:
    /// the server may be one that the others have left, and who listens to it nobody knows.
    pub fn confirms_from(&self, server: ServerId, now: Millis) -> Option<Millis> {
        let Permit { server: home, until, confirms_from, .. } = self.permit;
        (home == Some(server) && now < until).then_some(confirms_from)
    }

    fn next_step(&self) -> Step {
        if self.joined { Step::Renew } else { Step::Join }
    }

    fn call(&mut self, now: Millis, step: Step) -> Option<Do> {
        let server = self.connected?;
        if step == Step::Join {
            self.generation += 1;
            self.joined = false;
        }
        let moves = self.home.is_some_and(|(home, _)| home != server);
        let gives_up = moves || self.peers.any_to_give_up(now, self.settings.absence);
        self.under_way = Some(UnderWay { sent: now, step, gives_up, outdated: false });
        if let Some((sent, elsewhere)) = self.last_sent.replace((now, server))
            && elsewhere != server
        {
            self.sent_elsewhere = Some(sent);
        }
        let run_before = signed(now).saturating_add(self.ahead).saturating_add(signed(self.settings.lease));
        let since = self.home.filter(|(home, _)| *home == server).map(|(_, since)| since);
        let run_before = Millis::try_from(run_before).unwrap_or(0);
        Some(Do::Call(Call { step, generation: self.generation, run_before, since, gives_up }))
    }

    /// A join was confirmed.
    fn arrives(&mut self, now: Millis, server: ServerId, roll: &Roll) {
        self.home = Some((server, roll.since));
        // Others may listen to a server of before for one lease after this one has become known to anybody.
        let left = self.settings.lease.saturating_sub(roll.now.saturating_sub(roll.since));
        let from_others = if left > 0 { now.saturating_add(left) } else { 0 };
        // And for as long as this node may be named as alive there.
        let from_before = self.sent_elsewhere.map_or(0, |sent| sent.saturating_add(self.quiet()));
        self.permit.confirms_from = from_others.max(from_before);
    }

    fn called(&mut self, now: Millis, sent: Millis, server: ServerId, roll: &Roll) {
        self.joined = true;
        self.peers.call(roll, now, self.settings.absence > 0);
        self.permit = Permit {
            server: Some(server),
            until: sent.saturating_add(self.settings.lease),
            withheld: match (self.peers.all_accounted_for(), roll.unaware) {
                (false, _) => Some(Withheld::Peer),
                (true, true) => Some(Withheld::Rules),
                (true, false) => None,
            },
            confirms_from: self.permit.confirms_from,
            rules_differ: roll.rules_differ,
        };
    }

    fn quiet(&self) -> Millis {
        self.settings.lease.saturating_mul(QUIET_LEASES)
    }
}

fn signed(time: Millis) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::peers::{NodeId, Peer, PeerState};
    use super::*;

    const L: Millis = 1_000;
    const HERE: ServerId = ServerId(1);
    const THERE: ServerId = ServerId(2);
    /// How far Redis's clock is ahead.
    const AHEAD: Millis = 50_000;

    fn lease() -> Lease {
        Lease::new(LeaseSettings { lease: L, absence: 10 * L })
    }

    fn roll(now: Millis, states: &[(u64, PeerState)]) -> Answer {
        let peers = states.iter().map(|&(id, state)| Peer { id: NodeId(id), state }).collect();
        Answer::Done(Roll { now: now + AHEAD, since: 0, peers, unaware: false, rules_differ: false })
    }

    /// A node that has joined at 0 and was answered at 10.
    fn joined() -> Lease {
        let mut lease = lease();
        let Some(Do::Call(call)) = lease.connected(0, HERE, AHEAD) else { panic!("it joins") };
        assert_eq!((call.step, call.generation, call.run_before), (Step::Join, 1, AHEAD + L));
        assert_eq!(lease.answered(10, roll(10, &[(7, PeerState::Alive)])), None);
        lease
    }

    #[test]
    fn hits_are_allowed_for_a_lease_from_the_sending() {
        let mut lease = joined();
        assert_eq!(lease.permit().allows(HERE, L - 1), Ok(()));
        assert_eq!(lease.permit().allows(HERE, L), Err(Withheld::Lapsed));
        assert_eq!(lease.permit().allows(THERE, 20), Err(Withheld::Lapsed));
        let Some(Do::Call(call)) = lease.tick(L / 4) else { panic!("it renews") };
        assert_eq!((call.step, call.generation), (Step::Renew, 1));
        assert_eq!(lease.tick(L / 2), None, "one at a time");
        lease.answered(L / 2, roll(L / 2, &[(7, PeerState::Alive)]));
        assert_eq!(lease.permit().allows(HERE, L / 4 + L - 1), Ok(()));
    }

    #[test]
    fn a_silent_peer_withholds_hits_until_it_is_back() {
        let mut lease = joined();
        lease.tick(250);
        lease.answered(260, roll(260, &[(7, PeerState::Lapsed)]));
        assert_eq!(lease.permit().allows(HERE, 270), Err(Withheld::Peer));
        lease.tick(510);
        lease.answered(520, roll(520, &[(7, PeerState::Alive)]));
        assert_eq!(lease.permit().allows(HERE, 530), Ok(()));
    }

    #[test]
    fn a_peer_is_given_up_with_a_new_epoch() {
        let mut lease = joined();
        lease.tick(250);
        lease.answered(260, roll(260, &[]));
        let Some(Do::Call(call)) = lease.tick(259 + 10 * L) else { panic!("it renews") };
        assert!(!call.gives_up);
        lease.answered(270 + 10 * L, roll(270 + 10 * L, &[]));
        assert_eq!(lease.permit().allows(HERE, 270 + 10 * L), Err(Withheld::Peer));
        let Some(Do::Call(call)) = lease.tick(600 + 10 * L) else { panic!("it renews") };
        assert!(call.gives_up);
        lease.answered(610 + 10 * L, roll(610 + 10 * L, &[]));
        assert_eq!(lease.permit().allows(HERE, 620 + 10 * L), Ok(()));
    }

    #[test]
    fn a_lapsed_generation_joins_anew() {
        let mut lease = joined();
        lease.tick(5_000);
        let Some(Do::Call(call)) = lease.answered(5_010, Answer::Lapsed(5_010 + AHEAD)) else { panic!("it joins") };
        assert_eq!((call.step, call.generation), (Step::Join, 2));
        assert_eq!(lease.permit().allows(HERE, 5_010), Err(Withheld::Lapsed));
    }

    #[test]
    fn under_other_rules_nothing_is_allowed_before_a_join_that_names_them() {
        let mut lease = joined();
        lease.goes_by_other_rules();
        assert_eq!(lease.permit().allows(HERE, 20), Err(Withheld::Rules));
        assert!(
            lease.permit().rules_differ && lease.confirms_from(HERE, 20).is_some(),
            "writes are confirmed as before"
        );
        let Some(Do::Call(call)) = lease.urge(30) else { panic!("it joins") };
        assert_eq!((call.step, call.generation), (Step::Join, 2));
        lease.goes_by_other_rules();
        let Some(Do::Call(call)) = lease.answered(40, roll(40, &[])) else { panic!("it joins once more") };
        assert_eq!((call.step, call.generation), (Step::Join, 3));
        assert_eq!(lease.permit().allows(HERE, 50), Err(Withheld::Rules));
        lease.answered(60, roll(60, &[(7, PeerState::Alive)]));
        assert_eq!((lease.permit().allows(HERE, 70), lease.permit().rules_differ), (Ok(()), false));
    }

    #[test]
    fn a_connection_without_answers_is_given_up() {
        let mut lease = joined();
        lease.tick(250);
        assert_eq!(lease.tick(250 + 2 * L - 1), None);
        assert_eq!(lease.tick(250 + 2 * L), Some(Do::Reconnect));
        assert_eq!(lease.tick(9 * L), None, "nothing to send on");
        assert_eq!(lease.answered(9 * L, roll(9 * L, &[])), None, "an answer of the connection that is gone");
        assert_eq!(lease.permit().allows(HERE, 9 * L), Err(Withheld::Lapsed));
    }

    #[test]
    fn an_unconfirmed_write_waits_for_three_leases_from_the_last_call() {
        let mut lease = lease();
        assert_eq!(lease.unconfirmed_from(5), 5, "nobody knows of it");
        lease = joined();
        lease.tick(250);
        assert_eq!(lease.unconfirmed_from(300), 250 + 3 * L);
        lease.disconnected();
        assert_eq!(lease.unconfirmed_from(60_000), 60_000, "in a long outage writes do not wait");
    }

    #[test]
    fn another_server_confirms_once_the_one_before_allows_nothing_more() {
        let mut lease = joined();
        assert_eq!(lease.confirms_from(HERE, 20), Some(0));
        lease.tick(250);
        lease.disconnected();
        assert_eq!(lease.confirms_from(THERE, 600), None);
        let Some(Do::Call(call)) = lease.connected(700, THERE, AHEAD) else { panic!("it joins") };
        assert!(call.gives_up, "what was confirmed elsewhere may be lost");
        lease.answered(710, roll(710, &[]));
        assert_eq!(lease.confirms_from(THERE, 720), Some(250 + 3 * L));
        assert_eq!(lease.confirms_from(HERE, 720), None);
        lease.disconnected();
        lease.connected(20_000, THERE, AHEAD);
        lease.answered(20_010, roll(20_010, &[]));
        assert_eq!(lease.confirms_from(THERE, 20_020), Some(250 + 3 * L), "long past");
    }

    #[test]
    fn a_server_that_is_new_to_all_confirms_after_a_lease() {
        let mut lease = lease();
        lease.connected(0, HERE, AHEAD);
        let answer = Answer::Done(Roll {
            now: AHEAD + 10,
            since: AHEAD + 10,
            peers: Vec::new(),
            unaware: false,
            rules_differ: false,
        });
        lease.answered(10, answer);
        assert_eq!(lease.confirms_from(HERE, 20), Some(10 + L));
    }

    #[test]
    fn what_is_pending_is_sent_at_once_or_with_the_next_call() {
        let mut lease = joined();
        assert!(matches!(lease.urge(20), Some(Do::Call(Call { step: Step::Renew, .. }))));
        assert_eq!(lease.urge(21), None);
        lease.disconnected();
        assert_eq!(lease.urge(22), None);
    }
}
