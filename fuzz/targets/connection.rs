//! However a connection's bytes come, a load balancer's header is read alike and leaves what is behind it, and of requests no
//! more is changed than what stands for a fragment in a target.
//!
//! The input: how many bytes come at once, and then the bytes.

#![no_main]

use aside::server::fuzzing::{balancer, blocks, heads};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((piece, bytes)) = data.split_first() else { return };
    let piece = usize::from(*piece);
    if let Some((address, secure, left)) = balancer(bytes) {
        assert!(bytes.ends_with(left) && left.len() + 15 <= bytes.len());
        assert!(address.is_some() || !secure || bytes.get(13) == Some(&0x31));
        let read = bytes.len() - left.len();
        assert_eq!(balancer(&bytes[..read]), Some((address, secure, &[][..])), "it reads its own bytes and no others");
        assert_eq!(balancer(&bytes[..read - 1]), None);
    }
    let follow: [fn(&mut [u8], usize); 2] = [heads, blocks];
    for follow in follow {
        let (mut whole, mut pieces) = (bytes.to_vec(), bytes.to_vec());
        follow(&mut whole, usize::MAX);
        follow(&mut pieces, piece);
        assert_eq!(whole, pieces);
        let mut again = whole.clone();
        follow(&mut again, piece);
        assert_eq!(again, whole, "nothing is left to be changed");
    }
    let mut whole = bytes.to_vec();
    heads(&mut whole, piece);
    for (before, after) in bytes.iter().zip(&whole) {
        assert!(before == after || (*before, *after) == (b'#', b'>'));
    }
});
