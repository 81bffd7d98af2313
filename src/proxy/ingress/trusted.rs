//! What a trusted proxy in front says of the client: its address, its scheme, and the host that it asked for.
//!
//! `X-Forwarded-For`, `-Proto` and `-Host` count; where there is no X-Forwarded-For, `Forwarded` (RFC 7239) does. A list
//! is read from its right end, for only that was written by the proxy that we know; what a client wrote stands left of it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::fields::{is_host, list_members};
use crate::handler::Client;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Who asks, and for which host.
pub(super) struct Asking {
    pub(super) client: Client,
    pub(super) host: Option<HeaderValue>,
    /// Whether the other end of the connection is one of the trusted proxies.
    pub(super) peer_is_trusted: bool,
}

/// What a proxy told; `None` for what it did not, or not well.
#[derive(Default)]
struct Told {
    address: Option<IpAddr>,
    secure: Option<bool>,
    host: Option<HeaderValue>,
}

/// The client as its trusted proxy tells it, else as the connection does. Where the list of addresses cannot be read the
/// peer's own address is the best there is, and names nobody. What the proxy says of the scheme is about this request, and so comes before what is known of
/// the connection: by its TLS, by a PROXY header, or by `secure` in the configuration.
pub(super) fn asking(peer: Client, host: Option<HeaderValue>, fields: &HeaderMap, trusted: &[IpNet]) -> Asking {
    if !peer.address.is_some_and(|address| is_trusted(address, trusted)) {
        return Asking { client: peer, host, peer_is_trusted: false };
    }
    let told = if fields.contains_key(X_FORWARDED_FOR) || !fields.contains_key(FORWARDED) {
        by_x_forwarded(fields, trusted)
    } else {
        by_forwarded(fields, trusted)
    };
    let client = Client {
        address: told.address.or(peer.address),
        is_named: told.address.is_some(),
        secure: told.secure.unwrap_or(peer.secure),
    };
    Asking { client, host: told.host.or(host), peer_is_trusted: true }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|range| range.contains(&address))
}

fn by_x_forwarded(fields: &HeaderMap, trusted: &[IpNet]) -> Told {
    let chain: Vec<Option<IpAddr>> = list_members(fields, &X_FORWARDED_FOR).map(node).collect();
    let last = |name| list_members(fields, name).last();
    Told {
        address: first_untrusted(&chain, trusted).map(|(_, address)| address),
        secure: last(&X_FORWARDED_PROTO).and_then(scheme),
        host: last(&X_FORWARDED_HOST).and_then(authority),
    }
}

/// Source: RFC 7239 section 4. Scheme and host are those of the element that tells the client's address.
fn by_forwarded(fields: &HeaderMap, trusted: &[IpNet]) -> Told {
    let elements: Vec<&[u8]> = list_members(fields, &FORWARDED).collect();
    let chain: Vec<Option<IpAddr>> = elements.iter().map(|element| parameter(element, "for").and_then(node)).collect();
    let Some((index, address)) = first_untrusted(&chain, trusted) else { return Told::default() };
    let said = |name| elements.get(index).and_then(|element| parameter(element, name));
    Told { address: Some(address), secure: said("proto").and_then(scheme), host: said("host").and_then(authority) }
}

/// The address nearest to us that is no trusted proxy's, with its index; where all are, the farthest. `None` where one
/// that had to be looked at is none.
fn first_untrusted(chain: &[Option<IpAddr>], trusted: &[IpNet]) -> Option<(usize, IpAddr)> {
    let mut farthest = None;
    for (index, hop) in chain.iter().enumerate().rev() {
        let address = (*hop)?;
        farthest = Some((index, address));
        if !is_trusted(address, trusted) {
            break;
        }
    }
    farthest
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn node(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    text.parse().ok().or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

fn scheme(text: &[u8]) -> Option<bool> {
    if text.eq_ignore_ascii_case(b"https") {
        return Some(true);
    }
    text.eq_ignore_ascii_case(b"http").then_some(false)
}

fn authority(text: &[u8]) -> Option<HeaderValue> {
    let text = std::str::from_utf8(text).ok()?;
    is_host(text).then(|| HeaderValue::from_str(text).ok()).flatten()
}

/// The value of one parameter of a Forwarded element, without its quotes; `None` where it stands twice or is not there.
/// No address, scheme or host has a `;` or a `\` in it, so that neither needs to be told from one that separates.
fn parameter<'a>(element: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut values = element.split(|byte| *byte == b';').filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (known, value) = (pair.get(..at)?, pair.get(at + 1..)?);
        known.trim_ascii().eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
    });
    let value = values.next().filter(|_| values.next().is_none())?;
    match value.strip_prefix(b"\"") {
        Some(opened) => opened.strip_suffix(b"\""),
        None => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::literal::fields;

    fn told(peer: &str, lines: &[(&'static str, &'static str)]) -> (String, bool, String) {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "::1/128"].iter().map(|text| text.parse().unwrap()).collect();
        let client = Client { address: Some(peer.parse().unwrap()), is_named: true, secure: false };
        let found = asking(client, Some(HeaderValue::from_static("own.example")), &fields(lines), &trusted);
        let host = found.host.unwrap().to_str().unwrap().to_owned();
        (found.client.address.unwrap().to_string(), found.client.secure, host)
    }

    fn address(lines: &[(&'static str, &'static str)]) -> String {
        told("10.0.0.1", lines).0
    }

    #[test]
    fn what_a_trusted_proxy_says_of_the_scheme_comes_before_the_connections() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let seen = |peer: &str, secure, lines: &[(&'static str, &'static str)]| {
            let client = Client { address: Some(peer.parse().unwrap()), is_named: true, secure };
            asking(client, None, &fields(lines), &trusted).client.secure
        };
        for secure in [true, false] {
            for (lines, told) in [
                (&[("x-forwarded-proto", "https")][..], true),
                (&[("x-forwarded-proto", "http")], false),
                (&[("forwarded", "for=192.0.2.7;proto=https")], true),
                (&[("forwarded", "for=192.0.2.7;proto=http")], false),
                (&[("x-forwarded-proto", "gopher")], secure),
                (&[("x-forwarded-for", "192.0.2.7")], secure),
                (&[("forwarded", "for=192.0.2.7")], secure),
                (&[], secure),
            ] {
                assert_eq!(seen("10.0.0.1", secure, lines), told, "{lines:?}");
                assert_eq!(seen("192.0.2.1", secure, lines), secure, "{lines:?} of a stranger");
            }
        }
    }

    #[test]
    fn a_proxy_that_says_nothing_of_its_client_names_nobody() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let named = |peer: &str, is_named, lines: &[(&'static str, &'static str)]| {
            let client = Client { address: Some(peer.parse().unwrap()), is_named, secure: false };
            let found = asking(client, None, &fields(lines), &trusted).client;
            assert!(found.address.is_some());
            found.own_address().map(|address| address.to_string())
        };
        for lines in
            [&[][..], &[("x-forwarded-for", "unknown")], &[("forwarded", "for=unknown")], &[("x-forwarded-for", "")]]
        {
            assert_eq!(named("10.0.0.1", true, lines), None, "{lines:?}");
            assert_eq!(named("192.0.2.1", true, lines).as_deref(), Some("192.0.2.1"), "{lines:?}");
            assert_eq!(named("192.0.2.1", false, lines), None, "by a PROXY header that tells no address");
        }
        assert_eq!(named("10.0.0.1", false, &[("x-forwarded-for", "10.0.0.7")]).as_deref(), Some("10.0.0.7"));
    }

    #[test]
    fn a_strangers_word_counts_for_nothing() {
        let lines = [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.example"),
            ("forwarded", "for=6.6.6.6;proto=https;host=evil.example"),
        ];
        for stranger in ["192.0.2.1", "2001:db8::1", "11.0.0.1"] {
            assert_eq!(told(stranger, &lines), (stranger.to_owned(), false, "own.example".to_owned()));
        }
    }

    #[test]
    fn the_chain_is_read_from_its_right_end() {
        for (chain, client) in [
            ("192.0.2.7", "192.0.2.7"),
            ("6.6.6.6, 192.0.2.7", "192.0.2.7"),
            ("6.6.6.6, 192.0.2.7, 10.1.1.1", "192.0.2.7"),
            ("nonsense, 192.0.2.7, 10.1.1.1", "192.0.2.7"),
            ("192.0.2.7:4711", "192.0.2.7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("2001:db8::7", "2001:db8::7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("10.9.9.9, 10.1.1.1", "10.9.9.9"),
        ] {
            assert_eq!(address(&[("x-forwarded-for", chain)]), client, "{chain}");
        }
        assert_eq!(address(&[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.7")]), "192.0.2.7");
        assert_eq!(told("::1", &[("x-forwarded-for", "192.0.2.7")]).0, "192.0.2.7");
        assert_eq!(told("::ffff:10.0.0.1", &[("x-forwarded-for", "192.0.2.7")]).0, "192.0.2.7");
    }

    #[test]
    fn where_the_chain_cannot_be_read_the_peer_counts() {
        for chain in
            ["", "unknown", "192.0.2.7, nonsense", "192.0.2.7, 10.1.1.1x", "192.0.2.7,_hidden", "1.2.3", "300.1.1.1"]
        {
            assert_eq!(address(&[("x-forwarded-for", chain)]), "10.0.0.1", "{chain}");
        }
        assert_eq!(address(&[]), "10.0.0.1");
    }

    #[test]
    fn forwarded_counts_where_there_is_no_x_forwarded_for() {
        for (element, seen) in [
            ("for=192.0.2.7;proto=https;host=shop.example", ("192.0.2.7", true, "shop.example")),
            ("For=\"[2001:db8::7]:80\"; Proto=\"https\"", ("2001:db8::7", true, "own.example")),
            (
                "for=6.6.6.6;host=evil.example, for=192.0.2.7;host=shop.example, for=10.1.1.1",
                ("192.0.2.7", false, "shop.example"),
            ),
            ("for=unknown;proto=https", ("10.0.0.1", false, "own.example")),
            ("for=192.0.2.7;for=6.6.6.6", ("10.0.0.1", false, "own.example")),
            ("for=\"192.0.2.7;for=6.6.6.6\"", ("10.0.0.1", false, "own.example")),
            ("for=\"6.6.6.6, for=\"[2001:db8::7]\"", ("10.0.0.1", false, "own.example")),
            ("for=192.0.2.7;proto=gopher;host=\"a b\"", ("192.0.2.7", false, "own.example")),
        ] {
            let (address, secure, host) = told("10.0.0.1", &[("forwarded", element)]);
            assert_eq!((address.as_str(), secure, host.as_str()), seen, "{element}");
        }
        let both = [("forwarded", "for=6.6.6.6;proto=https"), ("x-forwarded-for", "192.0.2.7")];
        assert_eq!(told("10.0.0.1", &both), ("192.0.2.7".to_owned(), false, "own.example".to_owned()));
    }

    #[test]
    fn scheme_and_host_are_believed_where_they_are_some() {
        let seen = |proto, host| {
            let (_, secure, host) = told("10.0.0.1", &[("x-forwarded-proto", proto), ("x-forwarded-host", host)]);
            (secure, host)
        };
        assert_eq!(seen("https", "shop.example:8443"), (true, "shop.example:8443".to_owned()));
        assert_eq!(seen("http, HTTPS", "evil.example, shop.example"), (true, "shop.example".to_owned()));
        for (proto, host) in
            [("gopher", "a b"), ("https://", "user@shop.example"), ("", ""), ("on", "/x"), ("1", "a%20b")]
        {
            assert_eq!(seen(proto, host), (false, "own.example".to_owned()), "{proto} {host}");
        }
    }
}
