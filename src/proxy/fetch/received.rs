//! What came from the origin: its head made ready, and whether it may be stored (RFC 9111 section 3).

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_RANGE, DATE, Entry};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use hyper::ext::ReasonPhrase;
use tokio::time::Instant;

use super::super::answer::extent;
use super::super::core::Shared;
use super::super::egress::{Said, ready};
use super::plan::Fetch;
use crate::body::Timed;
use crate::clock::{Millis, jittered};
use crate::fields::{CacheControl, ContentRange, Detail, format_http_date, is_encoded};
use crate::origin::Answered;
use crate::policy::{
    BodyFraming, Choices, Exchange, Lifetime, LifetimeSource, StoredFlags, age_value, corrected_initial_age,
    defeats_the_route, freshen, storable,
};
use crate::rules::varies_by_trace;
use crate::store::StoredResponse;

/// A response's head as it came, its hop-by-hop fields gone and its framing noted.
#[derive(Clone)]
pub(super) struct Received {
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
    /// What came in place of the status' usual phrase.
    reason: Option<ReasonPhrase>,
    framing: BodyFraming,
    pub(super) response_time: Millis,
    pub(super) initial_age: Duration,
    /// Why it may not be stored, whatever its fields say.
    unsound: Option<Detail>,
    /// How long the origin took.
    pub(super) took: Duration,
}

/// That an answer may be stored, and for how long it is good.
pub(super) struct Judged {
    pub(super) lifetime: Lifetime,
    pub(super) flags: StoredFlags,
    pub(super) initial_age: Duration,
}

/// An answer that may be stored, whose body is to come.
pub(super) struct Coming {
    pub(super) fetch: Fetch,
    pub(super) received: Received,
    pub(super) judged: Judged,
    pub(super) body: Timed,
    /// Until when others wait for it to be whole.
    pub(super) moment: Instant,
}

/// The same once its body is there.
pub(super) struct Whole {
    pub(super) received: Received,
    pub(super) judged: Judged,
    pub(super) body: Bytes,
}

impl Coming {
    /// What begins to come now.
    pub(super) fn new(fetch: Fetch, received: Received, judged: Judged, body: Timed) -> Self {
        let moment = Instant::now() + fetch.moment;
        Self { fetch, received, judged, body, moment }
    }
}

impl Received {
    /// Takes an answer in at `now`, which was asked for at `request_time`.
    pub(super) fn of(answered: Answered, request_time: Millis, now: Millis) -> (Self, Timed) {
        let Answered { mut head, body, took } = answered;
        let Said { framing, unsound } = ready(&mut head, extent(&body));
        let initial_age = corrected_initial_age(&head.headers, request_time, now);
        // RFC 9110 section 6.6.1: where the origin does not say when, the time of receipt stands in, for every reuse.
        if let Entry::Vacant(date) = head.headers.entry(DATE)
            && let Ok(now) = HeaderValue::from_str(&format_http_date(now))
        {
            date.insert(now);
        }
        let (status, reason) = (head.status, head.extensions.remove());
        let fields = head.headers;
        let received = Self { status, fields, reason, framing, response_time: now, initial_age, unsound, took };
        (received, body)
    }

    pub(super) fn head(&self) -> Parts {
        head(self.status, self.fields.clone(), self.reason.clone())
    }

    /// The answer again, with its body.
    pub(super) fn with(self, body: Timed) -> Answered {
        Answered { took: self.took, head: self.into_head(), body }
    }

    pub(super) fn into_head(self) -> Parts {
        head(self.status, self.fields, self.reason)
    }

    pub(super) fn framing(&self) -> BodyFraming {
        self.framing
    }

    /// Whose word keeps it from being a hit to which these choices of a route give a lifetime.
    fn defeats(&self, control: &CacheControl, choices: &Choices) -> Option<LifetimeSource> {
        defeats_the_route(self.status, &self.fields, control, choices, self.response_time)
    }

    /// The head of these bytes of the representation, or of all of it.
    pub(super) fn of_range(mut self, range: Option<ContentRange>) -> Self {
        self.status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        self.fields.remove(CONTENT_RANGE);
        let text = range.and_then(|range| HeaderValue::from_str(&range.to_string()).ok());
        self.fields.extend(text.map(|text| (CONTENT_RANGE, text)));
        self
    }

    /// The stored response's head, updated by this 304 (RFC 9111 section 3.2).
    pub(super) fn freshening(self, stale: &StoredResponse) -> Self {
        Self {
            status: stale.status,
            fields: freshen(&stale.fields, &self.fields),
            reason: None,
            framing: BodyFraming::Length(stale.body.len() as u64),
            ..self
        }
    }
}

impl Judged {
    /// Whether the origin itself named the lifetime.
    pub(super) fn is_explicit(&self) -> bool {
        self.lifetime.source.is_explicit()
    }
}

fn head(status: StatusCode, fields: HeaderMap, reason: Option<ReasonPhrase>) -> Parts {
    let (mut head, ()) = Response::new(()).into_parts();
    head.status = status;
    head.headers = fields;
    reason.map(|reason| head.extensions.insert(reason));
    head
}

/// Whether an answer may be stored, under what the route says; or why not. What whoever wrote the route has to know of
/// the answer is told.
///
/// Source: RFC 9111 section 3
pub(super) fn judge(shared: &Shared, fetch: &Fetch, received: &Received) -> Result<Judged, Detail> {
    let control = CacheControl::of_response(&received.fields);
    let judged = judged(fetch, received, &control);
    if let Some(route) = fetch.asked.route() {
        shared.notices.withheld(route, &fetch.withheld(&received.fields));
        if let Err(Detail::SetCookie) = judged {
            shared.notices.sets_cookies(route);
        }
        // What is refused for another reason has its name.
        let told = matches!(judged, Ok(_) | Err(Detail::NoFreshness));
        if let Some(by) = told.then(|| received.defeats(&control, &route.choices)).flatten() {
            shared.notices.defeated(route, received.status, by);
        }
    }
    judged
}

fn judged(fetch: &Fetch, received: &Received, control: &CacheControl) -> Result<Judged, Detail> {
    if let Some(detail) = received.unsound {
        return Err(detail);
    }
    let route = fetch.asked.route();
    // Encoded although identity was asked for: who of those that share the key can undo it, the key does not say.
    if route.is_some_and(|route| !route.vary.contains(&ACCEPT_ENCODING)) && is_encoded(&received.fields) {
        return Err(Detail::Encoding);
    }
    if route.is_some_and(|route| varies_by_trace(route, &received.fields)) {
        return Err(Detail::VaryAny);
    }
    let exchange = Exchange {
        method: &Method::GET,
        request: &fetch.asked.request.fields,
        status: received.status,
        response: &received.fields,
        body: received.framing,
    };
    let mut lifetime = storable(&exchange, control, fetch.asked.choices(), received.response_time)?;
    if let Some(route) = route {
        lifetime.fresh_for = jittered(lifetime.fresh_for, route.ttl_jitter);
    }
    // What a route gives counts from the answer, however long the origin took for it and whatever its clock says; what the
    // origin gives counts as RFC 9111 section 4.2.3 has it, from the request.
    let of_route = lifetime.source.is_of_route();
    let initial_age = if of_route { age_value(&received.fields) } else { received.initial_age };
    Ok(Judged { lifetime, flags: StoredFlags::of(control), initial_age })
}
