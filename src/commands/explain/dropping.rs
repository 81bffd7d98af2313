//! One thing that a write drops, in words.

use serde_json::{Value, json};

use crate::rules::{Cause, Invalidation, RequestPattern, Routes, Scope, Tag, UNROUTED};

/// As in `/fruit/{id}: the entry fruit:1 in all its variants, because of PUT /fruit/{id}`. `paths` are those that the write may
/// write; `routes` say what the cause is.
pub(super) fn text(drop: &Invalidation, paths: &[&str], routes: &Routes) -> String {
    let route = match drop.route.as_deref() {
        Some(UNROUTED) => "paths without a route: ",
        Some(name) => &format!("{name}: "),
        None => "",
    };
    format!("{route}{}, because {}", what(drop), because(drop, paths, routes))
}

fn what(drop: &Invalidation) -> String {
    let named = drop.tag.shown();
    let is = |tag: fn(&str) -> Tag| drop.route.as_deref().is_some_and(|route| drop.tag == tag(route));
    match drop.scope {
        Scope::Entry => format!("the entry {named} in all its variants"),
        Scope::Path => format!("{}, whatever the query", if named.is_empty() { "/" } else { named }),
        Scope::Route if is(Tag::fetched) => "every entry but what a write left in the cache alone".to_owned(),
        Scope::Route => "every entry".to_owned(),
        Scope::Tag if is(Tag::odd) => "entries with a value that backends read differently".to_owned(),
        Scope::Tag if is(Tag::absent) => "entries that lack a value of the key".to_owned(),
        Scope::Tag if drop.tag == Tag::odd_names() => "whatever has a tag that backends read differently".to_owned(),
        Scope::Tag => format!("whatever has the tag {named}"),
        Scope::Unlisted => "every route without `invalidated_by`".to_owned(),
        Scope::Everything => "everything".to_owned(),
    }
}

/// The reason of an invalidation as a person reads it.
fn because(drop: &Invalidation, paths: &[&str], routes: &Routes) -> String {
    let in_it =
        drop.route.as_deref() == Some(UNROUTED) && !paths.iter().any(|path| drop.tag.is_of_path(UNROUTED, path));
    let request = || routes.request_of(&drop.cause).map_or("", RequestPattern::as_str);
    match &drop.cause {
        Cause::Unlisted => "any write may have changed it".to_owned(),
        Cause::Target if in_it => "what the write is sent to lies in it".to_owned(),
        Cause::Target => "it is what the write is sent to".to_owned(),
        Cause::Path => "it lies around what the write is sent to".to_owned(),
        Cause::Rule(..) => format!("of {}", request()),
        Cause::Write(..) => format!("of [[write]] {}", request()),
        Cause::Policy(_) => format!("of the write policy of {}", request()),
        Cause::Named => "the answer names it".to_owned(),
        Cause::Groups => "the answer names its group".to_owned(),
    }
}

/// For programs.
pub(super) fn json(drop: &Invalidation, paths: &[&str], routes: &Routes) -> Value {
    let scope = match drop.scope {
        Scope::Entry => "entry",
        Scope::Path => "path",
        Scope::Route => "route",
        Scope::Tag => "tag",
        Scope::Unlisted => "unlisted",
        Scope::Everything => "everything",
    };
    json!({
        "route": drop.route.as_deref(),
        "scope": scope,
        "tag": drop.tag.as_str(),
        "because": because(drop, paths, routes),
    })
}
