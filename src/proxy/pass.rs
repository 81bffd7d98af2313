//! Forwarding without the store in play: client and origin see what the other sent.

use http::{HeaderMap, StatusCode};

use super::answer::Answer;
use super::core::Core;
use super::error::{Refusal, no_answer};
use super::ingress::Admitted;
use super::settings::ProxySettings;
use crate::body::{Body, BodyError, Collected, InterimSender, Timed};
use crate::fields::{CacheStatus, Detail, Forward};
use crate::origin::{Answered, OriginError, Outgoing};

/// Forwards a request as it is and hands the answer on as it comes.
pub(super) async fn pass(core: &Core, mut request: Admitted, forward: Forward, detail: Option<Detail>) -> Answer {
    let body = match take_body(core, &mut request).await {
        Ok(body) => body,
        Err(refusal) => return refusal.answer(),
    };
    let mut outgoing = outgoing(&request, body);
    outgoing.fields = request.into_forwarded_fields(outgoing.client_host.as_ref());
    told(core.origin.send(outgoing).await, forward, detail)
}

/// The same for a request that has no body, with interim answers going there.
pub(super) async fn pass_without_body(
    core: &Core,
    request: &Admitted,
    interim: Option<InterimSender>,
    forward: Forward,
    detail: Option<Detail>,
) -> Answer {
    let fields = request.forwarded_fields(request.host.as_ref());
    told(core.origin.send(Outgoing { fields, interim, ..outgoing(request, Body::Empty) }).await, forward, detail)
}

/// Sends the request with the client's own fields and Host.
pub(super) async fn forward(core: &Core, request: &Admitted, body: Body) -> Result<Answered, OriginError> {
    let fields = request.forwarded_fields(request.host.as_ref());
    core.origin.send(Outgoing { fields, ..outgoing(request, body) }).await
}

/// The request as the origin is to see it, but for its fields.
fn outgoing(request: &Admitted, body: Body) -> Outgoing {
    Outgoing {
        method: request.method.clone(),
        target: request.target.clone(),
        fields: HeaderMap::new(),
        client_host: request.host.clone(),
        body,
        interim: request.interim.clone(),
        waiters: None,
    }
}

fn told(answered: Result<Answered, OriginError>, forward: Forward, detail: Option<Detail>) -> Answer {
    match answered {
        Ok(answered) => passed(answered, forward, detail),
        Err(error) => no_answer(&error, forward),
    }
}

/// The request's body: a small one whole, so that a slow upload holds no worker of the origin; a large one as a stream.
pub(super) async fn take_body(core: &Core, request: &mut Admitted) -> Result<Body, Refusal> {
    let Some(incoming) = request.body.take() else { return Ok(Body::Empty) };
    let ProxySettings { buffer_body, max_request_body, body_rate, .. } = *core.shared.settings;
    let limit = max_request_body.unwrap_or(u64::MAX);
    let timed = Timed::new(incoming, core.origin.settings().response_timeout)
        .at_most(limit)
        .at_least(body_rate)
        .without_trailers();
    // What it expects the origin may refuse before it has seen the body.
    if request.expects || timed.exact_length().is_some_and(|length| length > buffer_body) {
        return Ok(Body::stream(bytes::Bytes::new(), timed));
    }
    match timed.collect(buffer_body).await {
        Collected::Whole(bytes) => Ok(Body::full(bytes)),
        Collected::Larger(ahead, rest) | Collected::Slow(ahead, rest) | Collected::NoRoom(ahead, rest) => {
            Ok(Body::stream(ahead, rest))
        }
        Collected::Failed(BodyError::TooLarge) => Err(Refusal::BodyTooLarge(limit)),
        Collected::Failed(error @ (BodyError::Stalled(_) | BodyError::TooSlow(_))) => {
            Err(Refusal::BodyTooSlow(error.to_string()))
        }
        Collected::Failed(error) => Err(Refusal::BodyBroken(error.to_string())),
    }
}

/// An answer that the store had no part in, as it comes.
pub(super) fn passed(answered: Answered, forward: Forward, detail: Option<Detail>) -> Answer {
    let status = passed_status(forward, answered.head.status, detail);
    Answer::passed(answered, status)
}

/// The Cache-Status of an answer that the store had no part in.
pub(super) fn passed_status(forward: Forward, status: StatusCode, detail: Option<Detail>) -> CacheStatus {
    CacheStatus { forward: Some(forward), forward_status: Some(status.as_u16()), detail, ..CacheStatus::default() }
}
