//! Parts of answers, where no route speaks: a 206 is stored beside its whole answer, joined to what is stored there, and
//! is the whole answer once nothing is missing (RFC 9111 sections 3.3 and 3.4).

use std::sync::Arc;

use http::StatusCode;

use super::super::answer::Answer;
use super::super::asked::Missed;
use super::super::core::{Core, Shared};
use super::super::flights::Request;
use super::super::variants::at_key;
use super::plan::{Fetch, Part, Piece, Plan};
use super::put::{Put, put_expecting};
use super::received::{Coming, Judged, Received, Whole, judge};
use crate::body::Timed;
use crate::fields::{CacheStatus, ContentRange, Detail};
use crate::policy::{blames_the_request, combined, joined, storable_part};
use crate::store::{Expect, Lookup, StoredResponse};

/// Whether a GET without Range would have had this answer, too: the origin knows no ranges, or has nothing that has parts.
///
/// Source: RFC 9110 section 14.2
pub(super) fn is_of_the_whole(status: StatusCode) -> bool {
    !matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED) && !blames_the_request(status)
}

/// Whether what came of the asked part is stored: the fetch with what it is joined to; or else the client's answer.
pub(super) fn judge_part(
    shared: &Shared,
    mut fetch: Fetch,
    part: Part,
    received: Received,
    body: Timed,
) -> Result<Coming, Box<Answer>> {
    let Part { seen, landed, .. } = part;
    let came = received.status == StatusCode::PARTIAL_CONTENT;
    let detail = came.then_some(Detail::PartialContent);
    let before = Missed { detail, ..fetch.missed };
    fetch.missed = before.clone();
    let mut status = fetch.cache_status(received.status, &received.fields);
    let Some(Lookup { token, entry, .. }) = seen else { return Err(Box::new(passed(received, body, status))) };
    let whole = at_key(&expect(before.stale.clone()), before.index.as_deref());
    fetch.elsewhere = Some(fetch.asked.resource.at.part());
    let detail = Some(Detail::PartialContent);
    fetch.missed = Missed { token, detail, stale: None, soft: false, index: None, ..before };
    match range_and_lifetime(shared, &fetch, &received) {
        Some((range, judged)) => {
            fetch.plan = Plan::Piece(Piece { range, known: entry, whole, landed });
            Ok(Coming::new(fetch, received, judged, body))
        }
        None if came => Err(Box::new(passed(received, body, status))),
        None => {
            status.detail = judge(shared, &fetch, &received).err();
            Err(Box::new(passed(received, body, status)))
        }
    }
}

fn passed(received: Received, body: Timed, status: CacheStatus) -> Answer {
    Answer::passed(received.with(body), status)
}

/// Whether a 206 may be stored: as the 200 that it is a part of might, with a lifetime that the origin named.
fn range_and_lifetime(shared: &Shared, fetch: &Fetch, received: &Received) -> Option<(ContentRange, Judged)> {
    if received.status != StatusCode::PARTIAL_CONTENT {
        return None;
    }
    let range = storable_part(&received.fields, received.framing())?;
    let judged = judge(shared, fetch, &received.clone().of_range(None)).ok()?;
    judged.is_explicit().then_some((range, judged))
}

/// Puts a part, joined to the one that is stored; or the whole answer, where nothing of it is missing any more.
pub(super) async fn put_piece(
    core: &Core,
    mut fetch: Fetch,
    piece: Piece,
    Whole { received, judged, mut body }: Whole,
) -> Put {
    let Piece { mut range, known, whole: expect_whole, landed } = piece;
    let most = fetch.asked.choices().max_body;
    if let Some((before, at)) = known.as_deref().and_then(|known| Some((known, ContentRange::of(&known.fields)?)))
        && let Some(both) = combined((&before.fields, at), (&received.fields, range))
        && both.length() <= most
    {
        body = joined((&before.body, at), (&body, range)).into();
        range = both;
    }
    // Unless another answer of this key came meanwhile, or is about to: that one is newer.
    if range.is_all()
        && let Some(leader) = core.shared.flights.lead(&fetch.asked.resource.at.key, landed, Request::Sent)
    {
        fetch.elsewhere = None;
        let mut fetch = fetch.led_by(leader);
        let put =
            put_expecting(core, expect_whole, &fetch, Whole { received: received.of_range(None), judged, body }).await;
        fetch.land(put.landing.clone(), &core.shared.flights);
        return put;
    }
    let part = Whole { received: received.of_range(Some(range)), judged, body };
    put_expecting(core, expect(known), &fetch, part).await
}

fn expect(seen: Option<Arc<StoredResponse>>) -> Expect {
    seen.map_or(Expect::Absent, Expect::Entry)
}
