//! Whose rules this process goes by, and what the registry has yet to hear of that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::rules::Tag;
use crate::store::in_force::InForce;

/// The rules of this process, as far as its store has to know.
#[derive(Debug)]
pub(super) struct Rules {
    in_force: Arc<InForce>,
    told: Mutex<Told>,
}

/// What a call to the registry says of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Their fingerprint.
    pub(super) rules: u64,
    /// The ones before, which the registry knows; `None` where these are the first or nothing was confirmed in between.
    pub(super) before: Option<u64>,
    /// What is to be invalidated because it has changed since those.
    pub(super) changed: Vec<Tag>,
    confirmed: bool,
}

impl Rules {
    pub(super) fn new(rules: u64) -> Self {
        let told = Told { rules, before: None, changed: Vec::new(), confirmed: false };
        Self { in_force: Arc::new(InForce::new(rules)), told: Mutex::new(told) }
    }

    /// Those in force.
    pub(super) fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force)
    }

    /// Puts others in force; `false` where they are the same.
    pub(super) fn go_by(&self, rules: u64, changed: &[Tag]) -> bool {
        let mut told = self.told();
        if told.rules == rules {
            return false;
        }
        let before = told.confirmed.then_some(told.rules);
        *told = Told { rules, before, changed: changed.to_vec(), confirmed: false };
        self.in_force.go_by(rules, changed)
    }

    /// What a call says now.
    pub(super) fn to_tell(&self) -> Told {
        self.told().clone()
    }

    /// The registry has heard this.
    pub(super) fn confirm(&self, heard: &Told) {
        let mut told = self.told();
        if told.rules == heard.rules {
            *told = Told { rules: heard.rules, before: None, changed: Vec::new(), confirmed: true };
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_follows_something_confirmed_says_what_has_changed_since() {
        let rules = Rules::new(1);
        let changed = [Tag::named("a")];
        assert!(!rules.go_by(1, &changed));
        assert!(rules.go_by(2, &changed));
        let told = rules.to_tell();
        assert_eq!((told.rules, told.before), (2, None), "nobody has heard of the first");
        rules.confirm(&told);
        assert_eq!(rules.to_tell().changed, []);
        assert!(rules.go_by(3, &changed));
        assert_eq!((rules.to_tell().before, rules.to_tell().changed), (Some(2), changed.to_vec()));
        rules.confirm(&told);
        assert_eq!(rules.to_tell().before, Some(2), "that was heard of others");
        assert!(rules.go_by(4, &changed));
        assert_eq!(rules.to_tell().before, None);
        assert!(rules.in_force().is(4));
    }
}
