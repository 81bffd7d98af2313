//! Tells the log, once a route, what whoever wrote the route has to know and no fault would show.

use std::sync::Arc;

use http::{HeaderName, StatusCode};

use crate::policy::LifetimeSource;
use crate::rules::{ROUTELESS, Remedy, Route, Routes, remedy};
use crate::telemetry::Once;

/// What has been told of the routes of one configuration.
#[derive(Debug)]
pub(super) struct Notices {
    withheld: Once,
    defeated: Once,
    upgrade: Once,
    cookies: Once,
}

impl Notices {
    /// Nothing yet.
    pub(super) fn about(routes: &Routes) -> Self {
        let names = || routes.iter().map(|route| Arc::clone(&route.name)).chain([ROUTELESS.into()]);
        let once = || Once::about(names());
        Self { withheld: once(), defeated: once(), upgrade: once(), cookies: once() }
    }

    /// An answer of the route names these fields in Vary, and the route kept them from the origin.
    pub(super) fn withheld(&self, route: &Route, names: &[HeaderName]) {
        if names.is_empty() || !self.withheld.is_first(&route.name) {
            return;
        }
        tracing::warn!(
            route = &*route.name,
            "the answers of {} vary by {}, which the route keeps from the origin: who sends such a field may get the wrong \
             answer, for all get the one that is made without it; {}",
            route.name,
            listed(names.iter()),
            advice(route, names)
        );
    }

    /// The origin's own word makes the route's lifetime count for nothing.
    pub(super) fn defeated(&self, route: &Route, status: StatusCode, by: LifetimeSource) {
        if !self.defeated.is_first(&route.name) {
            return;
        }
        tracing::warn!(
            route = &*route.name,
            status = status.as_u16(),
            "the origin says `{}` of answers of {}, which wins over the route's own lifetime: none is a hit, the origin is \
             asked every time; with `override_origin = true` the route's `ttl` wins, and what changes without a write \
             through this proxy is seen that much later",
            in_the_origins_words(by),
            route.name
        );
    }

    /// An answer of the route would be stored, did it not set a cookie.
    pub(super) fn sets_cookies(&self, route: &Route) {
        if self.cookies.is_first(&route.name) {
            tracing::warn!(
                route = &*route.name,
                "an answer of {} sets a cookie and is not stored for that; if all of them do, none is ever a hit. Where they \
                 are the same for everybody but for the cookie, `set_cookie = \"strip\"` stores them without it, and \
                 nobody is sent one",
                route.name
            );
        }
    }

    /// A client asked for a WebSocket where none is allowed.
    pub(super) fn no_upgrade(&self, route: Option<&Route>) {
        let (name, shown, table) = match route {
            Some(route) => (&*route.name, &*route.name, "this route or [origin]"),
            None => (ROUTELESS, "paths without a route", "[origin]"),
        };
        let table = if route.is_some_and(|route| route.upgrade == Some(false)) { "this route" } else { table };
        if self.upgrade.is_first(name) {
            tracing::warn!(
                route = name,
                "a client asked for a WebSocket on {shown} and was answered as if it had not, for no key allows it: write \
                 `upgrade = true` into {table} if the origin speaks WebSocket there"
            );
        }
    }
}

/// What to write into the route, for each kind of field.
fn advice(route: &Route, names: &[HeaderName]) -> String {
    let needing = |wanted| names.iter().filter(move |name| remedy(name) == wanted);
    let mut lines = Vec::new();
    if needing(Remedy::Vary).next().is_some() {
        let all = route.vary.iter().chain(needing(Remedy::Vary)).map(|name| format!("\"{name}\""));
        lines.push(format!("write `vary = [{}]` into it", all.collect::<Vec<_>>().join(", ")));
    }
    for (wanted, line) in [
        (Remedy::Cookies, "write `cookies = \"key\"` in place of \"ignore\" if users get answers of their own"),
        (
            Remedy::Authorization,
            "write `authorization = \"key\"` in place of \"ignore\" if users get answers of their own",
        ),
    ] {
        if needing(wanted).next().is_some() {
            lines.push(line.to_owned());
        }
    }
    if needing(Remedy::Nothing).next().is_some() {
        let names = listed(needing(Remedy::Nothing));
        lines.push(format!("no route passes {names} on: leave such paths without a route"));
    }
    lines.join("; ")
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
