//! Where every request and every fetch in the background ends: what came of it goes to all that read it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use tracing::Level;

use super::bar::{Bar, Lots};
use super::ids::Ids;
use super::journal::cut_off;
use super::metrics::{Labels, Metrics, Shard, Verified};
use super::outcome::{Notes, Outcome, Source, Work};
use super::purge::PurgeOutcome;
use super::queue::Queue;
use crate::clock::Stopwatch;
use crate::fields::{CacheStatus, Detail};

/// Takes outcomes, and never waits. The default one has no readers.
///
/// Where it counts, all that one of a core is given has to come from that core's thread: see [`Recorder::of_core`].
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Readers>);

/// What a recorder's outcomes go to, in one place: a request that begins takes hold of that alone, and of nothing that other
/// cores hold, too.
#[derive(Clone, Debug, Default)]
struct Readers {
    /// The figures, if anybody reads them.
    counts: Option<Counts>,
    /// The log, if requests get lines there.
    log: Option<Arc<Queue>>,
    /// Of which requests the log says something.
    bar: Bar,
    lots: Arc<Lots>,
}

/// Where a core counts.
#[derive(Clone, Debug)]
struct Counts {
    metrics: Arc<Metrics>,
    shard: Arc<Shard>,
    labels: Arc<Labels>,
}

/// A request under way. Dropped before its end, it says that the client was gone before there was an answer; what a write
/// does goes on all the same.
#[derive(Debug)]
pub struct Begun {
    recorder: Recorder,
    work: Work,
    method: Method,
    path: Box<str>,
    query: Option<Box<str>>,
    route: Option<Arc<str>>,
    is_write: bool,
    ids: Option<Box<Ids>>,
    client: Option<IpAddr>,
    stopwatch: Stopwatch,
    /// Whether it is one of those that the log has a line of.
    drawn: bool,
    has_ended: bool,
}

/// Counts the bytes of a body whose length nobody knows beforehand, once it is gone.
#[derive(Debug)]
pub struct Sent {
    recorder: Recorder,
    route: Option<Arc<str>>,
    source: Source,
    bytes: u64,
}

/// Longer paths are cut off there.
const LONGEST_PATH: usize = 1024;

/// Whether lines of this level are wanted in the log.
macro_rules! is_wanted {
    ($level:ident) => {
        tracing::enabled!(target: "aside::telemetry::log", Level::$level)
    };
}

impl Recorder {
    /// One whose outcomes go to the log, those of requests if they meet this.
    pub(super) fn to_log(log: Queue, bar: Bar) -> Self {
        Self(Arc::new(Readers { log: Some(Arc::new(log)), bar, ..Readers::default() }))
    }

    /// The same, which counts in these figures besides.
    #[must_use]
    pub fn counting(self, metrics: &Arc<Metrics>) -> Self {
        let counts = Counts { metrics: Arc::clone(metrics), shard: metrics.shard(), labels: Arc::default() };
        self.with(|readers| readers.counts = Some(counts))
    }

    /// The same for one core, whose thread alone may use it and what comes of it: it counts where no other core does. The
    /// names are those of all routes; others are found as well, only not as fast.
    #[must_use]
    pub fn of_core<'n>(&self, routes: impl Iterator<Item = &'n Arc<str>>) -> Self {
        let of_core = self.with(|readers| {
            readers.lots = Arc::default();
            if let Some(counts) = &mut readers.counts {
                counts.shard = counts.metrics.shard();
            }
        });
        of_core.about(routes)
    }

    /// The same core's where there are other routes.
    #[must_use]
    pub fn about<'n>(&self, routes: impl Iterator<Item = &'n Arc<str>>) -> Self {
        let labels = Arc::new(Labels::of(routes));
        self.with(|readers| {
            if let Some(counts) = &mut readers.counts {
                counts.labels = labels;
            }
        })
    }

    /// The same figures, and another one's log.
    #[must_use]
    pub fn logging_as(&self, other: &Self) -> Self {
        self.with(|readers| (readers.log, readers.bar) = (other.0.log.clone(), other.0.bar))
    }

    /// One that differs in this.
    fn with(&self, change: impl FnOnce(&mut Readers)) -> Self {
        let mut readers = Readers::clone(&self.0);
        change(&mut readers);
        Self(Arc::new(readers))
    }

    /// The figures that it counts in, if it does.
    pub fn metrics(&self) -> Option<&Arc<Metrics>> {
        self.0.counts.as_ref().map(|counts| &counts.metrics)
    }

    /// The origin has answered, in so long, for a request that asks it once more, and whose outcome tells of that alone.
    pub fn besides(&self, route: Option<&Arc<str>>, took: Duration) {
        if let Some(Counts { shard, labels, .. }) = &self.0.counts {
            shard.origin_answered(labels, route, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        }
    }

    /// Whether queries are shown to anybody.
    pub fn shows(&self) -> bool {
        self.0.log.is_some()
    }

    /// A stored answer was compared with the origin's.
    pub fn verified(&self, route: Option<&Arc<str>>, verified: Verified) {
        if let Some(counts) = &self.0.counts {
            counts.shard.verified(route, verified);
        }
    }

    /// A purge has ended.
    pub fn purged(&self, outcome: PurgeOutcome) {
        if let Some(counts) = &self.0.counts {
            counts.shard.purged(outcome);
        }
    }

    /// An answer that was to be stored once it is whole is not, for this reason: its request had its outcome before.
    pub fn refused(&self, detail: Detail) {
        if let Some(counts) = &self.0.counts {
            counts.shard.refused(detail);
        }
    }

    /// A request begins: takes down what of it is read at its end, and the time.
    pub fn begin(&self, method: &Method, path: &str, fields: &HeaderMap, client: Option<IpAddr>) -> Begun {
        self.began(Work::Request, Stopwatch::start(), (method, path, fields), client)
    }

    /// A fetch that no client waits for has come to its answer, and began at that time: it is told as an outcome of its own.
    pub fn in_background(
        &self,
        work: Work,
        began: Stopwatch,
        (method, path, fields): (&Method, &str, &HeaderMap),
    ) -> Begun {
        self.began(work, began, (method, path, fields), None)
    }

    fn began(
        &self,
        work: Work,
        stopwatch: Stopwatch,
        (method, path, fields): (&Method, &str, &HeaderMap),
        client: Option<IpAddr>,
    ) -> Begun {
        let drawn = self.0.log.is_some() && self.0.bar.draws(&self.0.lots);
        let read = (drawn || (self.0.log.is_some() && self.0.bar.may_be_slow())) && is_wanted!(WARN);
        Begun {
            recorder: self.clone(),
            work,
            method: method.clone(),
            path: if read { cut_off(path, LONGEST_PATH) } else { Box::default() },
            query: None,
            route: None,
            is_write: false,
            ids: if read { Ids::of(fields).map(Box::new) } else { None },
            client,
            stopwatch,
            drawn,
            has_ended: false,
        }
    }

    /// Takes an outcome to all that read it; `drawn` is whether it is one of the log's sample.
    fn record(&self, outcome: Outcome, drawn: bool) {
        if let Some(Counts { shard, labels, .. }) = &self.0.counts {
            shard.count(labels, &outcome);
        }
        let Some(log) = &self.0.log else { return };
        let wanted = match outcome.work {
            _ if outcome.is_trouble() => is_wanted!(WARN),
            Work::Request | Work::Write => self.0.bar.is_met(&outcome, drawn) && is_wanted!(INFO),
            Work::Refresh | Work::Fill | Work::Compare => is_wanted!(DEBUG),
        };
        if wanted {
            log.outcome(Box::new(outcome));
        }
    }
}

impl Begun {
    /// It is not answered at once: takes down what of it is read if it never is.
    pub fn goes_on(&mut self, route: Option<&Arc<str>>, path: &str, is_write: bool) {
        (self.route, self.is_write) = (route.map(Arc::clone), is_write);
        if self.path.is_empty() && (self.recorder.0.counts.is_some() || self.recorder.0.log.is_some()) {
            self.path = cut_off(path, LONGEST_PATH);
        }
    }

    /// Takes down what is shown to people, where anything is: what of its query may be, and its ids.
    pub fn shows(&mut self, query: impl FnOnce() -> Option<Box<str>>, fields: &HeaderMap) {
        if self.recorder.shows() {
            self.query = query();
            self.ids = self.ids.take().or_else(|| Ids::of(fields).map(Box::new));
        }
    }

    /// The head of its answer is there; `bytes` is how long the body is, where that is known. Where it is not, and counts,
    /// what counts it comes back.
    pub fn end(mut self, status: StatusCode, cache: CacheStatus, bytes: Option<u64>, notes: Notes) -> Option<Sent> {
        let outcome = self.outcome(Some(status), cache, bytes, notes);
        let sent = if bytes.is_none() { self.sent(&outcome) } else { None };
        self.recorder.record(outcome, self.drawn);
        sent
    }

    /// There is no answer, for this reason.
    pub fn fail(mut self, why: &impl ToString) {
        let notes = Notes { why: Some(why.to_string().into()), ..Notes::default() };
        let outcome = self.outcome(None, CacheStatus::default(), None, notes);
        self.recorder.record(outcome, self.drawn);
    }

    fn sent(&self, outcome: &Outcome) -> Option<Sent> {
        let source = outcome.source().filter(|_| self.recorder.0.counts.is_some())?;
        Some(Sent { recorder: self.recorder.clone(), route: outcome.notes.route.clone(), source, bytes: 0 })
    }

    fn outcome(
        &mut self,
        status: Option<StatusCode>,
        cache: CacheStatus,
        bytes: Option<u64>,
        mut notes: Notes,
    ) -> Outcome {
        self.has_ended = true;
        notes.route = notes.route.or(self.route.take());
        notes.query = notes.query.or(self.query.take());
        notes.is_write |= self.is_write;
        let (ended, took) = self.stopwatch.stop();
        Outcome {
            work: self.work,
            method: std::mem::take(&mut self.method),
            path: std::mem::take(&mut self.path),
            ids: self.ids.take(),
            client: self.client,
            status,
            cache,
            bytes,
            micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            ended,
            notes,
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.has_ended {
            let outcome = self.outcome(None, CacheStatus::default(), None, Notes::default());
            self.recorder.record(outcome, self.drawn);
        }
    }
}

impl Sent {
    /// So many more bytes were handed on.
    pub fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some(Counts { shard, labels, .. }) = &self.recorder.0.counts {
            shard.sent(labels, self.route.as_ref(), self.source, self.bytes);
        }
    }
}
