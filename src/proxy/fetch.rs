//! A fetch: one request to the origin for an answer that may be kept, and what the origin sees of it.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE, USER_AGENT, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::Shared;
use super::answer::VIA_ASIDE;
use super::collapse::{Flights, Landing, Leader};
use super::ingress::Admitted;
use super::lookup::{Missed, Resource};
use super::patience::MOMENT;
use crate::body::{Body, Waiters};
use crate::fields::{CacheStatus, Detail, TRACEPARENT, TraceParent};
use crate::origin::Outgoing;
use crate::policy::conditional_for;
use crate::rules::{Read, says_any, withheld};

/// One fetch: for whom, where its answer is kept, and who waits for it.
pub(super) struct Fetch {
    pub(super) resource: Resource,
    pub(super) request: Admitted,
    pub(super) missed: Missed,
    pub(super) waiters: Arc<Waiters>,
    /// How long after its head the body is waited for.
    pub(super) moment: Duration,
    leader: Option<Leader>,
}

impl Fetch {
    pub(super) fn new(resource: Resource, request: Admitted, missed: Missed, leader: Option<Leader>) -> Self {
        let waiters = leader.as_ref().map(Leader::waiters).unwrap_or_default();
        Self { resource, request, missed, waiters, moment: MOMENT, leader }
    }

    /// The same, whose body is waited for so long after its head.
    pub(super) fn within(self, moment: Duration) -> Self {
        Self { moment, ..self }
    }

    pub(super) fn land(&mut self, landing: Landing, flights: &Flights) {
        match self.leader.take() {
            Some(leader) => leader.land(landing),
            None if matches!(landing, Landing::Stored(..)) => flights.stored(&self.resource.place.key),
            None => {}
        }
    }

    pub(super) fn begun(&self) {
        if let Some(leader) = &self.leader {
            leader.begun();
        }
    }

    pub(super) fn storing(&self) {
        if let Some(leader) = &self.leader {
            leader.storing();
        }
    }

    /// What Cache-Status says of an answer of the origin with this status and these fields.
    pub(super) fn cache_status(&self, status: StatusCode, fields: &HeaderMap) -> CacheStatus {
        let withheld = || says_any(&self.request.fields, &self.withheld(fields)).then_some(Detail::VaryWithheld);
        CacheStatus {
            forward: Some(self.missed.forward),
            forward_status: Some(status.as_u16()),
            detail: self.missed.detail.or_else(withheld),
            ..CacheStatus::default()
        }
    }

    /// The request fields that an answer names in Vary and that the origin was not asked with.
    pub(super) fn withheld(&self, answer: &HeaderMap) -> Vec<HeaderName> {
        self.resource.route.as_ref().map_or_else(Vec::new, |route| withheld(route, answer))
    }
}

/// Runs what a fetch still has to do in a task of its own. It ends early where nobody waits for it any more and somebody
/// else needs its place at the origin.
pub(super) fn spawn(waiters: Arc<Waiters>, task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(async move {
        tokio::select! {
            biased;
            () = waiters.gave_up() => {}
            () = task => {}
        }
    });
}

/// What names the proxy to the origin on a fill, in place of any client's own.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("aside/", env!("CARGO_PKG_VERSION")));

/// What the origin sees: for a route a function of the key and of nothing else, but for the trace; without one the client's
/// fields.
pub(super) fn outgoing(fetch: &Fetch, shared: &Shared) -> Outgoing {
    let request = &fetch.request;
    let host = shared.host_on_a_fill(&fetch.resource, request);
    let (target, mut fields) = match &fetch.resource.route {
        Some(route) => {
            let (path, query) = (request.target.path(), request.target.query());
            let secure = request.client.secure;
            let fill = route.fill(&Read { path, query, fields: &request.fields, host: None, secure });
            let mut fields = fill.fields;
            // Unless the route keys them: then the origin sees what is in the key.
            fields.entry(USER_AGENT).or_insert(AGENT);
            fields.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
            fields.insert(VIA, VIA_ASIDE);
            trace(&request.fields, &mut fields);
            (fill.target.parse().unwrap_or_else(|_| request.target.clone()), fields)
        }
        None => (request.target.clone(), request.forwarded_fields(host.as_ref())),
    };
    // The client's conditions and its part are for what is stored; the origin is asked for all of it.
    for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE, RANGE, IF_RANGE] {
        fields.remove(name);
    }
    if let Some(stale) = &fetch.missed.stale {
        fields.extend(conditional_for(&stale.fields));
    }
    Outgoing {
        method: Method::GET,
        target,
        fields,
        client_host: host,
        body: Body::Empty,
        interim: request.interim.clone(),
        waiters: Some(Arc::clone(&fetch.waiters)),
    }
}

/// A miss is a part of the trace of the request that brought it about. Its fixed form leaves no place for anything that
/// could harm others where an answer repeats it; what has none, such as tracestate or X-Request-Id, does not go along.
fn trace(request: &HeaderMap, fill: &mut HeaderMap) {
    if let Some(value) = TraceParent::of(request).and_then(|trace| trace.value()) {
        // Unless the route keys it.
        fill.entry(TRACEPARENT).or_insert(value);
    }
}
