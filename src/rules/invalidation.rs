//! What a write invalidates, how much that is, and why; and that in few words, for a person who reads the log.

use std::collections::HashSet;
use std::sync::Arc;

use super::UNROUTED;
use super::tag::Tag;

/// How much a write invalidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One entry of a route, all its variants.
    Entry,
    /// Every entry of one path, whatever the query.
    Path,
    /// The whole route.
    Route,
    /// Whatever has a tag.
    Tag,
    /// Every route that does not say itself which writes drop it.
    Unlisted,
    /// Everything that is stored.
    Everything,
}

/// Why something is invalidated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Nothing is said of the write, so it may have changed anything.
    Unlisted,
    /// It was sent there.
    Target,
    /// What it was sent to lies above, below or around (`invalidated_by = "path"`).
    Path,
    /// The list of this route speaks of it, in its entry of this index.
    Rule(Arc<str>, usize),
    /// The `[[write]]` of this index speaks of it, by its request of this index.
    Write(usize, usize),
    /// The write policy of this route speaks of it.
    Policy(Arc<str>),
    /// Location or Content-Location of the answer names it (RFC 9111 section 4.4).
    Named,
    /// Cache-Group-Invalidation of the answer names it (RFC 9875).
    Groups,
}

impl Cause {
    /// In one word, where it is no request of the configuration.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unlisted => "default",
            Self::Target => "target",
            Self::Path => "path",
            Self::Rule(..) | Self::Write(..) | Self::Policy(_) => "rule",
            Self::Named => "location",
            Self::Groups => "groups",
        }
    }
}

/// One thing that a write invalidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalidation {
    /// The route it concerns, `unrouted` where no route speaks; `None` for what several may have.
    pub route: Option<Arc<str>>,
    /// The tag.
    pub tag: Tag,
    /// How much that is.
    pub scope: Scope,
    /// Why.
    pub cause: Cause,
}

impl Invalidation {
    /// Whether it goes with whatever else of its route is dropped: entries that may be what is meant.
    pub fn is_besides(&self) -> bool {
        self.tag.is_besides()
    }

    /// Something that several routes may have.
    pub(super) fn of_all(tag: Tag, scope: Scope, cause: Cause) -> Self {
        Self { route: None, tag, scope, cause }
    }
}

/// So many things are named; of further ones it is said how many they are.
const NAMED: usize = 3;

/// As in `every route without invalidated_by`, or `fruit:1, /orders/{page}`; `None` where nothing is invalidated on any route.
pub fn summary(drops: &[Invalidation]) -> Option<String> {
    let has = |scope| drops.iter().any(|drop| drop.scope == scope);
    if has(Scope::Everything) {
        return Some("everything".to_owned());
    }
    let on_routes = || drops.iter().filter(|drop| drop.route.as_deref() != Some(UNROUTED) && !drop.is_besides());
    let unlisted = has(Scope::Unlisted).then_some("every route without invalidated_by");
    let others = on_routes().filter(|drop| drop.scope != Scope::Unlisted).map(|drop| match (&drop.route, drop.scope) {
        (Some(route), Scope::Route) => route,
        _ => drop.tag.shown(),
    });
    // An answer may name thousands of groups.
    let mut seen = HashSet::new();
    let mut names: Vec<&str> = unlisted.into_iter().chain(others).filter(|name| seen.insert(*name)).collect();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    match (names.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(names.join(", ")),
        (false, more) => Some(format!("{} and {more} more", names.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drop(route: Option<&str>, tag: Tag, scope: Scope) -> Invalidation {
        Invalidation { route: route.map(Into::into), tag, scope, cause: Cause::Unlisted }
    }

    #[test]
    fn it_says_what_a_person_wants_to_know() {
        let unrouted = drop(Some(UNROUTED), Tag::path(UNROUTED, "/fruit/1"), Scope::Path);
        let every = drop(None, Tag::unlisted(), Scope::Unlisted);
        let entry = drop(Some("fruit"), Tag::key("fruit", "fruit:1"), Scope::Entry);
        let odd = drop(Some("fruit"), Tag::odd("fruit"), Scope::Tag);
        let route = |name: &str| drop(Some(name), Tag::route(name), Scope::Route);
        for (drops, expected) in [
            (vec![], None),
            (vec![unrouted.clone()], None),
            (vec![every.clone(), unrouted.clone()], Some("every route without invalidated_by")),
            (vec![entry.clone(), odd, unrouted], Some("fruit:1")),
            (vec![every, entry, route("/a")], Some("every route without invalidated_by, fruit:1, /a")),
            (["/a", "/b", "/c", "/d", "/e"].map(route).to_vec(), Some("/a, /b, /c and 2 more")),
            (vec![route("/a"), drop(None, Tag::everything(), Scope::Everything)], Some("everything")),
        ] {
            assert_eq!(summary(&drops).as_deref(), expected, "{drops:?}");
        }
    }

    #[test]
    fn an_answer_full_of_names_is_gone_through_once() {
        let drops: Vec<_> = (0..400_000u32)
            .map(|number| drop(None, Tag::cache_group("", &(number / 2).to_string()), Scope::Tag))
            .collect();
        assert!(summary(&drops).is_some_and(|told| told.ends_with(" and 199997 more")));
    }
}
