//! Again: the origin is asked what a stored answer was the answer to, and nothing is stored of what it says.

use std::sync::Arc;

use bytes::Bytes;
use http::header::VIA;
use http::{HeaderMap, Response, StatusCode};
use tokio::time::Instant;

use super::super::answer::{Answer, VIA_ASIDE};
use super::super::asked::{Asked, Seen};
use super::super::core::Core;
use super::super::patience::MOMENT;
use super::plan::Fetch;
use super::received::Received;
use crate::body::{Body, Collected, Timed, Waiters};
use crate::fields::{CacheStatus, Detail, Forward};
use crate::origin::OriginError;
use crate::telemetry::{Begun, Notes};

/// What the origin says.
pub(in crate::proxy) enum Again {
    /// This, all of it.
    Whole(Head, Bytes),
    /// More than is stored, or not in time: its beginning, and the rest.
    Running(Head, Bytes, Timed),
    /// Nothing.
    Failed(OriginError),
}

/// The head of an answer.
pub(in crate::proxy) struct Head {
    received: Received,
    status: CacheStatus,
}

/// Asks once more, for a client who waits for the answer or for none. The future ends early only where it is dropped.
pub(in crate::proxy) async fn again(core: &Core, asked: &Arc<Asked>, seen: &Seen, waiters: Arc<Waiters>) -> Again {
    let for_client = !waiters.are_none();
    let missed = seen.as_missed(Forward::Bypass, Some(Detail::Shadow), None);
    let mut fetch = Fetch::new(asked, missed, None).waited_for_by(waiters);
    if !for_client {
        fetch.interim = None;
    }
    let request_time = core.shared.clock.now();
    let answered = match fetch.outgoing() {
        Ok(outgoing) => core.origin.send(outgoing).await,
        Err(error) => Err(error),
    };
    let answered = match answered {
        Ok(answered) => answered,
        Err(error) => return Again::Failed(error),
    };
    let (received, body) = Received::of(answered, request_time, core.shared.clock.now());
    let status = fetch.cache_status(received.status, &received.fields);
    let head = Head { received, status };
    let end = if for_client { Instant::now() + MOMENT } else { core.end_of_fill() };
    match body.collect_until(asked.choices().max_body, end, core.shared.answers.charge(0)).await {
        Collected::Whole(body) => Again::Whole(head, body),
        Collected::Slow(ahead, rest) | Collected::Larger(ahead, rest) | Collected::NoRoom(ahead, rest) => {
            Again::Running(head, ahead, rest)
        }
        Collected::Failed(error) => {
            // The outcome tells of an error alone.
            core.shared.recorder.besides(asked.route().map(|route| &route.name), head.received.took);
            Again::Failed(OriginError::Broken(error.to_string()))
        }
    }
}

impl Head {
    /// The status and the fields.
    pub(in crate::proxy) fn said(&self) -> (StatusCode, &HeaderMap) {
        (self.received.status, &self.received.fields)
    }

    /// Tells what came of it where no client asked, and so much of its body was taken.
    pub(in crate::proxy) fn end(&self, begun: Begun, bytes: usize) {
        let origin_micros = u64::try_from(self.received.took.as_micros()).ok();
        let status = CacheStatus { detail: None, ..self.status };
        begun.end(self.received.status, status, Some(bytes as u64), Notes { origin_micros, ..Notes::default() });
    }

    /// The answer for the client that asked.
    pub(in crate::proxy) fn answer(self, asked: &Asked, body: Body) -> Answer {
        let took = self.received.took;
        let mut head = self.received.into_head();
        head.headers.append(VIA, VIA_ASIDE);
        let answer = Answer::new(Response::from_parts(head, body), self.status);
        answer.under_conditions_of(&asked.request.fields).told_after(took)
    }
}
