//! All routes: the one that speaks for a request, and where answers are stored for which none does.

mod dropped_by;
mod intent;
mod invalidate;
mod purge;
mod untold;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use http::header::ORIGIN;

pub use self::dropped_by::{DroppedBy, Extent, Kind, Writes};
pub use self::intent::Intended;
pub use self::untold::{Said, Untold, Why};

use super::UNROUTED;
use super::canonical::is_canonical;
use super::entry::{EntryRef, Tags};
use super::hosts::KeyedHost;
use super::invalidation::Cause;
use super::key::{CacheKey, fingerprint};
use super::pattern::{Captures, PathIndex, RequestPattern};
use super::read::{Bypass, Read, plain_query_octet};
use super::route::{Route, keyed_value, storing};
use super::write::Write;
use super::write_policy::WritePolicy;
use super::write_rule::WriteRule;
use crate::fields::Detail;
use crate::policy::Choices;

pub(super) static UNROUTED_NAME: LazyLock<Arc<str>> = LazyLock::new(|| UNROUTED.into());

/// The routes of a configuration, in its order, and what it says of writes.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_field_names, reason = "routes are what it is about")]
pub struct Routes {
    routes: Vec<Arc<Route>>,
    /// Where to look for one of many.
    index: Option<PathIndex>,
    writes: Vec<WriteRule>,
    /// What of the file shapes the entries of paths without a route.
    unrouted_fingerprint: u64,
}

/// What else of a file shapes the answers that are stored.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// What the origin sees as Host.
    pub host: String,
    /// The choices for paths without a route; `None` where they are never stored.
    pub unrouted: Option<Choices>,
    /// Whether every field of a request is in a key without a route.
    pub by_all_fields: bool,
}

/// So many routes are tried one after the other.
const FEW: usize = 4;

/// A route that no request can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreachable {
    /// Its index.
    pub route: usize,
    /// The index of the earlier one that takes all its paths.
    pub behind: usize,
}

impl Routes {
    /// Puts routes together, and what is said of writes; the first route that an earlier one hides completely is an error.
    pub fn new(mut routes: Vec<Route>, writes: Vec<WriteRule>, around: &Surroundings) -> Result<Self, Unreachable> {
        for (index, route) in routes.iter().enumerate() {
            let hiding = routes.iter().take(index).position(|earlier| earlier.path.covers(&route.path));
            if let Some(behind) = hiding {
                return Err(Unreachable { route: index, behind });
            }
        }
        for route in &mut routes {
            route.fingerprint = route.shaped_by(&writes, &around.host);
        }
        let Surroundings { host, unrouted, by_all_fields } = around;
        let choices = unrouted.as_ref().map(storing).unwrap_or_default();
        // What is said of a write's paths depends on which routes are there, too.
        let paths: Vec<_> = routes.iter().map(|route| &route.path).collect();
        let said = if writes.is_empty() { String::new() } else { format!("{writes:?} {paths:?}") };
        let unrouted_fingerprint = fingerprint([&**host, &choices, &by_all_fields.to_string(), &said]);
        let index = (routes.len() > FEW).then(|| PathIndex::new(routes.iter().map(|route| &route.path)));
        Ok(Self { routes: routes.into_iter().map(Arc::new).collect(), index, writes, unrouted_fingerprint })
    }

    /// What of the rules shapes the entries of each route by its name, those without a route among them.
    pub(super) fn fingerprints(&self) -> BTreeSet<(&str, u64)> {
        let of_routes = self.routes.iter().map(|route| (&*route.name, route.fingerprint));
        of_routes.chain([(UNROUTED, self.unrouted_fingerprint)]).collect()
    }

    /// What is said of writes, in order.
    pub fn write_rules(&self) -> &[WriteRule] {
        &self.writes
    }

    /// Every route, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.iter()
    }

    /// The first route whose pattern matches a read's raw path, with the values of its variables.
    pub fn find<'a>(&'a self, path: &'a str) -> Option<(&'a Arc<Route>, Captures<'a>)> {
        let matches = |route: &'a Arc<Route>| Some((route, route.path.matches(path)?));
        match &self.index {
            None => self.routes.iter().find_map(matches),
            Some(index) => index.find(path, |at| self.routes.get(at).and_then(matches)),
        }
    }

    /// Where the answer of a read without a route is kept, or why it is stored nowhere.
    pub fn unrouted_place(&self, read: &Read<'_>) -> Result<EntryRef, Bypass> {
        if !is_canonical(read.path()) {
            return Err(Bypass(Detail::PathAmbiguous));
        }
        if !read.query().bytes().all(plain_query_octet) {
            return Err(Bypass(Detail::QueryAmbiguous));
        }
        let name = read.target.as_str().to_owned();
        let host = match read.host {
            Some(KeyedHost::Other(host)) => Some(host.into()),
            _ => name.contains('@').then(Box::default),
        };
        let key = CacheKey::new(Arc::clone(&UNROUTED_NAME), self.unrouted_fingerprint, name);
        let key = CacheKey { host, secure: read.secure, ..key };
        // Whatever the answer says: an origin that speaks of it only when it is asked with one gave everybody else's to
        // those scripts, and one site's to another's (Fetch, section "CORS protocol and HTTP caches").
        let key = match keyed_value(read.fields, &ORIGIN) {
            Some(origin) => key.selected_by(&origin),
            None => key,
        };
        Ok(EntryRef { key, tags: Tags::unrouted(read.target) })
    }

    /// The route whose write policy speaks of this write, with the variables of its path.
    pub fn write_policy<'a>(&'a self, write: &Write<'a>) -> Option<(&'a Arc<Route>, &'a WritePolicy, Captures<'a>)> {
        self.routes.iter().find_map(|route| {
            let policy = route.write.as_ref()?;
            let (_, captures) = write.paths.iter().find_map(|path| route.policy_for(write, path))?;
            Some((route, policy, captures))
        })
    }

    /// The `[[write]]` that speak of a write.
    pub fn speaking<'a>(&'a self, write: &Write<'a>) -> impl Iterator<Item = Speaking<'a>> {
        let write = *write;
        self.writes.iter().enumerate().filter_map(move |(index, rule)| {
            let (request, captures) = rule.speaks_of(&write)?;
            Some(Speaking { index, rule, request, captures })
        })
    }

    /// The request that a rule speaks of, where a rule is the cause.
    pub fn request_of(&self, cause: &Cause) -> Option<&RequestPattern> {
        let route = |name: &Arc<str>| self.routes.iter().find(|route| route.name == *name);
        match cause {
            Cause::Rule(name, entry) => Some(&route(name)?.invalidated_by.rules().get(*entry)?.request),
            Cause::Write(index, request) => self.writes.get(*index)?.requests.get(*request),
            Cause::Policy(name) => Some(&route(name)?.write.as_ref()?.request),
            Cause::Unlisted | Cause::Target | Cause::Path | Cause::Named | Cause::Groups => None,
        }
    }
}

/// A `[[write]]` that speaks of a write.
#[derive(Clone, Debug)]
pub struct Speaking<'a> {
    /// Its index.
    pub index: usize,
    /// What it says.
    pub rule: &'a WriteRule,
    /// Which of its requests the write is.
    pub request: &'a RequestPattern,
    /// The variables of the write's path.
    pub captures: Captures<'a>,
}

impl Speaking<'_> {
    /// It, as the cause of what it drops.
    pub fn cause(&self) -> Cause {
        let request = self.rule.requests.iter().position(|request| std::ptr::eq(request, self.request));
        Cause::Write(self.index, request.unwrap_or_default())
    }
}
