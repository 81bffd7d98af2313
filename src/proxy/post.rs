//! An answer to POST that a later GET may be given: it says how long it is fresh, and that it is what a GET of the same
//! URI would be answered (RFC 9110 section 9.3.3).
//!
//! Only where no route speaks, and by choice: `[unrouted] post = "store"`.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LOCATION, VIA};
use http::{Method, Response, StatusCode, Uri};
use tokio::time::Instant;

use super::answer::{Answer, VIA_ASIDE};
use super::error::no_answer;
use super::fetch::Fetch;
use super::ingress::Admitted;
use super::keep::{Judged, Received, tags};
use super::lookup::{Missed, Resource};
use super::pass::{passed, passed_status};
use super::patience::MOMENT;
use super::words::Words;
use super::{Proxy, fault_detail};
use crate::body::{Body, Collected};
use crate::clock::Millis;
use crate::fields::{Detail, Forward};
use crate::origin::{Answered, OriginError};
use crate::rules::Write;
use crate::store::{Since, Token};

/// Where the answer to a POST would be kept, as seen before the origin saw the POST.
pub(super) struct BeforePost {
    resource: Resource,
    token: Token,
    request_time: Millis,
}

impl Proxy {
    /// Where the answer to this write would be kept; else why it would not be, if anybody could think that it were.
    pub(super) async fn before_post(&self, request: &Admitted, words: &Words) -> Result<BeforePost, Option<Detail>> {
        let stores = self.shared.settings.rules.unrouted.as_ref().is_some_and(|choices| choices.store_post);
        if request.method != Method::POST || !stores {
            return Err(None);
        }
        if !words.write(request).overriding.is_none() {
            return Err(Some(Detail::Method));
        }
        let resource = self.shared.resource(&as_get(request)).map_err(|(bypass, _)| Some(bypass.0))?;
        // Where a route speaks, or where the client's own Host, with which a write is sent, may have shaped the answer.
        if resource.route.is_some() || self.shared.host_on_a_fill(&resource, request) != request.host {
            return Err(None);
        }
        // Taken before the origin sees the POST: whoever writes the same meanwhile is noticed.
        let seen = self.store.lookup(&resource.place).await.map_err(|fault| Some(fault_detail(&fault)))?;
        Ok(BeforePost { resource, token: seen.token, request_time: self.shared.clock.now() })
    }

    /// Makes old what the POST made old, and keeps its answer unless another write came in between.
    pub(super) async fn keep_post(
        self: &Arc<Self>,
        request: &Admitted,
        answered: Answered,
        words: &Words,
        before: BeforePost,
    ) -> Answer {
        let (received, body) = self.receive(answered, before.request_time);
        let missed = Missed { token: before.token, forward: Forward::Method, detail: None, stale: None, index: None };
        let fetch = Fetch::new(before.resource, as_get(request), missed, None);
        let judged = match self.judge_fill(&fetch, &received) {
            Ok(judged) => judged,
            Err(detail) => {
                let answered = Answered { head: received.into_head(), body };
                return self.made_old(&words.write(request), passed(answered, Forward::Method, Some(detail))).await;
            }
        };
        let mut head = received.head();
        head.headers.append(VIA, VIA_ASIDE);
        let answer = |body, detail| {
            let status = passed_status(Forward::Method, received.status, detail);
            Answer::new(Response::from_parts(head, body), status)
        };
        // What takes longer is handed on as it comes, after what the POST made old is made old.
        let (limit, end) = (self.choices(&fetch.resource).max_body, Instant::now() + MOMENT);
        let answer = match body.collect_until(limit, end, self.shared.answers.charge(0)).await {
            Collected::Whole(bytes) => {
                let answer = answer(Body::full(bytes.clone()), None);
                return self.keep_whole_post(fetch, received, judged, bytes, words.write(request), answer).await;
            }
            Collected::Larger(ahead, rest) => answer(Body::stream(ahead, rest), Some(Detail::TooLarge)),
            Collected::Slow(ahead, rest) => answer(Body::stream(ahead, rest), Some(Detail::TooSlow)),
            Collected::NoRoom(ahead, rest) => answer(Body::stream(ahead, rest), Some(Detail::AnswersFull)),
            Collected::Failed(error) => no_answer(&OriginError::Broken(error.to_string()), Forward::Method),
        };
        self.made_old(&words.write(request), answer).await
    }

    async fn keep_whole_post(
        self: &Arc<Self>,
        mut fetch: Fetch,
        received: Received,
        judged: Judged,
        body: Bytes,
        write: Write<'_>,
        mut answer: Answer,
    ) -> Answer {
        let drops = self.shared.settings.rules.routes.invalidations(&write);
        // A tag that the answer names, too, may have been made old by a write that was answered meanwhile.
        let Some(tags) = tags(&fetch, &received, &body) else {
            answer.cache_status.detail = Some(Detail::TagUnknown);
            return self.made_old(&write, answer).await;
        };
        let since = Since { token: fetch.missed.token, watched: tags };
        let finished = match self.invalidate(&drops, &[], Some(&since)).await {
            Ok(finished) => finished,
            Err(fault) => return self.unfinished(answer, &fault),
        };
        let status = &mut answer.cache_status;
        match Some(finished).filter(|after| after.alone) {
            // Which of two writes came last only the origin knows.
            None => status.detail = Some(Detail::RacedWrite),
            Some(after) => {
                fetch.missed.token = after.token;
                let kept = self.put(&fetch, received, judged, body).await;
                (status.stored, status.ttl, status.detail) = (kept.stored, kept.ttl, kept.detail);
            }
        }
        answer
    }
}

/// The GET that the answer to a POST would also answer.
fn as_get(post: &Admitted) -> Admitted {
    Admitted { method: Method::GET, interim: None, ..post.again() }
}

/// Why an answer does not say that it is a representation of the very resource that was asked; `None` where it does.
pub(super) fn names_another(request: &Admitted, answered: &Answered) -> Option<Detail> {
    if answered.head.status != StatusCode::OK {
        return Some(Detail::StatusNotCacheable);
    }
    let mut lines = answered.head.headers.get_all(CONTENT_LOCATION).iter();
    let only = lines.next().filter(|_| lines.next().is_none());
    let named = only.and_then(|only| only.to_str().ok()?.parse::<Uri>().ok());
    let is_here = |uri: &Uri| uri.authority().is_none_or(|authority| authority.as_str() == request.host_text());
    let is_same = named.is_some_and(|uri| is_here(&uri) && uri.path_and_query() == Some(&request.target));
    (!is_same).then_some(Detail::ContentLocation)
}
