//! A host as requests and the configuration name it: a name or an address, and perhaps a port.

use std::fmt;

use core::net::{Ipv6Addr, SocketAddr};

/// A host in its one spelling: lower-case, an IPv6 address in its short form, its port without zeros in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName {
    name: String,
    port: Option<u16>,
}

impl HostName {
    /// Reads `shop.example`, `127.0.0.1:8080` or `[::1]:8080`; `None` for what [`is_host`] does not take.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, port) = split(text)?;
        let name = ipv6(name).map_or_else(|| name.to_ascii_lowercase(), |address| format!("[{address}]"));
        Some(Self { name, port })
    }

    /// `localhost` at this port.
    pub fn localhost(port: u16) -> Self {
        Self { name: "localhost".to_owned(), port: Some(port) }
    }

    /// Whether a Host field of this text, in a request by this scheme, names it: in any case, and with or without the
    /// scheme's own port.
    ///
    /// Source: RFC 9110 sections 4.2.3 and 7.2
    pub fn is_named_by(&self, text: &str, secure: bool) -> bool {
        let Some((name, port)) = split(text) else { return false };
        let own = own_port(secure);
        port.unwrap_or(own) == self.port.unwrap_or(own)
            && (self.name.eq_ignore_ascii_case(name) || ipv6(name).is_some_and(|it| ipv6(&self.name) == Some(it)))
    }

    /// The Host field that a request by this scheme has for it: without the scheme's own port.
    pub fn by_scheme(&self, secure: bool) -> String {
        match self.port {
            Some(port) if port != own_port(secure) => format!("{}:{port}", self.name),
            _ => self.name.clone(),
        }
    }
}

impl From<SocketAddr> for HostName {
    fn from(address: SocketAddr) -> Self {
        let name = match address {
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        };
        Self { name, port: Some(address.port()) }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)?;
        self.port.map_or(Ok(()), |port| write!(out, ":{port}"))
    }
}

/// A name or an address, and perhaps a port: narrower than RFC 3986, whose sub-delimiters and percent-encoding no host
/// that is reached over a network needs, and which the servers behind do not agree about.
pub fn is_host(text: &str) -> bool {
    split(text).is_some()
}

/// The characters of names, a bit for each: letters, digits and `-._~`.
const IN_NAMES: u128 = {
    let mut bits = 0;
    let mut byte: u8 = 0;
    while byte < 0x80 {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            bits |= 1 << byte;
        }
        byte += 1;
    }
    bits
};

/// The name and the port of a host; `None` where it is none.
fn split(text: &str) -> Option<(&str, Option<u16>)> {
    let end = text
        .strip_prefix('[')
        .and_then(|rest| rest.find(']'))
        .map_or_else(|| text.bytes().position(|byte| byte == b':'), |at| Some(at + 2));
    let (name, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
        _ => return None,
    };
    let plain = || !name.is_empty() && name.bytes().all(|byte| IN_NAMES & 1 << (byte & 0x7f) != 0 && byte.is_ascii());
    (ipv6(name).is_some() || plain()).then_some((name, port))
}

fn ipv6(name: &str) -> Option<Ipv6Addr> {
    name.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

fn own_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for plain in ["a", "a.example", "A.Example:80", "my_api:5000", "127.0.0.1", "[::1]", "[::1]:65535", "a."] {
            assert!(is_host(plain), "{plain}");
        }
        for other in [
            "",
            ":",
            ":80",
            "a:",
            "a:x",
            "a:+1",
            "a:65536",
            "a:1:2",
            "a b",
            "a,b",
            "u@a",
            "a/b",
            "a%2e",
            "[::1",
            "[x]",
            "[::1]x",
            "[::1]:",
            "::1",
            "a;b",
            "a'",
            "[fe80::1%1]",
            "*.a",
        ] {
            assert!(!is_host(other), "{other}");
        }
        assert!(!is_host("caf\u{e9}"));
    }

    #[test]
    fn a_host_has_one_spelling() {
        for (text, spelt) in [
            ("Shop.Example", "shop.example"),
            ("shop.example:0080", "shop.example:80"),
            ("[0:0::0:1]:8080", "[::1]:8080"),
            ("[FE80::A]", "[fe80::a]"),
        ] {
            assert_eq!(HostName::parse(text).unwrap().to_string(), spelt);
        }
        assert_eq!(HostName::parse("http://a"), None);
    }

    #[test]
    fn the_schemes_own_port_may_be_left_out() {
        let named = |known: &str, text: &str, secure| HostName::parse(known).unwrap().is_named_by(text, secure);
        for (known, text, by_http, by_https) in [
            ("shop.example", "SHOP.example", true, true),
            ("shop.example", "shop.example:80", true, false),
            ("shop.example", "shop.example:443", false, true),
            ("shop.example:443", "shop.example", false, true),
            ("shop.example:80", "shop.example", true, false),
            ("[::1]:8080", "[0:0:0:0:0:0:0:1]:8080", true, true),
            ("127.0.0.1:8080", "127.0.0.1", false, false),
            ("shop.example", "shop.example.", false, false),
            ("shop.example", "", false, false),
        ] {
            assert_eq!((named(known, text, false), named(known, text, true)), (by_http, by_https), "{known} {text}");
        }
        let by_scheme = |text: &str, secure| HostName::parse(text).unwrap().by_scheme(secure);
        assert_eq!((by_scheme("a:80", false), by_scheme("a:80", true)), ("a".to_owned(), "a:80".to_owned()));
    }
}
