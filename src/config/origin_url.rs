//! The URLs of an origin, and whether one of them is aside itself.

use http::uri::{Authority, Uri};
use std::net::{IpAddr, SocketAddr};

use super::findings::Problem;

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
        return Err(Problem::new("the origin's URL begins with http:// or https://", help));
    };
    let secure = match scheme.to_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => return Err(Problem::new(format!("`{scheme}://` is no scheme of an origin"), EXAMPLE)),
    };
    // What is before an `@` may be a secret, so this message repeats nothing of the URL.
    if rest.contains('@') {
        let help = "delete what stands before the `@`; clients send their own Authorization";
        return Err(Problem::new("the origin's URL has no user and password", help));
    }
    let uri: Uri = url.parse().map_err(|_| Problem::new(format!("`{url}` is no URL"), EXAMPLE))?;
    let authority = uri.authority().cloned().ok_or_else(|| Problem::new(format!("`{url}` names no host"), EXAMPLE))?;
    if uri.path() != "/" || uri.query().is_some() || rest.contains('#') {
        let help =
            format!("write origin = \"{}://{authority}\"; each request brings its own path", scheme.to_lowercase());
        return Err(Problem::new("the origin's URL has no path", help));
    }
    let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    let has_port =
        port.is_empty() || port.strip_prefix(':').and_then(|port| port.parse().ok()).is_some_and(|port: u16| port != 0);
    if authority.host().is_empty() || !has_port {
        return Err(Problem::new(format!("`{url}` names no host and port"), EXAMPLE));
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
