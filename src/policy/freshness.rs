//! How long a response is fresh, and for how long it may be served when it no longer is.

use std::time::Duration;

use http::header::{DATE, EXPIRES, LAST_MODIFIED};
use http::{HeaderMap, StatusCode};

use super::choices::Choices;
use super::lifetime::{Lifetime, LifetimeSource};
use crate::clock::Millis;
use crate::fields::{CacheControl, date_in};

/// A guess is never trusted for longer.
const LONGEST_GUESS: Duration = Duration::from_secs(24 * 60 * 60);

/// The lifetime of a response, or `None` when nothing gives it one.
///
/// The first that speaks counts: the overriding route, s-maxage, max-age, Expires, the route, a guess. A no-cache that
/// is not overridden makes it zero, also where it alone makes the response worth storing. Whether the response may be
/// stored at all is not asked here.
///
/// Source: RFC 9111 section 4.2.1
pub fn lifetime(
    status: StatusCode,
    response: &HeaderMap,
    cache_control: &CacheControl,
    choices: &Choices,
    response_time: Millis,
) -> Option<Lifetime> {
    if let Some(fresh_for) = choices.overriding_lifetime(status) {
        let source = LifetimeSource::Override;
        let Choices { stale_while_revalidate, stale_if_error, .. } = *choices;
        return Some(Lifetime { fresh_for, source, stale_while_revalidate, stale_if_error });
    }
    let named = explicit(response, cache_control, response_time)
        .or_else(|| choices.route_lifetime(status))
        .or_else(|| guessed(status, response, cache_control, choices, response_time));
    let (fresh_for, source) = match named {
        Some(_) if cache_control.no_cache => (Duration::ZERO, LifetimeSource::NoCache),
        None if cache_control.no_cache && may_guess(status, cache_control, choices) => {
            (Duration::ZERO, LifetimeSource::NoCache)
        }
        named => named?,
    };
    let (stale_while_revalidate, stale_if_error) = windows(cache_control, choices);
    Some(Lifetime { fresh_for, source, stale_while_revalidate, stale_if_error })
}

/// What keeps a response from ever being fresh, or served while it is renewed, to which the route gives a lifetime.
/// `None` where nothing does, and where the route gives none.
///
/// Source: RFC 9111 section 4.2.1
pub fn defeats_the_route(
    status: StatusCode,
    response: &HeaderMap,
    cache_control: &CacheControl,
    choices: &Choices,
    response_time: Millis,
) -> Option<LifetimeSource> {
    choices.route_lifetime(status).filter(|(given, _)| !given.is_zero())?;
    let lifetime = lifetime(status, response, cache_control, choices, response_time)?;
    let usable_for = lifetime.fresh_for.max(lifetime.stale_while_revalidate);
    (usable_for.is_zero() && !lifetime.source.is_of_route()).then_some(lifetime.source)
}

/// True for a status whose responses are storable without a word from the origin.
///
/// Source: RFC 9110 section 15.1
pub fn is_heuristically_cacheable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// True when the origin forbids that a shared cache serves the response stale.
///
/// Source: RFC 9111 section 4.2.4
pub(super) fn forbids_stale(cache_control: &CacheControl) -> bool {
    cache_control.must_revalidate
        || cache_control.proxy_revalidate
        || cache_control.s_maxage.is_some()
        || cache_control.no_cache
}

fn explicit(
    response: &HeaderMap,
    cache_control: &CacheControl,
    response_time: Millis,
) -> Option<(Duration, LifetimeSource)> {
    if let Some(seconds) = cache_control.s_maxage {
        return Some((Duration::from_secs(seconds), LifetimeSource::SMaxAge));
    }
    if let Some(seconds) = cache_control.max_age {
        return Some((Duration::from_secs(seconds), LifetimeSource::MaxAge));
    }
    if cache_control.targeted || !response.contains_key(EXPIRES) {
        return None;
    }
    // "0" and whatever else is no date mean: expired already.
    let expires = date_in(response, &EXPIRES).unwrap_or(0);
    let fresh_for = expires.saturating_sub(date_or(response, response_time));
    Some((Duration::from_millis(fresh_for), LifetimeSource::Expires))
}

fn guessed(
    status: StatusCode,
    response: &HeaderMap,
    cache_control: &CacheControl,
    choices: &Choices,
    response_time: Millis,
) -> Option<(Duration, LifetimeSource)> {
    if !choices.heuristics || !may_guess(status, cache_control, choices) {
        return None;
    }
    let unchanged_for = date_or(response, response_time).checked_sub(date_in(response, &LAST_MODIFIED)?)?;
    let fresh_for = Duration::from_millis(unchanged_for / 10).min(LONGEST_GUESS);
    Some((fresh_for, LifetimeSource::Heuristic))
}

fn may_guess(status: StatusCode, cache_control: &CacheControl, choices: &Choices) -> bool {
    choices.leaves_open(status) && (is_heuristically_cacheable(status) || cache_control.public)
}

fn date_or(response: &HeaderMap, response_time: Millis) -> Millis {
    date_in(response, &DATE).unwrap_or(response_time)
}

fn windows(cache_control: &CacheControl, choices: &Choices) -> (Duration, Duration) {
    if forbids_stale(cache_control) {
        return (Duration::ZERO, Duration::ZERO);
    }
    let window = |own: Option<u64>, route| own.map_or(route, Duration::from_secs);
    (
        window(cache_control.stale_while_revalidate, choices.stale_while_revalidate),
        window(cache_control.stale_if_error, choices.stale_if_error),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::format_http_date;
    use LifetimeSource::{Expires, Heuristic, MaxAge, NoCache, Override, RouteTtl, SMaxAge, Status};

    const NOW: Millis = 1_000_000_000_000;
    const TTL: Duration = Duration::from_secs(600);

    /// What `response` is given; a line is `name: value`, `@` is a date so many seconds from now.
    fn judge(status: u16, lines: &[&str], choices: &Choices) -> Option<Lifetime> {
        let mut response = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            let value = match value.strip_prefix('@') {
                Some(offset) => format_http_date(NOW.saturating_add_signed(offset.parse::<i64>().unwrap() * 1000)),
                None => value.to_owned(),
            };
            response.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let cache_control = CacheControl::of_response(&response);
        lifetime(StatusCode::from_u16(status).unwrap(), &response, &cache_control, choices, NOW)
    }

    fn fresh(status: u16, lines: &[&str], choices: &Choices) -> Option<(u64, LifetimeSource)> {
        judge(status, lines, choices).map(|lifetime| (lifetime.fresh_for.as_secs(), lifetime.source))
    }

    fn route() -> Choices {
        let statuses = vec![(200, None), (404, Some(Duration::from_secs(5))), (410, Some(Duration::ZERO))];
        Choices { routed: true, ttl: Some(TTL), statuses, ..Choices::default() }
    }

    #[test]
    fn the_first_that_speaks_counts() {
        for (lines, expected) in [
            (&["cache-control: max-age=1, s-maxage=2", "expires: @3"][..], Some((2, SMaxAge))),
            (&["expires: @3", "cache-control: max-age=1"], Some((1, MaxAge))),
            (&["expires: @3"], Some((3, Expires))),
            (&["cdn-cache-control: max-age=4", "cache-control: no-cache, max-age=1", "expires: @3"], Some((4, MaxAge))),
            (&["cdn-cache-control: public", "cache-control: max-age=1", "expires: @3"], None),
            (&["cdn-cache-control: \"", "cache-control: max-age=1"], Some((1, MaxAge))),
            (&["cache-control: public", "last-modified: @-1000"], None),
            (&[], None),
        ] {
            assert_eq!(fresh(200, lines, &Choices::default()), expected, "{lines:?}");
            assert_eq!(fresh(200, lines, &route()), expected.or(Some((600, RouteTtl))), "{lines:?}");
            let overriding = Choices { override_origin: true, ..route() };
            assert_eq!(fresh(200, lines, &overriding), Some((600, Override)), "{lines:?}");
        }
    }

    #[test]
    fn expires_counts_from_date_and_is_over_when_it_cannot_be_read() {
        for (lines, seconds) in [
            (&["expires: @100", "date: @40"][..], 60),
            (&["expires: @100", "date: rubbish"], 100),
            (&["expires: @-100"], 0),
            (&["expires: 0"], 0),
            (&["expires: "], 0),
            (&["expires: @100", "expires: @200"], 0),
            (&["expires: Thu, 18 Aug 2050 02:01:18 UTC"], 0),
        ] {
            assert_eq!(fresh(200, lines, &Choices::default()), Some((seconds, Expires)), "{lines:?}");
        }
    }

    #[test]
    fn a_status_that_the_route_does_not_speak_for_is_the_origins() {
        assert_eq!(fresh(404, &[], &route()), Some((5, Status)));
        for status in [410, 500, 302] {
            assert_eq!(fresh(status, &[], &route()), None);
            let overriding = Choices { override_origin: true, heuristics: true, ..route() };
            assert_eq!(fresh(status, &["last-modified: @-1000"], &overriding), None);
            assert_eq!(fresh(status, &["cache-control: max-age=1"], &overriding), Some((1, MaxAge)));
        }
    }

    #[test]
    fn a_guess_is_a_tenth_of_the_time_unchanged_and_a_day_at_most() {
        let guessing = Choices { heuristics: true, ..Choices::default() };
        for (status, lines, expected) in [
            (200, &["last-modified: @-1000"][..], Some((100, Heuristic))),
            (200, &["last-modified: @-1000", "date: @-500"], Some((50, Heuristic))),
            (200, &["last-modified: Thu, 01 Jan 1970 00:00:00 GMT"], Some((86_400, Heuristic))),
            (200, &["last-modified: @10"], None),
            (200, &["last-modified: rubbish"], None),
            (200, &[], None),
            (302, &["last-modified: @-1000"], None),
            (302, &["last-modified: @-1000", "cache-control: public"], Some((100, Heuristic))),
        ] {
            assert_eq!(fresh(status, lines, &guessing), expected, "{status} {lines:?}");
        }
        let open_route = Choices { ttl: None, heuristics: true, ..route() };
        assert_eq!(fresh(200, &["last-modified: @-1000"], &open_route), Some((100, Heuristic)));
        assert_eq!(fresh(410, &["last-modified: @-1000"], &open_route), None, "listed with zero");
    }

    #[test]
    fn no_cache_is_stored_to_be_validated() {
        for (status, lines, expected) in [
            (200, &["cache-control: no-cache, max-age=60"][..], Some((0, NoCache))),
            (200, &["cache-control: no-cache"], Some((0, NoCache))),
            (500, &["cache-control: no-cache"], None),
        ] {
            assert_eq!(fresh(status, lines, &Choices::default()), expected);
            assert_eq!(fresh(status, lines, &route()), expected);
        }
        let overriding = Choices { override_origin: true, ..route() };
        assert_eq!(fresh(200, &["cache-control: no-cache"], &overriding), Some((600, Override)));
    }

    #[test]
    fn a_lifetime_of_nothing_defeats_the_routes_own() {
        let defeated = |status, lines: &[(&'static str, &'static str)], choices: &Choices| {
            let response: HeaderMap = lines
                .iter()
                .map(|&(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)))
                .collect();
            let cache_control = CacheControl::of_response(&response);
            defeats_the_route(StatusCode::from_u16(status).unwrap(), &response, &cache_control, choices, NOW)
        };
        let said = |value| [("cache-control", value)];
        for (lines, by) in [
            (&said("no-cache")[..], Some(NoCache)),
            (&said("no-cache, max-age=60"), Some(NoCache)),
            (&said("max-age=0"), Some(MaxAge)),
            (&said("max-age=60, s-maxage=0"), Some(SMaxAge)),
            (&[("cdn-cache-control", "max-age=0"), ("cache-control", "max-age=60")], Some(MaxAge)),
            (&[("expires", "0")], Some(Expires)),
            (&[("expires", "Thu, 01 Jan 1970 00:00:00 GMT")], Some(Expires)),
            (&said("max-age=1"), None),
            (&said("max-age=0, stale-while-revalidate=5"), None),
            (&said("must-revalidate"), None),
            (&[], None),
        ] {
            assert_eq!(defeated(200, lines, &route()), by, "{lines:?}");
            assert_eq!(defeated(404, lines, &route()), by, "{lines:?}");
            for status in [410, 500] {
                assert_eq!(defeated(status, lines, &route()), None, "the route gives it nothing");
            }
            assert_eq!(defeated(200, lines, &Choices { override_origin: true, ..route() }), None);
            assert_eq!(defeated(200, lines, &Choices { ttl: Some(Duration::ZERO), ..route() }), None);
            assert_eq!(defeated(200, lines, &Choices::default()), None);
        }
        let windowed = Choices { stale_while_revalidate: TTL, ..route() };
        assert_eq!(defeated(200, &said("max-age=0"), &windowed), None, "a hit while it is renewed");
        assert_eq!(defeated(200, &said("no-cache"), &windowed), Some(NoCache));
    }

    #[test]
    fn the_origins_stale_windows_win_and_its_prohibitions_close_them() {
        let seconds = |lines: &[&str], choices: &Choices| {
            let found = judge(200, lines, choices).unwrap();
            (found.stale_while_revalidate.as_secs(), found.stale_if_error.as_secs())
        };
        let (stale_while_revalidate, stale_if_error) = (Duration::from_secs(7), Duration::from_secs(8));
        let route = Choices { stale_while_revalidate, stale_if_error, ..route() };
        for (line, windows) in [
            ("cache-control: max-age=1", (7, 8)),
            ("cache-control: max-age=1, stale-while-revalidate=3", (3, 8)),
            ("cache-control: stale-if-error=0", (7, 0)),
            ("cache-control: max-age=1, must-revalidate, stale-if-error=4", (0, 0)),
            ("cache-control: max-age=1, proxy-revalidate", (0, 0)),
            ("cache-control: s-maxage=1, stale-while-revalidate=3", (0, 0)),
            ("cache-control: no-cache", (0, 0)),
        ] {
            assert_eq!(seconds(&[line], &route), windows, "{line}");
            let overriding = Choices { override_origin: true, ..route.clone() };
            assert_eq!(seconds(&[line], &overriding), (7, 8), "{line}");
        }
    }
}
