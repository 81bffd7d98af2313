//! JSON with variables in it: `{"order": {body}, "source": "Redis"}`.

use std::borrow::Cow;

use super::{Braced, PatternError, braced};

/// A JSON text with `{name}` and `{body}` to be put in.
///
/// `{name}` becomes the value escaped as the inside of a JSON string; `{body}` becomes the write's JSON body as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonTemplate {
    source: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Body,
    Name(String),
}

impl JsonTemplate {
    /// Reads a template; what it makes must be JSON whatever the values are.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some(Braced { before, rest: braces }) = braced(rest) {
            text.push_str(before);
            match braces {
                Some((name, after)) if is_name(name) => {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    pieces.push(if name == "body" { Piece::Body } else { Piece::Name(name.to_owned()) });
                    rest = after;
                }
                _ => {
                    text.push('{');
                    rest = rest.get(before.len() + 1..).unwrap_or_default();
                }
            }
        }
        text.push_str(rest);
        pieces.push(Piece::Text(text));
        let template = Self { source: source.to_owned(), pieces };
        let sample = template.render("null", |_| Some("x".into())).unwrap_or_default();
        match serde_json::from_str::<serde::de::IgnoredAny>(&sample) {
            Ok(_) => Ok(template),
            Err(error) => Err(PatternError::new(0, format!("this is not JSON once its values are filled in: {error}"))),
        }
    }

    /// The template as written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The names it asks for, besides `body`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name.as_str()),
            Piece::Text(_) | Piece::Body => None,
        })
    }

    /// Puts the values in. `None` when a name has no value. `body` must be JSON.
    pub fn render<'v>(&self, body: &str, mut value: impl FnMut(&str) -> Option<Cow<'v, str>>) -> Option<String> {
        let mut json = String::with_capacity(self.source.len() + body.len());
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => json.push_str(text),
                Piece::Body => json.push_str(body.trim()),
                Piece::Name(name) => {
                    let quoted = serde_json::to_string(&value(name)?).ok()?;
                    json.push_str(quoted.strip_prefix('"')?.strip_suffix('"')?);
                }
            }
        }
        Some(json)
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_templates_render() {
        let entry = JsonTemplate::parse(r#"{"order": {body}, "source": "Redis"}"#).unwrap();
        assert_eq!(
            entry.render("{\"order_id\": 1}\n", |_| None).unwrap(),
            r#"{"order": {"order_id": 1}, "source": "Redis"}"#
        );
        let reply = JsonTemplate::parse(r#"{"status": "success", "message": "Order written to {target}"}"#).unwrap();
        assert_eq!(reply.names().collect::<Vec<_>>(), ["target"]);
        assert_eq!(
            reply.render("", |_| Some("a\"b\\".into())).unwrap(),
            r#"{"status": "success", "message": "Order written to a\"b\\"}"#
        );
        assert_eq!(reply.render("", |_| None), None);
    }

    #[test]
    fn what_makes_no_json_is_refused() {
        for text in ["", "{", r#"{"a": }"#, r#"{"a": {name}}"#] {
            assert!(JsonTemplate::parse(text).is_err(), "{text}");
        }
    }
}
