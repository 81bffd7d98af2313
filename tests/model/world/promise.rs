//! What is promised, and what is given up by name.

use super::{Action, Stage, Violation, Way, World, Write};
use crate::node::Node;
use crate::server::{Entry, Setup};

impl World {
    /// No node may give out now what is older than a write that was answered.
    pub(super) fn check(&self, setup: &Setup) -> Result<(), Violation> {
        for node in self.nodes.iter().filter(|node| node.acts() && !node.off) {
            for server in self.servers.iter().filter(|server| node.session == Some(server.id)) {
                if !node.may_hit(setup, server.id, self.now) {
                    continue;
                }
                for key in 0..self.origin.len() {
                    let Some(entry) = server.valid(setup, key) else { continue };
                    if let Some(write) = self.writes.iter().find(|write| self.breaks(write, key, entry, node)) {
                        return Err(Violation(format!(
                            "at {} process {} answers key {key} with version {} after write {} of process {} was \
                             answered, {:?}",
                            self.now, node.id, entry.version, write.id, write.process, write.stage
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    fn breaks(&self, write: &Write, key: usize, entry: Entry, node: &Node) -> bool {
        let Stage::Answered { unconfirmed } = write.stage else { return false };
        // Given up by name: a node that starts before an empty registry while another, which it never knew, is cut off.
        let never_knew = unconfirmed
            && write.process != node.id
            && node.told_of & (1 << write.process) == 0
            && self.lost & (1 << write.process) != 0;
        // Given up by name: a node that has not reached Redis since its start.
        let unmet = unconfirmed && self.met & (1 << write.process) == 0;
        write.key == key
            && write.version.is_some_and(|version| version > entry.version)
            && !write.given_up
            && !never_knew
            && !unmet
    }

    /// Lets everything come to rest, with readers that fill whatever is missing and writes that commit as late as they may,
    /// and says whether anything stays old. Comes back with how many nodes give hits at the end.
    pub fn rest(&self, setup: &Setup) -> Result<usize, Violation> {
        let mut world = self.clone();
        world.settle(setup)?;
        let end = world.now + setup.absence + 2 * setup.commit_within + 6 * setup.lease;
        while world.now < end {
            world.step(setup, Action::Tick { pilot: true })?;
            for at in 0..world.nodes.len() {
                for key in 0..setup.keys {
                    let action = Action::Refill { node: at, key };
                    if world.may(setup, action) {
                        world.step(setup, action)?;
                    }
                }
            }
            for write in 0..world.writes.len() {
                let last = world.now + 1 == world.writes[write].forwarded + setup.commit_within;
                if last && world.may(setup, Action::Commit { write }) {
                    world.step(setup, Action::Commit { write })?;
                }
            }
            world.finish_all(setup)?;
        }
        world.stays_old(setup)
    }

    fn settle(&mut self, setup: &Setup) -> Result<(), Violation> {
        if self.servers.len() > 1 {
            let gone = self.servers.remove(0).id;
            for node in self.nodes.iter_mut().filter(|node| node.control == Some(gone)) {
                node.disconnect();
            }
        }
        for node in &mut self.nodes {
            (node.stalled, node.off) = (false, false);
        }
        while !self.late.is_empty() {
            self.step(setup, Action::RunLate { late: 0 })?;
        }
        for packet in 0..self.packets.len() {
            if self.may(setup, Action::Run { packet }) {
                self.step(setup, Action::Run { packet })?;
            }
        }
        while let Some(packet) =
            (0..self.packets.len()).find(|packet| self.may(setup, Action::Hear { packet: *packet }))
        {
            self.step(setup, Action::Hear { packet })?;
        }
        Ok(())
    }

    /// Answers every client that may be answered: the sooner, the harder the promise.
    pub fn answer_all(&mut self, setup: &Setup) -> Result<(), Violation> {
        for write in 0..self.writes.len() {
            if self.may_answer(setup, &self.writes[write]) {
                self.step(setup, Action::Answer { write })?;
            }
        }
        Ok(())
    }

    fn finish_all(&mut self, setup: &Setup) -> Result<(), Violation> {
        for write in 0..self.writes.len() {
            for action in [Action::Finish { write, way: Way::Done }, Action::Answer { write }] {
                if self.may(setup, action) {
                    self.step(setup, action)?;
                }
            }
        }
        Ok(())
    }

    fn stays_old(&self, setup: &Setup) -> Result<usize, Violation> {
        let mut hits = 0;
        for node in self.nodes.iter().filter(|node| node.alive) {
            let Some(server) = self.servers.iter().find(|server| node.session == Some(server.id)) else { continue };
            if !node.may_hit(setup, server.id, self.now) {
                continue;
            }
            hits += 1;
            for (key, version) in self.origin.iter().enumerate() {
                if let Some(entry) = server.valid(setup, key).filter(|entry| entry.version < *version) {
                    return Err(Violation(format!(
                        "process {} gives key {key} with version {} for good, which is {version} at the origin",
                        node.id, entry.version
                    )));
                }
            }
        }
        Ok(hits)
    }
}
