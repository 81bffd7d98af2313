//! What kinds of writes were seen to change which routes, and which to leave them as they were.
//!
//! One look at an answer after another tells that it has changed or that it has not, and the writes in between may have had to
//! do with it. Where that was one write alone it is certain, and so is the only kind of proof that a write leaves something as
//! it was, for two writes can undo each other. Of several it is noted together who they were; who is to blame then is for
//! [`super::blame`] to say.

use std::collections::BTreeSet;

use super::parted::Parted;
use super::writes::{Few, KindId, Moment};

/// A route, by its place in the file; the last one are the paths without a route.
pub(super) type RouteId = usize;

/// A write that lies between two looks at an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Suspect {
    pub(super) kind: KindId,
    /// The answer's path in the words of the write, where that tells it.
    pub(super) path: Option<String>,
}

/// One kind of writes and one route.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// The writes that must have changed an answer of the route.
    pub(super) changed_by: Few<Moment>,
    /// Of these, those that had not dropped it.
    pub(super) missed_by: Few<Moment>,
    pub(super) changed: u32,
    pub(super) path: Told,
    /// What writes left as it was that were seen to change something elsewhere, and what others did.
    spared: [Spared; 2],
    /// Answers with writes of this kind in between, alone or among others: those whose path the write tells, and others.
    among: [Among; 2],
}

/// Answers that a kind of writes left as they were: those whose path the write tells, and others.
#[derive(Clone, Debug, Default)]
struct Spared {
    own: Stayed,
    elsewhere: Stayed,
}

/// So many answers, after so many writes.
#[derive(Clone, Debug, Default)]
pub(super) struct Stayed {
    pub(super) answers: u32,
    pub(super) writes: u32,
    values: Few<u64>,
}

/// How many answers were others with writes of a kind in between, and how many the same.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Among {
    pub(super) changed: u32,
    pub(super) stayed: u32,
}

/// What the writes told of the paths whose answers they changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Told {
    #[default]
    Unknown,
    /// Always this one.
    Path(String),
    /// Not always the same.
    Nothing,
}

impl Told {
    pub(super) fn add(&mut self, path: Option<&String>) {
        *self = match (std::mem::take(self), path) {
            (Self::Unknown, Some(path)) => Self::Path(path.clone()),
            (Self::Path(known), Some(path)) if known == *path => Self::Path(known),
            _ => Self::Nothing,
        };
    }

    pub(super) fn join(&mut self, other: &Self) {
        match other {
            Self::Unknown => {}
            Self::Path(path) => self.add(Some(path)),
            Self::Nothing => *self = Self::Nothing,
        }
    }
}

/// So many answers, by so many writes, have to stay as they were before that is believed of a kind: then it is 95 % certain that
/// fewer than about 3 in so many writes change one, if each does with the same chance (`0.9^30` is less than 5 %).
pub(super) const ENOUGH_ANSWERS: u32 = 30;
pub(super) const ENOUGH_WRITES: u32 = 30;
/// And so many different values, where so many were seen.
const ENOUGH_VALUES: usize = 3;
/// So many pairs and groups are told apart.
const MOST: usize = 8_192;
/// So many suspects all groups have.
const MOST_SUSPECTS: usize = 65_536;

/// All that was seen. It is copied at once, however much there is.
#[derive(Clone, Debug, Default)]
pub(super) struct Cases {
    tallies: Parted<(KindId, RouteId), Tally>,
    /// Changes with several writes in between, those of answers that had not been dropped apart.
    groups: Parted<(RouteId, bool, Vec<Suspect>), Group>,
    /// How many suspects those have.
    suspects: usize,
    /// Those that may have changed a route, when there was no room for a group; all, where there was none for them either.
    doubted: Parted<(KindId, RouteId), ()>,
    is_all_doubted: bool,
    /// The kinds that are known to change anything.
    changing: BTreeSet<KindId>,
}

/// Answers that changed with the same suspects.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) answers: u32,
    /// The writes, a few of them.
    pub(super) writes: Few<(KindId, Moment)>,
}

/// A write has left an answer as it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sparing {
    pub(super) kind: KindId,
    /// The hash of the values of its variables.
    pub(super) values: u64,
    /// The answer's path is one that it tells.
    pub(super) is_own: bool,
    /// It is known to have changed something.
    pub(super) is_effective: bool,
    /// It is the first such answer of the route.
    pub(super) is_first: bool,
}

impl Cases {
    /// One write alone can have changed this answer; `missed` is that it had not dropped it.
    pub(super) fn changed(&mut self, write: Moment, suspect: &Suspect, route: RouteId, missed: bool) {
        if let Some(tally) = self.tally_of(suspect.kind, route) {
            tally.changed_by.add(write);
            if missed {
                tally.missed_by.add(write);
            }
            tally.changed = tally.changed.saturating_add(1);
            tally.path.add(suspect.path.as_ref());
            self.changing.insert(suspect.kind);
        }
    }

    /// One of these has.
    pub(super) fn changed_by_one_of(&mut self, found: Vec<(Moment, Suspect)>, route: RouteId, missed: bool) {
        let writes: Vec<_> = found.iter().map(|(write, suspect)| (suspect.kind, *write)).collect();
        let mut suspects: Vec<Suspect> = found.into_iter().map(|(_, suspect)| suspect).collect();
        suspects.sort_unstable();
        suspects.dedup();
        let count = suspects.len();
        let most = if self.suspects + count > MOST_SUSPECTS { 0 } else { MOST };
        if let Some(group) = self.groups.get_or_add((route, missed, suspects.clone()), most) {
            if group.answers == 0 {
                self.suspects += count;
            }
            group.answers = group.answers.saturating_add(1);
            for write in writes {
                group.writes.add(write);
            }
        } else {
            self.doubt(&suspects, route);
        }
    }

    /// Any of these may have changed the route, and there is no room to tell in which company.
    fn doubt(&mut self, suspects: &[Suspect], route: RouteId) {
        if suspects.iter().any(|suspect| self.explains(suspect, route)) {
            return;
        }
        for suspect in suspects {
            self.may_change(suspect.kind, route);
        }
    }

    /// A kind may change a route for all that is known: it is not let off.
    pub(super) fn may_change(&mut self, kind: KindId, route: RouteId) {
        if self.doubted.get_or_add((kind, route), MOST).is_none() {
            self.is_all_doubted = true;
        }
    }

    /// Whether a kind may have changed a route for all that there was room to note.
    pub(super) fn is_doubted(&self, kind: KindId, route: RouteId) -> bool {
        self.is_all_doubted || self.doubted.get(&(kind, route)).is_some()
    }

    /// Whether a write of this kind is known to change such an answer.
    pub(super) fn explains(&self, suspect: &Suspect, route: RouteId) -> bool {
        let tally = self.tally(suspect.kind, route).filter(|tally| tally.changed > 0);
        tally.is_some_and(|tally| tally.path == Told::Nothing || suspect.path.is_some())
    }

    /// A write has left an answer of a route as it was.
    pub(super) fn spared(&mut self, route: RouteId, sparing: Sparing) {
        let Some(tally) = self.tally_of(sparing.kind, route) else { return };
        let [certain, others] = &mut tally.spared;
        let spared = if sparing.is_effective { certain } else { others };
        let stayed = if sparing.is_own { &mut spared.own } else { &mut spared.elsewhere };
        stayed.add(1, u32::from(sparing.is_first), sparing.values);
    }

    /// A write that has left so many answers of these routes as they were, at its own paths and elsewhere, turns out to have
    /// changed something.
    pub(super) fn is_effective(&mut self, kind: KindId, values: u64, spared: &[(RouteId, [u32; 2])]) {
        for (route, [own, elsewhere]) in spared {
            let Some(tally) = self.tally_of(kind, *route) else { continue };
            let [certain, others] = &mut tally.spared;
            others.own.pass_on(&mut certain.own, *own, values);
            others.elsewhere.pass_on(&mut certain.elsewhere, *elsewhere, values);
        }
    }

    /// An answer is another one, or the same, and one of this kind lies in between, perhaps with others.
    pub(super) fn among(&mut self, (kind, is_own): (KindId, bool), route: RouteId, has_changed: bool) {
        let Some(tally) = self.tally_of(kind, route) else { return };
        let [own, elsewhere] = &mut tally.among;
        let among = if is_own { own } else { elsewhere };
        let count = if has_changed { &mut among.changed } else { &mut among.stayed };
        *count = count.saturating_add(1);
    }

    /// Forgets what was left as it was.
    pub(super) fn forget_spared(&mut self) {
        self.tallies.for_each(|tally| tally.spared = <[Spared; 2]>::default());
    }

    fn tally_of(&mut self, kind: KindId, route: RouteId) -> Option<&mut Tally> {
        self.tallies.get_or_add((kind, route), MOST)
    }

    /// What was seen of a kind and a route.
    pub(super) fn tally(&self, kind: KindId, route: RouteId) -> Option<&Tally> {
        self.tallies.get(&(kind, route))
    }

    /// The changes with several writes in between, of all routes: whether what changed had not been dropped, and the suspects.
    pub(super) fn groups(&self) -> impl Iterator<Item = (RouteId, bool, &[Suspect], &Group)> {
        self.groups.iter().map(|((route, missed, suspects), group)| (*route, *missed, suspects.as_slice(), group))
    }

    /// Whether a kind is known to change anything.
    pub(super) fn changes_anything(&self, kind: KindId) -> bool {
        self.changing.contains(&kind)
    }

    /// How likely a kind is to have changed an answer of a route: 0 for one that is known to do so, 2 for one that was seen to
    /// leave some as they were.
    pub(super) fn rank(&self, kind: KindId, route: RouteId) -> u8 {
        match self.tally(kind, route) {
            Some(tally) if tally.changed > 0 => 0,
            Some(tally) if tally.stayed() > 0 => 2,
            _ => 1,
        }
    }

    /// How many answers of a route a kind was seen to change, and to leave as they were.
    pub(super) fn seen(&self, kind: KindId, route: RouteId) -> (u32, u32) {
        self.tally(kind, route).map_or((0, 0), |tally| (tally.changed, tally.stayed()))
    }
}

impl Tally {
    /// How many answers were seen to stay as they were.
    fn stayed(&self) -> u32 {
        self.spared.iter().map(|spared| spared.own.answers + spared.elsewhere.answers).sum()
    }

    /// What is known to have stayed as it was, at the paths that a write tells and elsewhere. Of a kind that changes anything
    /// only what writes left that did: one that changed nothing at all says nothing of those.
    pub(super) fn spared(&self, changes_anything: bool) -> [Stayed; 2] {
        let [certain, others] = &self.spared;
        let Spared { own, elsewhere } = certain.clone();
        if changes_anything { [own, elsewhere] } else { [own.and(&others.own), elsewhere.and(&others.elsewhere)] }
    }

    /// How often an answer was another one, or the same, with writes of this kind in between.
    pub(super) fn beside(&self, is_own: bool) -> Among {
        let [own, elsewhere] = self.among;
        if is_own { own } else { elsewhere }
    }
}

impl Stayed {
    fn add(&mut self, answers: u32, writes: u32, values: u64) {
        self.answers = self.answers.saturating_add(answers);
        self.writes = self.writes.saturating_add(writes);
        self.values.add(values);
    }

    /// One write's answers count as another kind of evidence.
    fn pass_on(&mut self, to: &mut Self, answers: u32, values: u64) {
        if answers > 0 {
            self.answers = self.answers.saturating_sub(answers);
            self.writes = self.writes.saturating_sub(1);
            to.add(answers, 1, values);
        }
    }

    /// Both together, of other writes.
    pub(super) fn and(mut self, other: &Self) -> Self {
        self.answers = self.answers.saturating_add(other.answers);
        self.writes = self.writes.saturating_add(other.writes);
        self.values.extend(&other.values);
        self
    }

    /// Both together, which may be of the same writes.
    pub(super) fn beside(self, other: &Self) -> Self {
        let writes = self.writes.max(other.writes);
        Self { writes, ..self.and(other) }
    }

    /// Whether that is enough to believe it of all, of a kind that came with so many different values.
    pub(super) fn is_enough(&self, values: usize) -> bool {
        self.answers >= ENOUGH_ANSWERS
            && self.writes >= ENOUGH_WRITES
            && self.values.count() >= values.min(ENOUGH_VALUES)
    }
}
