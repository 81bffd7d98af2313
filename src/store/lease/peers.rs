//! The other nodes, as the registry in Redis names them and as this node remembers them.
//!
//! A node remembers its peers: a registry that was lost names nobody, and yet there may be one that is cut off and writes.

use std::collections::BTreeMap;

use crate::clock::Millis;

/// More nodes than this are not remembered: the registry then has foreign values in it.
const MOST: usize = 1_000;

/// A process, from its start to its end; random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

/// What the registry said when it was called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Roll {
    /// Redis's time then.
    pub now: Millis,
    /// Since when, by Redis's time, anybody knows this server under its replication id.
    pub since: Millis,
    /// All others that are listed.
    pub peers: Vec<Peer>,
    /// Other nodes have other rules, and some of them do not know yet that this one is there.
    pub unaware: bool,
    /// Other nodes have other rules.
    pub rules_differ: bool,
}

/// A node in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Which one.
    pub id: NodeId,
    /// How it stands.
    pub state: PeerState,
}

/// How a node stands in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// Its lease runs.
    Alive,
    /// Its lease has ended, and it has not signed off.
    Lapsed,
    /// It has signed off, or is known to be dead and everything from before has been invalidated.
    Off,
}

/// The other nodes that this one knows of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Peers {
    /// Since when each has been silent, by this node's time; `None` for one that is alive.
    known: BTreeMap<NodeId, Option<Millis>>,
}

impl Peers {
    /// Takes down what the registry says. One that is known and no longer listed is silent, too. Without `waits` nobody who is
    /// silent is waited for.
    pub(super) fn call(&mut self, roll: &Roll, now: Millis, waits: bool) {
        let mut listed: BTreeMap<NodeId, PeerState> =
            roll.peers.iter().take(MOST).map(|peer| (peer.id, peer.state)).collect();
        self.known.retain(|id, silent| match listed.remove(id) {
            Some(PeerState::Off) => false,
            Some(PeerState::Alive) => {
                *silent = None;
                true
            }
            Some(PeerState::Lapsed) | None => {
                silent.get_or_insert(now);
                waits
            }
        });
        let met = listed.into_iter().filter_map(|(id, state)| match state {
            PeerState::Alive => Some((id, None)),
            PeerState::Lapsed if waits => Some((id, Some(now))),
            PeerState::Lapsed | PeerState::Off => None,
        });
        self.known.extend(met);
    }

    /// Whether one has been silent for as long as it is waited for.
    pub(super) fn any_to_give_up(&self, now: Millis, absence: Millis) -> bool {
        self.known.values().any(|silent| is_over(*silent, now, absence))
    }

    /// A new epoch has begun with a call that was sent then: nobody needs to wait any more for those who were to be given up.
    pub(super) fn give_up(&mut self, sent: Millis, absence: Millis) {
        self.known.retain(|_, silent| !is_over(*silent, sent, absence));
    }

    /// Each that is known, and since when it has been silent, by this node's time; `None` for one that is alive.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, Option<Millis>)> {
        self.known.iter().map(|(id, silent)| (*id, *silent))
    }

    /// Whether every one that is known is alive.
    pub(super) fn all_accounted_for(&self) -> bool {
        self.known.values().all(Option::is_none)
    }
}

fn is_over(silent: Option<Millis>, now: Millis, absence: Millis) -> bool {
    silent.is_some_and(|since| now.saturating_sub(since) >= absence)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(1);

    fn roll(states: &[(NodeId, PeerState)]) -> Roll {
        let peers = states.iter().map(|&(id, state)| Peer { id, state }).collect();
        Roll { now: 0, since: 0, peers, unaware: false, rules_differ: false }
    }

    #[test]
    fn who_was_known_and_is_missing_is_waited_for_until_a_new_epoch_has_begun() {
        let mut peers = Peers::default();
        peers.call(&roll(&[(A, PeerState::Alive)]), 0, true);
        assert!(peers.all_accounted_for());
        peers.call(&roll(&[]), 10, true);
        assert!(!peers.all_accounted_for());
        assert!(!peers.any_to_give_up(109, 100));
        peers.give_up(109, 100);
        peers.call(&roll(&[]), 200, true);
        assert!(!peers.all_accounted_for(), "nobody has begun one");
        assert!(peers.any_to_give_up(110, 100));
        peers.give_up(110, 100);
        assert!(peers.all_accounted_for(), "given up");
    }

    #[test]
    fn who_comes_back_signs_off_or_is_buried_is_accounted_for() {
        for back in [PeerState::Alive, PeerState::Off] {
            let mut peers = Peers::default();
            peers.call(&roll(&[(A, PeerState::Lapsed)]), 0, true);
            assert!(!peers.all_accounted_for(), "met as silent");
            peers.call(&roll(&[(A, back)]), 1, true);
            assert!(peers.all_accounted_for());
        }
    }

    #[test]
    fn without_absence_nobody_is_waited_for() {
        let mut peers = Peers::default();
        peers.call(&roll(&[(A, PeerState::Lapsed)]), 0, false);
        assert!(peers.all_accounted_for());
        peers.call(&roll(&[(A, PeerState::Alive)]), 0, false);
        peers.call(&roll(&[]), 1, false);
        assert!(peers.all_accounted_for());
    }
}
