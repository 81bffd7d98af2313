//! What stands for a text that is long or secret.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// 128 bits of SHA-256: long enough that nobody finds two texts with the same, or a credential from it. Written in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest([u8; 16]);

impl Digest {
    /// The digest of a text.
    pub fn of(text: &[u8]) -> Self {
        let mut digest = [0; 16];
        digest.iter_mut().zip(Sha256::digest(text)).for_each(|(own, byte)| *own = byte);
        Self(digest)
    }

    /// Its first 64 bits.
    pub(super) fn first(self) -> u64 {
        self.0.iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// A fingerprint of some texts; which of them is which counts.
pub(super) fn fingerprint<'t>(texts: impl IntoIterator<Item = &'t str>) -> u64 {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    let mut first = [0; 8];
    first.copy_from_slice(hash.finalize().get(..8).unwrap_or(&[0; 8]));
    u64::from_be_bytes(first)
}
