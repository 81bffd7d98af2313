//! `invalidated_by`, compiled: which writes make a route old, on which conditions, and how they tell what of it.

use http::StatusCode;
use serde_json::Value;

use super::document::Document;
use super::numbers::same;
use super::request_pattern::RequestPattern;
use super::template::{Pointer, Source, Template};
use super::write::Write;

/// Which writes make a route old.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum InvalidatedBy {
    /// Every write that nothing is said of.
    #[default]
    Every,
    /// One to the path of an entry, to a path above it, and to one below it.
    Path,
    /// Those of a list, and those that are sent to it.
    Listed(Vec<InvalidationRule>),
}

impl InvalidatedBy {
    /// The list, empty where there is none.
    pub fn rules(&self) -> &[InvalidationRule] {
        match self {
            Self::Listed(rules) => rules,
            Self::Every | Self::Path => &[],
        }
    }
}

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

/// What must hold for a write to count.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// A value of its JSON bodies.
    Says {
        /// Which body it looks at.
        subject: Subject,
        /// Where in the body.
        pointer: Pointer,
        /// The value that must stand there.
        equals: Value,
    },
    /// The status of its answer is one of these.
    Status(Vec<StatusCode>),
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
        self.when.iter().any(Condition::reads_response)
            || self.variables.iter().any(|(_, source)| reads(source))
            || self.tags.iter().any(|tag| tag.variables().any(reads))
    }

    /// Where the value of a variable comes from.
    pub(super) fn source_of<'a>(&'a self, source: &'a Source) -> (&'a Source, bool) {
        let mapped = match source {
            Source::Name(name) => self.variables.iter().find(|(known, _)| known == name),
            Source::Body(_) | Source::Response(_) => None,
        };
        mapped.map_or((source, false), |(_, mapped)| (mapped, true))
    }

    /// Whether its conditions hold, as far as is known.
    pub(super) fn counts(&self, write: &Write<'_>) -> bool {
        self.when.iter().all(|condition| condition.holds(write))
    }
}

impl Condition {
    /// Whether it looks at the response body.
    pub(super) fn reads_response(&self) -> bool {
        matches!(self, Self::Says { subject: Subject::Response, .. })
    }

    /// Whether the value stands there in this body; false for a condition that looks at no body.
    pub fn is_met_by(&self, document: &Value) -> bool {
        match self {
            Self::Says { pointer, equals, .. } => pointer.of(document).is_some_and(|found| same(found, equals)),
            Self::Status(_) => false,
        }
    }

    /// The same for a request's body; `None` where it cannot be told whether the value stands there.
    fn is_told_by(&self, document: &Value) -> Option<bool> {
        match self {
            Self::Says { pointer, equals, .. } => {
                pointer.told(document).map(|found| found.is_some_and(|found| same(found, equals)))
            }
            Self::Status(_) => Some(false),
        }
    }

    /// Whether it holds; `None` where nobody knows, since there is no answer, or a body was not understood.
    pub fn known(&self, write: &Write<'_>) -> Option<bool> {
        match self {
            Self::Says { subject: Subject::Request, .. } => match write.body {
                Document::Absent => Some(false),
                Document::NotUnderstood => None,
                Document::Json(document) => self.is_told_by(document),
            },
            Self::Says { subject: Subject::Response, .. } => {
                write.answer.response.map(|document| self.is_met_by(document))
            }
            Self::Status(statuses) => {
                // A write that failed may have changed something all the same.
                let failed =
                    |status: &StatusCode| status.is_server_error() && !statuses.iter().any(StatusCode::is_server_error);
                write.answer.status.filter(|status| !failed(status)).map(|status| statuses.contains(&status))
            }
        }
    }

    /// Whether it holds. Where nobody knows it counts as if it did: never drop too little.
    pub(super) fn holds(&self, write: &Write<'_>) -> bool {
        self.known(write).unwrap_or(true)
    }
}
