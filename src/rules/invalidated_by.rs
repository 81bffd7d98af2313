//! `invalidated_by`, compiled: which writes make a route old, on which conditions, and how they tell what of it.

use serde_json::Value;

use super::numbers::same;
use super::request_pattern::RequestPattern;
use super::template::{Pointer, Source, Template};

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

impl InvalidationRule {
    /// Whether it looks at the response body.
    pub(super) fn reads_response(&self) -> bool {
        let reads = |source: &Source| matches!(source, Source::Response(_));
        self.when.iter().any(|condition| condition.subject == Subject::Response)
            || self.variables.iter().any(|(_, source)| reads(source))
            || self.tags.iter().any(|tag| tag.variables().any(reads))
    }
}

impl Condition {
    /// Whether the value stands there in this body.
    pub fn is_met_by(&self, document: &Value) -> bool {
        self.pointer.of(document).is_some_and(|found| same(found, &self.equals))
    }
}
