//! What would become of a write: where it goes, what it makes old and why, and what nobody can tell beforehand.

use http::Method;
use serde_json::{Value, json};

use super::read::condition;
use super::{Asked, layout};
use crate::config::Config;
use crate::rules::{
    Captures, Cause, Content, Document, Found, Invalidation, InvalidationRule, KeyedHost, ROUTELESS, Route, Scope,
    Source, Write, WriteAnswer, WriteTarget, find_parameter, overriding, written_paths,
};

/// What is known of a write beforehand.
#[derive(Debug)]
pub(crate) struct Explained {
    method: Method,
    target: String,
    readings: Vec<String>,
    policy: Option<Policy>,
    drops: Vec<Invalidation>,
    conditions: Vec<Conditional>,
    unknown: Vec<Unknown>,
}

/// A write policy that speaks of the write.
#[derive(Debug)]
struct Policy {
    route: String,
    /// `None` for a value that the table does not have: the write is forwarded as if there were no policy.
    target: Option<WriteTarget>,
    chosen: String,
    /// The key and the path of the entry, where the write tells all of it.
    entry: Option<(String, String)>,
}

/// A condition of a rule that speaks of the write.
#[derive(Debug, PartialEq, Eq)]
struct Conditional {
    route: String,
    request: String,
    condition: String,
    /// `None` where the body was not given.
    holds: Option<bool>,
}

/// A variable that the write does not tell, so that the whole route is dropped.
#[derive(Debug, PartialEq, Eq)]
struct Unknown {
    route: String,
    request: String,
    variable: String,
    /// The option that could tell; `None` where nothing can.
    give: Option<&'static str>,
}

/// Asks the rules about a write.
pub(super) fn explain(asked: &Asked, config: &Config) -> Explained {
    let readings = written_paths(asked.target.as_str(), &asked.fields);
    let content = asked.data.as_ref().map_or(Content::Absent, Content::Json);
    let overriding = overriding(&asked.method, &asked.fields, asked.query(), content);
    let write = Write {
        method: &asked.method,
        overriding: &overriding,
        path: asked.target.path(),
        paths: &readings,
        query: asked.query(),
        body: asked.data.as_ref().map_or(Document::Absent, Document::Json),
        answer: WriteAnswer { response: asked.response.as_ref(), ..WriteAnswer::default() },
    };
    let routes = &config.proxy.routes;
    let policy = routes.write_policy(&write).map(|(route, policy, _)| {
        let chosen = policy.select.choose(asked.query());
        Policy {
            route: route.name.to_string(),
            target: chosen.as_ref().map(|(target, _)| *target),
            chosen: chosen.map(|(_, value)| value.into_owned()).unwrap_or_default(),
            entry: route
                .written(&write, config.proxy.hosts.as_ref().map(|_| KeyedHost::Known))
                .map(|written| (written.place.key.to_string(), written.target)),
        }
    });
    let mut explained = Explained {
        method: asked.method.clone(),
        target: asked.target.to_string(),
        drops: match policy.as_ref().and_then(|policy| policy.target) {
            Some(WriteTarget::Cache) => routes.invalidations_in_cache(&write),
            _ => routes.invalidations(&write),
        },
        policy,
        conditions: Vec::new(),
        unknown: Vec::new(),
        readings: readings.clone(),
    };
    for route in routes.iter() {
        explained.look_into(route, &write);
    }
    explained
}

impl Explained {
    /// Notes the conditions and the unknown variables of a route's rules that speak of the write.
    fn look_into(&mut self, route: &Route, write: &Write<'_>) {
        let by_policy: Vec<_> = write.paths.iter().filter_map(|path| route.policy_for(write, path)).collect();
        for (request, captures) in &by_policy {
            self.note_unknown(route, request.as_str(), None, captures, write);
        }
        for rule in route.invalidated_by.rules().iter().filter(|_| by_policy.is_empty()) {
            for captures in write.paths.iter().filter_map(|path| rule.request.matches(write, path)) {
                self.note_conditions(route, rule, write);
                self.note_unknown(route, rule.request.as_str(), Some(rule), &captures, write);
            }
        }
    }

    fn note_conditions(&mut self, route: &Route, rule: &InvalidationRule, write: &Write<'_>) {
        for wanted in &rule.when {
            let noted = Conditional {
                route: route.name.to_string(),
                request: rule.request.as_str().to_owned(),
                condition: condition(wanted),
                holds: wanted.known(write),
            };
            if !self.conditions.contains(&noted) {
                self.conditions.push(noted);
            }
        }
    }

    fn note_unknown(
        &mut self,
        route: &Route,
        request: &str,
        rule: Option<&InvalidationRule>,
        captures: &Captures<'_>,
        write: &Write<'_>,
    ) {
        let tags = rule.map_or(&[][..], |rule| &rule.tags);
        let templates = if tags.is_empty() { std::slice::from_ref(&route.key) } else { tags };
        for source in templates.iter().flat_map(crate::rules::Template::variables) {
            let mapped = match (source, rule) {
                (Source::Name(name), Some(rule)) => rule.variables.iter().find(|(known, _)| known == name),
                _ => None,
            };
            let Some(give) = missing(mapped.map_or(source, |(_, mapped)| mapped), captures, write) else { continue };
            let noted =
                Unknown { route: route.name.to_string(), request: request.to_owned(), variable: braced(source), give };
            if !self.unknown.contains(&noted) {
                self.unknown.push(noted);
            }
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut lines = vec![("request", format!("{} {}", self.method, self.target))];
        if self.readings.len() > 1 {
            lines.extend(self.readings.iter().map(|path| ("read as", path.clone())));
        }
        lines.push(("goes to", self.goes_to()));
        if let Some(policy) = &self.policy {
            lines.push(("policy", policy.text()));
        }
        for drop in &self.drops {
            lines.push(("drops", drop_text(drop)));
        }
        for conditional in &self.conditions {
            lines.push(("when", conditional.text()));
        }
        for unknown in &self.unknown {
            lines.push(("not known", unknown.text()));
        }
        lines.push(("unless", "the origin answers 4xx: then nothing is dropped".to_owned()));
        lines.push(("unless", "it answers 5xx: then only what lies on a route is, for it may have acted".to_owned()));
        if self.policy.as_ref().is_some_and(|policy| policy.target == Some(WriteTarget::Cache)) {
            lines.retain(|(label, _)| *label != "unless");
        }
        layout(&lines)
    }

    fn goes_to(&self) -> String {
        match self.policy.as_ref().and_then(|policy| policy.target) {
            Some(WriteTarget::Cache) => "the cache only: the origin never sees it".to_owned(),
            Some(WriteTarget::Through | WriteTarget::Around) | None => "the origin".to_owned(),
        }
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "kind": "write",
            "method": self.method.as_str(),
            "target": self.target,
            "readings": self.readings,
            "goes_to": self.goes_to(),
            "policy": self.policy.as_ref().map(Policy::json),
            "drops": self.drops.iter().map(drop_json).collect::<Vec<_>>(),
            "conditions": self.conditions.iter().map(Conditional::json).collect::<Vec<_>>(),
            "unknown": self.unknown.iter().map(Unknown::json).collect::<Vec<_>>(),
        })
    }
}

/// Where the value of a variable is not known, the option that could give it. `None` for a known one.
#[expect(clippy::option_option, reason = "known, unknown for good, unknown without an option")]
fn missing(source: &Source, captures: &Captures<'_>, write: &Write<'_>) -> Option<Option<&'static str>> {
    let in_body = |value: Option<&Value>| value.is_some_and(|value| crate::rules::scalar(value).is_some());
    match source {
        Source::Body(pointer) => match write.body.json() {
            None => Some(Some("--data")),
            Some(body) => (!in_body(pointer.told(body).flatten())).then_some(None),
        },
        Source::Response(pointer) => match write.answer.response {
            None => Some(Some("--response")),
            Some(response) => (!in_body(pointer.of(response))).then_some(None),
        },
        Source::Name(name) => match (captures.get(name), find_parameter(write.query, name), write.body.json()) {
            (Some(_), _, _) | (None, Found::Once(_), _) => None,
            (None, Found::Ambiguous, _) => Some(None),
            (None, Found::Absent, None) => Some(Some("--data")),
            (None, Found::Absent, Some(body)) => (!in_body(body.get(name))).then_some(None),
        },
    }
}

fn braced(source: &Source) -> String {
    match source {
        Source::Name(name) => format!("{{{name}}}"),
        Source::Body(pointer) => format!("{{body:{}}}", pointer.as_str()),
        Source::Response(pointer) => format!("{{response:{}}}", pointer.as_str()),
    }
}

/// As in `/fruit/{id}: the entry fruit:1 in all its variants, because PUT /fruit/{id}`.
fn drop_text(drop: &Invalidation) -> String {
    let route = match drop.route.as_deref() {
        Some(ROUTELESS) => "paths without a route: ",
        Some(name) => &format!("{name}: "),
        None => "",
    };
    let named = drop.tag.shown();
    let what = match drop.scope {
        Scope::Entry => format!("the entry {named} in all its variants"),
        Scope::Path => format!("{named}, whatever the query"),
        Scope::Route => "every entry".to_owned(),
        Scope::Tag => format!("whatever has the tag {named}"),
        Scope::Unlisted => "every route without `invalidated_by`".to_owned(),
        Scope::Everything => "everything".to_owned(),
    };
    format!("{route}{what}, because {}", because(&drop.cause))
}

/// The reason of an invalidation as a person reads it.
fn because(cause: &Cause) -> String {
    match cause {
        Cause::Unlisted => "nothing is said of this write".to_owned(),
        Cause::Target => "it is what the write is sent to".to_owned(),
        Cause::Path => "it lies around what the write is sent to".to_owned(),
        Cause::Rule(request) => format!("of {request}"),
        Cause::Write(request) => format!("[[write]] {request}"),
        Cause::Policy(request) => format!("of the write policy of {request}"),
        Cause::Named => "the answer names it".to_owned(),
        Cause::Groups => "the answer names its group".to_owned(),
    }
}

fn drop_json(drop: &Invalidation) -> Value {
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
        "because": because(&drop.cause),
    })
}

fn target_text(target: WriteTarget) -> &'static str {
    match target {
        WriteTarget::Through => "through",
        WriteTarget::Around => "around",
        WriteTarget::Cache => "cache",
    }
}

impl Policy {
    fn text(&self) -> String {
        let Some(target) = self.target else {
            return format!("of {}: the query chooses nothing it knows, so it is forwarded as any write", self.route);
        };
        let chosen = if self.chosen.is_empty() { String::new() } else { format!(", chosen by \"{}\"", self.chosen) };
        let entry = match &self.entry {
            Some((key, path)) => format!("entry {key}, read at {path}"),
            None => "the entry is not known beforehand".to_owned(),
        };
        format!("{} of {}{chosen}; {entry}", target_text(target), self.route)
    }

    fn json(&self) -> Value {
        json!({
            "route": self.route,
            "target": self.target.map(target_text),
            "chosen": self.chosen,
            "key": self.entry.as_ref().map(|(key, _)| key),
            "entry": self.entry.as_ref().map(|(_, path)| path),
        })
    }
}

impl Conditional {
    fn text(&self) -> String {
        let state = match self.holds {
            Some(true) => "it is",
            Some(false) => "it is not, so this rule drops nothing",
            None if self.condition.starts_with("body") => "not known: give --data",
            None => "not known: give --response",
        };
        format!("{} on {}: {}; {state}", self.request, self.route, self.condition)
    }

    fn json(&self) -> Value {
        json!({ "route": self.route, "request": self.request, "condition": self.condition, "holds": self.holds })
    }
}

impl Unknown {
    fn text(&self) -> String {
        let Self { route, request, variable, .. } = self;
        match self.give {
            Some(option) => format!("{variable} of {route} ({request}): give {option}, else every entry is dropped"),
            None => format!("{variable} of {route} ({request}): the write does not say it, so every entry is dropped"),
        }
    }

    fn json(&self) -> Value {
        json!({ "route": self.route, "request": self.request, "variable": self.variable, "give": self.give })
    }
}
