//! Processes that end, and servers that lose what they had.

use aside::store::lease::Answer;

use super::{Stage, World};
use crate::node::Node;
use crate::server::{Server, Setup};

impl World {
    /// Whoever is listed there may be so no more.
    pub(super) fn lose(&mut self) {
        let listed: Vec<u64> = self.servers.iter().flat_map(Server::listed).collect();
        self.lost = listed.into_iter().fold(self.lost, |lost, id| lost | 1 << id);
    }

    pub(super) fn crash(&mut self, setup: &Setup, at: usize) {
        let id = self.nodes[at].id;
        // All that are dead are alike, so that an exhaustive search meets them once.
        self.nodes[at] = Node::new(id, setup, false, 0);
        self.nodes[at].alive = false;
        for write in self.writes.iter_mut().filter(|write| write.process == id) {
            write.under_way = false;
            if !matches!(write.stage, Stage::Answered { .. }) {
                write.stage = Stage::Lost;
            }
        }
    }

    pub(super) fn leave(&mut self, setup: &Setup, at: usize) {
        let node = &self.nodes[at];
        let mut message = node.good_bye(setup, self.now);
        message.lock = node.lock.then_some(at);
        if let Some(place) = node.control.and_then(|server| self.place(server)) {
            let answer = self.servers[place].call(setup, self.now, &mut self.epochs, &message);
            if matches!(answer, Answer::Done(_)) {
                self.crash(setup, at);
            }
        }
    }

    pub(super) fn restart(&mut self, setup: &Setup, empty: bool) {
        self.lose();
        let id = self.servers.last().map_or(1, |server| server.id) + 1;
        let saved = self.saved.clone().filter(|_| !empty);
        let server = saved.map_or_else(|| Server::new(id, setup.keys), |saved| saved.renamed(id));
        let gone = self.servers.pop().map(|server| server.id);
        for node in &mut self.nodes {
            if node.control == gone {
                node.disconnect();
            }
            if node.session == gone {
                node.session = None;
            }
        }
        self.servers.push(server);
    }

    pub(super) fn promote(&mut self) {
        self.lose();
        let id = self.servers.last().map_or(1, |server| server.id) + 1;
        for server in &mut self.servers {
            server.replicated = false;
        }
        self.servers.push(self.replica.renamed(id));
    }
}
