//! What the process says of itself at one moment, and what has happened between two of them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::asking::Process;
use super::super::failure::Failure;
use crate::admin::{Figures, RouteStatus, Status};
use crate::clock::Stopwatch;

/// What is asked at once.
pub(super) struct Sample {
    at: Stopwatch,
    pub(super) status: Status,
    pub(super) figures: Figures,
    /// All that `/recent` answers.
    pub(super) lately: Value,
}

/// What has happened between two of them.
pub(super) struct Change<'s> {
    pub(super) seconds: f64,
    before: &'s Sample,
    pub(super) after: &'s Sample,
}

impl Sample {
    pub(super) async fn take(process: &Process) -> Result<Self, Failure> {
        let status = process.ask("/status").await?.parsed()?;
        let at = Stopwatch::start();
        let lately: Value = process.ask("/recent").await?.parsed()?;
        let figures = lately.get("figures").and_then(|figures| Figures::deserialize(figures).ok()).unwrap_or_default();
        Ok(Self { at, status, figures, lately })
    }
}

impl<'s> Change<'s> {
    /// Up to now.
    pub(super) fn between(before: &'s Sample, after: &'s Sample) -> Self {
        Self { seconds: before.at.elapsed().as_secs_f64(), before, after }
    }

    pub(super) fn per_second(&self, of: impl Fn(&Figures) -> u64) -> f64 {
        count(of(&self.after.figures).saturating_sub(of(&self.before.figures))) / self.seconds
    }

    /// Of the reads in between.
    pub(super) fn hit_ratio(&self) -> Option<f64> {
        let hits = self.per_second(|figures| figures.hits);
        let reads = hits + self.per_second(|figures| figures.misses);
        (reads > 0.0).then(|| hits / reads)
    }

    /// Requests a second of one route.
    pub(super) fn rate(&self, route: &RouteStatus) -> f64 {
        let before = self.before.status.routes.iter().find(|before| before.name == route.name);
        count(route.requests.saturating_sub(before.map_or(0, |before| before.requests))) / self.seconds
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "seconds": self.seconds,
            "requests_per_second": self.per_second(|figures| figures.requests),
            "hits_per_second": self.per_second(|figures| figures.hits),
            "hit_ratio": self.hit_ratio(),
            "origin_per_second": self.per_second(|figures| figures.origin_fetches),
            "origin_inflight": self.after.figures.origin_inflight,
            "figures": self.after.figures,
        })
    }

    /// For people, where nothing can be drawn.
    pub(super) fn line(&self) -> String {
        format!(
            "{:8.1} requests/s  {} of reads from the store  {:8.1} origin/s  {} under way",
            self.per_second(|figures| figures.requests),
            percent(self.hit_ratio()),
            self.per_second(|figures| figures.origin_fetches),
            self.after.figures.origin_inflight,
        )
    }
}

pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0))
}

#[allow(clippy::cast_precision_loss, reason = "nobody reads fifteen digits")]
pub(super) fn count(number: u64) -> f64 {
    number as f64
}
