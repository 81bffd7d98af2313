//! What a write names besides the path, in its query and in its JSON; and how such values are kept.
//!
//! `POST /favorites {"article": 5}` is about the article 5 as `POST /articles/5/favorite` is. Nobody knows which member names a
//! thing, so each does that has a whole number or a short text. What nobody here can read may name anything.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use crate::rules::Document;

/// More values are not looked for.
const MOST: usize = 8;
/// Longer texts say something and name nothing, as far as they are no program.
const LONGEST_TEXT: usize = 64;
/// So much of a member's name is kept.
const LONGEST_NAME: usize = 64;

/// So long a value is kept as it is.
const LONGEST_VALUE: usize = 64;
/// What a stand-in begins with.
pub(super) const STAND_IN: char = '\0';

/// A value as it is kept: a long one as a stand-in, of its hash, which is the same for the same value alone.
pub(super) fn kept(value: &str) -> String {
    if value.len() <= LONGEST_VALUE && !value.starts_with(STAND_IN) {
        value.to_owned()
    } else {
        format!("{STAND_IN}{:016x}", xxh3_64(value.as_bytes()))
    }
}

/// The names and values that answers have to have which are about a write, besides those of its path; `None` where nobody
/// can tell.
pub(super) type Named = Option<Vec<(String, String)>>;

/// Those of a write's query and body.
pub(super) fn named(query: &str, body: Document<'_>) -> Named {
    let mut found = Found::default();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or(("", pair));
        found.text(&decoded(name), &decoded(&value.replace('+', " ")));
    }
    match body {
        Document::Absent => {}
        Document::NotUnderstood => return None,
        Document::Json(value) => found.json("", value),
    }
    found.values()
}

/// What has been found so far.
#[derive(Default)]
struct Found {
    values: Vec<(String, String)>,
    /// Addresses of people, which no answer shows beside a password.
    addresses: Vec<(String, String)>,
    has_password: bool,
    is_unclear: bool,
}

impl Found {
    /// What stands at a member of this name, or of one above where it has none of its own.
    fn json(&mut self, name: &str, value: &Value) {
        match value {
            Value::Object(members) => {
                for (own, value) in members {
                    // As in `{"article": {"id": 5}}`.
                    let name = if is_id(&plain(own)) && !name.is_empty() { name } else { own };
                    self.json(name, value);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.json(name, value)),
            Value::Number(number) if number.is_f64() => {}
            Value::Number(number) => self.add(name, &number.to_string()),
            Value::String(text) => self.text(name, text),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn text(&mut self, name: &str, text: &str) {
        if is_of_password(name) {
            self.has_password = true;
        } else if text.contains(['{', '(']) {
            // GraphQL and its like: what it does stands in it.
            self.is_unclear = true;
        } else if text.contains('@') {
            self.addresses.push((name.to_owned(), text.to_owned()));
        } else if text.len() <= LONGEST_TEXT {
            self.add(name, text.trim());
        } else {
            // An address, or an id of some kind.
            self.is_unclear |= !text.trim().contains(char::is_whitespace);
        }
    }

    fn add(&mut self, name: &str, value: &str) {
        let name = name.get(..LONGEST_NAME).unwrap_or(name);
        let is_known = self.values.iter().any(|(known, of)| known == name && of == value);
        if !value.is_empty() && !is_known {
            self.is_unclear |= self.values.len() >= MOST;
            if !self.is_unclear {
                self.values.push((name.to_owned(), kept(value)));
            }
        }
    }

    fn values(mut self) -> Named {
        let addresses = std::mem::take(&mut self.addresses);
        if !self.has_password {
            for (name, address) in &addresses {
                self.add(name, address);
            }
        }
        (!self.is_unclear).then_some(self.values)
    }
}

fn is_of_password(name: &str) -> bool {
    ["password", "passwd", "passphrase"].iter().any(|word| plain(name).contains(word))
}

/// Whether a member of this plain name says which one something is, and not what.
pub(super) fn is_id(name: &str) -> bool {
    matches!(name, "id" | "ids" | "uuid" | "uuids" | "slug" | "slugs")
}

/// As in `postid` for `post_id` and `postId`.
pub(super) fn plain(name: &str) -> String {
    name.bytes().filter(u8::is_ascii_alphanumeric).map(|letter| char::from(letter.to_ascii_lowercase())).collect()
}

pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// As in `order` for `orders`.
pub(super) fn singular(word: &str) -> &str {
    word.strip_suffix('s').filter(|one| !one.is_empty()).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str, body: &str) -> Option<String> {
        let json = serde_json::from_str(body).unwrap_or_default();
        let body = if body.is_empty() { Document::Absent } else { Document::Json(&json) };
        let pair = |(name, value): (String, String)| format!("{name}={value}");
        named(query, body).map(|values| values.into_iter().map(pair).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_number_and_a_short_text_name_something_wherever_they_stand() {
        let long = format!(r#"{{"text": "{}"}}"#, "long ".repeat(20));
        for (query, body, named) in [
            ("", "", ""),
            ("id=5&tag=green+tea&x", "", "id=5 tag=green tea =x"),
            ("", r#"{"article": 5, "on": true, "no": null, "share": 0.5}"#, "article=5"),
            ("", r#"{"article": {"id": 5, "slug": "a-day"}}"#, "article=5 article=a-day"),
            ("", r#"{"id": 5, "ids": [6, 6, 7]}"#, "id=5 ids=6 ids=7"),
            ("", "[1, [2]]", "=1 =2"),
            ("", &long, ""),
            ("", r#"{"email": "ann@x.org", "password": "12345678"}"#, ""),
            ("", r#"{"user": {"name": "ann", "newPassword": "x"}}"#, "name=ann"),
            ("", r#"{"email": "ann@x.org"}"#, "email=ann@x.org"),
        ] {
            assert_eq!(of(query, body).as_deref(), Some(named), "{query} {body}");
        }
    }

    #[test]
    fn what_cannot_be_read_may_name_anything() {
        assert_eq!(named("", Document::NotUnderstood), None);
        assert_eq!(of("", r#"{"query": "mutation { like(id: 5) { id } }", "variables": {}}"#), None);
        assert_eq!(of("", "[1, 2, 3, 4, 5, 6, 7, 8, 9]"), None);
        assert_eq!(of(&format!("url=https://api.example/{}/5", "articles/".repeat(8)), ""), None);
    }
}
