//! What a write makes old: by a route's own list, by its write policy, or by the default rule.

use std::sync::Arc;

use super::fold::{fold_owned, fold_path};
use super::invalidated_by::{Condition, InvalidationRule, Subject};
use super::path::Captures;
use super::route::Route;
use super::tag::Tag;
use super::template::Template;
use super::write::{Asking, Write};

/// How much of a route a write makes old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One entry, all its variants.
    Entry,
    /// Every entry of one path, whatever the query.
    Path,
    /// The whole route.
    Route,
    /// Whatever has a tag.
    Tag,
    /// Everything that is stored.
    Everything,
}

/// One thing that a write makes old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalidation {
    /// The route it concerns; `unrouted` where no route speaks.
    pub route: Arc<str>,
    /// The tag.
    pub tag: Tag,
    /// How much that is.
    pub scope: Scope,
    /// The rule's text, or `default rule`, `target URI`, `write policy`, `Location of the answer`.
    pub because: String,
}

impl InvalidationRule {
    /// The text of one of its tags; `None` when the write does not tell a value of it.
    fn tag_text(&self, template: &Template, write: &Write<'_>, captures: &Captures<'_>) -> Option<String> {
        template.render_plain(|source| write.value(source, captures, Asking::Tag(self)).map(|value| fold_owned(&value)))
    }
}

impl Condition {
    /// Whether it holds. A body that could not be read counts as if it did: never drop too little.
    fn holds(&self, write: &Write<'_>) -> bool {
        let document = match self.subject {
            Subject::Request => write.body,
            Subject::Response => write.response,
        };
        document.is_none_or(|document| self.is_met_by(document))
    }
}

/// Why a path that only the answer named is made old (RFC 9111 section 4.4).
pub(super) const ALSO: &str = "Location of the answer";

/// What a group of cached responses is dropped by.
pub(super) const GROUPS: &str = "Cache-Group-Invalidation of the answer";

impl Route {
    /// What of this route a successful write makes old. Its write policy decides for the writes it speaks of, then its
    /// own list; for all others the default rule, or with a list the target URI (RFC 9111 section 4.4).
    pub fn invalidations(&self, write: &Write<'_>) -> Vec<Invalidation> {
        let mut drops = Vec::new();
        for path in write.paths {
            self.by_path(write, path, &mut drops);
        }
        // An empty list says that no write makes the route old.
        if self.invalidated_by.as_ref().is_none_or(|rules| !rules.is_empty()) {
            for path in write.also.iter().filter(|path| self.path.matches_write(path).is_some()) {
                drops.push(self.made_old(Tag::path(&self.name, &fold_path(path)), Scope::Path, ALSO.to_owned()));
            }
        }
        let mut seen = Vec::new();
        drops.retain(|drop: &Invalidation| {
            let new = !seen.contains(&drop.tag);
            seen.push(drop.tag.clone());
            new
        });
        drops
    }

    fn by_path(&self, write: &Write<'_>, path: &str, drops: &mut Vec<Invalidation>) {
        if let Some(policy) = &self.write
            && let Some(captures) = policy.request.matches(write.method, path)
        {
            let because = || format!("write policy of {}", policy.request.as_str());
            drops.extend(self.entry_or_route(write, &captures, Asking::Spelt, &because()));
            return;
        }
        let Some(rules) = &self.invalidated_by else {
            self.by_default(path, drops);
            return;
        };
        let mut spoken = rules.is_empty();
        for rule in rules {
            let Some(captures) = rule.request.matches(write.method, path) else { continue };
            spoken = true;
            if rule.when.iter().all(|condition| condition.holds(write)) {
                self.by_rule(write, rule, &captures, drops);
            }
        }
        if !spoken && self.path.matches_write(path).is_some() {
            drops.push(self.made_old(Tag::path(&self.name, &fold_path(path)), Scope::Path, "target URI".to_owned()));
        }
    }

    fn by_rule(
        &self,
        write: &Write<'_>,
        rule: &InvalidationRule,
        captures: &Captures<'_>,
        drops: &mut Vec<Invalidation>,
    ) {
        let because = || rule.request.as_str().to_owned();
        if rule.tags.is_empty() {
            drops.extend(self.entry_or_route(write, captures, Asking::Key(self, rule), &because()));
        }
        for template in &rule.tags {
            let text = rule.tag_text(template, write, captures);
            drops.push(match text {
                Some(text) => self.made_old(Tag::named(&text), Scope::Tag, because()),
                None => self.made_old(Tag::route(&self.name), Scope::Route, because()),
            });
        }
        if !rule.tags.is_empty() {
            drops.extend(self.lacking(&because()));
        }
    }

    /// The rule by which this write makes a tag old without telling which one, if there is such a rule.
    pub(super) fn unknown_tag(&self, write: &Write<'_>) -> Option<&str> {
        let policy = self.write.as_ref().map(|policy| &policy.request);
        let told = |rule: &InvalidationRule, captures: &Captures<'_>| {
            rule.tags.iter().all(|template| rule.tag_text(template, write, captures).is_some())
        };
        write.paths.iter().filter(|path| policy.is_none_or(|mine| mine.matches(write.method, path).is_none())).find_map(
            |path| {
                let mut rules = self.invalidated_by.iter().flatten();
                let rule = rules.find(|rule| {
                    rule.request.matches(write.method, path).is_some_and(|captures| !told(rule, &captures))
                        && rule.when.iter().all(|condition| condition.holds(write))
                })?;
                Some(rule.request.as_str())
            },
        )
    }

    fn entry_or_route(
        &self,
        write: &Write<'_>,
        captures: &Captures<'_>,
        asking: Asking<'_>,
        because: &str,
    ) -> Vec<Invalidation> {
        match self.key_tag(|source| write.value(source, captures, asking)) {
            Some(tag) => {
                let entry = self.made_old(tag, Scope::Entry, because.to_owned());
                std::iter::once(entry).chain(self.lacking(because)).collect()
            }
            None => vec![self.made_old(Tag::route(&self.name), Scope::Route, because.to_owned())],
        }
    }

    /// The entries that lack a value: the origin may have answered them with the one that the write tells.
    fn lacking(&self, because: &str) -> Option<Invalidation> {
        self.may_lack_values().then(|| self.made_old(Tag::absent(&self.name), Scope::Tag, because.to_owned()))
    }

    fn by_default(&self, path: &str, drops: &mut Vec<Invalidation>) {
        if self.path.matches_write(path).is_some() {
            drops.push(self.made_old(Tag::path(&self.name, &fold_path(path)), Scope::Path, "default rule".to_owned()));
        }
        if self.path.lies_under(path) {
            drops.push(self.made_old(Tag::route(&self.name), Scope::Route, "default rule".to_owned()));
        }
        if let Some(parent) = parent(path)
            && self.path.matches_write(parent).is_some()
        {
            drops.push(self.made_old(
                Tag::path(&self.name, &fold_path(parent)),
                Scope::Path,
                "default rule".to_owned(),
            ));
        }
    }

    pub(super) fn made_old(&self, tag: Tag, scope: Scope, because: String) -> Invalidation {
        Invalidation { route: Arc::clone(&self.name), tag, scope, because }
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
