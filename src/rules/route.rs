//! One route: what of a request is in the key, and what the origin sees on a fill.

mod invalidation;
mod tags;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, COOKIE, HeaderName, HeaderValue, ORIGIN};
use http::uri::PathAndQuery;

pub(super) use self::invalidation::{parent, push_named};

use super::canonical::is_spelt_plainly;
use super::document::LazyJson;
use super::key::fingerprint;
use super::pattern::{Captures, PathPattern, Source, Template};
use super::read::{Bypass, Found, Read, encode, find_parameter};
use super::write_policy::WritePolicy;
use super::write_rule::{Condition, InvalidatedBy, WriteRule};
use crate::fields::Detail;
use crate::policy::{Choices, is_credential};

/// Which query parameters count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteQuery {
    /// Every one, byte for byte.
    Raw,
    /// Only these, in this order; the origin sees no others on a fill.
    Listed(Vec<String>),
}

/// What becomes of a request that carries a credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Credential {
    /// Neither looked up nor stored.
    #[default]
    Bypass,
    /// Served as if it were not there; the origin does not see it on a fill.
    Ignore,
    /// Its hash is in the key: an entry per identity.
    Key,
}

/// Appends those of these parameters that a query has once, each with its value.
fn push_listed(target: &mut String, first: &str, names: &[String], query: &str) {
    let mut separator = first;
    for name in names {
        if let Found::Once(value) = find_parameter(query, name) {
            let _ = write!(target, "{separator}{}={}", encode(name), encode(&value));
            separator = "&";
        }
    }
}

/// Adds a field to JSON object answers that says whether they came from the cache.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotate {
    /// The field's name.
    pub field: String,
    /// Its value on a hit.
    pub hit: serde_json::Value,
    /// Its value on a miss.
    pub miss: serde_json::Value,
}

/// What the origin sees on a fill: a function of the key, and of nothing else in the request.
#[derive(Clone, Debug)]
pub struct Fill {
    /// Path and query.
    pub target: PathAndQuery,
    /// The keyed fields.
    pub fields: HeaderMap,
}

/// One `[[route]]`, compiled.
#[derive(Clone, Debug)]
pub struct Route {
    /// Label in logs and tags.
    pub name: Arc<str>,
    /// The paths it speaks of.
    pub path: PathPattern,
    /// The query parameters that count.
    pub query: RouteQuery,
    /// The request fields in the key.
    pub vary: Vec<HeaderName>,
    /// The stored key.
    pub key: Template,
    /// Freshness and storing, in the terms of `policy`: kept there as `Choices`, built once by `config`.
    pub choices: Choices,
    /// Spreads expiries: at most this share of the lifetime is taken off, 0.0 to 1.0.
    pub ttl_jitter: f64,
    /// What a Cookie does.
    pub cookies: Credential,
    /// What Authorization and its kin do.
    pub authorization: Credential,
    /// Whether to make an entity tag where the origin sends no validator.
    pub etag: bool,
    /// Whether a connection may become a WebSocket; `None` for what the origin says for all.
    pub upgrade: Option<bool>,
    /// An answer of which all of these hold is not stored; empty for none.
    pub unless: Vec<Condition>,
    /// Extra tags.
    pub tags: Vec<Template>,
    /// The writes that drop entries.
    pub invalidated_by: InvalidatedBy,
    /// For how long after a write reads of what it has invalidated pass through unstored; zero for not at all.
    pub settle: Duration,
    /// The field to add to JSON answers.
    pub annotate: Option<Annotate>,
    /// What a write does to the entry it writes.
    pub write: Option<WritePolicy>,
    /// Whether answers may be sent in a content coding that the client accepts.
    pub compress: bool,
    /// What of the file shapes its entries, as [`super::Routes::new`] makes it.
    pub fingerprint: u64,
}

impl Route {
    pub(super) fn is_unlisted(&self) -> bool {
        self.invalidated_by == InvalidatedBy::Every
    }

    /// What the origin sees on a fill of this read's place; nothing where that cannot be written as a target, so that no other
    /// one is asked for instead.
    pub fn fill(&self, read: &Read<'_>) -> Result<Fill, Bypass> {
        let target = self.asked_for(read).ok_or(Bypass(Detail::QueryAmbiguous))?;
        Ok(Fill { target, fields: self.fill_fields(read) })
    }

    fn asked_for(&self, read: &Read<'_>) -> Option<PathAndQuery> {
        let query = read.query();
        let names = match &self.query {
            RouteQuery::Raw if read.target.query() == Some("") => return read.path().parse().ok(),
            RouteQuery::Raw => return Some(read.target.clone()),
            RouteQuery::Listed(names) => names,
        };
        let mut target = read.path().to_owned();
        push_listed(&mut target, "?", names, query);
        target.parse().ok()
    }

    /// What of a query may be shown to people, as the origin would see it: the parameters that the route lists, and of
    /// others not even the names. `None` where that is nothing.
    pub fn shown_query(&self, query: &str) -> Option<Box<str>> {
        let RouteQuery::Listed(names) = &self.query else { return None };
        if query.is_empty() {
            return None;
        }
        let mut shown = String::new();
        push_listed(&mut shown, "", names, query);
        (!shown.is_empty()).then(|| shown.into())
    }

    /// Whether the route says of this JSON answer that it is not to be stored. Something that is no JSON is.
    pub fn excludes(&self, answer: &LazyJson<'_>) -> bool {
        let met = |answer| self.unless.iter().all(|condition| condition.is_met_by(answer));
        !self.unless.is_empty() && answer.get().is_some_and(met)
    }

    /// The decoded value that a read gives a variable: from the path, else from the query.
    pub fn read_value<'a>(&self, name: &str, query: &'a str, captures: &Captures<'_>) -> Option<Cow<'a, str>> {
        if let Some(value) = captures.get(name) {
            return Some(Cow::Owned(value.to_owned()));
        }
        match find_parameter(query, name) {
            Found::Once(value) => Some(value),
            Found::Absent | Found::Ambiguous => None,
        }
    }

    /// The text of a read's key; `None` where the query tells a value in two ways.
    pub(super) fn render<'v>(&self, query: &'v str, captures: &'v Captures<'_>) -> Option<String> {
        self.key.render(|source| {
            let Source::Name(name) = source else { return None };
            if let Some(value) = captures.get(name) {
                return Some(Some(Cow::Borrowed(value)));
            }
            match find_parameter(query, name) {
                Found::Once(value) => Some(Some(value)),
                Found::Absent => Some(None),
                Found::Ambiguous => None,
            }
        })
    }

    /// Whether this request's answer is for one identity alone, because the route keys a credential that it carries.
    pub fn keys_identity_of(&self, fields: &HeaderMap) -> bool {
        (self.cookies == Credential::Key && fields.contains_key(COOKIE))
            || (self.authorization == Credential::Key
                && (fields.contains_key(AUTHORIZATION) || fields.keys().any(is_credential)))
    }

    /// Refuses a request whose credentials send it past this route's entries.
    pub fn refuse_credentials(&self, fields: &HeaderMap) -> Result<(), Bypass> {
        if self.authorization == Credential::Bypass {
            if fields.contains_key(AUTHORIZATION) {
                return Err(Bypass(Detail::Authorization));
            }
            if fields.keys().any(is_credential) {
                return Err(Bypass(Detail::Credential));
            }
        }
        if self.cookies == Credential::Bypass && fields.contains_key(COOKIE) {
            return Err(Bypass(Detail::Cookie));
        }
        Ok(())
    }

    /// The fields of this request that are part of the key: those of `vary`, Origin, and credentials where keyed.
    fn keyed<'a>(&'a self, fields: &'a HeaderMap) -> impl Iterator<Item = &'a HeaderName> {
        let identity = self.authorization == Credential::Key;
        let authorization = identity.then_some(&AUTHORIZATION);
        let credentials = identity.then(|| fields.keys().filter(|name| is_credential(name))).into_iter().flatten();
        let cookie = (self.cookies == Credential::Key).then_some(&COOKIE);
        self.vary.iter().chain([&ORIGIN]).chain(authorization).chain(credentials).chain(cookie)
    }

    /// A text of the keyed fields that differ from what a plain client sends, and of the path where it is spelt otherwise,
    /// for its variables are decoded and the origin sees it as it is; `None` when nothing differs.
    pub(super) fn selecting(&self, read: &Read<'_>) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        for name in self.keyed(read.fields) {
            if let Some(value) = keyed_value(read.fields, name) {
                // Once: a browser's fields would else make it grow four times.
                text.reserve(SELECTING.saturating_sub(text.len()));
                text.extend_from_slice(name.as_str().as_bytes());
                text.extend_from_slice(format!(":{}:", value.len()).as_bytes());
                text.extend_from_slice(&value);
            }
        }
        // No field's name begins with a slash.
        if !is_spelt_plainly(read.path()) {
            text.extend_from_slice(read.path().as_bytes());
        }
        (!text.is_empty()).then_some(text)
    }

    /// What shapes an entry of this route. The rules that invalidate it are a part of that: what an earlier, narrower file
    /// has left may be invalid already. `surroundings` is what shapes the answers of all routes.
    pub(super) fn shaped_by(&self, writes: &[WriteRule], surroundings: &str) -> u64 {
        let Self { path, query, vary, key, choices, cookies, authorization, etag, .. } = self;
        let Self { unless, tags, invalidated_by, write, .. } = self;
        let asked = format!("{path:?} {query:?} {vary:?} {key:?} {cookies:?} {authorization:?}");
        let kept = format!("{etag} {unless:?} {tags:?} {invalidated_by:?} {write:?}");
        fingerprint([&*asked, &storing(choices), &kept, &format!("{writes:?}"), surroundings])
    }

    fn fill_fields(&self, read: &Read<'_>) -> HeaderMap {
        let fields = read.fields;
        let mut sent = HeaderMap::new();
        let scheme = HeaderValue::from_static(if read.secure { "https" } else { "http" });
        sent.insert(X_FORWARDED_PROTO, scheme);
        sent.insert(ACCEPT, HeaderValue::from_static("*/*"));
        for name in self.keyed(fields) {
            if let Some(value) = keyed_value(fields, name).and_then(|value| HeaderValue::from_bytes(&value).ok()) {
                sent.insert(name.clone(), value);
            }
        }
        sent
    }
}

/// The scheme is in the key, so the origin may know it: an app that sends everybody to https must not do so for ever.
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Room for most texts of selecting fields.
const SELECTING: usize = 256;

/// A keyed field's value, its lines combined; `None` where it says no more than its absence does.
pub(super) fn keyed_value<'f>(fields: &'f HeaderMap, name: &HeaderName) -> Option<Cow<'f, [u8]>> {
    let mut lines = fields.get_all(name).iter();
    let mut value = Cow::Borrowed(lines.next()?.as_bytes().trim_ascii());
    for line in lines {
        let value = value.to_mut();
        value.extend_from_slice(if *name == COOKIE { b"; " } else { b", " });
        value.extend_from_slice(line.as_bytes().trim_ascii());
    }
    let says_nothing = (*name == ACCEPT && *value == *b"*/*") || (*name == ACCEPT_LANGUAGE && *value == *b"*");
    (!says_nothing).then_some(value)
}

/// The choices that shape what is stored, and whether it is.
pub(super) fn storing(choices: &Choices) -> String {
    let lifetimes_aside = Choices {
        ttl: None,
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        ..choices.clone()
    };
    format!("{lifetimes_aside:?}")
}
