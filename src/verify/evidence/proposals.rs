//! From evidence to what a person may write: the `[[write]]` entries that it supports.
//!
//! An entry says of one kind of writes everything that it drops, so it has to name what the evidence says nothing about as
//! well: never too little. Only what was seen to stay as it was, often enough, is left out.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use super::super::blame::{Blame, Bound, Verdict};
use super::super::cases::{Cases, RouteId};
use super::super::named::STAND_IN;
use super::super::reach::Extent;
use super::super::report::other_nodes;
use super::super::report::{Finding, Proposal, Report, RouteReport, Seen, WriteReport};
use super::super::settings::VerifySettings;
use super::super::subject::Watched;
use super::super::writes::{Kind, KindId, UNTOLD};
use crate::clock::Millis;
use crate::rules::{PathTemplate, RequestPattern};

/// What changes with no write at all is told to be missing only where so many were left old.
const ENOUGH_OF_MANY: usize = 3;
/// So many kinds are told of.
const MOST_WRITES: usize = 50;

/// What an entry would say of the routes.
#[derive(Default)]
struct Draft {
    drops: Vec<String>,
    adds: Vec<String>,
    spares: Vec<String>,
    evidence: Vec<String>,
    /// It drops less than a write of which nothing is said.
    narrows: bool,
    /// Something is there because it is the likeliest.
    is_likely: bool,
}

/// The evidence at one moment.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) began_at: Millis,
    pub(super) others: usize,
    pub(super) routes: Arc<[Watched]>,
    pub(super) counts: Vec<RouteReport>,
    pub(super) kinds: Vec<Arc<Kind>>,
    pub(super) cases: Cases,
    pub(super) findings: VecDeque<Finding>,
    pub(super) places: HashMap<(RouteId, String), u64>,
}

impl Snapshot {
    /// Everything there is to tell.
    pub fn report(&self, settings: &VerifySettings, now: Millis) -> Report {
        let met = |counts: &RouteReport| counts.compared + counts.refetched + counts.by_itself + counts.elsewhere > 0;
        let routes = self.routes.iter().zip(&self.counts).filter(|(_, counts)| met(counts));
        let routes = routes.map(|(route, counts)| RouteReport { route: route.label().to_owned(), ..counts.clone() });
        // Each route's answers have places of their own: what is one member may be another one's in a list.
        let of = |route: RouteId| self.counts.get(route).map_or(0, |counts| counts.volatile);
        let always = self.places.iter().filter(|((route, _), times)| **times == of(*route) && **times >= 2);
        let mut ignore: Vec<String> = always.map(|((_, place), _)| place.clone()).collect();
        ignore.sort_unstable();
        ignore.dedup();
        Report {
            file: None,
            mode: settings.mode().to_owned(),
            sample: settings.sample,
            seconds: now.saturating_sub(self.began_at) / 1000,
            nodes: 1,
            others: self.others,
            routes: routes.collect(),
            writes: self.write_reports(),
            findings: self.findings.iter().cloned().collect(),
            proposals: self.proposals(),
            ignore,
        }
    }

    fn by_times(&self) -> Vec<(KindId, &Kind)> {
        let mut kinds: Vec<_> =
            self.kinds.iter().map(Arc::as_ref).enumerate().filter(|(_, kind)| kind.times > 0).collect();
        kinds.sort_by(|(_, one), (_, other)| other.times.cmp(&one.times).then_with(|| one.text.cmp(&other.text)));
        kinds
    }

    fn write_reports(&self) -> Vec<WriteReport> {
        let of = |id: KindId, count: fn((u32, u32)) -> u32| {
            let seen = self.routes.iter().enumerate().map(|(route, watched)| Seen {
                route: watched.name.clone(),
                answers: count(self.cases.seen(id, route)),
            });
            seen.filter(|seen| seen.answers > 0).collect()
        };
        let kinds = self.by_times().into_iter().take(MOST_WRITES);
        kinds
            .map(|(id, kind)| WriteReport {
                request: kind.text.clone(),
                times: kind.times,
                changes: of(id, |(changed, _)| changed),
                spares: of(id, |(_, spared)| spared),
            })
            .collect()
    }

    fn proposals(&self) -> Vec<Proposal> {
        let values = |kind: KindId| self.kinds.get(kind).map_or(0, |kind| kind.named.count());
        let blames = Blame::of_each(&self.cases, self.routes.len(), values);
        let kinds = self.by_times();
        let leaves = |id, kind| {
            let verdicts = self.routes.iter().zip(&blames).enumerate();
            let verdicts = verdicts.map(|(route, (watched, blame))| self.verdict((id, kind), (route, watched), blame));
            verdicts.map(|verdict| matches!(verdict, Verdict::Spares { but: None, .. })).collect()
        };
        let others = kinds.iter().filter_map(|(id, kind)| Rival::of(*id, kind, || leaves(*id, kind)));
        let others: Vec<Rival<'_>> = others.collect();
        let plain = kinds.into_iter().filter(|(_, kind)| kind.is_plain);
        plain.filter_map(|(id, kind)| self.proposal((id, kind), &blames, &others)).collect()
    }

    fn proposal(&self, (id, kind): (KindId, &Kind), blames: &[Blame], others: &[Rival<'_>]) -> Option<Proposal> {
        let fixed = Words::of(kind);
        let pattern = RequestPattern::parse(&fixed.spell(&kind.text)).ok()?;
        let rivals: Vec<_> = others.iter().filter(|other| other.id != id && other.meets(&pattern)).collect();
        let mut draft = Draft::default();
        let mut words = fixed;
        for is_anew in [false, true] {
            draft = Draft::default();
            for (route, (watched, blame)) in self.routes.iter().zip(blames).enumerate() {
                // What has no route no `[[write]]` drops by default, and it can name a path there, but no more.
                if !watched.path.is_empty() {
                    let known = self.known((id, kind), (route, watched), blame, &rivals);
                    draft.add(&words, watched, known);
                }
            }
            if draft.narrows || is_anew {
                break;
            }
            // What drops more is good for values that were not seen, too.
            words = Words::as_they_are();
        }
        let Draft { drops, adds, spares, evidence, narrows, is_likely } = draft;
        if adds.is_empty() && !narrows {
            return None;
        }
        let request = words.spell(&kind.text);
        let mut lines = vec![format!("{request} went through {}", times(kind.times))];
        lines.extend(evidence);
        if narrows {
            lines.push(NOT_KNOWN.to_owned());
        }
        Some(Proposal {
            request,
            adds,
            spares,
            drops,
            is_there: kind.is_said,
            narrows,
            certain: !is_likely,
            evidence: lines,
        })
    }

    fn verdict(&self, (id, kind): (KindId, &Kind), (route, watched): (RouteId, &Watched), blame: &Blame) -> Verdict {
        match blame.verdict(&self.cases, (id, route), &watched.own(&kind.variables), kind.named.count()) {
            Verdict::Spares { .. } if kind.is_sent_to(&watched.path) => Verdict::Unknown,
            verdict => verdict,
        }
    }

    fn known(
        &self,
        (id, kind): (KindId, &Kind),
        (route, watched): (RouteId, &Watched),
        blame: &Blame,
        rivals: &[&Rival<'_>],
    ) -> Known {
        // What says itself which writes drop it no `[[write]]` narrows: it can only add.
        let is_dropped = watched.is_unlisted && !kind.is_said;
        let leaves = |rival: &Rival<'_>| rival.leaves.get(route).is_some_and(|leaves| *leaves);
        let rival = rivals.iter().find(|rival| !leaves(rival)).map(|rival| rival.kind.text.as_str());
        Known {
            verdict: self.verdict((id, kind), (route, watched), blame),
            is_dropped,
            unknown: if kind.is_sent_to(&watched.path) {
                "the write is sent there"
            } else {
                "not seen often enough to tell"
            },
            is_whole: is_dropped || kind.reach.on(&watched.name, watched.is_unlisted) == Extent::Whole,
            changes_by_itself: self.counts.get(route).is_some_and(|counts| counts.by_itself > 0),
            doubt: match (self.others, rival) {
                (0, rival) => rival.map(|rival| format!("may be changed by {rival}, which is such a write, too")),
                (others, _) => Some(format!("may be changed through {}", other_nodes(others))),
            },
            others: self.others,
        }
    }
}

/// A kind of writes of which no `[[write]]` says what it drops: one for another kind could speak of it, too.
struct Rival<'k> {
    id: KindId,
    kind: &'k Kind,
    /// `None` for those that there was no room to tell apart.
    pattern: Option<RequestPattern>,
    /// Whether it is known to leave all of a route alone, by route.
    leaves: Vec<bool>,
}

impl<'k> Rival<'k> {
    fn of(id: KindId, kind: &'k Kind, leaves: impl FnOnce() -> Vec<bool>) -> Option<Self> {
        let pattern = RequestPattern::parse(&kind.text).ok().filter(|_| kind.is_plain);
        let is_one = !kind.is_said && (pattern.is_some() || kind.text == UNTOLD);
        is_one.then(|| Self { id, kind, pattern, leaves: leaves() })
    }

    /// Whether an entry with this request may speak of it.
    fn meets(&self, request: &RequestPattern) -> bool {
        let is_met = |mine: &RequestPattern| mine.method() == request.method() && mine.path().meets(request.path());
        self.pattern.as_ref().is_none_or(is_met)
    }
}

/// What is known of a kind of writes and a route.
struct Known {
    verdict: Verdict,
    /// The write drops it since nothing is said of it.
    is_dropped: bool,
    /// Why nothing is known of it, where that is so.
    unknown: &'static str,
    /// The write drops all of it.
    is_whole: bool,
    /// It was seen to change with no write at all.
    changes_by_itself: bool,
    /// Why it cannot be narrowed, whatever was seen: a kind of writes that the same entry would speak of and that is not known
    /// to leave it alone, or writes that went unseen.
    doubt: Option<String>,
    /// How many other nodes there are whose writes are not known.
    others: usize,
}

impl Known {
    /// Whether a rule is missing.
    fn is_missing(&self) -> bool {
        let enough = if self.changes_by_itself { ENOUGH_OF_MANY } else { 1 };
        !self.is_whole
            && match &self.verdict {
                Verdict::Changes { missed, .. } => *missed >= enough,
                Verdict::Suspected { answers } => *answers as usize >= enough,
                Verdict::Spares { .. } | Verdict::Unknown => false,
            }
    }
}

impl Draft {
    fn add(&mut self, words: &Words<'_>, route: &Watched, known: Known) {
        let (name, is_missing) = (&route.name, known.is_missing());
        let missing = if is_missing { ", and did not drop what it changed" } else { "" };
        let keep = |draft: &mut Self, item: String, told: String| {
            if is_missing {
                draft.adds.push(item.clone());
            }
            if is_missing || known.is_dropped {
                draft.drops.push(item);
                draft.evidence.push(format!("{name}: {told}"));
            }
        };
        self.is_likely |= is_missing && known.others > 0;
        match (known.verdict, known.doubt) {
            (Verdict::Changes { path: Some(_), .. } | Verdict::Spares { .. }, Some(doubt)) if known.is_dropped => {
                keep(self, words.item(route, None), doubt);
            }
            (Verdict::Changes { answers, writes, path, .. }, _) => {
                self.narrows |= known.is_dropped && path.is_some();
                let mut told = format!("changed {}{missing}", answers_by(answers, writes));
                let path = path.map(|(path, bound)| {
                    let _ = write!(told, "; of the others {}", sure(bound));
                    path
                });
                keep(self, words.item(route, path.as_deref()), told);
            }
            (Verdict::Suspected { answers }, _) => {
                self.is_likely |= is_missing;
                let told =
                    format!("of several writes the likeliest to have changed {}{missing}", answers_in_words(answers));
                keep(self, words.item(route, None), told);
            }
            (Verdict::Spares { bound, but }, _) if known.is_dropped => {
                self.narrows = true;
                if let Some(path) = but {
                    let told = format!("{}; of what the write names itself too few were seen", sure(bound));
                    keep(self, words.item(route, Some(&path)), told);
                } else {
                    self.spares.push(name.clone());
                    self.evidence.push(format!("{name}: {}", sure(bound)));
                }
            }
            (Verdict::Unknown, _) => keep(self, words.item(route, None), known.unknown.to_owned()),
            (Verdict::Spares { .. }, _) => {}
        }
    }
}

/// What a person has to know of each entry that drops less than before.
const NOT_KNOWN: &str = "only answers count that were looked at before and after one such write alone, and are about what it names; \
                         of others nothing is known";

/// What it is worth that so much has stayed, by the rule of three: had 3 in so many writes changed an answer, one would have been
/// seen with 95 % certainty.
fn sure(Bound { answers, writes }: Bound) -> String {
    format!(
        "no change seen in {} after {writes} writes; with 95 % certainty fewer than about 3 in {writes} such writes make one",
        answers_in_words(answers)
    )
}

fn times(times: u32) -> String {
    if times == 1 { "once".to_owned() } else { format!("{times} times") }
}

fn answers_in_words(answers: u32) -> String {
    if answers == 1 { "1 answer".to_owned() } else { format!("{answers} answers") }
}

fn answers_by(answers: u32, writes: usize) -> String {
    let answers = answers_in_words(answers);
    let writes = match writes {
        1 => "1 write".to_owned(),
        16 => "16 writes or more".to_owned(),
        _ => format!("{writes} writes"),
    };
    format!("{answers} after {writes}")
}

/// A kind's variables; one that has had one value alone is no variable for all that was seen.
struct Words<'k> {
    fixed: &'k [(String, String)],
}

impl<'k> Words<'k> {
    fn of(kind: &'k Kind) -> Self {
        Self { fixed: if kind.values.count() == 1 { &kind.variables } else { &[] } }
    }

    /// All variables as such.
    const fn as_they_are() -> Self {
        Self { fixed: &[] }
    }

    /// With values in the place of what never varied.
    fn spell(&self, text: &str) -> String {
        self.fixed.iter().fold(text.to_owned(), |text, (name, value)| {
            let encoded = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string();
            // Words are left as people write them.
            let is_word = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            let value = match value {
                // What it stands for is not known any more: there is no pattern of it.
                value if value.starts_with(STAND_IN) => "{",
                value if is_word => value,
                _ => &encoded,
            };
            text.replace(&format!("{{{name}}}"), value)
        })
    }

    /// What `drops` says for a route, or for a path of it.
    fn item(&self, route: &Watched, path: Option<&str>) -> String {
        let path = path.map(|path| self.spell(path)).or_else(|| route.is_one_path.then(|| route.path.clone()));
        match path {
            Some(path) if PathTemplate::parse(&path).is_ok() => path,
            _ => format!("route:{}", route.name),
        }
    }
}
