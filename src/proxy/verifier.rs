//! What all cores share of `[verify]`: the evidence, and how many comparisons are under way.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Millis;
use crate::rules::Ruleset;
use crate::verify::{Evidence, Report, VerifySettings};

/// The evidence of a process.
#[derive(Debug)]
pub(super) struct Verifier {
    evidence: Mutex<Evidence>,
    under_way: AtomicUsize,
}

/// One comparison under way, until it is dropped.
pub(super) struct Comparing(Arc<Verifier>);

impl Drop for Comparing {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Verifier {
    /// Without evidence yet, about these rules.
    pub(super) fn about(rules: &Ruleset, now: Millis) -> Self {
        Self { evidence: Mutex::new(Evidence::about(rules, now)), under_way: AtomicUsize::new(0) }
    }

    /// Begins anew: what was seen under other rules says nothing of what these leave out.
    pub(super) fn begin_anew(&self, rules: &Ruleset, now: Millis) {
        *self.evidence.lock().unwrap_or_else(PoisonError::into_inner) = Evidence::about(rules, now);
    }

    /// Looks at the evidence, or adds to it; `None` where it is about other rules than these. Nobody holds it for long.
    pub(super) fn with<T>(&self, rules: &Ruleset, look: impl FnOnce(&mut Evidence) -> T) -> Option<T> {
        let mut evidence = self.evidence.lock().unwrap_or_else(PoisonError::into_inner);
        evidence.is_about(rules).then(|| look(&mut evidence))
    }

    /// One comparison more, where there are not as many yet as may be.
    pub(super) fn begin(self: &Arc<Self>, at_once: usize) -> Option<Comparing> {
        if self.under_way.fetch_add(1, Ordering::Relaxed) >= at_once {
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Comparing(Arc::clone(self)))
    }

    /// What there is to tell.
    pub(super) fn report(&self, settings: &VerifySettings, now: Millis) -> Report {
        self.evidence.lock().unwrap_or_else(PoisonError::into_inner).report(settings, now)
    }
}
