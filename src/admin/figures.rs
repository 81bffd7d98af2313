//! The figures of the process: for Prometheus, and what happened lately, for `aside top` and the dashboard.

use http::request::Parts as Head;
use http::{HeaderValue, Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::answer::{json, with};
use crate::body::Body;
use crate::proxy;
use crate::store::Count;
use crate::telemetry::{Format, Gauges, Metrics, Operations, Recent, RouteTotals, Snapshot, Totals};

/// What was counted since the process was started.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Requests that ended.
    pub requests: u64,
    /// Those of them that the store answered, with a fresh entry or a stale one.
    pub hits: u64,
    /// Those that the store could have answered and did not.
    pub misses: u64,
    /// How often the origin answered.
    pub origin_fetches: u64,
    /// Requests that were answered by the fetch of another one.
    pub collapsed: u64,
    /// What writes have dropped: how many invalidations.
    pub invalidations: u64,
    /// Bytes of bodies that came from the store.
    pub cache_bytes: u64,
    /// Bytes of bodies that the origin sent.
    pub origin_bytes: u64,
    /// How much of the origin's time hits have saved, in seconds.
    pub saved_origin_seconds: f64,
    /// Requests under way to the origin now.
    pub origin_inflight: usize,
}

/// What `GET /recent` answers.
#[derive(Debug, Serialize)]
struct Lately {
    /// Since the start.
    figures: Figures,
    #[serde(flatten)]
    snapshot: Snapshot,
}

/// The figures as the Accept field wants them.
pub(super) fn metrics(head: &Head, metrics: &Metrics, parts: &proxy::Parts) -> Response<Body> {
    let format = Format::accepted(&head.headers);
    let text = metrics.write(format, &gauges(parts));
    with(StatusCode::OK, HeaderValue::from_static(format.content_type()), text.into_bytes())
}

/// What happened lately.
pub(super) fn recent(metrics: &Metrics, recent: &Recent, parts: &proxy::Parts) -> Response<Body> {
    let figures = figures(&metrics.totals(), parts);
    json(StatusCode::OK, &Lately { figures, snapshot: recent.snapshot() })
}

fn figures(totals: &Totals, parts: &proxy::Parts) -> Figures {
    let sum = |of: fn(&RouteTotals) -> u64| -> u64 { totals.routes.values().map(of).sum() };
    Figures {
        requests: totals.count(),
        hits: totals.hits(),
        misses: sum(|route| route.misses),
        origin_fetches: sum(|route| route.origin_fetches),
        collapsed: totals.collapsed,
        invalidations: totals.invalidations.values().sum(),
        cache_bytes: sum(|route| route.cache_bytes),
        origin_bytes: sum(|route| route.origin_bytes),
        saved_origin_seconds: totals.saved_origin_seconds(),
        origin_inflight: parts.origin().addresses().iter().map(|address| address.under_way).sum(),
    }
}

/// What store and origin say of themselves now.
fn gauges(parts: &proxy::Parts) -> Gauges {
    let (addresses, state) = (parts.origin().addresses(), parts.store.state());
    let counts = |counts: Vec<Count>| counts.into_iter().map(|count| (count.name, count.count)).collect();
    Gauges {
        store_up: Some(state.up),
        // Without a shared store nobody else could have changed anything.
        lease_valid: Some(state.lease.is_none_or(|lease| lease.valid)),
        pending_invalidations: Some(state.pending),
        entries: state.entries.or(state.copies),
        stored_bytes: Some(state.bytes),
        evictions: counts(state.evictions),
        store_errors: counts(state.errors),
        store_operations: parts.store.operations().map(Operations::took).unwrap_or_default(),
        origin_inflight: Some(addresses.iter().map(|address| address.under_way as u64).sum()),
        breakers: addresses.into_iter().map(|address| (address.url, !address.is_in_order)).collect(),
        compared: parts.shared().compared_routes(),
    }
}
