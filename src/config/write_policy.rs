//! `[route.write]`: what a write does to the entry it writes.

use std::ops::Range;

use http::{HeaderName, Method, StatusCode};
use serde::Deserialize;
use toml::Spanned;

use super::findings::{Findings, Problem, Text, closest};
use super::forms::{Entries, TextOr, Word, Words};
use super::invalidated_by::request;
use super::size::RawCount;
use super::table::{Hint, Level, Table};
use crate::rules::{
    CacheBy, Credential, JsonTemplate, Reply, RequestPattern, Route, Selection, Source, Template, WritePolicy,
    WriteTarget, credential_hash,
};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [route.write] and its keys below it, as in request = \"POST /orders\""
)]
pub(super) struct RawWritePolicy {
    request: Option<Text>,
    policy: Option<Spanned<Word<Targets>>>,
    select: Option<Spanned<Entries<Text>>>,
    entry: Option<Text>,
    reply: Option<Spanned<RawReply>>,
    cache_by: Option<Spanned<TextOr<RawCacheBy>>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table\nwrite \"anyone\", or a table with `field` and `value`")]
pub(super) struct RawCacheBy {
    field: Option<Text>,
    value: Option<Text>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table\nwrite reply = { status = 201, json = '{…}' }")]
pub(super) struct RawReply {
    status: Option<Spanned<RawCount>>,
    json: Option<Text>,
}

impl Table for RawWritePolicy {
    const TITLE: &'static str = "[route.write]";
    const BELOW: &'static [(&'static str, &'static Level)] =
        &[("reply", RawReply::LEVEL), ("cache_by", RawCacheBy::LEVEL)];
    const HINTS: &'static [Hint] = &[
        Hint::here(&["status"], "write reply = { status = 201, json = '…' }"),
        Hint::anywhere(&["write_policy", "write_through"], "write a [route.write] table below its [[route]]"),
    ];
}

impl Table for RawCacheBy {
    const TITLE: &'static str = "cache_by";
    const FORMS: Option<&'static str> = Some("\"anyone\", or a table with `field` and `value`");
}

impl Table for RawReply {
    const TITLE: &'static str = "reply";
}

/// Where a write goes.
#[derive(Clone, Copy, Debug)]
struct Targets;

impl Words for Targets {
    type Meaning = WriteTarget;
    const WORDS: &'static [(&'static str, WriteTarget)] =
        &[("through", WriteTarget::Through), ("around", WriteTarget::Around), ("cache", WriteTarget::Cache)];
}

const SELECT: &str =
    "write policy = \"through\", or select = { query = \"target\", default = \"both\", both = \"through\" }";

/// The policy; `None` when it cannot be used.
pub(super) fn resolve(
    raw: Spanned<RawWritePolicy>,
    key: &Template,
    findings: &mut Findings<'_>,
) -> Option<WritePolicy> {
    let place = raw.span();
    let table = raw.into_inner();
    let request = if let Some(text) = &table.request {
        let request = request(text, findings);
        if let Some(request) = &request {
            refuse_unobtainable(text, request, key, findings);
        }
        request
    } else {
        let help = "add request = \"POST /orders\"";
        findings.lacks(place.clone(), &[], "`request` is missing: it says which writes the policy is for", help);
        None
    };
    let select = selection(table.policy, table.select, &place, findings);
    let by_whom = table.cache_by.as_ref().map(Spanned::span);
    let entry = table.entry.as_ref().map(|text| (text.span(), json(text, findings)));
    let reply = table.reply.map(|raw| (raw.span(), reply(raw, findings)));
    let cache_by = table.cache_by.and_then(|raw| cache_by(raw, findings));
    let select = select?;
    if let Some(by_whom) = by_whom.clone().filter(|_| !select.offers(WriteTarget::Cache)) {
        findings.warning(by_whom, "`cache_by` has no effect, because no write goes to the cache only", "delete it");
    }
    if select.offers(WriteTarget::Cache) && by_whom.is_none() {
        let help =
            "add cache_by = \"anyone\", or cache_by = { field = \"Authorization\", value = \"Bearer ${CACHE_TOKEN}\" }";
        let message = "`cache_by` is missing: the origin never sees a write to the cache only, so nobody checks it, and everybody reads \
                       what anybody writes";
        findings.lacks(place.clone(), &["cache_by"], message, help);
    }
    complete(&select, entry.as_ref().map(|(place, _)| place), reply.as_ref().map(|(place, _)| place), &place, findings);
    Some(WritePolicy {
        request: request?,
        select,
        entry: entry.and_then(|(_, entry)| entry),
        reply: reply.and_then(|(_, reply)| reply),
        cache_by,
    })
}

/// What a route needs for the entries that writes put into it. `place` is its policy's.
pub(super) fn suits(route: &Route, place: &Range<usize>, findings: &mut Findings<'_>) {
    let Some(policy) = &route.write else { return };
    let cache = policy.select.offers(WriteTarget::Cache);
    let stores = cache || (policy.entry.is_some() && policy.select.offers(WriteTarget::Through));
    if stores && route.choices.route_lifetime(StatusCode::OK).is_none() {
        let message = "the route needs a `ttl` for the entries that writes store";
        findings.lacks(place.clone(), &["ttl", "statuses"], message, "add ttl = \"1h\" to the route");
    }
    if stores && [route.cookies, route.authorization].contains(&Credential::Key) {
        let message = "a write stores one entry for everybody, but this route has one for each user";
        findings.error(place.clone(), message, "delete `entry`, so that a GET fetches what each user may see");
    }
}

/// What a write to the cache only needs, and what nothing else uses.
fn complete(
    select: &Selection,
    entry: Option<&Range<usize>>,
    reply: Option<&Range<usize>>,
    place: &Range<usize>,
    findings: &mut Findings<'_>,
) {
    let cache = select.offers(WriteTarget::Cache);
    if cache && entry.is_none() {
        let help = "add entry = '{\"order\": {body}}'";
        findings.lacks(
            place.clone(),
            &["entry"],
            "`entry` is missing: for a write to the cache only, it says what a later GET gets",
            help,
        );
    }
    if cache && reply.is_none() {
        let help = "add reply = { status = 201, json = '{\"status\": \"success\"}' }";
        findings.lacks(
            place.clone(),
            &["reply"],
            "`reply` is missing: the origin does not answer a write to the cache only",
            help,
        );
    }
    if let Some(reply) = reply.filter(|_| !cache) {
        findings.warning(reply.clone(), "`reply` has no effect, because no write goes to the cache only", "delete it");
    }
    if let Some(entry) = entry.filter(|_| !cache && !select.offers(WriteTarget::Through)) {
        findings.warning(entry.clone(), "`entry` has no effect, because all writes go around the cache", "delete it");
    }
}

/// Whose writes go to the cache only.
fn cache_by(raw: Spanned<TextOr<RawCacheBy>>, findings: &mut Findings<'_>) -> Option<CacheBy> {
    let place = raw.span();
    let help = "write cache_by = \"anyone\", or { field = \"Authorization\", value = \"Bearer ${CACHE_TOKEN}\" }";
    let table = match raw.into_inner() {
        TextOr::Text(word) if word == "anyone" => return Some(CacheBy::Anyone),
        TextOr::Text(_) => {
            findings.error(place, "this does not say who may write to the cache only", help);
            return None;
        }
        TextOr::Table(table) => table,
    };
    let (Some(field), Some(value)) = (table.field, table.value) else {
        findings.lacks(place, &["field", "value"], "`cache_by` needs both `field` and `value`", help);
        return None;
    };
    if value.get_ref().trim().is_empty() {
        findings.error(value.span(), "the credential is empty", help);
        return None;
    }
    let name = HeaderName::from_bytes(field.get_ref().as_bytes());
    // Not told what it is: it may be the credential, in the wrong place.
    let name = name.map_err(|_| Problem::new("this is not a valid header name", help));
    Some(CacheBy::Credential(findings.check(&field, name)?, credential_hash(value.get_ref().as_bytes())))
}

fn selection(
    policy: Option<Spanned<Word<Targets>>>,
    select: Option<Spanned<Entries<Text>>>,
    place: &Range<usize>,
    findings: &mut Findings<'_>,
) -> Option<Selection> {
    match (policy, select) {
        (Some(policy), None) => Some(Selection::Always(policy.get_ref().0)),
        (None, Some(select)) => by_query(select, findings),
        (None, None) => {
            findings.lacks(place.clone(), &[], "`policy` is missing: it says where the write goes", SELECT);
            None
        }
        (Some(policy), Some(_)) => {
            findings.error(
                policy.span(),
                "`policy` and `select` both say where the write goes",
                "delete one of the two",
            );
            None
        }
    }
}

fn by_query(select: Spanned<Entries<Text>>, findings: &mut Findings<'_>) -> Option<Selection> {
    let place = select.span();
    let mut parameter = None;
    let mut default = None;
    let mut targets: Vec<(String, WriteTarget)> = Vec::new();
    let mut sound = true;
    for (key, value) in select.into_inner().0 {
        match key.get_ref().as_str() {
            "query" => parameter = Some(value),
            "default" => default = Some(value),
            _ => match findings.check(&value, Targets::meaning(value.get_ref())) {
                Some(target) => targets.push((key.into_inner(), target)),
                None => sound = false,
            },
        }
    }
    for (key, missing) in [("query", parameter.is_none()), ("default", default.is_none())] {
        if missing {
            findings.lacks(place.clone(), &[key], format!("`{key}` is missing in `select`"), SELECT);
        }
    }
    let (parameter, default) = (parameter?, default?);
    if parameter.get_ref().is_empty() {
        findings.error(parameter.span(), "the name of the query parameter is empty", SELECT);
    }
    // A target that could not be read may be the default's: one error is enough.
    if sound && !targets.iter().any(|(name, _)| name == default.get_ref()) {
        let names: Vec<&str> = targets.iter().map(|(name, _)| name.as_str()).collect();
        let help = match closest(default.get_ref(), names.iter().copied()) {
            Some(near) => format!("write \"{near}\""),
            None => format!("add {} = \"through\"", default.get_ref()),
        };
        findings.lacks(
            default.span(),
            &[default.get_ref().as_str()],
            format!("`select` does not say what `{}` does", default.get_ref()),
            help,
        );
        return None;
    }
    Some(Selection::ByQuery { parameter: parameter.into_inner(), default: default.into_inner(), targets })
}

fn json(text: &Text, findings: &mut Findings<'_>) -> Option<JsonTemplate> {
    let help = "write JSON in single quotes, as in '{\"order\": {body}, \"source\": \"Redis\"}'";
    let parsed = JsonTemplate::parse(text.get_ref());
    // The place that a JSON error has is one in the text with its values put in, not in the file.
    findings.check(text, parsed.map_err(|error| Problem { at: None, ..Problem::of_pattern(error, help) }))
}

fn reply(raw: Spanned<RawReply>, findings: &mut Findings<'_>) -> Option<Reply> {
    let place = raw.span();
    let table = raw.into_inner();
    let help = "write reply = { status = 201, json = '{\"status\": \"success\"}' }";
    for (key, missing) in [("status", table.status.is_none()), ("json", table.json.is_none())] {
        if missing {
            findings.lacks(place.clone(), &[key], format!("`{key}` is missing in `reply`"), help);
        }
    }
    let json = table.json.and_then(|text| json(&text, findings));
    let status = table.status?;
    let code = u16::try_from(status.get_ref().0).ok().filter(|code| matches!(code, 200..=203 | 207..=299));
    let Some(code) = code.and_then(|code| StatusCode::from_u16(code).ok()) else {
        let message = format!("{} does not tell the client that its write succeeded", status.get_ref().0);
        findings.error(status.span(), message, "write a status of success that has a body, such as 200 or 201");
        return None;
    };
    Some(Reply { status: code, json: json? })
}

/// The key of the entry must be found in the write: in its path, its query or its JSON body.
fn refuse_unobtainable(text: &Text, request: &RequestPattern, key: &Template, findings: &mut Findings<'_>) {
    if request.method() != Some(&Method::DELETE) {
        return;
    }
    for source in key.variables() {
        if let Source::Name(name) = source
            && !request.path().variables().any(|known| known == name)
        {
            findings.lacks(
                text.span(),
                &["path", "query", "key"],
                format!("`{}` does not contain {{{name}}}, and a DELETE has no body to find it in", text.get_ref()),
                format!("put it in the path, as in \"DELETE /orders/{{{name}}}\""),
            );
        }
    }
}
