//! What a look is at: one answer of a route, as the evidence knows it.

use std::fmt::Write as _;

use http::uri::PathAndQuery;

use super::shape::owned;
use crate::rules::{Found, InvalidatedBy, Route, RouteQuery, UNROUTED, find_parameter};

/// A route, as far as the evidence needs it.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    pub(super) name: String,
    /// Its path as it is written.
    pub(super) path: String,
    /// The variables of that.
    variables: Vec<String>,
    /// Whether it has one path alone.
    pub(super) is_one_path: bool,
    /// Whether it does not say itself which writes drop it.
    pub(super) is_unlisted: bool,
}

impl Watched {
    pub(super) fn of(route: &Route) -> Self {
        Self {
            name: route.name.to_string(),
            path: route.path.as_str().to_owned(),
            variables: route.path.variables().map(str::to_owned).collect(),
            is_one_path: route.path.variables().next().is_none(),
            is_unlisted: route.invalidated_by == InvalidatedBy::Every,
        }
    }

    /// The route as it is told: `-` for none.
    pub(super) fn label(&self) -> &str {
        if self.name == UNROUTED { "-" } else { &self.name }
    }

    pub(super) fn unrouted() -> Self {
        Self {
            name: UNROUTED.to_owned(),
            path: String::new(),
            variables: Vec::new(),
            is_one_path: false,
            is_unlisted: false,
        }
    }

    /// What a write with these variables tells of it.
    pub(super) fn own(&self, variables: &[(String, String)]) -> Own {
        let is_told = |name: &String| variables.iter().any(|(known, _)| known == name);
        match () {
            () if self.is_one_path => Own::All,
            () if !self.path.contains("{*") && !self.variables.is_empty() && self.variables.iter().all(is_told) => {
                Own::Path(self.path.clone())
            }
            () => Own::Nothing,
        }
    }
}

/// What a write tells of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// All of it: the route has one path alone.
    All,
    /// This path, in the words of the write: its variables have the names of the route's.
    Path(String),
    /// Nothing, as far as names go.
    Nothing,
}

/// One answer that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// A hash of the key.
    pub key: u64,
    /// The route's name.
    pub route: String,
    /// What is asked for, as it may be shown: with the parameters that the route lists, and no others.
    pub target: String,
    /// The route's path as it is written.
    pattern: String,
    /// The variables of the path, as those of writes are kept.
    values: Vec<(String, String)>,
}

/// So much of it is kept for people.
const LONGEST: usize = 120;

impl Subject {
    /// What a GET of this target asks a route for, or no route.
    pub fn of(route: Option<&Route>, target: &PathAndQuery, key: u64) -> Self {
        let (path, query) = (target.path(), target.query().unwrap_or_default());
        let mut shown: String = path.chars().take(LONGEST).collect();
        match route.map(|route| &route.query) {
            Some(RouteQuery::Listed(names)) => shown.push_str(&listed(names, query)),
            _ if query.is_empty() => {}
            _ => shown.push_str("?…"),
        }
        let captures = route.and_then(|route| route.path.matches(path)).unwrap_or_default();
        Self {
            key,
            route: route.map_or(UNROUTED, |route| &*route.name).to_owned(),
            target: shown,
            pattern: route.map_or("", |route| route.path.as_str()).to_owned(),
            values: owned(&captures),
        }
    }

    /// What is asked for at a path with these variables.
    #[cfg(test)]
    pub(super) fn at(pattern: &str, values: Vec<(String, String)>) -> Self {
        let (route, target) = (String::new(), String::new());
        Self { key: 0, route, target, pattern: pattern.to_owned(), values }
    }

    /// The route as it is told: `-` for none.
    pub fn label(&self) -> &str {
        if self.route == UNROUTED { "-" } else { &self.route }
    }

    /// The route's path as it is written; empty without a route.
    pub(super) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The variables of the path.
    pub(super) fn values(&self) -> &[(String, String)] {
        &self.values
    }

    /// Whether a write with these variables tells its path.
    pub(super) fn is_told_by(&self, write: &[(String, String)]) -> bool {
        let is_told = |(_, value): &(String, String)| write.iter().any(|(_, found)| found == value);
        !self.pattern.is_empty() && !self.pattern.contains("{*") && self.values.iter().all(is_told)
    }

    /// The route's path with a write's variables in place of its own, where each of its values is one of theirs; `None` where
    /// one is not. A route without variables has its one path.
    pub(super) fn path_in_words_of(&self, write: &[(String, String)]) -> Option<String> {
        if self.pattern.is_empty() || self.pattern.contains("{*") {
            return None;
        }
        let mut path = self.pattern.clone();
        for (name, value) in &self.values {
            // The same name first: two values of a write may be alike by chance.
            let same_name = write.iter().find(|(known, found)| known == name && found == value);
            let (of_write, _) = same_name.or_else(|| write.iter().find(|(_, found)| found == value))?;
            path = path.replace(&format!("{{{name}}}"), &format!("\u{0}{of_write}\u{1}"));
        }
        Some(path.replace('\u{0}', "{").replace('\u{1}', "}"))
    }
}

/// The parameters that a route lists, as far as they are there.
fn listed(names: &[String], query: &str) -> String {
    let mut text = String::new();
    for name in names {
        if let Found::Once(value) = find_parameter(query, name) {
            let value: String = value.chars().take(LONGEST / 2).collect();
            text.push(if text.is_empty() { '?' } else { '&' });
            let _ = write!(text, "{name}={value}");
        }
    }
    text
}
