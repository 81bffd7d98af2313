//! `PURGE` on the data port: what the URL may be answered with is dropped from the cache, for whoever may ask for that. It
//! never goes on to the origin.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};

use super::answer::{Answer, VIA_ASIDE};
use super::core::Core;
use super::error::Refusal;
use super::ingress::Admitted;
use super::purging::PurgeUnderWay;
use crate::body::Body;
use crate::fields::CacheStatus;
use crate::rules::{Purge, Purging, Ruleset};
use crate::store::{Purged, Strength};
use crate::telemetry::{Dropped, PurgeAsker};

/// Asks for a soft purge with the value `1`, and for a hard one with `0`.
const SOFT_PURGE: HeaderName = HeaderName::from_static("soft-purge");

/// Whether a request asks for that.
pub(super) fn is_purge(method: &Method) -> bool {
    method.as_str() == "PURGE"
}

/// Drops what a GET of the request's URL may be answered with, on every node, and answers once that is done.
pub(super) async fn purge(core: &Core, rules: &Ruleset, request: &Admitted) -> Answer {
    match purged(core, rules, request).await {
        Ok(purged) => done(&purged),
        Err(refusal) => refusal.answer(),
    }
}

async fn purged(core: &Core, rules: &Ruleset, request: &Admitted) -> Result<Purged, Refusal> {
    let (purge, strength) = (Purge::Url(request.target.as_str().to_owned()), strength(&request.fields));
    let (recorder, asker) = (&core.shared.recorder, PurgeAsker::Client(request.client.address));
    let under_way = PurgeUnderWay::begin(recorder, &purge, *strength.as_ref().unwrap_or(&Strength::Hard), asker);
    let (purging, strength) = match admitted(core, rules, request, purge, strength) {
        Ok(admitted) => admitted,
        Err(refusal) => {
            under_way.is_refused(refusal.status());
            return Err(refusal);
        }
    };
    let purged = core.store.purge(&purging, strength).await;
    under_way.ends(&purged);
    purged.map_err(|_| Refusal::PurgePending)
}

/// What is to be purged and how hard, if whoever asks may ask for it.
fn admitted(
    core: &Core,
    rules: &Ruleset,
    request: &Admitted,
    purge: Purge,
    strength: Result<Strength, Refusal>,
) -> Result<(Purging, Strength), Refusal> {
    if !core.shared.settings.purgers.admit(request.client, &request.fields) {
        return Err(Refusal::PurgeNotAllowed);
    }
    let named = rules.routes.purging(purge, core.store.prefix());
    Ok((named.map_err(|why| Refusal::BadEntry(why.to_string()))?, strength?))
}

/// A purge that is harder than was meant would come as a surprise, so nothing is guessed.
fn strength(fields: &HeaderMap) -> Result<Strength, Refusal> {
    let mut lines = fields.get_all(SOFT_PURGE).iter();
    match (lines.next().map(HeaderValue::as_bytes), lines.next()) {
        (None | Some(b"0"), None) => Ok(Strength::Hard),
        (Some(b"1"), None) => Ok(Strength::Soft),
        _ => Err(Refusal::BadEntry("Soft-Purge is 1 for a soft purge, and 0 or not there for a hard one.".to_owned())),
    }
}

fn done(purged: &Purged) -> Answer {
    let mut response = Response::new(Body::full(format!("{}\n", purged.to_json())));
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(VIA, VIA_ASIDE);
    let mut answer = Answer::new(response, CacheStatus::default());
    answer.notes.dropped = Some(Box::new(Dropped { summary: Some(purged.to_string()), ..Dropped::default() }));
    answer
}
