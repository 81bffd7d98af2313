//! `[[write]]`: what a write invalidates, and which answers mean that nothing was written.

use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::condition;
use super::findings::{Findings, Problem, Text, closest, listed};
use super::forms::{Entries, Json, List, OneOrMany};
use super::invalidated_by::{note_literals, request};
use super::key::template;
use super::route::Draft;
use super::table::{Hint, Level, Table};
use crate::rules::{
    Drops, InvalidatedBy, PathPattern, PathTemplate, RefusedAnswer, RequestPattern, Source, Template, WriteRule,
};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [[write]] and its keys below it, as in request = \"POST /login\""
)]
pub(super) struct RawWriteRule {
    request: Option<Spanned<OneOrMany>>,
    drops: Option<List<Text>>,
    when: Option<Entries<Json>>,
    refused: Option<Spanned<RawRefused>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table\nwrite refused = { status = [302], location = \"/login\" }")]
pub(super) struct RawRefused {
    status: Option<Spanned<Json>>,
    location: Option<Text>,
}

impl Table for RawWriteRule {
    const TITLE: &'static str = "[[write]]";
    const BELOW: &'static [(&'static str, &'static Level)] = &[("refused", RawRefused::LEVEL)];
    const LIST: Option<&'static str> =
        Some("write [[write]] instead of [write], or [route.write] for what a write leaves in the cache");
    const HINTS: &'static [Hint] = &[
        Hint::anywhere(
            &[
                "purge",
                "purges",
                "purge_on",
                "invalidates",
                "invalidate",
                "invalidate_on",
                "bust",
                "evict",
                "drop",
                "drops",
                "drop_on",
                "clear_on",
            ],
            "write drops = [\"/orders/{id}\"] in a [[write]], or invalidated_by = [\"PUT /orders/{id}\"] \
             in the [[route]] that is dropped",
        ),
        Hint::anywhere(
            &["writes"],
            "write [[write]] for what a write drops, or [route.write] below a [[route]] for what it leaves in the cache",
        ),
    ];
}

impl Table for RawRefused {
    const TITLE: &'static str = "refused";
}

const DROPS_HELP: &str = "write a path, as in \"/articles/{slug}\", \"tag:name\" or \"route:name\"";

/// All of them, in the file's order. `routes` are what they may drop.
pub(super) fn resolve(
    raw: Vec<Spanned<RawWriteRule>>,
    routes: &[Draft],
    findings: &mut Findings<'_>,
) -> Vec<WriteRule> {
    let no_list_to_narrow = !routes.is_empty() && routes.iter().all(lists_its_own);
    let mut rules: Vec<WriteRule> = Vec::new();
    for table in raw {
        let place = table.span();
        let Some((rule, requests)) = rule(table, routes, findings) else { continue };
        // What it names is dropped besides, also of a route that has a list.
        if no_list_to_narrow && rule.drops.as_ref().is_none_or(Vec::is_empty) && rule.refused.is_none() {
            let message = "this has no effect, because every route has its own `invalidated_by`";
            findings.warning(
                place.clone(),
                message,
                "delete it, or delete `invalidated_by` from the routes that it is for",
            );
        } else if turns_the_default_off(&rule) {
            let message = "this says that no write changes anything: routes without `invalidated_by` will go stale";
            findings.warning(place, message, "name the writes that change nothing, as in request = \"POST /login\"");
        }
        for text in requests {
            if rules.iter().flat_map(|rule| &rule.requests).any(|known| known.as_str() == text.get_ref()) {
                let message = format!(
                    "`{}` is also in another [[write]]: both count, and what either drops is dropped",
                    text.get_ref()
                );
                findings.warning(text.span(), message, "merge the two");
            }
        }
        rules.push(rule);
    }
    rules
}

/// Whether it is of all writes, and none drops anything.
fn turns_the_default_off(rule: &WriteRule) -> bool {
    let all = |request: &RequestPattern| request.method().is_none() && request.path().is_any();
    rule.drops.as_ref().is_some_and(Vec::is_empty) && rule.when.is_empty() && rule.requests.iter().any(all)
}

fn lists_its_own(draft: &Draft) -> bool {
    draft.route.invalidated_by != InvalidatedBy::Every
}

/// One of them, and its requests as they are written.
fn rule(raw: Spanned<RawWriteRule>, routes: &[Draft], findings: &mut Findings<'_>) -> Option<(WriteRule, Vec<Text>)> {
    let place = raw.span();
    let table = raw.into_inner();
    let Some(texts) = table.request.map(OneOrMany::texts).filter(|texts| !texts.is_empty()) else {
        let help = "add request = \"POST /login\", or a list of them";
        findings.lacks(place, &[], "`request` is missing: it says which writes are meant", help);
        return None;
    };
    let requests = requests(&texts, findings);
    if table.drops.is_none() && table.when.is_none() && table.refused.is_none() {
        let message = "this has no effect: these writes drop every route, as any write does";
        findings.warning(place, message, "add drops = [], or a list of what they change");
    }
    let drops =
        table.drops.map(|list| list.0.iter().filter_map(|text| drops(text, &requests, routes, findings)).collect());
    let rule = WriteRule {
        requests,
        drops,
        when: condition::resolve(table.when, findings),
        refused: table.refused.and_then(|raw| refused(raw, findings)),
    };
    Some((rule, texts))
}

fn requests(texts: &[Text], findings: &mut Findings<'_>) -> Vec<RequestPattern> {
    let mut requests: Vec<RequestPattern> = Vec::new();
    for text in texts {
        let Some(request) = request(text, findings) else { continue };
        if requests.contains(&request) {
            findings.error(text.span(), format!("`{}` is listed twice", text.get_ref()), "delete one of the two");
        }
        requests.push(request);
    }
    requests
}

fn drops(text: &Text, requests: &[RequestPattern], routes: &[Draft], findings: &mut Findings<'_>) -> Option<Drops> {
    let raw = text.get_ref().as_str();
    if let Some(name) = raw.strip_prefix("route:") {
        return route(text, name, routes, findings).map(Drops::Route);
    }
    if raw.starts_with('/') {
        let path = findings.check(text, PathTemplate::parse(raw).map_err(|e| Problem::of_pattern(e, DROPS_HELP)))?;
        // A path that is misspelt as a whole is told of once.
        if is_reachable(text, &path, routes, findings) {
            note_other_things(text, &path, requests, findings);
        }
        note_untold(text, path.variables(), requests, findings);
        return Some(Drops::Path(path));
    }
    let Some(tag) = raw.strip_prefix("tag:").filter(|tag| !tag.is_empty()) else {
        findings.error(text.span(), format!("`{raw}` does not say what is dropped"), DROPS_HELP);
        return None;
    };
    // The place of an error is one in the whole text.
    let start = text.span().start + "tag:".len();
    let tag: Template = template(&Spanned::new(start..text.span().end, tag.to_owned()), findings)?;
    note_untold(text, tag.variables(), requests, findings);
    Some(Drops::Tag(tag))
}

fn route(text: &Text, name: &str, routes: &[Draft], findings: &mut Findings<'_>) -> Option<Arc<str>> {
    let known = || routes.iter().map(|draft| &*draft.route.name);
    if let Some(draft) = routes.iter().find(|draft| *draft.route.name == *name) {
        return Some(Arc::clone(&draft.route.name));
    }
    // A route that could not be read, or its name, may be the one.
    if findings.tables().is_unread_in_any("route", &["path", "name"]) {
        return None;
    }
    let help = match closest(name, known()) {
        Some(near) => format!("write \"route:{near}\""),
        None if routes.is_empty() => "there is no [[route]]".to_owned(),
        None => format!("the routes are {}", listed(known(), "and")),
    };
    findings.error(text.span(), format!("there is no route `{name}`"), help);
    None
}

/// Legal, for the API itself may call such an answer fresh; and most often a misspelt path.
fn is_reachable(text: &Text, path: &PathTemplate, routes: &[Draft], findings: &mut Findings<'_>) -> bool {
    let reachable = routes.is_empty() || routes.iter().any(|draft| draft.route.path.meets(path.shape()));
    if !reachable {
        let message = format!("no route matches `{}`", path.as_str());
        findings.warning(
            text.span(),
            message,
            "write the path of a [[route]], with the write's variables in place of the route's",
        );
    }
    reachable
}

/// Where a write cannot tell a value, whatever may be meant is dropped: legal, and most often not what was meant.
fn note_untold<'s>(
    text: &Text,
    variables: impl Iterator<Item = &'s Source>,
    requests: &[RequestPattern],
    findings: &mut Findings<'_>,
) {
    for source in variables {
        let Source::Name(name) = source else { continue };
        let bound = |request: &RequestPattern| request.path().variables().any(|known| known == name);
        if let Some(request) = requests.iter().find(|request| !bound(request)) {
            let message = format!(
                "`{}` does not have {{{name}}} in its path: the query and the JSON body are searched for it, and if it is not found, \
                 every entry that may be meant is dropped",
                request.as_str()
            );
            findings.note(text.span(), message, "put it in the path, or write {body:/place} or {response:/place}");
        }
    }
}

/// Of a variable that follows other words in what is dropped than in a write: once for all requests.
fn note_other_things(text: &Text, path: &PathTemplate, requests: &[RequestPattern], findings: &mut Findings<'_>) {
    for (source, place) in path.variables().zip(path.shape().variables()) {
        let (Source::Name(name), Some(dropped)) = (source, path.shape().literal_before(place)) else { continue };
        let mut literals = requests.iter().filter_map(|request| request.path().literal_before(name));
        if let Some(write) = literals.find(|write| !write.eq_ignore_ascii_case(dropped)) {
            note_literals(text, name, (dropped, write), findings);
        }
    }
}

fn refused(raw: Spanned<RawRefused>, findings: &mut Findings<'_>) -> Option<RefusedAnswer> {
    let place = raw.span();
    let table = raw.into_inner();
    let Some(status) = table.status else {
        let help = "add status = [302]";
        findings.lacks(
            place,
            &["status"],
            "`status` is missing: it says which answers mean that nothing was written",
            help,
        );
        return None;
    };
    let text = Spanned::new(status.span(), String::new());
    let statuses = findings.check(&text, condition::statuses(status.get_ref()))?;
    let location = table.location.and_then(|text| {
        let help = "write the path that Location has, as in location = \"/login\"";
        findings.check(&text, PathPattern::parse(text.get_ref()).map_err(|error| Problem::of_pattern(error, help)))
    });
    Some(RefusedAnswer { statuses, location })
}
