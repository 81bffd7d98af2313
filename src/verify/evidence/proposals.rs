//! From evidence to what a person may write: the `[[write]]` entries that it supports.
//!
//! An entry says of one kind of writes everything that it drops, so it has to name what the evidence says nothing about as
//! well: never too little. Only what was seen to stay as it was, often enough, is left out.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::super::cases::{Blamed, Cases, Verdict};
use super::super::reach::Extent;
use super::super::report::{Finding, Proposal, Report, RouteReport, Seen, WriteReport};
use super::super::settings::VerifySettings;
use super::super::shape::STAND_IN;
use super::super::subject::Watched;
use super::super::writes::{Kind, KindId};
use crate::clock::Millis;
use crate::rules::{PathTemplate, RequestPattern};

/// So many writes of a kind have to go through before anything is said of it.
const ENOUGH_TIMES: u32 = 5;
/// So many of them must have left an answer old before it is told what is missing.
const ENOUGH_MISSED: usize = 2;
/// So many kinds are told of.
const MOST_WRITES: usize = 50;

/// What an entry would say of the routes.
#[derive(Default)]
struct Draft {
    drops: Vec<String>,
    adds: Vec<String>,
    spares: Vec<String>,
    evidence: Vec<String>,
}

/// The evidence at one moment.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) began_at: Millis,
    pub(super) routes: Arc<[Watched]>,
    pub(super) counts: Vec<RouteReport>,
    pub(super) kinds: Vec<Arc<Kind>>,
    pub(super) cases: Cases,
    pub(super) findings: VecDeque<Finding>,
    pub(super) places: HashMap<String, u64>,
    pub(super) volatile: u64,
}

impl Snapshot {
    /// Everything there is to tell.
    pub fn report(&self, settings: &VerifySettings, now: Millis) -> Report {
        let met = |counts: &RouteReport| counts.compared + counts.refetched + counts.by_itself > 0;
        let routes = self.routes.iter().zip(&self.counts).filter(|(_, counts)| met(counts));
        let routes = routes.map(|(route, counts)| RouteReport { route: route.label().to_owned(), ..counts.clone() });
        let always = self.places.iter().filter(|(_, times)| **times == self.volatile && **times >= 2);
        let mut ignore: Vec<String> = always.map(|(place, _)| place.clone()).collect();
        ignore.sort_unstable();
        Report {
            mode: settings.mode().to_owned(),
            sample: settings.sample,
            seconds: now.saturating_sub(self.began_at) / 1000,
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
        let values = |kind: KindId| self.kinds.get(kind).map_or(0, |kind| kind.values.count());
        let blamed: Vec<Blamed> = (0..self.routes.len()).map(|route| self.cases.blamed(route, values)).collect();
        let kinds = self.by_times().into_iter().filter(|(_, kind)| kind.is_plain && kind.times >= ENOUGH_TIMES);
        kinds.filter_map(|(id, kind)| self.proposal(id, kind, &blamed)).collect()
    }

    fn proposal(&self, id: KindId, kind: &Kind, blamed: &[Blamed]) -> Option<Proposal> {
        let words = Words::of(kind);
        let request = words.spell(&kind.text);
        RequestPattern::parse(&request).ok()?;
        let mut draft = Draft::default();
        for (route, (watched, blamed)) in self.routes.iter().zip(blamed).enumerate() {
            // What has no route no `[[write]]` drops by default, and it can name a path there, but no more.
            if watched.path.is_empty() {
                continue;
            }
            let verdict = self.cases.verdict(id, route, blamed, kind.values.count());
            draft.add(&words, watched, kind.reach.on(&watched.name, watched.is_unlisted), &verdict);
        }
        let Draft { drops, adds, spares, evidence } = draft;
        // What is said already a second entry cannot take back.
        if adds.is_empty() && (kind.is_said || spares.is_empty()) {
            return None;
        }
        let mut lines = vec![format!("{request} went through {} times", kind.times)];
        lines.extend(evidence);
        Some(Proposal { request, adds, spares, drops, is_there: kind.is_said, evidence: lines })
    }
}

impl Draft {
    fn add(&mut self, words: &Words<'_>, route: &Watched, extent: Extent, verdict: &Verdict) {
        // What says itself which writes drop it no `[[write]]` narrows: it can only add.
        let is_dropped = extent == Extent::Whole && route.is_unlisted;
        match verdict {
            Verdict::Changes { answers, writes, missed, path } => {
                let item = words.item(route, path.as_deref());
                let is_missing = extent != Extent::Whole && *missed >= ENOUGH_MISSED;
                if is_missing {
                    self.adds.push(item.clone());
                }
                if is_missing || is_dropped {
                    self.drops.push(item);
                    let missing = if is_missing { ", and did not drop what it changed" } else { "" };
                    self.evidence.push(format!("{}: changed {}{missing}", route.name, answers_by(*answers, *writes)));
                }
            }
            Verdict::Spares { answers, writes } if is_dropped => {
                self.spares.push(route.name.clone());
                let writes = usize::try_from(*writes).unwrap_or(usize::MAX);
                self.evidence.push(format!("{}: {} stayed as before", route.name, answers_by(*answers, writes)));
            }
            Verdict::Unknown if is_dropped => {
                self.drops.push(words.item(route, None));
                self.evidence.push(format!("{}: not seen often enough to tell", route.name));
            }
            Verdict::Spares { .. } | Verdict::Unknown => {}
        }
    }
}

fn answers_by(answers: u32, writes: usize) -> String {
    let answers = if answers == 1 { "1 answer".to_owned() } else { format!("{answers} answers") };
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

    /// With values in the place of what never varied.
    fn spell(&self, text: &str) -> String {
        self.fixed.iter().fold(text.to_owned(), |text, (name, value)| {
            let encoded = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string();
            // Words are left as people write them.
            let is_word = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            // A stand-in stays one, and makes no pattern.
            let is_word = is_word || value.starts_with(STAND_IN);
            text.replace(&format!("{{{name}}}"), if is_word { value } else { &encoded })
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
