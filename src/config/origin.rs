//! `origin`: the API that is cached, and how long it may take.

use http::uri::{Authority, PathAndQuery};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use toml::Spanned;

use super::duration::WrittenDuration;
use super::file::{OriginHealthTable, OriginTable};
use super::findings::{Findings, Problem, Text, closest};
use super::forms::{ManyOr, OneOrMany};
use super::limits::{LEAST_HEADER, at_least, between, bytes, not_zero, size_from};
use super::origin_tls;
use super::origin_url::{OriginUrl, origin_url, own_address};
use crate::origin::{HealthSettings, HostRule, OriginSettings};

/// A thousand field lines of one name, and those that every answer has.
const MAX_FIELDS: usize = 1100;

/// Those lines, each of more than a hundred bytes. The HTTP library reads bodies into a buffer that grows up to this, too, one
/// for each request under way: with four times as much a thousand clients who do not read took twice the memory.
const MAX_HEADER: u64 = 128 << 10;

/// More would cost every answer more than all else that is done for it.
const MOST_FIELDS: usize = 4000;

/// The settings; `given` is the URL of the command line, which wins. `None` when there is no usable URL.
pub(super) fn mean(
    written: Option<Spanned<ManyOr<OriginTable>>>,
    given: Option<&str>,
    listen: &[SocketAddr],
    folder: &Path,
    findings: &mut Findings<'_>,
) -> Option<OriginSettings> {
    let table = in_full(written);
    let urls = match given {
        Some(url) => urls_given(url, findings),
        None => urls_written(table.url, findings),
    };
    for (url, place) in &urls {
        let Some(address) = own_address(url, listen) else { continue };
        let message = format!("{address} is where aside itself listens: a request would go round in circles");
        let help = "write the address of the API, or let aside listen on another port";
        match place {
            Some(place) => findings.error(place.clone(), message, help),
            None => findings.error_in_option(Problem::new(format!("--origin: {message}"), help)),
        }
    }
    let secure = urls.first().is_some_and(|(url, _)| url.secure);
    let place = urls.first().and_then(|(_, place)| place.clone());
    if let Some(place) = place.clone().filter(|_| secure && table.host.is_none()) {
        let message =
            "the API sees the client's Host: one that is chosen by its own name answers it with somebody else's page";
        findings.note(place, message, "write host = \"origin\" where it is, or host = \"client\" where it is not");
    }
    let addresses: Vec<Authority> = urls.into_iter().map(|(url, _)| url.authority).collect();
    let settings = OriginSettings {
        tls: if addresses.is_empty() { None } else { origin_tls::mean(table.tls, secure, place, folder, findings) },
        host: table.host.and_then(|host| host_rule(&host, findings)).unwrap_or_default(),
        connect_timeout: not_zero(table.connect_timeout, Duration::from_secs(1), findings),
        response_timeout: not_zero(table.response_timeout, Duration::from_secs(30), findings),
        total_timeout: table.total_timeout.map(|written| total_timeout(&written, findings)),
        idle_timeout: not_zero(table.idle_timeout, Duration::from_secs(1), findings),
        reuse_after_body: table.reuse_after_body.unwrap_or(true),
        max_connections: at_least(1, table.max_connections, 1024, findings),
        max_fields: between(1, MOST_FIELDS, table.max_fields, MAX_FIELDS, findings),
        max_header: bytes(size_from(LEAST_HEADER, 4 << 20, table.max_header, MAX_HEADER, findings)),
        health: table.health.and_then(|written| health(written, findings)),
        upgrade: table.upgrade.unwrap_or(false),
        tunnel_idle: not_zero(table.tunnel_idle, Duration::from_secs(3600), findings),
        addresses,
    };
    (!settings.addresses.is_empty()).then_some(settings)
}

/// A URL and where it stands, if it stands in the file.
type Placed = (OriginUrl, Option<std::ops::Range<usize>>);

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

fn urls_written(written: Option<Spanned<OneOrMany>>, findings: &mut Findings<'_>) -> Vec<Placed> {
    let help = "write origin = \"http://127.0.0.1:5000\"";
    let Some(written) = written else {
        if findings.tables().is_any_unread() {
            return Vec::new();
        }
        findings.error_nowhere(Problem::new("`origin` is missing: nobody says where the API is", help));
        return Vec::new();
    };
    let place = written.span();
    let texts = match written.into_inner() {
        OneOrMany::One(text) => vec![Spanned::new(place.clone(), text)],
        OneOrMany::Many(texts) => texts,
    };
    if texts.is_empty() {
        findings.error(
            place,
            "the list is empty: nobody says where the API is",
            "write url = \"http://127.0.0.1:5000\"",
        );
    }
    let mut urls: Vec<Placed> = Vec::new();
    for text in &texts {
        let Some(url) = findings.check(text, origin_url(text.get_ref())) else { continue };
        if urls.iter().any(|(known, _)| *known == url) {
            findings.error(text.span(), format!("`{}` stands twice", text.get_ref()), "delete one of the two");
        } else if urls.first().is_some_and(|(first, _)| first.secure != url.secure) {
            let help = "write all of them with http:// or all with https://";
            findings.error(text.span(), "the addresses of one origin have one scheme", help);
        }
        urls.push((url, Some(text.span())));
    }
    urls
}

fn total_timeout(written: &Spanned<WrittenDuration>, findings: &mut Findings<'_>) -> Duration {
    let duration = written.get_ref().0;
    if duration.is_zero() {
        let help = "write a longer one; without this line there is no limit";
        findings.error(written.span(), "with no time at all nothing can be done", help);
    }
    duration
}

/// How the addresses are looked after; `None` without a path.
fn health(written: Spanned<OriginHealthTable>, findings: &mut Findings<'_>) -> Option<HealthSettings> {
    let place = written.span();
    let table = written.into_inner();
    let interval = not_zero(table.interval, Duration::from_secs(5), findings);
    let timeout = not_zero(table.timeout, Duration::from_secs(1), findings);
    let Some(text) = table.path else {
        findings.warning(place, "without a `path` nothing is checked", "add path = \"/health\"");
        return None;
    };
    let path = text.get_ref().parse::<PathAndQuery>().ok().filter(|path| path.as_str().starts_with('/'));
    let problem = || Problem::new(format!("`{}` is no path", text.get_ref()), "write it as in path = \"/health\"");
    let path = findings.check(&text, path.ok_or_else(problem))?;
    Some(HealthSettings { path, interval, timeout })
}

fn in_full(written: Option<Spanned<ManyOr<OriginTable>>>) -> OriginTable {
    let Some(written) = written else { return OriginTable::default() };
    let place = written.span();
    match written.into_inner() {
        ManyOr::Many(urls) => OriginTable { url: Some(Spanned::new(place, urls)), ..OriginTable::default() },
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
        findings.error(host.span(), format!("`{text}` is no host"), help);
        return None;
    }
    Some(HostRule::Fixed(text.to_owned()))
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
}
