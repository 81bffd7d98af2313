//! A trouble that many requests meet, and what is to be said but once: told when it begins and when it is over, and not once
//! a request.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Millis;

/// So long without trouble ends an episode whose cause cannot be seen.
const QUIET: Millis = 10_000;

/// So many bits of an episode's state say which of its kinds were told.
const KINDS: u32 = 8;

/// A trouble that many requests meet, one after another or at once, from the first that meets it to its end. Shared by all
/// cores, and never waits.
///
/// Its beginning is a warning that says what does not work and what follows from it. Its end is a line that says what works
/// again, and then what did not with the [`Ended`] behind it: `the origin at … answers again; it gave no answer 327 times in
/// 4.1 s`.
#[derive(Debug, Default)]
pub struct Episode {
    /// The tick at which it was met last, and in the lowest bits its kinds that were told; 0 while there is none.
    state: AtomicU64,
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
    /// From the first time to when its cause was seen to have gone, or else to the last.
    pub lasted: Duration,
}

/// An episode for each of some subjects, such as the routes. Their number is that of the subjects, and looking for one never
/// waits.
///
/// New subjects, such as the routes of a changed file, take new ones, and all is said anew; or those that go on are taken over.
#[derive(Debug)]
pub struct Episodes(HashMap<Arc<str>, Arc<Episode>>);

impl Episode {
    /// A request met the trouble, at this tick. True where that is to be told.
    pub fn met(&self, ticks: Millis) -> bool {
        self.met_as(0, ticks)
    }

    /// A request met the trouble as one of up to eight kinds, numbered from 0. True for the first of each kind, of all cores,
    /// since it began.
    pub fn met_as(&self, kind: u8, ticks: Millis) -> bool {
        self.times.fetch_add(1, Ordering::Relaxed);
        self.lasts_as(kind, ticks)
    }

    /// The same where it was seen to be there, and no request met it.
    pub fn lasts_as(&self, kind: u8, ticks: Millis) -> bool {
        let bit = 1 << (u32::from(kind) % KINDS);
        let told = |state: u64| Some(of(ticks, (state % (1 << KINDS)) | bit));
        let Ok(before) = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, told) else { return false };
        if before == 0 {
            self.began.store(ticks, Ordering::Relaxed);
        }
        before & bit == 0
    }

    /// A request met it in a way that is no news: it goes on where it is on, and does not begin.
    pub fn met_again(&self, ticks: Millis) {
        let goes_on = |state: u64| (state != 0).then(|| of(ticks, state % (1 << KINDS)));
        if self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, goes_on).is_ok() {
            self.times.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What is to be told once and has no end: true for the first that asks, of all cores, and never again.
    pub fn is_first(&self) -> bool {
        // Read before it is written: what has been told is asked about by many cores, and changes no more.
        !self.is_on() && self.met(0)
    }

    /// Whether it has begun and not ended.
    pub fn is_on(&self) -> bool {
        self.state.load(Ordering::Relaxed) != 0
    }

    /// How often it was met since it began.
    pub fn times(&self) -> u64 {
        self.times.load(Ordering::Relaxed)
    }

    /// A request met none, which does not say that no other will. Comes back with what there is to tell where that ends it:
    /// where none has met it for ten seconds.
    pub fn is_over(&self, ticks: Millis) -> Option<Ended> {
        let state = self.state.load(Ordering::Relaxed);
        if state == 0 || ticks.saturating_sub(last(state)) < QUIET {
            return None;
        }
        self.end(state, ticks, last(state))
    }

    /// Its cause has gone, as far as can be seen: that ends it at once. Where the one before ended just before it began, it
    /// comes and goes, and has to stay away for ten seconds.
    pub fn is_mended(&self, ticks: Millis) -> Option<Ended> {
        let (state, ended) = (self.state.load(Ordering::Relaxed), self.ended.load(Ordering::Relaxed));
        if ended != 0 && self.began.load(Ordering::Relaxed).saturating_sub(ended) < QUIET {
            return self.is_over(ticks);
        }
        if state == 0 { None } else { self.end(state, ticks, ticks) }
    }

    /// Ends it for the one that tells; nothing where it was met meanwhile.
    fn end(&self, state: u64, ticks: Millis, until: Millis) -> Option<Ended> {
        self.state.compare_exchange(state, 0, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        self.ended.store(ticks.max(1), Ordering::Relaxed);
        let lasted = until.saturating_sub(self.began.load(Ordering::Relaxed));
        Some(Ended { times: self.times.swap(0, Ordering::Relaxed), lasted: Duration::from_millis(lasted) })
    }
}

/// The state of an episode that was met at this tick, some of whose kinds were told.
fn of(ticks: Millis, kinds: u64) -> u64 {
    (ticks.max(1) << KINDS) | kinds
}

/// When it was met last.
fn last(state: u64) -> Millis {
    state >> KINDS
}

impl Episodes {
    /// None has begun yet.
    pub fn about(subjects: impl IntoIterator<Item = Arc<str>>) -> Self {
        Self(subjects.into_iter().map(|subject| (subject, Arc::default())).collect())
    }

    /// For other subjects: those that are among these ones, too, go on.
    #[must_use]
    pub fn after(&self, subjects: impl IntoIterator<Item = Arc<str>>) -> Self {
        let of = |subject: &Arc<str>| self.0.get(subject).cloned().unwrap_or_default();
        Self(subjects.into_iter().map(|subject| (Arc::clone(&subject), of(&subject))).collect())
    }

    /// That of a subject; `None` for one that they were not made for.
    pub fn of(&self, subject: &str) -> Option<&Episode> {
        self.0.get(subject).map(Arc::as_ref)
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
        assert_eq!(
            (episode.is_mended(1_600), episode.is_mended(1_600)),
            (Some(ended(2, 600)), None),
            "to its end, also where nobody met it any more"
        );
        let told: Vec<u64> = (17..200).filter(|tick| episode.met(tick * 100)).collect();
        assert_eq!(told, [17], "it came back at once, and came and went");
        assert_eq!((episode.is_mended(20_000), episode.is_mended(29_899)), (None, None));
        assert_eq!(episode.is_mended(29_900), Some(ended(183, 18_200)));
        assert!(episode.met(60_000), "after a while it is one of its own again");
        assert_eq!(episode.is_mended(60_001), Some(ended(1, 1)));
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
    fn each_kind_is_told_once_an_episode() {
        let episode = Episode::default();
        let told = [(0, 1), (0, 2), (1, 3), (1, 4), (0, 5), (7, 6)].map(|(kind, tick)| episode.met_as(kind, tick));
        assert_eq!(told, [true, false, true, false, false, true]);
        assert!(!episode.lasts_as(1, 7) && episode.lasts_as(2, 8));
        assert_eq!(episode.is_mended(9), Some(ended(6, 8)), "what lasts was not met, and lasts");
        assert!(episode.met_as(1, 60_000), "anew");
    }

    #[test]
    fn what_is_no_news_goes_on_and_does_not_begin() {
        let episode = Episode::default();
        episode.met_again(5);
        assert!(!episode.is_on() && episode.met(10_000));
        episode.met_again(12_000);
        assert_eq!(episode.is_over(21_999), None);
        assert_eq!(episode.is_over(22_000), Some(ended(2, 2_000)));
    }

    #[test]
    fn each_subject_is_spoken_of_once_by_whoever_comes_first() {
        let episodes = Episodes::about(["a", "b"].map(Arc::from));
        let all_at_once = std::sync::Barrier::new(4);
        let is_first = |subject| episodes.of(subject).is_some_and(Episode::is_first);
        let ask = || {
            all_at_once.wait();
            (0..100).filter(|_| is_first("a")).count()
        };
        let said: usize = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|asked| asked.join().unwrap()).sum()
        });
        assert_eq!(said, 1);
        assert!(is_first("b") && !is_first("b"));
        assert!(!is_first("c"), "they were not made for this one");
    }

    #[test]
    fn what_there_is_to_tell() {
        assert_eq!(ended(327, 4_123).to_string(), "327 times in 4.1 s");
        assert_eq!(ended(1, 0).to_string(), "1 time in 0.0 s");
    }
}
