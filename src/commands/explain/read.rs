//! What would become of a read: its route, its key, how long its answer lives, what drops it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE, ORIGIN};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::super::terminal::layout;
use super::asked::Asked;
use super::dropped_by::{self, DroppedBy};
use crate::config::{Config, duration};
use crate::fields::Detail;
use crate::policy::{Choices, LifetimeSource, SetCookie, credential_that_counts, is_credential};
use crate::rules::{Credential, EntryRef, Fill, Read, Route, RouteQuery, Tag};
use crate::store::key_name;

/// What is known of a read beforehand.
#[derive(Debug)]
pub(crate) struct Explained {
    method: String,
    target: String,
    route: Option<(Arc<Route>, usize)>,
    file: String,
    variables: BTreeMap<String, String>,
    place: Result<EntryRef, Detail>,
    /// Without a route: the sign of an identity, which only the origin's word lets past.
    credential: Option<Detail>,
    choices: Option<Choices>,
    fill: Option<Fill>,
    dropped_by: DroppedBy,
}

/// Asks the rules about a read that is kept in this place.
pub(super) fn explain(asked: &Asked, config: &Config, place: Result<EntryRef, Detail>) -> Explained {
    let path = asked.target.path();
    let read = Read { target: &asked.target, fields: &asked.fields, host: None, secure: asked.secure(config) };
    let routes = &config.proxy.rules.routes;
    let mut explained = Explained {
        method: asked.method.to_string(),
        target: asked.target.to_string(),
        route: None,
        file: config.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default(),
        variables: BTreeMap::new(),
        place,
        credential: None,
        choices: None,
        fill: None,
        dropped_by: dropped_by::told(config, path, asked.query()),
    };
    if let Some((route, captures)) = routes.find(path) {
        let line = routes.iter().position(|known| Arc::ptr_eq(known, route));
        let line = line.and_then(|index| config.route_lines.get(index)).copied().unwrap_or_default();
        explained.variables = variables(route, asked.query(), &captures);
        explained.fill =
            explained.place.is_ok().then(|| route.fill(&read).ok()).flatten().map(|fill| asked.as_sent(fill, config));
        explained.choices = Some(route.choices.clone());
        explained.route = Some((Arc::clone(route), line));
    } else if let Some(choices) = &config.proxy.rules.unrouted {
        let kept = explained.place.is_ok() && asked.data.is_none();
        explained.credential = credential_that_counts(&asked.fields, choices).filter(|_| kept);
        explained.choices = Some(choices.clone());
    }
    if asked.data.is_some() {
        explained.place = Err(Detail::RequestBody);
        explained.fill = None;
    }
    explained
}

fn variables(route: &Route, query: &str, captures: &crate::rules::Captures<'_>) -> BTreeMap<String, String> {
    let mut variables: BTreeMap<String, String> =
        captures.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    if let RouteQuery::Listed(names) = &route.query {
        for name in names {
            if let Some(value) = route.read_value(name, query, captures) {
                variables.insert(name.clone(), value.into_owned());
            }
        }
    }
    variables
}

impl Explained {
    /// For people.
    pub(super) fn text(&self) -> String {
        let mut lines = vec![("request", format!("{} {}", self.method, self.target))];
        lines.push(("route", self.route_text()));
        lines.extend(self.variables.iter().map(|(name, value)| ("variables", format!("{name} = {value}"))));
        match &self.place {
            Ok(place) => {
                lines.push(("key", key_name(&place.key)));
                // The other kinds of tags repeat the route, the path and the key.
                let own: Vec<&str> = place.tags.iter().filter_map(Tag::name).collect();
                if !own.is_empty() {
                    lines.push(("tags", own.join(", ")));
                }
            }
            Err(detail) => {
                let why = format!("{}: {}", detail.as_str(), detail.describe());
                lines.push(("bypass", format!("{why} Nothing is looked up, nothing stored.")));
            }
        }
        if let Some(detail) = self.credential {
            lines.push(("credential", format!("{}: {}", detail.as_str(), credential_text(detail))));
        }
        if let Some(choices) = &self.choices {
            lines.extend(self.lifetime_text(choices).into_iter().map(|text| ("lifetime", text)));
        }
        lines.extend(self.choices.iter().flat_map(storing_text).map(|text| ("stored", text)));
        if let Some((route, _)) = &self.route {
            lines.push(("in the key", query_text(&route.query)));
            lines.push(("in the key", format!("request fields {}", self.fields_in_key().join(", "))));
        }
        match &self.fill {
            Some(fill) => lines.push(("origin sees", fill_text(fill))),
            None => lines.push(("origin sees", "the request as it is".to_owned())),
        }
        if self.choices.is_some() {
            lines.extend(self.dropped_by.lines());
        }
        layout(&lines)
    }

    fn route_text(&self) -> String {
        match &self.route {
            Some((route, line)) if *route.name == *route.path.as_str() => {
                format!("{} ({}:{line})", route.name, self.file)
            }
            Some((route, line)) => format!("{}, path {} ({}:{line})", route.name, route.path.as_str(), self.file),
            None if self.choices.is_some() => "none: cached only as the origin itself says".to_owned(),
            None => "none, and [unrouted] cache = false".to_owned(),
        }
    }

    fn lifetime_text(&self, choices: &Choices) -> Vec<String> {
        let mut lines = vec![match (lifetime_source(choices), choices.ttl) {
            (Some(LifetimeSource::Override), ttl) => {
                let but =
                    if choices.override_private { "also no-store and private" } else { "but for no-store and private" };
                let ttl = ttl.map_or_else(|| "as `statuses` says".to_owned(), duration::show);
                format!("{ttl}, whatever the origin says, {but} (override_origin)")
            }
            (Some(_), Some(ttl)) => format!("{} (the route's ttl) where the origin names none", duration::show(ttl)),
            _ if choices.heuristics => "as the origin says, or guessed from Last-Modified (heuristics)".to_owned(),
            _ => "as the origin says; where it says nothing the answer is not stored".to_owned(),
        }];
        let statuses = choices.statuses.iter().filter(|(status, own)| own.is_some() || *status != 200);
        lines.extend(statuses.map(|(status, own)| match own.or(choices.ttl) {
            Some(own) => format!("{} for status {status}", duration::show(own)),
            None => format!("as the origin says for status {status}"),
        }));
        if let Some((route, _)) = self.route.as_ref().filter(|(route, _)| route.ttl_jitter > 0.0) {
            lines.push(format!("up to {} % less, to spread expiries", route.ttl_jitter * 100.0));
        }
        if let Some((route, _)) = self.route.as_ref().filter(|(route, _)| !route.settle.is_zero()) {
            lines.push(format!("not stored for {} after a write that drops it (settle)", duration::show(route.settle)));
        }
        for (window, why) in [
            (choices.stale_while_revalidate, "while it is renewed"),
            (choices.stale_if_error, "while the origin fails"),
        ] {
            if !window.is_zero() {
                lines
                    .push(format!("stale for {} more {why}, unless the origin says otherwise", duration::show(window)));
            }
        }
        lines
    }

    /// The names of the request fields that tell entries apart.
    fn fields_in_key(&self) -> Vec<String> {
        let Some((route, _)) = &self.route else { return Vec::new() };
        let mut names: Vec<String> = route.vary.iter().chain([&ORIGIN]).map(ToString::to_string).collect();
        if route.authorization == Credential::Key {
            names.push(AUTHORIZATION.to_string());
            names.push("other credentials".to_owned());
        }
        if route.cookies == Credential::Key {
            names.push(COOKIE.to_string());
        }
        names
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let place = self.place.as_ref().ok();
        let bypass = self.place.as_ref().err();
        json!({
            "kind": "read",
            "method": self.method,
            "target": self.target,
            "route": self.route.as_ref().map(|(route, line)| {
                json!({ "name": &*route.name, "file": self.file, "line": line, "path": route.path.as_str() })
            }),
            "variables": self.variables,
            "cached": place.is_some(),
            "bypass": bypass.map(|detail| json!({ "reason": detail.as_str(), "because": detail.describe() })),
            "credential": self.credential.map(|detail| {
                json!({ "reason": detail.as_str(), "because": credential_text(detail) })
            }),
            "key": place.map(|place| key_name(&place.key)),
            "tags": place.map(|place| place.tags.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap_or_default(),
            "lifetime": self.choices.as_ref().map(|choices| self.lifetime_json(choices)),
            "storing": self.choices.as_ref().map(|choices| {
                json!({ "set_cookie": choices.set_cookie.as_str(), "close_delimited": choices.close_delimited })
            }),
            "fields_in_key": self.fields_in_key(),
            "fill": self.fill.as_ref().map(|fill| json!({ "target": fill.target.as_str(), "fields": shown_fields(&fill.fields) })),
            "dropped_by": self.dropped_by.json(),
            "spared_by": self.dropped_by.spared_json(),
        })
    }

    fn lifetime_json(&self, choices: &Choices) -> Value {
        let statuses: Map<String, Value> = choices
            .statuses
            .iter()
            .filter(|_| choices.routed)
            .map(|(status, own)| (status.to_string(), json!(own.or(choices.ttl).map(|ttl| ttl.as_secs_f64()))))
            .collect();
        json!({
            "source": lifetime_source(choices).map_or("origin", LifetimeSource::as_str),
            "seconds": choices.ttl.map(|ttl| ttl.as_secs_f64()),
            "statuses": statuses,
            "settle": self.route.as_ref().map_or(0.0, |(route, _)| route.settle.as_secs_f64()),
            "jitter": self.route.as_ref().map_or(0.0, |(route, _)| route.ttl_jitter),
            "stale_while_revalidate": choices.stale_while_revalidate.as_secs_f64(),
            "stale_if_error": choices.stale_if_error.as_secs_f64(),
        })
    }
}

/// Who gives an answer of status 200 its lifetime; `None` is the origin alone.
fn lifetime_source(choices: &Choices) -> Option<LifetimeSource> {
    let overriding: Option<Duration> = choices.overriding_lifetime(StatusCode::OK);
    if overriding.is_some() {
        return Some(LifetimeSource::Override);
    }
    choices.route_lifetime(StatusCode::OK).map(|(_, source)| source)
}

/// What is stored that would not be, had nobody said so.
fn storing_text(choices: &Choices) -> Vec<String> {
    let cookies = match choices.set_cookie {
        SetCookie::Refuse => None,
        SetCookie::Store => Some("with the cookie that it sets, where the origin says how long it is fresh"),
        SetCookie::Strip => Some("without the cookie that it sets, and nobody who gets what is stored is sent one"),
    };
    let body = choices.close_delimited.then_some("also if it ends with the connection, whole or cut short");
    cookies.into_iter().chain(body).map(str::to_owned).collect()
}

/// What a credential does where no route speaks (RFC 9111 section 3.5).
fn credential_text(detail: Detail) -> String {
    let unless = "It bypasses the store, unless the origin says public, s-maxage or must-revalidate in its answer.";
    format!("{} {unless}", detail.describe())
}

fn query_text(query: &RouteQuery) -> String {
    match query {
        RouteQuery::Raw => "the whole query, byte for byte".to_owned(),
        RouteQuery::Listed(names) if names.is_empty() => "nothing of the query".to_owned(),
        RouteQuery::Listed(names) => format!("query parameters {}", names.join(", ")),
    }
}

fn fill_text(fill: &Fill) -> String {
    let fields: Vec<String> =
        shown_fields(&fill.fields).iter().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("GET {} with {} and nothing else of the request", fill.target, fields.join(", "))
}

/// Fields with their values, but for credentials.
fn shown_fields(fields: &HeaderMap) -> BTreeMap<String, String> {
    let shown = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let secret = *name == AUTHORIZATION || *name == COOKIE || is_credential(name);
        let value =
            if secret { "(not shown)".to_owned() } else { String::from_utf8_lossy(value.as_bytes()).into_owned() };
        (name.to_string(), value)
    };
    fields.iter().map(shown).collect()
}
