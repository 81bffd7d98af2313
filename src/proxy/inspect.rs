//! What the store has for a request, and what would become of it now: for `aside explain --live`.
//!
//! The request is admitted, routed, looked up and decided about by the very functions that
//! [`Proxy::handle`](super::Proxy::handle) uses. The origin is not asked, and a store that was attached for reading is not changed.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;

use super::annotate;
use super::asked::{Asked, Seen, stored};
use super::core::Shared;
use super::decide::{Next, decide, decide_unkeyed};
use super::deliver::{coding, with_withheld};
use super::error::Refusal;
use super::ingress::{Admitted, Content, Head, read};
use super::lookup::lookup;
use super::route::{Unkeyed, resource};
use crate::fields::{CacheStatus, ContentCoding, Detail, Forward};
use crate::handler::Client;
use crate::policy::{Lifetime, current_age, lifetime_today, ttl_left};
use crate::rules::EntryRef;
use crate::store::{Fault, Kind, Overtaken, RuledStore, Store, StoredResponse, key_name};

/// A request that is asked about, as ingress admits it.
pub struct Question(Result<Asked, (Admitted, Unkeyed)>);

/// What the store has, and what follows from it.
#[derive(Debug)]
pub struct Inspection {
    /// What is stored where the request leads, used or not.
    pub selection: Option<Selection>,
    /// Which request fields choose among the variants of the key, where it has some.
    pub variants: Option<Variants>,
    /// What Cache-Status says as far as it is known before the origin is asked.
    pub cache_status: CacheStatus,
    /// Whether it is being fetched by this process now.
    pub is_fetched: bool,
    /// The status and the sentence that the proxy answers by itself.
    pub refusal: Option<(u16, String)>,
}

/// A stored entry, seen now.
#[derive(Debug)]
pub struct Selection {
    /// The name of its key.
    pub key: String,
    /// The entry.
    pub entry: Arc<StoredResponse>,
    /// The write that made it old, if one did.
    pub overtaken: Option<Overtaken>,
    /// It was invalidated softly: it is stale, however new.
    pub soft: bool,
    /// Its current age; [`Duration::MAX`] when it seems to come from the future.
    pub age: Duration,
    /// Seconds until it is stale, negative when it is stale already.
    pub ttl_left: i64,
    /// Its lifetime as far as the configuration stands by it today.
    pub lifetime: Lifetime,
    /// The content coding that this request would get it in, where that is smaller.
    pub coding: Option<ContentCoding>,
    /// The field that a hit has besides the stored ones.
    pub annotation: Option<String>,
}

/// The variants of one key without a route.
#[derive(Debug)]
pub struct Variants {
    /// The request fields that choose.
    pub fields: Vec<String>,
    /// How many are stored.
    pub stored: usize,
    /// The one that this request selects.
    pub id: String,
    /// Where it stands; `None` where it is not stored.
    pub slot: Option<usize>,
}

/// Reads a request without a body as ingress does; or the status and the sentence that it is refused with.
pub fn question(shared: &Shared, head: Parts, client: Client) -> Result<Question, (u16, String)> {
    let Head { method, target, fields, host, client, version, expects } =
        read(head, Content::None, client, &shared.settings).map_err(|refusal| told(&refusal))?;
    let request = Admitted {
        method,
        target,
        fields,
        body: None,
        host,
        client,
        version,
        upgrade: None,
        interim: None,
        share: None,
        expects,
    };
    Ok(Question(match resource(&shared.settings.rules, &shared.other_hosts, &request) {
        Ok(resource) => Ok(Asked { rules: Arc::clone(&shared.settings.rules), request, resource }),
        Err(unkeyed) => Err((request, unkeyed)),
    }))
}

impl Question {
    /// Where the read's answer is stored, or why it is stored nowhere.
    pub fn entry_ref(&self) -> Result<EntryRef, Detail> {
        match &self.0 {
            Ok(asked) => Ok(asked.resource.at.clone()),
            Err((_, unkeyed)) => Err(unkeyed.detail),
        }
    }
}

/// Looks at what the store has for a read, and judges it.
pub async fn inspect(shared: &Shared, store: &Store, question: &Question) -> Result<Inspection, Fault> {
    let asked = match &question.0 {
        Ok(asked) => asked,
        Err((request, unkeyed)) => {
            let (cache_status, refusal) = outlook(decide_unkeyed(&shared.settings.rules, request, unkeyed));
            return Ok(Inspection { selection: None, variants: None, cache_status, is_fetched: false, refusal });
        }
    };
    let seen = lookup(&RuledStore::alone(store.clone(), asked.rules.of_writes()), asked).await?;
    let variants = variants(asked, &seen);
    let mut next = decide(asked, &seen, shared.clock.now(), shared.settings.verify.shadow);
    if let Next::Serve(serve) = &mut next {
        let derived = serve.entry.derived(shared.derivation);
        serve.status = with_withheld(asked, &serve.entry, &derived, serve.status).0;
    }
    let (cache_status, refusal) = outlook(next);
    let at = match &variants {
        Some(Variants { slot: Some(slot), id, .. }) => asked.resource.at.variant(*slot, id),
        _ => asked.resource.at.clone(),
    };
    let overtaken = if seen.invalidated { store.overtaken(&at).await? } else { None };
    let entry = seen.entry.or_else(|| overtaken.as_ref().map(|overtaken| Arc::clone(&overtaken.entry)));
    let selection = entry.map(|entry| selection(shared, asked, at, (entry, seen.soft), overtaken));
    let is_fetched = shared.flights.has(&asked.resource.at.key);
    Ok(Inspection { selection, variants, cache_status, is_fetched, refusal })
}

fn variants(asked: &Asked, seen: &Seen) -> Option<Variants> {
    let index = seen.index.as_ref()?;
    let (slot, id) = index.selected(&asked.request, asked.choices().any_order);
    let fields = index.names().iter().map(ToString::to_string).collect();
    Some(Variants { fields, stored: index.len(), id, slot })
}

/// What Cache-Status will say, as far as it is known before the origin is asked; and the answer of the proxy's own.
fn outlook(next: Next) -> (CacheStatus, Option<(u16, String)>) {
    match next {
        Next::Serve(serve) => (serve.status, None),
        Next::Shadowed(_) => (forwarded(Forward::Bypass, Some(Detail::Shadow)), None),
        Next::Pass(forward, detail) => (forwarded(forward, detail), None),
        Next::Refuse(refusal) => (CacheStatus::default(), Some(told(&refusal))),
        // Whether a part comes for a part is the origin's to say.
        Next::Part(missed) | Next::Head(missed) | Next::Fetch(missed) => {
            (forwarded(missed.forward, missed.detail), None)
        }
    }
}

fn selection(
    shared: &Shared,
    asked: &Asked,
    at: EntryRef,
    (entry, soft): (Arc<StoredResponse>, bool),
    overtaken: Option<Overtaken>,
) -> Selection {
    let at = match entry.kind {
        Kind::Around => asked.resource.around(),
        Kind::Written | Kind::CacheOnly => asked.resource.written().unwrap_or(at),
        Kind::Response | Kind::VaryIndex => at,
    };
    let lifetime = lifetime_today(&stored(&entry, soft), asked.choices());
    let age = current_age(entry.initial_age, entry.response_time, shared.clock.now());
    let annotate = asked.route().and_then(|route| route.annotate.as_ref());
    let annotate = annotate.filter(|it| annotate::hit(&entry.body, entry.status, &entry.fields, it) != entry.body);
    Selection {
        key: key_name(&at.key),
        overtaken,
        soft,
        age,
        ttl_left: ttl_left(lifetime.fresh_for, age),
        lifetime,
        coding: coding(&shared.codings, asked, &entry),
        annotation: annotate.map(|annotate| annotate.field.clone()),
        entry,
    }
}

fn forwarded(forward: Forward, detail: Option<Detail>) -> CacheStatus {
    CacheStatus { forward: Some(forward), detail, ..CacheStatus::default() }
}

fn told(refusal: &Refusal) -> (u16, String) {
    (refusal.status().as_u16(), refusal.sentence())
}
