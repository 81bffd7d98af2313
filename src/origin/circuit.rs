//! Whether an address is in order: failures in a row take it out of use, for longer each time, and any answer brings it
//! back.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, Millis, jittered, millis};

/// How many failures in a row it takes.
const FAILURES: u32 = 5;
/// How long an address is left alone first, and at the longest.
const FIRST_PAUSE: Millis = 1_000;
const LONGEST_PAUSE: Millis = 30_000;
/// How much shorter a pause may be.
const PAUSE_JITTER: f64 = 0.25;

/// An address's circuit, shared by all cores. Never waits for anybody.
#[derive(Debug)]
pub(super) struct Circuit {
    clock: Clock,
    /// Answers ever.
    answers: AtomicU64,
    /// Failures since the last answer.
    failures: AtomicU32,
    /// When somebody may try again; 0 while it is in order.
    retry_at: AtomicU64,
    /// How long it is left alone after the next failed try.
    pause: AtomicU64,
}

/// One request's turn at an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// How many answers there were when it began.
    answers: u64,
    probe: bool,
}

impl Attempt {
    /// Whether it tries an address that is out of order.
    pub(super) fn is_probe(self) -> bool {
        self.probe
    }
}

impl Circuit {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            answers: AtomicU64::new(0),
            failures: AtomicU32::new(0),
            retry_at: AtomicU64::new(0),
            pause: AtomicU64::new(FIRST_PAUSE),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.retry_at.load(Ordering::Relaxed) == 0
    }

    /// A turn, whatever the circuit's state: on an address that is out of order it counts as a try.
    pub(super) fn attempt(&self) -> Attempt {
        Attempt { answers: self.answers.load(Ordering::Relaxed), probe: !self.is_closed() }
    }

    /// The turn of the one who tries an address that is out of order, once its pause is over. The next one is due a
    /// pause later, so that a try without an outcome, or one that takes long, keeps nobody out for good.
    pub(super) fn probe(&self) -> Option<Attempt> {
        let due = self.retry_at.load(Ordering::Relaxed);
        let now = self.clock.ticks();
        if due == 0 || due > now {
            return None;
        }
        let next = now + self.pause.load(Ordering::Relaxed);
        let mine = self.retry_at.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        mine.then(|| self.attempt())
    }

    /// How long until somebody may try.
    pub(super) fn wait(&self) -> Duration {
        let due = self.retry_at.load(Ordering::Relaxed);
        Duration::from_millis(due.saturating_sub(self.clock.ticks()))
    }

    /// The time by its clock.
    pub(super) fn ticks(&self) -> Millis {
        self.clock.ticks()
    }

    /// Whether any answer ever came.
    pub(super) fn has_answered(&self) -> bool {
        self.answers.load(Ordering::Relaxed) != 0
    }

    /// An answer came, whichever: it is in order. True where that is news.
    pub(super) fn answered(&self) -> bool {
        self.answers.fetch_add(1, Ordering::Relaxed);
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        !self.is_closed() && self.retry_at.swap(0, Ordering::Relaxed) != 0
    }

    /// A turn came to nothing. True where that takes the address out of use.
    ///
    /// It says nothing if anybody got an answer since the turn began: then the address is alive, and only what was asked
    /// for is slow or broken.
    pub(super) fn failed(&self, attempt: Attempt) -> bool {
        if self.answers.load(Ordering::Relaxed) != attempt.answers {
            return false;
        }
        let now = self.clock.ticks().max(1);
        if attempt.probe {
            let pause = (self.pause.load(Ordering::Relaxed) * 2).min(LONGEST_PAUSE);
            self.pause.store(pause, Ordering::Relaxed);
            let later = |due: u64| (due != 0).then(|| after(now, pause));
            let _ = self.retry_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
            return false;
        }
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 < FAILURES {
            return false;
        }
        let due = after(now, FIRST_PAUSE);
        let opened = self.retry_at.compare_exchange(0, due, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if opened {
            self.pause.store(FIRST_PAUSE, Ordering::Relaxed);
        }
        opened
    }
}

/// When to try again after about this pause: nodes that saw the same fault do not come back in step.
fn after(now: Millis, pause: Millis) -> Millis {
    now + millis(jittered(Duration::from_millis(pause), PAUSE_JITTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circuit() -> (Circuit, Clock) {
        let clock = Clock::at(1);
        (Circuit::new(clock.clone()), clock)
    }

    fn open(circuit: &Circuit) {
        for failure in 1..=FAILURES {
            assert_eq!(circuit.failed(circuit.attempt()), failure == FAILURES);
        }
        assert!(!circuit.is_closed());
    }

    #[test]
    fn failures_in_a_row_open_it_and_any_answer_closes_it() {
        let (circuit, _) = circuit();
        for _ in 0..3 {
            for _ in 1..FAILURES {
                assert!(!circuit.failed(circuit.attempt()));
            }
            assert!(!circuit.answered());
        }
        open(&circuit);
        assert!(circuit.answered() && circuit.is_closed());
        assert!(!circuit.answered());
    }

    #[test]
    fn a_failure_with_an_answer_to_somebody_else_meanwhile_does_not_count() {
        let (circuit, _) = circuit();
        for _ in 0..100 {
            let slow = circuit.attempt();
            circuit.answered();
            assert!(!circuit.failed(slow));
        }
        // Also where all the slow ones fail together, after the last of the answers.
        let slow: Vec<Attempt> = (0..100).map(|_| circuit.attempt()).collect();
        circuit.answered();
        assert!(slow.into_iter().all(|slow| !circuit.failed(slow)));
        assert!(circuit.is_closed());
    }

    #[test]
    fn one_tries_after_each_pause_and_pauses_double_up_to_a_bound() {
        let (circuit, clock) = circuit();
        open(&circuit);
        assert!(circuit.probe().is_none());
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            assert!(circuit.wait() > Duration::from_millis(700 * pause), "{pause}: {:?}", circuit.wait());
            clock.advance(Duration::from_secs(pause));
            let probe = circuit.probe().unwrap();
            assert!(circuit.probe().is_none(), "one only");
            assert!(!circuit.failed(probe));
        }
        clock.advance(Duration::from_secs(30));
        assert!(circuit.probe().is_some() && circuit.answered() && circuit.is_closed());
        open(&circuit);
        assert!(circuit.wait() <= Duration::from_secs(1), "it starts anew");
    }

    #[test]
    fn a_try_that_never_ends_does_not_keep_the_next_one_out() {
        let (circuit, clock) = circuit();
        open(&circuit);
        for _ in 0..3 {
            clock.advance(Duration::from_secs(1));
            assert!(circuit.probe().is_some() && circuit.probe().is_none());
        }
    }

    #[test]
    fn requests_that_began_before_it_opened_do_not_prolong_the_pause() {
        let (circuit, clock) = circuit();
        let before = circuit.attempt();
        open(&circuit);
        for _ in 0..100 {
            circuit.failed(before);
        }
        clock.advance(Duration::from_secs(1));
        assert!(circuit.probe().is_some());
    }
}
