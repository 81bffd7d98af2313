//! What is asked of the origin on behalf of the cache, for whom, and what its answer is for.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE, USER_AGENT, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::super::answer::VIA_ASIDE;
use super::super::asked::{Asked, Missed};
use super::super::flights::{Flights, Leader};
use super::super::hosts::host_on_a_fill;
use super::super::invalidate::UnderWay;
use super::super::landing::Landing;
use super::super::patience::MOMENT;
use crate::body::{Body, InterimSender, Waiters};
use crate::budget::Budget;
use crate::fields::{CacheStatus, ContentRange, Detail, TRACEPARENT, TraceParent};
use crate::handler::Share;
use crate::origin::{OriginError, Outgoing};
use crate::policy::conditional_for;
use crate::rules::{Bypass, EntryRef, Fill, Invalidation, Read, says_any, withheld};
use crate::store::{Expect, Lookup, StoredResponse};
use crate::verify::Moment;

/// What is asked of the origin, and what becomes of its answer.
pub(in crate::proxy) enum Plan {
    /// A GET of all of it, for whoever asks.
    Get,
    /// The same for a client whose answer will most likely be for it alone: it ends with that client, unless it turns out
    /// to be for whoever asks.
    Alone,
    /// A HEAD: what it says of the stored answer is heard. `landed` is what [`Flights::landed`] said before the lookup.
    Head { landed: u64 },
    /// A GET of a part of what is not stored whole.
    Part(Part),
    /// That part has come and may be stored.
    Piece(Piece),
    /// A POST that was answered: a later GET may be given its answer. It is under way, and this is what it invalidates first.
    Post(UnderWay, Vec<Invalidation>),
}

/// How a part is asked for.
pub(in crate::proxy) struct Part {
    /// Range written anew, so that nothing of its spelling shapes an answer that is for others; `None` where it asks for
    /// more than one part, or for it under a condition.
    pub(in crate::proxy) range: Option<HeaderValue>,
    /// The parts that are stored; `None` where what comes is not stored as a part.
    pub(in crate::proxy) seen: Option<Lookup>,
    /// What [`Flights::landed`] said before the lookup.
    pub(in crate::proxy) landed: u64,
}

/// A part that came.
pub(in crate::proxy) struct Piece {
    pub(super) range: ContentRange,
    /// The part that is stored already.
    pub(super) known: Option<Arc<StoredResponse>>,
    /// What has to be where the whole answer is stored, if the two make it whole.
    pub(super) whole: Expect,
    pub(super) landed: u64,
}

/// One fetch: for whom, where its answer is stored, and who waits for it.
pub(in crate::proxy) struct Fetch {
    pub(in crate::proxy) asked: Arc<Asked>,
    pub(super) plan: Plan,
    pub(super) missed: Missed,
    pub(super) waiters: Arc<Waiters>,
    /// How long after its head the body is waited for.
    pub(super) moment: Duration,
    /// Where interim answers go.
    pub(super) interim: Option<InterimSender>,
    /// What its own client's answers share.
    pub(super) share: Option<Arc<Budget>>,
    /// The moment before it was sent, where the evidence wants to know.
    pub(super) began: Option<Moment>,
    /// Where its answer is stored, if not where the whole one is.
    pub(super) elsewhere: Option<EntryRef>,
    leader: Option<Leader>,
}

impl Fetch {
    /// A fetch of all of it, for whoever asks.
    pub(in crate::proxy) fn new(asked: &Arc<Asked>, missed: Missed, leader: Option<Leader>) -> Self {
        let waiters = leader.as_ref().map(Leader::waiters).unwrap_or_default();
        Self {
            asked: Arc::clone(asked),
            plan: Plan::Get,
            missed,
            waiters,
            moment: MOMENT,
            interim: asked.request.interim.clone(),
            share: asked.request.share.as_ref().map(Share::budget),
            began: None,
            elsewhere: None,
            leader,
        }
    }

    /// The same by another plan.
    pub(in crate::proxy) fn by(self, plan: Plan) -> Self {
        Self { plan, ..self }
    }

    /// The same, whose body is waited for so long after its head.
    pub(in crate::proxy) fn within(self, moment: Duration) -> Self {
        Self { moment, ..self }
    }

    /// The same for the store alone: no client takes anything of it.
    pub(super) fn for_the_store(self) -> Self {
        Self { share: None, ..self }
    }

    /// The same, which whoever is counted here waits for.
    pub(super) fn waited_for_by(self, waiters: Arc<Waiters>) -> Self {
        Self { waiters, ..self }
    }

    /// The same for those who follow this leader.
    pub(super) fn led_by(self, leader: Leader) -> Self {
        Self { waiters: leader.waiters(), leader: Some(leader), ..self }
    }

    /// The plan, which has been carried out: what is left is a GET of all of it.
    pub(super) fn take_plan(&mut self) -> Plan {
        std::mem::replace(&mut self.plan, Plan::Get)
    }

    /// Where its answer is stored.
    pub(super) fn at(&self) -> &EntryRef {
        self.elsewhere.as_ref().unwrap_or(&self.asked.resource.at)
    }

    /// Whether it goes on without its client, for the others and for the store.
    pub(super) fn is_for_all(&self) -> bool {
        matches!(self.plan, Plan::Get)
    }

    /// Ends its flight, if it leads one.
    pub(super) fn land(&mut self, landing: Landing, flights: &Flights) {
        match self.leader.take() {
            Some(leader) => leader.land(landing),
            None if matches!(landing, Landing::Stored { .. }) => flights.stored(&self.at().key),
            None => {}
        }
    }

    /// To be called when the answer's head is there and may be stored.
    pub(super) fn begun(&self) {
        if let Some(leader) = &self.leader {
            leader.begun();
        }
    }

    /// To be called right before the store is asked whether it vouches, and to put the answer.
    pub(super) fn storing(&self) {
        if let Some(leader) = &self.leader {
            leader.storing();
        }
    }

    /// What Cache-Status says of an answer of the origin with this status and these fields.
    pub(super) fn cache_status(&self, status: StatusCode, fields: &HeaderMap) -> CacheStatus {
        let withheld = || says_any(&self.asked.request.fields, &self.withheld(fields)).then_some(Detail::VaryWithheld);
        CacheStatus {
            forward: Some(self.missed.forward),
            forward_status: Some(status.as_u16()),
            detail: self.missed.detail.or_else(withheld),
            ..CacheStatus::default()
        }
    }

    /// The request fields that an answer names in Vary and that the origin was not asked with.
    pub(super) fn withheld(&self, answer: &HeaderMap) -> Vec<HeaderName> {
        self.asked.route().map_or_else(Vec::new, |route| withheld(route, answer))
    }

    /// What the origin sees; an error where what a route asks for is no request target.
    pub(super) fn outgoing(&self) -> Result<Outgoing, OriginError> {
        let request = &self.asked.request;
        let host = host_on_a_fill(&self.asked);
        let (method, waiters) = match self.plan {
            // It ends with its client.
            Plan::Head { .. } => (Method::HEAD, None),
            _ => (Method::GET, Some(Arc::clone(&self.waiters))),
        };
        let (target, mut fields) = match (self.asked.route(), &self.plan) {
            (Some(route), _) => {
                let secure = request.client.secure;
                let read = Read { target: &request.target, fields: &request.fields, host: None, secure };
                let Fill { target, fields } = route.fill(&read).map_err(|Bypass(_)| OriginError::NoTarget)?;
                (target, of_the_key(fields, &request.fields))
            }
            (None, _) => (request.target.clone(), request.forwarded_fields(host.as_ref())),
        };
        match &self.plan {
            Plan::Part(Part { range: Some(range), .. }) => drop(fields.insert(RANGE, range.clone())),
            Plan::Part(_) => {}
            plan => {
                // The client's conditions and its part are for what is stored; the origin is asked for all of it.
                for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE, RANGE, IF_RANGE] {
                    fields.remove(name);
                }
                let validated = self.missed.stale.as_ref().filter(|_| matches!(plan, Plan::Get | Plan::Alone));
                fields.extend(validated.map(|stale| conditional_for(&stale.fields)).unwrap_or_default());
            }
        }
        let interim = self.interim.clone();
        Ok(Outgoing { method, target, fields, client_host: host, body: Body::Empty, interim, waiters })
    }
}

/// What names the proxy to the origin on a fill, in place of any client's own.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("aside/", env!("CARGO_PKG_VERSION")));

/// The fields of a fill for a route: a function of the key and of nothing else, but for the trace.
fn of_the_key(mut fields: HeaderMap, request: &HeaderMap) -> HeaderMap {
    // Unless the route keys them: then the origin sees what is in the key.
    fields.entry(USER_AGENT).or_insert(AGENT);
    fields.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
    fields.insert(VIA, VIA_ASIDE);
    // A miss is a part of the trace of the request that brought it about. Its fixed form leaves no place for anything that
    // could harm others where an answer repeats it; what has none, such as tracestate or X-Request-Id, does not go along.
    if let Some(value) = TraceParent::of(request).and_then(|trace| trace.value()) {
        fields.entry(TRACEPARENT).or_insert(value);
    }
    fields
}
