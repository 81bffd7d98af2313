//! An answer to POST that a later GET may be given: it says how long it is fresh, and that it is what a GET of the same
//! URI would be answered (RFC 9110 section 9.3.3).
//!
//! Only where no route speaks, and by choice: `[unrouted] post = "store"`.

use bytes::Bytes;

use super::super::answer::Answer;
use super::super::core::Core;
use super::super::invalidate::{invalidate, unfinished};
use super::plan::Fetch;
use super::put::{put, tags};
use super::received::{Judged, Received};
use crate::fields::Detail;
use crate::rules::{Invalidation, LazyJson};
use crate::store::Since;

/// Invalidates what the POST made old, and puts its answer unless another write came in between.
pub(super) async fn invalidate_and_put(
    core: &Core,
    mut fetch: Fetch,
    drops: &[Invalidation],
    (received, judged, body): (Received, Judged, Bytes),
    mut answer: Answer,
) -> Answer {
    // A tag that the answer names, too, may have been made old by a write that was answered meanwhile.
    let watched = tags(&fetch, &received, &LazyJson::new(&body));
    let since = watched.map(|watched| Since { token: fetch.missed.token, watched });
    let done = match invalidate(core, drops, &[], since.as_ref()).await {
        Ok(done) => done,
        Err(fault) => return unfinished(core, answer, &fault),
    };
    let status = &mut answer.cache_status;
    if since.is_none() {
        status.detail = Some(Detail::TagUnknown);
    } else if !done.alone {
        // Which of two writes came last only the origin knows.
        status.detail = Some(Detail::RacedWrite);
    } else {
        fetch.missed.token = done.token;
        let put = put(core, &fetch, received, judged, body).await;
        (status.stored, status.ttl, status.detail) = (put.stored, put.ttl, put.detail);
    }
    answer
}
