//! All routes: the one that speaks for a request, and everything that a write makes old.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use http::header::ORIGIN;

use super::ROUTELESS;
use super::canonical::is_canonical;
use super::digest::short_hash;
use super::fold::fold_path;
use super::invalidation::{ALSO, GROUPS, Invalidation, Scope, parent};
use super::path::Captures;
use super::place::{CacheKey, Place};
use super::query::plain_query_octet;
use super::read::{Bypass, Read};
use super::route::{Route, keyed_value};
use super::tag::Tag;
use super::tags::Tags;
use super::write::Write;
use super::write_policy::WritePolicy;
use crate::fields::Detail;

static ROUTELESS_NAME: LazyLock<Arc<str>> = LazyLock::new(|| ROUTELESS.into());

/// The routes of a configuration, in its order.
#[derive(Clone, Debug, Default)]
pub struct Routes(Vec<Arc<Route>>);

/// A route that no request can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreachable {
    /// Its index.
    pub route: usize,
    /// The index of the earlier one that takes all its paths.
    pub behind: usize,
}

impl Routes {
    /// Puts routes together; the first one that an earlier one hides completely is an error.
    pub fn new(routes: Vec<Route>) -> Result<Self, Unreachable> {
        for (index, route) in routes.iter().enumerate() {
            let hiding = routes.iter().take(index).position(|earlier| earlier.path.covers(&route.path));
            if let Some(behind) = hiding {
                return Err(Unreachable { route: index, behind });
            }
        }
        Ok(Self(routes.into_iter().map(Arc::new).collect()))
    }

    /// Every route, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.0.iter()
    }

    /// The first route whose pattern matches a read's raw path, with the values of its variables.
    pub fn find<'a>(&'a self, path: &'a str) -> Option<(&'a Arc<Route>, Captures<'a>)> {
        self.0.iter().find_map(|route| Some((route, route.path.matches(path)?)))
    }

    /// Where the answer of a read without a route is kept, or why it is kept nowhere.
    pub fn routeless_place(&self, read: &Read<'_>) -> Result<Place, Bypass> {
        if !is_canonical(read.path) {
            return Err(Bypass(Detail::PathAmbiguous));
        }
        let mut name = read.path.to_owned();
        if let Some(query) = read.query {
            if !query.bytes().all(plain_query_octet) {
                return Err(Bypass(Detail::QueryAmbiguous));
            }
            name.push('?');
            name.push_str(query);
        }
        if let Some(host) = read.host {
            // Also where it is empty: paths and queries may have an `@`, so the last one must always be this one.
            name.push('@');
            if read.secure {
                name.push_str("https://");
            }
            name.push_str(host);
        }
        // Whatever the answer says: an origin that speaks of it only when it is asked with one gave everybody else's to
        // those scripts, and one site's to another's (Fetch, section "CORS protocol and HTTP caches").
        if let Some(origin) = keyed_value(read.fields, &ORIGIN) {
            let _ = write!(name, "#{}", short_hash(&origin));
        }
        let key = CacheKey { route: Arc::clone(&ROUTELESS_NAME), fingerprint: 0, name };
        Ok(Place { key, tags: Tags::of_path(read.path) })
    }

    /// Everything that a successful write makes old, over all routes and the paths without one.
    ///
    /// A write to a URI always invalidates that URI where no route speaks (RFC 9111 section 4.4), and its parent.
    pub fn invalidations(&self, write: &Write<'_>) -> Vec<Invalidation> {
        let mut drops: Vec<Invalidation> = self.0.iter().flat_map(|route| route.invalidations(write)).collect();
        // Entries of every route may have the tag that the write does not tell.
        for (of, because) in self.0.iter().filter_map(|route| Some((route, route.unknown_tag(write)?))) {
            drops.push(of.made_old(Tag::everything(), Scope::Everything, because.to_owned()));
        }
        for path in write.paths {
            for target in std::iter::once(path.as_str()).chain(parent(path)) {
                drops.push(unrouted(target, "target URI"));
            }
        }
        drops.extend(write.also.iter().map(|path| unrouted(path, ALSO)));
        let grouped = |tag: &Tag, route: &Arc<str>| Invalidation {
            route: Arc::clone(route),
            tag: tag.clone(),
            scope: Scope::Tag,
            because: GROUPS.to_owned(),
        };
        for tag in write.groups {
            drops.push(grouped(tag, &ROUTELESS_NAME));
            drops.extend(self.0.iter().map(|route| grouped(tag, &route.name)));
        }
        let mut seen = Vec::new();
        drops.retain(|drop| {
            let identity = (Arc::clone(&drop.route), drop.tag.clone());
            let new = !seen.contains(&identity);
            seen.push(identity);
            new
        });
        drops
    }

    /// The route whose write policy speaks of this write, with the variables of its path.
    pub fn write_policy<'a>(&'a self, write: &Write<'a>) -> Option<(&'a Arc<Route>, &'a WritePolicy, Captures<'a>)> {
        self.0.iter().find_map(|route| {
            let policy = route.write.as_ref()?;
            let captures = write.paths.iter().find_map(|path| policy.request.matches(write.method, path))?;
            Some((route, policy, captures))
        })
    }

    /// Whether anything about a write's JSON bodies matters to any route: if not they need not be read.
    pub fn reads_bodies_of(&self, write: &Write<'_>) -> BodiesRead {
        let mut read = BodiesRead::default();
        for route in &self.0 {
            let policy = route.write.as_ref().map(|policy| &policy.request);
            let rules = route.invalidated_by.iter().flatten();
            for pattern in rules.clone().map(|rule| &rule.request).chain(policy) {
                read.request |= write.paths.iter().any(|path| pattern.matches(write.method, path).is_some());
            }
            for rule in rules {
                read.response |= rule.reads_response()
                    && write.paths.iter().any(|path| rule.request.matches(write.method, path).is_some());
            }
        }
        read
    }
}

/// One path without a route, made old.
fn unrouted(path: &str, because: &str) -> Invalidation {
    Invalidation {
        route: Arc::clone(&ROUTELESS_NAME),
        tag: Tag::path(ROUTELESS, &fold_path(path)),
        scope: Scope::Path,
        because: because.to_owned(),
    }
}

/// Which bodies of a write the rules want to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodiesRead {
    /// The request's.
    pub request: bool,
    /// The response's.
    pub response: bool,
}
