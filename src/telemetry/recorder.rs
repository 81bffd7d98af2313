//! Where every request and every fetch in the background ends: what came of it goes to all that read it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use tracing::Level;

use super::ids::Ids;
use super::outcome::{Notes, Outcome, Work};
use super::queue::Queue;
use crate::clock::Stopwatch;
use crate::fields::CacheStatus;

/// Takes outcomes, and never waits. The default one has no readers.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    /// The log, if requests get lines there.
    log: Option<Arc<Queue>>,
    /// Of a request that takes less than this many microseconds the log says nothing.
    slow_micros: u64,
}

/// A request under way. Dropped before its end, it says that the client was gone before there was an answer; what a write
/// does goes on all the same.
#[derive(Debug)]
pub struct Begun {
    recorder: Recorder,
    work: Work,
    method: Method,
    path: Box<str>,
    ids: Option<Box<Ids>>,
    client: Option<IpAddr>,
    stopwatch: Stopwatch,
    has_ended: bool,
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
    /// One whose outcomes go to the log, those of requests if they took at least this long.
    pub(super) fn to_log(log: Queue, slow: Duration) -> Self {
        Self { log: Some(Arc::new(log)), slow_micros: u64::try_from(slow.as_micros()).unwrap_or(u64::MAX) }
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
        let read = self.log.is_some() && is_wanted!(WARN);
        Begun {
            recorder: self.clone(),
            work,
            method: method.clone(),
            path: if read { cut_off(path) } else { Box::default() },
            ids: if read { Ids::of(fields).map(Box::new) } else { None },
            client,
            stopwatch,
            has_ended: false,
        }
    }

    /// Takes an outcome to all that read it.
    pub fn record(&self, outcome: Outcome) {
        let Some(log) = &self.log else { return };
        let wanted = match outcome.work {
            _ if outcome.is_trouble() => is_wanted!(WARN),
            Work::Request => outcome.micros >= self.slow_micros && is_wanted!(INFO),
            Work::Refresh | Work::Fill => is_wanted!(DEBUG),
        };
        if wanted {
            log.outcome(Box::new(outcome));
        }
    }
}

impl Begun {
    /// The head of its answer is there; `bytes` is how long the body is, where that is known.
    pub fn end(mut self, status: StatusCode, cache: CacheStatus, bytes: Option<u64>, notes: Notes) {
        self.record(Some(status), cache, bytes, notes);
    }

    fn record(&mut self, status: Option<StatusCode>, cache: CacheStatus, bytes: Option<u64>, notes: Notes) {
        self.has_ended = true;
        let (ended, took) = self.stopwatch.stop();
        self.recorder.record(Outcome {
            work: self.work,
            method: std::mem::take(&mut self.method),
            path: std::mem::take(&mut self.path),
            query: None,
            ids: self.ids.take(),
            client: self.client,
            status,
            cache,
            bytes,
            micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            ended,
            notes,
        });
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.has_ended && self.work == Work::Request {
            self.record(None, CacheStatus::default(), None, Notes::default());
        }
    }
}

fn cut_off(path: &str) -> Box<str> {
    if path.len() <= LONGEST_PATH {
        return path.into();
    }
    let end = path.char_indices().nth(LONGEST_PATH).map_or(path.len(), |(end, _)| end);
    path.get(..end).unwrap_or(path).into()
}
