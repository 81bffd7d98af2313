//! Methods that a write names besides that of its request line: browsers' forms know only GET and POST, so frameworks let a
//! POST say what it is meant to be.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method};
use serde_json::Value;

use super::query::parameters;
use crate::fields::{MediaType, media_type};
use crate::policy::is_overriding;

/// A request's body, as far as somebody has read it.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// There is none.
    Absent,
    /// All of it.
    Whole(&'a [u8]),
    /// All of it, and it is this JSON.
    Json(&'a Value),
    /// It goes on as it comes.
    Unread,
}

/// What a write may be taken for besides what its request line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overriding {
    /// The methods it names.
    pub methods: Vec<Method>,
    /// It may name others where nobody here could look.
    pub unknown: bool,
}

impl Overriding {
    /// Whether it is nothing but what its request line says.
    pub fn is_none(&self) -> bool {
        self.methods.is_empty() && !self.unknown
    }

    fn add(&mut self, method: &[u8]) {
        match Method::from_bytes(&method.trim_ascii().to_ascii_uppercase()) {
            Ok(method) => self.methods.push(method),
            Err(_) => self.unknown = true,
        }
    }
}

/// The methods by which an origin may take this write: those of its fields, and for a POST those of its query and its body.
pub fn overriding(method: &Method, fields: &HeaderMap, query: &str, content: Content<'_>) -> Overriding {
    let mut found = Overriding::default();
    for (_, value) in fields.iter().filter(|(name, _)| is_overriding(name)) {
        found.add(value.as_bytes());
    }
    if *method == Method::POST {
        by_parameters(query, &mut found);
        by_content(fields, content, &mut found);
    }
    found
}

/// What parameters of that name are called: Rack, Symfony, Laravel and Express have it so.
const PARAMETER: &str = "_method";

fn by_parameters(query: &str, found: &mut Overriding) {
    for (name, value) in parameters(query) {
        if name.trim().eq_ignore_ascii_case(PARAMETER) {
            found.add(value.as_bytes());
        }
    }
}

fn by_content(fields: &HeaderMap, content: Content<'_>, found: &mut Overriding) {
    let kind = fields.get(CONTENT_TYPE).map_or(MediaType::Form, media_type);
    match (content, kind) {
        (Content::Absent, _) | (_, MediaType::Other) => {}
        (Content::Json(json), _) => by_member(json, found),
        // JSON that was not understood.
        (Content::Unread, _) | (Content::Whole(_), MediaType::Json) => found.unknown = true,
        (Content::Whole(_), _) if fields.contains_key(CONTENT_ENCODING) => found.unknown = true,
        (Content::Whole(bytes), MediaType::Form) => match std::str::from_utf8(bytes) {
            Ok(text) => by_parameters(text, found),
            Err(_) => found.unknown = true,
        },
        (Content::Whole(bytes), MediaType::Multipart) => {
            found.unknown |= bytes.windows(PARAMETER.len()).any(|part| part.eq_ignore_ascii_case(PARAMETER.as_bytes()));
        }
    }
}

fn by_member(json: &Value, found: &mut Overriding) {
    match json.get(PARAMETER) {
        None => {}
        Some(Value::String(method)) => found.add(method.as_bytes()),
        Some(_) => found.unknown = true,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn found(method: &str, fields: &[(&'static str, &'static str)], query: &str, content: Content<'_>) -> Overriding {
        let fields =
            fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        overriding(&Method::from_bytes(method.as_bytes()).unwrap(), &fields.collect(), query, content)
    }

    #[test]
    fn a_method_is_found_wherever_frameworks_look_for_it() {
        let delete = Overriding { methods: vec![Method::DELETE], unknown: false };
        let form = Content::Whole(b"a=b&%5Fmethod=delete");
        assert_eq!(found("POST", &[("x-http-method-override", "delete")], "", Content::Absent), delete);
        assert_eq!(found("PUT", &[("x-method-override", "DELETE")], "", Content::Unread), delete);
        assert_eq!(found("POST", &[], "x=1&_method=DELETE", Content::Absent), delete);
        assert_eq!(found("POST", &[], "", form), delete);
        assert_eq!(found("POST", &[("content-type", "application/x-www-form-urlencoded")], "", form), delete);
        let json = serde_json::json!({"_method": "DELETE"});
        assert_eq!(found("POST", &[("content-type", "application/json")], "", Content::Json(&json)), delete);
    }

    #[test]
    fn where_nobody_could_look_it_is_unknown() {
        let multipart = Content::Whole(b"--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nPUT\r\n--x--");
        assert!(found("POST", &[("content-type", "multipart/form-data; boundary=x")], "", multipart).unknown);
        assert!(found("POST", &[], "", Content::Unread).unknown);
        assert!(found("POST", &[("content-encoding", "gzip")], "", Content::Whole(b"x")).unknown);
        assert!(found("POST", &[("content-type", "application/json")], "", Content::Whole(b"{")).unknown);
        assert!(found("POST", &[("x-http-method", "A B")], "", Content::Absent).unknown);
    }

    #[test]
    fn an_ordinary_write_has_none() {
        let json = serde_json::json!({"method": "x"});
        for (method, fields, query, content) in [
            ("POST", &[][..], "", Content::Absent),
            ("POST", &[("content-type", "application/json")], "a=1", Content::Json(&json)),
            (
                "POST",
                &[("content-type", "application/x-www-form-urlencoded")],
                "",
                Content::Whole(b"user=a&password=b"),
            ),
            ("POST", &[("content-type", "multipart/form-data; boundary=x")], "", Content::Whole(b"--x--")),
            ("POST", &[("content-type", "application/octet-stream")], "", Content::Unread),
            ("PUT", &[], "_method=DELETE", Content::Unread),
        ] {
            assert!(found(method, fields, query, content).is_none(), "{method} {fields:?} {query}");
        }
    }
}
