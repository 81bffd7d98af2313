//! The key of one stored response, as structure: the store makes a text of it where it needs one. And what stands for a
//! text that is long or secret.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// The key of one stored response (RFC 9111 section 2): unique among all routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheKey {
    /// The route it belongs to: two routes whose templates render the same text never share an entry.
    pub route: Arc<str>,
    /// A hash of what of the file shapes the route's answers and their storing: an entry of another one is another entry.
    pub fingerprint: u64,
    /// What the route's template makes of path and query; without a route path and query as they were sent.
    pub name: String,
    /// The host that was asked, unless it is one of the names by which clients know the proxy; an empty one for these where
    /// the name has an `@`, so that no name can be taken for another one with a host.
    pub host: Option<Box<str>>,
    /// Whether it was asked by https.
    pub secure: bool,
    /// What selects it among the answers to requests that differ in other ways: a digest of each text of such differences,
    /// none for what a plain client sends.
    pub selected: Box<[Digest]>,
    /// What of the answer is stored there.
    pub role: Role,
}

/// What is stored under a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// The answer, or an index of its variants.
    #[default]
    Answer,
    /// One part of it.
    Part,
    /// One of its variants, in this of the slots that the key has for them.
    Variant(u32),
    /// A `write.around` marker.
    Around,
}

impl CacheKey {
    /// The key of what a plain client gets by http, for a name that the proxy is known by.
    pub fn new(route: impl Into<Arc<str>>, fingerprint: u64, name: impl Into<String>) -> Self {
        Self {
            route: route.into(),
            fingerprint,
            name: name.into(),
            host: None,
            secure: false,
            selected: Box::default(),
            role: Role::Answer,
        }
    }

    /// Whether a plain client gets what is stored there.
    pub fn is_plain(&self) -> bool {
        !self.secure && self.selected.is_empty() && self.role == Role::Answer
    }

    /// The key of what a plain client gets of the same host.
    #[must_use]
    pub fn plain(&self) -> Self {
        Self {
            route: Arc::clone(&self.route),
            fingerprint: self.fingerprint,
            name: self.name.clone(),
            host: self.host.clone(),
            secure: false,
            selected: Box::default(),
            role: Role::Answer,
        }
    }

    /// The same with one more text that selects.
    #[must_use]
    pub(super) fn selected_by(mut self, selecting: &[u8]) -> Self {
        self.selected = self.selected.iter().copied().chain([Digest::of(selecting)]).collect();
        self
    }
}

// A hit makes one hash: of what tells nearly all keys apart, in three pieces.
impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let role = match self.role {
            Role::Answer => 0,
            Role::Part => 1,
            Role::Around => 2,
            Role::Variant(slot) => 4 | u64::from(slot) << 3,
        };
        let selected = self.selected.iter().fold(role, |hash, digest| hash.rotate_left(32) ^ digest.first());
        state.write_u64(self.fingerprint.rotate_left(1) ^ u64::from(self.secure));
        state.write_u64(selected);
        state.write(self.name.as_bytes());
        if let Some(host) = &self.host {
            state.write(host.as_bytes());
        }
    }
}

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

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    #[test]
    fn what_tells_keys_apart_tells_their_hashes_apart() {
        let plain = || CacheKey::new("r", 7, "fruit:1");
        let keys = [
            plain(),
            CacheKey::new("r", 8, "fruit:1"),
            CacheKey::new("r", 7, "fruit:2"),
            CacheKey { secure: true, ..plain() },
            CacheKey { host: Some("a".into()), ..plain() },
            CacheKey { host: Some("b".into()), ..plain() },
            CacheKey { role: Role::Part, ..plain() },
            CacheKey { role: Role::Around, ..plain() },
            CacheKey { role: Role::Variant(0), ..plain() },
            CacheKey { role: Role::Variant(1), ..plain() },
            plain().selected_by(b"a"),
            plain().selected_by(b"b"),
            plain().selected_by(b"a").selected_by(b"b"),
            plain().selected_by(b"b").selected_by(b"a"),
        ];
        let hasher = RandomState::new();
        for (at, one) in keys.iter().enumerate() {
            for (other_at, other) in keys.iter().enumerate() {
                assert_eq!(one == other, at == other_at, "{one:?} {other:?}");
                assert_eq!(hasher.hash_one(one) == hasher.hash_one(other), at == other_at, "{one:?} {other:?}");
            }
            assert_eq!(one.plain() == *one, one.is_plain());
        }
    }
}
