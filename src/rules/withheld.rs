//! What a route keeps from the origin although its answers say, in `Vary`, that they depend on it.
//!
//! Such an answer is the one for a request without the field, whoever asks.

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, COOKIE, HOST, HeaderName, ORIGIN};

use super::route::{Credential, Route, keyed_value};
use crate::fields::{TRACEPARENT, Vary};
use crate::policy::{is_credential, is_forgeable};

/// Which key of a route puts a field into its key, and so before the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It can stand in `vary`.
    Vary,
    /// `cookies = "key"`.
    Cookies,
    /// `authorization = "key"`.
    Authorization,
    /// None: only proxies may say it, so no client's own reaches the origin.
    Nothing,
}

impl Remedy {
    /// The line of a route that does it, where it is always the same one.
    pub const fn line(self) -> Option<&'static str> {
        match self {
            Self::Cookies => Some("cookies = \"key\""),
            Self::Authorization => Some("authorization = \"key\""),
            Self::Vary | Self::Nothing => None,
        }
    }
}

/// The request fields that this answer names in `Vary` and that the route neither keys nor passes on a fill, lower-cased,
/// sorted, each once. Empty for `Vary: *`, which is never stored.
///
/// Source: RFC 9110 section 12.5.5
pub fn withheld(route: &Route, answer: &HeaderMap) -> Vec<HeaderName> {
    match Vary::of(answer) {
        Vary::Any => Vec::new(),
        Vary::Fields(mut names) => {
            names.retain(|name| withholds(route, name));
            names
        }
    }
}

/// Whether this answer says that it depends on the trace of the request that brought it about, which is in no key: each
/// request has another.
pub fn varies_by_trace(route: &Route, answer: &HeaderMap) -> bool {
    let names_it = matches!(Vary::of(answer), Vary::Fields(names) if names.contains(&TRACEPARENT));
    names_it && !route.vary.contains(&TRACEPARENT)
}

/// Whether a request says anything in one of these fields that its absence, which is what the origin sees, does not.
pub fn says_any(request: &HeaderMap, withheld: &[HeaderName]) -> bool {
    withheld.iter().any(|name| keyed_value(request, name).is_some())
}

/// What to write into the route for a field that it withholds.
pub fn remedy(name: &HeaderName) -> Remedy {
    if *name == COOKIE {
        Remedy::Cookies
    } else if *name == AUTHORIZATION || is_credential(name) {
        Remedy::Authorization
    } else if is_forgeable(name) || name.as_str().contains('_') {
        Remedy::Nothing
    } else {
        Remedy::Vary
    }
}

/// What to write into a route for the fields that it withholds, each kind of them apart.
pub fn advice(route: &Route, names: &[HeaderName]) -> String {
    let needing = |wanted| names.iter().filter(move |name| remedy(name) == wanted);
    let mut lines = Vec::new();
    if needing(Remedy::Vary).next().is_some() {
        let all = route.vary.iter().chain(needing(Remedy::Vary)).map(|name| format!("\"{name}\""));
        lines.push(format!("set `vary = [{}]` in it", all.collect::<Vec<_>>().join(", ")));
    }
    for wanted in [Remedy::Cookies, Remedy::Authorization] {
        if let Some(line) = wanted.line().filter(|_| needing(wanted).next().is_some()) {
            lines.push(format!("set `{line}` in place of \"ignore\" if users get answers of their own"));
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

/// True for a field that selects no answer, since the proxy itself deals with what it asks for: the connection's own, those
/// of a body, conditions, parts, and the client's Cache-Control.
pub fn is_dealt_with(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "content-length"
            | "content-type"
            | "expect"
            | "range"
            | "if-match"
            | "if-none-match"
            | "if-modified-since"
            | "if-unmodified-since"
            | "if-range"
            | "cache-control"
            | "pragma"
    )
}

fn withholds(route: &Route, name: &HeaderName) -> bool {
    // The scheme is in every key. Which Host the origin sees is no choice of the route's. Without `vary` an answer in a
    // coding is not stored, and codings are the proxy's own. A preflight is an OPTIONS, and passes.
    // Of the trace the origin sees whatever goes along: see `varies_by_trace`.
    let seen = [ACCEPT_ENCODING, HOST, ORIGIN, TRACEPARENT].contains(name)
        || name.as_str() == "x-forwarded-proto"
        || name.as_str().starts_with("access-control-request-");
    if seen || is_dealt_with(name) || route.vary.contains(name) {
        return false;
    }
    // A request that carries one that is not ignored is keyed by it, or goes past the route's entries.
    match remedy(name) {
        Remedy::Cookies => route.cookies == Credential::Ignore,
        Remedy::Authorization => route.authorization == Credential::Ignore,
        Remedy::Vary | Remedy::Nothing => true,
    }
}
