//! What stands in the query of a request to the admin listener.

use serde_json::{Map, Value};
use url::form_urlencoded::{Serializer, parse};

use super::answer::Refusal;

/// A request that is asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExplainQuestion {
    /// Its method.
    pub method: String,
    /// Its path and query, or its whole URL.
    pub url: String,
    /// The host that it asks, where that is not in the URL.
    pub host: Option<String>,
    /// Whether it comes by https, where neither the URL nor the listener says so.
    pub https: bool,
    /// Its fields, each as `Name: value`.
    pub fields: Vec<String>,
}

impl ExplainQuestion {
    /// The path and query that ask it.
    pub fn target(&self) -> String {
        let mut query = Serializer::new(String::new());
        query.append_pair("method", &self.method).append_pair("url", &self.url);
        if let Some(host) = &self.host {
            query.append_pair("host", host);
        }
        if self.https {
            query.append_pair("https", "true");
        }
        for field in &self.fields {
            query.append_pair("header", field);
        }
        format!("/explain?{}", query.finish())
    }
}

/// What `/explain` is asked: `method`, `url`, and as it may be `host`, `https` and several `header`.
pub(super) fn explain(query: &str) -> Result<ExplainQuestion, Refusal> {
    let mut question = ExplainQuestion { method: "GET".to_owned(), ..ExplainQuestion::default() };
    for (name, value) in parameters(query, &["method", "url", "host", "https", "header"], "header")? {
        match &*name {
            "method" => question.method = said(value, "method", "GET, PUT or another")?,
            "url" => question.url = value,
            "host" => question.host = Some(said(value, "host", "one, as in shop.example")?),
            "https" => question.https = flag(&value, "https")?,
            _ => question.fields.push(value),
        }
    }
    if question.url.is_empty() {
        let told =
            "The URL to explain is missing; give a path or a whole URL, as in /explain?method=GET&url=/orders/99.";
        return Err(Refusal::of_field("url", told));
    }
    Ok(question)
}

/// So many entries are told of where nobody says how many.
const USUAL: usize = 100;

/// What `/entries` is asked: of which `route`, and how many at most.
pub(super) fn entries(query: &str) -> Result<(Option<String>, usize), Refusal> {
    let (mut route, mut limit) = (None, USUAL);
    for (name, value) in parameters(query, &["route", "limit"], "")? {
        if name == "route" {
            route = Some(value);
        } else {
            let told = "`limit` is a whole number from 1 to 1000.";
            let read = value.parse().ok().filter(|limit| (1..=1000).contains(limit));
            limit = read.ok_or_else(|| Refusal::of_field("limit", told))?;
        }
    }
    Ok((route, limit))
}

/// For what takes no parameters.
pub(super) fn none(query: &str) -> Result<(), Refusal> {
    match parse(query.as_bytes()).next() {
        None => Ok(()),
        Some((name, _)) => Err(Refusal::of_field(&name, "There are no parameters here.")),
    }
}

/// For what takes an empty object, or nothing.
pub(super) fn nothing(body: &[u8]) -> Result<(), Refusal> {
    if body.is_empty() {
        return Ok(());
    }
    let told = |error| Refusal::of_field("body", format!("The body is no JSON object: {error}; send {{}}."));
    let members: Map<String, Value> = serde_json::from_slice(body).map_err(told)?;
    let unknown = |name: &String| Err(Refusal::of_field(name, "There is no such member; send {}."));
    members.keys().next().map_or(Ok(()), unknown)
}

/// The parameters, of which there are these, each once but for one that may be given several times.
fn parameters(query: &str, known: &[&str], several: &str) -> Result<Vec<(String, String)>, Refusal> {
    let mut found: Vec<(String, String)> = Vec::new();
    for (name, value) in parse(query.as_bytes()) {
        if !known.contains(&&*name) {
            let told = format!("There is no such parameter here; there are {}.", known.join(", "));
            return Err(Refusal::of_field(&name, told));
        }
        if name != several && found.iter().any(|(known, _)| *known == name) {
            return Err(Refusal::of_field(&name, format!("`{name}` is given twice.")));
        }
        found.push((name.into_owned(), value.into_owned()));
    }
    Ok(found)
}

/// The value of a parameter that says something.
fn said(value: String, name: &str, write: &str) -> Result<String, Refusal> {
    if value.is_empty() {
        return Err(Refusal::of_field(name, format!("`{name}` is empty; write {write}, or leave it out.")));
    }
    Ok(value)
}

/// An empty one is set, as in `?https`.
fn flag(value: &str, name: &str) -> Result<bool, Refusal> {
    match value {
        "" | "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(Refusal::of_field(name, format!("`{name}` is true or false."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_nothing_is_given_nothing() {
        assert!(none("").is_ok() && nothing(b"{}").is_ok() && nothing(b"").is_ok());
        assert_eq!(none("x=1").unwrap_err().told.field.as_deref(), Some("x"));
        for (body, field) in [("[]", "body"), ("{}{}", "body"), ("{\"x\": 1}", "x")] {
            assert_eq!(nothing(body.as_bytes()).unwrap_err().told.field.as_deref(), Some(field), "{body}");
        }
    }

    #[test]
    fn entries_are_asked_for_by_route_and_number() {
        assert_eq!(entries("").unwrap(), (None, 100));
        assert_eq!(entries("route=%2Fa&limit=7").unwrap(), (Some("/a".to_owned()), 7));
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=x", "limit"),
            ("rout=a", "rout"),
            ("limit=1&limit=2", "limit"),
            ("route=a&route=b", "route"),
        ] {
            assert_eq!(entries(query).unwrap_err().told.field.as_deref(), Some(field), "{query}");
        }
    }

    #[test]
    fn a_question_is_read_whole_or_refused_by_name() {
        let read = explain("method=HEAD&url=%2Fa%3Fb%3D1&header=Accept%3A+x&header=A%3A+b&https&host=h").unwrap();
        let wanted = ExplainQuestion {
            method: "HEAD".to_owned(),
            url: "/a?b=1".to_owned(),
            host: Some("h".to_owned()),
            https: true,
            fields: vec!["Accept: x".to_owned(), "A: b".to_owned()],
        };
        assert_eq!(read, wanted);
        let (path, query) = ("/explain?", wanted.target());
        assert_eq!(explain(query.strip_prefix(path).unwrap()).unwrap(), wanted);
        assert_eq!(explain("url=/a").unwrap().method, "GET");
        for (query, field) in [
            ("", "url"),
            ("method=GET", "url"),
            ("url=/a&url=/b", "url"),
            ("url=/a&path=/b", "path"),
            ("url=/a&https=maybe", "https"),
            ("url=/a&https&https=0", "https"),
            ("url=/a&method=", "method"),
            ("url=/a&host=&host=b", "host"),
            ("url=/a&host=", "host"),
            ("url=", "url"),
        ] {
            assert_eq!(explain(query).unwrap_err().told.field.as_deref(), Some(field), "{query}");
        }
    }
}
