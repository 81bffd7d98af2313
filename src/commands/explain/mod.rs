//! `aside explain METHOD URL`: what would become of a request, told without sending it.
//!
//! Nothing is opened and nobody is asked, but for `--live`: the file's routes and the request's own words decide. `--header`, `--data` and
//! `--response` give what the request would carry and what the origin would answer; without them `explain` says what
//! depends on them. Credentials are never repeated.
//!
//! With `--json`, one object on standard output. A read, in [`read::Explained`]:
//!
//! ```json
//! {"kind": "read", "method": "GET", "target": "/fruit/1",
//!  "route": {"name": "/fruit/{id}", "file": "proxy.toml", "line": 12, "path": "/fruit/{id}"},
//!  "variables": {"id": "1"}, "cached": true, "bypass": null, "credential": null, "key": "fruit:1",
//!  "tags": ["r:/fruit/{id}", "p:/fruit/{id} /fruit/1", "k:/fruit/{id} fruit:1"],
//!  "lifetime": {"source": "route-ttl", "seconds": 600.0, "statuses": {"200": 600.0}, "jitter": 0.0,
//!               "stale_while_revalidate": 0.0, "stale_if_error": 3600.0},
//!  "storing": {"set_cookie": "refuse", "close_delimited": false},
//!  "fields_in_key": ["accept", "accept-language", "origin"],
//!  "fill": {"target": "/fruit/1", "fields": {"accept": "*/*", "host": "127.0.0.1:8080"}},
//!  "dropped_by": [{"writes": "PUT /fruit/1", "drops": "this entry", "when": [], "unless": null,
//!                  "because": "PUT /fruit/{id}", "line": null}],
//!  "spared_by": [{"writes": "POST /login", "line": 30}]}
//! ```
//!
//! `route` is null on a path without one; `key` and `fill` are null where the request bypasses the cache, and
//! `bypass` is `{"reason", "because"}` then; so is `credential` on a path without a route, where a request with one is
//! answered from the store, and its answer stored, only if the origin says so. Of a kind of writes in `dropped_by`, `unless` are
//! the answers that mean that nothing was written, and `line` is that of its `[[write]]`; `spared_by` has each `[[write]]` whose
//! writes leave this read alone, unless they are sent to it. A write, in [`write::Explained`]:
//!
//! ```json
//! {"kind": "write", "method": "PUT", "target": "/fruit/1", "readings": ["/fruit/1"], "destinations": [],
//!  "taken_for": [{"method": "DELETE", "by": "X-HTTP-Method-Override"}], "goes_to": "the origin", "policy": null,
//!  "narrowed_by": [{"line": 30, "request": "PUT /fruit/{id}", "speaks": false, "refused": null,
//!                   "because": "it may be taken for another method"}],
//!  "drops": [{"route": "/fruit/{id}", "scope": "entry", "tag": "k:/fruit/{id} fruit:1",
//!             "because": "of PUT /fruit/{id}"}],
//!  "conditions": [{"route": "/active", "request": "PUT /active", "condition": "response /result is \"Ok\"", "holds": null}],
//!  "unknown": [{"route": "/active", "request": "PUT /active", "variable": "{country}", "why": "not-given", "value": null,
//!               "give": "--data"}]}
//! ```
//!
//! `scope` is `entry`, `path`, `route`, `tag`, `unlisted` (every route without `invalidated_by`) or `everything`.
//! `destinations` are the paths that its Destination names. In `conditions` `route` is null for those of a `[[write]]`, and
//! `holds` where nobody knows yet. In `unknown` `route` is null where several may be dropped for it, `request` where the write
//! is sent to the route's own path; `why` is `not-given`, `not-understood`, `not-said`, `said-twice` or `odd`, of which `value`
//! is what backends read differently, and `give` the option that could tell. `policy`, where one speaks, is
//! `{"route", "target": "through"|"around"|"cache", "chosen", "key", "entry"}`. Any other method has
//! `{"kind": "passed", "method", "target", "because"}`, and a read that the proxy does not accept has
//! `{"kind": "refused", "status", "because"}`.
//!
//! With `--live` a read has `live` too ([`live::Live`]): what is stored for it, and why that is or is not reused now.
//!
//! ```json
//! {"looked": true, "store": "redis://127.0.0.1:6379", "foreign": false,
//!  "entry": {"key": "fruit:1", "kind": "response", "status": 200, "size": 34, "received_ms": 1767225600000, "age": 12.5,
//!            "ttl": 588, "lifetime": {"seconds": 600.0, "stored_seconds": 600.0, "source": "route-ttl",
//!                                     "because": "the route's ttl", "stale_while_revalidate": 0.0, "stale_if_error": 0.0},
//!            "etag": null, "last_modified": null, "vary": null, "content_encoding": null, "coding": null,
//!            "annotation": null, "flags": [], "tags": ["k:fruit:1"], "invalidated": null},
//!  "variants": null,
//!  "verdict": {"outcome": "fresh", "reused": true, "cache_status": "aside; hit; ttl=588", "forward": null,
//!              "detail": null, "ttl": 588, "status": null, "because": "It is reused, fresh for 588 s more."}}
//! ```
//!
//! `foreign` says that something lies under the key that is not aside's. `outcome` is `fresh`, `stale-while-revalidate` or `max-stale` where the entry is reused, `invalidated`, `refused`, or
//! the word after `fwd=` in Cache-Status. Where the store cannot be looked into, it is `{"looked": false, "because"}`, and
//! the exit code is 69.

mod dropped_by;
mod dropping;
mod live;
pub(super) mod read;
mod untold;
pub(super) mod write;

use std::process::ExitCode;

use clap::Args;
use http::header::HOST;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use serde_json::{Value, json};

use super::{ConfigArguments, UNAVAILABLE, USAGE, configuration, refuse, say, say_aside, say_json};
use crate::clock::Clock;
use crate::config::{Config, Overrides};
use crate::fields::{Notation, TRACEPARENT, TraceParent, visible};
use crate::handler::Client;
use crate::policy::is_safe;
use crate::proxy::{self, Shared};
use crate::rules::{AskedHost, Fill, Hosts, reachable};
use crate::telemetry::Recorder;

/// `aside explain`.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option that a person may give")]
pub struct ExplainArguments {
    /// The method, as in GET or PUT.
    method: String,
    /// The path and query, or the whole URL.
    url: String,
    #[command(flatten)]
    config: ConfigArguments,
    /// Read no file at all, also where there is a ./proxy.toml: what every default does.
    #[arg(long, conflicts_with = "config")]
    no_config: bool,
    /// Look into the store too: what is stored for this GET or HEAD, and why it is or is not reused now. Needs a store in
    /// Redis; nothing is written, and the origin is not asked.
    #[arg(long)]
    live: bool,
    /// The host that the client asks, with the port if it is not the scheme's own; by default the first of `hosts` in
    /// [clients], or else the first address of `listen`.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The client asks by https; so it is where [tls] or `secure` in [clients] is set, or the URL says so.
    #[arg(long)]
    https: bool,
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
    /// The host of the URL, of `--host` or of the Host field.
    host: Option<String>,
    /// Whether it asks by https; `None` for what the listener speaks.
    secure: Option<bool>,
    live: bool,
    data: Option<Value>,
    response: Option<Value>,
}

impl Asked {
    fn query(&self) -> &str {
        self.target.query().unwrap_or_default()
    }

    /// The host that a client sends: by default the first that this proxy is known by.
    fn host(&self, config: &Config) -> String {
        self.host.clone().unwrap_or_else(|| {
            let hosts = config.proxy.rules.hosts.clone().unwrap_or_else(|| Hosts::of_listeners(&config.server.listen));
            hosts.first().by_scheme(self.secure(config))
        })
    }

    /// A fill with what goes along although it is in no key: the trace, and the Host that the origin sees where that is the
    /// client's.
    fn as_sent(&self, mut fill: Fill, config: &Config) -> Fill {
        if let Some(trace) = TraceParent::of(&self.fields).and_then(|trace| trace.value()) {
            fill.fields.entry(TRACEPARENT).or_insert(trace);
        }
        let Some(hosts) = &config.proxy.rules.hosts else { return fill };
        let secure = self.secure(config);
        let host = match hosts.asked(&self.host(config), secure) {
            AskedHost::Known => hosts.first().by_scheme(secure),
            AskedHost::Other(host) => host,
        };
        fill.fields.extend(HeaderValue::from_str(&host).ok().map(|host| (HOST, host)));
        fill
    }

    fn secure(&self, config: &Config) -> bool {
        self.secure == Some(true) || config.server.is_secure()
    }

    /// The request's head as it stands on the wire.
    fn head(&self, config: &Config) -> Result<Parts, http::Error> {
        let request = Request::builder().method(&self.method).uri(self.target.as_str());
        let (mut head, ()) = request.header(HOST, self.host(config)).body(())?.into_parts();
        head.headers.extend(self.fields.iter().map(|(name, value)| (name.clone(), value.clone())));
        Ok(head)
    }

    /// A client on this machine.
    fn client(&self, config: &Config) -> Client {
        let listener = config.server.listen.first().map(|address| reachable(*address).ip());
        Client { address: listener, secure: self.secure(config) }
    }
}

/// An origin where no file names one. It is not asked, and what is explained does not depend on it.
const ANY_ORIGIN: &str = "http://127.0.0.1:5000";

/// Explains one request: 0, 2 when it cannot be understood, 69 when the store cannot be looked into, 78 for a bad
/// configuration.
pub(super) fn run(arguments: &ExplainArguments) -> ExitCode {
    let asked = match asked(arguments) {
        Ok(asked) => asked,
        Err(message) => {
            say_aside(&format!("error: {message}"));
            return ExitCode::from(USAGE);
        }
    };
    let config = if arguments.no_config {
        Config::without_file(&Overrides { origin: Some(ANY_ORIGIN.to_owned()), ..Overrides::default() })
    } else {
        configuration(&arguments.config, &Overrides::default())
    };
    let config = match config {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    let Told { text, value, unseen } = explain(&asked, &config);
    let said = if arguments.json { say_json(&value) } else { say(&text) };
    match unseen {
        None => said,
        Some(why) => {
            say_aside(&format!("error: {why}"));
            ExitCode::from(UNAVAILABLE)
        }
    }
}

/// An explanation for people and for programs.
struct Told {
    text: String,
    value: Value,
    /// Why the store was not looked into, although that was asked for.
    unseen: Option<String>,
}

impl Told {
    fn of((text, value): (String, Value)) -> Self {
        Self { text, value, unseen: None }
    }
}

fn explain(asked: &Asked, config: &Config) -> Told {
    if matches!(asked.method, Method::GET | Method::HEAD) {
        explain_read(asked, config)
    } else {
        Told::of(explain_other(asked, config))
    }
}

fn explain_read(asked: &Asked, config: &Config) -> Told {
    let shared = Shared::new(config.proxy.clone(), Clock::System, Recorder::default());
    let head = asked.head(config).map_err(|error| (400, error.to_string()));
    let question = match head.and_then(|head| proxy::question(&shared, head, asked.client(config))) {
        Ok(question) => question,
        Err((status, because)) => {
            let value = json!({ "kind": "refused", "status": status, "because": because });
            return Told::of((format!("refused with {status}: {because}"), value));
        }
    };
    let explained = read::explain(asked, config, question.entry_ref());
    let mut told = Told::of((explained.text(), explained.json()));
    if asked.live {
        let (text, value) = match live::look(&shared, &question, asked, config) {
            Ok(live) => (live.text(), live.json()),
            Err(why) => {
                let printed = live::unseen(&why);
                told.unseen = Some(why);
                printed
            }
        };
        told.text = format!("{}\n\n{text}", told.text);
        told.value.as_object_mut().map(|members| members.insert("live".to_owned(), value));
    }
    told
}

fn explain_other(asked: &Asked, config: &Config) -> (String, Value) {
    if is_safe(&asked.method) || asked.method == Method::CONNECT {
        let because = match asked.method {
            Method::CONNECT | Method::TRACE => "it is refused with 405",
            _ => "it is safe and so no write: it drops nothing, is forwarded as it is, and its answer is never stored",
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
    if arguments.live && (!matches!(method, Method::GET | Method::HEAD) || arguments.data.is_some()) {
        return Err("--live is about GET and HEAD without a body: only their answers are stored".to_owned());
    }
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
        host: arguments.host.clone().or(authority).or(given),
        secure: arguments.https.then_some(true).or(scheme_of(&arguments.url)),
        live: arguments.live,
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

/// Whether a URL says https; `None` for a path.
fn scheme_of(text: &str) -> Option<bool> {
    let (scheme, _) = text.split_once("://").filter(|_| !text.starts_with('/'))?;
    Some(scheme.eq_ignore_ascii_case("https"))
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
        shown.push(format!("{label_or_not:width$}  {}", visible(text, Notation::Plain)));
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
