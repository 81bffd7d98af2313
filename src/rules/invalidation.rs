//! What a write makes old: by a route's own list, by its write policy, or by the default rule.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use http::{HeaderMap, Method};
use serde_json::Value;

use super::fold::{fold, fold_path};
use super::numbers::same;
use super::place::Tag;
use super::query::{Found, find_parameter};
use super::request_pattern::RequestPattern;
use super::route::{Route, encode, fold_owned, scalar};
use super::template::{Pointer, Source, Template};
use super::{Captures, Place, Read, RouteQuery};

/// One entry of a route's `invalidated_by`.
#[derive(Clone, Debug, PartialEq)]
pub struct InvalidationRule {
    /// The writes it speaks of.
    pub request: RequestPattern,
    /// What must hold for the write to count; all of them.
    pub when: Vec<Condition>,
    /// Where the route's variables come from, for those that are not simply called the same.
    pub variables: Vec<(String, Source)>,
    /// Tags to drop besides; with any, the route's entries are dropped by tag and not by key.
    pub tags: Vec<Template>,
}

/// A value that a write's JSON must have for an invalidation to happen.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Which body it looks at.
    pub subject: Subject,
    /// Where in the body.
    pub pointer: Pointer,
    /// The value that must stand there.
    pub equals: Value,
}

/// A body of a write's exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The JSON request body.
    Request,
    /// The JSON response body.
    Response,
}

/// A write that succeeded, as the rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Every reading of its path ([`super::write_paths`]).
    pub paths: &'a [String],
    /// The decoded paths that its answer's Location and Content-Location name on this host: they are made old too.
    pub also: &'a [String],
    /// The groups of cached responses that its answer makes old.
    pub groups: &'a [Tag],
    /// Its raw query.
    pub query: &'a str,
    /// Its JSON request body; `None` when it is none, or too large to read.
    pub body: Option<&'a Value>,
    /// Its JSON response body; `None` when it is none, or too large to read, or not known yet.
    pub response: Option<&'a Value>,
}

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
}

/// One thing that a write makes old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalidation {
    /// The group whose sequence it advances.
    pub group: Arc<str>,
    /// The route it concerns; `unrouted` where no route speaks.
    pub route: Arc<str>,
    /// The tag.
    pub tag: Tag,
    /// How much that is.
    pub scope: Scope,
    /// The rule's text, or `default rule`, `target URI`, `write policy`, `Location of the answer`.
    pub because: String,
}

/// On whose behalf a write is asked for a variable's value.
#[derive(Clone, Copy)]
enum Asking<'r> {
    /// A rule's, for the route's key.
    Key(&'r Route, &'r InvalidationRule),
    /// A rule's, for a tag that it names itself.
    Tag(&'r InvalidationRule),
    /// A write policy's, or that of a `variables` entry: whoever wrote it meant the write's own words.
    Spelt,
}

impl Write<'_> {
    /// The value of a variable; `None` when the write does not tell.
    fn value<'s>(&'s self, source: &Source, captures: &Captures<'s>, asking: Asking<'_>) -> Option<Cow<'s, str>> {
        let name = match source {
            Source::Body(pointer) => return scalar(pointer.of(self.body?)?),
            Source::Response(pointer) => return scalar(pointer.of(self.response?)?),
            Source::Name(name) => name,
        };
        if let Asking::Key(_, rule) | Asking::Tag(rule) = asking
            && let Some((_, mapped)) = rule.variables.iter().find(|(known, _)| known == name)
        {
            return self.value(mapped, captures, Asking::Spelt);
        }
        if let Some(value) = captures.get(name) {
            return Some(Cow::Owned(value.to_owned()));
        }
        // The origin reads a path variable from the path only. A query or body field that happens to have its name
        // may mean something else, or nothing: `POST /orders?page=5` makes every page old.
        if let Asking::Key(route, _) = asking
            && route.path.variables().any(|known| known == name)
        {
            return None;
        }
        let in_body = self.body.and_then(|body| body.get(name));
        match find_parameter(self.query, name) {
            // Which of the two the origin looks at, nobody here knows.
            Found::Once(value) => match in_body {
                None => Some(value),
                Some(other) => scalar(other).filter(|other| fold(other) == fold(&value)).map(|_| value),
            },
            Found::Ambiguous => None,
            Found::Absent => scalar(in_body?),
        }
    }
}

impl InvalidationRule {
    /// The text of one of its tags; `None` when the write does not tell a value of it.
    fn tag_text(&self, template: &Template, write: &Write<'_>, captures: &Captures<'_>) -> Option<String> {
        template.render_plain(|source| write.value(source, captures, Asking::Tag(self)).map(|value| fold_owned(&value)))
    }

    /// Whether it looks at the response body.
    pub(super) fn reads_response(&self) -> bool {
        let reads = |source: &Source| matches!(source, Source::Response(_));
        self.when.iter().any(|condition| condition.subject == Subject::Response)
            || self.variables.iter().any(|(_, source)| reads(source))
            || self.tags.iter().any(|tag| tag.variables().any(reads))
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

    /// Whether the value stands there in this body.
    pub fn is_met_by(&self, document: &Value) -> bool {
        self.pointer.of(document).is_some_and(|found| same(found, &self.equals))
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
                drops.push(self.made_old(Tag::path(&fold_path(path)), Scope::Path, ALSO.to_owned()));
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
            drops.push(self.made_old(Tag::path(&fold_path(path)), Scope::Path, "target URI".to_owned()));
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
            drops.push(self.made_old(Tag::path(&fold_path(path)), Scope::Path, "default rule".to_owned()));
        }
        if self.path.lies_under(path) {
            drops.push(self.made_old(Tag::route(&self.name), Scope::Route, "default rule".to_owned()));
        }
        if let Some(parent) = parent(path)
            && self.path.matches_write(parent).is_some()
        {
            drops.push(self.made_old(Tag::path(&fold_path(parent)), Scope::Path, "default rule".to_owned()));
        }
    }

    pub(super) fn made_old(&self, tag: Tag, scope: Scope, because: String) -> Invalidation {
        Invalidation { group: Arc::clone(&self.group), route: Arc::clone(&self.name), tag, scope, because }
    }
}

/// The entry that a write with a policy writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where a later GET looks for it.
    pub place: Place,
    /// Path and query of that GET.
    pub target: String,
}

impl Route {
    /// The value that a write of the route's policy gives a variable: from its path, its query or its JSON body.
    pub fn written_value<'a>(&'a self, write: &Write<'a>, name: &str) -> Option<Cow<'a, str>> {
        let policy = self.write.as_ref()?;
        let captures = write.paths.iter().find_map(|path| policy.request.matches(write.method, path))?;
        let told = write.value(&Source::Name(name.to_owned()), &captures, Asking::Spelt);
        told.map(|value| Cow::Owned(value.into_owned())).or_else(|| {
            // A fraction is no part of a key, but a template may show it.
            let in_query = find_parameter(write.query, name) != Found::Absent;
            let number = write.body?.get(name)?.as_number().filter(|_| !in_query)?;
            Some(Cow::Owned(number.to_string()))
        })
    }

    /// The entry that this write writes by the route's policy; `None` when a variable of its key is unknown.
    pub fn written(self: &Arc<Self>, write: &Write<'_>, host: Option<&str>) -> Option<Written> {
        let policy = self.write.as_ref()?;
        let captures = write.paths.iter().find_map(|path| policy.request.matches(write.method, path))?;
        let value = |name: &str| write.value(&Source::Name(name.to_owned()), &captures, Asking::Spelt);
        let mut target = self.path.render(value)?;
        if let RouteQuery::Listed(names) = &self.query {
            for (index, name) in names.iter().enumerate() {
                let separator = if index == 0 { '?' } else { '&' };
                let _ = write!(target, "{separator}{}={}", encode(name), encode(&value(name)?));
            }
        }
        let (path, query) = target.split_once('?').map_or((target.as_str(), None), |(path, query)| (path, Some(query)));
        let fields = HeaderMap::new();
        let place =
            self.place(&Read { path, query, fields: &fields, host, secure: false }, &self.path.matches(path)?).ok()?;
        Some(Written { place, target })
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
