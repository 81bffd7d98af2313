//! May an answer be stored, and if so, was it?

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_RANGE, DATE, Entry, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use hyper::ext::ReasonPhrase;

use super::annotate;
use super::answer::extent;
use super::collapse::Landing;
use super::egress::{Said, ready};
use super::fetch::Fetch;
use super::lookup::stored;
use super::variants::{Variant, at_key};
use super::{Proxy, fault_detail};
use crate::body::Timed;
use crate::clock::{Millis, jittered};
use crate::fields::{
    CACHE_GROUPS, CacheControl, ContentRange, Detail, cache_groups, cache_tags, format_http_date, is_encoded,
};
use crate::origin::Answered;
use crate::policy::{
    BodyFraming, Choices, Exchange, Lifetime, LifetimeSource, Reuse, StoredFlags, age_value, corrected_initial_age,
    defeats_the_route, freshen, reuse, storable, ttl_left,
};
use crate::rules::{Tag, varies_by_trace};
use crate::store::{Expect, Fault, Kind, PutOutcome, StoredResponse};

/// A response's head as it came, its hop-by-hop fields gone and its framing noted.
#[derive(Clone)]
pub(super) struct Received {
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
    /// What came in place of the status' usual phrase.
    reason: Option<ReasonPhrase>,
    framing: BodyFraming,
    response_time: Millis,
    pub(super) initial_age: Duration,
    /// Why it may not be stored, whatever its fields say.
    unsound: Option<Detail>,
}

fn head(status: StatusCode, fields: HeaderMap, reason: Option<ReasonPhrase>) -> http::response::Parts {
    let (mut head, ()) = http::Response::new(()).into_parts();
    head.status = status;
    head.headers = fields;
    reason.map(|reason| head.extensions.insert(reason));
    head
}

/// That an answer may be stored, and for how long it is good.
pub(super) struct Judged {
    lifetime: Lifetime,
    flags: StoredFlags,
    initial_age: Duration,
}

impl Judged {
    /// Whether the origin itself named the lifetime.
    pub(super) fn is_explicit(&self) -> bool {
        self.lifetime.source.is_explicit()
    }
}

/// What became of it.
pub(super) struct KeptAnswer {
    pub(super) entry: Arc<StoredResponse>,
    pub(super) landing: Landing,
    pub(super) stored: bool,
    pub(super) ttl: Option<i64>,
    pub(super) detail: Option<Detail>,
}

impl Received {
    pub(super) fn head(&self) -> http::response::Parts {
        head(self.status, self.fields.clone(), self.reason.clone())
    }

    pub(super) fn into_head(self) -> http::response::Parts {
        head(self.status, self.fields, self.reason)
    }

    pub(super) fn framing(&self) -> BodyFraming {
        self.framing
    }

    /// Whose word keeps it from being a hit to which these choices of a route give a lifetime.
    fn defeats(&self, choices: &Choices) -> Option<LifetimeSource> {
        let control = CacheControl::of_response(&self.fields);
        defeats_the_route(self.status, &self.fields, &control, choices, self.response_time)
    }

    /// The head of these bytes of the representation, or of all of it.
    pub(super) fn of_range(mut self, range: Option<ContentRange>) -> Self {
        self.status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        self.fields.remove(CONTENT_RANGE);
        let text = range.and_then(|range| HeaderValue::from_str(&range.to_string()).ok());
        self.fields.extend(text.map(|text| (CONTENT_RANGE, text)));
        self
    }

    /// The stored response's head, updated by this 304 (RFC 9111 section 3.2).
    pub(super) fn freshening(self, stale: &StoredResponse) -> Self {
        Self {
            status: stale.status,
            fields: freshen(&stale.fields, &self.fields),
            reason: None,
            framing: BodyFraming::Length(stale.body.len() as u64),
            ..self
        }
    }
}

impl Proxy {
    pub(super) fn receive(&self, answered: Answered, request_time: Millis) -> (Received, Timed) {
        let Answered { mut head, body } = answered;
        let response_time = self.shared.clock.now();
        let Said { framing, unsound } = ready(&mut head, extent(&body));
        let initial_age = corrected_initial_age(&head.headers, request_time, response_time);
        // RFC 9110 section 6.6.1: where the origin does not say when, the time of receipt stands in, for every reuse.
        if let Entry::Vacant(date) = head.headers.entry(DATE)
            && let Ok(now) = HeaderValue::from_str(&format_http_date(response_time))
        {
            date.insert(now);
        }
        let received = Received {
            status: head.status,
            reason: head.extensions.remove(),
            fields: head.headers,
            framing,
            response_time,
            initial_age,
            unsound,
        };
        (received, body)
    }

    /// RFC 9111 section 3, under what the route says. What whoever wrote the route has to know of the answer is told.
    pub(super) fn judge_fill(&self, fetch: &Fetch, received: &Received) -> Result<Judged, Detail> {
        let judged = self.judge(fetch, received);
        if let Some(route) = &fetch.resource.route {
            self.shared.notices.withheld(route, &fetch.withheld(&received.fields));
            if let Err(Detail::SetCookie) = judged {
                self.shared.notices.sets_cookies(route);
            }
            // What is refused for another reason has its name.
            let defeated = matches!(judged, Ok(_) | Err(Detail::NoFreshness)).then(|| received.defeats(&route.choices));
            if let Some(by) = defeated.flatten() {
                self.shared.notices.defeated(route, received.status, by);
            }
        }
        judged
    }

    fn judge(&self, fetch: &Fetch, received: &Received) -> Result<Judged, Detail> {
        if let Some(detail) = received.unsound {
            return Err(detail);
        }
        // Encoded although identity was asked for: who of those that share the key can undo it, the key does not say.
        let unkeyed = fetch.resource.route.as_ref().is_some_and(|route| !route.vary.contains(&ACCEPT_ENCODING));
        if unkeyed && is_encoded(&received.fields) {
            return Err(Detail::Encoding);
        }
        if fetch.resource.route.as_ref().is_some_and(|route| varies_by_trace(route, &received.fields)) {
            return Err(Detail::VaryAny);
        }
        let control = CacheControl::of_response(&received.fields);
        let exchange = Exchange {
            method: &http::Method::GET,
            request: &fetch.request.fields,
            status: received.status,
            response: &received.fields,
            body: received.framing,
        };
        let choices = self.choices(&fetch.resource);
        let mut lifetime = storable(&exchange, &control, choices, received.response_time)?;
        if let Some(route) = &fetch.resource.route {
            lifetime.fresh_for = jittered(lifetime.fresh_for, route.ttl_jitter);
        }
        // What a route gives counts from the answer, however long the origin took for it and whatever its clock says;
        // what the origin gives counts as RFC 9111 section 4.2.3 has it, from the request.
        let of_route = lifetime.source.is_of_route();
        let initial_age = if of_route { age_value(&received.fields) } else { received.initial_age };
        Ok(Judged { lifetime, flags: StoredFlags::of(&control), initial_age })
    }

    /// Asks the store to keep an answer under its token.
    pub(super) async fn put(&self, fetch: &Fetch, received: Received, judged: Judged, body: Bytes) -> KeptAnswer {
        // What was written to the cache only makes room for nobody who has not seen it.
        let place = &fetch.resource.place;
        let over = fetch.missed.stale.as_ref().filter(|stale| stale.kind == Kind::CacheOnly && place.plain().is_none());
        let upon = over.map_or(Expect::Any, |stale| Expect::Entry(Arc::clone(stale)));
        self.put_expecting(upon, fetch, received, judged, body).await
    }

    /// The same for an answer that was made of what the lookup saw.
    pub(super) async fn put_expecting(
        &self,
        upon: Expect,
        fetch: &Fetch,
        received: Received,
        judged: Judged,
        body: Bytes,
    ) -> KeptAnswer {
        let place = &fetch.resource.place;
        let tags = tags(fetch, &received, &body);
        let route = fetch.resource.route.as_deref();
        let refused = if route.is_some_and(|route| route.excludes(|| serde_json::from_slice(&body).ok())) {
            Some(Detail::Excluded)
        } else {
            // A tag that is left out is a write that goes unnoticed.
            match &tags {
                None => Some(Detail::TagUnknown),
                Some(tags) => (tags.len() > MAX_TAGS).then_some(Detail::TooManyTags),
            }
        };
        let refused = refused.or_else(|| self.shared.admits_host(&fetch.resource, &fetch.request).err());
        let tags = tags.unwrap_or_default();
        let variant = self.variant_of(fetch, &received.fields);
        let own = variant.as_ref().map(|variant| variant.tag.clone());
        let entry = |kind, fields, body, own: Option<Tag>| {
            let entry = StoredResponse::new(
                kind,
                received.status,
                fields,
                body,
                received.response_time,
                judged.initial_age,
                judged.lifetime,
                judged.flags,
                tags.iter().cloned().chain(own).collect(),
                fetch.missed.token,
            );
            let entry = annotate::counted_in(entry.compact(), route);
            Arc::new(entry.lent(&self.shared.answers))
        };
        let mut fields = received.fields.clone();
        if self.choices(&fetch.resource).strips_cookies() {
            fields.remove(SET_COOKIE);
        }
        let response = entry(Kind::Response, fields, body, own);
        if let Some(detail) = refused {
            return self.outcome(fetch, response, Err(detail));
        }
        fetch.storing();
        let at_key = at_key(&upon, fetch.missed.index.as_deref());
        let kept = match variant {
            None => self.store.put(place, Arc::clone(&response), at_key).await,
            Some(variant) => {
                let (fields, ids) = variant.index.clone();
                let index = entry(Kind::VaryIndex, fields, ids, None);
                variant.put(&self.store, (place, index, at_key), (Arc::clone(&response), upon)).await
            }
        };
        self.outcome(fetch, response, verdict(kept))
    }

    fn outcome(&self, fetch: &Fetch, entry: Arc<StoredResponse>, kept: Result<(), Detail>) -> KeptAnswer {
        let landing = match kept {
            // What nobody may be given without the origin's word is not worth waiting for.
            Ok(()) if !self.is_shareable(fetch, &entry) => Landing::HitForMiss,
            Ok(()) => Landing::Stored(Arc::clone(&entry), entry.status),
            Err(Detail::NewerFill | Detail::Gone | Detail::RacedWrite) => Landing::Again,
            Err(_) => Landing::HitForMiss,
        };
        let ttl = kept.is_ok().then(|| ttl_left(entry.lifetime.fresh_for, entry.initial_age));
        KeptAnswer { entry, landing, stored: kept.is_ok(), ttl, detail: kept.err() }
    }

    /// Whether somebody who asks for nothing in particular would be given it now.
    fn is_shareable(&self, fetch: &Fetch, entry: &StoredResponse) -> bool {
        let asked = reuse(&stored(entry), &HeaderMap::new(), self.choices(&fetch.resource), self.shared.clock.now());
        matches!(asked, Reuse::Fresh { .. } | Reuse::StaleWhileRevalidate { .. })
    }

    /// Where an answer without a route goes that varies; `None` for one that does not.
    ///
    /// On a route the origin sees only what is in the key, so whatever its Vary names cannot have differed.
    fn variant_of(&self, fetch: &Fetch, response: &HeaderMap) -> Option<Variant> {
        let Fetch { resource, request, missed, .. } = fetch;
        if resource.route.is_some() {
            return None;
        }
        let any_order = self.choices(resource).any_order;
        let limit = self.shared.settings.max_variants;
        Variant::of(response, request, &resource.place, missed.index.as_deref(), any_order, limit)
    }
}

/// Whether the store kept an entry, and if not why.
pub(super) fn verdict(kept: Result<PutOutcome, Fault>) -> Result<(), Detail> {
    match kept {
        Ok(PutOutcome::Stored) => Ok(()),
        Ok(PutOutcome::NewerFill) => Err(Detail::NewerFill),
        Ok(PutOutcome::Gone) => Err(Detail::Gone),
        Ok(PutOutcome::RacedWrite) => Err(Detail::RacedWrite),
        Ok(PutOutcome::TooLarge) => Err(Detail::TooLarge),
        Err(fault) => Err(fault_detail(&fault)),
    }
}

/// The entry's tags: those of its place, the route's own, and those that the response names. `None` where the answer
/// does not say the value of one.
pub(super) fn tags(fetch: &Fetch, received: &Received, body: &Bytes) -> Option<Vec<Tag>> {
    let mut tags = fetch.resource.place.tags.to_vec();
    let (path, query) = (fetch.request.target.path(), fetch.request.query());
    tags.extend(fetch.resource.route.iter().flat_map(|route| route.fetched_tags(path, query)));
    if let Some(route) = fetch.resource.route.as_ref().filter(|route| !route.tags.is_empty()) {
        let json = serde_json::from_slice(body).ok();
        let path = fetch.request.target.path().to_owned();
        let captures = route.path.matches(&path).unwrap_or_default();
        let query = fetch.request.query();
        tags.extend(route.named_tags(|name| route.read_value(name, query, &captures), json.as_ref())?);
    }
    // Where the origin sees the client's Host, all hosts are the app's own: a write by one of them concerns them all.
    let is_of_all_hosts = fetch.resource.host.is_some() || fetch.resource.route.is_some();
    for name in cache_groups(&received.fields, &CACHE_GROUPS) {
        tags.push(Tag::cache_group(if is_of_all_hosts { "" } else { fetch.request.host_text() }, &name));
        tags.push(Tag::named(&name));
    }
    tags.extend(cache_tags(&received.fields).iter().map(|name| Tag::named(name)));
    tags.sort_unstable();
    tags.dedup();
    Some(tags)
}

/// How many tags an entry may have; an answer with more is not kept.
const MAX_TAGS: usize = 128;
