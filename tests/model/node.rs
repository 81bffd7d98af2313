//! A process: the machine that is shipped, and what drives it as the server does.

use std::collections::BTreeMap;

use aside::store::lease::{Answer, Call, Do, Lease, LeaseSettings, PeerState, Permit, ServerId, Step};

use crate::rules::Rule;
use crate::server::{Message, Setup, Time, Unmade};

/// A process, from its start to its end.
#[allow(clippy::struct_excessive_bools, reason = "each is a fault by itself, and they meet in every way")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// Random, in the world outside.
    pub id: u64,
    pub alive: bool,
    /// It has its predecessor's file lock.
    pub lock: bool,
    /// It does nothing.
    pub stalled: bool,
    /// It reaches no Redis.
    pub off: bool,
    /// The server of its control connection.
    pub control: Option<u64>,
    /// Numbers its control connections.
    pub connection: u32,
    /// The server of its cores' sessions.
    pub session: Option<u64>,
    /// A call whose time is noted and that is not sent.
    pub noted: Option<Message>,
    /// The server at which it joined last.
    home: Option<u64>,
    /// When a call of it ran last, at a server that is not left alone by its replicas.
    pub ran: Time,
    /// Whom a registry has ever named to it.
    pub told_of: u64,
    machine: Machine,
    pending: Vec<(u32, Unmade)>,
    added: u32,
    confirmed: u32,
}

/// The machine, and what a rule that is taken out makes of what it says and is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Machine {
    lease: Lease,
    until: Time,
    /// What is to happen at the sending, where the time is noted no sooner.
    later: Option<Event>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Event {
    Connected(u64),
    Tick,
    Urge,
    Answered(Answer),
}

impl Machine {
    fn happen(&mut self, setup: &Setup, now: Time, event: Event) -> Option<Do> {
        let before = self.lease.clone();
        let step = self.advance(now, event.clone());
        if matches!(step, Some(Do::Call(_))) && !setup.has(Rule::TimeIsNotedBeforeTheBatch) {
            (self.lease, self.later) = (before, Some(event));
        }
        step
    }

    fn advance(&mut self, now: Time, event: Event) -> Option<Do> {
        match event {
            Event::Connected(server) => self.lease.connected(now, ServerId(server), now),
            Event::Tick => self.lease.tick(now),
            Event::Urge => self.lease.urge(now),
            Event::Answered(answer) => self.lease.answered(now, answer),
        }
    }
}

impl Node {
    /// One that has just started.
    pub fn new(id: u64, setup: &Setup, lock: bool, now: Time) -> Self {
        let settings = LeaseSettings { lease: setup.lease, absence: setup.absence };
        Self {
            id,
            alive: true,
            lock,
            stalled: false,
            off: false,
            control: None,
            connection: 0,
            session: None,
            noted: None,
            home: None,
            ran: now,
            told_of: 0,
            machine: Machine { lease: Lease::new(settings), until: 0, later: None },
            pending: Vec::new(),
            added: 0,
            confirmed: 0,
        }
    }

    /// Whether it does anything at all.
    pub fn acts(&self) -> bool {
        self.alive && !self.stalled
    }

    /// Its generation.
    pub fn generation(&self) -> u64 {
        self.machine.lease.generation()
    }

    /// Whether it is in the registry, as far as it knows.
    pub fn is_joined(&self) -> bool {
        self.machine.lease.is_joined()
    }

    /// Whether something is pending.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether everything up to this is confirmed.
    pub fn is_confirmed(&self, number: u32) -> bool {
        self.confirmed >= number
    }

    /// Whether a hit may be given of what this server says.
    pub fn may_hit(&self, setup: &Setup, server: u64, now: Time) -> bool {
        let mut permit = self.permit(setup);
        if !setup.has(Rule::PermitNamesItsServer) {
            permit.server = Some(ServerId(server));
        }
        let permitted = permit.allows(ServerId(server), now).is_ok() || !setup.has(Rule::HitNeedsPermit);
        permitted && (!self.has_pending() || !setup.has(Rule::HitNeedsNothingPending))
    }

    fn permit(&self, setup: &Setup) -> Permit {
        let mut permit = self.machine.lease.permit();
        if !setup.has(Rule::PermitCountsFromSending) {
            permit.until = permit.until.max(self.machine.until);
        }
        permit
    }

    /// Whether the commands of its sessions count that go to this server.
    pub fn is_at_home(&self, setup: &Setup, server: u64) -> bool {
        self.machine.lease.permit().server == Some(ServerId(server)) || !setup.has(Rule::ConfirmedAtHomeOnly)
    }

    /// From when on a write is answered that this server has confirmed.
    pub fn confirms_from(&self, setup: &Setup, server: u64, now: Time) -> Option<Time> {
        let from = self.machine.lease.confirms_from(ServerId(server), now);
        let from = if setup.has(Rule::ConfirmedHereWaits) { from } else { from.map(|_| 0) };
        if setup.has(Rule::ConfirmedAtHomeOnly) { from } else { from.or(Some(0)) }
    }

    /// From when on a write is answered that a call has confirmed.
    pub fn confirmed_from(&self, setup: &Setup) -> Time {
        if setup.has(Rule::ConfirmedHereWaits) { self.machine.lease.permit().confirms_from } else { 0 }
    }

    /// Adds what was not confirmed. Comes back with its number and when its write is answered all the same.
    pub fn add_pending(&mut self, setup: &Setup, now: Time, unmade: Unmade) -> (u32, Time) {
        self.added += 1;
        self.pending.push((self.added, unmade));
        let from = self.machine.lease.unconfirmed_from(now);
        let sooner = [
            (Rule::UnconfirmedWaits, 3),
            (Rule::UnconfirmedWaitsLongerThanOne, 2),
            (Rule::UnconfirmedWaitsLongerThanTwo, 1),
        ];
        let sooner = sooner.iter().find(|(rule, _)| !setup.has(*rule)).map_or(0, |(_, leases)| *leases);
        (self.added, from.saturating_sub(sooner * setup.lease).max(now))
    }

    /// A control connection is there.
    pub fn connect(&mut self, setup: &Setup, now: Time, server: u64) {
        self.control = Some(server);
        self.connection += 1;
        let step = self.machine.happen(setup, now, Event::Connected(server));
        self.follow(setup, step);
    }

    /// The control connection is gone.
    pub fn disconnect(&mut self) {
        self.control = None;
        self.noted = None;
        self.machine.later = None;
        self.machine.lease.disconnected();
    }

    /// Whether the machine has something to do.
    pub fn is_due(&self, now: Time) -> bool {
        self.control.is_some() && self.noted.is_none() && self.machine.lease.due().is_some_and(|due| due <= now)
    }

    /// Does what is due, or what is pending.
    pub fn tick(&mut self, setup: &Setup, now: Time) {
        let step = self.machine.happen(setup, now, Event::Tick);
        let step = step.or_else(|| self.has_pending().then(|| self.machine.happen(setup, now, Event::Urge)).flatten());
        self.follow(setup, step);
    }

    fn follow(&mut self, setup: &Setup, step: Option<Do>) {
        match step {
            Some(Do::Call(call)) => {
                let mut message = self.message(call, false);
                if !setup.has(Rule::TimeIsNotedBeforeTheBatch) {
                    self.fill(setup, &mut message);
                }
                self.noted = Some(message);
            }
            Some(Do::Reconnect) => self.disconnect(),
            None => {}
        }
    }

    fn message(&self, call: Call, leaves: bool) -> Message {
        let moves = self.home.is_some() && self.control.is_some() && self.home != self.control;
        let (batch, marks) = (Vec::new(), Vec::new());
        Message { node: self.id, lock: None, call, moves, leaves, batch, marks, until: 0 }
    }

    fn fill(&self, setup: &Setup, message: &mut Message) {
        if message.call.step == Step::Join && !setup.has(Rule::JoinCarriesPending) && !message.leaves {
            return;
        }
        message.until = self.added;
        message.batch = self.pending.iter().map(|(_, unmade)| *unmade).collect();
    }

    /// Sends the call whose time is noted, with what is pending.
    pub fn send(&mut self, setup: &Setup, now: Time) -> Option<Message> {
        let mut message = self.noted.take()?;
        if let Some(event) = self.machine.later.take()
            && let Some(Do::Call(call)) = self.machine.advance(now, event)
        {
            message.call = call;
        }
        if setup.has(Rule::TimeIsNotedBeforeTheBatch) {
            self.fill(setup, &mut message);
        }
        Some(message)
    }

    /// The call by which it signs off.
    pub fn good_bye(&self, setup: &Setup, now: Time) -> Message {
        let call = Call {
            step: Step::Renew,
            generation: self.generation(),
            run_before: now + setup.lease,
            since: None,
            gives_up: false,
        };
        let mut message = self.message(call, true);
        if setup.has(Rule::LeaveCarriesPending) {
            self.fill(setup, &mut message);
        }
        message
    }

    /// The call under way was answered.
    pub fn answered(&mut self, setup: &Setup, now: Time, message: &Message, answer: Answer) {
        let mut answer = answer;
        if let Answer::Done(roll) = &mut answer {
            self.confirmed = self.confirmed.max(message.until);
            self.pending.retain(|(number, _)| *number > message.until);
            let listed: BTreeMap<u64, PeerState> = roll.peers.iter().map(|peer| (peer.id.0, peer.state)).collect();
            if !setup.has(Rule::PeersAreRemembered) {
                let missing = (0..64).filter(|id| self.told_of & (1 << id) != 0 && !listed.contains_key(id));
                let off = |id| aside::store::lease::Peer { id: aside::store::lease::NodeId(id), state: PeerState::Off };
                roll.peers.extend(missing.map(off));
            }
            self.told_of = listed.keys().fold(self.told_of, |told, id| told | 1 << id);
            self.machine.until = now + setup.lease;
            self.home = self.control;
        }
        let step = self.machine.happen(setup, now, Event::Answered(answer));
        self.follow(setup, step);
    }
}
