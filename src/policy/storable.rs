//! May a shared cache store this response? One condition a line, each with its clause and its name.

use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, Method, StatusCode};

use super::choices::Choices;
use super::credentials::{credential_in, is_credential};
use super::freshness::{is_heuristically_cacheable, lifetime};
use super::lifetime::Lifetime;
use super::validation::has_validator;
use crate::clock::Millis;
use crate::fields::{CacheControl, Detail, Vary};

/// A request and the head of its response, as the origin sent it, hop-by-hop fields included or not.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// The request's fields, as the client sent them.
    pub request: &'a HeaderMap,
    /// The response's status.
    pub status: StatusCode,
    /// The response's fields.
    pub response: &'a HeaderMap,
    /// How the response says where its body ends.
    pub body: BodyFraming,
}

/// How a response says where its body ends.
///
/// Source: RFC 9112 section 6.3
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is no body.
    None,
    /// After so many bytes.
    Length(u64),
    /// After the last chunk.
    Chunked,
    /// When the connection closes: whether it is whole or cut short cannot be told.
    CloseDelimited,
}

/// The lifetime to store the response with, or the first reason why it is not stored.
///
/// The caller refuses what is not visible here: a request with a body, a store that is off, a body that turns out too
/// large or cut short.
///
/// Source: RFC 9111 section 3
pub fn storable(
    exchange: &Exchange<'_>,
    cache_control: &CacheControl,
    choices: &Choices,
    response_time: Millis,
) -> Result<Lifetime, Detail> {
    check_request(exchange, choices)?;
    check_status(exchange, cache_control, choices)?;
    check_directives(exchange, cache_control, choices)?;
    check_fields(exchange.response, cache_control, choices)?;
    check_credentials(exchange.request, cache_control, choices)?;
    let lifetime = lifetime(exchange.status, exchange.response, cache_control, choices, response_time)
        .ok_or_else(|| no_lifetime(exchange.status, choices))?;
    check_body(exchange.body, &lifetime, choices)?;
    check_use(&lifetime, exchange.response)?;
    Ok(lifetime)
}

/// True when a response to a request with credentials may be shared.
///
/// Source: RFC 9111 section 3.5
pub(super) fn is_public_enough(cache_control: &CacheControl) -> bool {
    cache_control.public || cache_control.s_maxage.is_some() || cache_control.must_revalidate
}

/// The first sign of an identity in a request, but for a Cookie where that is said to be none.
pub fn credential_that_counts(request: &HeaderMap, choices: &Choices) -> Option<Detail> {
    match credential_in(request) {
        Some(Detail::Cookie) if choices.ignore_cookies => {
            request.keys().any(is_credential).then_some(Detail::Credential)
        }
        found => found,
    }
}

fn check_request(exchange: &Exchange<'_>, choices: &Choices) -> Result<(), Detail> {
    // RFC 9111 section 3: the request method is understood by the cache.
    refuse(*exchange.method != Method::GET, Detail::Method)?;
    // RFC 9111 section 5.2.1.5: no-store in the request.
    let no_store = choices.honour_request_directives && CacheControl::parse(exchange.request).no_store;
    refuse(no_store, Detail::RequestDirective)
}

fn check_status(exchange: &Exchange<'_>, cache_control: &CacheControl, choices: &Choices) -> Result<(), Detail> {
    let status = exchange.status;
    // RFC 9111 section 3.3: a part is judged as the 200 that it is a part of (see `storable_part`).
    refuse(status == StatusCode::PARTIAL_CONTENT, Detail::PartialContent)?;
    // RFC 9111 section 3: the response is final, and a 304 belongs to what is stored already.
    refuse(status.is_informational() || status == StatusCode::NOT_MODIFIED, Detail::StatusNotCacheable)?;
    // Stricter than RFC 9111 section 3: a client's odd field can make an origin answer so, and all others would get it.
    refuse(!choices.routed && !choices.errors && blames_the_request(status), Detail::StatusNotCacheable)?;
    // RFC 9111 section 5.2.2.3: must-understand asks for knowing the status; so does a route that does not list it.
    let must_know = cache_control.must_understand || (choices.routed && !choices.lists(status));
    refuse(must_know && !is_understood(status), Detail::StatusNotCacheable)
}

fn check_directives(exchange: &Exchange<'_>, cache_control: &CacheControl, choices: &Choices) -> Result<(), Detail> {
    if choices.overrides_private(exchange.status) {
        return Ok(());
    }
    // RFC 9111 section 5.2.2.5; section 5.2.2.3 lifts it beside must-understand, whose status is understood by now.
    refuse(cache_control.no_store && !cache_control.must_understand, Detail::NoStore)?;
    // RFC 9111 section 5.2.2.7: private, in a shared cache.
    refuse(cache_control.private, Detail::Private)
}

fn check_fields(response: &HeaderMap, cache_control: &CacheControl, choices: &Choices) -> Result<(), Detail> {
    // Stricter than RFC 9111 section 7.3: a cookie is for one user, whatever else the response says.
    let allowed = choices.admits_cookies(cache_control.names_lifetime());
    refuse(response.contains_key(SET_COOKIE) && !allowed, Detail::SetCookie)?;
    // RFC 9111 section 4.1: it would never match.
    refuse(Vary::of(response) == Vary::Any, Detail::VaryAny)?;
    refuse(is_endless(response), Detail::Streaming)
}

fn check_credentials(request: &HeaderMap, cache_control: &CacheControl, choices: &Choices) -> Result<(), Detail> {
    // RFC 9111 section 3.5, and stricter: a cookie or an API key tells users apart as well as Authorization does.
    if choices.routed || is_public_enough(cache_control) {
        return Ok(());
    }
    credential_that_counts(request, choices).map_or(Ok(()), Err)
}

fn check_body(body: BodyFraming, lifetime: &Lifetime, choices: &Choices) -> Result<(), Detail> {
    match body {
        BodyFraming::None | BodyFraming::Chunked => Ok(()),
        BodyFraming::Length(bytes) => refuse(bytes > choices.max_body, Detail::TooLarge),
        // RFC 9112 section 8 counts it complete. Where no route speaks, only the origin's word makes it worth
        // the risk.
        BodyFraming::CloseDelimited => {
            let allowed = choices.close_delimited && (choices.routed || lifetime.source.is_explicit());
            refuse(!allowed, Detail::CloseDelimited)
        }
    }
}

/// A response that is never fresh is of use only when it can be validated or served stale.
fn check_use(lifetime: &Lifetime, response: &HeaderMap) -> Result<(), Detail> {
    let longest = lifetime.fresh_for.max(lifetime.stale_while_revalidate).max(lifetime.stale_if_error);
    refuse(longest.is_zero() && !has_validator(response), Detail::NoFreshness)
}

fn no_lifetime(status: StatusCode, choices: &Choices) -> Detail {
    let speaks = if choices.routed { choices.leaves_open(status) } else { is_heuristically_cacheable(status) };
    if speaks { Detail::NoFreshness } else { Detail::StatusNotCacheable }
}

/// True for a final status of RFC 9110 whose answers to GET this cache knows how to treat.
fn is_understood(status: StatusCode) -> bool {
    is_heuristically_cacheable(status)
        || matches!(status.as_u16(), 302 | 303 | 307 | 400 | 403 | 406 | 421 | 451 | 500 | 502 | 503 | 504)
}

/// True for errors that speak of one request or one moment and not of the resource.
///
/// Source: RFC 9110 section 15.1
pub fn blames_the_request(status: StatusCode) -> bool {
    (status.is_client_error() || status.is_server_error()) && !is_heuristically_cacheable(status)
}

/// The types of which every body goes on for as long as there is something to tell. Others may be streams, too, and only
/// their bodies show it.
const ENDLESS: [&[u8]; 2] = [b"text/event-stream", b"multipart/x-mixed-replace"];

fn is_endless(response: &HeaderMap) -> bool {
    response.get(CONTENT_TYPE).is_some_and(|value| {
        let essence = value.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        ENDLESS.iter().any(|endless| essence.eq_ignore_ascii_case(endless))
    })
}

fn refuse(condition: bool, reason: Detail) -> Result<(), Detail> {
    if condition { Err(reason) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{LifetimeSource, SetCookie};
    use http::{HeaderName, HeaderValue};
    use std::time::Duration;

    const NOW: Millis = 1_000_000_000_000;

    fn fields(lines: &[&'static str]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            fields.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        fields
    }

    struct Case {
        method: Method,
        status: u16,
        request: &'static [&'static str],
        response: &'static [&'static str],
        body: BodyFraming,
    }

    const PLAIN: Case =
        Case { method: Method::GET, status: 200, request: &[], response: &[], body: BodyFraming::Chunked };

    impl Case {
        fn judge(&self, choices: &Choices) -> Result<Lifetime, Detail> {
            let (request, response) = (fields(self.request), fields(self.response));
            let exchange = Exchange {
                method: &self.method,
                request: &request,
                status: StatusCode::from_u16(self.status).unwrap(),
                response: &response,
                body: self.body,
            };
            storable(&exchange, &CacheControl::parse(&response), choices, NOW)
        }

        fn refused(&self, choices: &Choices) -> Option<Detail> {
            self.judge(choices).err()
        }
    }

    fn said(response: &'static [&'static str]) -> Case {
        Case { response, ..PLAIN }
    }

    fn route() -> Choices {
        Choices { routed: true, ttl: Some(Duration::from_secs(600)), ..Choices::default() }
    }

    #[test]
    fn explicit_freshness_or_a_route_makes_an_answer_storable() {
        let fresh = said(&["cache-control: max-age=60"]);
        assert_eq!(fresh.judge(&Choices::default()).unwrap().fresh_for, Duration::from_secs(60));
        assert_eq!(PLAIN.judge(&route()).unwrap().source, LifetimeSource::RouteTtl);
        assert_eq!(PLAIN.refused(&Choices::default()), Some(Detail::NoFreshness));
    }

    #[test]
    fn only_answers_to_get_are_stored() {
        for method in [Method::HEAD, Method::POST, Method::PUT, Method::OPTIONS, Method::from_bytes(b"QUERY").unwrap()]
        {
            assert_eq!(Case { method, ..PLAIN }.refused(&route()), Some(Detail::Method));
        }
    }

    #[test]
    fn what_the_origin_or_the_answer_forbids_is_never_stored() {
        for (response, reason) in [
            (&["cache-control: no-store"][..], Detail::NoStore),
            (&["cache-control: private, max-age=60"], Detail::Private),
            (&["cache-control: private=\"x\", max-age=60"], Detail::Private),
            (&["cache-control: public, max-age=60", "set-cookie: a=b"], Detail::SetCookie),
            (&["vary: accept, *"], Detail::VaryAny),
            (&["vary: (accept)"], Detail::VaryAny),
            (&["content-type: Text/Event-Stream; charset=utf-8"], Detail::Streaming),
            (&["content-type: multipart/x-mixed-replace;boundary=x"], Detail::Streaming),
        ] {
            assert_eq!(said(response).refused(&route()), Some(reason), "{response:?}");
            assert_eq!(said(response).refused(&Choices { override_origin: true, ..route() }), Some(reason));
        }
    }

    #[test]
    fn an_answer_that_sets_a_cookie_is_stored_only_by_choice_and_with_a_lifetime_that_the_origin_names() {
        let storing = Choices { set_cookie: SetCookie::Store, heuristics: true, ..Choices::default() };
        let named = said(&["cache-control: max-age=60", "set-cookie: a=b"]);
        assert_eq!(named.refused(&storing), None);
        assert_eq!(named.refused(&Choices { set_cookie: SetCookie::Store, ..route() }), Some(Detail::SetCookie));
        let guessed = said(&["last-modified: Sun, 06 Nov 1994 08:49:37 GMT", "set-cookie: a=b"]);
        assert_eq!(guessed.refused(&storing), Some(Detail::SetCookie));
    }

    #[test]
    fn a_cookie_may_be_ignored_but_no_other_credential() {
        let ignoring = Choices { ignore_cookies: true, ..Choices::default() };
        let fresh = said(&["cache-control: max-age=60"]);
        assert_eq!(Case { request: &["cookie: a=b"], ..fresh }.refused(&ignoring), None);
        let both = &["cookie: a=b", "x-api-key: x"];
        assert_eq!(
            Case { request: both, ..said(&["cache-control: max-age=60"]) }.refused(&ignoring),
            Some(Detail::Credential)
        );
    }

    #[test]
    fn private_is_stored_only_where_the_route_overrides_even_that() {
        let overriding = Choices { override_origin: true, override_private: true, ..route() };
        for response in [&["cache-control: private"][..], &["cache-control: no-store"]] {
            assert_eq!(said(response).judge(&overriding).unwrap().source, LifetimeSource::Override);
            assert!(Case { status: 500, ..said(response) }.refused(&overriding).is_some());
            assert!(said(response).refused(&Choices { override_private: true, ..route() }).is_some());
        }
        assert_eq!(said(&["set-cookie: a=b"]).refused(&overriding), Some(Detail::SetCookie));
    }

    #[test]
    fn statuses_are_stored_by_the_word_of_origin_or_route() {
        let fresh = &["cache-control: max-age=60"];
        for (status, unrouted, routed) in [
            (200, None, None),
            (302, None, None),
            (404, None, None),
            (405, None, None),
            (400, Some(Detail::StatusNotCacheable), None),
            (503, Some(Detail::StatusNotCacheable), None),
            (299, None, Some(Detail::StatusNotCacheable)),
            (101, Some(Detail::StatusNotCacheable), Some(Detail::StatusNotCacheable)),
            (206, Some(Detail::PartialContent), Some(Detail::PartialContent)),
            (304, Some(Detail::StatusNotCacheable), Some(Detail::StatusNotCacheable)),
        ] {
            let case = Case { status, ..said(fresh) };
            assert_eq!(case.refused(&Choices::default()), unrouted, "{status}");
            assert_eq!(case.refused(&route()), routed, "{status}");
        }
        let storing = Choices { errors: true, ..Choices::default() };
        assert_eq!(Case { status: 503, ..said(fresh) }.refused(&storing), None);
        for (status, unrouted) in [(404, Detail::NoFreshness), (500, Detail::StatusNotCacheable)] {
            let silent = Case { status, ..PLAIN };
            assert_eq!(silent.refused(&Choices::default()), Some(unrouted));
            assert_eq!(silent.refused(&route()), Some(Detail::StatusNotCacheable));
        }
    }

    #[test]
    fn must_understand_lifts_no_store_for_a_status_that_is_understood() {
        let case = said(&["cache-control: must-understand, no-store, max-age=60"]);
        assert_eq!(case.refused(&Choices::default()), None);
        assert_eq!(Case { status: 599, ..case }.refused(&Choices::default()), Some(Detail::StatusNotCacheable));
    }

    #[test]
    fn answers_to_somebody_are_stored_only_when_they_say_they_are_for_all() {
        for (request, reason) in [
            (&["authorization: x"][..], Detail::Authorization),
            (&["cookie: a=b"], Detail::Cookie),
            (&["x-api-key: x"], Detail::Credential),
        ] {
            let case = |response| Case { request, ..said(response) };
            assert_eq!(case(&["cache-control: max-age=60"]).refused(&Choices::default()), Some(reason));
            assert_eq!(case(&[]).refused(&route()), None, "the route's caller has dealt with it");
            for response in [
                &["cache-control: public, max-age=60"][..],
                &["cache-control: s-maxage=60"],
                &["cache-control: must-revalidate, max-age=60"],
            ] {
                assert_eq!(case(response).refused(&Choices::default()), None);
            }
        }
    }

    #[test]
    fn a_client_may_ask_not_to_store_where_clients_are_heard() {
        let case = Case { request: &["cache-control: No-Store"], ..PLAIN };
        assert_eq!(case.refused(&route()), Some(Detail::RequestDirective));
        assert_eq!(case.refused(&Choices { honour_request_directives: false, ..route() }), None);
    }

    #[test]
    fn a_body_is_stored_when_it_is_whole_and_small() {
        let close = Case { body: BodyFraming::CloseDelimited, ..said(&["cache-control: max-age=60"]) };
        let allowing = Choices { close_delimited: true, ..Choices::default() };
        assert_eq!(close.refused(&allowing), None);
        assert_eq!(close.refused(&Choices::default()), Some(Detail::CloseDelimited));
        assert_eq!(close.refused(&route()), Some(Detail::CloseDelimited));
        let silent = Case { body: BodyFraming::CloseDelimited, ..said(&[]) };
        assert_eq!(silent.refused(&Choices { close_delimited: true, ..route() }), None);
        let length = |bytes| Case { body: BodyFraming::Length(bytes), ..PLAIN };
        let small = Choices { max_body: 10, ..route() };
        assert_eq!(length(10).refused(&small), None);
        assert_eq!(length(11).refused(&small), Some(Detail::TooLarge));
    }

    #[test]
    fn an_answer_that_is_never_fresh_needs_a_use() {
        for (response, choices, refused) in [
            (&["cache-control: max-age=0"][..], Choices::default(), Some(Detail::NoFreshness)),
            (&["cache-control: max-age=0", "etag: \"a\""], Choices::default(), None),
            (&["cache-control: max-age=0, stale-if-error=9"], Choices::default(), None),
            (&["cache-control: no-cache"], route(), Some(Detail::NoFreshness)),
            (&["cache-control: no-cache", "last-modified: Thu, 01 Jan 1970 00:00:00 GMT"], route(), None),
        ] {
            assert_eq!(said(response).refused(&choices), refused, "{response:?}");
        }
    }
}
