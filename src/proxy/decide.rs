//! Reuse? What becomes of a read, by what the store had for it: the one decision that serving and `aside explain --live`
//! share (RFC 9111 section 4).

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};

use super::asked::{Asked, Missed, Seen, stored};
use super::error::Refusal;
use super::ingress::Admitted;
use super::route::Unkeyed;
use crate::clock::Millis;
use crate::fields::{CacheStatus, Detail, Forward};
use crate::policy::{
    Choices, Reuse, asks_for_part, credential_in, credential_that_counts, only_if_cached, reuse, wants_the_origin,
};
use crate::rules::Ruleset;
use crate::store::{Kind, StoredResponse};

/// What becomes of a read.
pub(super) enum Next {
    /// It is answered from the store.
    Serve(Serve),
    /// It goes to the origin, and the answer must not be stored.
    Pass(Forward, Option<Detail>),
    /// It asks for a part of what is not stored whole: from the parts that are stored, or from the origin.
    Part(Missed),
    /// It goes to the origin as the HEAD that it is: its answer may speak of the stored one.
    Head(Missed),
    /// It goes to the origin for all who ask.
    Fetch(Missed),
    /// The proxy answers by itself.
    Refuse(Refusal),
}

/// An entry that answers.
pub(super) struct Serve {
    pub(super) entry: Arc<StoredResponse>,
    pub(super) age: Duration,
    pub(super) status: CacheStatus,
    /// It is stale, within its stale-while-revalidate window, and is to be renewed with this.
    pub(super) refresh: Option<Missed>,
}

/// What becomes of a read that has a key.
pub(super) fn decide(asked: &Asked, seen: &Seen, now: Millis) -> Next {
    match reused(asked, seen, now) {
        Ok(next) => next,
        Err(missed) => onward(asked, missed),
    }
}

/// What becomes of a read that has none.
pub(super) fn decide_unkeyed(rules: &Ruleset, request: &Admitted, unkeyed: &Unkeyed) -> Next {
    if unkeyed.choices(rules).is_some_and(|choices| only_if_cached(&request.fields, choices)) {
        return Next::Refuse(Refusal::OnlyIfCached);
    }
    Next::Pass(Forward::Bypass, Some(unkeyed.detail))
}

/// What the stored entry is good for; the miss, where it is good for nothing by itself.
fn reused(asked: &Asked, seen: &Seen, now: Millis) -> Result<Next, Missed> {
    let Some(entry) = &seen.entry else { return Err(seen.missed()) };
    if entry.kind == Kind::Around {
        return Ok(Next::Pass(Forward::Bypass, Some(Detail::WriteAround)));
    }
    let stale = || Some(Arc::clone(entry));
    let serve = |age, ttl_left, detail, refresh| {
        let status = CacheStatus { hit: true, ttl: Some(ttl_left), detail, ..CacheStatus::default() };
        Ok(Next::Serve(Serve { entry: Arc::clone(entry), age, status, refresh }))
    };
    match judge(entry, asked, now) {
        Reuse::Fresh { age, ttl_left } => serve(age, ttl_left, None, None),
        Reuse::MaxStale { age, ttl_left } => serve(age, ttl_left, Some(Detail::MaxStale), None),
        Reuse::StaleWhileRevalidate { age, ttl_left } => {
            let refresh = seen.as_missed(Forward::Stale, None, stale());
            serve(age, ttl_left, Some(Detail::StaleWhileRevalidate), Some(refresh))
        }
        Reuse::Validate { .. } => Err(seen.as_missed(Forward::Stale, None, stale())),
        // The origin's answer is for this client alone: the entry is all there is of what was written to the cache only.
        Reuse::RequestDirective if holds_out(entry, asked, now) => {
            Ok(Next::Pass(Forward::Request, Some(Detail::RequestDirective)))
        }
        Reuse::RequestDirective => Err(seen.as_missed(Forward::Request, Some(Detail::RequestDirective), stale())),
        Reuse::Credentials => {
            let counts = credential_that_counts(&asked.request.fields, asked.choices());
            Err(seen.as_missed(Forward::Bypass, Some(counts.unwrap_or(Detail::Private)), None))
        }
    }
}

/// How a request goes on that the store has no answer for.
fn onward(asked: &Asked, missed: Missed) -> Next {
    let request = &asked.request;
    // On a route the whole is fetched, and the part taken out of it.
    if asked.resource.route.is_none() && request.method == Method::GET && asks_for_part(&request.fields) {
        return Next::Part(missed);
    }
    if only_if_cached(&request.fields, asked.choices()) {
        return Next::Refuse(Refusal::OnlyIfCached);
    }
    match missed.stale {
        _ if request.method != Method::HEAD => Next::Fetch(missed),
        Some(_) => Next::Head(missed),
        None => Next::Pass(missed.forward, missed.detail),
    }
}

/// The policy's judgement of one entry for one request.
pub(super) fn judge(entry: &StoredResponse, asked: &Asked, now: Millis) -> Reuse {
    reuse(&stored(entry), &asked.request.fields, asked.choices(), now)
}

/// Whether an entry stays, and this request goes past it: it was written to the cache only, and is fresh for whoever asks
/// for nothing in particular.
fn holds_out(entry: &StoredResponse, asked: &Asked, now: Millis) -> bool {
    entry.kind == Kind::CacheOnly
        && matches!(for_anybody(entry, asked.choices(), now), Reuse::Fresh { .. })
        && !only_if_cached(&asked.request.fields, asked.choices())
}

/// Whether somebody who asks for nothing in particular would be given this entry now.
pub(super) fn is_shareable(entry: &StoredResponse, choices: &Choices, now: Millis) -> bool {
    matches!(for_anybody(entry, choices, now), Reuse::Fresh { .. } | Reuse::StaleWhileRevalidate { .. })
}

fn for_anybody(entry: &StoredResponse, choices: &Choices, now: Millis) -> Reuse {
    reuse(&stored(entry), &HeaderMap::new(), choices, now)
}

/// Whether a request fetches by itself although others may be fetching: it has little to hope for from a stranger's
/// answer. So has one that takes nothing stored; and, where no route speaks, one with a credential, or one whose answers
/// are known to vary.
pub(super) fn goes_alone(asked: &Asked, missed: &Missed) -> bool {
    let fields = &asked.request.fields;
    let unrouted = asked.resource.route.is_none();
    wants_the_origin(fields, asked.choices())
        || (unrouted && (missed.forward == Forward::VaryMiss || credential_in(fields).is_some()))
}
