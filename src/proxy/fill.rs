//! A fill: one request to the origin on behalf of all who wait for the same key.
//!
//! It runs in a task of its own, so that a client who leaves takes nobody else's answer along. It ends early where nobody
//! waits for it any more and somebody else needs its place at the origin: then it leaves nothing behind, and who comes
//! just then looks again.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AGE, SET_COOKIE, VIA};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::answer::{Answer, VIA_ASIDE, is_origin_trouble};
use super::collapse::Landing;
use super::error::no_answer;
use super::fetch::{Fetch, outgoing, spawn};
use super::keep::{Judged, Received};
use super::read_ahead::{Ahead, ReadAhead, Room};
use super::{Proxy, annotate};
use crate::body::{Body, Collected, Timed};
use crate::fields::{CacheStatus, Detail, Forward};
use crate::origin::{Answered, OriginError};
use crate::policy::{asks_for_part, blames_the_request, confirms};
use crate::rules::Tag;
use crate::store::{Expect, StoredResponse, Token};

/// How many times the origin's `response_timeout` a body may take to be stored.
const PATIENCE: u32 = 10;

impl Proxy {
    /// Fetches and answers. Dropping the future stops nothing: the fill goes on for the others and for the store.
    pub(super) async fn fetch(self: &Arc<Self>, fetch: Fetch) -> Answer {
        let forward = fetch.missed.forward;
        let _waiter = fetch.waiters.join();
        let (tell, told) = oneshot::channel();
        self.begin(fetch, tell);
        told.await.unwrap_or_else(|_| given_up(forward))
    }

    /// Fetches for the store alone: the client has its (stale) answer already.
    pub(super) fn refresh(self: &Arc<Self>, mut fetch: Fetch) {
        fetch.request.share = None;
        let (tell, _) = oneshot::channel();
        self.begin(fetch, tell);
    }

    fn begin(self: &Arc<Self>, fetch: Fetch, tell: oneshot::Sender<Answer>) {
        spawn(Arc::clone(&fetch.waiters), Arc::clone(self).fill(fetch, tell));
    }

    async fn fill(self: Arc<Self>, mut fetch: Fetch, mut tell: oneshot::Sender<Answer>) {
        let request_time = self.shared.clock.now();
        let answered = match self.origin.send(outgoing(&fetch, &self.shared)).await {
            Ok(answered) => answered,
            // It made room in the queue for a place: that is nobody's answer.
            Err(OriginError::Busy) if fetch.waiters.are_none() => return,
            Err(error) => return self.fails(fetch, error, tell),
        };
        if is_origin_trouble(answered.head.status)
            && let Some(answer) = self.stale_instead(&mut fetch, answered.head.status)
        {
            let _ = tell.send(answer);
            return;
        }
        let (received, body) = self.receive(answered, request_time);
        if received.status == StatusCode::NOT_MODIFIED
            && let Some(stale) = fetch.missed.stale.clone()
        {
            if !confirms(&stale.fields, &received.fields) {
                // It speaks of another representation than ours, which is over: ask again, unconditionally.
                drop(body);
                fetch.missed.stale = None;
                fetch.request.interim = None;
                if let Some(token) = self.forget(&fetch, received.status).await {
                    fetch.missed.token = token;
                }
                return Box::pin(self.fill(fetch, tell)).await;
            }
            let answer = self.freshened(&mut fetch, received, &stale).await;
            let _ = tell.send(answer);
            return;
        }
        match self.judge_fill(&fetch, &received) {
            Err(detail) => {
                fetch.land(Landing::HitForMiss, &self.shared.flights);
                if fetch.missed.stale.is_some() && speaks_of_the_resource(&fetch, received.status, detail) {
                    self.forget(&fetch, received.status).await;
                }
                if detail == Detail::TooLarge && asks_for_part(&fetch.request.fields) {
                    // Too large to be kept, and so to be fetched whole for a part of it.
                    drop(body);
                    fetch.request.interim = None;
                    tokio::select! {
                        answer = self.pass(fetch.request, fetch.missed.forward, Some(detail)) => drop(tell.send(answer)),
                        () = tell.closed() => {}
                    }
                    return;
                }
                let _ = tell.send(refused(&fetch, received, body, detail));
            }
            Ok(judged) => self.take_in(fetch, received, judged, body, tell).await,
        }
    }

    /// Answers with what may be stored, and stores it once it is whole.
    async fn take_in(
        &self,
        fetch: Fetch,
        received: Received,
        judged: Judged,
        body: Timed,
        tell: oneshot::Sender<Answer>,
    ) {
        fetch.begun();
        let moment = Instant::now() + fetch.moment;
        let coming = Coming { fetch, received, judged, moment };
        if reads_whole(&coming, &body) {
            self.fill_whole(coming, body, tell).await;
        } else {
            self.fill_relayed(coming, Bytes::new(), body, tell).await;
        }
    }

    /// A fill of which the origin has been asked already, and has given more than was asked for: all of it. `plainly` tells
    /// whether it was asked as anybody else would ask for that part.
    pub(super) async fn filled(
        self: &Arc<Self>,
        fetch: Fetch,
        received: Received,
        body: Timed,
        plainly: bool,
    ) -> Answer {
        let judged = self.judge_fill(&fetch, &received);
        match judged.and_then(|judged| if plainly { Ok(judged) } else { Err(Detail::PartRequested) }) {
            Ok(judged) => {
                let (proxy, forward) = (Arc::clone(self), fetch.missed.forward);
                let (waiters, _waiter) = (Arc::clone(&fetch.waiters), fetch.waiters.join());
                let (tell, told) = oneshot::channel();
                spawn(waiters, async move { proxy.take_in(fetch, received, judged, body, tell).await });
                told.await.unwrap_or_else(|_| given_up(forward))
            }
            Err(detail) => {
                if fetch.missed.stale.is_some() && speaks_of_the_resource(&fetch, received.status, detail) {
                    self.forget(&fetch, received.status).await;
                }
                refused(&fetch, received, body, detail)
            }
        }
    }

    /// Drops a stale entry that the origin has answered otherwise about: it must not stand in for a later failure. Comes
    /// back with the token of a fetch that begins after it.
    pub(super) async fn forget(&self, fetch: &Fetch, status: StatusCode) -> Option<Token> {
        if status.is_server_error() {
            return None;
        }
        let own: Vec<Tag> = fetch.resource.place.tags.iter().filter(|tag| tag.is_of_entry()).cloned().collect();
        match self.store.invalidate(&own, None).await {
            Ok(finished) => Some(finished.token),
            Err(fault) => {
                tracing::debug!(%fault, "a stale entry could not be dropped");
                None
            }
        }
    }

    fn stale_instead(&self, fetch: &mut Fetch, status: StatusCode) -> Option<Answer> {
        let answer = self.stale_on_error(&fetch.resource, &fetch.request, &fetch.missed, Some(status))?;
        fetch.land(Landing::Trouble(status), &self.shared.flights);
        Some(answer)
    }

    /// Answers once the body is whole, so that the answer is made of what is stored. One that takes longer than a moment is
    /// handed on as it comes.
    async fn fill_whole(&self, mut coming: Coming, body: Timed, tell: oneshot::Sender<Answer>) {
        let limit = self.choices(&coming.fetch.resource).max_body;
        let length = usize::try_from(body.exact_length().unwrap_or(0)).unwrap_or(usize::MAX);
        let Some(receipt) = self.shared.answers.room(length).await else {
            return self.fails(coming.fetch, OriginError::NoRoom, tell);
        };
        // The wait for room was not the origin's.
        coming.moment = Instant::now() + coming.fetch.moment;
        let collected = body.collect_until(limit, coming.moment, receipt).await;
        if let Collected::Slow(ahead, rest) = collected {
            return self.fill_relayed(coming, ahead, rest, tell).await;
        }
        let Coming { mut fetch, received, judged, .. } = coming;
        match collected {
            Collected::Whole(bytes) => {
                let status = fetch.cache_status(received.status, &received.fields);
                let cookies = self.cookies_aside(&fetch, &received);
                let kept = self.put(&fetch, received, judged, bytes).await;
                fetch.land(kept.landing, &self.shared.flights);
                let detail = kept.detail.or(status.detail);
                let status = CacheStatus { stored: kept.stored, ttl: kept.ttl, detail, ..status };
                let answer = self.deliver(&fetch.resource, &fetch.request, &kept.entry, kept.entry.initial_age, status);
                let answer = with_the_origins_age(answer, &kept.entry.fields);
                // What nobody else gets either is this client's own.
                let _ = tell.send(if kept.stored { answer } else { setting(answer, cookies) });
            }
            Collected::Larger(ahead, rest) | Collected::Slow(ahead, rest) => {
                self.stream_on(fetch, received, (ahead, rest), Detail::TooLarge, tell);
            }
            Collected::NoRoom(ahead, rest) => self.stream_on(fetch, received, (ahead, rest), Detail::AnswersFull, tell),
            Collected::Failed(error) => self.fails(fetch, OriginError::Broken(error.to_string()), tell),
        }
    }

    /// Answers with the stale entry or the error, whoever waits.
    fn fails(&self, mut fetch: Fetch, error: OriginError, tell: oneshot::Sender<Answer>) {
        let answer = self.failed(&fetch.resource, &fetch.request, &fetch.missed, &error);
        fetch.land(Landing::Failed(error), &self.shared.flights);
        let _ = tell.send(answer);
    }

    /// Hands on what is not stored after all, as it comes.
    fn stream_on(
        &self,
        mut fetch: Fetch,
        received: Received,
        (ahead, rest): (Bytes, Timed),
        why: Detail,
        tell: oneshot::Sender<Answer>,
    ) {
        fetch.land(Landing::HitForMiss, &self.shared.flights);
        let status = CacheStatus { detail: Some(why), ..fetch.cache_status(received.status, &received.fields) };
        let response = http::Response::from_parts(received.into_head(), Body::stream(ahead, rest));
        let mut answer = Answer::new(response, status);
        answer.response.headers_mut().append(VIA, VIA_ASIDE);
        let _ = tell.send(answer.under_conditions_of(&fetch.request.fields));
    }

    /// Hands the body on as it comes, after what was read of it already, and keeps it once it is whole. Reads ahead of a
    /// slow client, up to `max_body`. Nobody else waits for longer than a moment.
    async fn fill_relayed(&self, coming: Coming, ahead: Bytes, body: Timed, tell: oneshot::Sender<Answer>) {
        let Coming { mut fetch, received, judged, moment } = coming;
        let (relaying, relay) = Body::relayed(fetch.waiters.join());
        let mut head = received.head();
        if self.choices(&fetch.resource).strips_cookies() {
            // It may be stored: that is known only once all of it has been handed on.
            head.headers.remove(SET_COOKIE);
        }
        head.headers.append(VIA, VIA_ASIDE);
        let status = fetch.cache_status(received.status, &received.fields);
        let answer = Answer::new(http::Response::from_parts(head, relay), status);
        let _ = tell.send(answer.under_conditions_of(&fetch.request.fields));
        let (limit, end) = (self.choices(&fetch.resource).max_body, self.end_of_fill());
        let mut reading = ReadAhead::new(relaying, &ahead, body, Room::of(&fetch, &self.shared.answers));
        drop(ahead);
        let mut ahead = reading.until(limit, moment.min(end)).await;
        if matches!(ahead, Ahead::Slow) {
            // It may be a stream. It is stored all the same if it ends in time.
            fetch.land(Landing::StillComing, &self.shared.flights);
            ahead = reading.until(limit, end).await;
        }
        let (landing, kept) = match &ahead {
            Ahead::Whole(bytes) => {
                let kept = self.put(&fetch, received, judged, bytes.clone()).await;
                (kept.landing, Some(kept.entry))
            }
            Ahead::Larger | Ahead::Slow => (Landing::HitForMiss, None),
            Ahead::Failed(error) => (Landing::Failed(OriginError::Broken(error.to_string())), None),
        };
        fetch.land(landing, &self.shared.flights);
        reading.end(ahead, kept.as_ref().map(|entry| &entry.body));
    }

    /// When a fill's body must be whole to be stored: one that drips holds its key's flight no longer than this, and goes
    /// on for its own client only.
    pub(super) fn end_of_fill(&self) -> Instant {
        Instant::now() + self.origin.settings().response_timeout * PATIENCE
    }

    /// RFC 9111 section 4.3.3: a 304 makes the stale entry fresh again.
    async fn freshened(&self, fetch: &mut Fetch, received: Received, stale: &Arc<StoredResponse>) -> Answer {
        let forward_status = received.status;
        // For this client alone: never stored, and nobody who follows gets them.
        let cookies: Vec<HeaderValue> = received.fields.get_all(SET_COOKIE).iter().cloned().collect();
        let received = received.freshening(stale);
        let status = CacheStatus {
            forward_status: Some(forward_status.as_u16()),
            ..fetch.cache_status(received.status, &received.fields)
        };
        match self.judge_fill(fetch, &received) {
            Ok(judged) => {
                let upon = Expect::Entry(Arc::clone(stale));
                let kept = self.put_expecting(upon, fetch, received, judged, stale.body.clone()).await;
                fetch.land(kept.landing.with_status(forward_status), &self.shared.flights);
                let status = CacheStatus { stored: kept.stored, ttl: kept.ttl, detail: kept.detail, ..status };
                let answer = self.deliver(&fetch.resource, &fetch.request, &kept.entry, kept.entry.initial_age, status);
                let stripped = kept.stored && self.choices(&fetch.resource).strips_cookies();
                if stripped { answer } else { setting(answer, cookies) }
            }
            Err(detail) => {
                fetch.land(Landing::HitForMiss, &self.shared.flights);
                if speaks_of_the_resource(fetch, forward_status, detail) {
                    // What the origin now calls private must not stand in for a later failure either.
                    self.forget(fetch, forward_status).await;
                }
                let status = CacheStatus { detail: Some(detail), ..status };
                let answer = self.deliver(&fetch.resource, &fetch.request, stale, received.initial_age, status);
                setting(answer, cookies)
            }
        }
    }

    /// The cookies that are not stored with an answer.
    fn cookies_aside(&self, fetch: &Fetch, received: &Received) -> Vec<HeaderValue> {
        if !self.choices(&fetch.resource).strips_cookies() {
            return Vec::new();
        }
        received.fields.get_all(SET_COOKIE).iter().cloned().collect()
    }
}

/// The answer with these cookies.
fn setting(mut answer: Answer, cookies: Vec<HeaderValue>) -> Answer {
    for cookie in cookies {
        answer.response.headers_mut().append(SET_COOKIE, cookie);
    }
    answer
}

fn given_up(forward: Forward) -> Answer {
    no_answer(&OriginError::Broken("the fetch was given up".to_owned()), forward)
}

/// An answer that is not stored, for this client alone.
fn refused(fetch: &Fetch, received: Received, body: Timed, detail: Detail) -> Answer {
    let status = CacheStatus { detail: Some(detail), ..fetch.cache_status(received.status, &received.fields) };
    let answered = Answered { head: received.into_head(), body };
    Answer::passed(answered, status).under_conditions_of(&fetch.request.fields)
}

/// Whether an answer that is not stored tells what the resource is like now. One that this client's own fields have
/// brought about does not, and what everybody else is given stays.
fn speaks_of_the_resource(fetch: &Fetch, status: StatusCode, detail: Detail) -> bool {
    !matches!(detail, Detail::RequestDirective | Detail::PartRequested)
        && (fetch.resource.route.is_some() || !blames_the_request(status))
}

/// An answer that may be stored, whose body is to come.
struct Coming {
    fetch: Fetch,
    received: Received,
    judged: Judged,
    /// Until when others wait for it to be whole.
    moment: Instant,
}

/// Whether the body is to be whole before anything is answered: where it is known to be small, where the answer has to be
/// changed, and where it keeps its cookie only if it is not stored.
fn reads_whole(Coming { fetch, received, .. }: &Coming, body: &Timed) -> bool {
    let route = fetch.resource.route.as_deref();
    let annotated = route.is_some_and(|route| route.annotate.is_some());
    let stripped = route.is_some_and(|route| route.choices.strips_cookies());
    body.exact_length().is_some()
        || (annotated && annotate::is_json(&received.fields))
        || (stripped && received.fields.contains_key(SET_COOKIE))
}

/// An answer fresh from the origin has the Age that the origin sent, if any.
fn with_the_origins_age(mut answer: Answer, fields: &HeaderMap) -> Answer {
    match fields.get(AGE) {
        Some(age) => answer.response.headers_mut().insert(AGE, age.clone()),
        None => answer.response.headers_mut().remove(AGE),
    };
    answer
}
