//! What a purge stands for, over all routes and the paths without one: too much where it cannot be told, never too little.

use std::borrow::Cow;

use http::HeaderMap;
use http::uri::PathAndQuery;

use super::{Routes, UNROUTED_NAME};
use crate::fields::is_host;
use crate::rules::UNROUTED;
use crate::rules::canonical::write_paths;
use crate::rules::entry::{EntryRef, place};
use crate::rules::hosts::KeyedHost;
use crate::rules::invalidation::{Cause, Invalidation};
use crate::rules::pattern::Source;
use crate::rules::purge::{Beginning, ENDS, Purge, Purging, Unnamed, alike, beginning_alike, is_long, readings};
use crate::rules::read::Read;
use crate::rules::route::Route;
use crate::rules::tag::{Tag, path_tag};

/// A longer text is none of anybody's keys, tags or routes.
const LONGEST: usize = 8 << 10;

impl Routes {
    /// What a purge stands for. `prefix` is what every key in the store begins with, and may stand before a key or not.
    pub fn purging(&self, purge: Purge, prefix: &str) -> Result<Purging, Unnamed> {
        let field = purge.field();
        let refuse = |why: String| Unnamed { field, why };
        let text = purge.text();
        if text.is_empty() && purge != Purge::All {
            return Err(refuse(format!("`{field}` is empty: write what is to be purged, or `all` for everything.")));
        }
        if text.len() > LONGEST {
            return Err(refuse(format!("`{field}` is longer than {LONGEST} bytes.")));
        }
        let (mut names, mut beginning) = (Vec::new(), None);
        let mut tags = match &purge {
            Purge::Key(key) => self.of_key(key, prefix, &mut names).map_err(refuse)?,
            Purge::Url(url) => self.of_url(&target_of(url).map_err(refuse)?, &mut names),
            Purge::Tag(tag) => self.of_tag(tag).map_err(refuse)?,
            Purge::Route(name) => self.of_route(name).map_err(refuse)?,
            // Every key begins so.
            Purge::Prefix(text) if prefix.starts_with(text) => vec![Tag::everything()],
            Purge::Prefix(text) => {
                let (tags, narrower) = self.of_prefix(text, prefix).map_err(refuse)?;
                beginning = Some(narrower);
                tags
            }
            Purge::All => vec![Tag::everything()],
        };
        tags.sort_unstable();
        tags.dedup();
        Ok(Purging { purge, tags, names, beginning })
    }

    fn of_key(&self, text: &str, prefix: &str, names: &mut Vec<String>) -> Result<Vec<Tag>, String> {
        let of_meta = text.strip_prefix('{').and_then(|rest| rest.strip_suffix("}:meta"));
        let whole = of_meta.unwrap_or(text);
        let texts = without(whole, prefix);
        if is_long(whole) {
            return Err(format!("it has more than {ENDS} `@` or `#`: purge its URL, or its route."));
        }
        let mut tags = Vec::new();
        for name in texts.iter().flat_map(|text| readings(text)) {
            names.push(name.to_owned());
            for route in self.iter() {
                of_name(route, name, &mut tags);
            }
            if name.starts_with('/') {
                let path = name.split('?').next().unwrap_or_default();
                tags.push(path_tag(UNROUTED, path));
            }
        }
        if tags.is_empty() {
            let keys: Vec<&str> = self.iter().map(|route| route.key.as_str()).take(5).collect();
            return Err(match &*keys {
                [] => "no route makes keys; the key of a path without a route is the path itself.".to_owned(),
                keys => format!("no route makes such a key; the file makes keys such as {}.", keys.join(", ")),
            });
        }
        Ok(tags)
    }

    fn of_url(&self, target: &PathAndQuery, names: &mut Vec<String>) -> Vec<Tag> {
        let path = target.path();
        let mut tags = vec![path_tag(UNROUTED, path)];
        if let Some((route, captures)) = self.find(path) {
            let (host, secure) = (Some(KeyedHost::Known), false);
            let read = Read { target, fields: &HeaderMap::new(), host, secure };
            if let Ok(at) = place(route, &read, &captures) {
                names.push(at.key.name.clone());
                of_entry(route, &at, &mut tags);
                return tags;
            }
        }
        // No answer to this very spelling is stored by a route: whatever it may mean.
        names.push(target.as_str().to_owned());
        for path in write_paths(path) {
            let mut drops: Vec<Invalidation> = Vec::new();
            for route in self.iter() {
                route.path(&path, &Cause::Target, &mut drops);
            }
            tags.extend(drops.iter().filter_map(|drop| drop.route.as_deref()).map(Tag::all_around));
            tags.extend(drops.into_iter().map(|drop| drop.tag));
            tags.push(path_tag(UNROUTED, &path));
        }
        tags
    }

    fn of_tag(&self, text: &str) -> Result<Vec<Tag>, String> {
        if text.matches(':').count() > ENDS {
            return Err(format!("it has more than {ENDS} colons, of which each may end a host: purge its route."));
        }
        let mut tags = vec![Tag::odd_names()];
        of_named(text, &mut tags);
        of_named(bare(text), &mut tags);
        tags.extend(Tag::of_cut(text));
        // As the log and `explain` spell what a write drops; it may be somebody's own name, too.
        let spelt = Tag::from_stored(text);
        let mut names = self.iter().map(|route| &*route.name).chain([UNROUTED]);
        if spelt == Tag::unlisted() || names.any(|name| spelt.is_within(name)) {
            tags.push(spelt);
        }
        tags.extend(text.strip_prefix("n:").map(Tag::named));
        if let Some(group) = text.strip_prefix("g:") {
            of_named(group, &mut tags);
        }
        Ok(tags)
    }

    fn of_route(&self, name: &str) -> Result<Vec<Tag>, String> {
        let known = self.iter().map(|route| &route.name).find(|known| ***known == *name);
        let known = known.or_else(|| [UNROUTED, "-"].contains(&name).then_some(&*UNROUTED_NAME));
        known.map(|name| of_whole_route(name).to_vec()).ok_or_else(|| {
            let names: Vec<&str> = self.iter().map(|route| &*route.name).take(20).collect();
            let names = [&names[..], &[UNROUTED]].concat().join(", ");
            format!("no route has this name; the routes are {names}.")
        })
    }

    /// Every route in which an entry may begin so, and which of its entries do.
    fn of_prefix(&self, text: &str, prefix: &str) -> Result<(Vec<Tag>, Beginning), String> {
        let target = text.contains("://").then(|| target_of(text)).transpose()?;
        let mut texts = without(text, prefix);
        texts.extend(target.as_ref().map(PathAndQuery::as_str));
        let alike_texts: Vec<String> = texts.iter().map(|text| beginning_alike(text)).collect();
        let begins = |own: &str| {
            let own = alike(own);
            alike_texts.iter().any(|text| own.starts_with(text) || text.starts_with(&own))
        };
        let routes: Vec<_> = self
            .iter()
            .filter(|route| begins(route.key.beginning()) || begins(beginning(route.path.as_str())))
            .cloned()
            .collect();
        let of_unrouted = begins("/");
        if routes.is_empty() && !of_unrouted {
            return Err("no key and no path begins so.".to_owned());
        }
        let names = routes.iter().map(|route| &*route.name).chain(of_unrouted.then_some(UNROUTED));
        let tags = names.flat_map(of_whole_route).collect();
        Ok((tags, Beginning::new(&texts, routes, of_unrouted)))
    }
}

/// All of a route, what its write policy has left among it.
fn of_whole_route(name: &str) -> [Tag; 2] {
    [Tag::route(name), Tag::all_around(name)]
}

/// The text, and what is left of it without the prefix that is put before every key.
fn without<'t>(text: &'t str, prefix: &str) -> Vec<&'t str> {
    let rest = text.strip_prefix(prefix).filter(|_| !prefix.is_empty());
    std::iter::once(text).chain(rest).collect()
}

/// The tags of a route's key with this name, if it can have one.
fn of_name(route: &Route, name: &str, tags: &mut Vec<Tag>) {
    // A raw query follows what the template has made.
    let cut = name.split_once('?').map(|(made, _)| made);
    for made in std::iter::once(name).chain(cut) {
        let Some(values) = route.key.values_in(made) else { continue };
        tags.extend(of_values(route, |source| {
            let (_, value) = values.iter().find(|(known, _)| *known == source)?;
            Some(value.as_deref().map(Cow::Borrowed))
        }));
        tags.push(Tag::around(&route.name, name));
    }
}

/// The tags of what a read of a route is answered with, all its variants.
fn of_entry(route: &Route, at: &EntryRef, tags: &mut Vec<Tag>) {
    // Word for word, where a write policy has left it in the cache alone under an odd value.
    tags.extend(at.tags.iter().filter(|tag| tag.is_of_key() || tag.is_exact()).cloned());
    if !at.tags.iter().any(Tag::is_of_key) {
        tags.push(Tag::odd(&route.name));
    }
    tags.push(at.around_tag());
}

fn of_values<'v>(route: &Route, value: impl Fn(&Source) -> Option<Option<Cow<'v, str>>>) -> Vec<Tag> {
    match route.key_forms(&value) {
        Some(forms) => forms.of_write(&route.name, Tag::key).into_iter().take(1).collect(),
        None => std::iter::once(Tag::odd(&route.name)).chain(route.exact_key_tag(&value)).collect(),
    }
}

/// What a tag with this text is called, as a file or a response has it.
fn of_named(text: &str, tags: &mut Vec<Tag>) {
    tags.extend([Tag::named(text), Tag::cache_group("", text)]);
    // A group of cached responses is one host's: `shop.example:news`.
    let groups = text.match_indices(':').filter_map(|(at, _)| Some((text.get(..at)?, text.get(at + 1..)?)));
    tags.extend(groups.flat_map(|(host, name)| [name, bare(name)].map(|name| Tag::cache_group(host, name))));
}

/// A name without the quotation marks that it has in an answer's field.
fn bare(name: &str) -> &str {
    name.trim().trim_matches('"')
}

/// Path and query of a URL, or of what is left of one without scheme and host.
fn target_of(url: &str) -> Result<PathAndQuery, String> {
    let target = match url.split_once("://") {
        Some((scheme, rest)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
            let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            let is_http = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
            let rest = rest.split('#').next().unwrap_or_default();
            let rest = if rest.starts_with('/') { Cow::Borrowed(rest) } else { format!("/{rest}").into() };
            if is_http && is_host(host) { rest.parse().ok() } else { None }
        }
        _ if url.starts_with('/') => url.split('#').next().and_then(|path| path.parse().ok()),
        _ => None,
    };
    target.ok_or_else(|| {
        "this is no URL: write a path, as in /fruit/1?page=2, or all of it, as in https://shop.example/fruit/1."
            .to_owned()
    })
}

/// What stands before the first variable of a pattern.
fn beginning(pattern: &str) -> &str {
    pattern.split('{').next().unwrap_or_default()
}
