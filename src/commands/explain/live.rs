//! What is really stored for a read, and why it is or is not reused now.
//!
//! The running process tells, where its admin listener answers. Else a Redis store is opened for reading and looked into by the
//! code that answers requests; what `memory://` holds lies in the running process alone, so that is said and not tried.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, EXPIRES, LAST_MODIFIED, VARY};
use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::super::terminal::layout;
use super::asked::Asked;
use crate::config::{Config, duration};
use crate::fields::{CDN_CACHE_CONTROL, CacheControl, Detail, Forward, format_http_date};
use crate::policy::{LifetimeSource, has_validator};
use crate::proxy::{self, Inspection, Question, Selection, Shared, Variants};
use crate::store::{self, Kind, Store, StoreSettings, StoreUrl, StoredResponse};

/// A person waits longer for one command than a request does.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is no entry: set by hand or by another program, of another type, or with one of its two halves gone or changed.
const FOREIGN: &str = "something under this key that is not aside's, or no longer as aside left it";

/// What was seen, in which store.
#[derive(Debug)]
pub(super) struct Live {
    store: String,
    seen: Inspection,
    /// Whether something lies under the key that is no entry.
    foreign: bool,
}

/// Looks into the store of the process that runs this, in which something may be fetched now.
pub(super) async fn look_within(
    shared: &Shared,
    (node, store): (&store::Shared, &Store),
    question: &Question,
    url: String,
) -> Result<Live, String> {
    let unsound = node.unsound();
    let seen = proxy::inspect(shared, store, question).await.map_err(|fault| fault.to_string())?;
    let foreign = seen.selection.is_none() && node.unsound() > unsound;
    Ok(Live { store: url, seen, foreign })
}

/// Looks into the store of another process, which does not tell by itself for that reason. The error says why that cannot be done, and what can.
pub(super) fn look(
    shared: &Shared,
    question: &Question,
    (asked, unanswered): (&Asked, &str),
    config: &Config,
) -> Result<Live, String> {
    let StoreUrl::Redis(_) = &config.store.url else { return Err(of_memory(asked, unanswered, config)) };
    let timeout = config.store.timeout.max(PATIENCE);
    let node = store::Shared::new(&StoreSettings { timeout, ..config.store.clone() });
    let url = config.store.url.to_string();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("{url} cannot be looked into: {error}"))?;
    let looking = async {
        let store = node.attach_reader().await?;
        proxy::inspect(shared, &store, question).await.map_err(|fault| fault.to_string())
    };
    let help = "the proxy answers from the origin while it cannot use its store either; see [store] url";
    let stack = node.stack_bytes(1);
    let seen = on_a_thread(stack, || runtime.block_on(looking));
    let seen = seen.map_err(|why| format!("{url} cannot be looked into: {why}; {help}"))?;
    let foreign = seen.selection.is_none() && node.unsound() > 0;
    Ok(Live { store: url, seen, foreign })
}

/// Runs this on a thread with a stack of its own.
fn on_a_thread<T: Send>(stack: Option<usize>, work: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    let thread = stack.into_iter().fold(std::thread::Builder::new(), std::thread::Builder::stack_size);
    std::thread::scope(|scope| {
        let thread = thread.spawn_scoped(scope, work).map_err(|error| error.to_string())?;
        thread.join().unwrap_or_else(|_| Err("it ended with a panic; this is a bug in aside".to_owned()))
    })
}

fn of_memory(asked: &Asked, unanswered: &str, config: &Config) -> String {
    let scheme = if asked.secure(config) { "https" } else { "http" };
    // As a shell takes it, whatever quotes the target has.
    let (host, target) = (asked.host(config), asked.target.as_str().replace('\'', "'\\''"));
    format!(
        "what memory:// holds lies in the running process, and {unanswered}; or send the request to it and read Cache-Status, \
         as in curl -sD - -o /dev/null '{scheme}://{host}{target}' (a request like any other: it may fill the entry)"
    )
}

/// What is printed where nothing was looked at. People get the reason once, as an error.
pub(super) fn unseen(why: &str) -> (String, Value) {
    (layout(&[("stored", "not looked at".to_owned())]), json!({ "looked": false, "because": why }))
}

impl Live {
    /// For people.
    pub(super) fn text(&self) -> String {
        let Inspection { selection, variants, cache_status, .. } = &self.seen;
        let mut lines = match selection {
            Some(selection) => Told(selection).text(),
            None if cache_status.forward == Some(Forward::Bypass) => vec![("stored", "not looked up".to_owned())],
            None if self.is_withheld() => vec![("stored", "not given out".to_owned())],
            None if self.foreign => vec![("stored", format!("{FOREIGN}, in {}", self.store))],
            None => vec![("stored", format!("nothing for this request in {}", self.store))],
        };
        lines.extend(variants.as_ref().map(|variants| ("variants", variants_text(variants))));
        if self.seen.is_fetched {
            lines.push((
                "now",
                "fetched: a request for it is at the origin, and others may wait for its answer".to_owned(),
            ));
        }
        lines.push(("now", format!("{}: {}", self.outcome(), self.because())));
        lines.push(("now", format!("Cache-Status: {cache_status}")));
        layout(&lines)
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let Inspection { selection, variants, cache_status, is_fetched, refusal } = &self.seen;
        json!({
            "looked": true,
            "store": self.store,
            "foreign": self.foreign,
            "fetched_now": is_fetched,
            "entry": selection.as_ref().map(|selection| Told(selection).json()),
            "variants": variants.as_ref().map(variants_json),
            "verdict": {
                "outcome": self.outcome(),
                "reused": cache_status.hit,
                "cache_status": cache_status.to_string(),
                "forward": cache_status.forward.map(Forward::as_str),
                "detail": cache_status.detail.map(Detail::as_str),
                "ttl": cache_status.ttl,
                "status": refusal.as_ref().map(|(status, _)| status),
                "because": self.because(),
            },
        })
    }

    /// Whether the store gives nothing out, whatever is there.
    fn is_withheld(&self) -> bool {
        let detail = self.seen.cache_status.detail;
        matches!(detail, Some(Detail::StoreLapsed | Detail::PeerSilent | Detail::RulesDiffer))
    }

    fn outcome(&self) -> &'static str {
        let Inspection { cache_status, refusal, .. } = &self.seen;
        match (cache_status.forward, cache_status.detail) {
            _ if refusal.is_some() => "refused",
            (None, None | Some(Detail::VaryWithheld)) => "fresh",
            (None, Some(detail)) => detail.as_str(),
            (Some(_), Some(Detail::Invalidated)) => "invalidated",
            (Some(forward), _) => forward.as_str(),
        }
    }

    fn because(&self) -> String {
        let Inspection { selection, cache_status, refusal, .. } = &self.seen;
        let told = cache_status.detail.map(Detail::describe);
        if let Some((status, sentence)) = refusal {
            return format!("{sentence} It is answered {status}.");
        }
        match cache_status.forward {
            None if told.is_none() => format!("It is reused, fresh for {} s more.", cache_status.ttl.unwrap_or(0)),
            Some(Forward::Stale) => selection.as_ref().map_or_else(String::new, |selection| Told(selection).stale()),
            Some(Forward::VaryMiss) if told.is_none() => {
                "No stored answer was chosen by such request fields. The origin is asked.".to_owned()
            }
            Some(Forward::UriMiss) if told.is_none() && self.foreign => {
                "What lies under this key is not used. The origin is asked, and an answer that may be stored takes its \
                 place."
                    .to_owned()
            }
            Some(Forward::UriMiss) if told.is_none() => {
                "Nothing is stored under this key. The origin is asked.".to_owned()
            }
            Some(_) => format!("{} The origin is asked.", told.unwrap_or_default()),
            None => format!("It is reused. {}", told.unwrap_or_default()),
        }
    }
}

/// A stored entry, told.
struct Told<'a>(&'a Selection);

impl Told<'_> {
    fn text(&self) -> Vec<(&'static str, String)> {
        let StoredResponse { status, fields, body, .. } = &*self.0.entry;
        let media = value(fields, &CONTENT_TYPE).unwrap_or_else(|| "no Content-Type".to_owned());
        let mut lines = vec![
            ("stored", format!("{} as {}: {status}, {media}, {} bytes", kind(&self.0.entry), self.0.key, body.len())),
            ("stored", format!("came {}", format_http_date(self.0.entry.response_time))),
            ("age", self.age_text()),
            ("lifetime", self.lifetime_text()),
        ];
        for (window, why) in [
            (self.0.lifetime.stale_while_revalidate, "while it is renewed"),
            (self.0.lifetime.stale_if_error, "while the origin fails"),
        ] {
            if !window.is_zero() {
                lines.push(("windows", format!("served stale for {} {why}", whole(window))));
            }
        }
        for name in [ETAG, LAST_MODIFIED, CDN_CACHE_CONTROL, CACHE_CONTROL, EXPIRES, VARY, CONTENT_ENCODING] {
            lines.extend(value(fields, &name).map(|value| ("fields", format!("{name}: {value}"))));
        }
        lines.extend(self.flags().into_iter().map(|(_, sentence)| ("flags", sentence.to_owned())));
        lines.extend(self.0.entry.tags.iter().map(|tag| ("tags", tag.to_string())));
        lines.extend(self.0.coding.map(|coding| ("sent as", format!("{}, where that is smaller", coding.as_str()))));
        lines.extend(self.0.annotation.as_ref().map(|field| ("sent as", format!("annotated: it has `{field}` too"))));
        lines.extend(self.invalidated_text().map(|text| ("invalidated", text)));
        lines
    }

    fn age_text(&self) -> String {
        if self.0.age == Duration::MAX {
            return "unknown: it came in the future, so one of two clocks is wrong".to_owned();
        }
        let stale_for = self.0.ttl_left.unsigned_abs();
        let left = if self.0.ttl_left > 0 { "fresh for" } else { "stale for" };
        format!("{}, {left} {}", whole(self.0.age), whole(Duration::from_secs(stale_for)))
    }

    fn lifetime_text(&self) -> String {
        let (today, stored) = (self.0.lifetime.fresh_for, self.0.entry.lifetime.fresh_for);
        let shortened = if today < stored { format!("; it was stored for {}", whole(stored)) } else { String::new() };
        format!("{}, by {}{shortened}", whole(today), self.source())
    }

    /// Who gave the lifetime.
    fn source(&self) -> &'static str {
        let targeted = CacheControl::of_response(&self.0.entry.fields).targeted;
        match self.0.entry.lifetime.source {
            LifetimeSource::Override => "the route's ttl, which wins over the origin (override_origin)",
            LifetimeSource::NoCache => "the origin's no-cache: validated at every use",
            LifetimeSource::SMaxAge | LifetimeSource::MaxAge if targeted => "the origin's CDN-Cache-Control",
            LifetimeSource::SMaxAge => "the origin's s-maxage",
            LifetimeSource::MaxAge => "the origin's max-age",
            LifetimeSource::Expires => "the origin's Expires",
            LifetimeSource::RouteTtl => "the route's ttl",
            LifetimeSource::Status => "the route's word for this status",
            LifetimeSource::Heuristic => "a guess from Last-Modified",
        }
    }

    fn flags(&self) -> Vec<(&'static str, &'static str)> {
        let flags = self.0.entry.flags;
        [
            (flags.public_enough, "public", "public: it may answer requests with credentials"),
            (flags.must_revalidate, "must-revalidate", "must-revalidate: never served stale"),
            (flags.private, "private", "private: kept only as long as the route overrides that (override_private)"),
        ]
        .into_iter()
        .filter_map(|(set, name, sentence)| set.then_some((name, sentence)))
        .collect()
    }

    fn invalidated_text(&self) -> Option<String> {
        let softly = || "softly: it may be validated, and stand in while the origin fails".to_owned();
        self.overtaken_text().or_else(|| self.0.soft.then(softly))
    }

    fn overtaken_text(&self) -> Option<String> {
        let overtaken = self.0.overtaken.as_ref()?;
        if overtaken.record_lost {
            return Some("the store has lost its record of writes, so nothing older counts".to_owned());
        }
        let tags: Vec<&str> = overtaken.by.iter().map(crate::rules::Tag::as_str).collect();
        if tags.is_empty() {
            return Some("by a write or a purge so long ago that the store does not know which".to_owned());
        }
        Some(format!("by a write or a purge that dropped {}", tags.join(", ")))
    }

    /// What becomes of it now that it is stale.
    fn stale(&self) -> String {
        let validators = self.validators();
        let next = if has_validator(&self.0.entry.fields) {
            format!("The origin is asked whether it still holds (it has {}).", validators.join(" and "))
        } else {
            "It has no validator, so the origin is asked for a new one.".to_owned()
        };
        let never = self.0.lifetime.fresh_for.is_zero();
        let stale = if self.0.soft {
            format!("{} Its age: {}.", Detail::InvalidatedSoftly.describe(), self.age_text())
        } else if never {
            "It is never fresh.".to_owned()
        } else {
            format!("Its age: {}.", self.age_text())
        };
        let covered = self.0.lifetime.fresh_for.saturating_add(self.0.lifetime.stale_if_error);
        let left = covered.saturating_sub(self.0.age);
        let cover = if left.is_zero() || (self.0.soft && self.0.lifetime.stale_if_error.is_zero()) {
            String::new()
        } else {
            format!(" Should the origin fail, it is served for {} more.", whole(left))
        };
        format!("{stale} {next}{cover}")
    }

    fn validators(&self) -> Vec<&'static str> {
        let has = |name: &HeaderName| self.0.entry.fields.contains_key(name);
        let known = [(has(&ETAG), "ETag"), (has(&LAST_MODIFIED), "Last-Modified")];
        known.into_iter().filter_map(|(has, name)| has.then_some(name)).collect()
    }

    fn json(&self) -> Value {
        let entry = &self.0.entry;
        let seconds = |window: Duration| json!(window.as_secs_f64());
        let fields = &entry.fields;
        json!({
            "key": self.0.key,
            "kind": kind(entry),
            "status": entry.status.as_u16(),
            "size": entry.body.len(),
            "received_ms": entry.response_time,
            "age": (self.0.age != Duration::MAX).then_some(self.0.age.as_secs_f64()),
            "ttl": self.0.ttl_left,
            "lifetime": {
                "seconds": seconds(self.0.lifetime.fresh_for),
                "stored_seconds": seconds(entry.lifetime.fresh_for),
                "source": entry.lifetime.source.as_str(),
                "because": self.source(),
                "stale_while_revalidate": seconds(self.0.lifetime.stale_while_revalidate),
                "stale_if_error": seconds(self.0.lifetime.stale_if_error),
            },
            "etag": value(fields, &ETAG),
            "last_modified": value(fields, &LAST_MODIFIED),
            "vary": value(fields, &VARY),
            "content_encoding": value(fields, &CONTENT_ENCODING),
            "coding": self.0.coding.map(crate::fields::ContentCoding::as_str),
            "annotation": self.0.annotation,
            "flags": self.flags().into_iter().map(|(name, _)| name).collect::<Vec<_>>(),
            "soft": self.0.soft,
            "tags": entry.tags.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "invalidated": self.0.overtaken.as_ref().map(|overtaken| json!({
                "tags": overtaken.by.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "record_lost": overtaken.record_lost,
                "because": self.overtaken_text(),
            })),
        })
    }
}

fn variants_text(Variants { fields, stored, id, slot }: &Variants) -> String {
    let stands = slot.map_or_else(|| "not stored".to_owned(), |slot| format!("in slot {slot}"));
    format!("by {}: {stored} stored; this request selects {id}, {stands}", fields.join(", "))
}

fn variants_json(Variants { fields, stored, id, slot }: &Variants) -> Value {
    json!({ "fields": fields, "stored": stored, "selected": id, "slot": slot })
}

fn kind(entry: &StoredResponse) -> &'static str {
    match entry.kind {
        Kind::Response => "response",
        Kind::VaryIndex => "index of variants",
        Kind::Written => "response written by a write policy",
        Kind::CacheOnly => "response written to the cache only",
        Kind::Around => "around marker",
    }
}

/// All lines of a field.
fn value(fields: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<_> = fields.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

/// In whole seconds, where there is one.
fn whole(time: Duration) -> String {
    duration::show(if time.as_secs() == 0 {
        Duration::from_millis(time.subsec_millis().into())
    } else {
        Duration::from_secs(time.as_secs())
    })
}
