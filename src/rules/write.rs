//! A write as the rules see it, and the values it gives to variables.

use std::borrow::Cow;

use http::{Method, StatusCode};
use serde_json::Value;

use super::canonical::{is_canonical, write_paths};
use super::document::Document;
use super::numbers::scalar;
use super::overriding::Overriding;
use super::path::Captures;
use super::query::{Found, find_loosely};
use super::tag::Tag;
use super::template::Source;
use super::told::member;

/// A write, as the rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// The method of its request line.
    pub method: &'a Method,
    /// What it may be taken for besides.
    pub overriding: &'a Overriding,
    /// Its path as it was sent.
    pub path: &'a str,
    /// Every reading of its path, and of what its Destination names ([`super::write_paths`]).
    pub paths: &'a [String],
    /// Its raw query.
    pub query: &'a str,
    /// Its request body.
    pub body: Document<'a>,
    /// What it was answered.
    pub answer: WriteAnswer<'a>,
}

/// What is known of the answer to a write; nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteAnswer<'a> {
    /// Its status; `None` where there is no answer, or none yet: then the write may have changed anything.
    pub status: Option<StatusCode>,
    /// The raw path that its Location names on this origin.
    pub location: Option<&'a str>,
    /// The decoded paths that its Location and Content-Location name on this origin: they are made old too.
    pub also: &'a [String],
    /// The groups of cached responses that it makes old.
    pub groups: &'a [Tag],
    /// Its JSON body; `None` when it is none, or too large to read, or not known yet.
    pub response: Option<&'a Value>,
}

impl Write<'_> {
    /// Whether an origin may take it for one with this method. Some take `put` for PUT, so case does not matter.
    pub fn is_a(&self, method: &Method) -> bool {
        let same = |mine: &Method| mine.as_str().eq_ignore_ascii_case(method.as_str());
        self.overriding.unknown || same(self.method) || self.overriding.methods.iter().any(same)
    }

    /// Whether every origin takes its method and its path in one way.
    pub fn is_plain(&self) -> bool {
        self.overriding.is_none() && is_canonical(self.path)
    }

    /// Whether a path is a reading of its own, and not only of what a Destination names.
    pub(super) fn is_sent_to(&self, path: &str) -> bool {
        write_paths(self.path).iter().any(|own| own == path)
    }

    /// The value of a variable; `None` when the write does not tell, or tells it in two ways.
    pub(super) fn value<'s>(&'s self, source: &Source, captures: &Captures<'s>) -> Option<Cow<'s, str>> {
        match source {
            Source::Body(pointer) => written(pointer.told(self.body.json()?)??),
            Source::Response(pointer) => written(pointer.of(self.answer.response?)?),
            Source::Name(name) => match captures.get(name) {
                Some(value) => Some(Cow::Owned(value.to_owned())),
                None => self.named(name),
            },
        }
    }

    /// The value that its query or its body gives a name: the same one, where both do. Which of two the origin looks at
    /// nobody here knows, nor what it finds in a body that was not understood.
    fn named(&self, name: &str) -> Option<Cow<'_, str>> {
        let in_body = match self.body {
            Document::Absent => None,
            Document::NotUnderstood => return None,
            Document::Json(body) => member(body, name)?,
        };
        match (find_loosely(self.query, name), in_body) {
            (Found::Ambiguous, _) => None,
            (Found::Absent, value) => written(value?),
            (Found::Once(value), None) => Some(value),
            (Found::Once(value), Some(other)) => written(other).filter(|other| *other == value),
        }
    }
}

/// The text of a JSON value in a place where a query may have said it. A flag is `true`, `True`, `1` or `on` there.
fn written(value: &Value) -> Option<Cow<'_, str>> {
    if value.is_boolean() { None } else { scalar(value) }
}
