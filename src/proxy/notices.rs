//! Tells the log of each route what whoever wrote it has to know and no fault would show: once; and when stored answers
//! begin to stand in for an origin in trouble, and when they no longer do.

use std::sync::Arc;

use http::{HeaderName, StatusCode};

use crate::clock::Millis;
use crate::fields::{CacheStatus, Detail};
use crate::policy::LifetimeSource;
use crate::rules::{Route, Routes, UNROUTED, advice};
use crate::telemetry::{Ended, Episode, Episodes};

/// What has been told of the routes of one configuration, those without a route among them.
#[derive(Debug)]
pub(super) struct Notices {
    withheld: Episodes,
    defeated: Episodes,
    upgrade: Episodes,
    cookies: Episodes,
    /// Stale answers stand in.
    stale: Episodes,
}

/// What is news of stale answers that stand in.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Begins,
    Ends(Ended),
}

/// How paths without a route are called.
const WITHOUT_ROUTE: &str = "paths without a route";

impl Notices {
    /// Nothing yet.
    pub(super) fn about(routes: &Routes) -> Self {
        let none = || Episodes::about(names(routes));
        Self { withheld: none(), defeated: none(), upgrade: none(), cookies: none(), stale: none() }
    }

    /// Those about the routes of another configuration: what holds of them is told again, and where stale answers stand in that
    /// goes on.
    pub(super) fn after(&self, routes: &Routes) -> Self {
        Self { stale: self.stale.after(names(routes)), ..Self::about(routes) }
    }

    /// An answer of the route names these fields in Vary, and the route kept them from the origin.
    pub(super) fn withheld(&self, route: &Route, names: &[HeaderName]) {
        if names.is_empty() || !is_first(&self.withheld, &route.name) {
            return;
        }
        tracing::warn!(
            route = &*route.name,
            "the answers of {} vary by {}, which the route keeps from the origin: a client that sends such a field may get \
             the wrong answer, since all get the one that is made without it; {}",
            route.name,
            listed(names.iter()),
            advice(route, names)
        );
    }

    /// The origin's own word makes the route's lifetime count for nothing.
    pub(super) fn defeated(&self, route: &Route, status: StatusCode, by: LifetimeSource) {
        if !is_first(&self.defeated, &route.name) {
            return;
        }
        tracing::warn!(
            route = &*route.name,
            status = status.as_u16(),
            "the origin sends `{}` with answers of {}, which overrides the route's own `ttl`: none of them is a hit, and the \
             origin is asked every time; with `override_origin = true` the route's `ttl` wins, and what changes without \
             a write through this proxy is seen that much later",
            in_the_origins_words(by),
            route.name
        );
    }

    /// An answer of the route would be stored, did it not set a cookie.
    pub(super) fn sets_cookies(&self, route: &Route) {
        if is_first(&self.cookies, &route.name) {
            tracing::warn!(
                route = &*route.name,
                "an answer of {} sets a cookie and is therefore not stored; if all of them do, there is never a hit. If they \
                 are the same for everybody but for the cookie, `set_cookie = \"strip\"` stores them without it, and no \
                 client is sent one",
                route.name
            );
        }
    }

    /// A client asked for a WebSocket where none is allowed.
    pub(super) fn no_upgrade(&self, route: Option<&Route>) {
        let (name, shown, table) = match route {
            Some(route) => (&*route.name, &*route.name, "this route or [origin]"),
            None => (UNROUTED, WITHOUT_ROUTE, "[origin]"),
        };
        let table = if route.is_some_and(|route| route.upgrade == Some(false)) { "this route" } else { table };
        if is_first(&self.upgrade, name) {
            tracing::warn!(
                route = name,
                "a client asked for a WebSocket on {shown} and was answered as if it had not, since no key allows it: set \
                 `upgrade = true` in {table} if the origin speaks WebSocket there"
            );
        }
    }

    /// Looks at an answer to a read: whether a stale one stands in for the origin's.
    pub(super) fn stands_in(&self, route: Option<&Route>, status: &CacheStatus, ticks: Millis) {
        let shown = route.map_or(WITHOUT_ROUTE, |route| &*route.name);
        match self.news(route.map_or(UNROUTED, |route| &*route.name), status, ticks) {
            None => {}
            Some(News::Begins) => tracing::warn!(
                origin_status = status.forward_status,
                "the origin fails for {shown}: stale stored answers are served in place of its own (stale-if-error)"
            ),
            Some(News::Ends(ended)) => {
                tracing::info!("the origin answers for {shown} again; a stale answer was served {ended}");
            }
        }
    }

    fn news(&self, name: &str, status: &CacheStatus, ticks: Millis) -> Option<News> {
        if status.detail == Some(Detail::StaleIfError) {
            return self.stale.of(name)?.met(ticks).then_some(News::Begins);
        }
        let answered = status.forward_status.is_some_and(|status| status < 500);
        if answered { self.stale.of(name)?.is_over(ticks).map(News::Ends) } else { None }
    }
}

fn names(routes: &Routes) -> impl Iterator<Item = Arc<str>> {
    routes.iter().map(|route| Arc::clone(&route.name)).chain([UNROUTED.into()])
}

fn is_first(told: &Episodes, route: &str) -> bool {
    told.of(route).is_some_and(Episode::is_first)
}

fn listed<'n>(names: impl Iterator<Item = &'n HeaderName>) -> String {
    names.map(HeaderName::as_str).collect::<Vec<_>>().join(", ")
}

/// What the origin wrote for a lifetime of nothing.
const fn in_the_origins_words(by: LifetimeSource) -> &'static str {
    match by {
        LifetimeSource::SMaxAge => "s-maxage=0",
        LifetimeSource::MaxAge => "max-age=0",
        LifetimeSource::Expires => "Expires in the past",
        other => other.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_route_is_told_of_when_stale_answers_begin_to_stand_in_and_when_that_is_over() {
        let episodes = || Episodes::about(["a", "b"].map(Arc::from));
        let notices = Notices {
            withheld: episodes(),
            defeated: episodes(),
            upgrade: episodes(),
            cookies: episodes(),
            stale: episodes(),
        };
        let stale = CacheStatus { detail: Some(Detail::StaleIfError), ..CacheStatus::default() };
        let answered = |status| CacheStatus { forward_status: Some(status), ..CacheStatus::default() };
        let note = |name: &str, status: &CacheStatus, ticks| notices.news(name, status, ticks);
        assert_eq!(note("a", &answered(200), 1), None);
        assert_eq!(note("a", &stale, 2), Some(News::Begins));
        assert_eq!(note("a", &stale, 3), None);
        assert_eq!(note("b", &stale, 4), Some(News::Begins));
        assert_eq!(note("a", &answered(200), 5_000), None, "it may fail again at once");
        for idle in [answered(503), CacheStatus { hit: true, ..CacheStatus::default() }] {
            assert_eq!(note("a", &idle, 20_000), None);
        }
        let ended = |times, lasted| Some(News::Ends(Ended { times, lasted: Duration::from_millis(lasted) }));
        assert_eq!(note("a", &answered(404), 20_000), ended(2, 1));
        assert_eq!(note("a", &answered(200), 20_000), None);
        assert_eq!(note("b", &answered(200), 20_000), ended(1, 0));
        assert_eq!(note("b", &stale, 20_001), Some(News::Begins));
    }
}
