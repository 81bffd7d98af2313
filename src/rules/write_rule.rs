//! `[[write]]`, compiled: what a write makes old of the routes that do not say so themselves, and which answers to it mean
//! that nothing was written.

use std::cell::Cell;
use std::sync::Arc;

use http::StatusCode;

use super::PatternError;
use super::invalidated_by::Condition;
use super::path::{Captures, PathPattern};
use super::request_pattern::RequestPattern;
use super::template::{Source, Template};
use super::write::Write;

/// One `[[write]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteRule {
    /// The writes it speaks of.
    pub requests: Vec<RequestPattern>,
    /// What they make old; `None` for what a write makes old that nothing is said of.
    pub drops: Option<Vec<Drops>>,
    /// What must hold for the write to have changed anything; all of them.
    pub when: Vec<Condition>,
    /// Answers that mean that nothing was written.
    pub refused: Option<RefusedAnswer>,
}

/// One thing that a write makes old.
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
