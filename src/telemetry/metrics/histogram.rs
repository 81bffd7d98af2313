//! How long things took: how many took at most so long, in fixed steps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

/// The upper bounds of the steps, in microseconds; one more step has all that took longer.
pub const BOUNDS_MICROS: [u64; 18] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000,
];
const STEPS: usize = BOUNDS_MICROS.len() + 1;

/// A count that one thread adds to and any may read.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    /// Adds to it. For one thread alone: no instruction that others would have to wait for.
    pub(super) fn add(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    /// The same for any thread.
    pub(super) fn add_of_many(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long things took, as it is counted.
#[derive(Debug, Default)]
pub struct Histogram {
    steps: [Count; STEPS],
    sum_micros: Count,
}

/// The same as plain figures, of any number of threads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Buckets {
    /// How many lie in each step of [`BOUNDS_MICROS`], and last how many above all of them.
    pub steps: [u64; STEPS],
    /// All durations together, in microseconds.
    pub sum_micros: u64,
}

impl Histogram {
    /// Counts one. For one thread alone.
    pub fn record(&self, micros: u64) {
        if let Some(step) = self.step(micros) {
            step.add(1);
        }
        self.sum_micros.add(micros);
    }

    /// The same for any thread.
    pub(super) fn record_of_many(&self, micros: u64) {
        if let Some(step) = self.step(micros) {
            step.add_of_many(1);
        }
        self.sum_micros.add_of_many(micros);
    }

    fn step(&self, micros: u64) -> Option<&Count> {
        let step = BOUNDS_MICROS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS_MICROS.len());
        self.steps.get(step)
    }

    /// The figures so far.
    pub fn read(&self) -> Buckets {
        let mut buckets = Buckets::default();
        self.add_to(&mut buckets);
        buckets
    }

    pub(super) fn add_to(&self, buckets: &mut Buckets) {
        for (sum, step) in buckets.steps.iter_mut().zip(&self.steps) {
            *sum += step.get();
        }
        buckets.sum_micros = buckets.sum_micros.wrapping_add(self.sum_micros.get());
    }
}

impl Buckets {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.steps.iter().sum()
    }

    /// All of these and of those.
    pub fn add(&mut self, others: &Self) {
        for (sum, step) in self.steps.iter_mut().zip(&others.steps) {
            *sum += step;
        }
        self.sum_micros = self.sum_micros.wrapping_add(others.sum_micros);
    }

    /// Those that have come since these earlier figures.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        for (step, before) in since.steps.iter_mut().zip(&earlier.steps) {
            *step = step.saturating_sub(*before);
        }
        since.sum_micros = self.sum_micros.saturating_sub(earlier.sum_micros);
        since
    }

    /// All of them together, in seconds.
    pub fn sum_seconds(&self) -> f64 {
        Duration::from_micros(self.sum_micros).as_secs_f64()
    }

    /// What so large a share of them (0.0 to 1.0) stayed below, in seconds, as far as the steps tell; what lies above all
    /// bounds counts as the last one. `None` where there are none.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let wanted = share.clamp(0.0, 1.0) * as_f64(count);
        let (mut below, mut lower) = (0.0, 0);
        for (step, upper) in self.steps.iter().zip(BOUNDS_MICROS) {
            let within = as_f64(*step);
            if *step > 0 && below + within >= wanted {
                let part = as_f64(upper - lower) * ((wanted - below) / within);
                return Some((as_f64(lower) + part) / 1e6);
            }
            (below, lower) = (below + within, upper);
        }
        Some(as_f64(lower) / 1e6)
    }
}

/// Exact up to 2^53: more than three hundred years in microseconds, or requests of a century.
#[expect(clippy::cast_precision_loss, reason = "figures for people and for graphs")]
pub(super) fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: &[u64]) -> Buckets {
        let histogram = Histogram::default();
        for micros in micros {
            histogram.record(*micros);
        }
        histogram.read()
    }

    #[test]
    fn a_duration_lies_in_the_first_step_that_it_does_not_exceed() {
        let buckets = of(&[0, 50, 51, 30_000_000, 30_000_001]);
        assert_eq!((buckets.steps[0], buckets.steps[1], buckets.steps[17], buckets.steps[18]), (2, 1, 1, 1));
        assert_eq!((buckets.count(), buckets.sum_micros), (5, 60_000_102));
        assert!(BOUNDS_MICROS.is_sorted());
    }

    #[test]
    fn quantiles_lie_within_their_step() {
        assert_eq!(of(&[]).quantile(0.5), None);
        let buckets = of(&[&[80; 98][..], &[20_000, 40_000_000]].concat());
        let half = buckets.quantile(0.5).unwrap();
        assert!((0.000_05..=0.000_1).contains(&half), "{half}");
        let most = buckets.quantile(0.99).unwrap();
        assert!((0.01..=0.025).contains(&most), "{most}");
        assert_eq!(buckets.quantile(1.0), Some(30.0));
    }

    #[test]
    fn what_came_since_is_told_apart() {
        let (before, mut after) = (of(&[10, 10]), of(&[10, 10]));
        after.add(&of(&[300]));
        assert_eq!(after.since(&before), of(&[300]));
    }
}
