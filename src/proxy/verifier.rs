//! What all cores share of `[verify]`: the evidence, how many comparisons are under way, and which writes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Millis;
use crate::rules::Ruleset;
use crate::verify::{Asked, Compared, Evidence, Found, Report, Subject, VerifySettings};

/// The evidence of a process.
#[derive(Debug)]
pub(super) struct Verifier {
    evidence: Mutex<Evidence>,
    tally: Tally,
    under_way: AtomicUsize,
    writes: Mutex<Writes>,
}

/// The writes that are under way, under whatever rules they are: also those of which the evidence does not know, or no more.
#[derive(Debug, Default)]
struct Writes {
    begun: u64,
    under_way: BTreeSet<u64>,
}

/// What came of the comparisons, apart from the evidence: whoever reads it keeps nobody from that.
#[derive(Debug, Default)]
struct Tally {
    compared: AtomicU64,
    old: AtomicU64,
    volatile: AtomicU64,
    last: Mutex<Option<Arc<str>>>,
}

/// What came of the comparisons, in short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifySummary {
    /// `off`, `sample` or `shadow`.
    pub mode: &'static str,
    /// Hits that were compared with the origin's answer.
    pub compared: u64,
    /// Of these, those that were old.
    pub old: u64,
    /// Those that the origin answers otherwise each time.
    pub volatile: u64,
    /// The last one that was old, as a sentence.
    pub last: Option<Arc<str>>,
}

/// One comparison under way, until it is dropped.
pub(super) struct Comparing(Arc<Verifier>);

impl Drop for Comparing {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A write under way, until it is dropped: what it drops is invalidated by then.
pub(super) struct Writing {
    verifier: Arc<Verifier>,
    number: u64,
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.verifier.writes().under_way.remove(&self.number);
    }
}

impl Tally {
    fn add(&self, compared: &Compared) {
        self.compared.fetch_add(1, Ordering::Relaxed);
        match compared {
            Compared::Old { .. } => self.old.fetch_add(1, Ordering::Relaxed),
            Compared::Volatile(_) => self.volatile.fetch_add(1, Ordering::Relaxed),
            Compared::Same | Compared::Void => 0,
        };
    }

    fn found(&self, last: Option<Arc<str>>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }

    fn reset(&self) {
        for count in [&self.compared, &self.old, &self.volatile] {
            count.store(0, Ordering::Relaxed);
        }
        self.found(None);
    }
}

impl Verifier {
    /// Without evidence yet, about these rules.
    pub(super) fn about(rules: &Ruleset, now: Millis) -> Self {
        let evidence = Mutex::new(Evidence::about(rules, now));
        Self { evidence, tally: Tally::default(), under_way: AtomicUsize::new(0), writes: Mutex::default() }
    }

    fn writes(&self) -> MutexGuard<'_, Writes> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write is about to be forwarded.
    pub(super) fn write_begins(self: &Arc<Self>) -> Writing {
        let mut writes = self.writes();
        writes.begun += 1;
        let number = writes.begun;
        writes.under_way.insert(number);
        Writing { verifier: Arc::clone(self), number }
    }

    /// How many writes have begun up to now.
    pub(super) fn writes_begun(&self) -> u64 {
        self.writes().begun
    }

    /// Whether one of the first so many is still under way.
    pub(super) fn is_any_under_way(&self, first: u64) -> bool {
        self.writes().under_way.first().is_some_and(|oldest| *oldest <= first)
    }

    fn locked(&self) -> MutexGuard<'_, Evidence> {
        self.evidence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins anew: what was seen under other rules says nothing of what these leave out.
    pub(super) fn begin_anew(&self, rules: &Ruleset, now: Millis) {
        let mut evidence = self.locked();
        *evidence = Evidence::about(rules, now).after(&evidence);
        self.tally.reset();
    }

    /// Looks at the evidence, or adds to it; `None` where it is about other rules than these. Nobody holds it for long: cores
    /// wait for it.
    pub(super) fn with<T>(&self, rules: &Ruleset, look: impl FnOnce(&mut Evidence) -> T) -> Option<T> {
        let mut evidence = self.locked();
        evidence.is_about(rules).then(|| look(&mut evidence))
    }

    /// Adds what came of a comparison; comes back with what there is to tell of one that was old.
    pub(super) fn compared(
        &self,
        rules: &Ruleset,
        (subject, asked): (&Subject, Asked<'_>),
        compared: Compared,
        now: Millis,
    ) -> Option<Found> {
        let found = self.with(rules, |evidence| {
            self.tally.add(&compared);
            let found = evidence.compared(subject, asked, compared, now)?;
            self.tally.found(Some(found.finding.text.as_str().into()));
            Some(found)
        });
        found.flatten()
    }

    /// One comparison more, where there are not as many yet as may be.
    pub(super) fn begin(self: &Arc<Self>, at_once: usize) -> Option<Comparing> {
        if self.under_way.fetch_add(1, Ordering::Relaxed) >= at_once {
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Comparing(Arc::clone(self)))
    }

    /// What came of the comparisons, in short: nobody waits for whoever asks.
    pub(super) fn summary(&self, settings: &VerifySettings) -> VerifySummary {
        let Tally { compared, old, volatile, last } = &self.tally;
        let [compared, old, volatile] = [compared, old, volatile].map(|count| count.load(Ordering::Relaxed));
        let last = last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        VerifySummary { mode: settings.mode(), compared, old, volatile, last }
    }

    /// What there is to tell. Conclusions are drawn from a copy, while the evidence goes on being gathered.
    pub(super) fn report(&self, settings: &VerifySettings, now: Millis) -> Report {
        let snapshot = self.locked().snapshot();
        snapshot.report(settings, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_it_in_short_is_told_whoever_has_the_evidence() {
        let rules = Ruleset::default();
        let (verifier, settings) =
            (Verifier::about(&rules, 0), VerifySettings { sample: 0.5, ..VerifySettings::default() });
        let subject = Subject::of(None, &"/a".parse().unwrap(), 1);
        let asked = Asked { digest: 1, began: 1, body: b"" };
        let compared = |compared| verifier.compared(&rules, (&subject, asked), compared, 5_000);
        assert_eq!(compared(Compared::Same), None);
        assert_eq!(compared(Compared::Volatile(Vec::new())), None);
        let found = compared(Compared::Old { stored: 2, received: 1_000 }).unwrap();
        let held = verifier.locked();
        let told = verifier.summary(&settings);
        assert_eq!((told.mode, told.compared, told.old, told.volatile), ("sample", 3, 1, 1));
        assert_eq!(told.last.as_deref(), Some(&*found.finding.text));
        drop(held);
        let report = verifier.report(&settings, 0);
        assert_eq!((report.routes[0].route.as_str(), report.routes[0].compared), ("-", 3));
        verifier.begin_anew(&rules, 0);
        assert_eq!(verifier.summary(&settings), VerifySummary { mode: "sample", ..VerifySummary::default() });
    }
}
