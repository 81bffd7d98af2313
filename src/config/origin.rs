//! `origin`: the API that is cached, and how long it may take.

use http::uri::{Authority, Uri};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use toml::Spanned;

use super::file::OriginTable;
use super::findings::{Findings, Problem, Text, closest};
use super::forms::TextOr;
use super::limits::{at_least, not_zero};
use crate::origin::{HostRule, OriginSettings};

const EXAMPLE: &str = "write origin = \"http://127.0.0.1:5000\"";

/// The settings; `given` is the URL of the command line, which wins. `None` when there is no usable URL.
pub(super) fn mean(
    written: Option<Spanned<TextOr<OriginTable>>>,
    given: Option<&str>,
    listen: &[SocketAddr],
    findings: &mut Findings<'_>,
) -> Option<OriginSettings> {
    let table = in_full(written);
    let authority = match (given, &table.url) {
        (Some(url), _) => match authority(url) {
            Ok(authority) => Some(authority),
            Err(problem) => {
                let help = problem.help.replace("write origin = ", "write --origin ");
                findings.error_nowhere(Problem::new(format!("--origin: {}", problem.message), help));
                None
            }
        },
        (None, Some(url)) => findings.check(url, authority(url.get_ref())),
        (None, None) => {
            findings.error_nowhere(Problem::new("`origin` is missing: nobody says where the API is", EXAMPLE));
            None
        }
    };
    if let Some(address) = authority.as_ref().and_then(|authority| own_address(authority, listen)) {
        let message = format!("{address} is where aside itself listens: a request would go round in circles");
        let help = "write the address of the API, or let aside listen on another port";
        match table.url.as_ref().filter(|_| given.is_none()) {
            Some(url) => findings.error(url.span(), message, help),
            None => findings.error_nowhere(Problem::new(message, help)),
        }
    }
    let settings = OriginSettings {
        authority: authority.clone().unwrap_or_else(|| Authority::from_static("origin.invalid")),
        host: table.host.and_then(|host| host_rule(&host, findings)).unwrap_or_default(),
        connect_timeout: not_zero(table.connect_timeout, Duration::from_secs(1), findings),
        response_timeout: not_zero(table.response_timeout, Duration::from_secs(30), findings),
        idle_timeout: not_zero(table.idle_timeout, Duration::from_secs(1), findings),
        max_connections: at_least(1, table.max_connections, 1024, findings),
    };
    authority.map(|_| settings)
}

/// The address among `listen` at which this origin would be found.
fn own_address(authority: &Authority, listen: &[SocketAddr]) -> Option<SocketAddr> {
    let port = authority.port_u16().unwrap_or(80);
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
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

fn in_full(written: Option<Spanned<TextOr<OriginTable>>>) -> OriginTable {
    let Some(written) = written else { return OriginTable::default() };
    let place = written.span();
    match written.into_inner() {
        TextOr::Text(url) => OriginTable { url: Some(Spanned::new(place, url)), ..OriginTable::default() },
        TextOr::Table(table) => table,
    }
}

/// Reads `http://host:port`.
pub(super) fn authority(url: &str) -> Result<Authority, Problem> {
    let Some((scheme, rest)) = url.split_once("://") else {
        let help = match url.parse::<Authority>() {
            Ok(_) if !url.contains('@') => format!("write origin = \"http://{url}\""),
            _ => EXAMPLE.to_owned(),
        };
        return Err(Problem::new("the origin's URL begins with http://", help));
    };
    match scheme.to_lowercase().as_str() {
        "http" => {}
        "https" => {
            let help = "write http://, and the port of the API where it speaks plain HTTP";
            return Err(Problem::new("an https:// origin is not supported by this version", help));
        }
        _ => return Err(Problem::new(format!("`{scheme}://` is no scheme of an origin"), EXAMPLE)),
    }
    // What is before an `@` may be a secret, so this message repeats nothing of the URL.
    if rest.contains('@') {
        let help = "delete what stands before the `@`; clients send their own Authorization";
        return Err(Problem::new("the origin's URL has no user and password", help));
    }
    let uri: Uri = url.parse().map_err(|_| Problem::new(format!("`{url}` is no URL"), EXAMPLE))?;
    let authority = uri.authority().cloned().ok_or_else(|| Problem::new(format!("`{url}` names no host"), EXAMPLE))?;
    if uri.path() != "/" || uri.query().is_some() || rest.contains('#') {
        let help = format!("write origin = \"http://{authority}\"; each request brings its own path");
        return Err(Problem::new("the origin's URL has no path", help));
    }
    let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    let has_port =
        port.is_empty() || port.strip_prefix(':').and_then(|port| port.parse().ok()).is_some_and(|port: u16| port != 0);
    if authority.host().is_empty() || !has_port {
        return Err(Problem::new(format!("`{url}` names no host and port"), EXAMPLE));
    }
    Ok(authority)
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
    fn urls_of_origins_are_read() {
        for (url, expected) in
            [("http://127.0.0.1:5000", "127.0.0.1:5000"), ("http://api/", "api"), ("HTTP://[::1]:80", "[::1]:80")]
        {
            assert_eq!(authority(url).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn what_is_none_says_what_to_write() {
        for (url, help) in [
            ("127.0.0.1:5000", "\"http://127.0.0.1:5000\""),
            ("https://api", "plain HTTP"),
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
            let problem = authority(url).unwrap_err();
            assert!(problem.help.contains(help), "{url}: {}", problem.help);
            assert!(!problem.message.contains("u:p"), "{}", problem.message);
        }
    }

    #[test]
    fn an_origin_that_is_one_of_our_own_addresses() {
        let own = |url: &str, listen: &str| own_address(&authority(url).unwrap(), &[listen.parse().unwrap()]).is_some();
        for (url, listen) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://127.0.0.1", "127.0.0.1:80"),
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
        ] {
            assert!(!own(url, listen), "{url} {listen}");
        }
    }

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
