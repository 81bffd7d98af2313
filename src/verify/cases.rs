//! What kinds of writes were seen to change which routes, and which to leave them as they were.
//!
//! One look at an answer after another tells that it has changed or that it has not, and the writes in between may have had to
//! do with it. Where that was one write alone it is certain. Of several, those are believed that are known to change the
//! route, and of the rest the ones that nothing speaks for. A change is believed from any look; that a write leaves something
//! as it was only where nothing else came in between, for two writes can undo each other.

use std::collections::{BTreeSet, HashMap};

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
    changed_by: Few<Moment>,
    /// Of these, those that had not dropped it.
    missed_by: Few<Moment>,
    changed: u32,
    path: Told,
    /// What writes left as it was that were seen to change something elsewhere, and what others did.
    spared: [Spared; 2],
}

/// Answers that a kind of writes left as they were.
#[derive(Clone, Debug, Default)]
struct Spared {
    answers: u32,
    writes: u32,
    /// Of these answers, those whose path is not one that the write tells.
    elsewhere: u32,
    values: Few<String>,
}

/// What the writes told of the paths whose answers they changed.
#[derive(Clone, Debug, Default, PartialEq)]
enum Told {
    #[default]
    Unknown,
    /// Always this one.
    Path(String),
    /// Not always the same.
    Nothing,
}

impl Told {
    fn add(&mut self, path: Option<&String>) {
        *self = match (std::mem::take(self), path) {
            (Self::Unknown, Some(path)) => Self::Path(path.clone()),
            (Self::Path(known), Some(path)) if known == *path => Self::Path(known),
            _ => Self::Nothing,
        };
    }

    fn join(&mut self, other: &Self) {
        match other {
            Self::Unknown => {}
            Self::Path(path) => self.add(Some(path)),
            Self::Nothing => *self = Self::Nothing,
        }
    }
}

/// What is known of one kind of writes and one route.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// They change answers of it.
    Changes {
        /// How many were seen to change.
        answers: u32,
        /// By how many writes; 16 where there were more.
        writes: usize,
        /// By how many that had not dropped them.
        missed: usize,
        /// The path of all of them in the words of the write, where others were seen to stay as they were.
        path: Option<String>,
    },
    /// They were seen to leave it as it was, often enough.
    Spares {
        answers: u32,
        writes: u32,
    },
    Unknown,
}

/// So many answers, by so many writes, have to stay as they were before that is believed of a kind.
const ENOUGH_ANSWERS: u32 = 10;
const ENOUGH_WRITES: u32 = 5;
/// And so many different values, where so many were seen.
const ENOUGH_VALUES: usize = 3;
/// So many answers elsewhere in the route have to stay as they were, before it is believed that only what a write names changes.
const ENOUGH_ELSEWHERE: u32 = 5;
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
struct Group {
    answers: u32,
    /// The writes, a few of them.
    writes: Few<(KindId, Moment)>,
}

/// The kinds that are believed to change a route, with those that may do so for all that is known.
#[derive(Debug, Default)]
pub(super) struct Blamed {
    /// Since nothing else in a group can have been it.
    likely: HashMap<KindId, Likely>,
    possible: BTreeSet<KindId>,
}

#[derive(Debug, Default)]
struct Likely {
    answers: u32,
    changed_by: Few<Moment>,
    missed_by: Few<Moment>,
    path: Told,
}

impl Cases {
    /// One write alone can have changed this answer; `missed` is that it had not dropped it.
    pub(super) fn changed(&mut self, write: Moment, suspect: &Suspect, route: RouteId, missed: bool) {
        if let Some(tally) = self.tally(suspect.kind, route) {
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
            if self.doubted.get_or_add((suspect.kind, route), MOST).is_none() {
                self.is_all_doubted = true;
            }
        }
    }

    fn is_doubted(&self, kind: KindId, route: RouteId) -> bool {
        self.is_all_doubted || self.doubted.get(&(kind, route)).is_some()
    }

    /// Whether a write of this kind is known to change such an answer.
    fn explains(&self, suspect: &Suspect, route: RouteId) -> bool {
        let tally = self.tallies.get(&(suspect.kind, route)).filter(|tally| tally.changed > 0);
        tally.is_some_and(|tally| tally.path == Told::Nothing || suspect.path.is_some())
    }

    /// A write has left an answer as it was. `is_first` is that it is the first one of the route, `effective` that the write
    /// is known to have changed something.
    pub(super) fn spared(
        &mut self,
        suspect: &Suspect,
        route: RouteId,
        values: String,
        effective: bool,
        is_first: bool,
    ) {
        let Some(tally) = self.tally(suspect.kind, route) else { return };
        let [certain, others] = &mut tally.spared;
        let spared = if effective { certain } else { others };
        spared.answers = spared.answers.saturating_add(1);
        spared.writes = spared.writes.saturating_add(u32::from(is_first));
        spared.elsewhere = spared.elsewhere.saturating_add(u32::from(suspect.path.is_none()));
        spared.values.add(values);
    }

    /// A write that has left so many answers of these routes as they were turns out to have changed something.
    pub(super) fn is_effective(&mut self, kind: KindId, values: &str, spared: &[(RouteId, u32)]) {
        for (route, answers) in spared {
            let Some(tally) = self.tally(kind, *route) else { continue };
            let [certain, others] = &mut tally.spared;
            others.answers = others.answers.saturating_sub(*answers);
            others.writes = others.writes.saturating_sub(1);
            certain.answers = certain.answers.saturating_add(*answers);
            certain.writes = certain.writes.saturating_add(1);
            certain.values.add(values.to_owned());
        }
    }

    fn tally(&mut self, kind: KindId, route: RouteId) -> Option<&mut Tally> {
        self.tallies.get_or_add((kind, route), MOST)
    }

    /// Whether a kind is known to change anything.
    fn changes_anything(&self, kind: KindId) -> bool {
        self.changing.contains(&kind)
    }

    /// How many answers a kind has left as they were, by how many writes, where that is enough to believe it of all; `values`
    /// is how many different ones it came with.
    fn spares(&self, kind: KindId, route: RouteId, values: usize) -> Option<(u32, u32)> {
        let tally = self.tallies.get(&(kind, route)).filter(|tally| tally.changed == 0)?;
        if self.is_doubted(kind, route) {
            return None;
        }
        let [certain, others] = &tally.spared;
        // A write that changed nothing at all says nothing of those that do.
        let (answers, writes, seen) = if self.changes_anything(kind) {
            (certain.answers, certain.writes, certain.values.count())
        } else {
            (certain.answers + others.answers, certain.writes + others.writes, others.values.count())
        };
        let enough = answers >= ENOUGH_ANSWERS && writes >= ENOUGH_WRITES && seen >= values.min(ENOUGH_VALUES);
        enough.then_some((answers, writes))
    }

    /// How likely a kind is to have changed an answer of a route: 0 for one that is known to do so, 2 for one that was seen to
    /// leave some as they were.
    pub(super) fn rank(&self, kind: KindId, route: RouteId) -> u8 {
        match self.tallies.get(&(kind, route)) {
            Some(tally) if tally.changed > 0 => 0,
            Some(tally) if tally.spared.iter().any(|spared| spared.answers > 0) => 2,
            _ => 1,
        }
    }

    /// How many answers of a route a kind was seen to change, and to leave as they were.
    pub(super) fn seen(&self, kind: KindId, route: RouteId) -> (u32, u32) {
        self.tallies
            .get(&(kind, route))
            .map_or((0, 0), |tally| (tally.changed, tally.spared.iter().map(|spared| spared.answers).sum()))
    }

    /// Who is to blame for what changed in a route with several writes in between; `values` is how many different ones a kind
    /// came with.
    pub(super) fn blamed(&self, route: RouteId, values: impl Fn(KindId) -> usize) -> Blamed {
        let mut blamed = Blamed::default();
        for ((_, missed, suspects), group) in self.groups.iter().filter(|((of, _, _), _)| *of == route) {
            let spares = |one: &&Suspect| self.spares(one.kind, route, values(one.kind)).is_some();
            let explaining: Vec<&Suspect> = suspects.iter().filter(|suspect| self.explains(suspect, route)).collect();
            let is_explained = !explaining.is_empty();
            let open = if is_explained { explaining } else { suspects.iter().filter(|one| !spares(one)).collect() };
            let kinds: BTreeSet<KindId> = open.iter().map(|suspect| suspect.kind).collect();
            match (kinds.len(), kinds.first()) {
                (1, Some(kind)) => blamed.likely.entry(*kind).or_default().add(*kind, group, *missed, &open),
                // One of those that are known to do so.
                _ if is_explained => {}
                _ => blamed.possible.extend(kinds),
            }
        }
        blamed
    }

    /// What is known of a kind and a route.
    pub(super) fn verdict(&self, kind: KindId, route: RouteId, blamed: &Blamed, values: usize) -> Verdict {
        let tally = self.tallies.get(&(kind, route));
        let known = tally.filter(|tally| tally.changed > 0);
        let likely = blamed.likely.get(&kind);
        if known.is_some() || likely.is_some() {
            let elsewhere = tally.map_or(0, |tally| tally.spared.iter().map(|spared| spared.elsewhere).sum());
            return changes(known, likely, elsewhere);
        }
        match self.spares(kind, route, values) {
            Some((answers, writes)) if !blamed.possible.contains(&kind) => Verdict::Spares { answers, writes },
            _ => Verdict::Unknown,
        }
    }
}

/// What changes was seen of, alone and among others; so many answers elsewhere in the route stayed as they were.
fn changes(known: Option<&Tally>, likely: Option<&Likely>, elsewhere: u32) -> Verdict {
    let (mut changed_by, mut missed_by, mut told) = (Few::default(), Few::default(), Told::Unknown);
    let mut answers = 0;
    if let Some(tally) = known {
        answers += tally.changed;
        (changed_by, missed_by, told) = (tally.changed_by.clone(), tally.missed_by.clone(), tally.path.clone());
    }
    if let Some(likely) = likely {
        answers += likely.answers;
        changed_by.extend(&likely.changed_by);
        missed_by.extend(&likely.missed_by);
        told.join(&likely.path);
    }
    let (writes, missed) = (changed_by.count(), missed_by.count());
    let path = match told {
        Told::Path(path) if elsewhere >= ENOUGH_ELSEWHERE && writes >= 2 => Some(path),
        _ => None,
    };
    Verdict::Changes { answers, writes, missed, path }
}

impl Likely {
    /// Nobody but this kind is left to have changed the answers of a group.
    fn add(&mut self, kind: KindId, group: &Group, missed: bool, open: &[&Suspect]) {
        self.answers = self.answers.saturating_add(group.answers);
        for (_, write) in group.writes.iter().filter(|(of, _)| *of == kind) {
            self.changed_by.add(*write);
            if missed {
                self.missed_by.add(*write);
            }
        }
        for suspect in open {
            self.path.add(suspect.path.as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspect(kind: KindId, path: Option<&str>) -> Suspect {
        Suspect { kind, path: path.map(str::to_owned) }
    }

    /// So many writes that leave so many answers each as they were, each with a value of its own.
    fn spare(cases: &mut Cases, kind: KindId, (writes, answers): (u64, u32), effective: bool) {
        for write in 0..writes {
            for answer in 0..answers {
                cases.spared(&suspect(kind, None), 0, write.to_string(), effective, answer == 0);
            }
        }
    }

    fn verdict(cases: &Cases, kind: KindId) -> Verdict {
        cases.verdict(kind, 0, &cases.blamed(0, |_| 3), 3)
    }

    #[test]
    fn a_kind_is_believed_to_leave_a_route_alone_once_it_was_seen_often_enough() {
        let mut cases = Cases::default();
        spare(&mut cases, 1, (4, 5), false);
        assert_eq!(verdict(&cases, 1), Verdict::Unknown, "too few writes");
        spare(&mut cases, 2, (5, 1), false);
        assert_eq!(verdict(&cases, 2), Verdict::Unknown, "too few answers");
        spare(&mut cases, 3, (5, 2), false);
        assert_eq!(verdict(&cases, 3), Verdict::Spares { answers: 10, writes: 5 });
        cases.changed(100, &suspect(3, None), 1, false);
        assert_eq!(verdict(&cases, 3), Verdict::Unknown, "perhaps those were the ones that changed nothing at all");
        cases.is_effective(3, "7", &[(0, 10)]);
        spare(&mut cases, 3, (4, 1), true);
        assert_eq!(verdict(&cases, 3), Verdict::Spares { answers: 14, writes: 5 });
        cases.changed(101, &suspect(3, None), 0, true);
        assert_eq!(verdict(&cases, 3), Verdict::Changes { answers: 1, writes: 1, missed: 1, path: None });
    }

    #[test]
    fn of_several_writes_the_one_is_believed_that_nothing_speaks_for() {
        let mut cases = Cases::default();
        spare(&mut cases, 1, (5, 2), false);
        cases.changed_by_one_of(vec![(7, suspect(2, None)), (8, suspect(1, None))], 0, true);
        assert_eq!(verdict(&cases, 2), Verdict::Changes { answers: 1, writes: 1, missed: 1, path: None });
        assert_eq!(verdict(&cases, 1), Verdict::Spares { answers: 10, writes: 5 });
        // What a known one explains says nothing of the others.
        cases.changed(9, &suspect(2, None), 0, false);
        cases.changed_by_one_of(vec![(10, suspect(2, None)), (11, suspect(3, None))], 0, false);
        assert_eq!(verdict(&cases, 2), Verdict::Changes { answers: 3, writes: 3, missed: 1, path: None });
        assert_eq!(verdict(&cases, 3), Verdict::Unknown);
    }

    #[test]
    fn where_it_may_have_been_either_neither_is_let_off() {
        let mut cases = Cases::default();
        cases.changed_by_one_of(vec![(1, suspect(1, None)), (2, suspect(2, None))], 0, false);
        assert_eq!((verdict(&cases, 1), verdict(&cases, 2)), (Verdict::Unknown, Verdict::Unknown));
    }

    #[test]
    fn a_path_is_named_where_others_of_the_route_were_seen_to_stay() {
        let mut cases = Cases::default();
        let path = Some("/a/{id}");
        cases.changed(1, &suspect(1, path), 0, true);
        cases.changed(2, &suspect(1, path), 0, true);
        let told = |cases: &Cases| match verdict(cases, 1) {
            Verdict::Changes { path, .. } => path,
            other => panic!("{other:?}"),
        };
        assert_eq!(told(&cases), None, "perhaps all of them change");
        spare(&mut cases, 1, (5, 1), true);
        assert_eq!(told(&cases).as_deref(), path);
        // A change elsewhere, which it may have been, is not explained by what it does to its own path.
        cases.changed_by_one_of(vec![(3, suspect(1, None)), (4, suspect(2, None))], 0, true);
        cases.changed(3, &suspect(1, None), 0, true);
        assert_eq!(told(&cases), None);
    }
}
