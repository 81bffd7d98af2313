//! Parts of answers, where no route speaks: a 206 is kept beside its whole answer's place, joined to what is kept there,
//! and is the whole answer once nothing is missing (RFC 9111 sections 3.3 and 3.4). What answers with all of it is stored as
//! the answer to a fill is.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AGE, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE, VIA};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use tokio::time::Instant;

use super::answer::{Answer, VIA_ASIDE, is_origin_trouble};
use super::deliver::part;
use super::error::{Refusal, no_answer};
use super::fetch::{Fetch, spawn};
use super::ingress::Admitted;
use super::keep::{Judged, KeptAnswer, Received};
use super::lookup::{Missed, Resource};
use super::pass::passed_status;
use super::patience::MOMENT;
use super::read_ahead::{Ahead, ReadAhead, Room};
use super::variants::at_key;
use super::{Proxy, fault_detail};
use crate::body::{Body, Collected, Waiters};
use crate::fields::{ByteRange, CacheStatus, ContentRange, Detail, Forward};
use crate::origin::{Answered, OriginError};
use crate::policy::{Reuse, blames_the_request, combined, joined, only_if_cached, selected_of_part, storable_part};
use crate::rules::EntryRef;
use crate::store::{Expect, Kind, Lookup, StoredResponse};

/// A part that came, and what is to be done with it.
struct Came {
    fetch: Fetch,
    received: Received,
    judged: Judged,
    range: ContentRange,
    /// The part that is kept already.
    known: Option<Arc<StoredResponse>>,
    /// Where the whole answer is kept, and what the lookup saw there.
    whole: (EntryRef, Expect),
    /// What [`Flights::landed`](super::Flights::landed) said before the lookup.
    landed: u64,
}

impl Proxy {
    /// Answers a request for a part of what is not stored whole: from a stored part, or with the origin's answer.
    pub(super) async fn part(
        self: &Arc<Self>,
        resource: Resource,
        request: Admitted,
        missed: Missed,
        landed: u64,
    ) -> Answer {
        let conditional = [IF_NONE_MATCH, IF_MODIFIED_SINCE].iter().any(|name| request.fields.contains_key(name));
        let single = ByteRange::of(&request.fields).is_some() && !conditional;
        let seen = match self.store.lookup(&resource.place.part()).await {
            Ok(seen) => seen,
            Err(fault) => return self.pass(request, Forward::Miss, Some(fault_detail(&fault))).await,
        };
        let known = seen.entry.as_ref().filter(|entry| single && entry.kind == Kind::Response);
        let fresh = known.and_then(|entry| match self.shared.judge(entry, &request, self.choices(&resource)) {
            Reuse::Fresh { age, ttl_left } => Some((entry, HeaderValue::from(age.as_secs()), ttl_left)),
            _ => None,
        });
        if let Some((entry, age, ttl_left)) = &fresh
            && let Some(mut response) = self.of_part(entry, &request)
        {
            response.headers_mut().insert(AGE, age.clone());
            return Answer::new(response, CacheStatus { hit: true, ttl: Some(*ttl_left), ..CacheStatus::default() });
        }
        if only_if_cached(&request.fields, self.choices(&resource)) {
            return Refusal::OnlyIfCached.answer();
        }
        let forward = if fresh.is_some() { Forward::Partial } else { missed.forward };
        self.fetch_part(resource, request, Missed { forward, ..missed }, single.then_some(seen), landed).await
    }

    /// What a stored part has of what is asked for; `None` where it is not all of it.
    fn of_part(&self, entry: &StoredResponse, request: &Admitted) -> Option<Response<Body>> {
        let at = ContentRange::of(&entry.fields)?;
        let head = entry.head(|entry| self.prepare(entry, None));
        let wanted = selected_of_part(&request.fields, head, at)?;
        Some(part(entry, head, wanted, at.first))
    }

    /// Asks the origin; what it gives is kept where the place of parts was `seen`.
    async fn fetch_part(
        self: &Arc<Self>,
        resource: Resource,
        mut request: Admitted,
        missed: Missed,
        seen: Option<Lookup>,
        landed: u64,
    ) -> Answer {
        let (forward, detail) = (missed.forward, Some(Detail::PartialContent));
        let plain = plain_range(&request.fields);
        if let Some(range) = &plain {
            // Nothing of its spelling may shape an answer that is for others.
            request.fields.insert(RANGE, range.clone());
        }
        let request_time = self.shared.clock.now();
        // What comes back may be kept, so it is asked for as a fill asks.
        let host = self.shared.host_on_a_fill(&resource, &request);
        let waiters = Arc::new(Waiters::default());
        let waiter = waiters.join();
        let answered = match self.forward_to(host, &request, Body::Empty, Some(Arc::clone(&waiters))).await {
            Ok(answered) => answered,
            Err(error) => return self.failed(&resource, &request, &missed, &error),
        };
        let status = answered.head.status;
        if is_origin_trouble(status)
            && let Some(answer) = self.stale_on_error(&resource, &request, &missed, Some(status))
        {
            return answer;
        }
        if is_of_the_whole(status) {
            let (received, body) = self.receive(answered, request_time);
            let mut fetch = Fetch::new(resource, request, missed, None);
            fetch.waiters = waiters;
            return self.filled(fetch, received, body, plain.is_some()).await;
        }
        let status = passed_status(forward, status, detail.filter(|_| status == StatusCode::PARTIAL_CONTENT));
        let Some(seen) = seen else { return Answer::passed(answered, status) };
        let (received, body) = self.receive(answered, request_time);
        let place = resource.place.part();
        let whole = (resource.place.clone(), at_key(&upon(missed.stale), missed.index.as_deref()));
        let resource = resource.at(place);
        let missed = Missed { token: seen.token, forward, detail, stale: None, index: None };
        let fetch = Fetch::new(resource, request, missed, None);
        let Some((range, judged)) = self.judge_part(&fetch, &received) else {
            let status = self.whole_for_part(&fetch, &received, status);
            return Answer::passed(Answered { head: received.into_head(), body }, status);
        };
        let mut head = received.head();
        head.headers.append(VIA, VIA_ASIDE);
        let answer = |body, status| Answer::new(Response::from_parts(head, body), status);
        let (limit, receipt) = (self.choices(&fetch.resource).max_body, self.shared.answers.charge(0));
        let room = Room::of(&fetch, &self.shared.answers);
        let came = Came { fetch, received, judged, range, known: seen.entry, whole, landed };
        match body.collect_until(limit, Instant::now() + MOMENT, receipt).await {
            Collected::Whole(bytes) => {
                let kept = self.keep_part(came, bytes.clone()).await;
                let status = CacheStatus { stored: kept.stored, ttl: kept.ttl, detail: kept.detail, ..status };
                answer(Body::full(bytes), status)
            }
            Collected::Slow(ahead, rest) => {
                let (relaying, relay) = Body::relayed(waiter);
                self.relay_part(came, ReadAhead::new(relaying, &ahead, rest, room), waiters);
                answer(relay, status)
            }
            Collected::Larger(ahead, rest) => {
                answer(Body::stream(ahead, rest), CacheStatus { detail: Some(Detail::TooLarge), ..status })
            }
            Collected::NoRoom(ahead, rest) => {
                answer(Body::stream(ahead, rest), CacheStatus { detail: Some(Detail::AnswersFull), ..status })
            }
            Collected::Failed(error) => no_answer(&OriginError::Broken(error.to_string()), forward),
        }
    }

    /// Hands a part on as it comes, and keeps it once it is whole.
    fn relay_part(self: &Arc<Self>, came: Came, mut reading: ReadAhead, waiters: Arc<Waiters>) {
        let (proxy, limit) = (Arc::clone(self), self.choices(&came.fetch.resource).max_body);
        let end = self.end_of_fill();
        spawn(waiters, async move {
            let ahead = reading.until(limit, end).await;
            if let Ahead::Whole(bytes) = &ahead {
                proxy.keep_part(came, bytes.clone()).await;
            }
            reading.end(ahead, None);
        });
    }

    /// What is told of an answer that is no part, and was not asked for in a way that it could be kept.
    fn whole_for_part(&self, fetch: &Fetch, received: &Received, status: CacheStatus) -> CacheStatus {
        if received.status == StatusCode::PARTIAL_CONTENT {
            return status;
        }
        CacheStatus { detail: self.judge_fill(fetch, received).err(), ..status }
    }

    /// Whether a 206 may be kept: as the 200 that it is a part of might, with a lifetime that the origin named.
    fn judge_part(&self, fetch: &Fetch, received: &Received) -> Option<(ContentRange, Judged)> {
        if received.status != StatusCode::PARTIAL_CONTENT {
            return None;
        }
        let range = storable_part(&received.fields, received.framing())?;
        let judged = self.judge_fill(fetch, &received.clone().of_range(None)).ok()?;
        judged.is_explicit().then_some((range, judged))
    }

    async fn keep_part(&self, came: Came, body: Bytes) -> KeptAnswer {
        let Came { mut fetch, received, judged, mut range, known, whole, landed } = came;
        let mut body = body;
        let most = self.choices(&fetch.resource).max_body;
        if let Some((before, at)) = known.as_deref().and_then(|known| Some((known, ContentRange::of(&known.fields)?)))
            && let Some(both) = combined((&before.fields, at), (&received.fields, range))
            && both.length() <= most
        {
            body = joined((&before.body, at), (&body, range)).into();
            range = both;
        }
        // Unless another answer of this key came meanwhile, or is about to: that one is newer.
        if range.is_all()
            && let Some(leader) = self.shared.flights.lead(&whole.0.key, landed)
        {
            let (place, upon) = whole;
            let resource = fetch.resource.at(place);
            fetch = Fetch::new(resource, fetch.request, fetch.missed, Some(leader));
            let kept = self.put_expecting(upon, &fetch, received.of_range(None), judged, body).await;
            fetch.land(kept.landing.clone(), &self.shared.flights);
            return kept;
        }
        self.put_expecting(upon(known), &fetch, received.of_range(Some(range)), judged, body).await
    }
}

/// Range, written anew, where a request asks for one part and says nothing else of it: no condition, no If-Range.
fn plain_range(request: &HeaderMap) -> Option<HeaderValue> {
    let bare = ![IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_RANGE].iter().any(|name| request.contains_key(name));
    ByteRange::of(request).filter(|_| bare).and_then(|range| HeaderValue::from_str(&range.to_string()).ok())
}

/// Whether a GET without Range would have had this answer, too: the origin knows no ranges, or has nothing that has parts.
///
/// Source: RFC 9110 section 14.2
fn is_of_the_whole(status: StatusCode) -> bool {
    !matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED) && !blames_the_request(status)
}

fn upon(seen: Option<Arc<StoredResponse>>) -> Expect {
    seen.map_or(Expect::Absent, Expect::Entry)
}
