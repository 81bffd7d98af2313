//! The PROXY protocol: a load balancer's header in front of a connection's bytes, which tells the client's address.
//!
//! Source: <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>

use std::io;
use std::net::IpAddr;

use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The longest header of version 2 that is taken: 16 bytes, two Unix addresses, and more than 300 of extras.
const LONGEST: usize = 536;
/// The longest line of version 1, its end included.
const LONGEST_LINE: usize = 107;
/// The shortest header of version 1, and less than the shortest of version 2.
const SHORTEST: usize = 15;
/// Where the fixed part of version 2 ends.
const FIXED: usize = 16;

/// Reads the header and not a byte more. `None` where it tells no address: then the connection's own counts.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    let mut header = vec![0; SHORTEST];
    stream.read_exact(&mut header).await?;
    if header.starts_with(v2::PROTOCOL_PREFIX) {
        read_binary(stream, header).await
    } else {
        read_line(stream, header).await
    }
}

async fn read_binary(stream: &mut (impl AsyncRead + Unpin), mut header: Vec<u8>) -> io::Result<Option<IpAddr>> {
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
        return Ok(None);
    }
    Ok(match header.addresses {
        v2::Addresses::IPv4(addresses) => Some(addresses.source_address.into()),
        v2::Addresses::IPv6(addresses) => Some(IpAddr::V6(addresses.source_address).to_canonical()),
        v2::Addresses::Unix(_) | v2::Addresses::Unspecified => None,
    })
}

async fn read_line(stream: &mut (impl AsyncRead + Unpin), mut line: Vec<u8>) -> io::Result<Option<IpAddr>> {
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
    Ok(match header.addresses {
        v1::Addresses::Tcp4(addresses) => Some(addresses.source_address.into()),
        v1::Addresses::Tcp6(addresses) => Some(IpAddr::V6(addresses.source_address).to_canonical()),
        v1::Addresses::Unknown => None,
    })
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("its PROXY protocol header cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(mut bytes: &[u8]) -> (Option<Option<IpAddr>>, &[u8]) {
        let told = read(&mut bytes).await.ok();
        (told, bytes)
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
            binary(0x21, 0x11, &[0; 600]),
        ] {
            assert_eq!(of(&bytes).await.0, None, "{:?}", String::from_utf8_lossy(&bytes));
        }
    }

    #[tokio::test]
    async fn the_longest_allowed_is_read() {
        let mut rest = vec![192, 0, 2, 7, 127, 0, 0, 1, 0, 9, 0, 80];
        rest.resize(LONGEST - FIXED, 0);
        assert!(of(&binary(0x21, 0x11, &rest)).await.0.flatten().is_some());
        rest.push(0);
        assert!(of(&binary(0x21, 0x11, &rest)).await.0.is_none());
    }

    #[test]
    fn hostile_bytes_are_only_bytes() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let tails = proptest::collection::vec(proptest::prelude::any::<u8>(), 0..700);
        proptest::proptest!(|(tail in tails, text in "[ A-Z0-9.:\r\n]{0,120}", command: u8, family: u8)| {
            runtime.block_on(async {
                of(&binary(command, family, tail.get(..600).unwrap_or(&tail))).await;
                of(format!("PROXY {text}").as_bytes()).await;
                of(&tail).await;
            });
        });
    }
}
