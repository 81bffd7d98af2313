//! JSON as every backend reads it in the same way, and what stands where in it; what some would read otherwise is not
//! understood.

use std::fmt;
use std::sync::OnceLock;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::fold::is_alike;

/// What there is to know of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Document<'a> {
    /// There is none.
    #[default]
    Absent,
    /// There is one, and nobody here knows what a backend reads in it: it is too large, says to be no JSON, or is none that
    /// every parser reads alike. Whatever else a request says, this may say otherwise.
    NotUnderstood,
    /// It is this JSON.
    Json(&'a Value),
}

impl<'a> Document<'a> {
    /// The JSON, where there is some.
    pub fn json(self) -> Option<&'a Value> {
        match self {
            Self::Json(value) => Some(value),
            Self::Absent | Self::NotUnderstood => None,
        }
    }
}

/// The body of an answer, which is read as JSON where somebody asks for that, and then once.
#[derive(Debug)]
pub struct LazyJson<'b> {
    bytes: &'b [u8],
    read: OnceLock<Option<Value>>,
}

impl<'b> LazyJson<'b> {
    /// Of a whole body, which nobody has read yet.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, read: OnceLock::new() }
    }

    /// The document; `None` where it is no JSON. Of a name that is there twice the last one counts.
    pub fn get(&self) -> Option<&Value> {
        self.read.get_or_init(|| serde_json::from_slice(self.bytes).ok()).as_ref()
    }
}

/// A JSON pointer (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(String);

impl Pointer {
    /// A pointer from its text, which is empty or starts with `/`.
    pub fn parse(text: &str) -> Option<Self> {
        (text.is_empty() || text.starts_with('/')).then(|| Self(text.to_owned()))
    }

    /// Its text: empty, or starting with `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value it points at in a document.
    pub fn of<'a>(&self, document: &'a serde_json::Value) -> Option<&'a serde_json::Value> {
        document.pointer(&self.0)
    }

    /// What a request's JSON has at this place; `Some(None)` where there is nothing. `None` where it cannot be told, since a
    /// name on the way is there in another case, too.
    pub fn told<'a>(&self, document: &'a Value) -> Option<Option<&'a Value>> {
        let found = self.of(document);
        let mut at = document;
        for step in self.as_str().split('/').skip(1) {
            let next = match at {
                Value::Object(_) => member(at, &step.replace("~1", "/").replace("~0", "~"))?,
                Value::Array(items) => step.parse().ok().and_then(|index: usize| items.get(index)),
                _ => None,
            };
            let Some(next) = next else { return Some(found) };
            at = next;
        }
        Some(found)
    }
}

/// A member of a JSON object; `Some(None)` where there is none. `None` where it cannot be told: the document is no object,
/// or there is a member that differs by its case, which some backends take for this one.
#[expect(clippy::option_option, reason = "told, told that it is absent, not told")]
pub(super) fn member<'a>(document: &'a Value, name: &str) -> Option<Option<&'a Value>> {
    let object = document.as_object()?;
    let alike = object.keys().filter(|known| is_alike(known, name)).count();
    match (object.get(name), alike) {
        (found, 0) | (found @ Some(_), 1) => Some(found),
        _ => None,
    }
}

/// Reads JSON (RFC 8259) in UTF-8. `None` for everything else, and for an object with a name twice: which of the two counts,
/// parsers do not agree about.
///
/// A document of more than 128 levels is not read.
pub fn read_json(bytes: &[u8]) -> Option<Value> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict.deserialize(&mut deserializer).ok()?;
    deserializer.end().is_ok().then_some(value)
}

/// Reads a value, and refuses names that are there twice.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Number::from_f64(number).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(member) = members.next_element_seed(Strict)? {
            list.push(member);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Strict)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name is there twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_reads_what_every_parser_reads_alike() {
        for text in [r#"{"a": [1, -2.5, "x", null, true, {"b": {}}], "A": 18446744073709551615}"#, " 7 ", "[]"] {
            assert_eq!(read_json(text.as_bytes()), serde_json::from_str(text).ok(), "{text}");
            assert!(read_json(text.as_bytes()).is_some(), "{text}");
        }
    }

    #[test]
    fn it_does_not_understand_what_parsers_differ_about() {
        for text in [
            "",
            "x",
            r#"{"a": 1, "a": 2}"#,
            r#"{"a": {"b": 1, "\u0062": 2}}"#,
            r#"[{"a": 1, "a": 1}]"#,
            r#"{"a": NaN}"#,
            r#"{"a": Infinity}"#,
            r#"{"a": 1e400}"#,
            r#"{"a": "\ud800"}"#,
            "\u{feff}{}",
            "{} {}",
            "{'a': 1}",
            "{\"a\": 1,}",
            "{/* */}",
        ] {
            assert_eq!(read_json(text.as_bytes()), None, "{text}");
        }
        let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read_json(&utf16), None);
        assert_eq!(read_json(b"{\"a\": \"\xff\"}"), None);
        assert_eq!(read_json(&[b"[".repeat(200), b"]".repeat(200)].concat()), None);
    }

    #[test]
    fn a_name_that_is_there_in_another_case_too_tells_nothing() {
        let at = |pointer: &str, document: &Value| {
            let told = Pointer::parse(pointer).unwrap();
            told.told(document).map(Option::<&Value>::cloned)
        };
        let plain = json!({"a": {"b": [{"c": 7}]}, "x/y": 1, "m~n": 2});
        assert_eq!(at("/a/b/0/c", &plain), Some(Some(json!(7))));
        assert_eq!(at("", &plain), Some(Some(plain.clone())));
        assert_eq!((at("/x~1y", &plain), at("/m~0n", &plain)), (Some(Some(json!(1))), Some(Some(json!(2)))));
        for absent in ["/b", "/a/x", "/a/b/1", "/a/b/x", "/a/b/0/c/d"] {
            assert_eq!(at(absent, &plain), Some(None), "{absent}");
        }
        for twice in [
            json!({"a": {"b": 1, "B": 2}}),
            json!({"a": {"b": 1}, "A": {"b": 2}}),
            json!({"A": {"b": 1}}),
            json!({"a": {"B": 1}}),
            json!({"a": {"b": 1, "b ": 2}}),
        ] {
            assert_eq!(at("/a/b", &twice), None, "{twice}");
        }
        // It does not matter where the way does not lead.
        assert_eq!(at("/a/b", &json!({"a": {"b": 1}, "c": 1, "C": 2})), Some(Some(json!(1))));
    }
}
