//! Who is to blame: what is made of changes with several writes in between, and what is known of a kind of writes and a route.
//!
//! Of several writes those are believed that are known to change the route, and of the rest the ones that nothing speaks for.
//! Where that leaves more than one, the fewest that explain all of it are suspected, those first after which answers are others
//! most often. A suspect is good enough to be told that it drops too little; that one leaves something as it was is never
//! concluded from who else may have done it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::cases::{Cases, Group, RouteId, Stayed, Suspect, Tally, Told};
use super::subject::Own;
use super::writes::{Few, KindId, Moment};

/// How much was seen to stay as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    /// So many answers, and not one that did not.
    pub(super) answers: u32,
    /// After so many writes.
    pub(super) writes: u32,
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
        /// The path of all of them in the words of the write, where others were seen to stay as they were: so many.
        path: Option<(String, Bound)>,
    },
    /// Of several writes they are the likeliest to have changed answers of it, and had not dropped them.
    Suspected {
        /// How many.
        answers: u32,
    },
    /// They were seen to leave it as it was, often enough.
    Spares {
        /// How many stayed.
        bound: Bound,
        /// But for this path, in the words of the write, of which not enough was seen.
        but: Option<String>,
    },
    /// Nothing that would be enough.
    Unknown,
}

/// Those who are believed to have changed a route, with those that may have for all that is known.
#[derive(Debug, Default)]
pub(super) struct Blame {
    /// Since nothing else can have been it.
    likely: HashMap<KindId, Likely>,
    /// Since they explain most of it.
    suspected: HashMap<KindId, u32>,
    possible: BTreeSet<KindId>,
}

#[derive(Debug, Default)]
struct Likely {
    answers: u32,
    changed_by: Few<Moment>,
    missed_by: Few<Moment>,
    path: Told,
}

/// A kind, and whether the answer was at the path that it tells.
type Unit = (KindId, bool);

/// Answers that any of these may have changed, and nobody is known to have.
struct Open {
    answers: u32,
    /// None any more once one of them is suspected.
    units: BTreeSet<Unit>,
}

/// What one may have changed of what nobody is suspected of yet.
#[derive(Default)]
struct Explained {
    answers: u32,
    /// Which of them.
    places: Vec<usize>,
    /// How likely it is to have changed one.
    belief: f64,
}

impl Blame {
    /// For what changed in each route; `values` is how many different ones a kind came with.
    pub(super) fn of_each(cases: &Cases, routes: usize, values: impl Fn(KindId) -> usize) -> Vec<Self> {
        let mut blames: Vec<(Self, Vec<Open>)> = std::iter::repeat_with(Default::default).take(routes).collect();
        for (route, missed, suspects, group) in cases.groups() {
            let Some((blame, open)) = blames.get_mut(route) else { continue };
            let spares = |one: &&Suspect| is_spared(cases, one, route, values(one.kind));
            let known: Vec<&Suspect> = suspects.iter().filter(|suspect| cases.explains(suspect, route)).collect();
            let is_known = !known.is_empty();
            let left = if is_known { known } else { suspects.iter().filter(|one| !spares(one)).collect() };
            let kinds: BTreeSet<KindId> = left.iter().map(|suspect| suspect.kind).collect();
            if let (1, Some(kind)) = (kinds.len(), kinds.first()) {
                blame.likely.entry(*kind).or_default().add(*kind, group, missed, &left);
                continue;
            }
            if missed {
                // Where each of them is thought to spare it, one of them does not.
                let suspects = if left.is_empty() { suspects.iter().collect() } else { left };
                let units = suspects.into_iter().map(unit).collect();
                open.push(Open { answers: group.answers, units });
            }
            if !is_known {
                blame.possible.extend(kinds);
            }
        }
        for (route, (blame, open)) in blames.iter_mut().enumerate() {
            blame.suspect(cases, route, std::mem::take(open));
        }
        blames.into_iter().map(|(blame, _)| blame).collect()
    }

    /// Of those who may have changed all of this the fewest, the likeliest first.
    fn suspect(&mut self, cases: &Cases, route: RouteId, mut open: Vec<Open>) {
        let mut units: BTreeMap<Unit, Explained> = BTreeMap::new();
        for (place, one) in open.iter().enumerate() {
            for unit in &one.units {
                let belief = || if self.likely.contains_key(&unit.0) { 1.0 } else { share(cases, *unit, route) };
                let explained =
                    units.entry(*unit).or_insert_with(|| Explained { belief: belief(), ..Explained::default() });
                explained.answers = explained.answers.saturating_add(one.answers);
                explained.places.push(place);
            }
        }
        let weight = |explained: &Explained| f64::from(explained.answers) * explained.belief;
        loop {
            let left = units.iter().filter(|(_, explained)| explained.answers > 0);
            // Of several that are as likely the first.
            let best = left.rev().max_by(|(_, one), (_, other)| weight(one).total_cmp(&weight(other)));
            let Some(best) = best.map(|(unit, _)| *unit) else { return };
            let Some(Explained { answers, places, .. }) = units.remove(&best) else { return };
            let suspected = self.suspected.entry(best.0).or_default();
            *suspected = suspected.saturating_add(answers);
            for place in places {
                let Some(one) = open.get_mut(place) else { continue };
                for unit in std::mem::take(&mut one.units) {
                    if let Some(explained) = units.get_mut(&unit) {
                        explained.answers = explained.answers.saturating_sub(one.answers);
                    }
                }
            }
        }
    }

    /// What is known of a kind and a route, of which the write tells so much; `values` is how many different ones it came with.
    pub(super) fn verdict(&self, cases: &Cases, (kind, route): (KindId, RouteId), own: &Own, values: usize) -> Verdict {
        let tally = cases.tally(kind, route);
        let known = tally.filter(|tally| tally.changed > 0);
        let likely = self.likely.get(&kind);
        let [at_own, elsewhere] = tally.map(|tally| tally.spared(cases.changes_anything(kind))).unwrap_or_default();
        let suspected = self.suspected.get(&kind).copied();
        match changes(known, likely, bound(&elsewhere, values)) {
            // What is known to change it is not known to have missed it.
            Verdict::Changes { missed: 0, .. } | Verdict::Unknown if suspected.is_some() => {
                return Verdict::Suspected { answers: suspected.unwrap_or_default() };
            }
            Verdict::Unknown => {}
            changes => return changes,
        }
        if self.possible.contains(&kind) || cases.is_doubted(kind, route) {
            return Verdict::Unknown;
        }
        spares(at_own, elsewhere, own, values)
    }
}

/// What is to be believed of what stayed as it was, at the path that a write tells and elsewhere in the route.
fn spares(at_own: Stayed, elsewhere: Stayed, own: &Own, values: usize) -> Verdict {
    let (stayed, but) = match own {
        Own::Path(_) if !elsewhere.is_enough(values) => return Verdict::Unknown,
        Own::Path(path) if !at_own.is_enough(values) => (elsewhere, Some(path.clone())),
        Own::Path(_) | Own::All | Own::Nothing => (at_own.beside(&elsewhere), None),
    };
    bound(&stayed, values).map_or(Verdict::Unknown, |bound| Verdict::Spares { bound, but })
}

/// How much that was, where it is enough.
fn bound(stayed: &Stayed, values: usize) -> Option<Bound> {
    stayed.is_enough(values).then_some(Bound { answers: stayed.answers, writes: stayed.writes })
}

fn unit(suspect: &Suspect) -> Unit {
    (suspect.kind, suspect.path.is_some())
}

/// Whether writes of this kind were seen to leave such answers alone, often enough.
fn is_spared(cases: &Cases, suspect: &Suspect, route: RouteId, values: usize) -> bool {
    let Some(tally) = cases.tally(suspect.kind, route).filter(|tally| tally.changed == 0) else { return false };
    if cases.is_doubted(suspect.kind, route) {
        return false;
    }
    let [own, elsewhere] = tally.spared(cases.changes_anything(suspect.kind));
    if suspect.path.is_some() { own.is_enough(values) } else { elsewhere.is_enough(values) }
}

/// Of the answers with such a write in between, the share that were others: as if one were and one were not, where there are
/// none.
fn share(cases: &Cases, (kind, is_own): Unit, route: RouteId) -> f64 {
    let among = cases.tally(kind, route).map(|tally| tally.beside(is_own)).unwrap_or_default();
    (f64::from(among.changed) + 1.0) / (f64::from(among.changed) + f64::from(among.stayed) + 2.0)
}

/// What changes was seen of, alone and among others; how much of the route was seen to stay elsewhere, where that is enough.
fn changes(known: Option<&Tally>, likely: Option<&Likely>, elsewhere: Option<Bound>) -> Verdict {
    if known.is_none() && likely.is_none() {
        return Verdict::Unknown;
    }
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
    let path = match (told, elsewhere) {
        (Told::Path(path), Some(bound)) if writes >= 2 => Some((path, bound)),
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
    use super::super::cases::Sparing;
    use super::*;

    fn suspect(kind: KindId, path: Option<&str>) -> Suspect {
        Suspect { kind, path: path.map(str::to_owned) }
    }

    /// So many writes that leave so many answers each as they were, each with a value of its own.
    fn spare(cases: &mut Cases, kind: KindId, (writes, answers): (u64, u32), effective: bool) {
        for write in 0..writes {
            for answer in 0..answers {
                let values = write;
                let (is_effective, is_first) = (effective, answer == 0);
                cases.spared(0, Sparing { kind, values, is_own: false, is_effective, is_first });
            }
        }
    }

    fn verdict(cases: &Cases, kind: KindId) -> Verdict {
        Blame::of_each(cases, 1, |_| 3)[0].verdict(cases, (kind, 0), &Own::Nothing, 3)
    }

    #[test]
    fn a_kind_is_believed_to_leave_a_route_alone_once_it_was_seen_often_enough() {
        let mut cases = Cases::default();
        spare(&mut cases, 1, (29, 5), false);
        assert_eq!(verdict(&cases, 1), Verdict::Unknown, "too few writes");
        spare(&mut cases, 3, (30, 2), false);
        assert_eq!(verdict(&cases, 3), Verdict::Spares { bound: Bound { answers: 60, writes: 30 }, but: None });
        cases.changed(100, &suspect(3, None), 1, false);
        assert_eq!(verdict(&cases, 3), Verdict::Unknown, "perhaps those were the ones that changed nothing at all");
        cases.is_effective(3, 7, &[(0, [0, 2])]);
        spare(&mut cases, 3, (29, 1), true);
        assert_eq!(verdict(&cases, 3), Verdict::Spares { bound: Bound { answers: 31, writes: 30 }, but: None });
        cases.changed(101, &suspect(3, None), 0, true);
        assert_eq!(verdict(&cases, 3), Verdict::Changes { answers: 1, writes: 1, missed: 1, path: None });
    }

    #[test]
    fn of_several_writes_the_one_is_believed_that_nothing_speaks_for() {
        let mut cases = Cases::default();
        spare(&mut cases, 1, (30, 2), false);
        cases.changed_by_one_of(vec![(7, suspect(2, None)), (8, suspect(1, None))], 0, true);
        assert_eq!(verdict(&cases, 2), Verdict::Changes { answers: 1, writes: 1, missed: 1, path: None });
        assert_eq!(verdict(&cases, 1), Verdict::Spares { bound: Bound { answers: 60, writes: 30 }, but: None });
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
            Verdict::Changes { path, .. } => path.map(|(path, _)| path),
            other => panic!("{other:?}"),
        };
        assert_eq!(told(&cases), None, "perhaps all of them change");
        spare(&mut cases, 1, (30, 2), false);
        assert_eq!(told(&cases), None, "perhaps those were writes that changed nothing");
        spare(&mut cases, 1, (30, 2), true);
        assert_eq!(told(&cases).as_deref(), path);
        // A change elsewhere, which it may have been, is not explained by what it does to its own path.
        cases.changed_by_one_of(vec![(3, suspect(1, None)), (4, suspect(2, None))], 0, true);
        cases.changed(3, &suspect(1, None), 0, true);
        assert_eq!(told(&cases), None);
    }

    #[test]
    fn of_several_those_are_suspected_that_explain_most_and_after_which_answers_stay_least() {
        let mut cases = Cases::default();
        for write in 0..3 {
            let others = (10 + write, suspect(2 + usize::try_from(write).unwrap(), None));
            cases.changed_by_one_of(vec![(write, suspect(1, None)), others], 0, true);
        }
        let suspected = Verdict::Suspected { answers: 3 };
        assert_eq!([1, 2, 3, 4].map(|kind| verdict(&cases, kind) == suspected), [true, false, false, false]);
        // An answer that both explain is put down to the one that seldom leaves it as it was.
        let mut cases = Cases::default();
        for write in 0..4 {
            cases.changed_by_one_of(vec![(write, suspect(1, None)), (10 + write, suspect(2, None))], 0, true);
            cases.among((1, false), 0, true);
            cases.among((2, false), 0, true);
            cases.among((1, false), 0, false);
        }
        assert_eq!((verdict(&cases, 1), verdict(&cases, 2)), (Verdict::Unknown, Verdict::Suspected { answers: 4 }));
        // What had been dropped all the same is nobody's fault.
        let mut cases = Cases::default();
        cases.changed_by_one_of(vec![(1, suspect(1, None)), (2, suspect(2, None))], 0, false);
        assert_eq!((verdict(&cases, 1), verdict(&cases, 2)), (Verdict::Unknown, Verdict::Unknown));
    }

    #[test]
    fn what_a_write_names_itself_is_left_out_only_where_it_was_seen_itself() {
        let own = Own::Path("/a/{id}".to_owned());
        let mut cases = Cases::default();
        spare(&mut cases, 1, (30, 2), false);
        let verdict = |cases: &Cases| Blame::of_each(cases, 1, |_| 3)[0].verdict(cases, (1, 0), &own, 3);
        let but = Some("/a/{id}".to_owned());
        assert_eq!(verdict(&cases), Verdict::Spares { bound: Bound { answers: 60, writes: 30 }, but });
        for write in 0..30 {
            let values = write;
            for is_first in [true, false] {
                cases.spared(0, Sparing { kind: 1, values, is_own: true, is_effective: false, is_first });
            }
        }
        assert_eq!(verdict(&cases), Verdict::Spares { bound: Bound { answers: 120, writes: 30 }, but: None });
    }

    #[test]
    fn of_very_many_groups_each_is_looked_at_once() {
        // Three thousand answers, of each of which twenty kinds may be the cause and one of a few is.
        let mut cases = Cases::default();
        for answer in 0..3_000_usize {
            let others = (1..20).map(|other| (answer * 31 + other * 7) % 256 + 10);
            let suspects = others.chain([answer % 3]).map(|kind| (0, suspect(kind, None)));
            cases.changed_by_one_of(suspects.collect(), 0, true);
        }
        let suspected: Vec<_> = (0..3).map(|kind| verdict(&cases, kind)).collect();
        assert_eq!(suspected, vec![Verdict::Suspected { answers: 1_000 }; 3]);
        assert_eq!(verdict(&cases, 10), Verdict::Unknown);
    }
}
