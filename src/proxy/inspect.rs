//! What the store has for a request, and what would become of it now: for `aside explain --live`.
//!
//! The request is read, placed, looked up and judged by the very functions that [`Proxy::handle`](super::Proxy::handle)
//! uses. The origin is not asked, and a store that was attached for reading is not changed.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;

use super::error::Refusal;
use super::ingress::{Admitted, Content, Head, read};
use super::lookup::{Resource, Seen, stored};
use super::reuse::{Decision, Onward};
use super::{Shared, annotate};
use crate::fields::{CacheStatus, ContentCoding, Detail, Forward};
use crate::handler::Client;
use crate::policy::{Lifetime, current_age, lifetime_today, ttl_left};
use crate::rules::{Bypass, EntryRef};
use crate::store::{Fault, Kind, Overtaken, Store, StoredResponse, key_name};

/// A request that is asked about, as ingress admits it.
#[derive(Debug)]
pub struct Question(Admitted);

/// What the store has, and what follows from it.
#[derive(Debug)]
pub struct Inspection {
    /// What is stored where the request leads, used or not.
    pub selection: Option<Selection>,
    /// Which request fields choose among the variants of the key, where it has some.
    pub variants: Option<Variants>,
    /// What Cache-Status says as far as it is known before the origin is asked.
    pub cache_status: CacheStatus,
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

impl Shared {
    /// Reads a request without a body as ingress does; or the status and the sentence that it is refused with.
    pub fn question(&self, head: Parts, client: Client) -> Result<Question, (u16, String)> {
        let Head { method, target, fields, host, client, version, expects } =
            read(head, Content::None, client, &self.settings).map_err(|refusal| told(&refusal))?;
        Ok(Question(Admitted {
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
        }))
    }

    /// Where a read's answer is kept, or why it is kept nowhere.
    pub fn place(&self, question: &Question) -> Result<EntryRef, Detail> {
        self.resource(&question.0).map(|resource| resource.place).map_err(|(Bypass(detail), _)| detail)
    }

    /// Looks at what the store has for a read, and judges it.
    pub async fn inspect(&self, store: &Store, question: &Question) -> Result<Inspection, Fault> {
        let request = &question.0;
        let resource = match self.resource(request) {
            Ok(resource) => resource,
            Err((Bypass(detail), _)) => {
                let cache_status = forwarded(Forward::Bypass, Some(detail));
                return Ok(Inspection { selection: None, variants: None, cache_status, refusal: None });
            }
        };
        let seen = self.lookup(store, &resource, request).await?;
        let variants = self.variants(&resource, request, &seen);
        let (cache_status, refusal) = self.outlook(&resource, request, &seen);
        let at = match &variants {
            Some(Variants { slot: Some(slot), id, .. }) => resource.place.variant(*slot, id),
            _ => resource.place.clone(),
        };
        let overtaken = if seen.invalidated { store.overtaken(&at).await? } else { None };
        let entry = seen.entry.or_else(|| overtaken.as_ref().map(|overtaken| Arc::clone(&overtaken.entry)));
        let selection = entry.map(|entry| self.selection(&resource, request, at, entry, overtaken));
        Ok(Inspection { selection, variants, cache_status, refusal })
    }

    fn variants(&self, resource: &Resource, request: &Admitted, seen: &Seen) -> Option<Variants> {
        let index = seen.index.as_ref()?;
        let (slot, id) = index.selected(request, self.choices(resource).any_order);
        let fields = index.names().iter().map(ToString::to_string).collect();
        Some(Variants { fields, stored: index.len(), id, slot })
    }

    fn outlook(&self, resource: &Resource, request: &Admitted, seen: &Seen) -> (CacheStatus, Option<(u16, String)>) {
        match self.decide(resource, request, seen) {
            Decision::Deliver { status, .. } => {
                let route = resource.route.as_deref();
                let withheld = |entry: &Arc<_>| self.with_withheld(status, entry, request, route);
                (seen.entry.as_ref().map_or(status, withheld), None)
            }
            Decision::Pass(forward, detail) => (forwarded(forward, Some(detail)), None),
            Decision::Fetch(missed) => match self.onward(resource, request) {
                Onward::OnlyIfCached => (CacheStatus::default(), Some(told(&Refusal::OnlyIfCached))),
                // Whether a part comes for a part is the origin's to say.
                Onward::Part | Onward::Head | Onward::Fetch => (forwarded(missed.forward, missed.detail), None),
            },
        }
    }

    fn selection(
        &self,
        resource: &Resource,
        request: &Admitted,
        at: EntryRef,
        entry: Arc<StoredResponse>,
        overtaken: Option<Overtaken>,
    ) -> Selection {
        let place = match entry.kind {
            Kind::Around => resource.around(),
            Kind::Written | Kind::CacheOnly => resource.written().unwrap_or(at),
            Kind::Response | Kind::VaryIndex => at,
        };
        let lifetime = lifetime_today(&stored(&entry), self.choices(resource));
        let age = current_age(entry.initial_age, entry.response_time, self.clock.now());
        let route = resource.route.as_deref();
        let annotate = route.and_then(|route| route.annotate.as_ref());
        let annotate = annotate.filter(|it| annotate::hit(&entry.body, entry.status, &entry.fields, it) != entry.body);
        Selection {
            key: key_name(&place.key),
            overtaken,
            age,
            ttl_left: ttl_left(lifetime.fresh_for, age),
            lifetime,
            coding: self.coding(&entry, request, route),
            annotation: annotate.map(|annotate| annotate.field.clone()),
            entry,
        }
    }
}

fn forwarded(forward: Forward, detail: Option<Detail>) -> CacheStatus {
    CacheStatus { forward: Some(forward), detail, ..CacheStatus::default() }
}

fn told(refusal: &Refusal) -> (u16, String) {
    (refusal.status().as_u16(), refusal.sentence())
}
