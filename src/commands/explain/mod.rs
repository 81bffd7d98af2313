//! `aside explain METHOD URL`: what would become of a request, told without sending it.
//!
//! Nothing is opened and nobody is asked: the file's routes and the request's own words decide. `--header`, `--data` and
//! `--response` give what the request would carry and what the origin would answer; without them `explain` says what
//! depends on them. Credentials are never repeated.
//!
//! With `--json`, one object on standard output. A read, in [`read::Explained`]:
//!
//! ```json
//! {"kind": "read", "method": "GET", "target": "/fruit/1",
//!  "route": {"name": "/fruit/{id}", "file": "proxy.toml", "line": 12, "path": "/fruit/{id}"},
//!  "variables": {"id": "1"}, "cached": true, "bypass": null, "key": "fruit:1", "group": "/fruit/{id}",
//!  "tags": ["r:/fruit/{id}", "p:/fruit/1", "k:fruit:1"],
//!  "lifetime": {"source": "route-ttl", "seconds": 600.0, "statuses": {"200": 600.0}, "jitter": 0.0,
//!               "stale_while_revalidate": 0.0, "stale_if_error": 86400.0},
//!  "fields_in_key": ["accept", "accept-language", "origin"],
//!  "fill": {"target": "/fruit/1", "fields": {"accept": "*/*"}},
//!  "dropped_by": [{"writes": "PUT /fruit/1", "drops": "this entry", "when": [], "because": "PUT /fruit/{id}"}]}
//! ```
//!
//! `route` is null on a path without one; `key`, `group` and `fill` are null where the request bypasses the cache, and
//! `bypass` is `{"reason", "because"}` then. A write, in [`write::Explained`]:
//!
//! ```json
//! {"kind": "write", "method": "PUT", "target": "/fruit/1", "readings": ["/fruit/1"],
//!  "goes_to": "the origin", "policy": null,
//!  "drops": [{"route": "/fruit/{id}", "group": "/fruit/{id}", "scope": "entry", "tag": "k:fruit:1",
//!             "because": "PUT /fruit/{id}"}],
//!  "conditions": [{"route": "/active", "request": "PUT /active", "condition": "response /result is \"Ok\"", "holds": null}],
//!  "unknown": [{"route": "/active", "request": "PUT /active", "variable": "{country}", "give": "--data"}]}
//! ```
//!
//! `holds` is null where the body was not given. `policy`, where one speaks, is
//! `{"route", "target": "through"|"around"|"cache", "chosen", "key", "entry"}`. Any other method has
//! `{"kind": "passed", "method", "target", "because"}`.

pub(super) mod read;
pub(super) mod write;

use std::process::ExitCode;

use clap::Args;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde_json::{Value, json};

use super::{ConfigArguments, USAGE, configuration, refuse, say, say_aside};
use crate::config::{Config, Overrides};
use crate::policy::is_safe;

/// `aside explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// The method, as in GET or PUT.
    method: String,
    /// The path and query, or the whole URL.
    url: String,
    #[command(flatten)]
    config: ConfigArguments,
    /// A field of the request, as in 'Accept: text/csv'; may be given several times.
    #[arg(long = "header", short = 'H', value_name = "FIELD")]
    headers: Vec<String>,
    /// The JSON body of the request.
    #[arg(long, short, value_name = "JSON")]
    data: Option<String>,
    /// The JSON body that the origin answers.
    #[arg(long, value_name = "JSON")]
    response: Option<String>,
    /// Print JSON, for programs.
    #[arg(long)]
    json: bool,
}

/// The request that is asked about.
#[derive(Debug)]
struct Asked {
    method: Method,
    target: PathAndQuery,
    fields: HeaderMap,
    /// The host of the URL or of the Host field.
    host: Option<String>,
    data: Option<Value>,
    response: Option<Value>,
}

impl Asked {
    fn query(&self) -> &str {
        self.target.query().unwrap_or_default()
    }

    /// The host where it is part of the key.
    fn keyed_host(&self, config: &Config) -> Option<&str> {
        config.proxy.host_in_key.then_some(self.host.as_deref()).flatten()
    }
}

/// Explains one request: 0, 2 when it cannot be understood, 78 for a bad configuration.
pub(super) fn run(arguments: &ExplainArguments) -> ExitCode {
    let asked = match asked(arguments) {
        Ok(asked) => asked,
        Err(message) => {
            say_aside(&format!("error: {message}"));
            return ExitCode::from(USAGE);
        }
    };
    let config = match configuration(&arguments.config, &Overrides::default()) {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    let (text, value) = explain(&asked, &config);
    say(&if arguments.json { value.to_string() } else { text });
    ExitCode::SUCCESS
}

/// For people, and for programs.
fn explain(asked: &Asked, config: &Config) -> (String, Value) {
    if matches!(asked.method, Method::GET | Method::HEAD) {
        let explained = read::explain(asked, config);
        return (explained.text(), explained.json());
    }
    if is_safe(&asked.method) || asked.method == Method::CONNECT {
        let because = match asked.method {
            Method::CONNECT | Method::TRACE => "it is refused with 405",
            _ => "it is forwarded as it is, and its answer is never stored",
        };
        let Asked { method, target, .. } = asked;
        let value = json!({
            "kind": "passed", "method": method.as_str(), "target": target.as_str(), "because": because,
        });
        return (format!("{method} {target}\n{because}"), value);
    }
    let explained = write::explain(asked, config);
    (explained.text(), explained.json())
}

fn asked(arguments: &ExplainArguments) -> Result<Asked, String> {
    let method = method(&arguments.method)?;
    let (target, authority) = target(&arguments.url)?;
    let mut fields = HeaderMap::new();
    for line in &arguments.headers {
        let (name, value) = field(line)?;
        fields.append(name, value);
    }
    let given = fields.remove(http::header::HOST).and_then(|host| host.to_str().ok().map(str::to_owned));
    Ok(Asked {
        method,
        target,
        fields,
        host: authority.or(given),
        data: body("--data", arguments.data.as_deref())?,
        response: body("--response", arguments.response.as_deref())?,
    })
}

fn method(text: &str) -> Result<Method, String> {
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Err(format!("methods are upper-case: write {}", text.to_ascii_uppercase()));
    }
    Method::from_bytes(text.as_bytes()).map_err(|_| format!("`{text}` is no method; write GET, PUT or another"))
}

fn target(text: &str) -> Result<(PathAndQuery, Option<String>), String> {
    let help = "write a path, as in /orders/99?x=1, or a whole URL; other characters than ASCII are percent-encoded";
    let uri: Uri = text.parse().map_err(|_| format!("`{text}` is no URL; {help}"))?;
    let authority =
        uri.authority().map(|authority| authority.as_str().rsplit('@').next().unwrap_or_default().to_owned());
    if text.starts_with('/') != authority.is_none() || (authority.is_some() && uri.scheme().is_none()) {
        return Err(format!("`{text}` is neither a path nor a URL; {help}"));
    }
    match uri.path_and_query() {
        Some(target) if target.as_str().starts_with('/') => Ok((target.clone(), authority)),
        Some(target) => {
            let target = format!("/{}", target.as_str()).parse().map_err(|_| format!("`{text}` is no URL; {help}"))?;
            Ok((target, authority))
        }
        None => Ok((PathAndQuery::from_static("/"), authority)),
    }
}

fn field(line: &str) -> Result<(HeaderName, HeaderValue), String> {
    // The line may hold a credential, so it is not repeated.
    let help = "a --header is no field; write it as in --header 'Accept: text/csv'";
    let (name, value) = line.split_once(':').ok_or(help)?;
    let name: HeaderName = name.trim().parse().map_err(|_| help)?;
    let value = HeaderValue::from_str(value.trim()).map_err(|_| help)?;
    Ok((name, value))
}

fn body(option: &str, text: Option<&str>) -> Result<Option<Value>, String> {
    let parsed = text.map(serde_json::from_str).transpose();
    parsed.map_err(|error| format!("{option} is not JSON: {error}; write it as in {option} '{{\"id\": 1}}'"))
}

/// Puts labelled lines under one another; a label that repeats is left out.
fn layout(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    let mut shown = Vec::with_capacity(lines.len());
    let mut before = "";
    for (label, text) in lines {
        let label_or_not = if *label == before { "" } else { label };
        before = label;
        shown.push(format!("{label_or_not:width$}  {text}"));
    }
    shown.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_paths_or_urls() {
        let read = |text| target(text).map(|(target, host)| (target.as_str().to_owned(), host));
        assert_eq!(read("/a?b=1"), Ok(("/a?b=1".to_owned(), None)));
        assert_eq!(read("http://h:1/a?b"), Ok(("/a?b".to_owned(), Some("h:1".to_owned()))));
        assert_eq!(read("http://h"), Ok(("/".to_owned(), Some("h".to_owned()))));
        assert_eq!(read("http://u:p@h?x"), Ok(("/?x".to_owned(), Some("h".to_owned()))));
        for text in ["orders/1", "a b", "", "/caf\u{e9} x", "h:80"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_field_is_not_repeated() {
        let error = field("Authorization Bearer hunter2").unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
        assert!(field("A: b").is_ok());
    }
}
