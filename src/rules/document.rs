//! JSON as every backend reads it in the same way; what some would read otherwise is not understood.

use std::fmt;
use std::sync::OnceLock;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

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
}
