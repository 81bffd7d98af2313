//! What an answer says, as far as it counts: two that say the same have the same digest, and of two that do not it is told
//! where they differ.

use serde_json::Value;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::json;
use super::settings::Ignored;

/// What an answer says.
#[derive(Debug)]
pub struct Content {
    digest: u64,
    json: Option<Value>,
}

/// Of longer bodies it is the bytes that are compared.
const LONGEST_JSON: usize = 1 << 20;
/// So many places are named at the most.
const MOST_PLACES: usize = 32;
/// And none that is longer.
const LONGEST_PLACE: usize = 256;

impl Content {
    /// Of an answer with this status and body, which says to be JSON or does not.
    ///
    /// JSON that can be read is compared as JSON: neither the order of names nor white space counts, nor what is ignored.
    /// Numbers count as they are written.
    pub fn of(status: u16, body: &[u8], says_json: bool, ignored: &Ignored) -> Self {
        let read = says_json && body.len() <= LONGEST_JSON;
        let json = if read { json::read(body) } else { None };
        let hash = match &json {
            Some(value) => hash_of(value, &mut Vec::new(), ignored),
            None => xxh3_64(body),
        };
        Self { digest: xxh3_64_with_seed(&hash.to_le_bytes(), u64::from(status)), json }
    }

    /// The same for all that say the same.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Where the two differ, as pointers with `*` for each place in a list; none where one of them is no JSON.
    pub fn differing(&self, other: &Self, ignored: &Ignored) -> Vec<String> {
        let mut places = Vec::new();
        if let (Some(one), Some(other)) = (&self.json, &other.json) {
            differing(one, other, &mut Vec::new(), ignored, &mut places);
        }
        places
    }
}

/// Members count in any order, and those of a list in theirs.
fn hash_of<'v>(value: &'v Value, steps: &mut Vec<&'v str>, ignored: &Ignored) -> u64 {
    match value {
        Value::Object(members) => members.iter().fold(1, |sum: u64, (name, value)| {
            steps.push(name);
            let hash =
                if ignored.has(steps) { 0 } else { xxh3_64_with_seed(name.as_bytes(), hash_of(value, steps, ignored)) };
            steps.pop();
            sum.wrapping_add(hash)
        }),
        Value::Array(members) => members.iter().fold(2, |seed, value| {
            steps.push("*");
            let hash = if ignored.has(steps) { 0 } else { hash_of(value, steps, ignored) };
            steps.pop();
            xxh3_64_with_seed(&hash.to_le_bytes(), seed)
        }),
        other => xxh3_64_with_seed(other.to_string().as_bytes(), 3),
    }
}

fn differing<'v>(
    one: &'v Value,
    other: &'v Value,
    steps: &mut Vec<&'v str>,
    ignored: &Ignored,
    places: &mut Vec<String>,
) {
    if one == other || ignored.has(steps) {
        return;
    }
    match (one, other) {
        (Value::Object(members), Value::Object(others)) => {
            let added = others.iter().filter(|(name, _)| !members.contains_key(*name));
            for (name, value) in members.iter().chain(added) {
                steps.push(name);
                differing(value, pair(members, others, name), steps, ignored, places);
                steps.pop();
            }
        }
        (Value::Array(members), Value::Array(others)) if members.len() == others.len() => {
            for (value, other) in members.iter().zip(others) {
                steps.push("*");
                differing(value, other, steps, ignored, places);
                steps.pop();
            }
        }
        _ => {
            let place = steps
                .iter()
                .fold(String::new(), |place, step| place + "/" + &step.replace('~', "~0").replace('/', "~1"));
            if (1..=LONGEST_PLACE).contains(&place.len()) && places.len() < MOST_PLACES && !places.contains(&place) {
                places.push(place);
            }
        }
    }
}

/// The member that the other document has, or nothing in its place.
fn pair<'v>(
    members: &'v serde_json::Map<String, Value>,
    others: &'v serde_json::Map<String, Value>,
    name: &str,
) -> &'v Value {
    static NOTHING: Value = Value::Null;
    if members.contains_key(name) { others.get(name).unwrap_or(&NOTHING) } else { &NOTHING }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(body: &str, ignored: &[&'static str]) -> u64 {
        Content::of(200, body.as_bytes(), true, &Ignored::parse(ignored.iter().copied()).unwrap()).digest()
    }

    #[test]
    fn what_says_the_same_is_the_same() {
        assert_eq!(digest(r#"{"a": 1, "b": [1, 2]}"#, &[]), digest(r#"{"b":[1,2],"a":1}"#, &[]));
        assert_eq!(digest(r#"{"a": 1, "t": 7}"#, &["t"]), digest(r#"{"a": 1, "t": 8}"#, &["t"]));
        assert_eq!(digest(r#"{"a": 1, "t": 7}"#, &["t"]), digest(r#"{"a": 1}"#, &["t"]), "there or not");
        assert_eq!(digest(r#"[{"t": 1}]"#, &["/*/t"]), digest(r#"[{"t": 2}]"#, &["/*/t"]));
        assert_eq!(digest("no JSON", &[]), digest("no JSON", &[]));
    }

    #[test]
    fn what_says_something_else_is_not() {
        for (one, other) in [
            (r#"{"a": 1}"#, r#"{"a": 2}"#),
            (r#"{"a": 1, "b": 2}"#, r#"{"a": 2, "b": 1}"#),
            ("[1, 2]", "[2, 1]"),
            ("[[1], []]", "[[], [1]]"),
            (r#"{"a": {"b": 1}}"#, r#"{"a": {}, "b": 1}"#),
            (r#"{"a": null}"#, "{}"),
            (r#"{"a": "1"}"#, r#"{"a": 1}"#),
            (r#"{"a": 12345678901234567.01}"#, r#"{"a": 12345678901234567.05}"#),
            (r#"{"a": 1, "a": 2}"#, r#"{"a": 3, "a": 2}"#),
            ("no JSON", "nor this"),
        ] {
            assert_ne!(digest(one, &["t"]), digest(other, &["t"]), "{one} {other}");
        }
        let of = |status| Content::of(status, b"{}", true, &Ignored::default()).digest();
        assert_ne!(of(200), of(404));
    }

    #[test]
    fn it_is_told_where_two_differ() {
        let content = |body: &str| Content::of(200, body.as_bytes(), true, &Ignored::default());
        let one = content(r#"{"at": 1, "list": [{"n": 1, "same": 0}, {"n": 2, "same": 0}], "gone": 1, "l": [1]}"#);
        let other = content(r#"{"at": 2, "list": [{"n": 3, "same": 0}, {"n": 4, "same": 0}], "a/b": 1, "l": []}"#);
        let mut places = one.differing(&other, &Ignored::default());
        places.sort();
        assert_eq!(places, ["/at", "/a~1b", "/gone", "/l", "/list/*/n"]);
        assert_eq!(one.differing(&other, &Ignored::parse(["at", "gone", "l", "list", "/a~1b"]).unwrap()), [""; 0]);
        let text = Content::of(200, b"no JSON", false, &Ignored::default());
        assert_eq!(one.differing(&text, &Ignored::default()), [""; 0]);
    }
}
