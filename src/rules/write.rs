//! A write as the rules see it: the values it gives to variables, and the methods that it names besides that of its request
//! line. Browsers' forms know only GET and POST, so frameworks let a POST say what it is meant to be.

use std::borrow::Cow;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use serde_json::Value;

use super::canonical::{is_canonical, write_paths};
use super::document::{Document, member};
use super::fold::scalar;
use super::pattern::{Captures, Source};
use super::read::{Found, find_loosely, parameters};
use super::tag::Tag;
use crate::fields::{MediaType, media_type};
use crate::policy::is_overriding;

/// A write, as the rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// The method of its request line.
    pub method: &'a Method,
    /// What it may be taken for besides.
    pub overriding: &'a Overriding,
    /// Its path as it was sent.
    pub path: &'a str,
    /// Every reading of its path, and of what its Destination names ([`super::write_paths`]).
    pub paths: &'a [String],
    /// Its raw query.
    pub query: &'a str,
    /// Its request body.
    pub body: Document<'a>,
    /// What it was answered.
    pub answer: WriteAnswer<'a>,
}

/// What is known of the answer to a write; nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteAnswer<'a> {
    /// Its status; `None` where there is no answer, or none yet: then the write may have changed anything.
    pub status: Option<StatusCode>,
    /// The raw path that its Location names on this origin.
    pub location: Option<&'a str>,
    /// The decoded paths that its Location and Content-Location name on this origin: they are invalidated too.
    pub also: &'a [String],
    /// The groups of cached responses that it invalidates.
    pub groups: &'a [Tag],
    /// Its JSON body; `None` when it is none, or too large to read, or not known yet.
    pub response: Option<&'a Value>,
}

impl Write<'_> {
    /// Whether an origin may take it for one with this method. Some take `put` for PUT, so case does not matter.
    pub fn is_a(&self, method: &Method) -> bool {
        let same = |mine: &Method| mine.as_str().eq_ignore_ascii_case(method.as_str());
        self.overriding.unknown || same(self.method) || self.overriding.methods.iter().any(same)
    }

    /// Whether every origin takes its method and its path in one way.
    pub fn is_plain(&self) -> bool {
        self.overriding.is_none() && is_canonical(self.path)
    }

    /// Whether a path is a reading of its own, and not only of what a Destination names.
    pub(super) fn is_sent_to(&self, path: &str) -> bool {
        write_paths(self.path).iter().any(|own| own == path)
    }

    /// The value of a variable; `None` when the write does not tell, or tells it in two ways.
    pub(super) fn value<'s>(&'s self, source: &Source, captures: &Captures<'s>) -> Option<Cow<'s, str>> {
        match source {
            Source::Body(pointer) => written(pointer.told(self.body.json()?)??),
            Source::Response(pointer) => written(pointer.of(self.answer.response?)?),
            Source::Name(name) => match captures.get(name) {
                Some(value) => Some(Cow::Owned(value.to_owned())),
                None => self.named(name),
            },
        }
    }

    /// The value that its query or its body gives a name: the same one, where both do. Which of two the origin looks at
    /// nobody here knows, nor what it finds in a body that was not understood.
    fn named(&self, name: &str) -> Option<Cow<'_, str>> {
        let in_body = match self.body {
            Document::Absent => None,
            Document::NotUnderstood => return None,
            Document::Json(body) => member(body, name)?,
        };
        match (find_loosely(self.query, name), in_body) {
            (Found::Ambiguous, _) => None,
            (Found::Absent, value) => written(value?),
            (Found::Once(value), None) => Some(value),
            (Found::Once(value), Some(other)) => written(other).filter(|other| *other == value),
        }
    }
}

/// The text of a JSON value in a place where a query may have said it. A flag is `true`, `True`, `1` or `on` there.
fn written(value: &Value) -> Option<Cow<'_, str>> {
    if value.is_boolean() { None } else { scalar(value) }
}

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
