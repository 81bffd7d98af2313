//! The line of a request in the log, made from its outcome: for people in columns, or as JSON with a field for each value.

use std::fmt::Write as _;

use crate::fields::Notation;

use super::columns::write_columns;
use super::dates::Dates;
use super::field::{LogFields, Value};
use super::outcome::Outcome;
use super::style::{Style, push_text};

/// Appends the line of an outcome, with its end.
pub(super) fn write_line(out: &mut String, outcome: &Outcome, style: Style, dates: &mut Dates) {
    match style.notation {
        Notation::Json => write_json(out, outcome, style.fields, dates),
        Notation::Plain | Notation::Coloured => write_columns(out, outcome, style, dates),
    }
    out.push('\n');
}

fn write_json(out: &mut String, outcome: &Outcome, fields: LogFields, dates: &mut Dates) {
    let (date, micros) = dates.of(outcome.ended);
    let (level, message) = (outcome.level(), outcome.message().unwrap_or("request"));
    let _ = write!(out, "{{\"timestamp\":\"{date}.{micros:06}Z\",\"level\":\"{level}\",\"message\":\"{message}\"");
    for (name, value) in fields.values(outcome) {
        for piece in [",\"", name, "\":"] {
            out.push_str(piece);
        }
        match &value {
            Value::Number(number) => out.push_str(itoa::Buffer::new().format(*number)),
            Value::Text(text) => push_text(out, text, Notation::Json),
            Value::Made(text) => push_text(out, text, Notation::Json),
        }
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Method, StatusCode};

    use super::super::field::LogField;
    use super::super::ids::Ids;
    use super::super::outcome::{Dropped, Notes, Work};
    use super::*;
    use crate::clock::Stopwatch;
    use crate::fields::{CacheStatus, Detail, Forward};

    fn outcome(path: &str) -> Outcome {
        let miss = CacheStatus {
            forward: Some(Forward::UriMiss),
            forward_status: Some(200),
            ttl: Some(60),
            stored: true,
            ..CacheStatus::default()
        };
        Outcome {
            work: Work::Request,
            method: Method::GET,
            path: path.into(),
            ids: None,
            client: Some([127, 0, 0, 1].into()),
            status: Some(StatusCode::OK),
            cache: miss,
            bytes: Some(12),
            micros: 5_200,
            ended: Stopwatch::start().stop().0,
            notes: Notes { origin_micros: Some(5_000), route: Some("/a/{id}".into()), ..Notes::default() },
        }
    }

    fn json(outcome: &Outcome, fields: LogFields) -> serde_json::Value {
        let style = Style { notation: Notation::Json, columns: None, terminal: 0, fields };
        let mut line = String::new();
        write_line(&mut line, outcome, style, &mut Dates::new());
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1, "{line}");
        assert!(line.chars().all(|c| c == '\n' || !c.is_control()), "{line}");
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn a_json_line_has_a_field_for_every_value() {
        let line = json(&outcome("/a/1"), LogFields::EVERY);
        let has = |name: &str, value: serde_json::Value| assert_eq!(line[name], value, "{name}: {line}");
        has("level", "INFO".into());
        has("message", "request".into());
        has("path", "/a/1".into());
        has("route", "/a/{id}".into());
        has("status", 200.into());
        has("result", "miss".into());
        has("reason", "uri-miss".into());
        has("cache", "aside; fwd=uri-miss; fwd-status=200; ttl=60; stored".into());
        has("bytes", 12.into());
        has("source", "origin".into());
        has("micros", 5_200.into());
        has("origin_micros", 5_000.into());
        has("client", "127.0.0.1".into());
        assert!(line["timestamp"].as_str().is_some_and(|date| date.len() == 27 && date.ends_with('Z')));
        assert!(line.get("dropped").is_none() && line.get("request_id").is_none(), "{line}");
    }

    #[test]
    fn a_write_says_what_it_dropped_and_a_request_its_ids() {
        let fields = [("x-request-id".parse().unwrap(), HeaderValue::from_static("r-1"))];
        let dropped = Dropped {
            summary: Some("fruit:1".to_owned()),
            rule: Some("PUT /fruit/{id}".to_owned()),
            ack_micros: Some(7),
            ..Dropped::default()
        };
        let write = Outcome {
            method: Method::PUT,
            ids: Ids::of(&fields.into_iter().collect()).map(Box::new),
            cache: CacheStatus { forward: Some(Forward::Method), ..CacheStatus::default() },
            notes: Notes { is_write: true, dropped: Some(Box::new(dropped)), ..Notes::default() },
            ..outcome("/fruit/1")
        };
        let line = json(&write, LogFields::EVERY);
        for (name, value) in [
            ("result", "write"),
            ("dropped", "fruit:1"),
            ("rule", "PUT /fruit/{id}"),
            ("invalidation", "confirmed"),
            ("request_id", "r-1"),
        ] {
            assert_eq!(line[name], value, "{line}");
        }
        assert_eq!(line["ack_micros"], 7);
        let few = json(&write, LogFields::of(&[LogField::RequestId, LogField::Path]));
        let keys: Vec<_> = few.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys.len(), 5, "{few}");
        assert!(["timestamp", "level", "message", "path", "request_id"].iter().all(|key| keys.contains(key)), "{few}");
    }

    #[test]
    fn text_of_others_stays_text() {
        for path in ["/a\"b\\c", "/\u{1b}[31m\u{9b}\u{85}\u{202e}\r\n\t", "/Le\u{f3}n/e\u{301}\u{200b}\u{e0041}'"] {
            let line = json(&outcome(path), LogFields::EVERY);
            assert_eq!(line["path"], path);
        }
        let why = Notes { why: Some("no \"one\" there\u{2028}".into()), ..Notes::default() };
        let down =
            CacheStatus { forward: Some(Forward::UriMiss), detail: Some(Detail::OriginDown), ..CacheStatus::default() };
        let trouble = Outcome { status: Some(StatusCode::BAD_GATEWAY), cache: down, notes: why, ..outcome("/down") };
        let line = json(&trouble, LogFields::EVERY);
        assert_eq!((&line["level"], &line["why"]), (&"WARN".into(), &"no \"one\" there\u{2028}".into()));
    }
}
