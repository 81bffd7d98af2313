//! Adds a field to a JSON object answer that says whether it came from the cache.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::answer::Answer;
use super::error::no_answer;
use super::patience::MOMENT;
use crate::body::Body;
use crate::budget::{Budget, COUNTED};
use crate::fields::{Forward, MediaType, media_type, weaken_entity_tag};
use crate::origin::OriginError;
use crate::policy::forbids_transforming;
use crate::rules::{Annotate, Route};
use crate::store::{Kind, StoredResponse};

/// Braces, colon, comma and line feed.
const PUNCTUATION: usize = 4;

/// The body of a hit with its field; as it is where it is no JSON object.
pub(super) fn hit(body: &Bytes, status: StatusCode, fields: &HeaderMap, annotate: &Annotate) -> Bytes {
    if !wants(status, fields) {
        return body.clone();
    }
    with_field(body, &annotate.field, &annotate.hit).unwrap_or_else(|| body.clone())
}

/// An entry that knows how many bytes its annotated body will take.
pub(super) fn counted_in(entry: StoredResponse, route: Option<&Route>) -> StoredResponse {
    let annotate = route.and_then(|route| route.annotate.as_ref());
    match annotate.filter(|_| entry.kind != Kind::VaryIndex && wants(entry.status, &entry.fields)) {
        Some(annotate) => {
            let bytes = entry.body.len() + added(annotate);
            entry.annotated_in(bytes)
        }
        None => entry,
    }
}

/// How many bytes the field adds to a body at the most.
fn added(annotate: &Annotate) -> usize {
    let length = |value: &Value| value.to_string().len();
    length(&Value::from(&*annotate.field)) + length(&annotate.hit) + PUNCTUATION
}

/// An answer that came from the origin, with its field: a copy for it alone, which counts in `answers`. A body larger than
/// `limit` is left as it is, and one that is not whole a moment after its head: it may be a stream, and its client is not to
/// wait for its end.
pub(super) async fn missed(answer: Answer, route: Option<&Route>, limit: u64, answers: &Arc<Budget>) -> Answer {
    let Some(annotate) = route.and_then(|route| route.annotate.as_ref()) else { return answer };
    if answer.cache_status.hit || !wants(answer.response.status(), answer.response.headers()) {
        return answer;
    }
    let Answer { response, cache_status, coding, notes, own, turn } = answer;
    let (mut head, body) = response.into_parts();
    let body = match whole(body, limit, answers).await {
        Ok(bytes) => {
            let mut bytes = bytes;
            let room = if bytes.len() < COUNTED { Some(None) } else { answers.room(bytes.len()).await.map(Some) };
            let Some(receipt) = room else {
                return no_answer(&OriginError::NoRoom, cache_status.forward.unwrap_or(Forward::Miss));
            };
            if let Some(annotated) = with_field(&bytes, &annotate.field, &annotate.miss) {
                own_no_bytes(&mut head.headers);
                bytes = match receipt {
                    Some(receipt) => receipt.seal(annotated),
                    None => annotated,
                };
            }
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            Body::full(bytes)
        }
        Err(Body::Empty) => {
            // The answer to a HEAD: how long the body of a GET would be with its field cannot be told.
            own_no_bytes(&mut head.headers);
            head.headers.remove(CONTENT_LENGTH);
            Body::Empty
        }
        Err(body) => body,
    };
    Answer { response: http::Response::from_parts(head, body), cache_status, coding, notes, own, turn }
}

async fn whole(body: Body, limit: u64, answers: &Arc<Budget>) -> Result<Bytes, Body> {
    match body {
        Body::Full(bytes) => Ok(bytes),
        Body::Empty | Body::Metered(_) => Err(body),
        // A fill has waited that moment already.
        Body::Stream(stream) if stream.is_relayed() => Err(Body::Stream(stream)),
        Body::Stream(stream) => stream.collect_until(limit, Some(Instant::now() + MOMENT), answers.charge(0)).await,
    }
}

/// Whether an answer gets its field, if its body turns out to be a JSON object.
pub(super) fn wants(status: StatusCode, fields: &HeaderMap) -> bool {
    status == StatusCode::OK
        && is_json(fields)
        && !fields.contains_key(CONTENT_ENCODING)
        && !forbids_transforming(fields)
}

/// What the origin said of the body's exact bytes no longer holds for an annotated or encoded one: its digests go, and
/// its entity tag is a weak one, as it stands for bodies that differ in their bytes (RFC 9110 section 8.8.1).
pub(super) fn own_no_bytes(fields: &mut HeaderMap) {
    for digest in ["content-digest", "repr-digest", "digest", "content-md5"] {
        fields.remove(digest);
    }
    weaken_entity_tag(fields);
}

/// Whether the answer says that it is JSON.
pub(super) fn is_json(fields: &HeaderMap) -> bool {
    fields.get(CONTENT_TYPE).is_some_and(|value| media_type(value) == MediaType::Json)
}

/// The object with the field at its end, or in place of one of that name; its other members byte for byte as they were.
fn with_field(body: &[u8], field: &str, value: &Value) -> Option<Bytes> {
    let members = members(body)?;
    let name = serde_json::to_string(field).ok()?;
    let value = serde_json::to_string(value).ok()?;
    let mut text = String::with_capacity(body.len() + name.len() + value.len() + PUNCTUATION);
    text.push('{');
    for (key, raw) in members.iter().filter(|(key, _)| key != field) {
        text.push_str(&serde_json::to_string(key).ok()?);
        text.push(':');
        text.push_str(raw.get());
        text.push(',');
    }
    text.push_str(&name);
    text.push(':');
    text.push_str(&value);
    text.push('}');
    if body.ends_with(b"\n") {
        text.push('\n');
    }
    Some(text.into())
}

fn members(body: &[u8]) -> Option<Vec<(String, &RawValue)>> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            out.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry::<String, &RawValue>()? {
                members.push(member);
            }
            Ok(members)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let members = deserializer.deserialize_map(Members).ok()?;
    deserializer.end().ok()?;
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotated(body: &str, value: impl Into<Value>) -> Option<String> {
        with_field(body.as_bytes(), "from_cache", &value.into()).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn the_field_goes_to_the_end_and_the_rest_stays() {
        assert_eq!(
            annotated("{\"data\":{\"id\": 1, \"x\": 1.10}}\n", true).unwrap(),
            "{\"data\":{\"id\": 1, \"x\": 1.10},\"from_cache\":true}\n"
        );
        assert_eq!(annotated("{}", "hit").unwrap(), "{\"from_cache\":\"hit\"}");
    }

    #[test]
    fn a_field_of_that_name_is_replaced() {
        assert_eq!(annotated(r#"{"from_cache":"?","a":1}"#, true).unwrap(), r#"{"a":1,"from_cache":true}"#);
        assert_eq!(annotated(r#"{"from\u005fcache":0}"#, true).unwrap(), r#"{"from_cache":true}"#);
    }

    #[test]
    fn what_is_no_object_is_left_alone() {
        for body in ["", "[]", "1", "{\"a\":", "{} x", "\u{feff}{}"] {
            assert_eq!(annotated(body, true), None, "{body}");
        }
    }

    #[test]
    fn json_is_known_by_its_type() {
        let is = |text: &'static str| is_json(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(text))]));
        assert!(is("application/json"));
        assert!(is("Application/JSON; charset=utf-8"));
        assert!(is("application/problem+json"));
        assert!(!is("text/json+x"));
        assert!(!is("application/javascript"));
    }
}
