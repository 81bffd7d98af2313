//! The only reader of time, and of the chance that spreads it. Everything else takes `now` as an argument or asks the
//! [`Clock`] it was given.

#![allow(clippy::disallowed_methods, reason = "this is the one place that may read the clock")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime};

/// Wall-clock time in milliseconds since the Unix epoch.
pub type Millis = u64;

/// Where the wall-clock time comes from: the system, or a test that sets it.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's wall clock.
    #[default]
    System,
    /// A time that stands still until it is set: for tests.
    Set(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that shows `now` until [`Clock::advance`] moves it.
    pub fn at(now: Millis) -> Self {
        Self::Set(Arc::new(AtomicU64::new(now)))
    }

    /// Milliseconds since the Unix epoch; 0 for a system clock set before 1970.
    pub fn now(&self) -> Millis {
        match self {
            Self::System => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, millis),
            Self::Set(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Milliseconds since some moment of this process, for pauses between tries: unlike [`Clock::now`] they never go back,
    /// whatever becomes of the machine's wall clock.
    pub fn ticks(&self) -> Millis {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        match self {
            Self::System => millis(START.elapsed()),
            Self::Set(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Moves a set clock forward. The system's clock cannot be moved and is left alone.
    pub fn advance(&self, by: Duration) {
        if let Self::Set(now) = self {
            now.fetch_add(millis(by), Ordering::SeqCst);
        }
    }
}

/// Milliseconds since the machine was started, by the clock that goes on while it sleeps: for leases, which others count on.
pub fn boot_millis() -> Millis {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    // Neither is negative.
    let (seconds, nanos) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    seconds.saturating_mul(1_000).saturating_add(nanos / 1_000_000)
}

/// A duration in whole milliseconds, the largest number where it is longer.
pub fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

/// A duration less a random part of it, this share of it at the most: so that what began together does not come back in step.
pub fn jittered(duration: Duration, share: f64) -> Duration {
    if share <= 0.0 {
        return duration;
    }
    let random = f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX);
    duration.mul_f64(1.0 - share * random)
}

/// Measures how long something took, for logs; never used for decisions.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since [`Stopwatch::start`].
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// This moment by the steady clock, and the time since [`Stopwatch::start`].
    pub fn stop(&self) -> (Instant, Duration) {
        let now = Instant::now();
        (now, now.saturating_duration_since(self.0))
    }
}

/// The wall clock and the steady one, read together: dates moments that were noted by the steady one alone.
#[derive(Clone, Copy, Debug)]
pub struct Calendar {
    /// Since the Unix epoch.
    wall: Duration,
    steady: Instant,
}

impl Calendar {
    /// Reads both.
    pub fn now() -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { wall, steady: Instant::now() }
    }

    /// The time since the Unix epoch at that moment; nothing before 1970.
    pub fn date(&self, moment: Instant) -> Duration {
        let later = moment.saturating_duration_since(self.steady);
        (self.wall + later).saturating_sub(self.steady.saturating_duration_since(moment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_before_and_after_a_calendar_was_read_have_their_dates() {
        let calendar = Calendar { wall: Duration::from_secs(10), steady: Instant::now() };
        for (moment, date) in [
            (calendar.steady + Duration::from_millis(1), Duration::from_millis(10_001)),
            (calendar.steady, Duration::from_secs(10)),
        ] {
            assert_eq!(calendar.date(moment), date);
        }
        let later = Calendar { steady: calendar.steady + Duration::from_secs(3), ..calendar };
        assert_eq!(later.date(calendar.steady), Duration::from_secs(7));
    }

    #[test]
    fn what_is_jittered_stays_within_its_bounds() {
        let whole = Duration::from_secs(1);
        for _ in 0..1000 {
            let spread = jittered(whole, 0.25);
            assert!(spread >= whole * 3 / 4 && spread <= whole, "{spread:?}");
        }
        assert_eq!(jittered(whole, 0.0), whole);
    }
}
