//! What stands for a text that is long or secret.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// 128 bits of SHA-256 in hex: long enough that nobody finds two texts with the same, or a credential from it.
pub(super) fn short_hash(text: &[u8]) -> String {
    let digest = Sha256::digest(text);
    digest.iter().take(16).fold(String::with_capacity(32), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
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
