//! What a write does not tell, in words, and what to do about it.

use serde_json::{Value, json};

use crate::rules::{RequestPattern, Routes, Source, Subject, Untold, Why};

/// As in `{id} of /fruit/{id} (PUT /fruit/{id}): …`.
pub(super) fn text(untold: &Untold, routes: &Routes) -> String {
    let of = match (&untold.route, request(untold, routes)) {
        (Some(route), Some(request)) => format!(" of {route} ({request})"),
        (Some(route), None) => format!(" of {route}"),
        (None, Some(request)) => format!(" ({request})"),
        (None, None) => String::new(),
    };
    let dropped = match untold.route {
        Some(_) => "the whole route is dropped",
        None => "everything is dropped that may be meant",
    };
    let variable = braced(&untold.source);
    let why = match &untold.why {
        Why::NotGiven(_) => {
            format!("give {} to see; where it does not say it, {dropped}", option(&untold.why).unwrap_or_default())
        }
        Why::NotUnderstood => format!("it may be in a body that is not JSON, so {dropped}"),
        Why::NotSaid => format!("the write does not say it, so {dropped}"),
        Why::SaidTwice => format!("the write says it in two ways, so {dropped}"),
        Why::Odd(value) => format!("`{value}` is read differently by different backends, so {dropped}"),
    };
    format!("{variable}{of}: {why}")
}

/// For programs.
pub(super) fn json(untold: &Untold, routes: &Routes) -> Value {
    let (why, value) = match &untold.why {
        Why::NotGiven(_) => ("not-given", None),
        Why::NotUnderstood => ("not-understood", None),
        Why::NotSaid => ("not-said", None),
        Why::SaidTwice => ("said-twice", None),
        Why::Odd(value) => ("odd", Some(value)),
    };
    json!({
        "route": untold.route.as_deref(), "request": request(untold, routes), "variable": braced(&untold.source),
        "why": why, "value": value, "give": option(&untold.why),
    })
}

/// The request of the rule that asks.
fn request<'r>(untold: &Untold, routes: &'r Routes) -> Option<&'r str> {
    untold.by.as_ref().and_then(|cause| routes.request_of(cause)).map(RequestPattern::as_str)
}

/// The option that could tell.
fn option(why: &Why) -> Option<&'static str> {
    match why {
        Why::NotGiven(Subject::Request) => Some("--data"),
        Why::NotGiven(Subject::Response) => Some("--response"),
        Why::NotUnderstood | Why::NotSaid | Why::SaidTwice | Why::Odd(_) => None,
    }
}

fn braced(source: &Source) -> String {
    match source {
        Source::Name(name) => format!("{{{name}}}"),
        Source::Body(pointer) => format!("{{body:{}}}", pointer.as_str()),
        Source::Response(pointer) => format!("{{response:{}}}", pointer.as_str()),
    }
}
