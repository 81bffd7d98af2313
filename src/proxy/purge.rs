//! `PURGE` on the data port: what the URL may be answered with is dropped from the cache, for whoever may ask for that. It
//! never goes on to the origin.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, VIA};
use http::{HeaderName, HeaderValue, Method, Response};

use super::answer::{Answer, VIA_ASIDE};
use super::core::Core;
use super::error::Refusal;
use super::ingress::Admitted;
use crate::body::Body;
use crate::fields::CacheStatus;
use crate::rules::{Purge, Ruleset};
use crate::store::Strength;

/// Asks for a soft purge, with the value `1`.
const SOFT_PURGE: HeaderName = HeaderName::from_static("soft-purge");

/// Whether a request asks for that.
pub(super) fn is_purge(method: &Method) -> bool {
    method.as_str() == "PURGE"
}

/// Drops what a GET of the request's URL may be answered with, on every node, and answers once that is done.
pub(super) async fn purge(core: &Core, rules: &Ruleset, request: &Admitted) -> Answer {
    if !core.shared.settings.purgers.admit(request.client.address, &request.fields) {
        return Refusal::PurgeNotAllowed.answer();
    }
    let purge = Purge::Url(request.target.as_str().to_owned());
    let purging = match rules.routes.purging(purge, core.store.prefix()) {
        Ok(purging) => purging,
        Err(why) => return Refusal::BadEntry(why.to_string()).answer(),
    };
    let soft = request.fields.get(SOFT_PURGE).is_some_and(|value| value.as_bytes() == b"1");
    match core.store.purge(&purging, if soft { Strength::Soft } else { Strength::Hard }).await {
        Ok(purged) => done(&purged.to_json().to_string()),
        Err(_) => Refusal::PurgePending.answer(),
    }
}

fn done(json: &str) -> Answer {
    let mut response = Response::new(Body::full(format!("{json}\n")));
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(VIA, VIA_ASIDE);
    Answer::new(response, CacheStatus::default())
}
