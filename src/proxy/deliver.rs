//! A stored response on its way out: Age, entity tag, 304, annotation.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AGE, CONTENT_LENGTH, CONTENT_RANGE, ETAG, LAST_MODIFIED, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use xxhash_rust::xxh3::xxh3_128;

use super::annotate;
use super::answer::{Answer, VIA_ASIDE};
use super::asked::{Asked, Missed, stored};
use super::coding::{self, Codings};
use super::core::Shared;
use super::decide::judge;
use super::error::no_answer;
use super::ingress::Admitted;
use super::variants::chosen_by;
use crate::body::Body;
use crate::budget::{Budget, COUNTED};
use crate::fields::{CacheStatus, ContentCoding, ContentRange, Detail, Forward, drop_cache_tags};
use crate::origin::OriginError;
use crate::policy::{
    Reuse, Selected, coding_for, fields_for_304, may_encode, may_serve_on_error, not_modified, selected,
    selected_of_part, ttl_left,
};
use crate::rules::{Annotate, Route, says_any, withheld};
use crate::store::{Derived, Kind, StoredResponse};

/// Answers from an entry.
pub(super) fn deliver(
    shared: &Shared,
    asked: &Asked,
    entry: &Arc<StoredResponse>,
    age: Duration,
    status: CacheStatus,
) -> Answer {
    let route = asked.route();
    if status.hit {
        entry.count_hit();
    }
    let derived = entry.derived(shared.derivation);
    let (status, withheld) = with_withheld(asked, entry, &derived, status);
    if let (Some(route), [_, ..]) = (route, withheld) {
        shared.notices.withheld(route, withheld);
    }
    let head = derived.head(|| prepare(shared, asked, entry));
    let coding = coding(&shared.codings, asked, entry);
    let annotation = route.and_then(|route| route.annotate.as_ref());
    let mut response = if not_modified(&asked.request.fields, entry.status, head) {
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.headers_mut() = fields_for_304(head);
        if coding.is_some() {
            annotate::own_no_bytes(response.headers_mut());
        }
        response
    } else {
        // An annotated body has bytes that the next answer may not have.
        match annotation.map_or_else(|| wanted(&asked.request, entry, head), |_| Selected::Whole) {
            Selected::Whole => whole(entry, &derived, head, annotation.filter(|_| status.hit)),
            Selected::Part(range) => part(entry, head, range, 0),
            Selected::Unsatisfiable { complete } => unsatisfiable(head, complete),
        }
    };
    response.headers_mut().insert(AGE, HeaderValue::from(age.as_secs()));
    // A range of a coded copy would be one of bytes that the origin never had.
    let coding = coding.filter(|_| !response.headers().contains_key(CONTENT_RANGE));
    let own = !entry.is_lent() && counts_alone(&shared.answers, &mut response);
    Answer { coding, own, ..Answer::new(response, status) }
}

/// Counts a body that no store shares, as of an entry that came from Redis; `false` for one that is too small to count.
fn counts_alone(answers: &Arc<Budget>, response: &mut Response<Body>) -> bool {
    match response.body_mut() {
        Body::Full(bytes) if bytes.len() >= COUNTED => {
            *bytes = answers.charge(0).seal(std::mem::take(bytes));
            true
        }
        _ => false,
    }
}

/// The header block of an entry's answers, but for Age, Cache-Status and X-Cache: made once an entry and set of rules.
fn prepare(shared: &Shared, asked: &Asked, entry: &StoredResponse) -> HeaderMap {
    let route = asked.route();
    let mut head = entry.fields_with_length();
    give_entity_tag(&mut head, &entry.body, entry.status, route);
    if is_negotiated(&shared.codings, entry, route) {
        coding::vary(&mut head);
    }
    head.append(VIA, VIA_ASIDE);
    if !shared.settings.pass_tags {
        drop_cache_tags(&mut head);
    }
    head
}

/// What of a stored part a request asks for; `None` where that is not all there.
pub(super) fn deliver_part(shared: &Shared, asked: &Asked, entry: &StoredResponse) -> Option<Response<Body>> {
    let at = ContentRange::of(&entry.fields)?;
    let derived = entry.derived(shared.derivation);
    let head = derived.head(|| prepare(shared, asked, entry));
    let wanted = selected_of_part(&asked.request.fields, head, at)?;
    Some(part(entry, head, wanted, at.first))
}

/// Answers a follower with what its leader stored; `None` when it may not be shared with this request.
pub(super) fn share(
    shared: &Shared,
    asked: &Asked,
    missed: &Missed,
    entry: &Arc<StoredResponse>,
    forward_status: StatusCode,
) -> Option<Answer> {
    if entry.kind != Kind::Response || (asked.resource.route.is_none() && !chosen_by(&entry.fields).is_empty()) {
        return None;
    }
    match judge(entry, false, asked, shared.clock.now()) {
        Reuse::Fresh { age, ttl_left } => {
            let status = CacheStatus {
                forward: Some(missed.forward),
                forward_status: Some(forward_status.as_u16()),
                ttl: Some(ttl_left),
                collapsed: true,
                ..CacheStatus::default()
            };
            Some(deliver(shared, asked, entry, age, status))
        }
        _ => None,
    }
}

/// Answers where the origin could not: with the stale entry if RFC 5861 section 4 allows it, else with the error.
pub(super) fn failed(shared: &Shared, asked: &Asked, missed: &Missed, error: &OriginError) -> Answer {
    stale_on_error(shared, asked, missed, None).unwrap_or_else(|| no_answer(error, missed.forward))
}

/// The stale entry of a miss, while its stale-if-error window lasts.
pub(super) fn stale_on_error(
    shared: &Shared,
    asked: &Asked,
    missed: &Missed,
    forward_status: Option<StatusCode>,
) -> Option<Answer> {
    let entry = missed.stale.as_ref()?;
    let age = may_serve_on_error(&stored(entry, missed.soft), asked.choices(), shared.clock.now())?;
    let ttl = ttl_left(entry.lifetime.fresh_for, age);
    let status = CacheStatus {
        // One that is still fresh stands in, too, for a client who wanted the origin asked.
        forward: Some(missed.forward),
        forward_status: forward_status.map(|status| status.as_u16()),
        ttl: Some(if missed.forward == Forward::Stale { ttl.min(-1) } else { ttl }),
        detail: Some(Detail::StaleIfError),
        ..CacheStatus::default()
    };
    Some(deliver(shared, asked, entry, age, status))
}

/// With `vary-withheld`, unless another reason stands there, where an entry may be the wrong answer for this request; and
/// the fields that its route keeps from the origin although it names them in Vary.
pub(super) fn with_withheld<'a>(
    asked: &Asked,
    entry: &StoredResponse,
    derived: &'a Derived,
    status: CacheStatus,
) -> (CacheStatus, &'a [HeaderName]) {
    let Some(route) = asked.route() else { return (status, &[]) };
    let names = derived.withheld(|| withheld(route, &entry.fields));
    let detail = || says_any(&asked.request.fields, names).then_some(Detail::VaryWithheld);
    let detail = if names.is_empty() { status.detail } else { status.detail.or_else(detail) };
    (CacheStatus { detail, ..status }, names)
}

/// The coding that an entry is to be sent in, if that turns out smaller.
pub(super) fn coding(codings: &Codings, asked: &Asked, entry: &StoredResponse) -> Option<ContentCoding> {
    let (fields, route) = (&asked.request.fields, asked.route());
    coding_for(fields, codings.offered())
        .filter(|_| is_negotiated(codings, entry, route) && !route.is_some_and(|route| route.keys_identity_of(fields)))
}

/// Whether the entry's answers differ by Accept-Encoding.
fn is_negotiated(codings: &Codings, entry: &StoredResponse, route: Option<&Route>) -> bool {
    !codings.offered().is_empty()
        && route.is_none_or(|route| route.compress)
        && entry.body.len() <= codings.largest()
        && may_encode(entry.status, &entry.fields, entry.body.len())
}

/// What of an entry a request asks for.
fn wanted(request: &Admitted, entry: &StoredResponse, head: &HeaderMap) -> Selected {
    // RFC 9110 section 14.2: Range means something for GET alone.
    if request.method != Method::GET {
        return Selected::Whole;
    }
    selected(&request.fields, entry.status, head, entry.body.len() as u64)
}

fn whole(entry: &StoredResponse, derived: &Derived, head: &HeaderMap, annotation: Option<&Annotate>) -> Response<Body> {
    let body = match annotation {
        Some(annotation) => entry.annotated(derived, |body| annotate::hit(body, entry.status, head, annotation)),
        None => entry.body.clone(),
    };
    let length = body.len();
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = entry.status;
    *response.headers_mut() = head.clone();
    if length != entry.body.len() {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// These bytes of an entry whose body begins with the byte `first`.
///
/// Source: RFC 9110 section 15.3.7
fn part(entry: &StoredResponse, head: &HeaderMap, range: ContentRange, first: u64) -> Response<Body> {
    let at = |byte: u64| usize::try_from(byte.saturating_sub(first)).unwrap_or(usize::MAX).min(entry.body.len());
    let body = entry.body.slice(at(range.first)..at(range.last.saturating_add(1)));
    // A slice keeps all of the body in memory.
    let body = if body.len() < COUNTED { Bytes::copy_from_slice(&body) } else { body };
    let mut fields = head.clone();
    fields.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    // A stored part has one of its own.
    fields.remove(CONTENT_RANGE);
    fields.extend(HeaderValue::from_str(&range.to_string()).ok().map(|range| (CONTENT_RANGE, range)));
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    *response.headers_mut() = fields;
    response
}

/// Source: RFC 9110 section 15.5.17
fn unsatisfiable(head: &HeaderMap, complete: u64) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
    *response.headers_mut() = fields_for_304(head);
    let range = HeaderValue::from_str(&format!("bytes */{complete}"));
    response.headers_mut().extend(range.ok().map(|range| (CONTENT_RANGE, range)));
    response
}

/// Makes a strong entity tag where a route wants one and the origin sent no validator; an annotated answer has a weak one.
pub(super) fn give_entity_tag(fields: &mut HeaderMap, body: &[u8], status: StatusCode, route: Option<&Route>) {
    let Some(route) = route.filter(|_| status == StatusCode::OK) else { return };
    if route.etag
        && !fields.contains_key(ETAG)
        && !fields.contains_key(LAST_MODIFIED)
        && let Ok(tag) = HeaderValue::from_str(&format!("\"{:032x}\"", xxh3_128(body)))
    {
        fields.insert(ETAG, tag);
    }
    if route.annotate.is_some() && annotate::wants(status, fields) {
        annotate::own_no_bytes(fields);
    }
}
