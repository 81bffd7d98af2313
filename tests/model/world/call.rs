//! What is on its way to a server and back.

use aside::store::lease::{Answer, Step};

use super::{Action, World, Write};
use crate::node::Node;
use crate::rules::Rule;
use crate::server::{Mark, Message, Setup, Unmade};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Packet {
    pub(super) process: u64,
    pub(super) connection: u32,
    pub(super) server: u64,
    pub(super) message: Message,
    pub(super) answer: Option<Answer>,
}

/// A command of a core's session that was given up and may still run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum LateCommand {
    Mark(Mark),
    Make(Unmade),
}

impl World {
    pub(super) fn is_heard(&self, packet: &Packet) -> bool {
        let mine = |node: &&Node| node.alive && node.id == packet.process && node.control == Some(packet.server);
        self.nodes.iter().find(mine).is_some_and(|node| node.connection == packet.connection && node.acts())
    }

    /// While its sender reaches nothing, what it has sent on a connection that is there is held.
    pub(super) fn is_off(&self, packet: &Packet) -> bool {
        self.nodes.iter().any(|node| node.id == packet.process && node.alive && node.off)
    }

    /// What a node does that nobody disturbs.
    pub(super) fn pilot(&mut self, setup: &Setup, at: usize) {
        let node = &self.nodes[at];
        if !node.acts() || node.off {
            return;
        }
        let server = self.servers.len() - 1;
        if self.servers[server].id != node.session.unwrap_or(0) {
            self.nodes[at].session = Some(self.servers[server].id);
        }
        for _ in 0..2 {
            if self.nodes[at].control.is_none() {
                self.nodes[at].connect(setup, self.now, self.servers[server].id);
            } else if self.may(setup, Action::Note { node: at }) {
                self.nodes[at].tick(setup, self.now);
            }
            self.prompt(setup, at);
            if self.nodes[at].control.is_some() {
                break;
            }
        }
    }

    /// Sends and answers until nothing is under way.
    pub(super) fn prompt(&mut self, setup: &Setup, at: usize) {
        for _ in 0..4 {
            let Some(packet) = self.send(setup, at) else { return };
            self.run(setup, packet);
            if self.packets[packet].answer.is_some() {
                self.hear(setup, packet);
            }
        }
    }

    pub(super) fn send(&mut self, setup: &Setup, at: usize) -> Option<usize> {
        let now = self.now;
        let node = &mut self.nodes[at];
        let (process, connection, server) = (node.id, node.connection, node.control?);
        let mut message = node.send(setup, now)?;
        message.lock = node.lock.then_some(at);
        if message.call.step == Step::Join {
            let generation = message.call.generation;
            let mine = |write: &&Write| write.process == process && write.under_way && setup.has(Rule::WriteIsMarked);
            let mark = |write: &Write| Mark { write: write.id, node: process, generation, key: write.key };
            message.marks = self.writes.iter().filter(mine).map(mark).collect();
        }
        self.packets.push(Packet { process, connection, server, message, answer: None });
        Some(self.packets.len() - 1)
    }

    pub(super) fn run(&mut self, setup: &Setup, packet: usize) {
        let Some(place) = self.place(self.packets[packet].server) else {
            self.packets[packet].answer = Some(Answer::Failed);
            return;
        };
        let (server, packet) = (&mut self.servers[place], &mut self.packets[packet]);
        let mut answer = server.call(setup, self.now, &mut self.epochs, &packet.message);
        if matches!(answer, Answer::Done(_)) {
            self.met |= 1 << packet.process;
            for mark in &packet.message.marks {
                if let Some(write) = self.writes.iter_mut().find(|write| write.id == mark.write) {
                    write.noted = true;
                }
            }
            let counts = server.replicated || !setup.has(Rule::RenewalIsReplicated);
            if server.replicated {
                self.replica = server.clone();
            }
            if !counts {
                answer = Answer::Failed;
            } else if let Some(node) = self.nodes.iter_mut().find(|node| node.id == packet.process) {
                node.ran = self.now;
            }
        }
        packet.answer = Some(answer);
    }

    pub(super) fn hear(&mut self, setup: &Setup, packet: usize) {
        let packet = self.packets.remove(packet);
        let Some(answer) = packet.answer else { return };
        if let Some(node) = self.nodes.iter_mut().find(|node| node.id == packet.process) {
            node.answered(setup, self.now, &packet.message, answer);
        }
    }

    /// What can have no consequence any more is gone.
    pub(super) fn prune(&mut self, setup: &Setup) {
        let (now, in_time) = (self.now, setup.has(Rule::CallRunsInTime));
        let packets = std::mem::take(&mut self.packets);
        let matters = |packet: &Packet| {
            let runs = packet.answer.is_none() && (now <= packet.message.call.run_before || !in_time);
            let alive = self.nodes.iter().any(|node| {
                node.alive
                    && node.id == packet.process
                    && node.connection == packet.connection
                    && node.control.is_some()
            });
            alive || (runs && self.place(packet.server).is_some())
        };
        self.packets = packets.into_iter().filter(matters).collect();
        self.late.retain(|(server, _)| self.servers.iter().any(|there| there.id == *server));
    }

    pub(super) fn run_late(&mut self, setup: &Setup, late: usize) {
        let (server, command) = self.late.remove(late);
        let Some(place) = self.place(server) else { return };
        match command {
            LateCommand::Mark(mark) => self.servers[place].mark(mark),
            LateCommand::Make(unmade) => self.servers[place].make(setup, self.now, &mut self.epochs, unmade),
        }
    }
}
