//! A trouble that many requests meet: told when it begins and when it is over, and not once a request.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Millis;

/// So long without trouble ends an episode whose cause nobody can see.
const QUIET: Millis = 10_000;

/// A trouble that many requests meet, one after another or at once, from the first who meets it to its end. Shared by all
/// cores, and waits for nobody.
#[derive(Debug, Default)]
pub struct Episode {
    /// The tick at which it was met last; 0 while there is none.
    last: AtomicU64,
    /// The tick at which it began.
    began: AtomicU64,
    /// How often it was met since.
    times: AtomicU64,
    /// The tick at which the one before ended; 0 where there was none.
    ended: AtomicU64,
}

/// What can be said of an episode that has ended. Printed, it is as in `327 times in 4.1 s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How often it was met; one or two that came at its very end may not be counted.
    pub times: u64,
    /// From the first time to the last.
    pub lasted: Duration,
}

impl Episode {
    /// Somebody met the trouble, at this tick. True where that begins it.
    pub fn met(&self, ticks: Millis) -> bool {
        self.times.fetch_add(1, Ordering::Relaxed);
        let begins = self.last.swap(ticks.max(1), Ordering::Relaxed) == 0;
        if begins {
            self.began.store(ticks, Ordering::Relaxed);
        }
        begins
    }

    /// Whether it has begun and not ended.
    pub fn is_on(&self) -> bool {
        self.last.load(Ordering::Relaxed) != 0
    }

    /// Somebody met none, which does not say that nobody will. Comes back with what there is to tell where that ends it:
    /// where nobody has met it for ten seconds.
    pub fn is_over(&self, ticks: Millis) -> Option<Ended> {
        let last = self.last.load(Ordering::Relaxed);
        if last == 0 || ticks.saturating_sub(last) < QUIET {
            return None;
        }
        self.end(last, ticks)
    }

    /// Its cause has gone, as far as can be seen: that ends it at once. Where the one before ended just before it began, it
    /// comes and goes, and has to stay away for ten seconds.
    pub fn is_mended(&self, ticks: Millis) -> Option<Ended> {
        let (last, ended) = (self.last.load(Ordering::Relaxed), self.ended.load(Ordering::Relaxed));
        if ended != 0 && self.began.load(Ordering::Relaxed).saturating_sub(ended) < QUIET {
            return self.is_over(ticks);
        }
        if last == 0 { None } else { self.end(last, ticks) }
    }

    /// Ends it for the one who tells; nothing where somebody has met it meanwhile.
    fn end(&self, last: Millis, ticks: Millis) -> Option<Ended> {
        self.last.compare_exchange(last, 0, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        self.ended.store(ticks.max(1), Ordering::Relaxed);
        let lasted = last.saturating_sub(self.began.load(Ordering::Relaxed));
        Some(Ended { times: self.times.swap(0, Ordering::Relaxed), lasted: Duration::from_millis(lasted) })
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { times, lasted } = self;
        let plural = if *times == 1 { "" } else { "s" };
        write!(out, "{times} time{plural} in {:.1} s", lasted.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(times: u64, lasted: u64) -> Ended {
        Ended { times, lasted: Duration::from_millis(lasted) }
    }

    #[test]
    fn an_episode_begins_once_and_ends_once_after_a_while_without_trouble() {
        let episode = Episode::default();
        assert_eq!(episode.is_over(50_000), None);
        assert!(episode.met(0) && !episode.met(9_000) && episode.is_on());
        assert_eq!((episode.is_over(9_100), episode.is_over(18_999)), (None, None));
        assert_eq!((episode.is_over(19_000), episode.is_over(19_000)), (Some(ended(2, 9_000)), None));
        assert!(!episode.is_on() && episode.met(19_001), "the next one");
        assert_eq!(episode.is_over(30_000), Some(ended(1, 0)));
    }

    #[test]
    fn one_whose_cause_has_gone_ends_at_once_unless_it_comes_and_goes() {
        let episode = Episode::default();
        assert_eq!(episode.is_mended(1), None);
        assert!(episode.met(1_000) && !episode.met(1_500));
        assert_eq!((episode.is_mended(1_600), episode.is_mended(1_600)), (Some(ended(2, 500)), None));
        let told: Vec<u64> = (17..200).filter(|tick| episode.met(tick * 100)).collect();
        assert_eq!(told, [17], "it came back at once, and came and went");
        assert_eq!((episode.is_mended(20_000), episode.is_mended(29_899)), (None, None));
        assert_eq!(episode.is_mended(29_900), Some(ended(183, 18_200)));
        assert!(episode.met(60_000), "after a while it is one of its own again");
        assert_eq!(episode.is_mended(60_001), Some(ended(1, 0)));
    }

    #[test]
    fn coming_and_going_for_an_hour_is_two_lines_and_no_more() {
        let episode = Episode::default();
        let mut lines = 0;
        for tick in 1..36_000 {
            lines += usize::from(episode.met(tick * 100));
            lines += usize::from(episode.is_mended(tick * 100 + 50).is_some());
        }
        assert_eq!(lines, 3, "the first beginning and end, and that it is back");
    }

    #[test]
    fn of_all_cores_one_tells() {
        let (episode, all_at_once) = (Episode::default(), std::sync::Barrier::new(4));
        let told = |tell: &(dyn Fn() -> bool + Sync)| {
            std::thread::scope(|scope| {
                let ask = || {
                    all_at_once.wait();
                    (0..100).filter(|_| tell()).count()
                };
                let asking: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
                asking.into_iter().map(|asked| asked.join().unwrap()).sum::<usize>()
            })
        };
        assert_eq!(told(&|| episode.met(1)), 1);
        assert_eq!(told(&|| episode.is_mended(2).is_some()), 1);
    }

    #[test]
    fn what_there_is_to_tell() {
        assert_eq!(ended(327, 4_123).to_string(), "327 times in 4.1 s");
        assert_eq!(ended(1, 0).to_string(), "1 time in 0.0 s");
    }
}
