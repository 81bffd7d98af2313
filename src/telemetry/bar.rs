//! Which requests get a line in the log: all of them, those that were slow, or a sample; troubles and writes in any case.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::outcome::{Outcome, Work};

/// What a request has to be that gets a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bar {
    slow_micros: u64,
    /// Of a million.
    sample: Option<u32>,
}

/// Draws requests. One thread draws, without waiting for another.
#[derive(Debug)]
pub(super) struct Lots(AtomicU64);

impl Bar {
    /// `sample` of a million requests, and all that take at least so long; without a sample only those. Writes come besides.
    pub(super) fn new(slow: Duration, sample: Option<u32>) -> Self {
        Self { slow_micros: u64::try_from(slow.as_micros()).unwrap_or(u64::MAX), sample }
    }

    /// Whether a request that begins now is one of the sample.
    pub(super) fn draws(self, lots: &Lots) -> bool {
        self.sample.is_none_or(|sample| lots.draw() < sample)
    }

    /// Whether a request may have a line although it is not one of the sample, even if it is answered at once.
    pub(super) fn may_be_slow(self) -> bool {
        self.slow_micros > 0
    }

    /// Whether a request gets a line that is no trouble, and that was drawn or was not.
    pub(super) fn is_met(self, outcome: &Outcome, drawn: bool) -> bool {
        let slow = outcome.micros >= self.slow_micros;
        let wanted = match self.sample {
            None => slow,
            Some(_) => drawn || (slow && self.may_be_slow()),
        };
        wanted || outcome.notes.is_write || outcome.work != Work::Request
    }
}

impl Default for Lots {
    fn default() -> Self {
        Self(AtomicU64::new(getrandom::u64().unwrap_or(0) | 1))
    }
}

impl Lots {
    /// A number below a million (Marsaglia's xorshift: what is drawn need be no secret, only nothing that requests follow).
    fn draw(&self) -> u32 {
        let mut state = self.0.load(Ordering::Relaxed);
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0.store(state, Ordering::Relaxed);
        u32::try_from(((state >> 32) * 1_000_000) >> 32).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_as_many_are_drawn_as_were_asked_for() {
        let lots = Lots::default();
        for (sample, expected) in [(0, 0..=0), (100_000, 9_000..=11_000), (1_000_000, 100_000..=100_000)] {
            let bar = Bar::new(Duration::ZERO, Some(sample));
            let drawn = (0..100_000).filter(|_| bar.draws(&lots)).count();
            assert!(expected.contains(&drawn), "{sample}: {drawn}");
        }
        assert!(Bar::default().draws(&lots));
    }
}
