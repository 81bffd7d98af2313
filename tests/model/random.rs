//! Random runs: each is its seed, and can be run again.

use crate::server::Setup;
use crate::world::{Action, Violation, WAYS, Way, World};

/// How many actions a run has.
const ACTIONS: usize = 350;
/// How many writes.
const WRITES: usize = 14;

/// Numbers that look random (splitmix).
#[derive(Clone, Debug)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }

    fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// What happens in one run, and how often.
#[derive(Clone, Debug)]
struct Mood {
    /// In so many of a hundred ticks all that are undisturbed do what is due.
    pilot: usize,
    /// How often what the network does is disturbed, of a hundred.
    network: usize,
    /// Faults of each kind, of ten thousand.
    faults: [usize; 9],
    /// Commands of sessions fail so often, of a hundred.
    failures: usize,
    /// Most of what goes wrong befalls this one.
    victim: usize,
}

/// A run.
pub struct Run {
    pub trace: Vec<Action>,
    pub end: Result<(World, usize), Violation>,
}

/// Runs a seed.
pub fn run(setup: &Setup, seed: u64) -> Run {
    let mut chance = Chance(seed);
    let mood = Mood::any(&mut chance);
    let mut world = World::new(setup);
    let mut trace = Vec::new();
    for _ in 0..ACTIONS {
        let action = any_action(&mut chance, &mood, &world);
        if !is_allowed(&world, setup, action) {
            continue;
        }
        trace.push(action);
        if let Err(violation) = step(&mut world, setup, action) {
            return Run { trace, end: Err(violation) };
        }
    }
    let end = world.rest(setup).map(|hits| (world, hits));
    Run { trace, end }
}

fn step(world: &mut World, setup: &Setup, action: Action) -> Result<(), Violation> {
    world.step(setup, action)?;
    world.answer_all(setup)
}

fn is_allowed(world: &World, setup: &Setup, action: Action) -> bool {
    let full = matches!(action, Action::Put { .. }) && world.counts()[0] >= WRITES;
    !full && world.may(setup, action)
}

/// The same without as many actions as can be spared.
pub fn shortened(setup: &Setup, trace: &[Action]) -> Vec<Action> {
    let mut trace = trace.to_vec();
    let mut at = trace.len();
    let mut whole = true;
    while at > 0 || !whole {
        if at == 0 {
            (at, whole) = (trace.len(), true);
        }
        at -= 1;
        let mut less = trace.clone();
        less.remove(at);
        if breaks(setup, &less).is_some() {
            (trace, whole) = (less, false);
        }
    }
    trace
}

/// How a trace breaks the promise; what is not possible in it is left out.
pub fn breaks(setup: &Setup, trace: &[Action]) -> Option<Violation> {
    let mut world = World::new(setup);
    for action in trace {
        if is_allowed(&world, setup, *action)
            && let Err(violation) = step(&mut world, setup, *action)
        {
            return Some(violation);
        }
    }
    world.rest(setup).err()
}

impl Mood {
    fn any(chance: &mut Chance) -> Self {
        let mut faults = [0; 9];
        for fault in &mut faults {
            *fault = if chance.percent(30) { 20 + chance.below(150) } else { 0 };
        }
        Self {
            pilot: [30, 90, 100, 100][chance.below(4)],
            network: [0, 0, 20, 50][chance.below(4)],
            victim: chance.below(2),
            faults,
            failures: [0, 20, 60][chance.below(3)],
        }
    }
}

fn any_action(chance: &mut Chance, mood: &Mood, world: &World) -> Action {
    let dice = chance.below(10_000);
    let mut edge = 0;
    for (kind, often) in mood.faults.iter().enumerate() {
        edge += often;
        if dice < edge {
            return any_fault(chance, mood, kind, world);
        }
    }
    let node = if chance.percent(60) { mood.victim } else { chance.below(world.nodes.len()) };
    let [writes, fills, packets, late] = world.counts();
    if chance.percent(mood.network / 2) {
        let packet = chance.below(packets);
        return match chance.below(8) {
            0 | 1 => Action::Note { node },
            2 | 3 => Action::Send { node },
            4 | 5 => Action::Run { packet },
            6 => Action::Hear { packet },
            _ => Action::Session { node, server: chance.below(world.servers.len()) },
        };
    }
    let any_way = |chance: &mut Chance| if chance.percent(mood.failures) { WAYS[chance.below(4)] } else { Way::Done };
    // Mostly the ones that are new.
    let write = if chance.percent(70) { writes.saturating_sub(1 + chance.below(3)) } else { chance.below(writes) };
    let (fill, key) = (chance.below(fills), chance.below(2).min(chance.below(4)));
    match chance.below(24) {
        0..=5 => Action::Tick { pilot: chance.percent(mood.pilot) },
        6 => Action::Put { node, key, way: any_way(chance) },
        7 | 8 => Action::Commit { write },
        9 => Action::Finish { write, way: any_way(chance) },
        10 if world.is_cut_off(write) => Action::Finish { write, way: Way::Lost },
        10 => Action::Finish { write, way: Way::Done },
        11 if chance.percent(30) => Action::Unknown { write, way: any_way(chance) },
        11..=15 => Action::Refill { node: chance.below(world.nodes.len()), key },
        16 => Action::Look { node, key },
        17 => Action::Fetch { fill },
        18 => Action::Store { fill },
        19 => Action::Connect { node, server: chance.below(world.servers.len()) },
        20 | 21 => Action::Prompt { node },
        22 => Action::Start { node, lock: chance.percent(60) },
        _ => Action::RunLate { late: chance.below(late) },
    }
}

fn any_fault(chance: &mut Chance, mood: &Mood, kind: usize, world: &World) -> Action {
    let node = if chance.percent(80) { mood.victim } else { chance.below(world.nodes.len()) };
    match kind {
        0 => Action::Crash { node },
        1 => Action::Off { node, off: !world.nodes[node].off },
        2 => Action::Stall { node, stalled: !world.nodes[node].stalled },
        3 => Action::Cut { node },
        4 => Action::Leave { node },
        5 => Action::Flush { all: chance.percent(50) },
        6 => Action::Evict { record: chance.percent(50) },
        7 if chance.percent(50) => Action::Save,
        7 => Action::Restart { empty: chance.percent(50) },
        _ => Action::Promote,
    }
}
