//! The tags of a place, made when somebody asks for them: a hit in memory never does.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use http::uri::PathAndQuery;

use super::ROUTELESS;
use super::route::Route;
use super::tag::{Tag, path_tag};

/// The tags that make an entry old, as far as its request tells them.
#[derive(Clone)]
pub struct Tags {
    made: OnceLock<Vec<Tag>>,
    of: Asked,
}

/// What the tags are made from.
#[derive(Clone)]
enum Asked {
    /// They were given.
    Nothing,
    /// A read without a route.
    Unrouted(PathAndQuery),
    /// A route's read.
    Route(Arc<Route>, PathAndQuery),
}

impl Tags {
    /// Those of a read that has a route's key.
    pub(super) fn of_route(route: &Arc<Route>, target: &PathAndQuery) -> Self {
        Self { made: OnceLock::new(), of: Asked::Route(Arc::clone(route), target.clone()) }
    }

    /// Those of a read without a route.
    pub(super) fn unrouted(target: &PathAndQuery) -> Self {
        Self { made: OnceLock::new(), of: Asked::Unrouted(target.clone()) }
    }
}

impl Deref for Tags {
    type Target = Vec<Tag>;

    fn deref(&self) -> &Vec<Tag> {
        self.made.get_or_init(|| match &self.of {
            Asked::Nothing => Vec::new(),
            Asked::Unrouted(target) => vec![Tag::route(ROUTELESS), path_tag(ROUTELESS, target.path())],
            Asked::Route(route, target) => route.tags_of(target.path(), target.query().unwrap_or_default()),
        })
    }
}

impl From<Vec<Tag>> for Tags {
    fn from(tags: Vec<Tag>) -> Self {
        Self { made: tags.into(), of: Asked::Nothing }
    }
}

impl<'t> IntoIterator for &'t Tags {
    type Item = &'t Tag;
    type IntoIter = std::slice::Iter<'t, Tag>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Tags {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Tags {}

impl fmt::Debug for Tags {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(out)
    }
}
