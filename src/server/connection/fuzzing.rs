//! What the fuzz targets reach of a connection's first bytes and of its requests' targets. In no other build.

use std::net::IpAddr;

use futures_util::FutureExt as _;

use super::blocks::Blocks;
use super::heads::Heads;
use super::proxy_header::{Told, read};

/// What a load balancer's header tells, an address and whether the client came over TLS, and what is left behind it; `None`
/// where it is refused.
pub fn balancer(mut bytes: &[u8]) -> Option<(Option<IpAddr>, bool, &[u8])> {
    let Told { address, secure } = read(&mut bytes).now_or_never()?.ok()?;
    Some((address, secure, bytes))
}

/// What goes on of HTTP/1.1 that comes in pieces of so many bytes.
pub fn heads(bytes: &mut [u8], piece: usize) {
    let mut heads = Heads::new();
    bytes.chunks_mut(piece.max(1)).for_each(|piece| heads.take(piece));
}

/// The same of HTTP/2.
pub fn blocks(bytes: &mut [u8], piece: usize) {
    let mut blocks = Blocks::new();
    bytes.chunks_mut(piece.max(1)).for_each(|piece| blocks.take(piece));
}
