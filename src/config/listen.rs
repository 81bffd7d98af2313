//! `listen`: one address or several.

use std::net::SocketAddr;

use toml::Spanned;

use super::findings::{Findings, Problem};
use super::forms::OneOrMany;

const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// Every address to listen on; at least one.
pub(super) fn resolve(raw: Option<Spanned<OneOrMany>>, findings: &mut Findings<'_>) -> Vec<SocketAddr> {
    let Some(raw) = raw else { return vec![DEFAULT] };
    let place = raw.span();
    let texts = OneOrMany::texts(raw);
    if texts.is_empty() {
        findings.error(
            place,
            "the list is empty: there is no address to listen on",
            "write listen = \"127.0.0.1:8080\"",
        );
    }
    let mut addresses = Vec::new();
    for text in &texts {
        let Some(address) = findings.check(text, address(text.get_ref())) else { continue };
        if addresses.contains(&address) && address.port() != 0 {
            findings.error(text.span(), format!("{address} is listed twice"), "delete one of the two");
        }
        addresses.push(address);
    }
    addresses
}

/// The same from the command line.
pub(super) fn given(texts: &[String], findings: &mut Findings<'_>) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for text in texts {
        match address(text) {
            Ok(address) => addresses.push(address),
            Err(problem) => {
                let help = problem.help.replace("write \"", "write --listen \"");
                findings.error_in_option(Problem::new(format!("--listen: {}", problem.message), help));
            }
        }
    }
    addresses
}

/// Reads `127.0.0.1:8080` or `[::1]:8080`.
pub(super) fn address(text: &str) -> Result<SocketAddr, Problem> {
    text.parse().map_err(|_| Problem::new(format!("`{text}` is not an address to listen on"), suggestion(text)))
}

fn suggestion(text: &str) -> String {
    let bare = text.trim_start_matches("http://").trim_start_matches("tcp://").trim_end_matches('/');
    let (host, port) = match bare.rsplit_once(':') {
        Some((host, port)) => (host, port),
        None if bare.parse::<u16>().is_ok() => ("", bare),
        None => (bare, "8080"),
    };
    if port.parse::<u16>().is_err() {
        return "write an IP address and a port from 0 to 65535, as in \"127.0.0.1:8080\" or \"[::1]:8080\"".to_owned();
    }
    let host = match host {
        "" | "*" => return format!("write \"127.0.0.1:{port}\" for this machine only, or \"0.0.0.0:{port}\" for all"),
        "localhost" => "127.0.0.1".to_owned(),
        host if host.parse::<std::net::IpAddr>().is_ok() => host.to_owned(),
        host if format!("[{host}]:{port}").parse::<SocketAddr>().is_ok() => format!("[{host}]"),
        _ => return "write an IP address of this machine and a port, as in \"127.0.0.1:8080\"".to_owned(),
    };
    let suggested = if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    format!("write \"{suggested}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        assert!(address("127.0.0.1:8080").is_ok());
        assert!(address("[::1]:0").is_ok());
    }

    #[test]
    fn what_is_none_says_what_to_write() {
        for (text, help) in [
            ("localhost:8080", "\"127.0.0.1:8080\""),
            (":8080", "\"0.0.0.0:8080\""),
            ("8080", "\"127.0.0.1:8080\""),
            ("*:80", "\"0.0.0.0:80\""),
            ("127.0.0.1", "\"127.0.0.1:8080\""),
            ("http://127.0.0.1:8080/", "\"127.0.0.1:8080\""),
            ("::1:8080", "\"[::1]:8080\""),
            ("127.0.0.1:99999", "65535"),
            ("example.org:80", "IP address of this machine"),
            ("", "\"0.0.0.0:8080\""),
        ] {
            let problem = address(text).unwrap_err();
            assert!(problem.help.contains(help), "{text}: {}", problem.help);
        }
    }
}
