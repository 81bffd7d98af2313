//! The tags of a place, made when somebody asks for them: a hit in memory never does.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

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
    /// A read without a route, of this raw path.
    Path(Box<str>),
    /// A route's read, of this raw path and query.
    Route(Arc<Route>, Box<str>, Box<str>),
}

impl Tags {
    /// Those of a read that has a route's key.
    pub(super) fn of_route(route: &Arc<Route>, path: &str, query: &str) -> Self {
        Self { made: OnceLock::new(), of: Asked::Route(Arc::clone(route), path.into(), query.into()) }
    }

    /// Those of a read without a route.
    pub(super) fn of_path(path: &str) -> Self {
        Self { made: OnceLock::new(), of: Asked::Path(path.into()) }
    }
}

impl Deref for Tags {
    type Target = Vec<Tag>;

    fn deref(&self) -> &Vec<Tag> {
        self.made.get_or_init(|| match &self.of {
            Asked::Nothing => Vec::new(),
            Asked::Path(path) => vec![Tag::route(ROUTELESS), path_tag(ROUTELESS, path)],
            Asked::Route(route, path, query) => route.tags_of(path, query),
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
