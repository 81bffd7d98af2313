//! A request as the blog reads it, and what it replies.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::support::origin::Asked;

/// What the blog makes of a request: nobody who knows HTTP alone could tell all of it.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// The method after `X-HTTP-Method-Override` and `_method` in query or body, which count on POST.
    pub method: String,
    /// The path's segments, decoded; a trailing slash makes no difference.
    pub path: Vec<String>,
    pub query: BTreeMap<String, String>,
    /// What follows `Token ` in Authorization.
    pub token: Option<String>,
    /// The JSON body, or the fields of a form.
    pub body: Value,
    pub is_form: bool,
}

impl Call {
    pub fn of(asked: &Asked) -> Self {
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let is_form = asked.field("content-type") == Some("application/x-www-form-urlencoded");
        let mut call = Self {
            method: asked.method.to_string(),
            path: path.split('/').filter(|segment| !segment.is_empty()).map(decoded).collect(),
            query: pairs(query),
            token: asked.field("authorization").and_then(|text| text.strip_prefix("Token ")).map(str::to_owned),
            body: Value::Null,
            is_form,
        };
        let text = String::from_utf8_lossy(&asked.body);
        call.body = if is_form {
            pairs(&text).into_iter().map(|(name, value)| (name, Value::from(value))).collect()
        } else {
            serde_json::from_str(&text).unwrap_or_default()
        };
        if call.method == "POST" {
            let named = [asked.field("x-http-method-override"), call.query("_method"), call.text("_method")];
            let method = named.into_iter().flatten().next().map(str::to_ascii_uppercase);
            call.method = method.unwrap_or(call.method);
        }
        call
    }

    /// A GET of this target.
    pub fn get(target: &str, token: Option<&str>) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: "GET".to_owned(),
            path: path.split('/').filter(|segment| !segment.is_empty()).map(decoded).collect(),
            query: pairs(query),
            token: token.map(str::to_owned),
            ..Self::default()
        }
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// A text of the body.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name)?.as_str()
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(&value.replace('+', " ")))).collect()
}

/// A status, where to go, and a JSON body.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub location: Option<String>,
    pub body: Value,
}

impl Reply {
    pub fn of(status: u16, body: Value) -> Self {
        Self { status, location: None, body }
    }

    pub fn ok(body: Value) -> Self {
        Self::of(200, body)
    }

    pub fn empty(status: u16) -> Self {
        Self::of(status, Value::Null)
    }

    pub fn go(status: u16, location: String) -> Self {
        Self { status, location: Some(location), body: Value::Null }
    }

    /// The body as it is sent.
    pub fn bytes(&self) -> String {
        if self.body.is_null() { String::new() } else { self.body.to_string() }
    }
}

/// A reply, or the refusal that came first.
pub type Replied = Result<Reply, Reply>;
