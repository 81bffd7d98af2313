//! The PROXY protocol: a load balancer's header in front of a connection's bytes, which tells the client's address, and in
//! version 2 perhaps whether the client came over TLS.
//!
//! Source: <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>

use std::io;
use std::net::IpAddr;

use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The longest header of version 2 that is taken: 16 bytes, two Unix addresses, and more than 1,800 of extras, such as
/// names, identifiers and what a balancer says of TLS.
const LONGEST: usize = 2048;
/// The longest line of version 1, its end included.
const LONGEST_LINE: usize = 107;
/// The shortest header of version 1, and less than the shortest of version 2.
const SHORTEST: usize = 15;
/// Where the fixed part of version 2 ends.
const FIXED: usize = 16;

/// Among the flags of a version 2 header's TLS part: the client came over TLS.
const CLIENT_TLS: u8 = 0x01;
/// What such a part begins with: these flags, and in four bytes whether the client's certificate was good.
const TLS_BEGINS: usize = 5;

/// What a header tells of the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Its address; `None` where none is told: then the connection's own counts.
    pub(super) address: Option<IpAddr>,
    /// Whether it came over TLS, which ended at the balancer.
    pub(super) secure: bool,
}

/// Reads the header and not a byte more. What it says of itself (LOCAL) or of no stream tells nothing of a client.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Told> {
    let mut header = vec![0; SHORTEST];
    stream.read_exact(&mut header).await?;
    if header.starts_with(v2::PROTOCOL_PREFIX) {
        read_binary(stream, header).await
    } else {
        read_line(stream, header).await
    }
}

async fn read_binary(stream: &mut (impl AsyncRead + Unpin), mut header: Vec<u8>) -> io::Result<Told> {
    header.push(stream.read_u8().await?);
    let Some(&[high, low]) = header.last_chunk() else { return Err(invalid("it is cut short")) };
    let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        return Err(invalid("it is too long"));
    }
    header.resize(length, 0);
    stream.read_exact(header.get_mut(FIXED..).unwrap_or_default()).await?;
    let header = v2::Header::try_from(header.as_slice()).map_err(|_| invalid("it is malformed"))?;
    if header.command == v2::Command::Local || header.protocol != v2::Protocol::Stream {
        return Ok(Told::default());
    }
    let address = match header.addresses {
        v2::Addresses::IPv4(addresses) => Some(addresses.source_address.into()),
        v2::Addresses::IPv6(addresses) => Some(IpAddr::V6(addresses.source_address).to_canonical()),
        v2::Addresses::Unix(_) => None,
        // Whatever follows an unspecified address is not to be read.
        v2::Addresses::Unspecified => return Ok(Told::default()),
    };
    Ok(Told { address, secure: came_over_tls(&header)? })
}

/// What the header's extras say of TLS; nothing is no. Two words for it could be read in two ways.
///
/// Source: section 2.2.6 of the specification
fn came_over_tls(header: &v2::Header<'_>) -> io::Result<bool> {
    let mut told = None;
    for extra in header.tlvs() {
        let extra = extra.map_err(|_| invalid("one of its extras is cut short"))?;
        if extra.kind != v2::Type::SSL as u8 {
            continue;
        }
        let Some([flags, ..]) = extra.value.first_chunk::<TLS_BEGINS>() else {
            return Err(invalid("what it says of TLS is cut short"));
        };
        if told.replace(flags & CLIENT_TLS != 0).is_some() {
            return Err(invalid("it speaks of TLS twice"));
        }
    }
    Ok(told.unwrap_or(false))
}

async fn read_line(stream: &mut (impl AsyncRead + Unpin), mut line: Vec<u8>) -> io::Result<Told> {
    if !line.starts_with(v1::PROTOCOL_PREFIX.as_bytes()) {
        return Err(invalid("there is none"));
    }
    while !line.ends_with(b"\n") {
        if line.len() == LONGEST_LINE {
            return Err(invalid("it is too long"));
        }
        // One at a time: what comes after the line is not this protocol's.
        line.push(stream.read_u8().await?);
    }
    let header = v1::Header::try_from(line.as_slice()).map_err(|_| invalid("it is malformed"))?;
    if header.header.len() != line.len() {
        return Err(invalid("it is malformed"));
    }
    let address = match header.addresses {
        v1::Addresses::Tcp4(addresses) => Some(addresses.source_address.into()),
        v1::Addresses::Tcp6(addresses) => Some(IpAddr::V6(addresses.source_address).to_canonical()),
        v1::Addresses::Unknown => None,
    };
    Ok(Told { address, secure: false })
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("its PROXY protocol header cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of the address, or `None` where the header is refused; and what is left.
    async fn of(mut bytes: &[u8]) -> (Option<Option<IpAddr>>, &[u8]) {
        let told = read(&mut bytes).await.ok().map(|told| told.address);
        (told, bytes)
    }

    /// What a header of this command and family with these extras says of TLS, or `None` where it is refused.
    async fn says_tls(command: u8, family: u8, extras: &[&[u8]]) -> Option<bool> {
        let addresses = match family & 0xf0 {
            0x10 => vec![192, 0, 2, 7, 127, 0, 0, 1, 0, 9, 0, 80],
            0x20 => vec![1; 36],
            0x30 => vec![1; 216],
            _ => Vec::new(),
        };
        read(&mut binary(command, family, &[addresses, extras.concat()].concat()).as_slice())
            .await
            .ok()
            .map(|told| told.secure)
    }

    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut header = v2::PROTOCOL_PREFIX.to_vec();
        header.extend([command, family]);
        header.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        header.extend(rest);
        header.extend(b"GET /");
        header
    }

    #[tokio::test]
    async fn an_address_is_told_and_what_follows_is_left() {
        let four = Some(Some("192.0.2.7".parse().unwrap()));
        let six = Some(Some("2001:db8::7".parse().unwrap()));
        let mut v6 = "2001:db8::7".parse::<std::net::Ipv6Addr>().unwrap().octets().to_vec();
        v6.extend([0; 20]);
        let mut extra = vec![192, 0, 2, 7, 127, 0, 0, 1, 0, 9, 0, 80];
        extra.extend([4, 0, 3, 0, 0, 0]);
        for (bytes, told) in [
            (b"PROXY TCP4 192.0.2.7 127.0.0.1 9 80\r\nGET /".to_vec(), four),
            (b"PROXY TCP6 2001:db8::7 ::1 9 80\r\nGET /".to_vec(), six),
            (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 9 80\r\nGET /".to_vec(), four),
            (binary(0x21, 0x11, &[192, 0, 2, 7, 127, 0, 0, 1, 0, 9, 0, 80]), four),
            (binary(0x21, 0x11, &extra), four),
            (binary(0x21, 0x21, &v6), six),
        ] {
            assert_eq!(of(&bytes).await, (told, &b"GET /"[..]), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn what_tells_no_address_leaves_the_sockets_own() {
        for bytes in [
            b"PROXY UNKNOWN\r\nGET /".to_vec(),
            b"PROXY UNKNOWN 192.0.2.7 127.0.0.1 9 80\r\nGET /".to_vec(),
            binary(0x20, 0x00, &[]),
            binary(0x20, 0x11, &[192, 0, 2, 7, 127, 0, 0, 1, 0, 9, 0, 80]),
            binary(0x21, 0x00, &[1, 2, 3]),
            binary(0x21, 0x12, &[192, 0, 2, 7, 127, 0, 0, 1, 0, 9, 0, 80]),
            binary(0x21, 0x31, &[0; 216]),
        ] {
            assert_eq!(of(&bytes).await, (Some(None), &b"GET /"[..]), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        let long = format!("PROXY UNKNOWN {}\r\n", "a".repeat(100));
        for bytes in [
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            b"PROXY".to_vec(),
            b"PROXY TCP4 192.0.2.7 127.0.0.1 9 80\n\nGET /".to_vec(),
            b"PROXY TCP4 192.0.2.7\r127.0.0.1 9 80\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::7 ::1 9 80\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 127.0.0.1 9 99999\r\n".to_vec(),
            b"proxy TCP4 192.0.2.7 127.0.0.1 9 80\r\n".to_vec(),
            long.into_bytes(),
            binary(0x11, 0x11, &[192, 0, 2, 7, 127, 0, 0, 1, 0, 9, 0, 80]),
            binary(0x22, 0x11, &[192, 0, 2, 7, 127, 0, 0, 1, 0, 9, 0, 80]),
            binary(0x21, 0x11, &[192, 0]),
            binary(0x21, 0x11, &[0; 2100]),
        ] {
            assert_eq!(of(&bytes).await.0, None, "{:?}", String::from_utf8_lossy(&bytes));
        }
    }

    #[tokio::test]
    async fn the_longest_allowed_is_read() {
        let mut rest = vec![192, 0, 2, 7, 127, 0, 0, 1, 0, 9, 0, 80];
        rest.extend([4, 7, 225]);
        rest.resize(LONGEST - FIXED, 0);
        assert!(of(&binary(0x21, 0x11, &rest)).await.0.flatten().is_some());
        rest.push(0);
        assert!(of(&binary(0x21, 0x11, &rest)).await.0.is_none());
    }

    #[tokio::test]
    async fn version_2_says_whether_the_client_came_over_tls() {
        const TLS: &[u8] = &[0x20, 0, 5, 0x01, 0, 0, 0, 0];
        const CERTIFIED: &[u8] =
            &[0x20, 0, 18, 0x07, 0, 0, 0, 1, 0x21, 0, 7, b'T', b'L', b'S', b'v', b'1', b'.', b'3', 0x22, 0, 0];
        const PLAIN: &[u8] = &[0x20, 0, 5, 0x06, 0, 0, 0, 0];
        const OTHERS: &[u8] = &[0x04, 0, 1, 0x20, 0xea, 0, 2, 0x20, 0x01, 0x02, 0, 1, b'a'];
        for family in [0x11, 0x21, 0x31] {
            for (extras, told) in [
                (&[TLS][..], Some(true)),
                (&[CERTIFIED], Some(true)),
                (&[OTHERS, TLS, OTHERS], Some(true)),
                (&[PLAIN], Some(false)),
                (&[OTHERS], Some(false)),
                (&[], Some(false)),
                (&[TLS, PLAIN], None),
                (&[TLS, TLS], None),
                (&[&[0x20, 0, 0]], None),
                (&[&[0x20, 0, 4, 1, 0, 0, 0]], None),
                (&[&[0x20, 0, 6, 1, 0, 0, 0, 0]], None),
                (&[&[0x20, 0xff, 0xff, 1, 0, 0, 0, 0]], None),
                (&[TLS, &[0x04, 0]], None),
                (&[TLS, &[0x04, 0, 1]], None),
                (&[TLS, &[0]], None),
            ] {
                assert_eq!(says_tls(0x21, family, extras).await, told, "{family:#x} {extras:?}");
            }
        }
        // The balancer's own connection, and addresses that nobody names, say nothing of a client.
        for (command, family) in [(0x20, 0x11), (0x20, 0x21), (0x21, 0x00), (0x21, 0x12)] {
            assert_eq!(says_tls(command, family, &[TLS]).await, Some(false), "{command:#x} {family:#x}");
        }
        let line = read(&mut &b"PROXY TCP4 192.0.2.7 127.0.0.1 9 443\r\nGET /"[..]).await;
        assert!(!line.unwrap().secure);
    }

    #[test]
    fn hostile_bytes_are_only_bytes() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let tails = proptest::collection::vec(proptest::prelude::any::<u8>(), 0..2200);
        proptest::proptest!(|(tail in tails, text in "[ A-Z0-9.:\r\n]{0,120}", command: u8, family: u8)| {
            runtime.block_on(async {
                of(&binary(command, family, tail.get(..2100).unwrap_or(&tail))).await;
                of(format!("PROXY {text}").as_bytes()).await;
                of(&tail).await;
            });
        });
    }
}
