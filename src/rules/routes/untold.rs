//! What `aside explain PUT` says: what each `[[write]]` says of a write and why one that might be meant says nothing, and the
//! values that a write does not tell, so that it drops more than one entry or path.

use std::borrow::Cow;
use std::sync::Arc;

use super::Routes;
use crate::rules::canonical::{is_canonical, write_paths};
use crate::rules::document::Document;
use crate::rules::invalidation::Cause;
use crate::rules::pattern::{Captures, RequestPattern, Source, Template};
use crate::rules::read::{Found, find_loosely};
use crate::rules::route::Route;
use crate::rules::value::{plain, plain_path};
use crate::rules::write::Write;
use crate::rules::write_rule::{Drops, InvalidatedBy, InvalidationRule, Subject, WriteRule};

/// What a `[[write]]` says of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'r> {
    /// It speaks of it, by this request.
    Speaks(&'r RequestPattern),
    /// Nothing: origins may differ in how they read its path.
    OddPath,
    /// Nothing: origins may take it for another method's.
    OtherMethod,
    /// Nothing: its method or its path is spelt otherwise than the file has it.
    SpeltOtherwise,
}

impl Routes {
    /// The `[[write]]` that may be meant by a write, each with its index.
    pub fn said_of<'r>(&'r self, write: &Write<'r>) -> Vec<(usize, &'r WriteRule, Said<'r>)> {
        let readings = write_paths(write.path);
        let loosely = |rule: &WriteRule| rule.may_speak_of(&Write { paths: &readings, ..*write });
        let said = |rule: &'r WriteRule| match rule.speaks_of(write) {
            Some((request, _)) => Some(Said::Speaks(request)),
            None if !loosely(rule) => None,
            None if !is_canonical(write.path) => Some(Said::OddPath),
            None if !write.overriding.is_none() => Some(Said::OtherMethod),
            None => Some(Said::SpeltOtherwise),
        };
        self.writes.iter().enumerate().filter_map(|(index, rule)| Some((index, rule, said(rule)?))).collect()
    }
}

/// A value that a rule asks for and a write does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// The route that is dropped for it; `None` where several may be.
    pub route: Option<Arc<str>>,
    /// The rule that asks; `None` where the write is sent to the route's own path.
    pub by: Option<Cause>,
    /// What it asks for.
    pub source: Source,
    /// Why it is not told.
    pub why: Why,
}

/// Why a write does not tell a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It would be in a body that is not known.
    NotGiven(Subject),
    /// The request's body was not understood.
    NotUnderstood,
    /// It is not said.
    NotSaid,
    /// It is said in two ways.
    SaidTwice,
    /// It is said, and a backend may read it as another one.
    Odd(String),
}

impl Routes {
    /// The values that keep a write from dropping one entry or one path alone.
    pub fn untold(&self, write: &Write<'_>) -> Vec<Untold> {
        let mut found = Vec::new();
        let narrowed = self.speaking(write).next().is_some();
        for route in self.iter() {
            of_route(route, write, narrowed, &mut found);
        }
        for one in self.speaking(write).filter(|one| one.rule.counts(write)) {
            let templates = one.rule.drops.iter().flatten().filter_map(|drop| match drop {
                Drops::Route(_) => None,
                Drops::Tag(template) => Some(template),
                Drops::Path(path) => Some(path.template()),
            });
            for source in templates.flat_map(Template::variables) {
                let told = write.value(source, &one.captures);
                let is_rest = matches!(source, Source::Name(name) if one.request.path().is_rest(name));
                note(None, Some(one.cause()), source, why(write, source, told, is_rest), &mut found);
            }
        }
        let mut unique: Vec<Untold> = Vec::new();
        for untold in found {
            if !unique.contains(&untold) {
                unique.push(untold);
            }
        }
        unique
    }
}

/// What a write does not tell of a route.
fn of_route(route: &Route, write: &Write<'_>, narrowed: bool, found: &mut Vec<Untold>) {
    for path in write.paths {
        if let Some((_, captures)) = route.policy_for(write, path) {
            asked_by(route, write, None, (&Cause::Policy(Arc::clone(&route.name)), &captures), found);
            continue;
        }
        let mut spoken = false;
        for (entry, rule) in route.invalidated_by.rules().iter().enumerate() {
            let Some(captures) = rule.request.matches(write, path) else { continue };
            spoken = true;
            if rule.counts(write) {
                let cause = Cause::Rule(Arc::clone(&route.name), entry);
                asked_by(route, write, Some(rule), (&cause, &captures), found);
            }
        }
        if !spoken && (narrowed || route.invalidated_by != InvalidatedBy::Every) {
            odd_in_path(route, path, found);
        }
    }
}

/// What a write does not tell of what a rule asks for, or the route's write policy.
fn asked_by(
    of: &Route,
    write: &Write<'_>,
    rule: Option<&InvalidationRule>,
    (cause, captures): (&Cause, &Captures<'_>),
    found: &mut Vec<Untold>,
) {
    let tags = rule.map_or(&[][..], |rule| &rule.tags);
    let (templates, route) = if tags.is_empty() { (std::slice::from_ref(&of.key), Some(of)) } else { (tags, None) };
    for source in templates.iter().flat_map(Template::variables) {
        let (told, (place, mapped)) = match (rule, route) {
            (None, _) => (write.value(source, captures), (source, true)),
            (Some(rule), Some(route)) => (route.told_by(write, rule, source, captures), rule.source_of(source)),
            (Some(rule), None) => (write.value(rule.source_of(source).0, captures), (rule.source_of(source).0, true)),
        };
        let name = if let Source::Name(name) = source { name } else { "" };
        let is_rest = route.is_some_and(|route| route.path.is_rest(name));
        // The origin reads it from the path, and from nowhere else.
        let in_path = !mapped && of.path.variables().any(|known| known == name);
        let why = match told {
            None if in_path => Some(Why::NotSaid),
            told => why(write, place, told, is_rest),
        };
        note(route, Some(cause.clone()), source, why, found);
    }
}

/// What a path of a route has that a backend may read as another's.
fn odd_in_path(route: &Route, path: &str, found: &mut Vec<Untold>) {
    let Some(captures) = route.path.matches_write(path) else { return };
    for (name, value) in captures.iter().filter(|(name, value)| is_odd(value, route.path.is_rest(name))) {
        note(Some(route), None, &Source::Name(name.to_owned()), Some(Why::Odd(value.to_owned())), found);
    }
}

fn note(route: Option<&Route>, by: Option<Cause>, source: &Source, why: Option<Why>, found: &mut Vec<Untold>) {
    let Some(why) = why else { return };
    found.push(Untold { route: route.map(|route| Arc::clone(&route.name)), by, source: source.clone(), why });
}

fn is_odd(value: &str, is_rest: bool) -> bool {
    if is_rest { plain_path(value).is_none() } else { plain(value).is_none() }
}

/// Why the value in a place is not told; `None` where it is.
fn why(write: &Write<'_>, place: &Source, told: Option<Cow<'_, str>>, is_rest: bool) -> Option<Why> {
    if let Some(value) = told {
        return is_odd(&value, is_rest).then(|| Why::Odd(value.into_owned()));
    }
    let in_body = match write.body {
        Document::Absent => Why::NotGiven(Subject::Request),
        Document::NotUnderstood => Why::NotUnderstood,
        Document::Json(_) => Why::NotSaid,
    };
    Some(match place {
        Source::Body(pointer) if write.body.json().is_some_and(|body| pointer.told(body).is_none()) => Why::SaidTwice,
        Source::Body(_) => in_body,
        Source::Response(_) if write.answer.response.is_none() => Why::NotGiven(Subject::Response),
        Source::Response(_) => Why::NotSaid,
        Source::Name(name) => match (find_loosely(write.query, name), write.body) {
            (Found::Ambiguous, _) | (Found::Once(_), Document::Json(_)) => Why::SaidTwice,
            (Found::Once(_) | Found::Absent, _) => in_body,
        },
    })
}
