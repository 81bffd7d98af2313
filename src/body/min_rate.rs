//! How slowly a client may send a body: only the time spent waiting for it counts, never what the origin takes.

use std::num::NonZeroU64;
use std::time::Duration;

use tokio::time::Instant;

/// How long a client may be slower at a stretch, as at the beginning of its body.
const GRACE: Duration = Duration::from_secs(10);

/// The least rate of a client's body: a credit of time that waiting spends and bytes earn, never more than [`GRACE`]. So nobody can send a
/// megabyte at once and then drip for an hour.
#[derive(Debug)]
pub(super) struct MinRate {
    rate: NonZeroU64,
    credit: Duration,
    waiting_since: Option<Instant>,
}

impl MinRate {
    /// A body that has to come with at least so many bytes a second.
    pub(super) fn new(rate: NonZeroU64) -> Self {
        Self { rate, credit: GRACE, waiting_since: None }
    }

    /// The least rate in bytes a second.
    pub(super) fn rate(&self) -> NonZeroU64 {
        self.rate
    }

    /// To be told that nothing is there; comes back with how long it may be waited for since the first time it was.
    pub(super) fn wait(&mut self, now: Instant) -> Duration {
        self.waiting_since.get_or_insert(now);
        self.credit
    }

    /// To be told that so many bytes came.
    pub(super) fn came(&mut self, bytes: usize, now: Instant) {
        if let Some(since) = self.waiting_since.take() {
            self.credit = self.credit.saturating_sub(now.saturating_duration_since(since));
        }
        let earned = (bytes as u64).saturating_mul(1_000_000_000) / self.rate;
        self.credit = self.credit.saturating_add(Duration::from_nanos(earned)).min(GRACE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn min_rate() -> (MinRate, Instant) {
        (MinRate::new(NonZeroU64::new(100).unwrap()), Instant::now())
    }

    #[test]
    fn waiting_spends_what_bytes_earn() {
        let (mut rate, start) = min_rate();
        assert_eq!(rate.wait(start), GRACE);
        assert_eq!(rate.wait(start + SECOND), GRACE, "counted from the first time");
        rate.came(0, start + 4 * SECOND);
        assert_eq!(rate.wait(start + 4 * SECOND), 6 * SECOND);
        rate.came(150, start + 5 * SECOND);
        assert_eq!(rate.wait(start + 5 * SECOND), SECOND * 13 / 2);
    }

    #[test]
    fn a_fast_beginning_buys_no_slow_end() {
        let (mut rate, start) = min_rate();
        rate.came(usize::MAX, start);
        assert_eq!(rate.wait(start), GRACE);
        rate.came(1, start + GRACE);
        assert_eq!(rate.wait(start + GRACE), SECOND / 100);
    }

    #[test]
    fn what_the_receiver_takes_is_not_counted() {
        let (mut rate, start) = min_rate();
        for second in 0..1000 {
            rate.came(1, start + second * SECOND);
        }
        assert_eq!(rate.wait(start + 1000 * SECOND), GRACE);
    }
}
