//! One core's counts. Its thread alone adds to them, without locks; any thread may read them at any time.

use std::array::from_fn;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use http::Method;

use super::super::journal::Journal;
use super::super::outcome::{CacheResult, Done, Outcome, Source, UNROUTED_LABEL, Work};
use super::super::purge::{PurgeKind, PurgeOutcome, PurgeResult};
use super::histogram::{Count, Histogram};
use super::totals::{Invalidations, RouteTotals, Totals, Verified};
use crate::fields::{Detail, Forward};

/// The methods that are told apart; others are one.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];
/// The classes of a status, and 0 where there was no answer.
const CLASSES: usize = 6;
const RESULTS: usize = CacheResult::ALL.len();
const CELLS: usize = METHODS.len() * CLASSES * RESULTS;
const DETAILS: usize = Detail::ALL.len();

/// So many names of routes, and so many kinds of invalidations, are told apart in the life of a process: more than any
/// configuration has, but reloads may bring new ones without end.
const MAX_NAMES: usize = 10_000;

/// One core's counts, with no other core's in the same line of the processor's caches.
#[derive(Debug)]
#[repr(align(128))]
pub(in super::super) struct Shard {
    unrouted: Arc<RouteCounts>,
    routes: Mutex<BTreeMap<Arc<str>, Arc<RouteCounts>>>,
    requests: [Histogram; RESULTS],
    origin: Histogram,
    acks: Histogram,
    collapsed: Count,
    stale: [Count; DETAILS],
    refused: [Count; DETAILS],
    missed: [Count; DETAILS],
    missed_plainly: [Count; Forward::ALL.len()],
    invalidations: Mutex<BTreeMap<Invalidations, u64>>,
    verified: Mutex<BTreeMap<(Arc<str>, Verified), u64>>,
    purges: [Count; PurgeKind::COUNT],
    journal: Mutex<Journal>,
}

/// The counts of one route.
#[derive(Debug)]
#[repr(align(128))]
struct RouteCounts {
    cells: [Count; CELLS],
    bytes: [Count; 2],
    asked_besides: Count,
    origin_fetches: Count,
    origin_micros: Count,
}

/// The routes of one configuration, for one core: finds a route's counts by where its name lies.
#[derive(Debug, Default)]
pub(in super::super) struct Labels(Vec<Label>);

#[derive(Debug)]
struct Label {
    /// Where the name lies. It is held here, so nothing else can come to lie there.
    at: usize,
    name: Arc<str>,
    counts: OnceLock<Arc<RouteCounts>>,
}

impl Labels {
    /// Those of these routes.
    pub(in super::super) fn of<'n>(names: impl Iterator<Item = &'n Arc<str>>) -> Self {
        let label = |name: &Arc<str>| Label { at: place(name), name: Arc::clone(name), counts: OnceLock::new() };
        let mut labels: Vec<_> = names.map(label).collect();
        labels.sort_unstable_by_key(|label| label.at);
        Self(labels)
    }

    fn find(&self, name: &Arc<str>) -> Option<&Label> {
        let index = self.0.binary_search_by_key(&place(name), |label| label.at).ok()?;
        self.0.get(index)
    }
}

fn place(name: &Arc<str>) -> usize {
    Arc::as_ptr(name).cast::<u8>().addr()
}

impl Shard {
    /// Counts a request, or a fetch in the background.
    pub(in super::super) fn count(&self, labels: &Labels, outcome: &Outcome) {
        let result = outcome.result();
        let notes = &outcome.notes;
        self.with_route(labels, notes.route.as_ref(), |route| {
            if outcome.work == Work::Request {
                route.request(outcome, result);
            } else if let (Some(bytes), Some(Source::Origin)) = (outcome.bytes, outcome.source()) {
                route.sent(Source::Origin, bytes);
            }
            let asked_besides = match outcome.work {
                Work::Request => result == CacheResult::Stale && outcome.cache.detail == Some(Detail::StaleIfError),
                Work::Refresh | Work::Compare => true,
                Work::Fill | Work::Write => false,
            };
            if asked_besides {
                route.asked_besides.add(1);
            }
            if let Some(micros) = notes.origin_micros {
                route.fetched(micros);
            }
        });
        if let Some(micros) = notes.origin_micros {
            self.origin.record(micros);
        }
        if outcome.work == Work::Request
            && let Some(histogram) = self.requests.get(result as usize)
        {
            histogram.record(outcome.micros);
        }
        // Here a hit ends.
        if result != CacheResult::Hit {
            self.count_more(outcome, result);
        }
    }

    fn count_more(&self, outcome: &Outcome, result: CacheResult) {
        let notes = &outcome.notes;
        if let Some(detail) = notes.refused {
            self.refused(detail);
        }
        if let Some(dropped) = &notes.dropped {
            self.dropped(dropped.by.iter().map(|by| Invalidations {
                route: by.route.clone(),
                rule: by.rule.clone(),
                result: dropped.done,
            }));
            // What is pending, or held, has no such word yet.
            if let Some(micros) = dropped.ack_micros.filter(|_| dropped.done == Done::Confirmed) {
                self.acks.record(micros);
            }
        }
        match outcome.work {
            Work::Request => self.count_answer(outcome, result),
            Work::Write => locked(&self.journal).note(outcome, result),
            Work::Refresh | Work::Fill | Work::Compare => {}
        }
    }

    /// Counts what only a client's request can be: what it was given, and why it was not a hit.
    fn count_answer(&self, outcome: &Outcome, result: CacheResult) {
        let cache = &outcome.cache;
        if cache.collapsed {
            self.collapsed.add(1);
        }
        if let Some(detail) = cache.detail.filter(|_| result == CacheResult::Stale) {
            count_reason(&self.stale, detail);
        }
        let is_read = matches!(outcome.method, Method::GET | Method::HEAD);
        let missed = is_read && matches!(result, CacheResult::Miss | CacheResult::Pass);
        if missed {
            match (cache.detail, cache.forward) {
                (Some(detail), _) => count_reason(&self.missed, detail),
                (None, Some(forward)) => {
                    if let Some(count) = self.missed_plainly.get(forward as usize) {
                        count.add(1);
                    }
                }
                (None, None) => {}
            }
        }
        if missed || result == CacheResult::Write {
            locked(&self.journal).note(outcome, result);
        }
    }

    /// The origin has answered a request in so long.
    pub(in super::super) fn origin_answered(&self, labels: &Labels, route: Option<&Arc<str>>, micros: u64) {
        self.with_route(labels, route, |route| route.fetched(micros));
        self.origin.record(micros);
    }

    /// So many bytes of an answer were sent, once all of them are.
    pub(in super::super) fn sent(&self, labels: &Labels, route: Option<&Arc<str>>, source: Source, bytes: u64) {
        self.with_route(labels, route, |route| route.sent(source, bytes));
    }

    /// An answer that was fetched is not stored.
    pub(in super::super) fn refused(&self, detail: Detail) {
        count_reason(&self.refused, detail);
    }

    /// A stored answer was compared with the origin's.
    pub(in super::super) fn verified(&self, route: Option<&Arc<str>>, verified: Verified) {
        let key = (route.map_or_else(|| Arc::clone(&UNROUTED_LABEL), Arc::clone), verified);
        let mut counts = locked(&self.verified);
        if counts.len() < MAX_NAMES || counts.contains_key(&key) {
            *counts.entry(key).or_default() += 1;
        }
    }

    /// Counts a purge. Of those that are refused any client may send many, so nothing else is kept of them.
    pub(in super::super) fn purged(&self, outcome: PurgeOutcome) {
        if let Some(count) = self.purges.get(outcome.kind.index()) {
            count.add(1);
        }
        if outcome.kind.result != PurgeResult::Refused {
            locked(&self.journal).note_purge(outcome);
        }
    }

    /// What it has taken down of its last writes, purges and misses.
    pub(super) fn journal(&self) -> Journal {
        locked(&self.journal).clone()
    }

    fn dropped(&self, dropped: impl Iterator<Item = Invalidations>) {
        let mut counts = locked(&self.invalidations);
        for one in dropped {
            if counts.len() < MAX_NAMES || counts.contains_key(&one) {
                *counts.entry(one).or_default() += 1;
            }
        }
    }

    fn with_route(&self, labels: &Labels, name: Option<&Arc<str>>, count: impl FnOnce(&RouteCounts)) {
        match name {
            None => count(&self.unrouted),
            Some(name) => match labels.find(name) {
                Some(label) => count(label.counts.get_or_init(|| self.route(&label.name))),
                // A request that began under other rules.
                None => count(&self.route(name)),
            },
        }
    }

    /// The counts of a route by its name, whichever configuration it is from.
    fn route(&self, name: &Arc<str>) -> Arc<RouteCounts> {
        let mut routes = locked(&self.routes);
        if let Some(counts) = routes.get(name) {
            return Arc::clone(counts);
        }
        if routes.len() >= MAX_NAMES {
            return Arc::clone(&self.unrouted);
        }
        let counts = Arc::<RouteCounts>::default();
        routes.insert(Arc::clone(name), Arc::clone(&counts));
        counts
    }

    /// Adds its counts to those of other cores.
    pub(super) fn add_to(&self, totals: &mut Totals) {
        self.unrouted.add_to(totals.routes.entry(Arc::clone(&UNROUTED_LABEL)).or_default());
        for (name, counts) in &*locked(&self.routes) {
            counts.add_to(totals.routes.entry(Arc::clone(name)).or_default());
        }
        for (result, histogram) in CacheResult::ALL.into_iter().zip(&self.requests) {
            histogram.add_to(totals.requests.entry(result).or_default());
        }
        self.origin.add_to(&mut totals.origin);
        self.acks.add_to(&mut totals.acks);
        totals.collapsed += self.collapsed.get();
        Totals::by_reason(&mut totals.stale, reasons(&self.stale));
        Totals::by_reason(&mut totals.refused, reasons(&self.refused));
        Totals::by_reason(&mut totals.missed, reasons(&self.missed));
        let plainly = Forward::ALL.iter().zip(&self.missed_plainly);
        Totals::by_reason(&mut totals.missed, plainly.map(|(forward, count)| (forward.as_str(), count.get())));
        for (one, count) in &*locked(&self.invalidations) {
            *totals.invalidations.entry(one.clone()).or_default() += count;
        }
        for (one, count) in &*locked(&self.verified) {
            *totals.verified.entry(one.clone()).or_default() += count;
        }
        for (kind, count) in PurgeKind::all().zip(&self.purges) {
            *totals.purges.entry(kind).or_default() += count.get();
        }
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            unrouted: Arc::default(),
            routes: Mutex::default(),
            requests: from_fn(|_| Histogram::default()),
            origin: Histogram::default(),
            acks: Histogram::default(),
            collapsed: Count::default(),
            stale: from_fn(|_| Count::default()),
            refused: from_fn(|_| Count::default()),
            missed: from_fn(|_| Count::default()),
            missed_plainly: from_fn(|_| Count::default()),
            invalidations: Mutex::default(),
            verified: Mutex::default(),
            purges: from_fn(|_| Count::default()),
            journal: Mutex::default(),
        }
    }
}

impl Default for RouteCounts {
    fn default() -> Self {
        Self {
            cells: from_fn(|_| Count::default()),
            bytes: from_fn(|_| Count::default()),
            asked_besides: Count::default(),
            origin_fetches: Count::default(),
            origin_micros: Count::default(),
        }
    }
}

impl RouteCounts {
    fn request(&self, outcome: &Outcome, result: CacheResult) {
        let class = outcome.status.map_or(0, |status| usize::from(status.as_u16() / 100).min(CLASSES - 1));
        let cell = (method(&outcome.method) * CLASSES + class) * RESULTS + result as usize;
        if let Some(count) = self.cells.get(cell) {
            count.add(1);
        }
        if let (Some(bytes), Some(source)) = (outcome.bytes, outcome.source()) {
            self.sent(source, bytes);
        }
    }

    fn fetched(&self, micros: u64) {
        self.origin_fetches.add(1);
        self.origin_micros.add(micros);
    }

    fn sent(&self, source: Source, bytes: u64) {
        if let Some(count) = self.bytes.get(source as usize) {
            count.add(bytes);
        }
    }

    fn add_to(&self, totals: &mut RouteTotals) {
        for (index, count) in self.cells.iter().enumerate().map(|(index, cell)| (index, cell.get())) {
            if count == 0 {
                continue;
            }
            let (result, rest) = (CacheResult::ALL.get(index % RESULTS), index / RESULTS);
            let (class, method) = (rest % CLASSES, METHODS.get(rest / CLASSES));
            let (Some(result), Some(method)) = (result, method) else { continue };
            totals.requests += count;
            totals.hits += if result.is_hit() { count } else { 0 };
            totals.misses += if *result == CacheResult::Miss { count } else { 0 };
            totals.add_cell(method, u8::try_from(class).unwrap_or_default(), *result, count);
        }
        let [cache, origin] = &self.bytes;
        totals.cache_bytes += cache.get();
        totals.origin_bytes += origin.get();
        totals.asked_besides += self.asked_besides.get();
        totals.origin_fetches += self.origin_fetches.get();
        totals.origin_seconds += std::time::Duration::from_micros(self.origin_micros.get()).as_secs_f64();
    }
}

fn method(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::PATCH => 4,
        Method::DELETE => 5,
        Method::OPTIONS => 6,
        _ => 7,
    }
}

fn count_reason(counts: &[Count; DETAILS], detail: Detail) {
    if let Some(count) = counts.get(detail as usize) {
        count.add(1);
    }
}

fn reasons(counts: &[Count; DETAILS]) -> impl Iterator<Item = (&'static str, u64)> {
    Detail::ALL.iter().zip(counts).map(|(detail, count)| (detail.as_str(), count.get()))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_goes_on_being_counted_where_there_is_no_room_for_more() {
        let shard = Shard::default();
        let names: Vec<Arc<str>> = (0..=MAX_NAMES).map(|name| name.to_string().into()).collect();
        for name in &names {
            shard.verified(Some(name), Verified::Same);
        }
        shard.verified(names.first(), Verified::Same);
        let mut totals = Totals::default();
        shard.add_to(&mut totals);
        let count = |name: usize| totals.verified.get(&(Arc::clone(&names[name]), Verified::Same)).copied();
        assert_eq!((count(0), count(1), count(MAX_NAMES)), (Some(2), Some(1), None));
    }
}
