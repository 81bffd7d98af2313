//! What of a route a write makes old: by the route's write policy, by its own list, or by what holds for all routes.

use std::borrow::Cow;
use std::sync::Arc;

use super::invalidated_by::{InvalidatedBy, InvalidationRule};
use super::named::tags_of;
use super::path::Captures;
use super::request_pattern::RequestPattern;
use super::route::Route;
use super::tag::Tag;
use super::template::Source;
use super::write::Write;

/// How much a write makes old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One entry of a route, all its variants.
    Entry,
    /// Every entry of one path, whatever the query.
    Path,
    /// The whole route.
    Route,
    /// Whatever has a tag.
    Tag,
    /// Every route that does not say itself which writes drop it.
    Unlisted,
    /// Everything that is stored.
    Everything,
}

/// Why something is made old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nothing is said of the write, so it may have changed anything.
    Unlisted,
    /// It was sent there.
    Target,
    /// What it was sent to lies above, below or around (`invalidated_by = "path"`).
    Path,
    /// A route's list has this entry.
    Rule(String),
    /// A `[[write]]` has this request.
    Write(String),
    /// A write policy speaks of this request.
    Policy(String),
    /// Location or Content-Location of the answer names it (RFC 9111 section 4.4).
    Named,
    /// Cache-Group-Invalidation of the answer names it (RFC 9875).
    Groups,
}

/// One thing that a write makes old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalidation {
    /// The route it concerns, `unrouted` where no route speaks; `None` for what several may have.
    pub route: Option<Arc<str>>,
    /// The tag.
    pub tag: Tag,
    /// How much that is.
    pub scope: Scope,
    /// Why.
    pub cause: Cause,
}

impl Invalidation {
    /// Whether it goes with whatever else of its route is dropped: entries that may be what is meant.
    pub fn is_besides(&self) -> bool {
        ["o:", "a:", "y:"].iter().any(|kind| self.tag.as_str().starts_with(kind))
    }

    /// Something that several routes may have.
    pub(super) fn of_all(tag: Tag, scope: Scope, cause: Cause) -> Self {
        Self { route: None, tag, scope, cause }
    }
}

impl Route {
    /// What of this route the write makes old by what the route says itself. A route that says nothing is left to
    /// [`super::Routes::invalidations`].
    pub(super) fn invalidations(&self, write: &Write<'_>, drops: &mut Vec<Invalidation>) {
        for path in write.paths {
            if let Some((request, captures)) = self.policy_for(write, path) {
                let cause = Cause::Policy(request.as_str().to_owned());
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
    pub(super) fn is_of_policy(&self, write: &Write<'_>) -> bool {
        let speaks = self.write.as_ref().is_some_and(|policy| policy.request.matches_strictly(write).is_some());
        speaks && write.is_plain() && write.paths.iter().all(|path| write.is_sent_to(path))
    }

    fn by_list(&self, write: &Write<'_>, path: &str, rules: &[InvalidationRule], drops: &mut Vec<Invalidation>) {
        let mut spoken = false;
        for rule in rules {
            let Some(captures) = rule.request.matches(write, path) else { continue };
            spoken = true;
            if rule.counts(write) {
                self.by_rule(write, rule, &captures, drops);
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
        rule: &InvalidationRule,
        captures: &Captures<'_>,
        drops: &mut Vec<Invalidation>,
    ) {
        let cause = Cause::Rule(rule.request.as_str().to_owned());
        if rule.tags.is_empty() {
            return self.entry_or_route(|source| self.told_by(write, rule, source, captures), &cause, drops);
        }
        for template in &rule.tags {
            let told = tags_of(template, |source| write.value(rule.source_of(source).0, captures));
            push_named(told, &cause, drops);
        }
        self.lacking(&cause, drops);
    }

    fn by_path(&self, path: &str, drops: &mut Vec<Invalidation>) {
        self.path(path, &Cause::Path, drops);
        if self.path.lies_under(path) {
            drops.push(self.all_fetched(Cause::Path));
        }
        if let Some(parent) = parent(path) {
            self.path(parent, &Cause::Path, drops);
        }
    }

    /// What a write was sent to.
    pub(super) fn target(&self, write: &Write<'_>, drops: &mut Vec<Invalidation>) {
        for path in write.paths {
            self.path(path, &Cause::Target, drops);
        }
    }

    /// Every entry of a decoded path, if the route has one there.
    pub(super) fn path(&self, path: &str, cause: &Cause, drops: &mut Vec<Invalidation>) {
        let Some(captures) = self.path.matches_write(path) else { return };
        if let Some(forms) = self.path_forms(&captures) {
            let tags = forms.of_write(&self.name, Tag::path);
            drops.extend(tags.into_iter().map(|tag| self.made_old(tag, Scope::Path, cause.clone())));
            drops.push(self.odd(cause));
        } else {
            let exact = self.exact_path_tag(&captures);
            drops.extend(exact.map(|tag| self.made_old(tag, Scope::Path, cause.clone())));
            drops.push(self.all_fetched(cause.clone()));
        }
    }

    /// The value that a write gives a variable of the key, by a rule.
    pub(super) fn told_by<'v>(
        &self,
        write: &'v Write<'_>,
        rule: &InvalidationRule,
        source: &Source,
        captures: &Captures<'v>,
    ) -> Option<Cow<'v, str>> {
        let (source, mapped) = rule.source_of(source);
        // The origin reads a path variable from the path only. A query or body field that happens to have its name
        // may mean something else, or nothing: `POST /orders?page=5` makes every page old.
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
            drops.extend(tags.into_iter().map(|tag| self.made_old(tag, Scope::Entry, cause.clone())));
            drops.push(self.odd(cause));
            self.lacking(cause, drops);
        } else {
            let exact = self.exact_key_tag(|source| value(source).map(Some));
            drops.extend(exact.map(|tag| self.made_old(tag, Scope::Entry, cause.clone())));
            drops.push(self.all_fetched(cause.clone()));
        }
    }

    /// The entries that lack a value: the origin may have answered them with the one that the write tells.
    pub(super) fn lacking(&self, cause: &Cause, drops: &mut Vec<Invalidation>) {
        if self.may_lack_values() {
            drops.push(self.made_old(Tag::absent(&self.name), Scope::Tag, cause.clone()));
        }
    }

    /// The entries with a value that a backend may take for the one that the write tells.
    fn odd(&self, cause: &Cause) -> Invalidation {
        self.made_old(Tag::odd(&self.name), Scope::Tag, cause.clone())
    }

    /// All of the route that the origin had a part in.
    pub(super) fn all_fetched(&self, cause: Cause) -> Invalidation {
        match self.write {
            None => self.whole(cause),
            Some(_) => self.made_old(Tag::fetched(&self.name), Scope::Route, cause),
        }
    }

    /// The whole route.
    pub(super) fn whole(&self, cause: Cause) -> Invalidation {
        self.made_old(Tag::route(&self.name), Scope::Route, cause)
    }

    fn made_old(&self, tag: Tag, scope: Scope, cause: Cause) -> Invalidation {
        Invalidation { route: Some(Arc::clone(&self.name)), tag, scope, cause }
    }
}

/// Whatever has one of these tags; everything where the write does not tell which it is, for any entry may have it.
pub(super) fn push_named(tags: Option<Vec<Tag>>, cause: &Cause, drops: &mut Vec<Invalidation>) {
    match tags {
        Some(tags) => {
            drops.extend(tags.into_iter().map(|tag| Invalidation::of_all(tag, Scope::Tag, cause.clone())));
            drops.push(Invalidation::of_all(Tag::odd_names(), Scope::Tag, cause.clone()));
        }
        None => drops.push(Invalidation::of_all(Tag::everything(), Scope::Everything, cause.clone())),
    }
}

/// The path one segment up; `None` for the root.
pub(super) fn parent(path: &str) -> Option<&str> {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit_once('/')? {
        ("", _) => Some("/"),
        (parent, _) => Some(parent),
    }
}
