//! An answer on its way to the client, and the fields that say how it came about.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::ext::ReasonPhrase;

use super::egress::{Extent, has_no_body, ready};
use crate::body::{Body, Timed};
use crate::budget::{Budget, Receipt};
use crate::fields::{CacheStatus, ContentCoding, Detail, Forward, drop_cache_tags};
use crate::origin::Answered;
use crate::policy::not_modified;
use crate::telemetry::{Begun, Notes};

/// A response and what the cache had to do with it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) response: Response<Body>,
    pub(super) cache_status: CacheStatus,
    /// The content coding that its body is to be sent in, if it turns out smaller.
    pub(super) coding: Option<ContentCoding>,
    /// Whether its body is for it alone, and neither shared with the store nor counted beforehand.
    pub(super) own: bool,
    /// What covers its body among those of its connection.
    pub(super) turn: Option<Receipt>,
    /// What the request's outcome says besides.
    pub(super) notes: Notes,
}

/// Fields that describe a body, and no answer without one.
const OF_THE_BODY: [HeaderName; 5] = [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE];
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
/// What `Via` says of this hop (RFC 9110 section 7.6.3).
pub(super) const VIA_ASIDE: HeaderValue = HeaderValue::from_static("1.1 aside");

impl Answer {
    pub(super) fn new(response: Response<Body>, cache_status: CacheStatus) -> Self {
        Self { response, cache_status, coding: None, own: false, turn: None, notes: Notes::default() }
    }

    /// The origin's answer as it comes, its head made ready.
    pub(super) fn passed(mut answered: Answered, cache_status: CacheStatus) -> Self {
        ready(&mut answered.head, extent(&answered.body));
        answered.head.headers.append(VIA, VIA_ASIDE);
        let (empty, took) = (has_no_body(answered.head.status), answered.took);
        let mut response = answered.into_response();
        if empty {
            *response.body_mut() = Body::Empty;
        }
        Self::new(response, cache_status).told_after(took)
    }

    /// The same, for which the origin took so long.
    pub(super) fn told_after(mut self, took: Duration) -> Self {
        self.notes.origin_micros = u64::try_from(took.as_micros()).ok();
        self
    }

    /// The same, of which nothing was stored although that was meant, for this reason.
    pub(super) fn not_stored(mut self, why: Option<Detail>) -> Self {
        self.notes.refused = why;
        self
    }

    /// The answer as a 304 where the client has it already: a fill does not tell the origin the client's conditions.
    ///
    /// All but the fields that describe the body stay, Set-Cookie among them, as in the origin's own 304.
    pub(super) fn under_conditions_of(mut self, request: &HeaderMap) -> Self {
        if not_modified(request, self.response.status(), self.response.headers()) {
            for name in OF_THE_BODY {
                self.response.headers_mut().remove(name);
            }
            self.response.extensions_mut().remove::<ReasonPhrase>();
            *self.response.status_mut() = StatusCode::NOT_MODIFIED;
            *self.response.body_mut() = Body::Empty;
        }
        self
    }

    /// The answer of one who waited for somebody else's request (RFC 9211 section 2.7).
    pub(super) fn collapsed(mut self) -> Self {
        self.cache_status.collapsed = true;
        self
    }

    /// The answer to a HEAD request: everything but the body.
    pub(super) fn without_body(mut self) -> Self {
        if let Body::Full(bytes) = self.response.body() {
            let length = HeaderValue::from(bytes.len());
            self.response.headers_mut().insert(CONTENT_LENGTH, length);
        }
        *self.response.body_mut() = Body::Empty;
        self
    }

    /// How long its body is, where that is known.
    pub(super) fn length(&self) -> Option<u64> {
        hyper::body::Body::size_hint(self.response.body()).exact()
    }

    /// How long its body is, where all of it is there.
    pub(super) fn size(&self) -> usize {
        match self.response.body() {
            Body::Full(bytes) => bytes.len(),
            _ => 0,
        }
    }

    /// Tells what came of the request.
    pub(super) fn end(&mut self, begun: Begun) {
        let notes = std::mem::take(&mut self.notes);
        if let Some(sent) = begun.end(self.response.status(), self.cache_status, self.length(), notes) {
            self.response.body_mut().counted(sent);
        }
    }

    /// The finished response: with Cache-Status, ours last, and X-Cache; without the names that caches alone need, unless
    /// `pass_tags`. A hit has lost them before. Its body counts in the connection's share, where there is one.
    pub(super) fn seal(mut self, pass_tags: bool, share: Option<Arc<Budget>>) -> Response<Body> {
        let verdict = HeaderValue::from_static(self.verdict());
        if self.response.status().canonical_reason().is_none() {
            // Else hyper would write `<none>`.
            self.response.extensions_mut().get_or_insert_with(|| ReasonPhrase::from_static(b""));
        }
        let fields = self.response.headers_mut();
        if !pass_tags && !self.cache_status.hit {
            drop_cache_tags(fields);
        }
        self.cache_status.append_to(fields);
        fields.insert(X_CACHE, verdict);
        match share {
            Some(share) => self.response.map(|body| body.metered(share, self.turn)),
            None => self.response,
        }
    }

    fn verdict(&self) -> &'static str {
        let status = &self.cache_status;
        let stale = status.ttl.is_some_and(|ttl| ttl < 0);
        match status.forward {
            _ if status.hit && stale => "STALE",
            _ if status.hit => "HIT",
            _ if status.detail == Some(Detail::StaleIfError) => "STALE",
            Some(Forward::UriMiss | Forward::VaryMiss | Forward::Miss | Forward::Stale | Forward::Partial) => "MISS",
            Some(Forward::Bypass | Forward::Method | Forward::Request) | None => "BYPASS",
        }
    }
}

/// How much of a body is to come.
pub(super) fn extent(body: &Timed) -> Extent {
    match body.exact_length() {
        _ if body.is_done() => Extent::Done,
        Some(length) => Extent::Length(length),
        None => Extent::Unknown,
    }
}

/// Whether the origin's trouble is one for which RFC 5861 section 4 lets a stale response stand in.
pub(super) fn is_origin_trouble(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}
