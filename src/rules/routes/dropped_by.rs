//! Which writes drop the answer of a read: what `aside explain GET` says.
//!
//! Whether a write is of one of these kinds is asked of what decides ([`Routes::causes`]), so the two cannot disagree.

use std::borrow::Cow;
use std::sync::Arc;

use super::Routes;
use crate::rules::UNROUTED;
use crate::rules::fold::fold_path;
use crate::rules::invalidation::{Cause, Invalidation, Scope};
use crate::rules::pattern::{Captures, PathPattern, RequestPattern, Source, Template, decode};
use crate::rules::route::{Route, parent};
use crate::rules::tag::{Tag, tags_of};
use crate::rules::write::Write;
use crate::rules::write_policy::WritePolicy;
use crate::rules::write_rule::{
    Condition, Drops, InvalidatedBy, InvalidationRule, PathTemplate, RefusedAnswer, WriteRule,
};

/// What drops the answer of one read.
#[derive(Debug)]
pub struct DroppedBy<'r> {
    /// The kinds of writes that may, each once.
    pub kinds: Vec<Kind<'r>>,
    /// The `[[write]]` that take their writes out of those that drop it, by their index: such a write drops it only where it is
    /// sent to it, or a kind above says so. None where the route says itself which writes drop it.
    pub spared_by: Vec<(usize, &'r WriteRule)>,
    routes: &'r Routes,
    route: Option<&'r Arc<Route>>,
    path: String,
    query: String,
    tags: Vec<Tag>,
}

/// A kind of writes.
#[derive(Debug)]
pub struct Kind<'r> {
    /// Which they are.
    pub writes: Writes<'r>,
    /// What goes with the read's answer.
    pub extent: Extent<'r>,
}

/// The writes of a kind.
#[derive(Debug)]
pub enum Writes<'r> {
    /// All of which no `[[write]]` speaks.
    Unsaid,
    /// Those of a `[[write]]`, which has this index.
    Said(usize, &'r WriteRule),
    /// Those of an entry in this route's `invalidated_by`.
    Listed(&'r Arc<Route>, &'r InvalidationRule),
    /// Those of the route's write policy.
    Policy(&'r WritePolicy),
    /// Those that are sent to the read's own path, and of which nothing above says more.
    To,
    /// Those that are sent to a path one segment below.
    Below,
    /// Those that are sent to such a path above the route's.
    Above(PathPattern),
    /// Those whose answer names the read's path, or one of its groups.
    Named,
}

/// How much of what is stored a kind of writes drops.
#[derive(Debug)]
pub enum Extent<'r> {
    /// The one entry, where the write tells all of its key; the whole route, where it does not.
    Entry {
        /// The variables that its path does not tell.
        untold: Vec<String>,
    },
    /// Every entry of the path; the whole route, where the write has a value that a backend may read otherwise.
    Path,
    /// The whole route.
    Route,
    /// The whole route, but for what a write left in the cache alone.
    Fetched,
    /// The whole route, and every other one that says nothing.
    Unlisted,
    /// Whatever has one of these tags; everything, where the write does not tell which.
    Tagged(&'r [Template]),
    /// What these name.
    These(Vec<&'r Drops>),
}

impl Kind<'_> {
    /// What must hold for a write to count; all of it.
    pub fn when(&self) -> &[Condition] {
        match &self.writes {
            Writes::Said(_, rule) => &rule.when,
            Writes::Listed(_, rule) => &rule.when,
            _ => &[],
        }
    }

    /// The answers that mean that nothing was written.
    pub fn refused(&self) -> Option<&RefusedAnswer> {
        match &self.writes {
            Writes::Said(_, rule) => rule.refused.as_ref(),
            _ => None,
        }
    }
}

impl Routes {
    /// What drops the answer of a read of this raw path and query.
    pub fn dropped_by<'r>(&'r self, path: &str, query: &str) -> DroppedBy<'r> {
        let route = self.iter().find(|route| route.path.matches(path).is_some());
        let decoded = decode(path).into_owned();
        let tags = match route {
            Some(route) => route.tags_of(path, query).into_iter().chain(route.fetched_tags(path, query)).collect(),
            None => vec![Tag::route(UNROUTED), Tag::path(UNROUTED, &fold_path(&decoded))],
        };
        let mut told = DroppedBy {
            kinds: Vec::new(),
            spared_by: Vec::new(),
            routes: self,
            route,
            path: decoded,
            query: query.to_owned(),
            tags,
        };
        told.by_the_route();
        told.by_what_is_said();
        told.by_tags_of_other_routes();
        told.by_where_it_lies();
        told.kinds.push(Kind { writes: Writes::Named, extent: Extent::Path });
        told
    }
}

/// What there is.
impl DroppedBy<'_> {
    fn by_the_route(&mut self) {
        let Some(route) = self.route else { return };
        if let Some(policy) = &route.write {
            let extent = Extent::Entry { untold: untold(route, &policy.request, &[]) };
            self.kinds.push(Kind { writes: Writes::Policy(policy), extent });
        }
        for rule in route.invalidated_by.rules() {
            let extent = if rule.tags.is_empty() {
                Extent::Entry { untold: untold(route, &rule.request, &rule.variables) }
            } else {
                Extent::Tagged(&rule.tags)
            };
            self.kinds.push(Kind { writes: Writes::Listed(route, rule), extent });
        }
        if let Some(extent) = unlisted(route) {
            self.kinds.push(Kind { writes: Writes::Unsaid, extent });
        }
    }

    fn by_what_is_said(&mut self) {
        let unlisted = || self.route.and_then(|route| unlisted(route));
        let (mut kinds, mut spared_by) = (Vec::new(), Vec::new());
        for (index, rule) in self.routes.writes.iter().enumerate() {
            let extent = match &rule.drops {
                None => unlisted(),
                Some(drops) => {
                    let these: Vec<&Drops> = drops.iter().filter(|drop| self.may_be(rule, drop)).collect();
                    Some(Extent::These(these))
                        .filter(|these| !matches!(these, Extent::These(these) if these.is_empty()))
                }
            };
            match extent {
                Some(extent) => kinds.push(Kind { writes: Writes::Said(index, rule), extent }),
                None if unlisted().is_some() => spared_by.push((index, rule)),
                None => {}
            }
        }
        self.kinds.extend(kinds);
        self.spared_by = spared_by;
    }

    /// A tag is no route's: whatever has it goes, and all there is where the write does not tell it.
    fn by_tags_of_other_routes(&mut self) {
        let others = self.routes.iter().filter(|route| !self.route.is_some_and(|own| Arc::ptr_eq(own, route)));
        let rules = others.flat_map(|route| route.invalidated_by.rules().iter().map(move |rule| (route, rule)));
        let kinds: Vec<_> = rules
            .filter(|(_, rule)| rule.tags.iter().any(|tag| self.may_have(tag)))
            .map(|(route, rule)| Kind { writes: Writes::Listed(route, rule), extent: Extent::Tagged(&rule.tags) })
            .collect();
        self.kinds.extend(kinds);
    }

    fn by_where_it_lies(&mut self) {
        self.kinds.push(Kind { writes: Writes::To, extent: Extent::Path });
        let around = self.route.is_none_or(|route| route.invalidated_by == InvalidatedBy::Path);
        if !around {
            return;
        }
        self.kinds.push(Kind { writes: Writes::Below, extent: Extent::Path });
        if let Some(route) = self.route {
            let extent = || if route.write.is_some() { Extent::Fetched } else { Extent::Route };
            let above = route.path.above().into_iter();
            self.kinds.extend(above.map(|path| Kind { writes: Writes::Above(path), extent: extent() }));
        }
    }

    /// Whether what a `[[write]]` drops may be the read's answer.
    fn may_be(&self, rule: &WriteRule, drop: &Drops) -> bool {
        match drop {
            Drops::Route(name) => self.route.is_some_and(|route| route.name == *name),
            Drops::Tag(tag) => self.may_have(tag),
            Drops::Path(path) if path.variables().next().is_none() => self.is_at(path.as_str()),
            Drops::Path(path) => match self.route {
                _ if may_reach_further(rule, path) => true,
                Some(route) => route.path.meets(path.shape()),
                // Where a value is not told, or odd and of no route, every path without a route goes.
                None => {
                    let of_a_route = || self.routes.iter().any(|route| route.path.meets(path.shape()));
                    !is_told(rule, path) || path.shape().may_fold_to(&self.path) || !of_a_route()
                }
            },
        }
    }

    /// Whether a template may name a tag of the read's answer. With a variable it may, for who does not tell it names all.
    fn may_have(&self, tag: &Template) -> bool {
        let odd = self.tags.contains(&Tag::odd_names());
        odd || tags_of(tag, |_| None).is_none_or(|tags| tags.iter().any(|tag| self.tags.contains(tag)))
    }
}

/// Whether there is a `{*rest}` in it, which may have any number of segments.
fn may_reach_further(rule: &WriteRule, path: &PathTemplate) -> bool {
    let is_rest = |name: &str| rule.requests.iter().any(|request| request.path().is_rest(name));
    path.variables().any(|source| matches!(source, Source::Name(name) if is_rest(name)))
}

/// Whether each of its requests has all of a path's variables in its own path.
fn is_told(rule: &WriteRule, path: &PathTemplate) -> bool {
    let binds = |request: &RequestPattern, source: &Source| matches!(source, Source::Name(name) if request.path().variables().any(|known| known == name));
    rule.requests.iter().all(|request| path.variables().all(|source| binds(request, source)))
}

/// What of a route every write drops of which nothing is said; `None` where the route says which do.
fn unlisted<'r>(route: &Route) -> Option<Extent<'r>> {
    let says_nothing = route.invalidated_by == InvalidatedBy::Every;
    says_nothing.then(|| if route.write.is_some() { Extent::Fetched } else { Extent::Unlisted })
}

/// The variables of a route's key that the path of a write does not tell.
fn untold(route: &Route, request: &RequestPattern, mapped: &[(String, Source)]) -> Vec<String> {
    let in_path = |name: &str| request.path().variables().any(|known| known == name);
    let told = |name: &str| match mapped.iter().find(|(known, _)| known == name) {
        Some((_, Source::Name(other))) => in_path(other),
        Some(_) => false,
        None => in_path(name),
    };
    let names = route.key.variables().filter_map(|source| match source {
        Source::Name(name) => Some(name),
        Source::Body(_) | Source::Response(_) => None,
    });
    names.filter(|name| !told(name)).cloned().collect()
}

/// What holds for a write.
impl<'r> DroppedBy<'r> {
    /// The kinds that a write is of, so far as its answer is known; none where it leaves the read's answer alone.
    pub fn of<'a>(&'a self, write: &'a Write<'_>) -> impl Iterator<Item = &'a Kind<'r>> {
        let causes: Vec<Invalidation> =
            self.routes.causes(write).into_iter().filter(|drop| self.is_dropped_with(&drop.tag)).collect();
        self.kinds.iter().filter(move |kind| causes.iter().any(|drop| self.is_of(kind, drop, write)))
    }

    /// Whether the read's answer goes with a tag, as far as its request tells. One that the cache has from elsewhere than
    /// the origin may stay.
    pub fn is_dropped_with(&self, tag: &Tag) -> bool {
        *tag == Tag::everything() || self.tags.contains(tag)
    }

    fn is_of(&self, kind: &Kind<'_>, drop: &Invalidation, write: &Write<'_>) -> bool {
        match (&kind.writes, &drop.cause) {
            (Writes::Unsaid, Cause::Unlisted) => self.routes.speaking(write).next().is_none(),
            (Writes::Said(_, rule), Cause::Unlisted) => {
                rule.drops.is_none() && rule.counts(write) && rule.speaks_of(write).is_some()
            }
            (Writes::Said(index, _), Cause::Write(cause, _)) => index == cause,
            (Writes::Listed(route, rule), Cause::Rule(of, entry)) => {
                let listed = route.invalidated_by.rules().get(*entry);
                *of == route.name && listed.is_some_and(|listed| std::ptr::eq(listed, *rule))
            }
            (Writes::Policy(_), Cause::Policy(of)) => self.route.is_some_and(|route| route.name == *of),
            (Writes::To, Cause::Target | Cause::Path) => write.paths.iter().any(|path| self.is_at(path)),
            (Writes::Below, Cause::Target | Cause::Path) => {
                write.paths.iter().filter_map(|path| parent(path)).any(|path| self.is_at(path))
            }
            (Writes::Above(above), Cause::Path) => {
                drop.scope == Scope::Route && write.paths.iter().any(|path| above.matches_write(path).is_some())
            }
            (Writes::Named, Cause::Named | Cause::Groups) => true,
            _ => false,
        }
    }

    /// Whether whoever drops a decoded path drops the read's answer.
    fn is_at(&self, path: &str) -> bool {
        let Some(route) = self.route else { return self.is_dropped_with(&Tag::path(UNROUTED, &fold_path(path))) };
        let mut drops = Vec::new();
        route.path(path, &Cause::Target, &mut drops);
        drops.iter().any(|drop| self.is_dropped_with(&drop.tag))
    }
}

/// In the read's own words.
impl DroppedBy<'_> {
    /// The writes of a request that drop the read's answer and nothing else of its route, as a method and a raw path with the
    /// read's own values; `None` where it has variables whose value the read does not tell.
    pub fn as_sent(&self, kind: &Kind<'_>, request: &RequestPattern) -> Option<String> {
        let values = self.values(kind)?;
        let path = request.path().render(|name| {
            let (_, value) = values.iter().find(|(known, _)| known == name)?;
            Some(Cow::Borrowed(value.as_str()))
        })?;
        Some(format!("{} {path}", request.method().map_or("*", http::Method::as_str)))
    }

    /// What the writes of a kind would have to call what the read has.
    fn values(&self, kind: &Kind<'_>) -> Option<Vec<(String, String)>> {
        let owned = |captures: &Captures<'_>| {
            captures.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
        };
        match (&kind.writes, &kind.extent) {
            (Writes::Said(..), Extent::These(these)) => these.iter().find_map(|drop| {
                let Drops::Path(path) = drop else { return None };
                let captures = path.shape().matches_write(&self.path)?;
                let names = path.variables().map(|source| match source {
                    Source::Name(name) => Some(name.clone()),
                    Source::Body(_) | Source::Response(_) => None,
                });
                names.zip(captures.iter()).map(|(name, (_, value))| Some((name?, value.to_owned()))).collect()
            }),
            (Writes::Listed(_, rule), _) if !rule.variables.is_empty() => None,
            (_, Extent::Entry { .. }) => {
                let route = self.route?;
                let captures = route.path.matches_write(&self.path)?;
                let mut values = owned(&captures);
                values.extend(route.key.variables().filter_map(|source| match source {
                    Source::Name(name) => {
                        Some((name.clone(), route.read_value(name, &self.query, &captures)?.into_owned()))
                    }
                    Source::Body(_) | Source::Response(_) => None,
                }));
                Some(values)
            }
            _ => None,
        }
    }
}
