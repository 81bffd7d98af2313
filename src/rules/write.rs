//! A write as the rules see it, and the values it gives to variables.

use std::borrow::Cow;

use http::Method;
use serde_json::Value;

use super::fold::fold;
use super::invalidated_by::InvalidationRule;
use super::numbers::scalar;
use super::path::Captures;
use super::query::{Found, find_parameter};
use super::route::Route;
use super::tag::Tag;
use super::template::Source;

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

/// On whose behalf a write is asked for a variable's value.
#[derive(Clone, Copy)]
pub(super) enum Asking<'r> {
    /// A rule's, for the route's key.
    Key(&'r Route, &'r InvalidationRule),
    /// A rule's, for a tag that it names itself.
    Tag(&'r InvalidationRule),
    /// A write policy's, or that of a `variables` entry: whoever wrote it meant the write's own words.
    Spelt,
}

impl Write<'_> {
    /// The value of a variable; `None` when the write does not tell.
    pub(super) fn value<'s>(
        &'s self,
        source: &Source,
        captures: &Captures<'s>,
        asking: Asking<'_>,
    ) -> Option<Cow<'s, str>> {
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
