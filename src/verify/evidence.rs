//! The evidence: looks at answers, and the writes between them.
//!
//! Whoever asks the origin for what is stored takes a moment before and after; every write has one at its beginning and its
//! end. So it can be told which writes may lie between two looks at one answer, and which one must. All of it is bounded, and
//! it begins anew with other rules: what was seen under those says nothing of what these leave out.

mod proposals;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use super::answers::{Answers, Look};
use super::cases::{Cases, RouteId, Sparing, Suspect};
use super::mention::is_about;
use super::reach::Reach;
use super::report::{Finding, RouteReport, other_nodes};
use super::shape::Shape;
use super::subject::{Subject, Watched};
use super::writes::{Moment, Write, Writes};
use crate::clock::Millis;
use crate::rules::{Ruleset, UNROUTED};

pub use proposals::Snapshot;

/// What comparing a hit with the origin's answer of now came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Compared {
    /// It says the same.
    Same,
    /// It does not, and the origin says so twice. What was stored has this digest and was received then.
    Old {
        /// The digest of what was stored.
        stored: u64,
        /// When that was received.
        received: Millis,
    },
    /// The origin says something else each time; in these places, if it is JSON.
    Volatile(Vec<String>),
    /// Nothing: it was dropped meanwhile, or there was no answer to be compared.
    Void,
}

/// How a look at an answer came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'b> {
    /// The digest of what the origin said.
    pub digest: u64,
    /// When it was asked.
    pub began: Moment,
    /// The words of that, which are not kept.
    pub body: &'b [u8],
}

/// A stored answer was found old.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// What there is to tell.
    pub finding: Finding,
    /// It is the first one of its route with these writes to blame.
    pub is_news: bool,
}

/// So many of the last findings are kept, of which so many writes are named.
const KEPT: usize = 50;
const NAMED: usize = 3;
/// So many kinds of findings are told apart.
const MOST_NEWS: usize = 1_024;
/// Of so many routes it is noted that one write has left them as they were.
const MOST_SPARED: usize = 256;
/// Where more writes than this lie between two looks, it says next to nothing of each of them.
const MOST_BETWEEN: usize = 64;
/// So many places that differ each time are counted.
const MOST_PLACES: usize = 256;

/// All of it.
#[derive(Debug)]
pub struct Evidence {
    /// The fingerprint of the rules that it is about.
    rules: u64,
    began_at: Millis,
    /// How many other nodes share the store, whose writes nobody here knows of.
    others: usize,
    /// What was looked at before this is of the evidence of before.
    first: Moment,
    now: Moment,
    routes: Arc<[Watched]>,
    /// By route, without their names.
    counts: Vec<RouteReport>,
    by_name: HashMap<String, RouteId>,
    writes: Writes,
    answers: Answers,
    cases: Cases,
    findings: VecDeque<Finding>,
    told: HashSet<(RouteId, Vec<String>)>,
    /// Where answers of which route differ each time, and in how many comparisons.
    places: HashMap<(RouteId, String), u64>,
}

impl Evidence {
    /// None yet, about these rules.
    pub fn about(rules: &Ruleset, now: Millis) -> Self {
        let mut routes: Vec<Watched> = rules.routes.iter().map(|route| Watched::of(route)).collect();
        routes.push(Watched::unrouted());
        let by_name = routes.iter().enumerate().map(|(id, route)| (route.name.clone(), id)).collect();
        Self {
            rules: rules.fingerprint(),
            began_at: now,
            others: 0,
            first: 0,
            now: 1,
            counts: vec![RouteReport::default(); routes.len()],
            routes: routes.into(),
            by_name,
            writes: Writes::default(),
            answers: Answers::default(),
            cases: Cases::default(),
            findings: VecDeque::new(),
            told: HashSet::new(),
            places: HashMap::new(),
        }
    }

    /// The same in the place of another one, whose looks and writes may not have come to their ends: their moments count for
    /// nothing here.
    #[must_use]
    pub fn after(self, before: &Self) -> Self {
        Self { first: before.now + 1, now: before.now + 1, ..self }
    }

    /// What there is to report of, as it is now. That is quickly taken: what is large is shared until it changes.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            began_at: self.began_at,
            others: self.others,
            routes: Arc::clone(&self.routes),
            counts: self.counts.clone(),
            kinds: self.writes.kinds.clone(),
            cases: self.cases.clone(),
            findings: self.findings.clone(),
            places: self.places.clone(),
        }
    }

    /// Whether it is about these rules.
    pub fn is_about(&self, rules: &Ruleset) -> bool {
        self.rules == rules.fingerprint()
    }

    /// So many other nodes share the store. As long as there are any, nothing is known to be left as it was: their writes, which
    /// go unseen, may have undone what was done. Once they are gone such evidence begins anew.
    pub fn knows_of_others(&mut self, others: usize) {
        if others == 0 && self.others > 0 {
            self.cases.forget_spared();
            self.writes.forget_spared();
            self.answers.forget();
        }
        self.others = others;
    }

    /// The next moment: to be taken before the origin is asked.
    pub fn moment(&mut self) -> Moment {
        self.now += 1;
        self.now
    }

    /// A write is about to be forwarded. The moment that comes back is its name.
    pub fn write_begins(&mut self, shape: Shape, method: &str, path: &str) -> Moment {
        let moment = self.moment();
        self.writes.begin(moment, shape, (method, path));
        moment
    }

    /// A write has ended that may have changed something, and what it dropped is invalidated.
    pub fn write_ends(&mut self, write: Moment, at: Millis, reach: Reach) {
        let moment = self.moment();
        self.writes.end(write, moment, at, reach);
    }

    /// A write has ended that has changed nothing, by its own word.
    pub fn write_was_nothing(&mut self, write: Moment) {
        self.writes.forget(write);
    }

    /// What is stored was fetched again, for it was not there any more, or not fresh.
    pub fn refetched(&mut self, subject: &Subject, asked: Asked<'_>) {
        if asked.began < self.first {
            return;
        }
        let route = self.route(subject);
        let look = self.look(subject, route, asked);
        if let Some(counts) = self.counts.get_mut(route) {
            counts.refetched += u64::from(!matches!(look, Look::Nothing | Look::Perhaps(_)));
            counts.unchanged += u64::from(matches!(look, Look::Same(_) | Look::Settled(..)));
        }
    }

    /// A hit was compared with the origin's answer, which was `asked` for last. Comes back with what there is to tell of one that was
    /// old.
    pub fn compared(&mut self, subject: &Subject, asked: Asked<'_>, compared: Compared, now: Millis) -> Option<Found> {
        let compared = if asked.began < self.first { Compared::Void } else { compared };
        let route = self.route(subject);
        if let Some(counts) = self.counts.get_mut(route) {
            counts.compared += 1;
            match &compared {
                Compared::Same => {}
                Compared::Old { received, .. } => {
                    counts.old += 1;
                    counts.oldest_seconds = counts.oldest_seconds.max(now.saturating_sub(*received) / 1000);
                }
                Compared::Volatile(_) => counts.volatile += 1,
                Compared::Void => counts.void += 1,
            }
        }
        match compared {
            Compared::Same => drop(self.look(subject, route, asked)),
            Compared::Old { stored, received } => {
                return Some(self.old(subject, route, asked, (stored, received), now));
            }
            Compared::Volatile(places) => self.volatile(route, places),
            Compared::Void => {}
        }
        None
    }

    fn volatile(&mut self, route: RouteId, places: Vec<String>) {
        for place in places {
            let place = (route, place);
            if self.places.len() < MOST_PLACES || self.places.contains_key(&place) {
                *self.places.entry(place).or_default() += 1;
            }
        }
    }

    fn old(
        &mut self,
        subject: &Subject,
        route: RouteId,
        asked: Asked<'_>,
        (stored, received): (u64, Millis),
        now: Millis,
    ) -> Found {
        let answered = self.moment();
        let since = self.answers.asked(subject.key, stored);
        let between = since.and_then(|since| self.writes.between(since, answered));
        let writes = between.clone().unwrap_or_else(|| self.writes.since(received));
        if let Some(since) = since.filter(|_| between.is_some()) {
            self.among(subject, route, (since, answered), true);
            self.changed(subject, route, &writes, true);
        }
        self.answers.look(subject.key, asked.digest, asked.began, answered);
        let is_known = |known: &Finding| known.target == subject.target && known.route == subject.label();
        // In shadow what is old stays, and is found again: what was told of it first is what there is to tell.
        if let Some(at) = self.findings.iter().position(|known| is_known(known) && known.stored_at == received)
            && let Some(finding) = self.findings.remove(at)
        {
            self.findings.push_front(finding.clone());
            return Found { finding, is_news: false };
        }
        let (blamed, shown) = self.blamed(route, &writes);
        let finding = Finding {
            route: subject.label().to_owned(),
            target: subject.target.clone(),
            age_seconds: now.saturating_sub(received) / 1000,
            stored_at: received,
            text: told(subject, now.saturating_sub(received), &shown, (writes.len(), self.unseen(received))),
            blamed: shown.into_iter().map(|(request, _)| request).collect(),
        };
        self.findings.retain(|known| !is_known(known));
        self.findings.push_front(finding.clone());
        self.findings.truncate(KEPT);
        let is_news = self.told.len() < MOST_NEWS && self.told.insert((route, blamed));
        Found { finding, is_news }
    }

    /// Why writes since then may have gone unseen.
    fn unseen(&self, received: Millis) -> Unseen {
        Unseen { before: received < self.began_at, others: self.others }
    }

    /// Of these writes the likeliest first: the names of their kinds, and of some of them their requests with what they drop of
    /// the route.
    fn blamed(&self, route: RouteId, writes: &[Moment]) -> (Vec<String>, Vec<(String, &'static str)>) {
        let of = self.routes.get(route);
        let (name, is_unlisted) = of.map_or(("", false), |route| (route.name.as_str(), route.is_unlisted));
        let mut found: Vec<_> = writes.iter().rev().filter_map(|write| self.writes.get(*write)).collect();
        found.sort_by_key(|write| self.cases.rank(write.kind, route));
        let mut kinds: Vec<String> = Vec::new();
        let mut shown = Vec::new();
        for write in found {
            let kind = self.writes.kinds.get(write.kind).map_or("", |kind| kind.text.as_str());
            if !kinds.iter().any(|known| known == kind) {
                kinds.push(kind.to_owned());
                shown.push((write.request.clone(), write.drops_of(name, is_unlisted)));
            }
        }
        // What is known to change it leaves nothing to the others.
        let known = writes
            .iter()
            .filter_map(|write| self.writes.get(*write))
            .filter(|write| self.cases.rank(write.kind, route) == 0);
        let known: HashSet<_> = known.map(|write| write.kind).collect();
        shown.truncate(if known.is_empty() { NAMED } else { known.len().min(NAMED) });
        kinds.truncate(NAMED);
        (kinds, shown)
    }

    /// Takes a look in, with what it tells of the writes since the last one.
    fn look(&mut self, subject: &Subject, route: RouteId, asked: Asked<'_>) -> Look {
        let answered = self.moment();
        let look = self.answers.look(subject.key, asked.digest, asked.began, answered);
        match look {
            Look::Nothing => {}
            Look::Perhaps(since) => self.perhaps(route, (since, answered)),
            Look::Same(last) => self.same((subject, asked), route, last, answered),
            Look::Settled(since, last) => {
                self.other(subject, route, (since, last));
                self.same((subject, asked), route, last, answered);
            }
            Look::Other(since) => self.other(subject, route, (since, answered)),
        }
        look
    }

    /// An answer is another one, as it may be each time; or the one write that lies between has changed it.
    fn perhaps(&mut self, route: RouteId, (since, answered): (Moment, Moment)) {
        if let Some([only]) = self.writes.between(since, answered).as_deref()
            && let Some(kind) = self.writes.get(*only).map(|write| write.kind)
        {
            self.writes.note(&[*only]);
            self.cases.may_change(kind, route);
        }
    }

    /// An answer is as it was at the look that ended first of these.
    fn same(&mut self, (subject, asked): (&Subject, Asked<'_>), route: RouteId, last: Moment, answered: Moment) {
        self.among(subject, route, (last, answered), false);
        self.spared((subject, asked), route, last, answered);
    }

    /// An answer has changed between these looks, and had been dropped.
    fn other(&mut self, subject: &Subject, route: RouteId, (since, answered): (Moment, Moment)) {
        if let Some(writes) = self.writes.between(since, answered) {
            self.among(subject, route, (since, answered), true);
            self.changed(subject, route, &writes, false);
        }
    }

    /// An answer is as it was; the one write that lies between has left it so, if it is about what that names.
    fn spared(&mut self, (subject, asked): (&Subject, Asked<'_>), route: RouteId, last: Moment, answered: Moment) {
        let between = self.writes.between(last, answered).filter(|_| self.others == 0);
        let Some([only]) = between.as_deref() else { return };
        let Some(write) = self.writes.get(*only) else { return };
        // One that was under way at either look may have been in both answers.
        if write.began < last || write.ended.is_none_or(|ended| ended > asked.began) {
            return;
        }
        let pattern = self.writes.kinds.get(write.kind).map_or("", |kind| kind.text.as_str());
        if !is_about(subject, asked.body, (pattern, &write.values), write.named.as_deref()) {
            return;
        }
        let Some(write) = self.writes.get_mut(*only) else { return };
        if write.spared.len() >= MOST_SPARED && !write.spared.iter().any(|(of, _)| *of == route) {
            return;
        }
        let is_own = subject.is_told_by(&write.values);
        let at = write.spared.iter().position(|(of, _)| *of == route).unwrap_or_else(|| {
            write.spared.push((route, [0; 2]));
            write.spared.len() - 1
        });
        let Some((_, [own, elsewhere])) = write.spared.get_mut(at) else { return };
        let answers = if is_own { own } else { elsewhere };
        *answers += 1;
        let (is_first, is_effective, values) = (*answers == 1, write.is_effective, write.names());
        self.cases.spared(route, Sparing { kind: write.kind, values, is_own, is_effective, is_first });
    }

    /// An answer has changed or it has not: a few writes that lie in between may or may not have had to do with it.
    fn among(&mut self, subject: &Subject, route: RouteId, (first, second): (Moment, Moment), has_changed: bool) {
        let Some(between) = self.writes.each_between(first, second) else { return };
        // One of whose kind none has ended yet may turn out to be nothing.
        let kinds = &self.writes.kinds;
        let is_known = |write: &&Write| kinds.get(write.kind).is_some_and(|kind| kind.times > 0);
        let units = between
            .filter(is_known)
            .map(|write| (write.kind, subject.is_told_by(&write.values)))
            .take(MOST_BETWEEN + 1);
        let units: Vec<_> = units.collect();
        if units.len() <= MOST_BETWEEN {
            for unit in units.into_iter().collect::<BTreeSet<_>>() {
                self.cases.among(unit, route, has_changed);
            }
        }
    }

    /// An answer has changed; one of these has done it, or it did so by itself.
    fn changed(&mut self, subject: &Subject, route: RouteId, writes: &[Moment], missed: bool) {
        self.writes.note(writes);
        let suspect = |write: &Write| Suspect { kind: write.kind, path: subject.path_in_words_of(&write.values) };
        match writes {
            [] => {
                if let Some(counts) = self.counts.get_mut(route) {
                    counts.by_itself += u64::from(self.others == 0);
                    counts.elsewhere += u64::from(self.others > 0);
                }
            }
            [only] => {
                let Some(write) = self.writes.get_mut(*only) else { return };
                let suspect = suspect(write);
                if !write.is_effective {
                    write.is_effective = true;
                    self.cases.is_effective(write.kind, write.names(), &write.spared);
                }
                self.cases.changed(*only, &suspect, route, missed);
            }
            several => {
                let found = several.iter().filter_map(|write| self.writes.get(*write));
                let suspects = found.map(|write| (write.began, suspect(write))).collect();
                self.cases.changed_by_one_of(suspects, route, missed);
            }
        }
    }

    fn route(&self, subject: &Subject) -> RouteId {
        let unrouted = self.routes.len().saturating_sub(1);
        self.by_name.get(&subject.route).copied().unwrap_or(unrouted)
    }
}

/// Why writes may have gone unseen.
struct Unseen {
    /// Some were before the first that is known.
    before: bool,
    /// So many nodes have writes of their own.
    others: usize,
}

/// In words to follow those that were seen.
impl fmt::Display for Unseen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.before {
            out.write_str("; writes are known from later on only")?;
        }
        match self.others {
            0 => Ok(()),
            others => write!(out, "; what went through {} is not known here", other_nodes(others)),
        }
    }
}

/// The finding as a sentence.
fn told(subject: &Subject, age: Millis, blamed: &[(String, &'static str)], (all, unseen): (usize, Unseen)) -> String {
    let Subject { target, .. } = subject;
    let of = if subject.route == UNROUTED { "what it is".to_owned() } else { format!("route {}", subject.route) };
    let since = match blamed {
        [] if unseen.before => "no write went through this process".to_owned(),
        [] => {
            "no write went through this process since then: the API has changed it by itself, or was told another way"
                .to_owned()
        }
        [(request, drops)] if all == 1 => format!("since then {request} went through, which {drops} {of}"),
        [(request, drops)] => {
            format!("since then {request}, which {drops} {of}, and {} more writes went through", all - 1)
        }
        several => {
            let names: Vec<&str> = several.iter().map(|(request, _)| request.as_str()).collect();
            format!("since then {all} writes went through that did not drop it, {} among them", names.join(", "))
        }
    };
    format!("GET {target} was stored {} ago and is old; {since}{unseen}", shown(age))
}

/// As in `41 s`.
fn shown(age: Millis) -> String {
    match age / 1000 {
        0 => format!("{age} ms"),
        seconds @ 1..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}
