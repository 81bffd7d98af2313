//! A HEAD that goes to the origin: what it says of the stored answer to GET is heard (RFC 9111 section 4.3.5).

use std::sync::Arc;

use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
use http::{Method, StatusCode};

use super::answer::{Answer, is_origin_trouble};
use super::fetch::{Fetch, outgoing};
use super::ingress::Admitted;
use super::keep::Received;
use super::lookup::{Missed, Resource};
use super::{Proxy, Shared};
use crate::fields::{CacheStatus, Detail};
use crate::origin::{Answered, Outgoing};
use crate::policy::{Told, told_by_head};
use crate::store::{Expect, StoredResponse};

impl Proxy {
    /// Answers a HEAD that nothing stored may answer. `landed` is what [`Flights::landed`](super::Flights::landed) said
    /// before the lookup.
    pub(super) async fn head(
        self: &Arc<Self>,
        resource: Resource,
        request: Admitted,
        missed: Missed,
        landed: u64,
    ) -> Answer {
        let Some(stale) = missed.stale.clone() else {
            return self.pass(request, missed.forward, missed.detail).await;
        };
        let fetch = Fetch::new(resource, request, missed, None);
        let request_time = self.shared.clock.now();
        let answered = match self.origin.send(asking(&fetch, &self.shared)).await {
            Ok(answered) => answered,
            Err(error) => return self.failed(&fetch.resource, &fetch.request, &fetch.missed, &error),
        };
        let status = answered.head.status;
        if is_origin_trouble(status)
            && let Some(answer) = self.stale_on_error(&fetch.resource, &fetch.request, &fetch.missed, Some(status))
        {
            return answer;
        }
        let (received, body) = self.receive(answered, request_time);
        let conditions = fetch.request.fields.clone();
        let head = received.head();
        let mut cache_status = fetch.cache_status(status, &received.fields);
        match told_by_head((stale.status, &stale.fields, stale.body.len() as u64), status, &received.fields) {
            Told::Nothing => {}
            Told::Other => drop(self.forget(&fetch, status).await),
            Told::Same => cache_status = self.freshened_by_head(fetch, received, &stale, landed, cache_status).await,
        }
        Answer::passed(Answered { head, body }, cache_status).under_conditions_of(&conditions)
    }

    /// Freshens the entry, unless another answer of this key came or is about to come since the lookup: that one is newer.
    async fn freshened_by_head(
        &self,
        fetch: Fetch,
        received: Received,
        stale: &Arc<StoredResponse>,
        landed: u64,
        status: CacheStatus,
    ) -> CacheStatus {
        let Some(leader) = self.shared.flights.lead(&fetch.resource.place.key, landed) else { return status };
        let mut fetch = Fetch::new(fetch.resource, fetch.request, fetch.missed, Some(leader));
        let received = received.freshening(stale);
        match self.judge_fill(&fetch, &received) {
            Ok(judged) => {
                let upon = Expect::Entry(Arc::clone(stale));
                let kept = self.put_expecting(upon, &fetch, received, judged, stale.body.clone()).await;
                fetch.land(kept.landing, &self.shared.flights);
                CacheStatus { stored: kept.stored, ttl: kept.ttl, detail: kept.detail.or(status.detail), ..status }
            }
            // What this client wants kept from the store is no word of the origin's.
            Err(Detail::RequestDirective) => status,
            Err(detail) => {
                self.forget(&fetch, StatusCode::OK).await;
                CacheStatus { detail: Some(detail), ..status }
            }
        }
    }
}

/// The HEAD as a fill would be sent, without conditions: what comes back is to be for all. It ends with its client.
fn asking(fetch: &Fetch, shared: &Shared) -> Outgoing {
    let mut outgoing = Outgoing { method: Method::HEAD, waiters: None, ..outgoing(fetch, shared) };
    outgoing.fields.remove(IF_NONE_MATCH);
    outgoing.fields.remove(IF_MODIFIED_SINCE);
    outgoing
}
