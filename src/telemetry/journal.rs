//! The last writes, purges and misses of one core, for people who ask what has just happened.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};

use super::outcome::{CacheResult, Done, DroppedBy, Outcome};
use super::purge::PurgeOutcome;

/// So many of each are kept.
pub(super) const KEPT: usize = 100;
/// Longer paths are cut off there.
const LONGEST_PATH: usize = 256;

/// The last writes, purges and misses, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    pub(super) writes: VecDeque<Written>,
    pub(super) purges: VecDeque<PurgeOutcome>,
    pub(super) misses: VecDeque<Missed>,
}

/// A write.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) ended: Instant,
    pub(super) method: Method,
    pub(super) path: Box<str>,
    pub(super) route: Option<Arc<str>>,
    pub(super) status: Option<StatusCode>,
    pub(super) took: Duration,
    pub(super) dropped: Option<String>,
    pub(super) by: Vec<DroppedBy>,
    pub(super) done: Option<Done>,
}

/// A read that the store had no answer for.
#[derive(Clone, Debug)]
pub(super) struct Missed {
    pub(super) ended: Instant,
    pub(super) path: Box<str>,
    pub(super) route: Option<Arc<str>>,
    pub(super) reason: &'static str,
}

impl Journal {
    /// Takes down a purge.
    pub(super) fn note_purge(&mut self, mut purge: PurgeOutcome) {
        purge.named = cut_off(&purge.named, LONGEST_PATH);
        push(&mut self.purges, purge);
    }

    /// Takes down a write, or a read that went to the origin.
    pub(super) fn note(&mut self, outcome: &Outcome, result: CacheResult) {
        let (notes, path) = (&outcome.notes, cut_off(&outcome.path, LONGEST_PATH));
        if result == CacheResult::Write {
            let dropped = notes.dropped.as_deref();
            push(
                &mut self.writes,
                Written {
                    ended: outcome.ended,
                    method: outcome.method.clone(),
                    path,
                    route: notes.route.clone(),
                    status: outcome.status,
                    took: Duration::from_micros(outcome.micros),
                    dropped: dropped.and_then(|dropped| dropped.summary.clone()),
                    by: dropped.map(|dropped| dropped.by.clone()).unwrap_or_default(),
                    done: dropped.map(|dropped| dropped.done),
                },
            );
        } else if let Some(reason) = outcome.reason() {
            push(&mut self.misses, Missed { ended: outcome.ended, path, route: notes.route.clone(), reason });
        }
    }
}

fn push<T>(kept: &mut VecDeque<T>, one: T) {
    if kept.len() >= KEPT {
        kept.pop_front();
    }
    kept.push_back(one);
}

/// The text up to so many characters.
pub(super) fn cut_off(text: &str, longest: usize) -> Box<str> {
    if text.len() <= longest {
        return text.into();
    }
    let end = text.char_indices().nth(longest).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or(text).into()
}
