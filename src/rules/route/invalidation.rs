//! What of a route a write invalidates by what the route says itself: its write policy, its own list, or where it lies.

use std::borrow::Cow;
use std::sync::Arc;

use super::Route;
use crate::rules::invalidation::{Cause, Invalidation, Scope};
use crate::rules::pattern::{Captures, RequestPattern, Source};
use crate::rules::tag::{Tag, tags_of};
use crate::rules::write::Write;
use crate::rules::write_rule::{InvalidatedBy, InvalidationRule};

impl Route {
    /// What of this route the write invalidates by what the route says itself. A route that says nothing is left to
    /// [`crate::rules::Routes::invalidations`].
    pub(in crate::rules) fn invalidations(&self, write: &Write<'_>, drops: &mut Vec<Invalidation>) {
        for path in write.paths {
            if let Some((_, captures)) = self.policy_for(write, path) {
                let cause = Cause::Policy(Arc::clone(&self.name));
                self.entry_or_route(|source| write.value(source, &captures), &cause, drops);
                continue;
            }
            match &self.invalidated_by {
                InvalidatedBy::Every => {}
                InvalidatedBy::Path => self.by_path(path, drops),
                InvalidatedBy::Listed(rules) => self.by_list(write, path, rules, drops),
            }
        }
    }

    /// The request of the route's write policy, if that speaks of the write. It takes the write for what its request line
    /// says, so it says nothing of one that may be another, nor of what a Destination names.
    pub fn policy_for<'a>(&'a self, write: &Write<'_>, path: &'a str) -> Option<(&'a RequestPattern, Captures<'a>)> {
        let policy = self.write.as_ref().filter(|_| write.overriding.is_none())?;
        let captures = policy.request.matches(write, path)?;
        write.is_sent_to(path).then_some((&policy.request, captures))
    }

    /// Whether a write is one of the route's write policy to every origin, and writes nothing besides.
    pub(in crate::rules) fn is_of_policy(&self, write: &Write<'_>) -> bool {
        let speaks = self.write.as_ref().is_some_and(|policy| policy.request.matches_strictly(write).is_some());
        speaks && write.is_plain() && write.paths.iter().all(|path| write.is_sent_to(path))
    }

    fn by_list(&self, write: &Write<'_>, path: &str, rules: &[InvalidationRule], drops: &mut Vec<Invalidation>) {
        let mut spoken = false;
        for (entry, rule) in rules.iter().enumerate() {
            let Some(captures) = rule.request.matches(write, path) else { continue };
            spoken = true;
            if rule.counts(write) {
                let cause = Cause::Rule(Arc::clone(&self.name), entry);
                self.by_rule(write, (rule, &captures), &cause, drops);
            }
        }
        // One that may be of another method may be a write to this path of which no rule has spoken.
        if !spoken || !write.overriding.is_none() {
            self.path(path, &Cause::Target, drops);
        }
    }

    fn by_rule(
        &self,
        write: &Write<'_>,
        (rule, captures): (&InvalidationRule, &Captures<'_>),
        cause: &Cause,
        drops: &mut Vec<Invalidation>,
    ) {
        if rule.tags.is_empty() {
            return self.entry_or_route(|source| self.told_by(write, rule, source, captures), cause, drops);
        }
        for template in &rule.tags {
            let told = tags_of(template, |source| write.value(rule.source_of(source).0, captures));
            push_named(told, cause, drops);
        }
        self.lacking(cause, drops);
    }

    /// What a write to a decoded path invalidates of the route, by where it lies alone (`invalidated_by = "path"`).
    pub(in crate::rules) fn by_path(&self, path: &str, drops: &mut Vec<Invalidation>) {
        self.path(path, &Cause::Path, drops);
        if self.path.lies_under(path) {
            drops.push(self.all_fetched(Cause::Path));
        }
        if let Some(parent) = parent(path) {
            self.path(parent, &Cause::Path, drops);
        }
    }

    /// What a write was sent to.
    pub(in crate::rules) fn target(&self, write: &Write<'_>, drops: &mut Vec<Invalidation>) {
        for path in write.paths {
            self.path(path, &Cause::Target, drops);
        }
    }

    /// Every entry of a decoded path, if the route has one there.
    pub(in crate::rules) fn path(&self, path: &str, cause: &Cause, drops: &mut Vec<Invalidation>) {
        let Some(captures) = self.path.matches_write(path) else { return };
        if let Some(forms) = self.path_forms(&captures) {
            let tags = forms.of_write(&self.name, Tag::path);
            drops.extend(tags.into_iter().map(|tag| self.of_it(tag, Scope::Path, cause.clone())));
            drops.push(self.odd(cause));
        } else {
            let exact = self.exact_path_tag(&captures);
            drops.extend(exact.map(|tag| self.of_it(tag, Scope::Path, cause.clone())));
            drops.push(self.all_fetched(cause.clone()));
        }
    }

    /// The value that a write gives a variable of the key, by a rule.
    pub(in crate::rules) fn told_by<'v>(
        &self,
        write: &'v Write<'_>,
        rule: &InvalidationRule,
        source: &Source,
        captures: &Captures<'v>,
    ) -> Option<Cow<'v, str>> {
        let (source, mapped) = rule.source_of(source);
        // The origin reads a path variable from the path only. A query or body field that happens to have its name
        // may mean something else, or nothing: `POST /orders?page=5` invalidates every page.
        if let Source::Name(name) = source
            && !mapped
            && captures.get(name).is_none()
            && self.path.variables().any(|known| known == name)
        {
            return None;
        }
        write.value(source, captures)
    }

    fn entry_or_route<'v>(
        &self,
        mut value: impl FnMut(&Source) -> Option<Cow<'v, str>>,
        cause: &Cause,
        drops: &mut Vec<Invalidation>,
    ) {
        if let Some(forms) = self.key_forms(|source| value(source).map(Some)) {
            let tags = forms.of_write(&self.name, Tag::key);
            drops.extend(tags.into_iter().map(|tag| self.of_it(tag, Scope::Entry, cause.clone())));
            drops.push(self.odd(cause));
            self.lacking(cause, drops);
        } else {
            let exact = self.exact_key_tag(|source| value(source).map(Some));
            drops.extend(exact.map(|tag| self.of_it(tag, Scope::Entry, cause.clone())));
            drops.push(self.all_fetched(cause.clone()));
        }
    }

    /// The entries that lack a value: the origin may have answered them with the one that the write tells.
    pub(in crate::rules) fn lacking(&self, cause: &Cause, drops: &mut Vec<Invalidation>) {
        if self.may_lack_values() {
            drops.push(self.of_it(Tag::absent(&self.name), Scope::Tag, cause.clone()));
        }
    }

    /// The entries with a value that a backend may take for the one that the write tells.
    fn odd(&self, cause: &Cause) -> Invalidation {
        self.of_it(Tag::odd(&self.name), Scope::Tag, cause.clone())
    }

    /// All of the route that the origin had a part in.
    pub(in crate::rules) fn all_fetched(&self, cause: Cause) -> Invalidation {
        match self.write {
            None => self.whole(cause),
            Some(_) => self.of_it(Tag::fetched(&self.name), Scope::Route, cause),
        }
    }

    /// The whole route.
    pub(in crate::rules) fn whole(&self, cause: Cause) -> Invalidation {
        self.of_it(Tag::route(&self.name), Scope::Route, cause)
    }

    fn of_it(&self, tag: Tag, scope: Scope, cause: Cause) -> Invalidation {
        Invalidation { route: Some(Arc::clone(&self.name)), tag, scope, cause }
    }
}

/// Whatever has one of these tags; everything where the write does not tell which it is, for any entry may have it.
pub(in crate::rules) fn push_named(tags: Option<Vec<Tag>>, cause: &Cause, drops: &mut Vec<Invalidation>) {
    match tags {
        Some(tags) => {
            drops.extend(tags.into_iter().map(|tag| Invalidation::of_all(tag, Scope::Tag, cause.clone())));
            drops.push(Invalidation::of_all(Tag::odd_names(), Scope::Tag, cause.clone()));
        }
        None => drops.push(Invalidation::of_all(Tag::everything(), Scope::Everything, cause.clone())),
    }
}

/// The path one segment up; `None` for the root.
pub(in crate::rules) fn parent(path: &str) -> Option<&str> {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit_once('/')? {
        ("", _) => Some("/"),
        (parent, _) => Some(parent),
    }
}
