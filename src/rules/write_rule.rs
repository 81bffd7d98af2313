//! What a file says of writes, compiled: `[[write]]`, what a write invalidates of the routes that do not say so themselves and
//! which answers to it mean that nothing was written; and a route's `invalidated_by`, which writes invalidate it.

use std::cell::Cell;
use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;

use super::document::{Document, Pointer};
use super::fold::same;
use super::pattern::{Captures, PathPattern, PatternError, RequestPattern, Source, Template};
use super::value::plain;
use super::write::Write;

/// One `[[write]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteRule {
    /// The writes it speaks of.
    pub requests: Vec<RequestPattern>,
    /// What they invalidate; `None` for what a write invalidates that nothing is said of.
    pub drops: Option<Vec<Drops>>,
    /// What must hold for the write to have changed anything; all of them.
    pub when: Vec<Condition>,
    /// Answers that mean that nothing was written.
    pub refused: Option<RefusedAnswer>,
}

/// One thing that a write invalidates.
#[derive(Clone, Debug, PartialEq)]
pub enum Drops {
    /// Every entry of a path, whatever its query.
    Path(PathTemplate),
    /// Whatever has a tag.
    Tag(Template),
    /// A whole route.
    Route(Arc<str>),
}

/// An answer that means that nothing was written.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedAnswer {
    /// Its status is one of these.
    pub statuses: Vec<StatusCode>,
    /// Its Location has this path on this origin, whatever the query; `None` for any.
    pub location: Option<PathPattern>,
}

/// A path with the write's variables, and the paths that it may become.
#[derive(Clone, Debug, PartialEq)]
pub struct PathTemplate {
    template: Template,
    shape: PathPattern,
}

impl PathTemplate {
    /// Reads a path such as `/articles/{slug}` or `/articles/{response:/article/slug}`. The error says where in the text and
    /// what to write instead.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        let template = Template::parse_path(source)?;
        let count = Cell::new(0);
        let shape = template.shape(|_| {
            count.set(count.get() + 1);
            format!("{{v{}}}", count.get())
        });
        // A place in the shape is none in the source: its variables are called otherwise.
        let shape = PathPattern::parse(&shape).map_err(|error| PatternError { at: 0, ..error })?;
        Ok(Self { template, shape })
    }

    /// The path as written.
    pub fn as_str(&self) -> &str {
        self.template.as_str()
    }

    /// Its variables.
    pub fn variables(&self) -> impl Iterator<Item = &Source> {
        self.template.variables()
    }

    /// All paths that it may become.
    pub fn shape(&self) -> &PathPattern {
        &self.shape
    }

    pub(super) fn template(&self) -> &Template {
        &self.template
    }

    /// The decoded path that a write means; `None` where a value is unknown, or odd.
    pub(super) fn render(&self, write: &Write<'_>, captures: &Captures<'_>) -> Option<String> {
        self.template.render_plain(|source| {
            let bound = matches!(source, Source::Name(name) if captures.get(name).is_some());
            // What the path binds may be a path itself; nothing else may reach beyond its segment.
            write.value(source, captures).filter(|value| bound || plain(value).is_some())
        })
    }
}

impl WriteRule {
    /// Whether it speaks of this write, with the variables of its path. Strictly: what an origin could take for another
    /// write it says nothing of.
    pub fn speaks_of<'a>(&'a self, write: &Write<'a>) -> Option<(&'a RequestPattern, Captures<'a>)> {
        if !write.is_plain() {
            return None;
        }
        self.requests.iter().find_map(|request| Some((request, request.matches_strictly(write)?)))
    }

    /// Whether it is of this write by its method, and by any reading of its path.
    pub(super) fn may_speak_of(&self, write: &Write<'_>) -> bool {
        self.requests.iter().any(|request| write.paths.iter().any(|path| request.matches(write, path).is_some()))
    }

    /// Whether the answer says that nothing was written.
    pub fn refuses(&self, write: &Write<'_>) -> bool {
        let Some(refused) = &self.refused else { return false };
        let Some(status) = write.answer.status else { return false };
        let at =
            |wanted: &PathPattern| write.answer.location.is_some_and(|path| wanted.matches_strictly(path).is_some());
        refused.statuses.contains(&status) && refused.location.as_ref().is_none_or(at)
    }

    /// Whether its conditions hold, as far as is known.
    pub(super) fn counts(&self, write: &Write<'_>) -> bool {
        self.when.iter().all(|condition| condition.holds(write))
    }

    /// Whether it looks at the response body.
    pub(super) fn reads_response(&self) -> bool {
        let reads = |source: &Source| matches!(source, Source::Response(_));
        let drops = self.drops.iter().flatten();
        self.when.iter().any(Condition::reads_response)
            || drops.into_iter().any(|drop| match drop {
                Drops::Path(path) => path.variables().any(reads),
                Drops::Tag(tag) => tag.variables().any(reads),
                Drops::Route(_) => false,
            })
    }
}

/// Which writes invalidate a route.
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
