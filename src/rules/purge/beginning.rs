//! Which entries a prefix means, one by one: those whose key, or whose path, begins so, and those of which that cannot be told.

use std::borrow::Cow;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::rules::UNROUTED;
use crate::rules::fold::lower;
use crate::rules::pattern::{PathPattern, Source};
use crate::rules::route::Route;
use crate::rules::tag::Tag;

/// What the name of a key may go on with: a host, and what selects a variant or says what of the answer is stored there.
const ADDED: [char; 2] = ['@', '#'];
/// A name may end at so many places; at more nobody looks.
pub(in crate::rules) const ENDS: usize = 64;

/// What the key or the path of an entry begins with. Letters are compared whatever their case, paths decoded.
#[derive(Clone, Debug)]
pub struct Beginning {
    keys: Vec<String>,
    paths: Vec<PathStart>,
    routes: Vec<Arc<Route>>,
    of_unrouted: bool,
}

/// What a path begins with, or all of it where a query follows.
#[derive(Clone, Debug)]
struct PathStart {
    text: String,
    is_whole: bool,
}

impl PathStart {
    fn of(text: &str) -> Self {
        let path = text.split(['?', '#']).next().unwrap_or_default();
        Self { text: beginning_alike(path), is_whole: path.len() < text.len() }
    }

    fn begins(&self, path: &str) -> bool {
        // The path without the slash is another one to few.
        let bare = |path: &'_ str| path.len() - usize::from(path.ends_with('/'));
        let is_same = || path.get(..bare(path)) == self.text.get(..bare(&self.text));
        is_same() || (!self.is_whole && path.starts_with(&self.text))
    }
}

/// What a key says of the path of its entry.
enum Told {
    /// Its route makes no such key.
    Nothing,
    /// It has not all of the path in it.
    Part,
    Path(String),
}

impl Beginning {
    /// Of these texts, each a key's or a path's, in these routes alone; `of_unrouted` says whether in paths without one, too.
    pub(in crate::rules) fn new(texts: &[&str], routes: Vec<Arc<Route>>, of_unrouted: bool) -> Self {
        let of_path = |text: &&&str| text.starts_with('/');
        Self {
            keys: texts.iter().map(|text| beginning_alike(text)).collect(),
            paths: texts.iter().filter(of_path).map(|text| PathStart::of(text)).collect(),
            routes,
            of_unrouted,
        }
    }

    /// What the fills of every route in which an entry may begin so are refused by.
    pub fn fills(&self) -> Vec<Tag> {
        let unrouted = self.of_unrouted.then_some(UNROUTED);
        self.routes.iter().map(|route| &*route.name).chain(unrouted).map(Tag::fills).collect()
    }

    /// Whether an entry of this route, under a key of this name, begins so, or may.
    pub fn covers(&self, route: &str, name: &str) -> bool {
        let of_key = || {
            let name = alike(name);
            self.keys.iter().any(|key| name.starts_with(key))
        };
        if route == UNROUTED {
            return self.of_unrouted && (of_key() || is_long(name) || readings(name).any(|name| self.begins(name)));
        }
        let Some(route) = self.routes.iter().find(|known| *known.name == *route) else { return false };
        of_key() || (!self.paths.is_empty() && self.may_begin(route, name))
    }

    /// Whether the path of an entry begins so, as far as its key tells.
    fn may_begin(&self, route: &Route, name: &str) -> bool {
        if is_long(name) {
            return true;
        }
        // A raw query follows what the template has made; or it is a value that has a question mark.
        let cut = |name| str::split_once(name, '?').map(|(made, _)| made);
        let made = readings(name).flat_map(|name| [Some(name), cut(name)]).flatten();
        let told = made.map(|made| path_of(route, made));
        let told: Vec<Told> = told.filter(|told| !matches!(told, Told::Nothing)).collect();
        told.is_empty()
            || told.iter().any(|told| match told {
                Told::Path(path) => self.begins(path),
                Told::Nothing | Told::Part => true,
            })
    }

    fn begins(&self, name: &str) -> bool {
        let path = alike(name.split('?').next().unwrap_or_default());
        self.paths.iter().any(|own| own.begins(&path))
    }
}

/// What of a key's text may be the name that its route has made, all of it first: a host or a digest may follow it.
pub(in crate::rules) fn readings(text: &str) -> impl Iterator<Item = &str> {
    let ends = text.char_indices().filter(|(_, c)| ADDED.contains(c)).map(|(at, _)| at);
    [text.len()].into_iter().chain(ends.take(ENDS)).filter_map(|end| text.get(..end)).filter(|name| !name.is_empty())
}

/// Whether a name may end at more places than are looked at.
pub(in crate::rules) fn is_long(name: &str) -> bool {
    name.matches(ADDED).count() > ENDS
}

/// The path of a route's entry of which the template has made this.
fn path_of(route: &Route, made: &str) -> Told {
    let Some(values) = route.key.values_in(made) else { return Told::Nothing };
    let value = |wanted: &str| {
        values.iter().find_map(|(source, value)| match source {
            Source::Name(name) if name == wanted => value.as_deref().map(Cow::Borrowed),
            _ => None,
        })
    };
    PathPattern::render(&route.path, value).map_or(Told::Part, Told::Path)
}

/// What is compared of a text that may end anywhere: half of an encoded character says nothing.
pub(in crate::rules) fn beginning_alike(text: &str) -> String {
    let whole = match text.rfind('%') {
        Some(at) if at + 3 > text.len() => text.get(..at).unwrap_or_default(),
        _ => text,
    };
    alike(whole).trim_end_matches(char::REPLACEMENT_CHARACTER).to_owned()
}

/// What is compared of a text.
pub(in crate::rules) fn alike(text: &str) -> String {
    lower(&percent_decode_str(text).decode_utf8_lossy()).collect()
}
