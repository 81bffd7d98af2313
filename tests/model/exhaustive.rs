//! Everything that can happen within small bounds, breadth first.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::server::{Setup, Time};
use crate::world::{Action, Violation, Way, World};

/// How often what may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    pub until: Time,
    pub puts: usize,
    pub crashes: usize,
    pub stalls: usize,
    pub outages: usize,
    /// Calls that are held on their way.
    pub held: usize,
    /// Commands of sessions that fail.
    pub failures: usize,
}

/// What was found.
pub struct Found {
    pub states: usize,
    /// The first violation, with what led to it.
    pub violation: Option<(Violation, Vec<Action>)>,
}

/// Fast, and good enough for states.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}

fn hash(state: &(World, Bounds)) -> u64 {
    let mut mix = Mix::default();
    state.hash(&mut mix);
    mix.finish()
}

/// Looks at everything; of the states at the end every so manieth is let come to rest.
pub fn explore(setup: &Setup, bounds: Bounds, rest_every: usize) -> Found {
    let mut seen: HashSet<u64, BuildHasherDefault<Mix>> = HashSet::default();
    let mut steps: Vec<(usize, Action)> = Vec::new();
    let mut world = World::new(setup);
    for _ in 0..2 {
        world.step(setup, Action::Tick { pilot: true }).expect("nothing has been written");
    }
    let mut level = vec![((world, bounds), usize::MAX)];
    let (mut states, mut ends) = (0, 0);
    while !level.is_empty() {
        let mut following = Vec::new();
        for (state, parent) in level {
            states += 1;
            for (action, bounds) in actions(setup, &state) {
                let mut world = state.0.clone();
                let done = world.step(setup, action).and_then(|()| world.answer_all(setup));
                let next = (world, bounds);
                if done.is_ok() && !seen.insert(hash(&next)) {
                    continue;
                }
                steps.push((parent, action));
                let done = done.and_then(|()| {
                    let end = next.0.now == next.1.until && matches!(action, Action::Tick { .. });
                    ends += usize::from(end);
                    if end && ends % rest_every == 0 { next.0.rest(setup).map(drop) } else { Ok(()) }
                });
                if let Err(violation) = done {
                    let trace = trace(&steps, steps.len() - 1);
                    return Found { states, violation: Some((violation, trace)) };
                }
                following.push((next, steps.len() - 1));
            }
        }
        level = following;
    }
    Found { states, violation: None }
}

fn trace(steps: &[(usize, Action)], last: usize) -> Vec<Action> {
    let mut trace = Vec::new();
    let mut at = last;
    while let Some((before, action)) = steps.get(at) {
        trace.push(*action);
        at = *before;
    }
    trace.reverse();
    trace
}

fn actions(setup: &Setup, (world, bounds): &(World, Bounds)) -> Vec<(Action, Bounds)> {
    let mut all = Vec::new();
    let mut add = |action, bounds| {
        if world.may(setup, action) {
            all.push((action, bounds));
        }
    };
    let more = world.now < bounds.until;
    if more {
        add(Action::Tick { pilot: true }, *bounds);
    }
    // What would begin in the last tick has begun sooner elsewhere.
    let left = if more { *bounds } else { Bounds { puts: 0, crashes: 0, stalls: 0, outages: 0, held: 0, ..*bounds } };
    let [writes, _, packets, late] = world.counts();
    for node in 0..world.nodes.len() {
        // Nodes differ by who is the first in a tick, no more: the first write is one node's.
        if let Some(puts) = left.puts.checked_sub(1).filter(|_| writes > 0 || node == 0) {
            add(Action::Put { node, key: 0, way: Way::Done }, Bounds { puts, ..*bounds });
        }
        if let Some(crashes) = left.crashes.checked_sub(1) {
            add(Action::Crash { node }, Bounds { crashes, ..*bounds });
        }
        if let Some(stalls) = left.stalls.checked_sub(1) {
            add(Action::Stall { node, stalled: true }, Bounds { stalls, ..*bounds });
        }
        if let Some(outages) = left.outages.checked_sub(1) {
            add(Action::Off { node, off: true }, Bounds { outages, ..*bounds });
        }
        if let Some(held) = left.held.checked_sub(1) {
            add(Action::Note { node }, Bounds { held, ..*bounds });
        }
        add(Action::Send { node }, *bounds);
        add(Action::Stall { node, stalled: false }, *bounds);
        add(Action::Off { node, off: false }, *bounds);
    }
    // Whoever does it, the same is stored.
    let refill = (0..world.nodes.len()).map(|node| Action::Refill { node, key: 0 });
    if let Some(refill) = refill.into_iter().find(|refill| world.may(setup, *refill)) {
        add(refill, *bounds);
    }
    for write in 0..writes {
        add(Action::Commit { write }, *bounds);
        add(Action::Finish { write, way: Way::Done }, *bounds);
        let fails = bounds.failures.checked_sub(1).map(|failures| Bounds { failures, ..*bounds });
        for way in [Way::Lost, Way::Late] {
            if let Some(bounds) = fails {
                add(Action::Finish { write, way }, bounds);
            } else if world.is_cut_off(write) && way == Way::Lost {
                add(Action::Finish { write, way }, *bounds);
            }
        }
    }
    for packet in 0..packets {
        add(Action::Run { packet }, *bounds);
        add(Action::Hear { packet }, *bounds);
    }
    for late in 0..late {
        add(Action::RunLate { late }, *bounds);
    }
    all
}
