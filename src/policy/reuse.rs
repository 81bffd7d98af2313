//! May a stored response answer this request, and is it fresh?

use std::time::Duration;

use http::header::CACHE_CONTROL;
use http::{HeaderMap, StatusCode};

use super::age::current_age;
use super::choices::Choices;
use super::freshness::forbids_stale;
use super::lifetime::{Lifetime, LifetimeSource};
use super::storable::{credential_that_counts, is_public_enough};
use crate::clock::Millis;
use crate::fields::CacheControl;

/// What of a stored response is needed to decide about its reuse; computed once, when it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its status.
    pub status: StatusCode,
    /// What [`storable`](super::storable()) gave it.
    pub lifetime: Lifetime,
    /// What its Cache-Control said.
    pub flags: StoredFlags,
    /// What [`corrected_initial_age`](super::corrected_initial_age) found.
    pub initial_age: Duration,
    /// When it came.
    pub response_time: Millis,
    /// It was invalidated softly: it is stale, however new.
    pub soft: bool,
}

/// What a stored response's Cache-Control means for its reuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredFlags {
    /// It may answer requests that carry credentials. Source: RFC 9111 section 3.5
    pub public_enough: bool,
    /// The origin forbids serving it stale, also to a client that would accept it. Source: RFC 9111 section 4.2.4
    pub must_revalidate: bool,
    /// The origin said private or no-store: it is kept only as long as the route overrides that.
    pub private: bool,
}

impl StoredFlags {
    /// The flags of a response with this Cache-Control.
    pub fn of(cache_control: &CacheControl) -> Self {
        Self {
            public_enough: is_public_enough(cache_control),
            must_revalidate: forbids_stale(cache_control),
            private: cache_control.private || (cache_control.no_store && !cache_control.must_understand),
        }
    }
}

/// What to do with a stored response that the request selected.
///
/// `age` is its current age; `ttl_left` is in whole seconds, rounded away from zero:
/// positive while it is fresh, negative when it is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Serve it.
    Fresh {
        /// Its current age.
        age: Duration,
        /// Seconds until it is stale.
        ttl_left: i64,
    },
    /// Serve it and renew it in the background. Source: RFC 5861 section 3
    StaleWhileRevalidate {
        /// Its current age.
        age: Duration,
        /// Seconds until it was stale.
        ttl_left: i64,
    },
    /// Serve it: it is stale, and the client accepts that. Source: RFC 9111 section 5.2.1.2
    MaxStale {
        /// Its current age.
        age: Duration,
        /// Seconds until it was stale.
        ttl_left: i64,
    },
    /// Ask the origin whether it is still right: it is stale.
    Validate {
        /// Its current age; [`Duration::MAX`] when it seems to come from the future.
        age: Duration,
    },
    /// Ask the origin: it may be another user's answer.
    Credentials,
    /// Ask the origin: the client's Cache-Control does not accept it. Source: RFC 9111 section 5.2.1
    RequestDirective,
}

/// Decides about the reuse of a stored response that the request's key selected, at `now`.
///
/// Allocates nothing. A lifetime that the route gave counts at most as long as the route gives it today, so that a
/// shorter `ttl` works at once on what is stored already; if the route gives none any more, it is over.
///
/// Source: RFC 9111 section 4
pub fn reuse(stored: &Stored, request: &HeaderMap, choices: &Choices, now: Millis) -> Reuse {
    if !may_answer(stored, request, choices) {
        return Reuse::Credentials;
    }
    let age = current_age(stored.initial_age, stored.response_time, now);
    let Lifetime { fresh_for, stale_while_revalidate, .. } = lifetime_today(stored, choices);
    let asked = directives(request, choices);
    if asked.as_ref().is_some_and(|asked| refuses(asked, age, fresh_for)) {
        return Reuse::RequestDirective;
    }
    let ttl_left = ttl_left(fresh_for, age);
    if stored.soft {
        Reuse::Validate { age }
    } else if age < fresh_for {
        Reuse::Fresh { age, ttl_left }
    } else if age < fresh_for.saturating_add(stale_while_revalidate) {
        Reuse::StaleWhileRevalidate { age, ttl_left }
    } else if asked.is_some_and(|asked| accepts_stale(&asked, stored.flags, age.saturating_sub(fresh_for))) {
        Reuse::MaxStale { age, ttl_left }
    } else {
        Reuse::Validate { age }
    }
}

/// The current age of a stored response that may be served because the origin failed; `None` when it may not.
///
/// The caller has asked [`reuse`] before: what may not answer this request may not do so on an error either. A stored
/// error never stands in for another one: it would outlast the trouble that it tells of. What was invalidated softly stands in
/// for as long as if it had not been, for nobody knows when that was; but not where its window is zero.
///
/// Source: RFC 5861 section 4
pub fn may_serve_on_error(stored: &Stored, choices: &Choices, now: Millis) -> Option<Duration> {
    if stored.status.is_server_error() {
        return None;
    }
    let age = current_age(stored.initial_age, stored.response_time, now);
    let Lifetime { fresh_for, stale_if_error, .. } = lifetime_today(stored, choices);
    if stored.soft && stale_if_error.is_zero() {
        return None;
    }
    (age < fresh_for.saturating_add(stale_if_error)).then_some(age)
}

/// True when the client wants a stored response or, if there is none to serve, 504.
///
/// Source: RFC 9111 section 5.2.1.7
pub fn only_if_cached(request: &HeaderMap, choices: &Choices) -> bool {
    directives(request, choices).is_some_and(|asked| asked.only_if_cached)
}

/// True when the request is a matter between this client and the origin: it takes nothing that is stored, however new, or
/// wants its answer not to be stored.
///
/// Source: RFC 9111 sections 5.2.1.1, 5.2.1.4 and 5.2.1.5
pub fn wants_the_origin(request: &HeaderMap, choices: &Choices) -> bool {
    directives(request, choices).is_some_and(|asked| asked.no_cache || asked.no_store || asked.max_age == Some(0))
}

fn may_answer(stored: &Stored, request: &HeaderMap, choices: &Choices) -> bool {
    if stored.flags.private && !choices.overrides_private(stored.status) {
        return false;
    }
    choices.routed || stored.flags.public_enough || credential_that_counts(request, choices).is_none()
}

/// The stored lifetime as far as the route that gave it stands by it today; what the origin gave stands.
pub fn lifetime_today(stored: &Stored, choices: &Choices) -> Lifetime {
    let given = stored.lifetime;
    let fresh_for = match given.source {
        LifetimeSource::Override => choices.overriding_lifetime(stored.status),
        LifetimeSource::RouteTtl | LifetimeSource::Status => choices.route_lifetime(stored.status).map(|(ttl, _)| ttl),
        _ => return given,
    };
    let zero = Duration::ZERO;
    let Some(fresh_for) = fresh_for.map(|today| given.fresh_for.min(today)) else {
        return Lifetime { fresh_for: zero, stale_while_revalidate: zero, stale_if_error: zero, ..given };
    };
    Lifetime { fresh_for, ..given }
}

fn directives(request: &HeaderMap, choices: &Choices) -> Option<CacheControl> {
    (choices.honour_request_directives && request.contains_key(CACHE_CONTROL)).then(|| CacheControl::parse(request))
}

fn refuses(asked: &CacheControl, age: Duration, fresh_for: Duration) -> bool {
    // A client that says max-age=0 wants the origin asked, also within the very same millisecond.
    let too_old = asked.max_age.is_some_and(|limit| limit == 0 || age > Duration::from_secs(limit));
    let too_short = asked.min_fresh.is_some_and(|least| fresh_for.saturating_sub(age) < Duration::from_secs(least));
    asked.no_cache || too_old || too_short
}

fn accepts_stale(asked: &CacheControl, flags: StoredFlags, stale_for: Duration) -> bool {
    let limit = match asked.max_stale {
        None => return false,
        Some(None) => crate::fields::MAX_DELTA_SECONDS,
        Some(Some(seconds)) => seconds,
    };
    !flags.must_revalidate && stale_for <= Duration::from_secs(limit)
}

/// Seconds until a response of this age is stale, as [`Reuse`] tells them.
pub fn ttl_left(fresh_for: Duration, age: Duration) -> i64 {
    let whole = |time: Duration| {
        let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
        i64::try_from(seconds).unwrap_or(i64::MAX)
    };
    match fresh_for.checked_sub(age).filter(|left| !left.is_zero()) {
        Some(left) => whole(left),
        None => whole(age.saturating_sub(fresh_for)).max(1).wrapping_neg(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::fields;

    const CAME: Millis = 1_000_000_000_000;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Fresh for 60 s, then 10 s while it is renewed, and 100 s when the origin fails.
    fn stored(source: LifetimeSource, cache_control: &'static str) -> Stored {
        Stored {
            soft: false,
            status: StatusCode::OK,
            lifetime: Lifetime {
                fresh_for: seconds(60),
                source,
                stale_while_revalidate: seconds(10),
                stale_if_error: seconds(100),
            },
            flags: StoredFlags::of(&CacheControl::parse(&fields(&[("cache-control", cache_control)]))),
            initial_age: Duration::ZERO,
            response_time: CAME,
        }
    }

    fn by_origin() -> Stored {
        stored(LifetimeSource::MaxAge, "max-age=60")
    }

    fn asked(directive: &'static str, age: u64) -> Reuse {
        reuse(&by_origin(), &fields(&[("cache-control", directive)]), &Choices::default(), CAME + age * 1000)
    }

    fn route(ttl: u64) -> Choices {
        Choices { routed: true, ttl: Some(seconds(ttl)), ..Choices::default() }
    }

    #[test]
    fn what_was_invalidated_softly_is_stale_at_once_and_stands_in_within_its_window() {
        let soft = Stored { soft: true, ..by_origin() };
        for (seconds, directive) in [(0, ""), (30, "max-stale"), (65, ""), (80, "max-stale=1000")] {
            let judged =
                reuse(&soft, &fields(&[("cache-control", directive)]), &Choices::default(), CAME + seconds * 1000);
            assert_eq!(judged, Reuse::Validate { age: Duration::from_secs(seconds) }, "{directive}");
        }
        assert_eq!(
            reuse(&soft, &fields(&[("cache-control", "no-cache")]), &Choices::default(), CAME),
            Reuse::RequestDirective
        );
        let on_error = |stored: &Stored, age: u64| may_serve_on_error(stored, &Choices::default(), CAME + age * 1000);
        assert_eq!(on_error(&soft, 30), Some(seconds(30)));
        assert_eq!(on_error(&soft, 159), Some(seconds(159)));
        assert_eq!(on_error(&soft, 160), None);
        let bare = Stored { lifetime: Lifetime { stale_if_error: Duration::ZERO, ..soft.lifetime }, ..soft };
        assert_eq!(on_error(&bare, 30), None);
        assert_eq!(on_error(&Stored { soft: false, ..bare }, 30), Some(seconds(30)));
    }

    #[test]
    fn a_response_is_fresh_then_renewed_then_validated() {
        let at = |millis| reuse(&by_origin(), &HeaderMap::new(), &Choices::default(), CAME + millis);
        let age = Duration::from_millis;
        assert_eq!(at(0), Reuse::Fresh { age: age(0), ttl_left: 60 });
        assert_eq!(at(59_500), Reuse::Fresh { age: age(59_500), ttl_left: 1 });
        assert_eq!(at(60_000), Reuse::StaleWhileRevalidate { age: age(60_000), ttl_left: -1 });
        assert_eq!(at(60_001), Reuse::StaleWhileRevalidate { age: age(60_001), ttl_left: -1 });
        assert_eq!(at(70_000), Reuse::Validate { age: age(70_000) });
    }

    #[test]
    fn an_untrusted_clock_only_ever_asks_the_origin() {
        let now = CAME - 7_200_000;
        for directive in ["max-stale", "max-stale=99999999999", "x"] {
            let request = fields(&[("cache-control", directive)]);
            assert_eq!(
                reuse(&by_origin(), &request, &Choices::default(), now),
                Reuse::Validate { age: Duration::MAX },
                "{directive}"
            );
        }
        assert_eq!(may_serve_on_error(&by_origin(), &Choices::default(), now), None);
    }

    #[test]
    fn anybodys_answer_is_not_given_to_somebody() {
        let with_cookie = fields(&[("cookie", "a=b")]);
        let at = |stored: &Stored, choices: &Choices| reuse(stored, &with_cookie, choices, CAME);
        assert_eq!(at(&by_origin(), &Choices::default()), Reuse::Credentials);
        let public = stored(LifetimeSource::MaxAge, "public, max-age=60");
        assert!(matches!(at(&public, &Choices::default()), Reuse::Fresh { .. }));
        assert!(matches!(at(&by_origin(), &route(60)), Reuse::Fresh { .. }), "the route's caller has dealt with it");
    }

    #[test]
    fn a_private_answer_is_served_only_while_the_route_overrides_it() {
        let private = stored(LifetimeSource::Override, "private");
        let overriding = Choices { override_origin: true, override_private: true, ..route(60) };
        assert!(matches!(reuse(&private, &HeaderMap::new(), &overriding, CAME), Reuse::Fresh { .. }));
        for choices in [route(60), Choices { override_origin: true, ..route(60) }, Choices::default()] {
            assert_eq!(reuse(&private, &HeaderMap::new(), &choices, CAME), Reuse::Credentials);
        }
    }

    #[test]
    fn a_shorter_ttl_works_at_once() {
        let left = |source, choices: &Choices| match reuse(&stored(source, ""), &HeaderMap::new(), choices, CAME) {
            Reuse::Fresh { ttl_left, .. } => Some(ttl_left),
            Reuse::Validate { .. } => None,
            other => panic!("{other:?}"),
        };
        let overriding = |ttl| Choices { override_origin: true, ..route(ttl) };
        assert_eq!(left(LifetimeSource::RouteTtl, &route(5)), Some(5));
        assert_eq!(left(LifetimeSource::RouteTtl, &route(600)), Some(60), "never lengthened");
        assert_eq!(left(LifetimeSource::RouteTtl, &Choices::default()), None, "the route is gone");
        assert_eq!(left(LifetimeSource::Override, &overriding(5)), Some(5));
        assert_eq!(left(LifetimeSource::Override, &route(600)), None, "no longer overridden");
        assert_eq!(left(LifetimeSource::MaxAge, &route(5)), Some(60), "the origin's word");
        let own = Choices { statuses: vec![(200, Some(seconds(7)))], ..route(600) };
        assert_eq!(left(LifetimeSource::Status, &own), Some(7));
        assert_eq!(may_serve_on_error(&stored(LifetimeSource::RouteTtl, ""), &Choices::default(), CAME), None);
    }

    #[test]
    fn request_directives_refuse_what_the_client_does_not_want() {
        for (directive, age) in
            [("no-cache", 0), ("max-age=0", 0), ("max-age=9", 10), ("min-fresh=51", 10), ("min-fresh=1", 65)]
        {
            assert_eq!(asked(directive, age), Reuse::RequestDirective, "{directive}");
        }
        for (directive, age) in [("max-age=10", 10), ("min-fresh=50", 10), ("no-store", 10), ("only-if-cached", 0)] {
            assert!(matches!(asked(directive, age), Reuse::Fresh { .. }), "{directive}");
        }
        let deaf = Choices { honour_request_directives: false, ..Choices::default() };
        let no_cache = fields(&[("cache-control", "no-cache")]);
        assert!(matches!(reuse(&by_origin(), &no_cache, &deaf, CAME), Reuse::Fresh { .. }));
    }

    #[test]
    fn max_stale_accepts_what_the_origin_does_not_forbid() {
        assert_eq!(asked("max-stale", 600), Reuse::MaxStale { age: seconds(600), ttl_left: -540 });
        assert!(matches!(asked("max-stale=20", 80), Reuse::MaxStale { .. }));
        assert!(matches!(asked("max-stale=19", 80), Reuse::Validate { .. }));
        for directive in ["must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache"] {
            let strict = stored(LifetimeSource::MaxAge, directive);
            let request = fields(&[("cache-control", "max-stale")]);
            let found = reuse(&strict, &request, &Choices::default(), CAME + 80_000);
            assert!(matches!(found, Reuse::Validate { .. }), "{directive}");
        }
    }

    #[test]
    fn an_error_is_covered_for_a_while() {
        let at = |age: u64| may_serve_on_error(&by_origin(), &Choices::default(), CAME + age * 1000);
        assert_eq!(at(159), Some(seconds(159)));
        assert_eq!(at(160), None);
        let error = Stored { status: StatusCode::SERVICE_UNAVAILABLE, ..by_origin() };
        assert_eq!(
            may_serve_on_error(&error, &Choices::default(), CAME),
            None,
            "trouble does not stand in for trouble"
        );
    }

    #[test]
    fn only_if_cached_is_heard_where_clients_are() {
        let wanted = fields(&[("cache-control", "only-if-cached")]);
        assert!(only_if_cached(&wanted, &Choices::default()));
        assert!(!only_if_cached(&HeaderMap::new(), &Choices::default()));
        assert!(!only_if_cached(&wanted, &Choices { honour_request_directives: false, ..Choices::default() }));
    }

    #[test]
    fn what_is_left_never_overflows() {
        assert_eq!(ttl_left(Duration::MAX, Duration::ZERO), i64::MAX);
        assert_eq!(ttl_left(Duration::ZERO, Duration::MAX), -i64::MAX);
    }
}
