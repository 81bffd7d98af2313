//! Which hosts clients may ask for, and which of them are one: `[clients] hosts`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::key::fingerprint;
use crate::fields::HostName;

/// The host of a request as a part of its key, where the origin sees the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyedHost<'a> {
    /// A name by which clients know this proxy, or none at all: all of these are one, and the key says nothing of it.
    Known,
    /// Another one, in its one spelling, or as the client spelt it where the origin sees a Host of its own.
    Other(&'a str),
}

/// Whom a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedHost {
    /// This proxy, by one of the names it is known by, or by none.
    Known,
    /// Another host, in the one spelling that it has in requests by this scheme.
    Other(String),
}

impl AskedHost {
    /// The part of the key.
    pub fn keyed(&self) -> KeyedHost<'_> {
        match self {
            Self::Known => KeyedHost::Known,
            Self::Other(host) => KeyedHost::Other(host),
        }
    }
}

/// The names by which clients know this proxy, where the origin sees the client's Host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    first: HostName,
    rest: Vec<HostName>,
    keeps_others_apart: bool,
    fingerprint: u64,
}

impl Hosts {
    /// The names that a file lists; `None` for an empty list. Answers to requests for others are not stored.
    pub fn named(names: Vec<HostName>) -> Option<Self> {
        let mut names = names.into_iter();
        let first = names.next()?;
        Some(Self { fingerprint: of_first(&first), first, rest: names.collect(), keeps_others_apart: false })
    }

    /// The names by which clients on this machine know a proxy that listens on these addresses, where nobody lists any:
    /// `localhost`, `127.0.0.1` and `[::1]`, with the port of each. Other hosts are kept apart.
    ///
    /// The first is the first address itself, as a client on this machine reaches it. It is what the log says and `explain`
    /// assumes, so links in answers lead to where people came from; and unlike `localhost`, which many systems try on
    /// `::1` first, it needs nobody to listen on another address.
    pub fn of_listeners(addresses: &[SocketAddr]) -> Self {
        let default = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 8080);
        let first = reachable(addresses.first().copied().unwrap_or(default));
        let loopback = |address: &SocketAddr| {
            let on = |ip: IpAddr| HostName::from(SocketAddr::new(ip, address.port()));
            let own = Some(address.ip()).filter(IpAddr::is_loopback).map(on);
            let usual =
                [on(Ipv4Addr::LOCALHOST.into()), HostName::localhost(address.port()), on(Ipv6Addr::LOCALHOST.into())];
            usual.into_iter().chain(own)
        };
        // Links that lead to another node on this machine work as well.
        let fingerprint = if first.ip().is_loopback() { LOOPBACK } else { of_first(&HostName::from(first)) };
        let first = HostName::from(first);
        let mut rest: Vec<HostName> = Vec::new();
        for name in addresses.iter().flat_map(loopback) {
            if name != first && !rest.contains(&name) {
                rest.push(name);
            }
        }
        Self { fingerprint, first, rest, keeps_others_apart: true }
    }

    /// The name that the origin sees for any of them on a fill. Nodes that share a store share what was filled for known
    /// names only where it is the same.
    pub fn first(&self) -> &HostName {
        &self.first
    }

    /// What of the first name shapes an answer that was filled for a known one: the same for all nodes where it is the same
    /// listed name, or where nobody lists any and it is a loopback address.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Whether nobody lists names, and the first address is one of this machine's own.
    pub fn first_is_loopback(&self) -> bool {
        self.fingerprint == LOOPBACK
    }

    /// Every name, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &HostName> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// Whether answers to requests for other hosts are stored, each host's apart. If not the names are those of the file.
    pub fn keeps_others_apart(&self) -> bool {
        self.keeps_others_apart
    }

    /// Whom a request is for that has this Host, empty where it has none.
    pub fn asked(&self, host: &str, secure: bool) -> AskedHost {
        if host.is_empty() || self.iter().any(|known| known.is_named_by(host, secure)) {
            return AskedHost::Known;
        }
        AskedHost::Other(HostName::parse(host).map_or_else(|| host.to_owned(), |host| host.by_scheme(secure)))
    }
}

/// What all nodes have in common that are known by the loopback names, whatever their ports.
const LOOPBACK: u64 = 1;

fn of_first(first: &HostName) -> u64 {
    fingerprint([&*first.to_string()])
}

/// An address to listen on, as a client on this machine can use it.
pub fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(addresses: &[&str]) -> Vec<String> {
        let addresses: Vec<SocketAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Hosts::of_listeners(&addresses).iter().map(ToString::to_string).collect()
    }

    fn named(names: &[&str]) -> Hosts {
        Hosts::named(names.iter().map(|name| HostName::parse(name).unwrap()).collect()).unwrap()
    }

    #[test]
    fn the_loopback_names_have_the_ports_of_the_listeners() {
        assert_eq!(listening(&["127.0.0.1:8080"]), ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"]);
        assert_eq!(listening(&["0.0.0.0:80"]), ["127.0.0.1:80", "localhost:80", "[::1]:80"]);
        assert_eq!(listening(&["[::]:81"]), ["[::1]:81", "127.0.0.1:81", "localhost:81"]);
        assert_eq!(listening(&["127.0.0.1:1", "[::1]:2"]).len(), 6);
        assert_eq!(listening(&["192.0.2.7:80"])[0], "192.0.2.7:80");
        assert_eq!(listening(&["192.0.2.7:80"]).len(), 4);
        assert!(listening(&["0.0.0.0:80", "127.0.0.9:80"]).contains(&"127.0.0.9:80".to_owned()));
        assert_eq!(listening(&[])[0], "127.0.0.1:8080");
    }

    #[test]
    fn nodes_share_what_known_names_are_given_where_these_are_the_same() {
        let listening = |address: &str| Hosts::of_listeners(&[address.parse().unwrap()]).fingerprint();
        assert_eq!(listening("127.0.0.1:1"), listening("127.0.0.1:2"));
        assert_eq!(listening("127.0.0.1:1"), listening("0.0.0.0:2"));
        assert_ne!(listening("192.0.2.7:1"), listening("192.0.2.8:1"));
        assert_eq!(named(&["a", "b"]).fingerprint(), named(&["a", "c"]).fingerprint());
        assert_ne!(named(&["a", "b"]).fingerprint(), named(&["b", "a"]).fingerprint());
    }

    #[test]
    fn known_names_are_one_and_others_have_one_spelling() {
        let hosts = named(&["shop.example", "localhost:8080"]);
        for known in ["shop.example", "SHOP.EXAMPLE", "shop.example:80", "LocalHost:8080", ""] {
            assert_eq!(hosts.asked(known, false), AskedHost::Known, "{known}");
        }
        let other = |host: &str, secure| match hosts.asked(host, secure) {
            AskedHost::Other(host) => host,
            AskedHost::Known => String::new(),
        };
        assert_eq!(other("Shop.Example:443", false), "shop.example:443");
        assert_eq!(other("Other.Example:080", false), "other.example");
        assert_eq!(other("other.example:80", true), "other.example:80");
        assert_eq!(other("shop.example.", false), "shop.example.");
        assert_eq!(hosts.first().to_string(), "shop.example");
        assert!(!hosts.keeps_others_apart() && Hosts::of_listeners(&[]).keeps_others_apart());
        assert_eq!(Hosts::named(Vec::new()), None);
    }
}
