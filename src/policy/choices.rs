//! What the user decided where HTTP leaves a choice, or wants decided otherwise.

use std::time::Duration;

use http::StatusCode;

use super::lifetime::LifetimeSource;

/// What becomes of an answer that sets a cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetCookie {
    /// It is not stored: a cookie is for one user.
    #[default]
    Refuse,
    /// Without a route, and where the origin names a lifetime, it is stored as it is. Source: RFC 9111 section 7.3
    Store,
    /// On a route it is stored without the cookie, and what is served from the store sets none.
    Strip,
}

impl SetCookie {
    /// The word for it in `proxy.toml`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Store => "store",
            Self::Strip => "strip",
        }
    }
}

/// The caching choices of one route, or of all that has no route: that is the [`Default`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one bool a key of proxy.toml")]
pub struct Choices {
    /// A route speaks: credentials were dealt with by the caller, and `ttl` and `statuses` count.
    pub routed: bool,
    /// Freshness lifetime where the origin names none.
    pub ttl: Option<Duration>,
    /// `ttl` wins over the origin's Cache-Control and Expires, for the listed statuses.
    pub override_origin: bool,
    /// With `override_origin`: it also wins over no-store and private.
    pub override_private: bool,
    /// Statuses that the route speaks for, with their lifetime; `None` is `ttl`, zero is never by the route's word.
    pub statuses: Vec<(u16, Option<Duration>)>,
    /// Source: RFC 5861 section 3; the origin's own directive wins.
    pub stale_while_revalidate: Duration,
    /// Source: RFC 5861 section 4; the origin's own directive wins.
    pub stale_if_error: Duration,
    /// A lifetime may be guessed from Last-Modified. Source: RFC 9111 section 4.2.2
    pub heuristics: bool,
    /// A body that ends with the connection may be stored; where no route speaks, with a lifetime that the origin names.
    /// Source: RFC 9112 section 8
    pub close_delimited: bool,
    /// What becomes of an answer that sets a cookie.
    pub set_cookie: SetCookie,
    /// A Cookie in the request does not tell users apart.
    pub ignore_cookies: bool,
    /// An answer to POST that says so may answer later GETs. Source: RFC 9110 section 9.3.3
    pub store_post: bool,
    /// The order of languages and codings that a client wants alike does not tell variants apart.
    /// Source: RFC 9110 section 12.5.4
    pub any_order: bool,
    /// Where no route speaks: store also errors that something outside of the key may have caused, when the origin gives
    /// them a lifetime.
    pub errors: bool,
    /// The client's Cache-Control counts. Source: RFC 9111 section 5.2.1
    pub honour_request_directives: bool,
    /// The largest body that is stored, in bytes.
    pub max_body: u64,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            routed: false,
            ttl: None,
            override_origin: false,
            override_private: false,
            statuses: vec![(StatusCode::OK.as_u16(), None)],
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            heuristics: false,
            close_delimited: false,
            set_cookie: SetCookie::Refuse,
            ignore_cookies: false,
            store_post: false,
            any_order: false,
            errors: false,
            honour_request_directives: true,
            max_body: 1 << 20,
        }
    }
}

impl Choices {
    /// The lifetime that the route gives an answer with this status: none without a route, for a status it does not
    /// list, for one it lists with zero, and for one it lists without a lifetime when it has no `ttl`.
    pub fn route_lifetime(&self, status: StatusCode) -> Option<(Duration, LifetimeSource)> {
        match self.listed(status)? {
            Some(own) => (!own.is_zero()).then_some((own, LifetimeSource::Status)),
            None => self.ttl.map(|ttl| (ttl, LifetimeSource::RouteTtl)),
        }
    }

    /// The lifetime that wins over the origin's words for this status.
    pub fn overriding_lifetime(&self, status: StatusCode) -> Option<Duration> {
        self.override_origin.then(|| self.route_lifetime(status)).flatten().map(|(fresh_for, _)| fresh_for)
    }

    /// True when the route lists the status, with whatever lifetime.
    pub fn lists(&self, status: StatusCode) -> bool {
        self.listed(status).is_some()
    }

    /// True when neither a route's lifetime nor its zero speaks for the status, so that a lifetime may be guessed.
    pub fn leaves_open(&self, status: StatusCode) -> bool {
        !self.routed || (self.ttl.is_none() && self.listed(status) == Some(None))
    }

    /// True when an answer with this status is stored although the origin said no-store or private.
    pub fn overrides_private(&self, status: StatusCode) -> bool {
        self.override_private && self.overriding_lifetime(status).is_some()
    }

    /// True when an answer that sets a cookie may be stored, if nothing else speaks against it. `named` tells whether the
    /// origin names its lifetime.
    pub fn admits_cookies(&self, named: bool) -> bool {
        match self.set_cookie {
            SetCookie::Refuse => false,
            SetCookie::Store => !self.routed && named,
            SetCookie::Strip => self.routed,
        }
    }

    /// True when answers are stored without the cookies that they set.
    pub fn strips_cookies(&self) -> bool {
        self.routed && self.set_cookie == SetCookie::Strip
    }

    #[expect(clippy::option_option, reason = "not listed, listed with the route's ttl, listed with its own")]
    fn listed(&self, status: StatusCode) -> Option<Option<Duration>> {
        let listed = || self.statuses.iter().find(|(listed, _)| *listed == status.as_u16()).map(|(_, own)| *own);
        self.routed.then(listed).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(600);
    const OWN: Duration = Duration::from_secs(5);

    fn route() -> Choices {
        Choices {
            routed: true,
            ttl: Some(TTL),
            statuses: vec![(200, None), (404, Some(OWN)), (410, Some(Duration::ZERO))],
            ..Choices::default()
        }
    }

    #[test]
    fn a_route_speaks_for_the_statuses_it_lists() {
        let lifetime = |code| route().route_lifetime(StatusCode::from_u16(code).unwrap());
        assert_eq!(lifetime(200), Some((TTL, LifetimeSource::RouteTtl)));
        assert_eq!(lifetime(404), Some((OWN, LifetimeSource::Status)));
        assert_eq!(lifetime(410), None, "listed with zero");
        assert_eq!(lifetime(500), None, "not listed");
    }

    #[test]
    fn without_a_route_or_a_ttl_nothing_is_given() {
        let no_ttl = Choices { ttl: None, ..route() };
        assert_eq!(no_ttl.route_lifetime(StatusCode::OK), None);
        let unrouted = Choices { routed: false, ..route() };
        assert_eq!(unrouted.route_lifetime(StatusCode::OK), None);
        assert!(!unrouted.lists(StatusCode::OK));
    }

    #[test]
    fn a_route_that_is_silent_about_a_status_leaves_it_open() {
        let open = |choices: &Choices, code| choices.leaves_open(StatusCode::from_u16(code).unwrap());
        assert!(open(&Choices::default(), 500));
        let no_ttl = Choices { ttl: None, ..route() };
        assert!(open(&no_ttl, 200));
        for code in [404, 410, 500] {
            assert!(!open(&no_ttl, code));
        }
        assert!(!open(&route(), 200));
    }

    #[test]
    fn cookies_are_stored_without_a_route_and_stripped_on_one() {
        let admits = |routed, set_cookie| {
            let choices = Choices { routed, set_cookie, ..Choices::default() };
            (choices.admits_cookies(true), choices.admits_cookies(false), choices.strips_cookies())
        };
        assert_eq!(admits(false, SetCookie::Refuse), (false, false, false));
        assert_eq!(admits(true, SetCookie::Refuse), (false, false, false));
        assert_eq!(admits(false, SetCookie::Store), (true, false, false));
        assert_eq!(admits(true, SetCookie::Store), (false, false, false));
        assert_eq!(admits(false, SetCookie::Strip), (false, false, false));
        assert_eq!(admits(true, SetCookie::Strip), (true, true, true));
    }

    #[test]
    fn private_answers_are_overridden_only_where_the_ttl_is() {
        let lone = Choices { override_private: true, ..route() };
        assert!(!lone.overrides_private(StatusCode::OK));
        let both = Choices { override_origin: true, ..lone };
        assert!(both.overrides_private(StatusCode::OK));
        assert!(!both.overrides_private(StatusCode::INTERNAL_SERVER_ERROR));
    }
}
