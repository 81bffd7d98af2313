//! Who may ask the admin listener: which hosts it is asked by, with which token, and in which form what changes something
//! has to come, so that no page of a browser can send it.

use std::net::{IpAddr, SocketAddr};

use http::header::{CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, Version};

use super::answer::Refusal;
use super::endpoint::Endpoint;
use crate::fields::{BearerToken, is_host, is_plain_json};

/// What stands between a request and what it asks for.
#[derive(Debug)]
pub(super) struct Gate {
    /// The address that it listens on; `None` for a unix socket, to which no name leads.
    address: Option<SocketAddr>,
    token: Option<BearerToken>,
}

impl Gate {
    pub(super) fn new(address: Option<SocketAddr>, token: Option<BearerToken>) -> Self {
        Self { address, token }
    }

    /// Whether a token is asked for.
    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// What a request asks for, where it may, by its head alone: of a body nothing is read before that.
    pub(super) fn admit(&self, head: &Parts, has_body: bool) -> Result<Endpoint, Refusal> {
        let path = head.uri.path();
        let open = Endpoint::is_open(path);
        let opens = self.token.as_ref().is_none_or(|token| token.is_in(&head.headers));
        if !self.is_asked_by(head, Endpoint::is_probe(path), opens)? {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "This listener is not known by the host that was asked for; ask it by the address that it listens on.",
            )
            .naming("host"));
        }
        if !open && !opens {
            let told = "This needs the token of [admin]; send it as `Authorization: Bearer …`.";
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, told).naming("authorization"));
        }
        let endpoint = Endpoint::find(&head.method, path)?;
        if head.method != Method::POST && has_body {
            return Err(Refusal::of_field(
                "body",
                "What only asks takes no body; put what it is about into the query.",
            ));
        }
        if head.method == Method::POST && !one_of(head, &CONTENT_TYPE).is_some_and(is_json) {
            let told = "This takes JSON; send it with `content-type: application/json`.";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, told).naming("content-type"));
        }
        Ok(endpoint)
    }

    /// Whether it is asked by a host that leads nowhere else. A page of a site whose name suddenly leads here (DNS rebinding)
    /// still asks for that name; it does not know the token, and probes know no names.
    fn is_asked_by(&self, head: &Parts, open: bool, opens: bool) -> Result<bool, Refusal> {
        let Some(address) = self.address else { return Ok(true) };
        // No browser speaks HTTP/1.0, so nothing is rebound there; some load balancers' probes do.
        if open && head.version == Version::HTTP_10 && !head.headers.contains_key(HOST) {
            return Ok(true);
        }
        let mut hosts = head.headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err(Refusal::of_field("host", "A request has one Host field."));
        };
        let beyond = !address.ip().to_canonical().is_loopback();
        if (self.has_token() && opens) || (open && beyond) {
            return Ok(true);
        }
        let authority = head.uri.authority().map(http::uri::Authority::as_str);
        let leads_here = |host: &str| is_host(host) && leads_to(host, address);
        Ok(host.to_str().is_ok_and(leads_here) && authority.is_none_or(leads_here))
    }
}

/// Whether it is JSON by its plain name: `application/problem+json` is another format.
fn is_json(value: &HeaderValue) -> bool {
    let essence = value.to_str().ok().and_then(|value| value.split(';').next()).map(str::trim);
    is_plain_json(value) && essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
}

/// A field that is there once.
fn one_of<'h>(head: &'h Parts, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut lines = head.headers.get_all(name).iter();
    lines.next().filter(|_| lines.next().is_none())
}

/// Whether a host is this machine by a name that nobody else gives, or the address itself.
fn leads_to(host: &str, address: SocketAddr) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let Ok(named) = bare.parse::<IpAddr>().map(|named| named.to_canonical()) else { return false };
    let own = address.ip().to_canonical();
    named.is_loopback() || own.is_unspecified() || named == own
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    const TOKEN: &str = "sesame-open-sesame";

    fn gate(address: &str, token: Option<&str>) -> Gate {
        Gate::new(address.parse().ok(), token.map(|token| BearerToken::new(token).unwrap()))
    }

    fn asked(gate: &Gate, method: &str, target: &str, fields: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        gate.admit(&head, false).map_or_else(|refusal| refusal.status.as_u16(), |_| 200)
    }

    #[test]
    fn what_only_asks_has_no_body_and_who_may_not_ask_is_told_that_first() {
        let gate = gate("127.0.0.1:9", Some(TOKEN));
        let status = |method: &str, path: &str, token: bool| {
            let request = Request::builder().method(method).uri(path).header(HOST, "localhost");
            let request = if token { request.header("authorization", format!("Bearer {TOKEN}")) } else { request };
            let head = request.header(CONTENT_TYPE, "application/json").body(()).unwrap().into_parts().0;
            gate.admit(&head, true).map_or_else(|refusal| refusal.status.as_u16(), |_| 200)
        };
        for (method, path) in [("GET", "/livez"), ("HEAD", "/readyz"), ("GET", "/"), ("GET", "/page.js")] {
            assert_eq!(status(method, path, false), 400, "{method} {path}");
        }
        for (method, path, admitted) in
            [("GET", "/status", 400), ("GET", "/explain", 400), ("POST", "/purge", 200), ("POST", "/reload", 200)]
        {
            assert_eq!((status(method, path, false), status(method, path, true)), (401, admitted), "{method} {path}");
        }
    }

    #[test]
    fn only_hosts_that_lead_here_are_answered() {
        for (address, host, status) in [
            ("127.0.0.1:9", "127.0.0.1:9", 200),
            ("127.0.0.1:9", "localhost:9", 200),
            ("127.0.0.1:9", "LocalHost", 200),
            ("127.0.0.1:9", "[::1]:9", 200),
            ("127.0.0.1:9", "10.0.0.1:9", 403),
            ("127.0.0.1:9", "evil.example:9", 403),
            ("127.0.0.1:9", "localhost.evil.example", 403),
            ("127.0.0.1:9", "127.0.0.1.evil.example:9", 403),
            ("127.0.0.1:9", "127.0.0.1@evil.example", 403),
            ("127.0.0.1:9", "", 403),
            ("[::1]:9", "[::1]", 200),
            ("10.0.0.1:9", "10.0.0.1:9", 200),
            ("10.0.0.1:9", "10.0.0.2:9", 403),
            ("0.0.0.0:9", "10.0.0.2:9", 200),
            ("0.0.0.0:9", "aside.example:9", 403),
            ("unix", "whatever.example", 200),
        ] {
            assert_eq!(asked(&gate(address, None), "GET", "/status", &[("host", host)]), status, "{address} {host}");
        }
        let here = gate("127.0.0.1:9", None);
        assert_eq!(asked(&here, "GET", "/status", &[]), 400);
        assert_eq!(asked(&here, "GET", "/status", &[("host", "localhost"), ("host", "evil.example")]), 400);
        assert_eq!(asked(&here, "GET", "http://evil.example/status", &[("host", "localhost")]), 403);
        assert_eq!(asked(&here, "GET", "/livez", &[("host", "evil.example")]), 403);
    }

    #[test]
    fn a_probe_of_a_version_without_host_needs_none() {
        let status = |gate: &Gate, target: &str, version: Version, host: Option<&str>| {
            let request = Request::builder().uri(target).version(version);
            let request = host.into_iter().fold(request, |request, host| request.header(HOST, host));
            gate.admit(&request.body(()).unwrap().into_parts().0, false).map_or_else(|no| no.status.as_u16(), |_| 200)
        };
        for here in [gate("127.0.0.1:9", None), gate("0.0.0.0:9", Some(TOKEN))] {
            assert_eq!(status(&here, "/livez", Version::HTTP_10, None), 200);
            assert_eq!(status(&here, "/readyz", Version::HTTP_10, None), 200);
            assert_eq!(status(&here, "/livez", Version::HTTP_11, None), 400);
            assert_eq!(status(&here, "/status", Version::HTTP_10, None), 400);
        }
        assert_eq!(status(&gate("127.0.0.1:9", None), "/livez", Version::HTTP_10, Some("evil.example")), 403);
    }

    #[test]
    fn a_token_is_asked_for_everywhere_but_by_probes() {
        let gate = gate("0.0.0.0:9", Some(TOKEN));
        let right = format!("Bearer {TOKEN}");
        let asks = |path: &str, host: &str, authorization: Option<&str>| {
            let fields: Vec<_> =
                [("host", host)].into_iter().chain(authorization.map(|value| ("authorization", value))).collect();
            asked(&gate, "GET", path, &fields)
        };
        assert_eq!(asks("/status", "10.0.0.2", Some(&right)), 200);
        assert_eq!(asks("/status", "aside.example", Some(&right)), 200);
        assert_eq!(asks("/status", "10.0.0.2", None), 401);
        assert_eq!(asks("/nothing", "10.0.0.2", None), 401);
        assert_eq!(asks("/status", "10.0.0.2", Some("Bearer sesame")), 401);
        assert_eq!(asks("/livez", "aside.example", None), 200);
        assert_eq!(asks("/readyz", "aside.example", None), 200);
        let twice = [("host", "10.0.0.2"), ("authorization", &*right), ("authorization", &*right)];
        assert_eq!(asked(&gate, "GET", "/status", &twice), 401);
    }

    #[test]
    fn what_changes_something_comes_as_json() {
        let gate = gate("unix", None);
        for (kind, status) in [
            ("application/json", 200),
            ("application/json; charset=utf-8", 200),
            ("Application/JSON ;charset=\"UTF-8\"", 200),
            ("application/problem+json", 415),
            ("text/json", 415),
            ("application/json; charset=utf-16", 415),
            ("text/plain", 415),
            ("application/x-www-form-urlencoded", 415),
            ("text/plain, application/json", 415),
        ] {
            assert_eq!(asked(&gate, "POST", "/reload", &[("content-type", kind)]), status, "{kind}");
        }
        assert_eq!(asked(&gate, "POST", "/reload", &[]), 415);
    }
}
