//! The entry that a write with a policy writes.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use http::HeaderMap;
use http::uri::PathAndQuery;

use super::hosts::KeyedHost;
use super::place::EntryRef;
use super::query::{Found, encode, find_parameter};
use super::read::Read;
use super::route::{Route, RouteQuery};
use super::template::Source;
use super::write::Write;

/// The entry that a write with a policy writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where a later GET looks for it.
    pub place: EntryRef,
    /// Path and query of that GET.
    pub target: PathAndQuery,
}

impl Route {
    /// The value that a write of the route's policy gives a variable: from its path, its query or its JSON body.
    pub fn written_value<'a>(&'a self, write: &Write<'a>, name: &str) -> Option<Cow<'a, str>> {
        let (_, captures) = write.paths.iter().find_map(|path| self.policy_for(write, path))?;
        let told = write.value(&Source::Name(name.to_owned()), &captures);
        told.map(|value| Cow::Owned(value.into_owned())).or_else(|| {
            // A fraction is no part of a key, but a template may show it.
            let in_query = find_parameter(write.query, name) != Found::Absent;
            let number = write.body.json()?.get(name)?.as_number().filter(|_| !in_query)?;
            Some(Cow::Owned(number.to_string()))
        })
    }

    /// The entry that this write writes by the route's policy; `None` when a variable of its key is unknown.
    pub fn written(self: &Arc<Self>, write: &Write<'_>, host: Option<KeyedHost<'_>>) -> Option<Written> {
        let (_, captures) = write.paths.iter().find_map(|path| self.policy_for(write, path))?;
        let value = |name: &str| write.value(&Source::Name(name.to_owned()), &captures);
        let mut target = self.path.render(value)?;
        if let RouteQuery::Listed(names) = &self.query {
            for (index, name) in names.iter().enumerate() {
                let separator = if index == 0 { '?' } else { '&' };
                let _ = write!(target, "{separator}{}={}", encode(name), encode(&value(name)?));
            }
        }
        let target: PathAndQuery = target.parse().ok()?;
        let read = Read { target: &target, fields: &HeaderMap::new(), host, secure: false };
        let place = self.place(&read, &self.path.matches(target.path())?).ok()?;
        Some(Written { place, target })
    }
}
