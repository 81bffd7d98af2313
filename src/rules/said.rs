//! What each `[[write]]` says of a write, and why one that might be meant says nothing.

use super::canonical::{is_canonical, write_paths};
use super::request_pattern::RequestPattern;
use super::routes::Routes;
use super::write::Write;
use super::write_rule::WriteRule;

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
