//! `[admin]`: where the running process is asked and told what to do, and by whom.

use std::net::SocketAddr;
use std::path::Path;

use serde::Deserialize;

use super::findings::{Findings, Problem, Text};
use super::listen::address;
use super::table::{Hint, Table};
use crate::admin::{AdminListen, AdminSettings};
use crate::fields::{BearerToken, SHORTEST_TOKEN};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [admin] and its keys below it, as in listen = \"127.0.0.1:9900\""
)]
pub(super) struct RawAdmin {
    pub(super) listen: Option<Text>,
    token: Option<Text>,
}

impl Table for RawAdmin {
    const TITLE: &'static str = "[admin]";
    const HINTS: &'static [Hint] = &[
        Hint::here(
            &["port", "host", "address", "socket", "path", "url"],
            "write listen = \"127.0.0.1:9900\" or listen = \"unix:/run/aside/admin.sock\"",
        ),
        Hint::here(&["enabled", "enable", "off"], "write listen = \"off\" for no admin listener"),
        Hint::here(&["password", "secret", "api_key", "auth"], "write token = \"${file:/run/secrets/admin}\""),
        Hint::anywhere(&["metrics", "prometheus", "dashboard"], "write listen = \"127.0.0.1:9900\" in [admin]"),
    ];
}

const HELP: &str =
    "write an address as in \"127.0.0.1:9900\", a socket as in \"unix:/run/aside/admin.sock\", or \"off\"";

/// The settings. `clients` are the addresses for clients, as far as they could be read; the path of a socket counts from
/// `folder`.
pub(super) fn resolve(
    raw: RawAdmin,
    clients: &[SocketAddr],
    folder: &Path,
    findings: &mut Findings<'_>,
) -> AdminSettings {
    let token = raw.token.as_ref().and_then(|text| findings.check(text, token(text.get_ref())));
    let Some(text) = raw.listen else { return AdminSettings { listen: AdminListen::Default, token } };
    let listen = findings.check(&text, place(text.get_ref(), folder)).unwrap_or_default();
    if let AdminListen::Tcp(own) = listen {
        if let Some(taken) = clients.iter().find(|taken| overlap(**taken, own)) {
            let message = format!("clients are served on {taken} already");
            findings.error(text.span(), message, "write another port");
        }
        if raw.token.is_none() && !own.ip().to_canonical().is_loopback() {
            let message =
                format!("anybody who reaches {own} could purge the cache: beyond this machine a `token` is needed");
            let help = "add token = \"${file:/run/secrets/admin}\", or write \"127.0.0.1:9900\"";
            findings.lacks(text.span(), &["token"], message, help);
        }
    }
    AdminSettings { listen, token }
}

/// Reads a text as a token.
pub(super) fn token(text: &str) -> Result<BearerToken, Problem> {
    BearerToken::new(text).map_err(|why| {
        let help = format!(
            "write {SHORTEST_TOKEN} characters or more, as `openssl rand -hex 16` makes them, or \"${{file:/run/secrets/admin}}\""
        );
        Problem::new(why, help)
    })
}

fn place(text: &str, folder: &Path) -> Result<AdminListen, Problem> {
    if text == "off" {
        return Ok(AdminListen::Off);
    }
    match text.strip_prefix("unix:") {
        Some("") => Err(Problem::new("`unix:` names no socket", HELP)),
        Some(path) => Ok(AdminListen::Unix(folder.join(path))),
        None if text.contains('/') && !text.contains("://") => Err(Problem::new(
            format!("`{text}` is not an address to listen on"),
            format!("write \"unix:{text}\" for a socket"),
        )),
        None => address(text).map(AdminListen::Tcp).map_err(|problem| Problem::new(problem.message, HELP)),
    }
}

/// Whether nobody could listen on both.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let same_kind = one.is_ipv4() == other.is_ipv4();
    let either = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && one.port() != 0 && (one.ip() == other.ip() || (same_kind && either))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_a_socket_or_nothing() {
        let folder = Path::new("/etc/aside");
        let read = |text: &str| place(text, folder).map_err(|problem| problem.help);
        assert_eq!(read("127.0.0.1:9900"), Ok(AdminListen::Tcp("127.0.0.1:9900".parse().unwrap())));
        assert_eq!(read("unix:/run/a.sock"), Ok(AdminListen::Unix("/run/a.sock".into())));
        assert_eq!(read("unix:a.sock"), Ok(AdminListen::Unix("/etc/aside/a.sock".into())));
        assert_eq!(read("off"), Ok(AdminListen::Off));
        assert!(read("/run/a.sock").unwrap_err().contains("\"unix:/run/a.sock\""));
        for text in ["", "unix:", "9900", "localhost:9900", "http://127.0.0.1:9900"] {
            assert!(read(text).unwrap_err().contains("unix:/run/aside/admin.sock"), "{text}");
        }
    }

    #[test]
    fn one_port_has_one_listener() {
        let overlap = |one: &str, other: &str| overlap(one.parse().unwrap(), other.parse().unwrap());
        assert!(overlap("0.0.0.0:80", "127.0.0.1:80") && overlap("[::1]:80", "[::1]:80"));
        assert!(!overlap("127.0.0.1:80", "127.0.0.2:80") && !overlap("0.0.0.0:80", "[::1]:80"));
        assert!(!overlap("127.0.0.1:0", "127.0.0.1:0") && !overlap("0.0.0.0:80", "0.0.0.0:81"));
    }
}
