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
//!  "lifetime": {"source": "route-ttl", "seconds": 600.0, "statuses": {"200": 600.0}, "settle": 0.0, "jitter": 0.0,
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
//! `{"kind": "passed", "method", "target", "because"}`, PURGE what [`purge::explain`] says, and a read that the proxy does not accept has
//! `{"kind": "refused", "status", "because"}`.
//!
//! With `--live` a read has `live` too ([`live::Live`]): what is stored for it, and why that is or is not reused now.
//!
//! ```json
//! {"looked": true, "store": "redis://127.0.0.1:6379", "foreign": false, "fetched_now": false,
//!  "entry": {"key": "fruit:1", "kind": "response", "status": 200, "size": 34, "received_ms": 1767225600000, "age": 12.5,
//!            "ttl": 588, "lifetime": {"seconds": 600.0, "stored_seconds": 600.0, "source": "route-ttl",
//!                                     "because": "the route's ttl", "stale_while_revalidate": 0.0, "stale_if_error": 0.0},
//!            "etag": null, "last_modified": null, "vary": null, "content_encoding": null, "coding": null,
//!            "annotation": null, "flags": [], "soft": false, "tags": ["k:fruit:1"], "invalidated": null},
//!  "variants": null,
//!  "verdict": {"outcome": "fresh", "reused": true, "cache_status": "aside; hit; ttl=588", "forward": null,
//!              "detail": null, "ttl": 588, "status": null, "because": "It is reused, fresh for 588 s more."}}
//! ```
//!
//! `fetched_now` says that a request for it is at the origin, as far as this process knows. `foreign` says that something lies under the key that is not aside's. `outcome` is `fresh`, `stale-while-revalidate` or `max-stale` where the entry is reused, `invalidated`, `refused`, or
//! the word after `fwd=` in Cache-Status. Where the store cannot be looked into, it is `{"looked": false, "because"}`, and
//! the exit code is 69.

mod asked;
mod dropped_by;
mod dropping;
mod live;
mod purge;
pub(super) mod read;
mod untold;
pub(super) mod write;

use std::process::ExitCode;

use http::Method;
use serde_json::{Value, json};

use super::asking::{Source, process_at};
use super::failure::Failure;
use super::terminal::{UNAVAILABLE, configuration, say, say_aside, say_json};
use crate::admin::{ExplainQuestion, Refusal};
use crate::clock::Clock;
use crate::config::{Config, Overrides};
use crate::policy::is_safe;
use crate::proxy::{self, Question, Shared};
use crate::store::{self, Store};
use crate::telemetry::Recorder;
use asked::{Asked, asked};
use live::Live;

pub use asked::ExplainArguments;

/// An origin where no file names one. It is not asked, and what is explained does not depend on it.
const ANY_ORIGIN: &str = "http://127.0.0.1:5000";

/// Explains one request: 0, 2 when it cannot be understood, 69 when the store cannot be looked into, 78 for a bad
/// configuration.
pub(super) fn run(arguments: &ExplainArguments) -> Result<ExitCode, Failure> {
    let asked = asked(arguments).map_err(Failure::of_usage)?;
    let answer = match asked_live(arguments) {
        // Nobody but that process is to tell, and its file need not be here.
        Some(answer) if arguments.admin.is_some() => return Ok(tell(answer?, None, arguments.json)),
        answer => answer,
    };
    let config = if arguments.no_config {
        Config::without_file(&Overrides { origin: Some(ANY_ORIGIN.to_owned()), ..Overrides::default() })
    } else {
        configuration(&arguments.config, &Overrides::default())
    }?;
    let unanswered = match answer {
        Some(Ok(answer)) => return Ok(tell(answer, Some(&config), arguments.json)),
        Some(Err(unanswered)) => Some(unanswered.sentence()),
        None => None,
    };
    let Told { text, value, unseen } = explain(&asked, &config, unanswered.as_deref());
    let said = if arguments.json { say_json(&value) } else { say(&text) };
    Ok(match unseen {
        None => said,
        Some(why) => {
            say_aside(&format!("error: {why}"));
            ExitCode::from(UNAVAILABLE)
        }
    })
}

/// What the running process says, where it is to be asked.
fn asked_live(arguments: &ExplainArguments) -> Option<Result<Value, Failure>> {
    arguments.live.then(|| {
        let source =
            if arguments.no_config { Source::Nothing } else { Source::File(arguments.config.config.as_deref()) };
        process_at(arguments.admin.as_deref(), source)?.get(&arguments.question().target())?.parsed()
    })
}

/// Prints it as if it had been found out here, by this configuration where one was read.
fn tell(mut answer: Value, config: Option<&Config>, json: bool) -> ExitCode {
    let mut members = answer.as_object_mut();
    let [text, rules] = ["text", "rules"].map(|name| members.as_deref_mut()?.remove(name));
    let own = config.map(|config| format!("{:016x}", config.proxy.rules.fingerprint()));
    if own.is_some_and(|own| rules.is_some_and(|rules| rules.as_str() != Some(own.as_str()))) {
        say_aside(
            "note: the running process goes by other rules than this file, and those are told here; see `aside reload`",
        );
    }
    let said = match text.as_ref().and_then(Value::as_str) {
        Some(text) if !json => say(text),
        _ => say_json(&answer),
    };
    match answer.pointer("/live/because").and_then(Value::as_str) {
        None => said,
        Some(why) => {
            say_aside(&format!("error: {why}"));
            ExitCode::from(UNAVAILABLE)
        }
    }
}

/// Explains a request within the process that would answer it: for programs, with `text` for people.
pub(super) async fn within(
    question: &ExplainQuestion,
    config: &Config,
    shared: &Shared,
    (node, store): (&store::Shared, &Store),
) -> Result<Value, Refusal> {
    let asked = Asked::of(question).map_err(|(field, why)| Refusal::of_field(field, format!("{why}.")))?;
    let Told { text, mut value, .. } = if matches!(asked.method, Method::GET | Method::HEAD) {
        match read_question(&asked, config, shared) {
            Ok(question) => {
                let live = live::look_within(shared, (node, store), &question, config.store.url.to_string()).await;
                told_of_read(&asked, config, &question, Some(live))
            }
            Err(refused) => refused,
        }
    } else {
        Told::of(explain_other(&asked, config))
    };
    if let Some(members) = value.as_object_mut() {
        members.insert("text".to_owned(), text.into());
    }
    Ok(value)
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

/// Without the process: with `unanswered`, why it does not tell, by a look into the store.
fn explain(asked: &Asked, config: &Config, unanswered: Option<&str>) -> Told {
    if matches!(asked.method, Method::GET | Method::HEAD) {
        explain_read(asked, config, unanswered)
    } else {
        Told::of(explain_other(asked, config))
    }
}

fn explain_read(asked: &Asked, config: &Config, unanswered: Option<&str>) -> Told {
    let shared = Shared::new(config.proxy.clone(), Clock::System, Recorder::default());
    match read_question(asked, config, &shared) {
        Ok(question) => {
            let live = unanswered.map(|why| live::look(&shared, &question, (asked, why), config));
            told_of_read(asked, config, &question, live)
        }
        Err(refused) => refused,
    }
}

/// The read as ingress admits it, or what it is refused with.
fn read_question(asked: &Asked, config: &Config, shared: &Shared) -> Result<Question, Told> {
    let head = asked.head(config).map_err(|error| (400, error.to_string()));
    head.and_then(|head| proxy::question(shared, head, asked.client(config))).map_err(|(status, because)| {
        let value = json!({ "kind": "refused", "status": status, "because": because });
        Told::of((format!("refused with {status}: {because}"), value))
    })
}

/// What the rules say of a read, and what was seen of it, or why nothing was, where somebody has looked.
fn told_of_read(asked: &Asked, config: &Config, question: &Question, live: Option<Result<Live, String>>) -> Told {
    let explained = read::explain(asked, config, question.entry_ref());
    let mut told = Told::of((explained.text(), explained.json()));
    let Some(live) = live else { return told };
    let (text, value) = match live {
        Ok(live) => (live.text(), live.json()),
        Err(why) => {
            let printed = live::unseen(&why);
            told.unseen = Some(why);
            printed
        }
    };
    told.text = format!("{}\n\n{text}", told.text);
    told.value.as_object_mut().map(|members| members.insert("live".to_owned(), value));
    told
}

fn explain_other(asked: &Asked, config: &Config) -> (String, Value) {
    if asked.method.as_str() == "PURGE" {
        return purge::explain(asked, config);
    }
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
