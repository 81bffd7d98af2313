//! Methods that a write names besides that of its request line: browsers' forms know only GET and POST, so frameworks let a
//! POST say what it is meant to be.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, Method};
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

/// The methods by which an origin may take this write: those of its fields and of its query, and for a POST those of its
/// body.
pub fn overriding(method: &Method, fields: &HeaderMap, query: &str, content: Content<'_>) -> Overriding {
    let mut found = Overriding::default();
    for (_, value) in fields.iter().filter(|(name, _)| is_overriding(name)) {
        found.add(value.as_bytes());
    }
    by_parameters(query, &mut found);
    if *method == Method::POST {
        by_content(fields, content, &mut found);
    }
    found
}

/// What the parameter is called: Rack, Symfony, Laravel, Express and others have it so.
const PARAMETER: &str = "_method";

/// Old Flask apps and ASP.NET have names of their own: the latter that of the field.
fn is_parameter(name: &str) -> bool {
    name.eq_ignore_ascii_case(PARAMETER)
        || name.eq_ignore_ascii_case("__method_override__")
        || HeaderName::from_bytes(name.as_bytes()).is_ok_and(|name| is_overriding(&name))
}

fn by_parameters(query: &str, found: &mut Overriding) {
    for (name, value) in parameters(query) {
        if is_parameter(name.trim()) {
            found.add(value.as_bytes());
        }
    }
}

fn by_content(fields: &HeaderMap, content: Content<'_>, found: &mut Overriding) {
    let Some(kind) = kind(fields) else {
        found.unknown |= !matches!(content, Content::Absent);
        return;
    };
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
            let has = |name: &str| bytes.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name.as_bytes()));
            // A name that is written the long way may be encoded (RFC 8187 section 3.2).
            found.unknown |= [PARAMETER, "-method", "name*"].into_iter().any(has);
        }
    }
}

/// The kind of a body, a form where nothing is said of it; `None` where frameworks read what is said in different ways.
fn kind(fields: &HeaderMap) -> Option<MediaType> {
    let mut types = fields.get_all(CONTENT_TYPE).iter();
    let Some(only) = types.next() else { return Some(MediaType::Form) };
    let text = String::from_utf8_lossy(only.as_bytes()).to_ascii_lowercase();
    match media_type(only) {
        _ if types.next().is_some() => None,
        // Some take any type for JSON that has the word in it.
        MediaType::Other if text.contains("json") => None,
        MediaType::Multipart => Some(MediaType::Multipart),
        kind => (!text.contains(',')).then_some(kind),
    }
}

fn by_member(json: &Value, found: &mut Overriding) {
    for (_, value) in json.as_object().into_iter().flatten().filter(|(name, _)| is_parameter(name.trim())) {
        match value {
            Value::String(method) => found.add(method.as_bytes()),
            _ => found.unknown = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

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
        assert_eq!(found("PUT", &[], "_method=DELETE", Content::Unread), delete);
        assert_eq!(found("POST", &[], "X-HTTP-Method-Override=DELETE", Content::Absent), delete);
        assert_eq!(found("POST", &[], "", Content::Whole(b"__METHOD_OVERRIDE__=DELETE")), delete);
        assert_eq!(found("POST", &[], "", form), delete);
        assert_eq!(found("POST", &[("content-type", "application/x-www-form-urlencoded")], "", form), delete);
        let json = serde_json::json!({"_method": "DELETE"});
        assert_eq!(found("POST", &[("content-type", "application/json")], "", Content::Json(&json)), delete);
    }

    #[test]
    fn where_nobody_could_look_it_is_unknown() {
        let multipart = Content::Whole(b"--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nPUT\r\n--x--");
        assert!(found("POST", &[("content-type", "multipart/form-data; boundary=x")], "", multipart).unknown);
        let of_net =
            Content::Whole(b"--x\r\nContent-Disposition: form-data; name=X-HTTP-Method-Override\r\n\r\nPUT\r\n--x--");
        assert!(found("POST", &[("content-type", "multipart/form-data; boundary=x")], "", of_net).unknown);
        assert!(found("POST", &[], "", Content::Unread).unknown);
        assert!(found("POST", &[("content-encoding", "gzip")], "", Content::Whole(b"x")).unknown);
        assert!(found("POST", &[("content-type", "application/json")], "", Content::Whole(b"{")).unknown);
        assert!(found("POST", &[("x-http-method", "A B")], "", Content::Absent).unknown);
        let mut twice = HeaderMap::new();
        for kind in ["text/plain", "application/x-www-form-urlencoded"] {
            twice.append(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        assert!(overriding(&Method::POST, &twice, "", Content::Whole(b"_method=PUT")).unknown);
        assert!(overriding(&Method::POST, &twice, "", Content::Absent).is_none());
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
            ("PUT", &[], "method=DELETE", Content::Unread),
            ("POST", &[], "payment_method=card", Content::Absent),
        ] {
            assert!(found(method, fields, query, content).is_none(), "{method} {fields:?} {query}");
        }
    }
}
