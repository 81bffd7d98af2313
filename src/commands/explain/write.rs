//! What would become of a write: where it goes, what it makes old and why, and what nobody can tell beforehand.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::super::terminal::layout;
use super::asked::Asked;
use super::dropped_by::{condition, refused};
use super::{dropping, untold};
use crate::config::Config;
use crate::policy::is_overriding;
use crate::rules::{
    self, Condition, Content, Document, Invalidation, InvalidationRule, KeyedHost, Overriding, RequestPattern, Route,
    Ruleset, Said, Subject, UNROUTED, Untold, Write, WriteAnswer, WriteRule, WriteTarget, overriding, write_paths,
    written_paths,
};
use crate::store::key_name;

/// What is known of a write beforehand.
#[derive(Debug)]
pub(crate) struct Explained {
    method: Method,
    target: String,
    readings: Vec<String>,
    /// What its Destination names.
    destinations: Vec<String>,
    taken_for: Vec<TakenFor>,
    /// Whether one of its paths has no route.
    unrouted: bool,
    policy: Option<Policy>,
    sayings: Vec<Saying>,
    drops: Vec<Invalidation>,
    /// Which say what the causes of that are.
    rules: Arc<Ruleset>,
    conditions: Vec<Conditional>,
    untold: Vec<Untold>,
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
    /// The route whose list has the rule; `None` for a `[[write]]`.
    route: Option<String>,
    request: String,
    condition: String,
    /// The option that could tell whether it holds.
    give: Option<&'static str>,
    /// `None` where that is not known.
    holds: Option<bool>,
}

/// A `[[write]]` that may be meant by the write, and what it says.
#[derive(Debug)]
struct Saying {
    line: usize,
    requests: String,
    /// Why it says nothing; `None` where it speaks.
    silent: Option<&'static str>,
    /// Whether it says what the write drops.
    narrows: bool,
    /// The answers that mean that nothing was written.
    refused: Option<String>,
}

/// A method that the write may be taken for, and where it says so.
type TakenFor = (String, String);

/// Asks the rules about a write.
pub(super) fn explain(asked: &Asked, config: &Config) -> Explained {
    let paths = written_paths(asked.target.as_str(), &asked.fields);
    let (content, body) = words(asked);
    let overriding = overriding(&asked.method, &asked.fields, asked.query(), content);
    let write = Write {
        method: &asked.method,
        overriding: &overriding,
        path: asked.target.path(),
        paths: &paths,
        query: asked.query(),
        body,
        answer: WriteAnswer { response: asked.response.as_ref(), ..WriteAnswer::default() },
    };
    let routes = &config.proxy.rules.routes;
    let policy = routes.write_policy(&write).map(|(route, policy, _)| {
        let chosen = policy.select.choose(asked.query());
        Policy {
            route: route.name.to_string(),
            target: chosen.as_ref().map(|(target, _)| *target),
            chosen: chosen.map(|(_, value)| value.into_owned()).unwrap_or_default(),
            entry: rules::written(route, &write, config.proxy.rules.hosts.as_ref().map(|_| KeyedHost::Known))
                .map(|written| (key_name(&written.place.key), written.target.to_string())),
        }
    });
    let (readings, destinations) = paths.iter().cloned().partition(|path| write_paths(write.path).contains(path));
    Explained {
        method: asked.method.clone(),
        target: asked.target.to_string(),
        readings,
        destinations,
        taken_for: taken_for(asked, &overriding),
        unrouted: paths.iter().any(|path| !routes.iter().any(|route| route.path.matches_write(path).is_some())),
        sayings: sayings(&write, config),
        rules: Arc::clone(&config.proxy.rules),
        drops: match policy.as_ref().and_then(|policy| policy.target) {
            Some(WriteTarget::Cache) => routes.invalidations_in_cache(&write),
            _ => routes.invalidations(&write),
        },
        policy,
        conditions: conditions(&write, config),
        untold: routes.untold(&write),
    }
}

/// What is known of the request's body.
fn words(asked: &Asked) -> (Content<'_>, Document<'_>) {
    match &asked.data {
        Some(json) => (Content::Json(json), Document::Json(json)),
        None if asked.fields.contains_key(CONTENT_TYPE) => (Content::Unread, Document::NotUnderstood),
        None => (Content::Absent, Document::Absent),
    }
}

/// What names another method than the request line, and which.
fn taken_for(asked: &Asked, overriding: &Overriding) -> Vec<TakenFor> {
    let named = |fields: &HeaderMap, content| rules::overriding(&asked.method, fields, asked.query(), content);
    let own = named(&HeaderMap::new(), Content::Absent).methods;
    let mut found: Vec<TakenFor> = own.iter().map(|method| (method.to_string(), "its query".to_owned())).collect();
    for (name, value) in asked.fields.iter().filter(|(name, _)| is_overriding(name)) {
        let method = String::from_utf8_lossy(value.as_bytes()).to_uppercase();
        found.push((method, shown_name(name.as_str())));
    }
    let others = overriding.methods.iter().map(Method::as_str);
    let in_body: Vec<TakenFor> = others
        .filter(|method| !found.iter().any(|(known, _)| known == method))
        .map(|method| (method.to_owned(), "its body".to_owned()))
        .collect();
    found.extend(in_body);
    if overriding.unknown && found.is_empty() {
        found.push(("any method".to_owned(), "its body, which is not known".to_owned()));
    }
    found
}

/// A field's name as people write it: X-HTTP-Method-Override.
fn shown_name(name: &str) -> String {
    let words = name.split('-').map(|word| match word {
        "http" => "HTTP".to_owned(),
        word => word.get(..1).unwrap_or_default().to_ascii_uppercase() + word.get(1..).unwrap_or_default(),
    });
    words.collect::<Vec<_>>().join("-")
}

fn sayings(write: &Write<'_>, config: &Config) -> Vec<Saying> {
    let said = config.proxy.rules.routes.said_of(write);
    let one = |(index, rule, said): (usize, &WriteRule, Said<'_>)| Saying {
        line: config.write_lines.get(index).copied().unwrap_or_default(),
        requests: match said {
            Said::Speaks(request) => request.as_str().to_owned(),
            _ => rule.requests.iter().map(RequestPattern::as_str).collect::<Vec<_>>().join(" or "),
        },
        silent: match said {
            Said::Speaks(_) => None,
            Said::OddPath => Some("its path may be read in several ways"),
            Said::OtherMethod => Some("it may be taken for another method"),
            Said::SpeltOtherwise => Some("its method or path is spelt otherwise"),
        },
        narrows: rule.drops.is_some(),
        refused: rule.refused.as_ref().map(refused),
    };
    said.into_iter().map(one).collect()
}

/// The conditions of the rules that speak of the write.
fn conditions(write: &Write<'_>, config: &Config) -> Vec<Conditional> {
    let routes = &config.proxy.rules.routes;
    let mut found: Vec<Conditional> = Vec::new();
    let mut note = |route: Option<&Route>, request: &str, when: &[Condition]| {
        for wanted in when {
            let noted = Conditional {
                route: route.map(|route| route.name.to_string()),
                request: request.to_owned(),
                condition: condition(wanted),
                give: wanted_option(wanted),
                holds: wanted.known(write),
            };
            if !found.contains(&noted) {
                found.push(noted);
            }
        }
    };
    for route in routes.iter() {
        let by_policy = write.paths.iter().any(|path| route.policy_for(write, path).is_some());
        let speaks =
            |rule: &&InvalidationRule| write.paths.iter().any(|path| rule.request.matches(write, path).is_some());
        for rule in route.invalidated_by.rules().iter().filter(|_| !by_policy).filter(speaks) {
            note(Some(route), rule.request.as_str(), &rule.when);
        }
    }
    for one in routes.speaking(write) {
        note(None, one.request.as_str(), &one.rule.when);
    }
    found
}

fn wanted_option(condition: &Condition) -> Option<&'static str> {
    match condition {
        Condition::Says { subject: Subject::Request, .. } => Some("--data"),
        Condition::Says { subject: Subject::Response, .. } => Some("--response"),
        Condition::Status(_) => None,
    }
}

impl Explained {
    /// For people.
    pub(super) fn text(&self) -> String {
        let paths = self.paths();
        let mut lines = vec![("request", format!("{} {}", self.method, self.target))];
        if self.readings.len() > 1 {
            lines.extend(self.readings.iter().map(|path| ("read as", path.clone())));
        }
        lines.extend(self.destinations.iter().map(|path| ("writes too", format!("{path} (Destination)"))));
        lines.extend(self.taken_for.iter().map(|(method, by)| ("taken for", format!("{method}, by {by}, too"))));
        lines.push(("goes to", self.goes_to()));
        if let Some(policy) = &self.policy {
            lines.push(("policy", policy.text()));
        }
        if self.goes_to_cache() {
            lines.extend(self.drops.iter().map(|drop| ("drops", dropping::text(drop, &paths, &self.rules.routes))));
            return layout(&lines);
        }
        let narrows = |saying: &&Saying| saying.narrows && saying.silent.is_none();
        let narrowed = self.sayings.iter().any(|saying| narrows(&saying));
        let told = self.sayings.iter().filter(|saying| !narrowed || saying.narrows);
        lines.extend(told.map(|saying| ("narrowed by", saying.text())));
        let shown = self.drops.iter().filter(|drop| self.is_shown(drop));
        lines.extend(shown.map(|drop| ("drops", dropping::text(drop, &paths, &self.rules.routes))));
        if !self.drops.iter().any(|drop| self.is_shown(drop)) {
            lines.push(("drops", "nothing".to_owned()));
        }
        lines.extend(self.conditions.iter().map(|conditional| ("when", conditional.text())));
        lines.extend(self.untold.iter().map(|untold| ("not known", untold::text(untold, &self.rules.routes))));
        lines.extend(self.unless().into_iter().map(|text| ("unless", text)));
        layout(&lines)
    }

    /// Whether a person is told of it: not of what goes along with something that is told, nor of paths without a route
    /// where each of its paths has one.
    fn is_shown(&self, drop: &Invalidation) -> bool {
        !drop.is_besides() && (drop.route.as_deref() != Some(UNROUTED) || self.unrouted)
    }

    /// All that it may write.
    fn paths(&self) -> Vec<&str> {
        self.readings.iter().chain(&self.destinations).map(String::as_str).collect()
    }

    /// What its answer may mean.
    fn unless(&self) -> Vec<String> {
        let mut lines = vec![
            "the origin answers 4xx, 307 or 308: then nothing on a route is dropped".to_owned(),
            "it answers 301: then only what the write is sent to is".to_owned(),
            "it answers 5xx: then what it is sent to stays where no route speaks, and all else is dropped, for it may have \
             acted"
                .to_owned(),
        ];
        let refused = self.sayings.iter().filter(|saying| saying.silent.is_none());
        lines.extend(refused.filter_map(|saying| {
            let answer = saying.refused.as_ref()?;
            Some(format!("it answers {answer}: then nothing on a route is dropped ([[write]] line {})", saying.line))
        }));
        lines
    }

    fn goes_to_cache(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.target == Some(WriteTarget::Cache))
    }

    fn goes_to(&self) -> String {
        match self.policy.as_ref().and_then(|policy| policy.target) {
            Some(WriteTarget::Cache) => "the cache only: the origin never sees it".to_owned(),
            Some(WriteTarget::Through | WriteTarget::Around) | None => "the origin".to_owned(),
        }
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let paths = self.paths();
        json!({
            "kind": "write",
            "method": self.method.as_str(),
            "target": self.target,
            "readings": self.readings,
            "destinations": self.destinations,
            "taken_for": self.taken_for.iter().map(|(method, by)| json!({ "method": method, "by": by })).collect::<Vec<_>>(),
            "goes_to": self.goes_to(),
            "policy": self.policy.as_ref().map(Policy::json),
            "narrowed_by": self.sayings.iter().map(Saying::json).collect::<Vec<_>>(),
            "drops": self.drops.iter().map(|drop| dropping::json(drop, &paths, &self.rules.routes)).collect::<Vec<_>>(),
            "conditions": self.conditions.iter().map(Conditional::json).collect::<Vec<_>>(),
            "unknown": self.untold.iter().map(|untold| untold::json(untold, &self.rules.routes)).collect::<Vec<_>>(),
        })
    }
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

impl Saying {
    fn text(&self) -> String {
        let Self { line, requests, .. } = self;
        match (self.silent, self.narrows) {
            (Some(why), _) => format!("nothing: [[write]] line {line} ({requests}) does not speak of it, for {why}"),
            (None, true) => {
                format!("[[write]] line {line} ({requests}): it drops what that names and what it is sent to")
            }
            (None, false) => format!("nothing: [[write]] line {line} ({requests}) does not say what it drops"),
        }
    }

    fn json(&self) -> Value {
        json!({ "line": self.line, "request": self.requests, "speaks": self.silent.is_none(), "because": self.silent,
                "refused": self.refused })
    }
}

impl Conditional {
    fn text(&self) -> String {
        let state = match (self.holds, self.give) {
            (Some(true), _) => "it is".to_owned(),
            (Some(false), _) => "it is not, so this rule drops nothing".to_owned(),
            (None, Some(option)) => format!("not known: give {option}"),
            (None, None) => "that is for the answer to tell".to_owned(),
        };
        let rule = match &self.route {
            Some(route) => format!("{} on {route}", self.request),
            None => format!("[[write]] {}", self.request),
        };
        format!("{rule}: {}; {state}", self.condition)
    }

    fn json(&self) -> Value {
        json!({ "route": self.route, "request": self.request, "condition": self.condition, "holds": self.holds })
    }
}
