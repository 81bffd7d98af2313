//! Forwarding without the store in play: client and origin see what the other sent.

use std::sync::Arc;

use http::{HeaderValue, StatusCode};

use super::answer::Answer;
use super::error::{Refusal, no_answer};
use super::ingress::Admitted;
use super::{Proxy, ProxySettings};
use crate::body::{Body, BodyError, Collected, Timed, Waiters};
use crate::fields::{CacheStatus, Detail, Forward};
use crate::origin::{Answered, OriginError, Outgoing};

impl Proxy {
    /// Forwards a request as it is and hands the answer on as it comes.
    pub(super) async fn pass(
        self: &Arc<Self>,
        mut request: Admitted,
        forward: Forward,
        detail: Option<Detail>,
    ) -> Answer {
        let body = match self.take_body(&mut request).await {
            Ok(body) => body,
            Err(refusal) => return refusal.answer(),
        };
        match self.forward(&request, body).await {
            Ok(answered) => passed(answered, forward, detail),
            Err(error) => no_answer(&error, forward),
        }
    }

    /// Sends the request with the client's own fields and Host.
    pub(super) async fn forward(&self, request: &Admitted, body: Body) -> Result<Answered, OriginError> {
        self.forward_to(request.host.clone(), request, body, None).await
    }

    /// Sends the request with the client's own fields, and this Host. `waiters` are those of a fill that may be given up.
    pub(super) async fn forward_to(
        &self,
        host: Option<HeaderValue>,
        request: &Admitted,
        body: Body,
        waiters: Option<Arc<Waiters>>,
    ) -> Result<Answered, OriginError> {
        self.origin
            .send(Outgoing {
                method: request.method.clone(),
                target: request.target.clone(),
                fields: request.forwarded_fields(host.as_ref()),
                client_host: host,
                body,
                interim: request.interim.clone(),
                waiters,
            })
            .await
    }

    /// The request's body: a small one whole, so that a slow upload holds no worker of the origin; a large one as a stream.
    pub(super) async fn take_body(&self, request: &mut Admitted) -> Result<Body, Refusal> {
        let Some(incoming) = request.body.take() else { return Ok(Body::Empty) };
        let ProxySettings { buffer_body, max_request_body, body_rate, .. } = *self.shared.settings;
        let limit = max_request_body.unwrap_or(u64::MAX);
        let timed = Timed::new(incoming, self.origin.settings().response_timeout)
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
