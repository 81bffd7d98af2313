//! Reads that miss, and fill the cache.

use super::World;
use crate::server::{Entry, Setup, Token};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fill {
    pub(super) place: usize,
    pub(super) process: u64,
    pub(super) server: u64,
    pub(super) key: usize,
    pub(super) token: Token,
    pub(super) version: Option<u32>,
}

impl World {
    pub(super) fn look(&mut self, setup: &Setup, at: usize, key: usize) {
        let Some(place) = self.at_home(setup, at) else { return };
        let token = self.servers[place].look_up(setup, self.now, &mut self.epochs);
        let (process, server) = (self.nodes[at].id, self.servers[place].id);
        self.fills.push(Fill { place: at, process, server, key, token, version: None });
    }

    pub(super) fn store(&mut self, setup: &Setup, fill: usize) {
        let Fill { process, server, key, token, version, place: at } = self.fills.remove(fill);
        let (Some(place), Some(version)) = (self.place(server), version) else { return };
        if self.nodes[at].id == process {
            self.servers[place].put(setup, key, Entry { token, version });
        }
    }

    pub(super) fn refill(&mut self, setup: &Setup, at: usize, key: usize) {
        let under_way = self.fills.len();
        self.look(setup, at, key);
        if self.fills.len() > under_way {
            self.fills[under_way].version = Some(self.origin[key]);
            self.store(setup, under_way);
        }
    }
}
