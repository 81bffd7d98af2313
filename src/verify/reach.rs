//! How far a write's invalidations reach: which routes it drops, whole or in part.

use std::sync::Arc;

use crate::rules::{Invalidation, Scope};

/// What a write has dropped, by route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    everything: bool,
    unlisted: bool,
    /// By a tag, which entries of any route may have.
    named: bool,
    whole: Vec<Arc<str>>,
    part: Vec<Arc<str>>,
}

/// How much of one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// Nothing.
    Nothing,
    /// Some of it, perhaps.
    Part,
    /// All of it.
    Whole,
}

impl Reach {
    /// Of these invalidations.
    pub fn of(drops: &[Invalidation]) -> Self {
        let mut reach = Self::default();
        for drop in drops.iter().filter(|drop| !drop.is_besides()) {
            match (&drop.route, drop.scope) {
                (_, Scope::Everything) => reach.everything = true,
                (_, Scope::Unlisted) => reach.unlisted = true,
                (Some(route), Scope::Route) => add(&mut reach.whole, route),
                (Some(route), _) => add(&mut reach.part, route),
                (None, _) => reach.named = true,
            }
        }
        reach
    }

    /// The same where nodes with other rules make it everything.
    #[must_use]
    pub fn or_everything(self, everything: bool) -> Self {
        Self { everything: self.everything || everything, ..self }
    }

    /// How much of a route; `is_unlisted` where that does not say itself which writes drop it.
    pub(super) fn on(&self, route: &str, is_unlisted: bool) -> Extent {
        let has = |names: &[Arc<str>]| names.iter().any(|name| **name == *route);
        if self.everything || (self.unlisted && is_unlisted) || has(&self.whole) {
            Extent::Whole
        } else if self.named || has(&self.part) {
            Extent::Part
        } else {
            Extent::Nothing
        }
    }
}

fn add(names: &mut Vec<Arc<str>>, name: &Arc<str>) {
    if !names.contains(name) {
        names.push(Arc::clone(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Cause, Tag};

    #[test]
    fn it_tells_the_routes_that_a_write_drops() {
        let drop = |route: Option<&str>, tag: Tag, scope| Invalidation {
            route: route.map(Into::into),
            tag,
            scope,
            cause: Cause::Unlisted,
        };
        let unlisted = Reach::of(&[drop(None, Tag::unlisted(), Scope::Unlisted)]);
        assert_eq!((unlisted.on("a", true), unlisted.on("a", false)), (Extent::Whole, Extent::Nothing));
        let some = Reach::of(&[
            drop(Some("a"), Tag::path("a", "/a/1"), Scope::Path),
            drop(Some("b"), Tag::route("b"), Scope::Route),
            drop(Some("c"), Tag::odd("c"), Scope::Tag),
        ]);
        assert_eq!(["a", "b", "c"].map(|name| some.on(name, true)), [Extent::Part, Extent::Whole, Extent::Nothing]);
        let tagged = Reach::of(&[drop(None, Tag::named("x"), Scope::Tag)]);
        assert_eq!(tagged.on("a", false), Extent::Part);
        assert_eq!(Reach::default().or_everything(true).on("a", false), Extent::Whole);
    }
}
