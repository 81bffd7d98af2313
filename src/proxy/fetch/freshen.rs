//! Freshen: a 304, or a HEAD, says of a stored response that it holds (RFC 9111 sections 4.3.3 to 4.3.5), or that it is over.

use std::sync::Arc;
use std::time::Duration;

use http::header::SET_COOKIE;
use http::{HeaderValue, StatusCode};
use tokio::time::timeout;

use super::super::answer::Answer;
use super::super::core::Core;
use super::super::deliver::deliver;
use super::super::flights::Request;
use super::super::landing::Landing;
use super::plan::Fetch;
use super::put::put_expecting;
use super::received::{Received, Whole, judge};
use crate::body::Timed;
use crate::fields::{CacheStatus, Detail};
use crate::origin::Answered;
use crate::policy::{Told, blames_the_request, told_by_head};
use crate::rules::Tag;
use crate::store::{Change, Expect, Fault, StoredResponse, Token};

/// A 304 makes the stale entry fresh again.
///
/// Source: RFC 9111 section 4.3.3
pub(super) async fn freshened(
    core: &Core,
    mut fetch: Fetch,
    received: Received,
    stale: &Arc<StoredResponse>,
) -> Answer {
    let forward_status = received.status;
    // For this client alone: never stored, and nobody who follows gets them.
    let cookies = cookies(&received);
    let received = received.freshening(stale);
    let status = CacheStatus {
        forward_status: Some(forward_status.as_u16()),
        ..fetch.cache_status(received.status, &received.fields)
    };
    match judge(&core.shared, &fetch, &received) {
        Ok(judged) => {
            let expect = Expect::Entry(Arc::clone(stale));
            let put = put_expecting(core, expect, &fetch, Whole { received, judged, body: stale.body.clone() }).await;
            fetch.land(put.landing.with_status(forward_status), &core.shared.flights);
            let status = CacheStatus { stored: put.stored, ttl: put.ttl, detail: put.detail, ..status };
            let answer = deliver(&core.shared, &fetch.asked, &put.entry, put.entry.initial_age, status);
            let answer = answer.not_stored(put.detail);
            let stripped = put.stored && fetch.asked.choices().strips_cookies();
            if stripped { answer } else { setting(answer, cookies) }
        }
        Err(detail) => {
            fetch.land(Landing::HitForMiss, &core.shared.flights);
            if speaks_of_the_resource(&fetch, forward_status, detail) {
                // What the origin now calls private must not stand in for a later failure either.
                invalidate_stale(core, &fetch, forward_status).await;
            }
            let status = CacheStatus { detail: Some(detail), ..status };
            let answer = deliver(&core.shared, &fetch.asked, stale, received.initial_age, status);
            setting(answer.not_stored(Some(detail)), cookies)
        }
    }
}

/// The answer to a HEAD, and what it says of the stored answer to GET.
///
/// Source: RFC 9111 section 4.3.5
pub(super) async fn heard(core: &Core, fetch: Fetch, landed: u64, received: Received, body: Timed) -> Answer {
    let status = received.status;
    let asked = Arc::clone(&fetch.asked);
    let (head, took) = (received.head(), received.took);
    let mut cache_status = fetch.cache_status(status, &received.fields);
    if let Some(stale) = fetch.missed.stale.clone() {
        match told_by_head((stale.status, &stale.fields, stale.body.len() as u64), status, &received.fields) {
            Told::Nothing => {}
            Told::Other => drop(invalidate_stale(core, &fetch, status).await),
            Told::Same => cache_status = freshened_by_head(core, fetch, landed, received, &stale, cache_status).await,
        }
    }
    Answer::passed(Answered { head, body, took }, cache_status).under_conditions_of(&asked.request.fields)
}

/// Freshens the entry, unless another answer of this key came or is about to come since the lookup: that one is newer.
async fn freshened_by_head(
    core: &Core,
    fetch: Fetch,
    landed: u64,
    received: Received,
    stale: &Arc<StoredResponse>,
    status: CacheStatus,
) -> CacheStatus {
    let Some(leader) = core.shared.flights.lead(&fetch.at().key, landed, Request::Sent) else { return status };
    let mut fetch = fetch.led_by(leader);
    let received = received.freshening(stale);
    match judge(&core.shared, &fetch, &received) {
        Ok(judged) => {
            let expect = Expect::Entry(Arc::clone(stale));
            let put = put_expecting(core, expect, &fetch, Whole { received, judged, body: stale.body.clone() }).await;
            fetch.land(put.landing, &core.shared.flights);
            CacheStatus { stored: put.stored, ttl: put.ttl, detail: put.detail.or(status.detail), ..status }
        }
        // What this client wants kept from the store is no word of the origin's.
        Err(Detail::RequestDirective) => status,
        Err(detail) => {
            invalidate_stale(core, &fetch, StatusCode::OK).await;
            CacheStatus { detail: Some(detail), ..status }
        }
    }
}

/// So long a read waits for what it has found to be old to be invalidated.
const INVALIDATED_WITHIN: Duration = Duration::from_millis(100);

/// Invalidates a stale entry that the origin has answered otherwise about: it must not stand in for a later failure. Comes
/// back with the token of a fetch that begins after it.
pub(super) async fn invalidate_stale(core: &Core, fetch: &Fetch, status: StatusCode) -> Option<Token> {
    if status.is_server_error() {
        return None;
    }
    let own: Vec<Tag> = fetch.at().tags.iter().filter(|tag| tag.is_of_entry()).cloned().collect();
    // It goes on by itself where the store takes its time: nobody has been promised anything, so nobody waits.
    let done = timeout(INVALIDATED_WITHIN, core.store.invalidate(Change::of(&own))).await;
    match done.unwrap_or(Err(Fault::Timeout)) {
        Ok(done) => Some(done.token),
        Err(fault) => {
            tracing::debug!(%fault, "a stale entry could not be invalidated");
            None
        }
    }
}

/// Whether an answer that is not stored tells what the resource is like now. One that this client's own fields have
/// brought about does not, and what everybody else is given stays.
pub(super) fn speaks_of_the_resource(fetch: &Fetch, status: StatusCode, detail: Detail) -> bool {
    !matches!(detail, Detail::RequestDirective | Detail::PartRequested)
        && (fetch.asked.resource.route.is_some() || !blames_the_request(status))
}

/// The cookies that an answer sets.
pub(super) fn cookies(received: &Received) -> Vec<HeaderValue> {
    received.fields.get_all(SET_COOKIE).iter().cloned().collect()
}

/// The answer with these cookies.
pub(super) fn setting(mut answer: Answer, cookies: Vec<HeaderValue>) -> Answer {
    for cookie in cookies {
        answer.response.headers_mut().append(SET_COOKIE, cookie);
    }
    answer
}
