//! What a request's JSON tells: some parsers do not mind the case of a name, so where it is there twice but for that, nobody
//! here knows which of the two counts.

use serde_json::Value;

use super::fold::fold;
use super::template::Pointer;

/// Whether some backend takes this name for that one: in another case, of letters as well that are no ASCII ones (`\u{17f}`,
/// the long s), or with what PHP writes as `_`.
pub(super) fn is_alike(known: &str, name: &str) -> bool {
    let known = known.trim();
    if known.eq_ignore_ascii_case(name) {
        return true;
    }
    let plain = |text: &str| fold(text).replace(['.', ' ', '['], "_");
    known.len() <= 4 * name.len() && plain(known) == plain(name)
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

impl Pointer {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
