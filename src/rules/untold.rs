//! The values that a write does not tell, so that it drops more than one entry or path: what `aside explain PUT` says.

use std::borrow::Cow;
use std::sync::Arc;

use super::document::Document;
use super::invalidated_by::{InvalidatedBy, InvalidationRule, Subject};
use super::path::Captures;
use super::query::{Found, find_loosely};
use super::route::Route;
use super::routes::Routes;
use super::template::{Source, Template};
use super::value::{plain, plain_path};
use super::write::Write;
use super::write_rule::{Drops, WriteRule};

/// A value that a rule asks for and a write does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// The route that is dropped for it; `None` where several may be.
    pub route: Option<Arc<str>>,
    /// The request of the rule that asks; `None` where the write is sent to the route's own path.
    pub request: Option<String>,
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
            route.untold(write, narrowed, &mut found);
        }
        for (rule, request, captures) in self.speaking(write).filter(|(rule, ..)| rule.counts(write)) {
            let templates = rule.drops.iter().flatten().filter_map(|drop| match drop {
                Drops::Route(_) => None,
                Drops::Tag(template) => Some(template),
                Drops::Path(path) => Some(path.template()),
            });
            for source in templates.flat_map(Template::variables) {
                let told = write.value(source, &captures);
                let why = why(write, source, told, is_rest_of(rule, request, source));
                note(None, Some(request), source, why, &mut found);
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

impl Route {
    fn untold(&self, write: &Write<'_>, narrowed: bool, found: &mut Vec<Untold>) {
        for path in write.paths {
            if let Some((request, captures)) = self.policy_for(write, path) {
                self.untold_by(write, (request.as_str(), None), &captures, found);
                continue;
            }
            let rules = self.invalidated_by.rules().iter();
            let mut spoken = false;
            for (rule, captures) in rules.filter_map(|rule| Some((rule, rule.request.matches(write, path)?))) {
                spoken = true;
                if rule.counts(write) {
                    self.untold_by(write, (rule.request.as_str(), Some(rule)), &captures, found);
                }
            }
            if !spoken && (narrowed || self.invalidated_by != InvalidatedBy::Every) {
                self.odd_in_path(path, found);
            }
        }
    }

    fn untold_by(
        &self,
        write: &Write<'_>,
        (request, rule): (&str, Option<&InvalidationRule>),
        captures: &Captures<'_>,
        found: &mut Vec<Untold>,
    ) {
        let tags = rule.map_or(&[][..], |rule| &rule.tags);
        let (templates, route) =
            if tags.is_empty() { (std::slice::from_ref(&self.key), Some(self)) } else { (tags, None) };
        for source in templates.iter().flat_map(Template::variables) {
            let (told, (place, mapped)) = match (rule, route) {
                (None, _) => (write.value(source, captures), (source, true)),
                (Some(rule), Some(route)) => (route.told_by(write, rule, source, captures), rule.source_of(source)),
                (Some(rule), None) => {
                    (write.value(rule.source_of(source).0, captures), (rule.source_of(source).0, true))
                }
            };
            let name = if let Source::Name(name) = source { name } else { "" };
            let is_rest = route.is_some_and(|route| route.path.is_rest(name));
            // The origin reads it from the path, and from nowhere else.
            let in_path = !mapped && self.path.variables().any(|known| known == name);
            let why = match told {
                None if in_path => Some(Why::NotSaid),
                told => why(write, place, told, is_rest),
            };
            note(route, Some(request), source, why, found);
        }
    }

    /// What a path of the route has that a backend may read as another's.
    fn odd_in_path(&self, path: &str, found: &mut Vec<Untold>) {
        let Some(captures) = self.path.matches_write(path) else { return };
        for (name, value) in captures.iter().filter(|(name, value)| is_odd(value, self.path.is_rest(name))) {
            note(Some(self), None, &Source::Name(name.to_owned()), Some(Why::Odd(value.to_owned())), found);
        }
    }
}

fn note(route: Option<&Route>, request: Option<&str>, source: &Source, why: Option<Why>, found: &mut Vec<Untold>) {
    let Some(why) = why else { return };
    found.push(Untold {
        route: route.map(|route| Arc::clone(&route.name)),
        request: request.map(str::to_owned),
        source: source.clone(),
        why,
    });
}

/// Whether a variable is the `{*rest}` of one of its requests.
fn is_rest_of(rule: &WriteRule, request: &str, source: &Source) -> bool {
    let Source::Name(name) = source else { return false };
    rule.requests.iter().any(|known| known.as_str() == request && known.path().is_rest(name))
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
