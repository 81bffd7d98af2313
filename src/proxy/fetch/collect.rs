//! Collect: the body of what may be stored is read, put, and handed to its client: whole, or as it comes.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AGE, SET_COOKIE, VIA};
use http::{HeaderMap, Response};
use tokio::time::Instant;

use super::super::annotate;
use super::super::answer::{Answer, VIA_ASIDE};
use super::super::core::Core;
use super::super::deliver::{deliver, failed};
use super::super::landing::Landing;
use super::freshen::{cookies, setting};
use super::part::put_piece;
use super::plan::{Fetch, Plan};
use super::put::{invalidate_and_put, put};
use super::read_ahead::{Ahead, ReadAhead, Room};
use super::received::{Coming, Judged, Received, Whole};
use crate::body::{Body, Collected, Timed};
use crate::fields::{CacheStatus, Detail};
use crate::origin::OriginError;

/// Answers with what may be stored, and stores it once it is whole. Where its client is handed the body as it comes, the
/// relay that comes back is to be run.
pub(super) async fn collect(core: &Arc<Core>, coming: Coming) -> (Answer, Option<Box<Relay>>) {
    let took = coming.received.took;
    let (answer, relay) = collected(core, coming).await;
    (answer.told_after(took), relay)
}

async fn collected(core: &Arc<Core>, mut coming: Coming) -> (Answer, Option<Box<Relay>>) {
    coming.fetch.begun();
    if !is_read_whole(&coming) {
        let (answer, relay) = relayed(core, coming, &Bytes::new());
        return (answer, Some(relay));
    }
    let receipt = match coming.fetch.plan {
        Plan::Get => core.shared.answers.room(length(&coming.body)).await,
        _ => Some(core.shared.answers.charge(0)),
    };
    let Some(receipt) = receipt else {
        return (broken(core, coming.fetch, OriginError::NoRoom).await, None);
    };
    // The wait for room was not the origin's.
    coming.moment = Instant::now() + coming.fetch.moment;
    let limit = coming.fetch.asked.choices().max_body;
    let Coming { fetch, received, judged, body, moment } = coming;
    let answer = match body.collect_until(limit, moment, receipt).await {
        Collected::Whole(body) => whole(core, fetch, Whole { received, judged, body }).await,
        Collected::Slow(ahead, rest) if !matches!(fetch.plan, Plan::Post(..)) => {
            let (answer, relay) = relayed(core, Coming { fetch, received, judged, body: rest, moment }, &ahead);
            return (answer, Some(relay));
        }
        Collected::Slow(ahead, rest) => streamed(core, fetch, received, (ahead, rest), Detail::TooSlow).await,
        Collected::Larger(ahead, rest) => streamed(core, fetch, received, (ahead, rest), Detail::TooLarge).await,
        Collected::NoRoom(ahead, rest) => streamed(core, fetch, received, (ahead, rest), Detail::AnswersFull).await,
        Collected::Failed(error) => broken(core, fetch, OriginError::Broken(error.to_string())).await,
    };
    (answer, None)
}

/// Whether the body is to be whole before anything is answered: where it is known to be small, where the answer has to be
/// changed, where it keeps its cookie only if it is not stored, and where more is made of it than an answer.
fn is_read_whole(Coming { fetch, received, body, .. }: &Coming) -> bool {
    let route = fetch.asked.route();
    let annotated = route.is_some_and(|route| route.annotate.is_some());
    let stripped = route.is_some_and(|route| route.choices.strips_cookies());
    !matches!(fetch.plan, Plan::Get)
        || body.exact_length().is_some()
        || (annotated && annotate::is_json(&received.fields))
        || (stripped && received.fields.contains_key(SET_COOKIE))
}

fn length(body: &Timed) -> usize {
    usize::try_from(body.exact_length().unwrap_or(0)).unwrap_or(usize::MAX)
}

/// Puts what is whole, and answers with it.
async fn whole(core: &Core, mut fetch: Fetch, whole: Whole) -> Answer {
    let received = &whole.received;
    let status = fetch.cache_status(received.status, &received.fields);
    match fetch.take_plan() {
        Plan::Post(under_way, drops) => {
            let answer = as_it_came(received.head(), Body::full(whole.body.clone()), status);
            invalidate_and_put(core, fetch, (under_way, &drops), whole, answer).await
        }
        Plan::Piece(piece) => {
            let (head, bytes) = (received.head(), whole.body.clone());
            let put = put_piece(core, fetch, piece, whole).await;
            let status = CacheStatus { stored: put.stored, ttl: put.ttl, detail: put.detail, ..status };
            as_it_came(head, Body::full(bytes), status).not_stored(put.detail)
        }
        Plan::Get | Plan::Alone | Plan::Head { .. } | Plan::Part(_) => {
            let strips = fetch.asked.choices().strips_cookies();
            let aside = if strips { cookies(received) } else { Vec::new() };
            let put = put(core, &fetch, whole).await;
            fetch.land(put.landing, &core.shared.flights);
            let detail = put.detail.or(status.detail);
            let status = CacheStatus { stored: put.stored, ttl: put.ttl, detail, ..status };
            let answer = deliver(&core.shared, &fetch.asked, &put.entry, put.entry.initial_age, status);
            let answer = answer.not_stored(put.detail);
            let answer = with_the_origins_age(answer, &put.entry.fields);
            // What nobody else gets either is this client's own.
            if put.stored { answer } else { setting(answer, aside) }
        }
    }
}

/// Hands on what is not stored after all, as it comes.
async fn streamed(
    core: &Core,
    mut fetch: Fetch,
    received: Received,
    (ahead, rest): (Bytes, Timed),
    why: Detail,
) -> Answer {
    fetch.land(Landing::HitForMiss, &core.shared.flights);
    let status = CacheStatus { detail: Some(why), ..fetch.cache_status(received.status, &received.fields) };
    let answer = as_it_came(received.into_head(), Body::stream(ahead, rest), status);
    match fetch.take_plan() {
        Plan::Post(under_way, drops) => under_way.invalidated(&drops, answer).await,
        _ => answer.not_stored(Some(why)).under_conditions_of(&fetch.asked.request.fields),
    }
}

/// Answers with the stale entry or the error, whoever waits.
async fn broken(core: &Core, mut fetch: Fetch, error: OriginError) -> Answer {
    let answer = failed(&core.shared, &fetch.asked, &fetch.missed, &error);
    fetch.land(Landing::Failed(error), &core.shared.flights);
    match fetch.take_plan() {
        Plan::Post(under_way, drops) => under_way.invalidated(&drops, answer).await,
        _ => answer,
    }
}

/// An answer of the origin's own.
fn as_it_came(mut head: http::response::Parts, body: Body, status: CacheStatus) -> Answer {
    head.headers.append(VIA, VIA_ASIDE);
    Answer::new(Response::from_parts(head, body), status)
}

/// An answer fresh from the origin has the Age that the origin sent, if any.
fn with_the_origins_age(mut answer: Answer, fields: &HeaderMap) -> Answer {
    match fields.get(AGE) {
        Some(age) => answer.response.headers_mut().insert(AGE, age.clone()),
        None => answer.response.headers_mut().remove(AGE),
    };
    answer
}

/// A body that is handed on as it comes, and put once it is whole.
pub(super) struct Relay {
    core: Arc<Core>,
    fetch: Fetch,
    received: Received,
    judged: Judged,
    moment: Instant,
    reading: ReadAhead,
}

/// Hands the body on as it comes, after what was read of it already.
fn relayed(core: &Arc<Core>, coming: Coming, ahead: &Bytes) -> (Answer, Box<Relay>) {
    let Coming { fetch, received, judged, body, moment } = coming;
    let (relaying, relay) = Body::relayed(fetch.waiters.join());
    let mut head = received.head();
    if fetch.asked.choices().strips_cookies() {
        // It may be stored: that is known only once all of it has been handed on.
        head.headers.remove(SET_COOKIE);
    }
    let status = fetch.cache_status(received.status, &received.fields);
    let answer = as_it_came(head, relay, status).under_conditions_of(&fetch.asked.request.fields);
    let reading = ReadAhead::new(relaying, ahead, body, Room::of(fetch.share.clone(), &core.shared.answers));
    (answer, Box::new(Relay { core: Arc::clone(core), fetch, received, judged, moment, reading }))
}

impl Relay {
    /// Reads ahead of a slow client, up to `max_body`, and puts what is whole. Nobody else waits for longer than a moment.
    pub(super) async fn run(self: Box<Self>) {
        let Self { core, mut fetch, received, judged, moment, mut reading } = *self;
        let (limit, end) = (fetch.asked.choices().max_body, core.end_of_fill());
        let mut ahead = reading.until(limit, moment.min(end)).await;
        if matches!(ahead, Ahead::Slow) {
            // It may be a stream. It is stored all the same if it ends in time.
            fetch.land(Landing::StillComing, &core.shared.flights);
            ahead = reading.until(limit, end).await;
        }
        let (mut shared_with, mut refused) = (None, None);
        let landing = match &ahead {
            Ahead::Whole(bytes) => {
                let whole = Whole { received, judged, body: bytes.clone() };
                if let Plan::Piece(piece) = fetch.take_plan() {
                    put_piece(&core, fetch, piece, whole).await;
                    return reading.end(ahead, None);
                }
                let put = put(&core, &fetch, whole).await;
                refused = put.detail;
                shared_with = Some(put.entry);
                put.landing
            }
            Ahead::Larger | Ahead::Slow => {
                let is_slow = matches!(ahead, Ahead::Slow);
                refused = Some(if is_slow { Detail::TooSlow } else { Detail::TooLarge });
                Landing::HitForMiss
            }
            Ahead::Failed(error) => Landing::Failed(OriginError::Broken(error.to_string())),
        };
        fetch.land(landing, &core.shared.flights);
        if let Some(detail) = refused {
            core.shared.recorder.refused(detail);
        }
        reading.end(ahead, shared_with.as_ref().map(|entry| &entry.body));
    }
}
