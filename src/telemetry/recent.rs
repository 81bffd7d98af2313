//! The last hour, for people: how much was asked and how fast it was answered in steps of ten seconds, the last writes and
//! purges with what each dropped, and the last misses by reason.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::journal::{KEPT, Missed, Written};
use super::metrics::{Buckets, Metrics, Totals};
use super::outcome::{Done, DroppedBy, UNROUTED};
use super::purge::{PurgeMode, PurgeOutcome, PurgeResult, PurgedBy};
use crate::clock::{Calendar, Millis, Stopwatch, millis};

/// How long a step is meant to be: call [`Recent::step`] that often.
pub const STEP: std::time::Duration = std::time::Duration::from_secs(10);
/// An hour of them.
const STEPS: usize = 360;

/// What happened lately. Nothing of it is taken down on a request's way but the last writes and misses: each step compares
/// the figures with those of the step before.
#[derive(Debug)]
pub struct Recent {
    metrics: Arc<Metrics>,
    series: Mutex<Series>,
}

#[derive(Debug, Default)]
struct Series {
    /// The figures at the end of the last step.
    before: Option<Before>,
    steps: VecDeque<Step>,
}

#[derive(Debug)]
struct Before {
    at: Millis,
    requests: u64,
    hits: u64,
    hit_times: Buckets,
    origin: Buckets,
    saved: f64,
}

/// One step of the last hour.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// When it ended, in milliseconds since the Unix epoch.
    pub at: Millis,
    /// How long it was, in seconds.
    pub seconds: f64,
    /// Requests that ended in it.
    pub requests: u64,
    /// Those of them that the store answered.
    pub hits: u64,
    /// What half of the hits stayed below, in seconds; `None` where there were none.
    pub hit_p50: Option<f64>,
    /// What 99 % of them stayed below.
    pub hit_p99: Option<f64>,
    /// What half of the origin's answers stayed below, in seconds; `None` where there were none.
    pub origin_p50: Option<f64>,
    /// What 99 % of them stayed below.
    pub origin_p99: Option<f64>,
    /// How much of the origin's time its hits saved, in seconds.
    pub saved_origin_seconds: f64,
}

/// A write or a purge, and what it dropped.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecentWrite {
    /// When it was answered, in milliseconds since the Unix epoch.
    pub at: Millis,
    /// Its method; `PURGE`, wherever a purge was asked for.
    pub method: String,
    /// Its path, or what a purge named, as in `tag fruit`; cut off where it is long. Text of a client.
    pub path: String,
    /// The route of its path; `-` where there is none, and for a purge.
    pub route: String,
    /// The status it was answered with.
    pub status: Option<u16>,
    /// How long that took, in seconds.
    pub seconds: f64,
    /// What it dropped, in few words; `None` where that was nothing of any route.
    pub dropped: Option<String>,
    /// The rule that said so, as the counter of invalidations names it; with commas where there are several. Of the write's own
    /// path without a route only where nothing was dropped of any route.
    pub rule: Option<String>,
    /// On which routes by which rules, each pair once.
    pub by: Vec<RecentRule>,
    /// `confirmed`, `pending` or `held`; `None` where it dropped nothing.
    pub done: Option<&'static str>,
    /// What else there is to say of a purge; `None` for a write.
    pub purge: Option<RecentPurge>,
}

/// What is said of a purge alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecentPurge {
    /// By what.
    pub by: PurgedBy,
    /// How hard.
    pub mode: PurgeMode,
    /// How many entries it hit; `None` where nobody knows.
    pub matched: Option<u64>,
    /// Whether it may have hit more.
    pub more: bool,
    /// Who asked for it: a client's address, or `the admin listener`.
    pub asked_by: String,
}

/// What a write dropped of one route, as the counter of invalidations has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecentRule {
    /// The route's name; `-` for paths without one, `*` for several at once.
    pub route: String,
    /// A request of the configuration as it is written there, or one word.
    pub rule: String,
}

/// Misses of one reason, among the last ones.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecentMisses {
    /// The reason's token, as in Cache-Status.
    pub reason: &'static str,
    /// The same as a sentence.
    pub sentence: &'static str,
    /// How many of the last misses had it.
    pub count: u64,
    /// When the last one was, in milliseconds since the Unix epoch.
    pub at: Millis,
    /// The path of the last one, cut off where it is long. Text of a client.
    pub path: String,
    /// Its route; `-` where there is none.
    pub route: String,
}

/// What happened lately, as it is at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Snapshot {
    /// When that is, in milliseconds since the Unix epoch.
    pub now: Millis,
    /// The last hour, the oldest step first.
    pub series: Vec<Step>,
    /// What has come since then, of a step that goes on.
    pub current: Option<Step>,
    /// The last writes and purges, the newest first.
    pub writes: Vec<RecentWrite>,
    /// The last misses by reason, the most frequent first.
    pub misses: Vec<RecentMisses>,
}

impl Recent {
    /// Nothing yet: the first step is from now to the first call of [`Recent::step`].
    pub fn of(metrics: Arc<Metrics>, now: Millis) -> Self {
        let recent = Self { metrics, series: Mutex::default() };
        recent.step(now);
        recent
    }

    /// Ends a step at this time, in milliseconds since the Unix epoch. For a timer.
    pub fn step(&self, now: Millis) {
        let totals = self.metrics.totals();
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let after = Before::of(&totals, now);
        if let Some(before) = &series.before {
            let step = Step::between(before, &after);
            if series.steps.len() >= STEPS {
                series.steps.pop_front();
            }
            series.steps.push_back(step);
        }
        series.before = Some(after);
    }

    /// What happened lately.
    pub fn snapshot(&self) -> Snapshot {
        let calendar = Calendar::now();
        let (mut writes, mut misses) = (Vec::new(), Vec::new());
        for journal in self.metrics.journals() {
            writes.extend(journal.writes.iter().map(|write| (write.ended, RecentWrite::of(write, &calendar))));
            writes.extend(journal.purges.iter().map(|purge| (purge.ended, RecentWrite::of_purge(purge, &calendar))));
            misses.extend(journal.misses);
        }
        writes.sort_by_key(|(ended, _)| std::cmp::Reverse(*ended));
        writes.truncate(KEPT);
        misses.sort_by_key(|miss| std::cmp::Reverse(miss.ended));
        misses.truncate(KEPT);
        let (now, totals) = (millis(calendar.date(Stopwatch::start().stop().0)), self.metrics.totals());
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let current = series.before.as_ref().map(|before| Step::between(before, &Before::of(&totals, now)));
        let series = series.steps.iter().cloned().collect();
        Snapshot {
            now,
            series,
            current,
            writes: writes.into_iter().map(|(_, write)| write).collect(),
            misses: by_reason(&misses, &calendar),
        }
    }
}

impl Before {
    fn of(totals: &Totals, at: Millis) -> Self {
        Self {
            at,
            requests: totals.count(),
            hits: totals.hits(),
            hit_times: totals.hit_times(),
            origin: totals.origin.clone(),
            saved: totals.saved_origin_seconds(),
        }
    }
}

impl Step {
    fn between(before: &Before, after: &Before) -> Self {
        let (hits, origin) = (after.hit_times.since(&before.hit_times), after.origin.since(&before.origin));
        Self {
            at: after.at,
            seconds: std::time::Duration::from_millis(after.at.saturating_sub(before.at)).as_secs_f64(),
            requests: after.requests.saturating_sub(before.requests),
            hits: after.hits.saturating_sub(before.hits),
            hit_p50: hits.quantile(0.5),
            hit_p99: hits.quantile(0.99),
            origin_p50: origin.quantile(0.5),
            origin_p99: origin.quantile(0.99),
            saved_origin_seconds: (after.saved - before.saved).max(0.0),
        }
    }
}

impl RecentWrite {
    fn of(write: &Written, calendar: &Calendar) -> Self {
        Self {
            at: millis(calendar.date(write.ended)),
            method: write.method.as_str().to_owned(),
            path: write.path.to_string(),
            route: named(write.route.as_ref()),
            status: write.status.map(|status| status.as_u16()),
            seconds: write.took.as_secs_f64(),
            dropped: write.dropped.clone(),
            rule: rules_of(&write.by),
            by: write.by.iter().map(RecentRule::of).collect(),
            done: write.done.map(Done::as_str),
            purge: None,
        }
    }

    fn of_purge(purge: &PurgeOutcome, calendar: &Calendar) -> Self {
        let done = if purge.kind.result == PurgeResult::Pending { Done::Pending } else { Done::Confirmed };
        Self {
            at: millis(calendar.date(purge.ended)),
            method: "PURGE".to_owned(),
            path: purge.target(),
            route: UNROUTED.to_owned(),
            status: purge.status.map(|status| status.as_u16()),
            seconds: purge.took.as_secs_f64(),
            dropped: Some(purge.dropped()),
            rule: None,
            by: Vec::new(),
            done: Some(done.as_str()),
            purge: Some(RecentPurge {
                by: purge.kind.by,
                mode: purge.kind.mode,
                matched: purge.matched,
                more: purge.more,
                asked_by: purge.asker.to_string(),
            }),
        }
    }
}

impl RecentRule {
    fn of(DroppedBy { route, rule }: &DroppedBy) -> Self {
        Self { route: (**route).to_owned(), rule: (**rule).to_owned() }
    }
}

fn rules_of(by: &[DroppedBy]) -> Option<String> {
    let on_routes = by.iter().any(|one| *one.route != *UNROUTED);
    let mut rules: Vec<&str> = Vec::new();
    for one in by.iter().filter(|one| !on_routes || *one.route != *UNROUTED) {
        if !rules.contains(&&*one.rule) {
            rules.push(&one.rule);
        }
    }
    (!rules.is_empty()).then(|| rules.join(", "))
}

/// The misses, the newest first, by reason.
fn by_reason(misses: &[Missed], calendar: &Calendar) -> Vec<RecentMisses> {
    let mut found: Vec<RecentMisses> = Vec::new();
    for miss in misses {
        match found.iter_mut().find(|found| found.reason == miss.reason) {
            Some(found) => found.count += 1,
            None => found.push(RecentMisses {
                reason: miss.reason,
                sentence: Totals::sentence(miss.reason),
                count: 1,
                at: millis(calendar.date(miss.ended)),
                path: miss.path.to_string(),
                route: named(miss.route.as_ref()),
            }),
        }
    }
    found.sort_by_key(|found| std::cmp::Reverse(found.count));
    found
}

fn named(route: Option<&Arc<str>>) -> String {
    route.map_or(UNROUTED, |name| &**name).to_owned()
}

#[cfg(test)]
mod tests {
    use std::iter::empty;

    use http::{HeaderMap, Method, StatusCode};

    use super::super::outcome::{Dropped, Notes};
    use super::super::recorder::Recorder;
    use super::*;
    use crate::fields::{CacheStatus, Detail, Forward};

    #[test]
    fn an_hour_is_kept_in_steps_and_what_happened_last_is_told_with_its_reason() {
        let metrics = Metrics::new();
        let recorder = Recorder::default().counting(&metrics).of_core(empty());
        let recent = Recent::of(Arc::clone(&metrics), 1_000);
        let end = |method: Method, path: &str, cache, notes| {
            let mut begun = recorder.begin(&method, path, &HeaderMap::new(), None);
            begun.goes_on(None, path, false);
            begun.end(StatusCode::OK, cache, Some(3), notes);
        };
        let hit = CacheStatus { hit: true, ttl: Some(9), ..CacheStatus::default() };
        let miss = |detail| CacheStatus { forward: Some(Forward::UriMiss), detail, ..CacheStatus::default() };
        end(Method::GET, "/a", hit, Notes::default());
        end(Method::GET, "/b", miss(None), Notes { origin_micros: Some(3_000), ..Notes::default() });
        recent.step(11_000);
        for number in 0..150 {
            end(Method::GET, &format!("/c/{number}"), miss(Some(Detail::NoStore)), Notes::default());
        }
        let by = [("*", "default"), ("-", "target")];
        let by = by.map(|(route, rule)| DroppedBy { route: route.into(), rule: rule.into() }).to_vec();
        let dropped = Dropped { summary: Some("everything".to_owned()), by, ..Dropped::default() };
        let dropped = Some(Box::new(dropped));
        let write = CacheStatus { forward: Some(Forward::Method), ..CacheStatus::default() };
        end(Method::PUT, "/a", write, Notes { is_write: true, dropped, ..Notes::default() });
        recent.step(21_000);
        for later in 0..400 {
            recent.step(31_000 + later * 10_000);
        }
        let Snapshot { series, writes, misses, .. } = recent.snapshot();
        assert_eq!((series.len(), series[0].requests), (360, 0), "the first ones are over");
        assert_eq!((writes.len(), writes[0].dropped.as_deref()), (1, Some("everything")));
        assert_eq!((&*writes[0].path, &*writes[0].route, writes[0].done), ("/a", "-", Some("confirmed")));
        // As the counter of invalidations has it, which is what a person looks for next.
        let by = RecentRule { route: "*".to_owned(), rule: "default".to_owned() };
        assert_eq!((writes[0].rule.as_deref(), &writes[0].by[0]), (Some("default"), &by));
        assert_eq!((misses.len(), misses[0].count, &*misses[0].path), (1, 100, "/c/149"));
        assert_eq!((misses[0].reason, misses[0].sentence), ("no-store", "The origin said no-store."));
    }

    #[test]
    fn a_step_has_what_came_in_it() {
        let metrics = Metrics::new();
        let recorder = Recorder::default().counting(&metrics).of_core(empty());
        let recent = Recent::of(Arc::clone(&metrics), 0);
        let hit = CacheStatus { hit: true, ttl: Some(9), ..CacheStatus::default() };
        for _ in 0..3 {
            let begun = recorder.begin(&Method::GET, "/a", &HeaderMap::new(), None);
            begun.end(StatusCode::OK, hit, None, Notes::default());
        }
        drop(recorder.begin(&Method::GET, "/a", &HeaderMap::new(), None));
        let current = recent.snapshot().current.unwrap();
        assert!(current.requests == 4 && current.hit_p50.is_some(), "of the step that goes on: {current:?}");
        recent.step(10_000);
        recent.step(20_000);
        assert_eq!(recent.snapshot().current.unwrap().hit_p50, None);
        let series = recent.snapshot().series;
        assert_eq!((series[0].requests, series[0].hits, series[1].requests), (4, 3, 0));
        assert!((series[0].seconds - 10.0).abs() < 1e-9 && series[0].hit_p99.is_some_and(|p99| p99 < 1.0));
        assert_eq!((series[1].hit_p50, series[1].origin_p50), (None, None));
    }
}
