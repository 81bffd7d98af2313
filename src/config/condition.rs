//! `when`: what a write's JSON, or the status of its answer, must say for an invalidation to happen. `unless`: what keeps an answer from being stored.

use http::StatusCode;
use serde_json::Value;

use super::findings::{Findings, Problem, Text};
use super::forms::{Entries, Json};
use crate::rules::{Condition, Pointer, Subject};

const HELP: &str =
    "name a body and a place in it, as in \"response.result\", \"body.order.state\" or \"response:/order/state\"";

/// What to write instead of a pointer to many places.
pub(super) const ONE_PLACE: &str = "name one place, as in \"body.items.0.id\"; or leave it out: without a value the whole route is dropped, which is safe";

/// The conditions; all of them must hold.
pub(super) fn resolve(raw: Option<Entries<Json>>, findings: &mut Findings<'_>) -> Vec<Condition> {
    let entries = raw.into_iter().flat_map(|entries| entries.0);
    entries
        .filter_map(|(key, value)| {
            if key.get_ref() == "status" {
                return findings.check(&key, statuses(&value)).map(Condition::Status);
            }
            let (subject, pointer) = findings.check(&key, read(&key, &value))?;
            Some(Condition::Says { subject, pointer, equals: value.0 })
        })
        .collect()
}

/// The conditions of `unless`, which look at the one body that a read has.
pub(super) fn of_answers(raw: Option<Entries<Json>>, findings: &mut Findings<'_>) -> Vec<Condition> {
    let places: Vec<_> = raw.iter().flat_map(|entries| &entries.0).map(|(key, _)| key.span()).collect();
    let conditions = resolve(raw, findings);
    if let Some(place) = places.first().filter(|_| !conditions.iter().all(is_of_answer)) {
        let help = "name a place in the answer's JSON, as in unless = { \"response.error\" = true }; for statuses there is `statuses`";
        findings.error(place.clone(), "`unless` can only look at the JSON of an answer", help);
    }
    conditions
}

fn is_of_answer(condition: &Condition) -> bool {
    matches!(condition, Condition::Says { subject: Subject::Response, .. })
}

/// Statuses, as in `[200, 201]` or `201`.
pub(super) fn statuses(value: &Json) -> Result<Vec<StatusCode>, Problem> {
    let help = "write one or more statuses, as in status = [201]";
    let status = |value: &Value| {
        let code = value.as_u64().and_then(|code| u16::try_from(code).ok()).filter(|code| (200..=599).contains(code));
        let status = code.and_then(|code| StatusCode::from_u16(code).ok());
        status.ok_or_else(|| Problem::new(format!("{value} is not a status from 200 to 599"), help))
    };
    match &value.0 {
        Value::Array(list) if list.is_empty() => Err(Problem::new("the list is empty", help)),
        Value::Array(list) => list.iter().map(status).collect(),
        one => Ok(vec![status(one)?]),
    }
}

/// Reads `response.a.b`, `body.a` or `response:/a/b`.
fn read(key: &Text, value: &Json) -> Result<(Subject, Pointer), Problem> {
    let text = key.get_ref().as_str();
    let at = text.find(['.', ':']).unwrap_or(text.len());
    let (word, rest) = text.split_at(at);
    let subject = match word {
        "response" => Subject::Response,
        "body" => Subject::Request,
        "request" => {
            return Err(Problem::new("the request's body is called `body`", format!("write \"body{rest}\"")));
        }
        _ => return Err(Problem::new(format!("`{text}` does not say which body is meant"), HELP)),
    };
    if rest.is_empty() && value.0.is_object() {
        let inner = value.0.as_object().and_then(|object| object.keys().next()).map_or("result", String::as_str);
        let help = format!("put the key in quotes: \"{word}.{inner}\"");
        return Err(Problem::new(format!("`{word}` does not name a place in the body"), help));
    }
    let pointer = match rest.split_at_checked(1) {
        Some((":", pointer)) if pointer.starts_with('/') => Pointer::parse(pointer),
        Some((".", names)) if !names.is_empty() && names.split('.').all(|name| !name.is_empty()) => {
            let steps: Vec<String> = names.split('.').map(escape).collect();
            Pointer::parse(&format!("/{}", steps.join("/")))
        }
        _ => None,
    };
    if rest.split(['.', '/']).any(|step| step == "*") {
        return Err(Problem::new(format!("`*` has no meaning in `{text}`"), ONE_PLACE));
    }
    pointer
        .map(|pointer| (subject, pointer))
        .ok_or_else(|| Problem::new(format!("`{text}` does not name a place in the body"), HELP))
}

/// One step of a JSON pointer (RFC 6901 section 3).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use toml::Spanned;

    fn read_text(key: &str, value: serde_json::Value) -> Result<(Subject, Pointer), Problem> {
        read(&Spanned::new(0..0, key.to_owned()), &Json(value))
    }

    #[test]
    fn places_in_bodies_are_read() {
        for (key, subject, pointer) in [
            ("response.result", Subject::Response, "/result"),
            ("body.a.b", Subject::Request, "/a/b"),
            ("response:/a/b", Subject::Response, "/a/b"),
            ("body.a/b~c", Subject::Request, "/a~1b~0c"),
        ] {
            let expected = Pointer::parse(pointer).unwrap();
            assert_eq!(read_text(key, json!("Ok")), Ok((subject, expected)), "{key}");
        }
    }

    #[test]
    fn what_is_none_says_what_to_write() {
        for (key, help) in [
            ("result", "\"response.result\""),
            ("request.a", "\"body.a\""),
            ("response", "\"response.result\""),
            ("response.", "\"response.result\""),
            ("response..a", "\"response.result\""),
            ("response:a", "\"response.result\""),
            ("", "\"response.result\""),
        ] {
            let problem = read_text(key, json!(1)).unwrap_err();
            assert!(problem.help.contains(help), "{key}: {}", problem.help);
        }
        let nested = read_text("response", json!({"state": "Ok"})).unwrap_err();
        assert!(nested.help.contains("\"response.state\""), "{}", nested.help);
    }
}
