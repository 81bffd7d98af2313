//! Everything that an answered write invalidates, over all routes and the paths without one.
//!
//! Safe by default: a write that nothing is said of may have changed anything, so it drops every route that does not say
//! itself which writes drop it. `[[write]]` narrows that on the side of the write, `invalidated_by` on the side of a route.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::{Routes, Speaking, UNROUTED_NAME};
use crate::policy::{Effect, effect, invalidates};
use crate::rules::UNROUTED;
use crate::rules::fold::fold_path;
use crate::rules::invalidation::{Cause, Invalidation, Scope};
use crate::rules::pattern::Captures;
use crate::rules::route::{Route, parent, push_named};
use crate::rules::tag::{Tag, tags_of};
use crate::rules::value::plain;
use crate::rules::write::Write;
use crate::rules::write_rule::{Drops, InvalidationRule, PathTemplate};

impl Routes {
    /// Everything that a write invalidates, as far as its answer is known; nothing where that refuses it.
    ///
    /// What lies on a path without a route is invalidated as RFC 9111 section 4.4 has it, by an answer that is no error.
    pub fn invalidations(&self, write: &Write<'_>) -> Vec<Invalidation> {
        let mut drops = self.causes(write);
        let mut seen = HashSet::with_capacity(drops.len());
        drops.retain(|drop| seen.insert(drop.tag.clone()));
        drops
    }

    /// The same, once for each cause.
    pub(in crate::rules) fn causes(&self, write: &Write<'_>) -> Vec<Invalidation> {
        let mut drops = Vec::new();
        match self.effect(write) {
            Effect::Anything => self.changed(write, &mut drops),
            Effect::Target => self.target(write, &mut drops),
            Effect::Nothing => {}
        }
        if invalidates(write.answer.status) {
            unrouted(write, &mut drops);
        }
        drops
    }

    /// What a write invalidates that the origin never sees: it has changed nothing that the origin could say otherwise now, so
    /// a route that nothing is said of stays.
    pub fn invalidations_in_cache(&self, write: &Write<'_>) -> Vec<Invalidation> {
        let mut drops = self.invalidations(write);
        drops.retain(|drop| drop.cause != Cause::Unlisted);
        drops
    }

    /// How much a write may have changed, by its status; nothing where a `[[write]]` says so of its answer.
    pub fn effect(&self, write: &Write<'_>) -> Effect {
        let refused = self.speaking(write).any(|one| one.rule.refuses(write));
        if refused { Effect::Nothing } else { effect(write.answer.status) }
    }

    fn changed(&self, write: &Write<'_>, drops: &mut Vec<Invalidation>) {
        self.unlisted(write, drops);
        for route in &self.routes {
            route.invalidations(write, drops);
        }
        // By far the most of them concern nobody: those that do are few.
        for path in write.answer.also {
            self.routed_path(path, &Cause::Named, drops);
        }
        for tag in write.answer.groups {
            drops.push(Invalidation::of_all(tag.clone(), Scope::Tag, Cause::Groups));
        }
    }

    /// What it invalidates of the routes that do not say themselves which writes drop them.
    fn unlisted(&self, write: &Write<'_>, drops: &mut Vec<Invalidation>) {
        let speaking: Vec<_> = self.speaking(write).collect();
        let narrowing = speaking.iter().any(|one| one.rule.drops.is_some());
        let counts = |one: &&Speaking<'_>| one.rule.drops.is_some() == narrowing && one.rule.counts(write);
        let mut counting = speaking.iter().filter(counts).peekable();
        if speaking.is_empty() || (!narrowing && counting.peek().is_some()) {
            return self.every_unlisted(write, drops);
        }
        for one in counting {
            let cause = one.cause();
            for dropped in one.rule.drops.iter().flatten() {
                self.dropped(write, dropped, &one.captures, &cause, drops);
            }
        }
        let unlisted = self.routes.iter().filter(|route| route.is_unlisted());
        unlisted.for_each(|route| route.target(write, drops));
    }

    /// Every route that says nothing. One with a write policy is told of apart: of its policy's own writes it is for the
    /// policy to say what they invalidate.
    fn every_unlisted(&self, write: &Write<'_>, drops: &mut Vec<Invalidation>) {
        let unlisted = || self.routes.iter().filter(|route| route.is_unlisted());
        if unlisted().any(|route| route.write.is_none()) {
            drops.push(Invalidation::of_all(Tag::unlisted(), Scope::Unlisted, Cause::Unlisted));
        }
        for route in unlisted().filter(|route| route.write.is_some()) {
            if !route.is_of_policy(write) {
                drops.push(route.all_fetched(Cause::Unlisted));
                // What a write put there that the origin never saw goes with those that are sent to it.
                route.target(write, drops);
            }
        }
    }

    fn dropped(
        &self,
        write: &Write<'_>,
        dropped: &Drops,
        captures: &Captures<'_>,
        cause: &Cause,
        drops: &mut Vec<Invalidation>,
    ) {
        match dropped {
            Drops::Route(name) => {
                drops.extend(
                    self.routes.iter().filter(|route| route.name == *name).map(|route| route.whole(cause.clone())),
                );
            }
            Drops::Tag(template) => {
                push_named(tags_of(template, |source| write.value(source, captures)), cause, drops);
                for route in self.routes.iter().filter(|route| !route.tags.is_empty()) {
                    route.lacking(cause, drops);
                }
            }
            Drops::Path(path) => match path.render(write, captures) {
                Some(made) => self.path_of_values(&made, path, cause, drops),
                None => self.whatever_meets(path, cause, drops),
            },
        }
    }

    /// Every entry of one decoded path.
    fn path(&self, path: &str, cause: &Cause, drops: &mut Vec<Invalidation>) {
        self.routed_path(path, cause, drops);
        drops.push(unrouted_path(path, cause.clone()));
    }

    /// The same, where the path is made of values that the API may read as others: then whatever it may mean.
    fn path_of_values(&self, path: &str, template: &PathTemplate, cause: &Cause, drops: &mut Vec<Invalidation>) {
        self.path(path, cause, drops);
        let odd = |value: &str| plain(value).is_none_or(|form| form != value.to_lowercase());
        let captures = template.shape().matches_write(path).unwrap_or_default();
        let of_a_route = || self.routes.iter().any(|route| route.path.meets(template.shape()));
        if captures.iter().any(|(_, value)| odd(value)) && !of_a_route() {
            drops.push(all_unrouted(cause));
        }
    }

    fn routed_path(&self, path: &str, cause: &Cause, drops: &mut Vec<Invalidation>) {
        for route in &self.routes {
            route.path(path, cause, drops);
        }
    }

    /// Where a write does not tell which path it means.
    fn whatever_meets(&self, path: &PathTemplate, cause: &Cause, drops: &mut Vec<Invalidation>) {
        let meeting = self.routes.iter().filter(|route| route.path.meets(path.shape()));
        drops.extend(meeting.map(|route| route.all_fetched(cause.clone())));
        drops.push(all_unrouted(cause));
    }

    /// What a write was sent to, on every route.
    fn target(&self, write: &Write<'_>, drops: &mut Vec<Invalidation>) {
        for route in &self.routes {
            route.target(write, drops);
        }
    }

    /// What of that which a write has invalidated is to be read past the store for how long (`settle`): what is of one route
    /// alone, and of what several routes may have each route whole that may have it. Each tag once.
    pub fn settling(&self, drops: &[Invalidation]) -> Vec<(Tag, Duration)> {
        let mut settling: Vec<(Tag, Duration)> = Vec::new();
        for route in self.iter().filter(|route| !route.settle.is_zero()) {
            let mut tags: Vec<Tag> = drops.iter().filter_map(|drop| settling_of(route, drop)).collect();
            tags.sort_unstable();
            tags.dedup();
            settling.extend(tags.into_iter().map(|tag| (tag, route.settle)));
        }
        settling
    }

    /// Whether any rule looks into the JSON of the answer to a write: if not it need not be read.
    pub fn reads_response_to(&self, write: &Write<'_>) -> bool {
        let concerns =
            |rule: &InvalidationRule| write.paths.iter().any(|path| rule.request.matches(write, path).is_some());
        let listed = self.routes.iter().flat_map(|route| route.invalidated_by.rules());
        listed.filter(|rule| rule.reads_response()).any(concerns)
            || self.writes.iter().filter(|rule| rule.reads_response()).any(|rule| rule.may_speak_of(write))
    }

    /// Whether any rule tells one write from another: by its method, by one that it names besides, or by its body.
    pub fn tells_writes_apart(&self) -> bool {
        !self.writes.is_empty()
            || self.routes.iter().any(|route| route.write.is_some() || !route.invalidated_by.rules().is_empty())
    }
}

/// What a write was sent to, where no route speaks, and its parent; and what its answer names.
pub(super) fn unrouted(write: &Write<'_>, drops: &mut Vec<Invalidation>) {
    for path in write.paths {
        for target in std::iter::once(path.as_str()).chain(parent(path)) {
            drops.push(unrouted_path(target, Cause::Target));
        }
    }
    drops.extend(write.answer.also.iter().map(|path| unrouted_path(path, Cause::Named)));
    let groups = write.answer.groups.iter();
    drops.extend(groups.map(|tag| Invalidation::of_all(tag.clone(), Scope::Tag, Cause::Groups)));
}

/// What of a route is to settle after this.
fn settling_of(route: &Route, drop: &Invalidation) -> Option<Tag> {
    match &drop.route {
        Some(name) => (*name == route.name).then(|| drop.tag.clone()),
        // Of a route with a write policy it is told apart.
        None if drop.scope == Scope::Unlisted && !(route.is_unlisted() && route.write.is_none()) => None,
        None => Some(route.all_fetched(Cause::Unlisted).tag),
    }
}

/// Everything without a route.
fn all_unrouted(cause: &Cause) -> Invalidation {
    Invalidation {
        route: Some(Arc::clone(&UNROUTED_NAME)),
        tag: Tag::route(UNROUTED),
        scope: Scope::Route,
        cause: cause.clone(),
    }
}

/// One path without a route.
fn unrouted_path(path: &str, cause: Cause) -> Invalidation {
    Invalidation {
        route: Some(Arc::clone(&UNROUTED_NAME)),
        tag: Tag::path(UNROUTED, &fold_path(path)),
        scope: Scope::Path,
        cause,
    }
}
