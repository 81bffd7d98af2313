//! `origin`: the API that is cached, and how long it may take.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Uri};
use serde::Deserialize;
use toml::Spanned;

use super::duration::{RawDuration, at_most, not_zero};
use super::findings::{Findings, Problem, Text, closest};
use super::forms::{ManyOr, OneOrMany};
use super::origin_tls::{self, RawOriginTls};
use super::size::{LEAST_HEADER, RawCount, RawSize, at_least, between, bytes, size_from};
use super::table::{Hint, Level, Table};
use crate::origin::{HealthSettings, HostRule, OriginSettings};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite origin = \"http://127.0.0.1:5000\", or an [origin] table with `url`"
)]
pub(super) struct RawOrigin {
    url: Option<Spanned<OneOrMany>>,
    host: Option<Text>,
    connect_timeout: Option<Spanned<RawDuration>>,
    response_timeout: Option<Spanned<RawDuration>>,
    total_timeout: Option<Spanned<RawDuration>>,
    commit_within: Option<Spanned<RawDuration>>,
    idle_timeout: Option<Spanned<RawDuration>>,
    reuse_after_body: Option<bool>,
    max_connections: Option<Spanned<RawCount>>,
    max_fields: Option<Spanned<RawCount>>,
    max_header: Option<Spanned<RawSize>>,
    upgrade: Option<bool>,
    tunnel_idle: Option<Spanned<RawDuration>>,
    tls: Option<Spanned<RawOriginTls>>,
    health: Option<Spanned<RawOriginHealth>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [origin.health] and its keys below it, as in path = \"/health\""
)]
pub(super) struct RawOriginHealth {
    path: Option<Text>,
    interval: Option<Spanned<RawDuration>>,
    timeout: Option<Spanned<RawDuration>>,
}

impl Table for RawOrigin {
    const TITLE: &'static str = "[origin]";
    const BELOW: &'static [(&'static str, &'static Level)] =
        &[("tls", RawOriginTls::LEVEL), ("health", RawOriginHealth::LEVEL)];
    const FORMS: Option<&'static str> = Some("origin = \"http://127.0.0.1:5000\", or an [origin] table with `url`");
    const HINTS: &'static [Hint] = &[
        Hint::here(&["address", "port", "scheme"], "write it as part of the URL: url = \"http://127.0.0.1:5000\""),
        Hint::here(&["timeout", "read_timeout"], "write `response_timeout` or `connect_timeout`"),
        Hint::here(&["urls", "addresses"], "write url = [\"http://10.0.0.1:5000\", \"http://10.0.0.2:5000\"]"),
        Hint::here(&["websocket", "websockets"], "write upgrade = true"),
        Hint::here(&["health_check", "healthcheck"], "write [origin.health] and path = \"/health\" below it"),
        Hint::here(&["keepalive", "keep_alive"], "write `idle_timeout`"),
        Hint::anywhere(
            &["upstream", "upstreams", "backend", "backends", "proxy_pass", "origin_url", "server", "servers"],
            "write origin = \"http://127.0.0.1:5000\" at the top of the file",
        ),
    ];
}

impl Table for RawOriginHealth {
    const TITLE: &'static str = "[origin.health]";
}

/// A thousand field lines of one name, and those that every answer has. Room for more is made by a slower way.
const MAX_FIELDS: usize = 1024;

/// Those lines, each of two hundred bytes; or one of 200 kB, as apps send that put a state or a policy into a field. The HTTP
/// library reads bodies into a buffer that grows up to this, too, one for each request under way, so it is no larger.
const MAX_HEADER: u64 = 256 << 10;

/// More would cost every answer more than all else that is done for it.
const MOST_FIELDS: usize = 4000;

/// How long the API may take to commit a write after nobody waits for its answer any more.
const COMMIT_WITHIN: Duration = Duration::from_secs(60);

/// What a write may have changed is not stored for so long: after an hour somebody should look at the API.
const LONGEST_COMMIT: Duration = Duration::from_secs(3_600);

/// What the table says: of the origin, and for the store how long a write of unknown outcome may take to be committed.
pub(super) struct Resolved {
    /// `None` when there is no usable URL.
    pub(super) settings: Option<OriginSettings>,
    pub(super) commit_within: Duration,
}

/// The settings; `given` is the URL of the command line, which wins.
pub(super) fn resolve(
    raw: Option<Spanned<ManyOr<RawOrigin>>>,
    given: Option<&str>,
    listen: &[SocketAddr],
    folder: &Path,
    findings: &mut Findings<'_>,
) -> Resolved {
    let table = in_full(raw);
    let commit_within = at_most(LONGEST_COMMIT, table.commit_within, COMMIT_WITHIN, findings);
    let urls = match given {
        Some(url) => urls_given(url, findings),
        None => urls_written(table.url, findings),
    };
    for (url, place) in &urls {
        let Some(address) = own_address(url, listen) else { continue };
        let message = format!("aside itself listens on {address}, so requests would go round in circles");
        let help = "write the address of the API, or make aside listen on another port";
        match place {
            Some(place) => findings.error(place.clone(), message, help),
            None => findings.error_in_option(Problem::new(format!("--origin: {message}"), help)),
        }
    }
    let secure = urls.first().is_some_and(|(url, _)| url.secure);
    let place = urls.first().and_then(|(_, place)| place.clone());
    if let Some(place) = place.clone().filter(|_| secure && table.host.is_none()) {
        let message = "the API sees the client's Host; one that shares its address with other sites may then answer for the wrong one";
        findings.note(place, message, "write host = \"origin\" if it needs its own name, or host = \"client\" if not");
    }
    let addresses: Vec<Authority> = urls.into_iter().map(|(url, _)| url.authority).collect();
    let settings = OriginSettings {
        tls: if addresses.is_empty() { None } else { origin_tls::resolve(table.tls, secure, place, folder, findings) },
        host: table.host.and_then(|host| host_rule(&host, findings)).unwrap_or_default(),
        connect_timeout: not_zero(table.connect_timeout, Duration::from_secs(1), findings),
        response_timeout: not_zero(table.response_timeout, Duration::from_secs(30), findings),
        total_timeout: table.total_timeout.map(|raw| total_timeout(&raw, findings)),
        idle_timeout: not_zero(table.idle_timeout, Duration::from_secs(1), findings),
        reuse_after_body: table.reuse_after_body.unwrap_or(true),
        max_connections: at_least(1, table.max_connections, 1024, findings),
        max_fields: between(1, MOST_FIELDS, table.max_fields, MAX_FIELDS, findings),
        max_header: bytes(size_from(LEAST_HEADER, 4 << 20, table.max_header, MAX_HEADER, findings)),
        health: table.health.and_then(|raw| health(raw, findings)),
        upgrade: table.upgrade.unwrap_or(false),
        tunnel_idle: not_zero(table.tunnel_idle, Duration::from_secs(3600), findings),
        addresses,
    };
    let settings = (!settings.addresses.is_empty()).then_some(settings);
    Resolved { settings, commit_within }
}

/// A URL and its place, if it is in the file.
type Placed = (OriginUrl, Option<Range<usize>>);

fn urls_given(url: &str, findings: &mut Findings<'_>) -> Vec<Placed> {
    match origin_url(url) {
        Ok(url) => vec![(url, None)],
        Err(problem) => {
            let help = problem.help.replace("write origin = ", "write --origin ");
            findings.error_in_option(Problem::new(format!("--origin: {}", problem.message), help));
            Vec::new()
        }
    }
}

fn urls_written(raw: Option<Spanned<OneOrMany>>, findings: &mut Findings<'_>) -> Vec<Placed> {
    let help = "write origin = \"http://127.0.0.1:5000\"";
    let Some(raw) = raw else {
        if findings.tables().is_any_unread() {
            return Vec::new();
        }
        findings.error_nowhere(Problem::new("`origin` is missing: it says where the API is", help));
        return Vec::new();
    };
    let place = raw.span();
    let texts = OneOrMany::texts(raw);
    if texts.is_empty() {
        findings.error(
            place,
            "the list is empty: at least one URL of the API is needed",
            "write url = \"http://127.0.0.1:5000\"",
        );
    }
    let mut urls: Vec<Placed> = Vec::new();
    for text in &texts {
        let Some(url) = findings.check(text, origin_url(text.get_ref())) else { continue };
        if urls.iter().any(|(known, _)| *known == url) {
            findings.error(text.span(), format!("`{}` is listed twice", text.get_ref()), "delete one of the two");
        } else if urls.first().is_some_and(|(first, _)| first.secure != url.secure) {
            let help = "write all of them with http:// or all with https://";
            findings.error(text.span(), "the URLs must all have the same scheme", help);
        }
        urls.push((url, Some(text.span())));
    }
    urls
}

fn total_timeout(raw: &Spanned<RawDuration>, findings: &mut Findings<'_>) -> Duration {
    let duration = raw.get_ref().0;
    if duration.is_zero() {
        let help = "write a longer duration; by default there is no limit";
        findings.error(raw.span(), "the duration must not be zero", help);
    }
    duration
}

/// How the addresses are looked after; `None` without a path.
fn health(raw: Spanned<RawOriginHealth>, findings: &mut Findings<'_>) -> Option<HealthSettings> {
    let place = raw.span();
    let table = raw.into_inner();
    let interval = not_zero(table.interval, Duration::from_secs(5), findings);
    let timeout = not_zero(table.timeout, Duration::from_secs(1), findings);
    let Some(text) = table.path else {
        findings.warning(place, "`path` is missing, so nothing is checked", "add path = \"/health\"");
        return None;
    };
    let path = text.get_ref().parse::<PathAndQuery>().ok().filter(|path| path.as_str().starts_with('/'));
    let problem =
        || Problem::new(format!("`{}` is not a path", text.get_ref()), "write a path, as in path = \"/health\"");
    let path = findings.check(&text, path.ok_or_else(problem))?;
    Some(HealthSettings { path, interval, timeout })
}

fn in_full(raw: Option<Spanned<ManyOr<RawOrigin>>>) -> RawOrigin {
    let Some(raw) = raw else { return RawOrigin::default() };
    let place = raw.span();
    match raw.into_inner() {
        ManyOr::Many(urls) => RawOrigin { url: Some(Spanned::new(place, urls)), ..RawOrigin::default() },
        ManyOr::Table(table) => table,
    }
}

fn host_rule(host: &Text, findings: &mut Findings<'_>) -> Option<HostRule> {
    let text = host.get_ref().as_str();
    match text {
        "origin" => return Some(HostRule::Origin),
        "client" => return Some(HostRule::Client),
        _ => {}
    }
    if let Some(word) = closest(text, ["origin", "client"]) {
        findings.error(host.span(), format!("`{text}` is neither `origin` nor `client`"), format!("write \"{word}\""));
        return None;
    }
    if text.contains('@') || text.parse::<Authority>().is_err() {
        let help = "write \"origin\", \"client\" or a name, as in \"api.example.com\"";
        findings.error(host.span(), format!("`{text}` is not a host"), help);
        return None;
    }
    Some(HostRule::Fixed(text.to_owned()))
}

const EXAMPLE: &str = "write origin = \"http://127.0.0.1:5000\"";

/// One address of the origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OriginUrl {
    pub(super) secure: bool,
    pub(super) authority: Authority,
}

/// Reads `http://host:port` or `https://host:port`.
pub(super) fn origin_url(url: &str) -> Result<OriginUrl, Problem> {
    let Some((scheme, rest)) = url.split_once("://") else {
        let help = match url.parse::<Authority>() {
            Ok(_) if !url.contains('@') => format!("write origin = \"http://{url}\""),
            _ => EXAMPLE.to_owned(),
        };
        return Err(Problem::new("the origin's URL must begin with http:// or https://", help));
    };
    let secure = match scheme.to_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => return Err(Problem::new(format!("`{scheme}://` is not supported for an origin"), EXAMPLE)),
    };
    // What is before an `@` may be a secret, so this message repeats nothing of the URL.
    if rest.contains('@') {
        let help = "delete what is before the `@`; clients send their own Authorization";
        return Err(Problem::new("the origin's URL cannot contain a user or password", help));
    }
    let uri: Uri = url.parse().map_err(|_| Problem::new(format!("`{url}` is not a valid URL"), EXAMPLE))?;
    let authority = uri.authority().cloned().ok_or_else(|| Problem::new(format!("`{url}` has no host"), EXAMPLE))?;
    if uri.path() != "/" || uri.query().is_some() || rest.contains('#') {
        let help =
            format!("write origin = \"{}://{authority}\"; each request brings its own path", scheme.to_lowercase());
        return Err(Problem::new("the origin's URL cannot contain a path", help));
    }
    let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    let has_port =
        port.is_empty() || port.strip_prefix(':').and_then(|port| port.parse().ok()).is_some_and(|port: u16| port != 0);
    if authority.host().is_empty() || !has_port {
        return Err(Problem::new(format!("`{url}` has no valid host and port"), EXAMPLE));
    }
    Ok(OriginUrl { secure, authority })
}

/// The address among `listen` at which this origin would be found.
pub(super) fn own_address(url: &OriginUrl, listen: &[SocketAddr]) -> Option<SocketAddr> {
    let port = url.authority.port_u16().unwrap_or(if url.secure { 443 } else { 80 });
    let host = url.authority.host().trim_start_matches('[').trim_end_matches(']');
    let at_home = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
    let found = |own: IpAddr| match host.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        // To connect to 0.0.0.0 is to connect to this machine, and to listen there is to listen on all its addresses.
        Ok(ip) => {
            let one_of_all = (own.is_unspecified() && at_home(ip)) || (ip.is_unspecified() && at_home(own));
            own == ip || (one_of_all && own.is_ipv4() == ip.is_ipv4())
        }
        Err(_) => host.eq_ignore_ascii_case("localhost") && at_home(own),
    };
    listen.iter().copied().find(|own| own.port() == port && found(own.ip().to_canonical()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_an_origin_may_see() {
        let rule = |text: &str| {
            let mut findings = Findings::new("");
            host_rule(&Spanned::new(0..0, text.to_owned()), &mut findings)
        };
        assert_eq!(rule("origin"), Some(HostRule::Origin));
        assert_eq!(rule("client"), Some(HostRule::Client));
        assert_eq!(rule("api.example.com:81"), Some(HostRule::Fixed("api.example.com:81".to_owned())));
        for text in ["clients", "Origin", "a b", "", "u@h", "a/b"] {
            assert_eq!(rule(text), None, "{text}");
        }
    }

    #[test]
    fn urls_of_origins_are_read() {
        for (url, expected, secure) in [
            ("http://127.0.0.1:5000", "127.0.0.1:5000", false),
            ("http://api/", "api", false),
            ("HTTP://[::1]:80", "[::1]:80", false),
            ("https://api", "api", true),
            ("HTTPS://api:8443/", "api:8443", true),
        ] {
            let url = origin_url(url).unwrap();
            assert_eq!((url.authority.as_str(), url.secure), (expected, secure));
        }
    }

    #[test]
    fn what_is_none_says_what_to_write() {
        for (url, help) in [
            ("127.0.0.1:5000", "\"http://127.0.0.1:5000\""),
            ("https://api/v1", "\"https://api\""),
            ("ftp://api", "http://127.0.0.1:5000"),
            ("http://", "http://127.0.0.1:5000"),
            ("http://api/v1", "\"http://api\""),
            ("http://api/?x=1", "\"http://api\""),
            ("http://api/#x", "\"http://api\""),
            ("http://u:p@api", "before the `@`"),
            ("http://api:0", "http://127.0.0.1:5000"),
            ("http://api:", "http://127.0.0.1:5000"),
            ("http://api:99999", "http://127.0.0.1:5000"),
            ("http://a b", "http://127.0.0.1:5000"),
            ("", "http://127.0.0.1:5000"),
        ] {
            let problem = origin_url(url).unwrap_err();
            assert!(problem.help.contains(help), "{url}: {}", problem.help);
            assert!(!problem.message.contains("u:p"), "{}", problem.message);
        }
    }

    #[test]
    fn an_origin_that_is_one_of_our_own_addresses() {
        let own =
            |url: &str, listen: &str| own_address(&origin_url(url).unwrap(), &[listen.parse().unwrap()]).is_some();
        for (url, listen) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://127.0.0.1", "127.0.0.1:80"),
            ("https://127.0.0.1", "127.0.0.1:443"),
            ("http://localhost:8080", "127.0.0.1:8080"),
            ("http://LocalHost:8080", "[::1]:8080"),
            ("http://localhost:8080", "0.0.0.0:8080"),
            ("http://127.0.0.1:8080", "0.0.0.0:8080"),
            ("http://0.0.0.0:8080", "127.0.0.1:8080"),
            ("http://0.0.0.0:8080", "0.0.0.0:8080"),
            ("http://[::1]:8080", "[::]:8080"),
            ("http://10.0.0.7:8080", "10.0.0.7:8080"),
        ] {
            assert!(own(url, listen), "{url} {listen}");
        }
        for (url, listen) in [
            ("http://127.0.0.1:5000", "127.0.0.1:8080"),
            ("http://127.0.0.2:8080", "127.0.0.1:8080"),
            ("http://[::1]:8080", "0.0.0.0:8080"),
            ("http://10.0.0.8:8080", "0.0.0.0:8080"),
            ("http://api:8080", "0.0.0.0:8080"),
            ("https://127.0.0.1", "127.0.0.1:80"),
        ] {
            assert!(!own(url, listen), "{url} {listen}");
        }
    }
}
