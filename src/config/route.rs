//! `[[route]]`: which paths are cached, under which key, for how long, and what drops them.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::condition;
use super::duration::{RawDuration, at_most};
use super::findings::{Findings, Problem, Text};
use super::forms::{Entries, Json, List, TextOr, Word, WordOrList, Words};
use super::invalidated_by::{self, RawRule};
use super::key::{ReadNames, key, query, tags, vary};
use super::size::{RawShare, RawSize};
use super::statuses::{self, RawStatusTtl};
use super::table::{Hint, Level, Table};
use super::write_policy::{self, RawWritePolicy};
use crate::policy::{Choices, SetCookie};
use crate::rules::{Annotate, Credential, PathPattern, Route, UNROUTED, is_canonical};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [[route]] and its keys below it, as in path = \"/orders/{page}\""
)]
pub(super) struct RawRoute {
    path: Option<Text>,
    name: Option<Text>,
    query: Option<Spanned<List<Text>>>,
    vary: Option<List<Text>>,
    key: Option<Text>,
    ttl: Option<Spanned<RawDuration>>,
    override_origin: Option<Spanned<bool>>,
    override_private: Option<Spanned<bool>>,
    stale_while_revalidate: Option<RawDuration>,
    stale_if_error: Option<RawDuration>,
    ttl_jitter: Option<RawShare>,
    statuses: Option<Entries<RawStatusTtl>>,
    cookies: Option<Word<Credentials>>,
    authorization: Option<Word<Credentials>>,
    max_body: Option<RawSize>,
    set_cookie: Option<Spanned<Word<SettingCookies>>>,
    close_delimited: Option<bool>,
    request_directives: Option<Word<RequestDirectives>>,
    etag: Option<bool>,
    upgrade: Option<bool>,
    unless: Option<Entries<Json>>,
    tags: Option<List<Text>>,
    invalidated_by: Option<Spanned<WordOrList<Spanned<TextOr<RawRule>>>>>,
    settle: Option<Spanned<RawDuration>>,
    annotate: Option<Spanned<RawAnnotate>>,
    write: Option<Spanned<RawWritePolicy>>,
    compress: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite annotate = { field = \"from_cache\", hit = true, miss = false }"
)]
pub(super) struct RawAnnotate {
    field: Option<Text>,
    hit: Option<Json>,
    miss: Option<Json>,
}

impl Table for RawRoute {
    const TITLE: &'static str = "[[route]]";
    const BELOW: &'static [(&'static str, &'static Level)] =
        &[("annotate", RawAnnotate::LEVEL), ("invalidated_by", RawRule::LEVEL), ("write", RawWritePolicy::LEVEL)];
    const LIST: Option<&'static str> = Some("write [[route]] instead of [route]");
    const HINTS: &'static [Hint] = &[
        Hint::here(
            &["url", "uri", "pattern", "match", "location", "prefix", "endpoint"],
            "write path = \"/orders/{page}\"",
        ),
        Hint::here(
            &["cache", "enabled", "disabled"],
            "delete it: a path is cached if it has a [[route]]; without one the origin's Cache-Control decides",
        ),
        Hint::here(&["group", "groups"], "delete it: a write drops whatever it may have changed, on every route"),
        Hint::here(
            &["timeout"],
            "write `ttl` for how long an answer is kept, or `response_timeout` in [origin] for how long the origin may take",
        ),
        Hint::here(
            &["methods", "method"],
            "delete it: answers to GET and HEAD are cached, everything else is forwarded",
        ),
        Hint::here(&["grace", "stale"], "write `stale_while_revalidate` or `stale_if_error`"),
        Hint::here(&["heuristic"], "write heuristics = true in [unrouted]: it is for paths without a route"),
        Hint::anywhere(
            &["routes", "location", "locations", "rules", "endpoints", "paths"],
            "write [[route]] above the keys of each route",
        ),
        Hint::anywhere(
            &[
                "cache_ttl",
                "max_age",
                "s_maxage",
                "expire",
                "expires",
                "expiry",
                "expiration",
                "lifetime",
                "default_ttl",
                "cache_time",
                "cache_for",
                "proxy_cache_valid",
            ],
            "write ttl = \"10m\" in a [[route]]",
        ),
        Hint::anywhere(
            &["headers", "vary_by", "vary_on", "vary_headers", "header_keys"],
            "write vary = [\"Accept\", \"Accept-Language\"] in a [[route]]",
        ),
        Hint::anywhere(
            &["params", "parameters", "query_params", "query_string", "args"],
            "write query = [\"page\"] in a [[route]]",
        ),
        Hint::anywhere(&["cache_key", "key_template", "keys"], "write key = \"orders:{page}\" in a [[route]]"),
        Hint::anywhere(&["swr"], "write stale_while_revalidate = \"30s\" in a [[route]]"),
        Hint::anywhere(&["sie"], "write stale_if_error = \"1d\" in a [[route]]"),
        Hint::anywhere(&["jitter"], "write ttl_jitter = \"10%\" in a [[route]]"),
        Hint::anywhere(
            &["negative_ttl", "negative_cache", "status", "codes", "status_ttl"],
            "write statuses = { 404 = \"10s\" } in a [[route]]",
        ),
        Hint::anywhere(
            &["max_size", "max_body_size", "body_limit", "client_max_body_size"],
            "write `max_body` in a [[route]] to limit what is stored, or `request_body` in [limits] to limit what is accepted",
        ),
        Hint::anywhere(&["auth"], "write authorization = \"bypass\", \"ignore\" or \"key\" in a [[route]]"),
        Hint::anywhere(&["override", "ignore_origin", "force"], "write override_origin = true in a [[route]]"),
    ];
}

impl Table for RawAnnotate {
    const TITLE: &'static str = "annotate";
}

/// What becomes of answers that set a cookie.
#[derive(Clone, Copy, Debug)]
struct SettingCookies;

impl Words for SettingCookies {
    type Meaning = SetCookie;
    const WORDS: &'static [(&'static str, SetCookie)] = &[("refuse", SetCookie::Refuse), ("strip", SetCookie::Strip)];
}

/// Whether a client's own Cache-Control counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestDirectives;

impl Words for RequestDirectives {
    type Meaning = bool;
    const WORDS: &'static [(&'static str, bool)] = &[("honour", true), ("ignore", false)];
}

/// What becomes of requests with a credential.
#[derive(Clone, Copy, Debug)]
struct Credentials;

impl Words for Credentials {
    type Meaning = Credential;
    const WORDS: &'static [(&'static str, Credential)] =
        &[("bypass", Credential::Bypass), ("ignore", Credential::Ignore), ("key", Credential::Key)];
}

/// The largest body that is stored unless the file says otherwise.
pub(super) const MAX_BODY: u64 = 1 << 20;

/// A replica that lags behind by more is no replica to read from.
const LONGEST_SETTLE: Duration = Duration::from_secs(3_600);

const STALE_IF_ERROR: Duration = Duration::from_secs(3_600);

/// A route, and the places that errors about several routes point at.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) route: Route,
    /// Its `[[route]]` line.
    pub(super) header: Range<usize>,
    pub(super) path: Range<usize>,
    /// Where its name is, or its path where it has none of its own.
    pub(super) name: Range<usize>,
    /// Where its key is, likewise.
    pub(super) key: Range<usize>,
    /// Where its write policy is.
    pub(super) write: Option<Range<usize>>,
}

/// One route; `None` when it has no path to speak of.
pub(super) fn resolve(raw: Spanned<RawRoute>, findings: &mut Findings<'_>) -> Option<Draft> {
    let header = raw.span();
    let mut table = raw.into_inner();
    let path_place = table.path.as_ref().map_or_else(|| header.clone(), Spanned::span);
    let path = if let Some(text) = table.path.take() {
        path(&text, findings)
    } else {
        findings.lacks(header.clone(), &[], "`path` is missing", "add path = \"/orders/{page}\"");
        None
    };
    // Without it the rest is judged all the same, but for what depends on it.
    let is_whole = path.is_some();
    if !is_whole {
        findings.unread(&path_place, Some("path"));
    }
    let path = path.or_else(|| PathPattern::parse("/").ok())?;
    let query = query(table.query.take(), &path, table.key.as_ref(), findings);
    let names = ReadNames { path: &path, query: &query };
    let key = key(table.key.as_ref(), names, findings);
    let tags = tags(table.tags.as_ref().map_or(&[], |tags| tags.0.as_slice()), names, findings);
    let choices = choices(&mut table, findings);
    let name_place = table.name.as_ref().map_or_else(|| path_place.clone(), Spanned::span);
    let name = label(table.name.take(), path.as_str(), findings);
    let credential = |raw: Option<Word<Credentials>>| raw.map(|Word(chosen)| chosen).unwrap_or_default();
    let (cookies, authorization) = (credential(table.cookies), credential(table.authorization));
    let key_place = table.key.as_ref().map_or_else(|| path_place.clone(), Spanned::span);
    let write_place = table.write.as_ref().map(Spanned::span);
    let route = Route {
        name,
        vary: vary(table.vary, findings),
        choices,
        ttl_jitter: table.ttl_jitter.map_or(0.0, |share| share.0),
        cookies,
        authorization,
        etag: table.etag.unwrap_or(true),
        upgrade: table.upgrade,
        unless: condition::of_answers(table.unless, findings),
        tags,
        invalidated_by: invalidated_by::resolve(table.invalidated_by, (&path, &key), findings),
        settle: at_most(LONGEST_SETTLE, table.settle, Duration::ZERO, findings),
        annotate: table.annotate.and_then(|raw| annotate(raw, findings)),
        compress: table.compress.unwrap_or(true),
        fingerprint: 0,
        write: table.write.and_then(|raw| write_policy::resolve(raw, &key, findings)),
        path,
        query,
        key,
    };
    if let Some(place) = &write_place {
        write_policy::suits(&route, place, findings);
    }
    let draft = Draft { route, header, path: path_place, name: name_place, key: key_place, write: write_place };
    is_whole.then_some(draft)
}

fn path(text: &Text, findings: &mut Findings<'_>) -> Option<PathPattern> {
    let help = "write a path, as in \"/orders/{page}\" or \"/static/{*rest}\"";
    let parsed = PathPattern::parse(text.get_ref()).map_err(|error| Problem::of_pattern(error, help));
    let path = findings.check(text, parsed)?;
    let sample = path.render(|_| Some("x".into())).unwrap_or_default();
    if !is_canonical(&sample) {
        let message =
            "this never matches: paths with `;`, `\\` or an encoded slash are always forwarded and never cached";
        findings.error(text.span(), message, help);
    }
    Some(path)
}

fn choices(table: &mut RawRoute, findings: &mut Findings<'_>) -> Choices {
    let ttl = table.ttl.as_ref().map(|raw| raw.get_ref().0);
    let is_set = |flag: &Option<Spanned<bool>>| flag.as_ref().is_some_and(|flag| *flag.get_ref());
    let (override_origin, override_private) = (is_set(&table.override_origin), is_set(&table.override_private));
    let statuses = statuses::resolve(table.statuses.take(), findings);
    let own_lifetime = statuses.iter().any(|(_, lifetime)| lifetime.is_some());
    if let Some(flag) = table.override_origin.as_ref().filter(|_| override_origin && ttl.is_none() && !own_lifetime) {
        let message = "`override_origin` has no effect without `ttl`";
        findings.lacks(flag.span(), &["ttl", "statuses"], message, "add ttl = \"10m\"");
    }
    if let Some(flag) = table.override_private.as_ref().filter(|_| override_private && !override_origin) {
        let message = "`override_private` has no effect without `override_origin`";
        findings.lacks(flag.span(), &["override_origin"], message, "add override_origin = true");
    }
    Choices {
        routed: true,
        ttl,
        override_origin,
        override_private,
        statuses,
        stale_while_revalidate: table.stale_while_revalidate.map_or(Duration::ZERO, |raw| raw.0),
        stale_if_error: table.stale_if_error.map_or(STALE_IF_ERROR, |raw| raw.0),
        errors: true,
        set_cookie: set_cookie(table, findings),
        close_delimited: table.close_delimited.unwrap_or(false),
        honour_request_directives: table.request_directives.is_some_and(|Word(honoured)| honoured),
        max_body: table.max_body.map_or(MAX_BODY, |size| size.0),
        ..Choices::default()
    }
}

fn set_cookie(table: &RawRoute, findings: &mut Findings<'_>) -> SetCookie {
    let Some(raw) = table.set_cookie.as_ref().filter(|raw| raw.get_ref().0 == SetCookie::Strip) else {
        return SetCookie::Refuse;
    };
    let is_keyed = |raw: Option<Word<Credentials>>| raw.is_some_and(|Word(chosen)| chosen == Credential::Key);
    let whom = match (is_keyed(table.cookies), is_keyed(table.authorization)) {
        (false, false) => "everybody",
        (true, false) => "every client with the same Cookie, or with none",
        (false, true) => "every client with the same Authorization, or with none",
        (true, true) => "every client with the same Cookie and Authorization, or with none",
    };
    let message = format!(
        "answers of this route are stored without the cookie that they set and given to {whom}: nobody gets a session from \
         them, and what they say about a session (a name, a token in a form) all of these get to see"
    );
    findings.note(raw.span(), message, "use this only if the answers are the same for all of these but for the cookie");
    SetCookie::Strip
}

const ANNOTATE: &str = "write annotate = { field = \"from_cache\", hit = true, miss = false }";

/// The field and its two values; `None` when something is missing.
fn annotate(raw: Spanned<RawAnnotate>, findings: &mut Findings<'_>) -> Option<Annotate> {
    let place = raw.span();
    let table = raw.into_inner();
    let missing = [("field", table.field.is_none()), ("hit", table.hit.is_none()), ("miss", table.miss.is_none())];
    for (key, _) in missing.into_iter().filter(|(_, missing)| *missing) {
        findings.lacks(place.clone(), &[key], format!("`{key}` is missing in `annotate`"), ANNOTATE);
    }
    let (field, hit, miss) = (table.field?, table.hit?, table.miss?);
    if field.get_ref().is_empty() {
        findings.error(field.span(), "the name of the field is empty", ANNOTATE);
    }
    if hit.0 == miss.0 {
        findings.error(place, "`hit` and `miss` must differ", ANNOTATE);
    }
    Some(Annotate { field: field.into_inner(), hit: hit.0, miss: miss.0 })
}

/// A name for labels, tags and the control records of the store.
fn label(raw: Option<Text>, default: &str, findings: &mut Findings<'_>) -> Arc<str> {
    let Some(text) = raw else { return default.into() };
    let name = text.get_ref().as_str();
    if name == UNROUTED {
        let message = format!("the name `{UNROUTED}` is reserved for paths without a route");
        findings.error(text.span(), message, "choose another name");
    } else if name.is_empty() || name.len() > 128 || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let help = "write a short name without spaces, as in \"orders\"";
        findings.error(text.span(), format!("{name:?} cannot be used as a name"), help);
    }
    name.into()
}
