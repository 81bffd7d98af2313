//! What drops a read's answer, in words.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::config::Config;
use crate::rules::{Condition, Drops, Extent, Kind, RefusedAnswer, RequestPattern, Subject, Template, Writes};

/// What drops a read's answer, and what does not although it might be thought to.
#[derive(Debug)]
pub(super) struct DroppedBy {
    kinds: Vec<Dropping>,
    spared_by: Vec<Sparing>,
}

/// Writes that drop it.
#[derive(Debug)]
struct Dropping {
    writes: String,
    drops: String,
    when: Vec<String>,
    unless: Option<String>,
    because: String,
    /// The line of a `[[write]]`.
    line: Option<usize>,
}

/// Writes that a `[[write]]` takes out of those that drop it.
#[derive(Debug)]
struct Sparing {
    writes: String,
    line: usize,
    /// Whether there are several kinds of them.
    many: bool,
    nothing: bool,
}

/// Asks the rules about a read of this raw path and query.
pub(super) fn told(config: &Config, path: &str, query: &str) -> DroppedBy {
    let asked = config.proxy.rules.routes.dropped_by(path, query);
    let line = |index: usize| config.write_lines.get(index).copied().unwrap_or_default();
    let spared_by = asked.spared_by.iter().map(|(index, rule)| Sparing {
        writes: any_of(rule.requests.iter().map(|request| request.as_str().to_owned())),
        line: line(*index),
        many: rule.requests.len() > 1,
        nothing: rule.drops.as_ref().is_some_and(Vec::is_empty),
    });
    let narrowed = !config.write_lines.is_empty();
    let kinds = asked.kinds.iter().map(|kind| Dropping {
        writes: writes(kind, path, narrowed, |request| asked.as_sent(kind, request)),
        drops: drops(&kind.extent),
        when: kind.when().iter().map(condition).collect(),
        unless: kind.refused().map(refused),
        because: because(&kind.writes),
        line: match kind.writes {
            Writes::Said(index, _) => Some(line(index)),
            _ => None,
        },
    });
    DroppedBy { kinds: kinds.collect(), spared_by: spared_by.collect() }
}

impl DroppedBy {
    /// For people: a label and a text each.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let kinds = self.kinds.iter().map(|dropping| ("dropped by", dropping.text()));
        kinds.chain(self.spared_by.iter().map(|sparing| ("not by", sparing.text()))).collect()
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        self.kinds.iter().map(Dropping::json).collect()
    }

    /// For programs.
    pub(super) fn spared_json(&self) -> Value {
        self.spared_by.iter().map(|sparing| json!({ "writes": sparing.writes, "line": sparing.line })).collect()
    }
}

impl Dropping {
    fn text(&self) -> String {
        let mut text = format!("{}: {}", self.writes, self.drops);
        for (index, condition) in self.when.iter().enumerate() {
            text.push_str(if index == 0 { ", when " } else { " and " });
            text.push_str(condition);
        }
        if let Some(unless) = &self.unless {
            text.push_str(", unless it is answered ");
            text.push_str(unless);
        }
        if let Some(line) = self.line {
            let _ = write!(text, " ([[write]] line {line})");
        }
        text
    }

    fn json(&self) -> Value {
        json!({
            "writes": self.writes, "drops": self.drops, "when": self.when, "unless": self.unless,
            "because": self.because, "line": self.line,
        })
    }
}

impl Sparing {
    fn text(&self) -> String {
        let (drop, are) = if self.many { ("drop", "they are") } else { ("drops", "it is") };
        let of = if self.nothing { "" } else { " of this" };
        format!("{}: {drop} nothing{of}, but for what {are} sent to ([[write]] line {})", self.writes, self.line)
    }
}

/// With the read's own values where they tell all of a request.
fn writes(kind: &Kind<'_>, path: &str, narrowed: bool, as_sent: impl Fn(&RequestPattern) -> Option<String>) -> String {
    let shown = |request: &RequestPattern| as_sent(request).unwrap_or_else(|| request.as_str().to_owned());
    match &kind.writes {
        Writes::Unsaid if narrowed => "every write that no [[write]] speaks of".to_owned(),
        Writes::Unsaid => "every write".to_owned(),
        Writes::Said(_, rule) => any_of(rule.requests.iter().map(shown)),
        Writes::Listed(_, rule) => shown(&rule.request),
        Writes::Policy(policy) => shown(&policy.request),
        Writes::To => format!("any write to {path}"),
        Writes::Below => {
            format!(
                "any write to {}…, one segment below",
                if path.ends_with('/') { path.to_owned() } else { format!("{path}/") }
            )
        }
        Writes::Above(above) => format!("any write to {}", above.as_str()),
        Writes::Named => "any write whose answer names it (Location, Content-Location) or a group of it".to_owned(),
    }
}

fn drops(extent: &Extent<'_>) -> String {
    match extent {
        Extent::Entry { untold } if untold.is_empty() => "this entry".to_owned(),
        Extent::Entry { untold } => {
            let braced: Vec<String> = untold.iter().map(|name| format!("{{{name}}}")).collect();
            format!("this entry if the write says {}, else every entry of the route", braced.join(" and "))
        }
        Extent::Path => "this path, whatever the query".to_owned(),
        Extent::Route => "every entry of the route".to_owned(),
        Extent::Fetched => "every entry of the route, but for what a write left in the cache alone".to_owned(),
        Extent::Unlisted => "every entry of the route, and of all without `invalidated_by`".to_owned(),
        Extent::Tagged(tags) => tagged(tags.iter()),
        Extent::These(these) => any_of(these.iter().map(|drop| match drop {
            Drops::Path(path) => format!("what lies at {}", path.as_str()),
            Drops::Tag(tag) => tagged(std::iter::once(tag)),
            Drops::Route(_) => "every entry of the route".to_owned(),
        })),
    }
}

fn tagged<'t>(tags: impl Iterator<Item = &'t Template>) -> String {
    let tags: Vec<&Template> = tags.collect();
    let told = tags.iter().all(|tag| tag.variables().next().is_none());
    let names = any_of(tags.iter().map(|tag| tag.as_str().to_owned()));
    let otherwise = if told { "" } else { "; everything, if the write does not say which" };
    format!("whatever has the tag {names}{otherwise}")
}

fn because(writes: &Writes<'_>) -> String {
    match writes {
        Writes::Unsaid => "no [[write]] speaks of it, and the route says nothing of writes".to_owned(),
        Writes::Said(_, rule) => {
            format!("[[write]] {}", any_of(rule.requests.iter().map(|request| request.as_str().to_owned())))
        }
        Writes::Listed(_, rule) => rule.request.as_str().to_owned(),
        Writes::Policy(policy) => format!("write policy of {}", policy.request.as_str()),
        Writes::To => "it is what the write is sent to".to_owned(),
        Writes::Below => "the write is sent to something in it".to_owned(),
        Writes::Above(_) => "the route lies below what the write is sent to".to_owned(),
        Writes::Named => "the answer of the write names it".to_owned(),
    }
}

fn any_of(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join(" or ")
}

/// A condition as a sentence: `response /result is "Ok"`.
pub(super) fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Says { subject, pointer, equals } => {
            let subject = match subject {
                Subject::Request => "body",
                Subject::Response => "response",
            };
            format!("{subject} {} is {equals}", pointer.as_str())
        }
        Condition::Status(statuses) => {
            let codes: Vec<&str> = statuses.iter().map(http::StatusCode::as_str).collect();
            format!("status is {}", codes.join(" or "))
        }
    }
}

/// The answers that mean that nothing was written: `302 with Location /login`.
pub(super) fn refused(refused: &RefusedAnswer) -> String {
    let codes: Vec<&str> = refused.statuses.iter().map(http::StatusCode::as_str).collect();
    let at = refused.location.as_ref().map(|path| format!(" with Location {}", path.as_str())).unwrap_or_default();
    format!("{}{at}", codes.join(" or "))
}
