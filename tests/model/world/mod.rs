//! Everything there is: nodes, servers, the origin, what is on its way, and what has been promised.

mod action;
mod call;
mod fault;
mod fill;
mod promise;
mod write;

pub use self::action::{Action, WAYS, Way};
use self::call::{LateCommand, Packet};
use self::fill::Fill;
use self::write::{Stage, Write};
use crate::node::Node;
use crate::server::{Server, Setup, Time};

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub now: Time,
    pub nodes: Vec<Node>,
    pub servers: Vec<Server>,
    origin: Vec<u32>,
    writes: Vec<Write>,
    fills: Vec<Fill>,
    packets: Vec<Packet>,
    late: Vec<(u64, LateCommand)>,
    saved: Option<Server>,
    replica: Server,
    epochs: u32,
    next_id: u64,
    /// Processes whose entry in a registry was lost.
    lost: u64,
    /// Processes that a registry has ever listed.
    met: u64,
}

/// A read that is older than an answered write, or an entry that stays old.
#[derive(Clone, Debug)]
pub struct Violation(pub String);

impl World {
    /// Nodes that have just started, one empty Redis.
    pub fn new(setup: &Setup) -> Self {
        let nodes = (0..setup.nodes).map(|place| Node::new(place as u64 + 1, setup, true, 0)).collect();
        Self {
            now: 0,
            nodes,
            servers: vec![Server::new(1, setup.keys)],
            origin: vec![0; setup.keys],
            writes: Vec::new(),
            fills: Vec::new(),
            packets: Vec::new(),
            late: Vec::new(),
            saved: None,
            replica: Server::new(1, setup.keys),
            epochs: 0,
            next_id: setup.nodes as u64 + 1,
            lost: 0,
            met: 0,
        }
    }

    /// Whether it may happen now.
    pub fn may(&self, setup: &Setup, action: Action) -> bool {
        let node = |place: usize| &self.nodes[place];
        match action {
            Action::Tick { .. } | Action::Flush { .. } | Action::Evict { .. } | Action::Save => true,
            Action::Connect { node: at, server } => {
                node(at).acts() && !node(at).off && node(at).control.is_none() && server < self.servers.len()
            }
            Action::Note { node: at } | Action::Prompt { node: at } => {
                let node = node(at);
                let free = !self.packets.iter().any(|packet| self.is_heard(packet));
                node.acts()
                    && !node.off
                    && node.control.is_some()
                    && node.noted.is_none()
                    && (node.is_due(self.now) || (node.has_pending() && free))
            }
            Action::Send { node: at } => node(at).acts() && node(at).noted.is_some(),
            Action::Run { packet } => {
                self.packets.get(packet).is_some_and(|packet| packet.answer.is_none() && !self.is_off(packet))
            }
            Action::Hear { packet } => self
                .packets
                .get(packet)
                .is_some_and(|packet| packet.answer.is_some() && self.is_heard(packet) && !self.is_off(packet)),
            Action::Cut { node: at } => node(at).alive && node(at).control.is_some(),
            Action::Off { node: at, off } => node(at).alive && node(at).off != off,
            Action::Stall { node: at, stalled } => node(at).alive && node(at).stalled != stalled,
            Action::Session { node: at, server } => {
                node(at).acts()
                    && !node(at).off
                    && self.servers.get(server).is_some_and(|server| node(at).session != Some(server.id))
            }
            Action::Put { node: at, way, .. } => {
                node(at).acts() && (setup.forward || way == Way::Done) && self.may_end(setup, at, way)
            }
            Action::Commit { write } => self.writes.get(write).is_some_and(|write| {
                write.version.is_none() && self.now < write.forwarded + setup.commit_within && !write.unheard_of()
            }),
            Action::Finish { write, way } => self.writes.get(write).is_some_and(|write| {
                let waits = write.stage == Stage::Forwarded && write.version.is_some();
                waits && self.is_here(write) && self.may_end(setup, write.place, way)
            }),
            Action::Unknown { write, way } => self.writes.get(write).is_some_and(|write| {
                write.stage == Stage::Forwarded && self.is_here(write) && self.may_end(setup, write.place, way)
            }),
            Action::Answer { write } => self.writes.get(write).is_some_and(|write| self.may_answer(setup, write)),
            Action::RunLate { late } => late < self.late.len(),
            Action::Look { node: at, .. } => {
                node(at).acts() && self.fills.len() < 3 && self.at_home(setup, at).is_some()
            }
            Action::Refill { node: at, key } => {
                let absent = |place: usize| self.servers[place].valid(setup, key).is_none();
                node(at).acts() && self.at_home(setup, at).is_some_and(absent)
            }
            Action::Fetch { fill } => self.fills.get(fill).is_some_and(|fill| fill.version.is_none()),
            Action::Store { fill } => self.fills.get(fill).is_some_and(|fill| fill.version.is_some()),
            Action::Crash { node: at } => node(at).alive,
            Action::Start { node: at, .. } => !node(at).alive && self.next_id < 60,
            Action::Leave { node: at } => {
                let busy = |write: &Write| {
                    write.process == node(at).id
                        && matches!(write.stage, Stage::Forwarded | Stage::Confirmed { .. } | Stage::Pending { .. })
                };
                node(at).acts() && !node(at).off && node(at).is_joined() && !self.writes.iter().any(busy)
            }
            Action::Restart { empty } => empty || self.saved.is_some(),
            Action::Promote => self.servers.len() == 1,
        }
    }

    /// Does it. What follows may break the promise: then it says how.
    pub fn step(&mut self, setup: &Setup, action: Action) -> Result<(), Violation> {
        match action {
            Action::Tick { pilot } => {
                self.now += 1;
                for at in 0..self.nodes.len() {
                    if pilot {
                        self.pilot(setup, at);
                    }
                }
                self.prune(setup);
            }
            Action::Connect { node, server } => {
                let id = self.servers[server].id;
                self.nodes[node].connect(setup, self.now, id);
                if self.nodes[node].session.is_none() {
                    self.nodes[node].session = Some(id);
                }
            }
            Action::Note { node } => self.nodes[node].tick(setup, self.now),
            Action::Send { node } => drop(self.send(setup, node)),
            Action::Prompt { node } => {
                self.nodes[node].tick(setup, self.now);
                self.prompt(setup, node);
            }
            Action::Run { packet } => self.run(setup, packet),
            Action::Hear { packet } => self.hear(setup, packet),
            Action::Cut { node } => self.nodes[node].disconnect(),
            Action::Off { node, off } => self.nodes[node].off = off,
            Action::Stall { node, stalled } => self.nodes[node].stalled = stalled,
            Action::Session { node, server } => self.nodes[node].session = Some(self.servers[server].id),
            Action::Put { node, key, way } => self.begin(setup, node, key, way),
            Action::Commit { write } => {
                let write = &mut self.writes[write];
                self.origin[write.key] += 1;
                write.version = Some(self.origin[write.key]);
                write.forwarded = 0;
            }
            Action::Finish { write, way } => self.finish(setup, write, way, false),
            Action::Unknown { write, way } => self.finish(setup, write, way, true),
            Action::Answer { write } => self.answer(setup, write),
            Action::RunLate { late } => self.run_late(setup, late),
            Action::Look { node, key } => self.look(setup, node, key),
            Action::Fetch { fill } => self.fills[fill].version = Some(self.origin[self.fills[fill].key]),
            Action::Store { fill } => self.store(setup, fill),
            Action::Refill { node, key } => self.refill(setup, node, key),
            Action::Crash { node } => self.crash(setup, node),
            Action::Start { node, lock } => {
                self.nodes[node] = Node::new(self.next_id, setup, lock, self.now);
                self.next_id += 1;
            }
            Action::Leave { node } => self.leave(setup, node),
            Action::Flush { all } => {
                self.lose();
                self.current().flush(all);
            }
            Action::Evict { record } => {
                if !record {
                    self.lose();
                }
                self.current().evict(record);
            }
            Action::Save => self.saved = Some(self.current().clone()),
            Action::Restart { empty } => self.restart(setup, empty),
            Action::Promote => self.promote(),
        }
        self.check(setup)
    }

    /// The server of a node's session, where that is the server of its lease.
    fn at_home(&self, setup: &Setup, at: usize) -> Option<usize> {
        let node = &self.nodes[at];
        let server = node.session.filter(|_| !node.off)?;
        let place = self.place(server)?;
        node.is_at_home(setup, server).then_some(place)
    }

    fn place(&self, server: u64) -> Option<usize> {
        self.servers.iter().position(|there| there.id == server)
    }

    fn current(&mut self) -> &mut Server {
        self.servers.last_mut().expect("there is always one")
    }

    /// How many alive.
    pub fn alive(&self) -> usize {
        self.nodes.iter().filter(|node| node.alive).count()
    }

    /// How many of each there are: writes, fills, calls on their way, late commands.
    pub fn counts(&self) -> [usize; 4] {
        [self.writes.len(), self.fills.len(), self.packets.len(), self.late.len()]
    }
}
