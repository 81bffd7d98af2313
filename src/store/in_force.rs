//! Which rules are in force, as far as the store has to know: by their fingerprint, and what of them was changed last.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use crate::rules::Tag;

/// The rules in force; read by every lookup, and written where others come into force.
#[derive(Debug)]
pub(super) struct InForce {
    rules: AtomicU64,
    last: ArcSwap<Last>,
}

/// The last time that others came into force.
#[derive(Debug, Default)]
struct Last {
    before: u64,
    changed: Vec<Tag>,
}

impl InForce {
    pub(super) fn new(rules: u64) -> Self {
        Self { rules: AtomicU64::new(rules), last: ArcSwap::default() }
    }

    /// Whether these are.
    pub(super) fn is(&self, rules: u64) -> bool {
        self.now() == rules
    }

    /// Which are.
    pub(super) fn now(&self) -> u64 {
        self.rules.load(Ordering::SeqCst)
    }

    /// Puts others in force, which differ in what has one of these tags; `false` where they are the same. By one at a time.
    pub(super) fn go_by(&self, rules: u64, changed: &[Tag]) -> bool {
        let before = self.now();
        if before == rules {
            return false;
        }
        self.last.store(Arc::new(Last { before, changed: changed.to_vec() }));
        self.rules.store(rules, Ordering::SeqCst);
        true
    }

    /// What has one of these tags is called otherwise by the rules in force than by these: everything, where nobody knows.
    pub(super) fn changed_since(&self, rules: u64) -> Vec<Tag> {
        let last = self.last.load();
        if last.before == rules { last.changed.clone() } else { vec![Tag::everything()] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_changed_is_known_of_the_last_change_alone() {
        let in_force = InForce::new(1);
        let changed = [Tag::route("a")];
        assert!(!in_force.go_by(1, &changed) && in_force.is(1));
        assert!(in_force.go_by(2, &changed) && in_force.is(2) && !in_force.is(1));
        assert_eq!(in_force.changed_since(1), changed);
        assert!(in_force.go_by(3, &changed));
        assert_eq!((in_force.changed_since(1), in_force.changed_since(2)), (vec![Tag::everything()], changed.to_vec()));
    }
}
