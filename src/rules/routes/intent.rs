//! What a write may be about to change, before anybody knows its outcome.

use super::Routes;
use super::invalidate::unrouted;
use crate::rules::UNROUTED;
use crate::rules::invalidation::{Cause, Invalidation};
use crate::rules::tag::Tag;
use crate::rules::write::{Write, WriteAnswer};

/// What a write may be about to change; each list sorted, and no tag in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intended {
    /// What it is sent to, what lies below and one segment above, on every route and without one, whatever the routes say.
    pub held: Vec<Tag>,
    /// What else it invalidates if it is carried out.
    pub others: Vec<Tag>,
}

impl Routes {
    /// What a write may be about to change, whatever is known of its answer; nothing of one that a `[[write]]` says changes
    /// nothing.
    pub fn intent(&self, write: &Write<'_>) -> Intended {
        let write = &Write { answer: WriteAnswer::default(), ..*write };
        let drops = self.invalidations(write);
        if drops.iter().all(is_of_the_rfc) && self.is_narrowed(write) {
            return Intended::default();
        }
        let held = sorted(self.around(write));
        let mut others = sorted(drops);
        others.retain(|tag| held.binary_search(tag).is_err());
        Intended { held, others }
    }

    /// What lies around a write's paths: what `invalidated_by = "path"` would invalidate on each route, and without one.
    fn around(&self, write: &Write<'_>) -> Vec<Invalidation> {
        let mut around = Vec::new();
        for path in write.paths {
            self.iter().for_each(|route| route.by_path(path, &mut around));
        }
        unrouted(write, &mut around);
        around
    }

    /// Whether a `[[write]]` says what the write changes.
    fn is_narrowed(&self, write: &Write<'_>) -> bool {
        self.speaking(write).any(|one| one.rule.drops.is_some())
    }
}

/// Whether it is invalidated for RFC 9111 section 4.4 alone: no rule says so, and no route speaks of it.
fn is_of_the_rfc(drop: &Invalidation) -> bool {
    drop.cause == Cause::Target && drop.route.as_deref() == Some(UNROUTED)
}

fn sorted(drops: Vec<Invalidation>) -> Vec<Tag> {
    let mut tags: Vec<Tag> = drops.into_iter().map(|drop| drop.tag).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}
