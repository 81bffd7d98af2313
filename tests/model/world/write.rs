//! Writes: how each stands, and what its node makes of it.

use super::call::LateCommand;
use super::{Way, World};
use crate::rules::Rule;
use crate::server::{Mark, Setup, Time, Unmade, WriteId};

/// How a write stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    Forwarded,
    /// Redis has invalidated what it changed; it is answered from then on.
    Confirmed {
        from: Time,
    },
    /// It is answered once what has this number is made, or from then on, with `forward`.
    Pending {
        number: u32,
        from: Time,
    },
    /// Nobody is answered.
    Lost,
    /// The client has its answer.
    Answered {
        unconfirmed: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Write {
    pub(super) id: WriteId,
    pub(super) key: usize,
    pub(super) place: usize,
    pub(super) process: u64,
    /// When; it counts until it is committed.
    pub(super) forwarded: Time,
    pub(super) version: Option<u32>,
    pub(super) stage: Stage,
    /// What is promised after it is given up by name.
    pub(super) given_up: bool,
    /// It is noted anew by each join.
    pub(super) under_way: bool,
    /// Redis has noted it before it was forwarded, or was to note it with a join since.
    pub(super) noted: bool,
}

impl Write {
    /// Given up by name: a write that Redis could not note, with `forward`, whose node dies before the origin commits.
    pub(super) fn unheard_of(&self) -> bool {
        !self.noted && self.stage == Stage::Lost
    }
}

impl World {
    pub(super) fn begin(&mut self, setup: &Setup, at: usize, key: usize, way: Way) {
        let id = WriteId::try_from(self.writes.len()).expect("few") + 1;
        let node = &self.nodes[at];
        let (process, generation) = (node.id, node.generation());
        let mark = Mark { write: id, node: process, generation, key };
        if let Some(place) = self.at_home(setup, at).filter(|_| setup.has(Rule::WriteIsMarked)) {
            match way {
                Way::Done | Way::Unheard => self.servers[place].mark(mark),
                Way::Late => self.late.push((self.servers[place].id, LateCommand::Mark(mark))),
                Way::Lost => {}
            }
        }
        self.writes.push(Write {
            id,
            key,
            place: at,
            process,
            forwarded: self.now,
            version: None,
            stage: Stage::Forwarded,
            given_up: false,
            under_way: true,
            noted: way == Way::Done || way == Way::Unheard,
        });
    }

    pub(super) fn finish(&mut self, setup: &Setup, write: usize, way: Way, unknown: bool) {
        let Write { key, id, place: at, .. } = self.writes[write];
        let unmade = Unmade { key, write: id, hold: unknown };
        self.writes[write].under_way = false;
        let mut confirmed = None;
        if let Some(place) = self.at_home(setup, at) {
            let server = &mut self.servers[place];
            if matches!(way, Way::Done | Way::Unheard) {
                server.make(setup, self.now, &mut self.epochs, unmade);
            }
            if way == Way::Late {
                self.late.push((server.id, LateCommand::Make(unmade)));
            }
            if way == Way::Done {
                confirmed = self.nodes[at].confirms_from(setup, server.id, self.now);
            }
        }
        let stage = if let Some(from) = confirmed {
            Stage::Confirmed { from }
        } else {
            let (number, from) = self.nodes[at].add_pending(setup, self.now, unmade);
            Stage::Pending { number, from }
        };
        self.writes[write].stage = if unknown { Stage::Lost } else { stage };
    }

    pub(super) fn may_answer(&self, setup: &Setup, write: &Write) -> bool {
        if !self.is_here(write) {
            return false;
        }
        let node = &self.nodes[write.place];
        match write.stage {
            Stage::Confirmed { from } => self.now >= from,
            Stage::Pending { number, from } => {
                let made = node.is_confirmed(number) && self.now >= node.confirmed_from(setup);
                made || (setup.forward && self.now >= from)
            }
            _ => false,
        }
    }

    pub(super) fn answer(&mut self, setup: &Setup, write: usize) {
        let write = &mut self.writes[write];
        let node = &self.nodes[write.place];
        let unconfirmed = match write.stage {
            Stage::Pending { number, .. } => !(node.is_confirmed(number) && self.now >= node.confirmed_from(setup)),
            _ => false,
        };
        // Given up by name: a node out for longer than `absence`, with `forward`.
        write.given_up = unconfirmed && self.now >= node.ran + setup.absence;
        write.stage = Stage::Answered { unconfirmed };
    }

    pub(super) fn is_here(&self, write: &Write) -> bool {
        let node = &self.nodes[write.place];
        node.id == write.process && node.acts()
    }

    pub(super) fn may_end(&self, setup: &Setup, at: usize, way: Way) -> bool {
        way == Way::Lost || self.at_home(setup, at).is_some()
    }

    /// Whether the node of a write reaches no Redis.
    pub fn is_cut_off(&self, write: usize) -> bool {
        self.writes.get(write).is_some_and(|write| self.nodes[write.place].off)
    }
}
