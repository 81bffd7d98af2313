//! What an entry takes of memory: an upper bound, with the allocator's rounding and with what hits derive of it.
//!
//! `tests/weight.rs` holds it to what is really allocated.

use std::sync::atomic::AtomicUsize;

use http::header::{self, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::budget::COUNTED;
use crate::rules::{CacheKey, Tag};

/// Up to here the allocator has a size for each two words.
const SMALL: usize = 64;
/// Above this an allocation has pages of its own, of so many bytes.
const LARGE: usize = 512 << 10;
const PAGE: usize = 64 << 10;

/// How many fields a hit's header block has besides those that are stored: Content-Length, an entity tag, a name in Vary,
/// and Via. The values of two of them are its own.
const PREPARED: usize = 4;
const PREPARED_VALUES: usize = 160;

/// What counts a body that is lent, and what lends it.
const LENT: usize = 160;

/// Names that a `HeaderName` has no bytes for, the most frequent of them.
static STANDARD: [HeaderName; 24] = [
    header::ACCEPT_RANGES,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_SECURITY_POLICY,
    header::CONTENT_TYPE,
    header::DATE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::LINK,
    header::REFERRER_POLICY,
    header::SERVER,
    header::STRICT_TRANSPORT_SECURITY,
    VARY,
    header::VIA,
    header::X_CONTENT_TYPE_OPTIONS,
    header::X_FRAME_OPTIONS,
];

/// How many bytes an allocation of so many takes: above the small ones the allocator has four sizes from one power of two
/// to the next.
pub fn allocated(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        1..=SMALL => bytes.next_multiple_of(2 * size_of::<usize>()),
        _ if bytes <= LARGE => bytes.next_multiple_of((1 << (bytes - 1).ilog2()) / 4),
        _ => bytes.next_multiple_of(PAGE),
    }
}

/// The size of a value in an `Arc`.
pub const fn counted<T>() -> usize {
    size_of::<T>() + 2 * size_of::<AtomicUsize>()
}

/// What the bytes of a `Bytes` take that has been cloned: beside them stands who counts its owners.
pub fn buffer(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { allocated(bytes) + allocated(size_of::<(usize, usize, AtomicUsize)>()) }
}

/// The same for a body, which is lent to answers where it is not a small one.
pub fn body(bytes: usize) -> usize {
    buffer(bytes) + if bytes < COUNTED { 0 } else { LENT }
}

/// What an item of a slab under a hash table takes in it, such as an entry of `quick_cache` or the hash of one that went.
/// Both grow by doubling.
pub(super) const fn item<K, V>() -> usize {
    let slot = size_of::<(K, V, u32, u64, u64)>();
    let in_table = 2 * (size_of::<u32>() + 1);
    2 * slot + in_table
}

/// Stored fields, their values in one piece; the header block of hits, which shares these; and the names in their Vary.
pub(super) fn fields(fields: &HeaderMap) -> usize {
    let (names, values) = (fields.keys_len(), fields.len());
    let own_names = fields.keys().filter(|name| !STANDARD.contains(name)).map(|name| buffer(name.as_str().len()));
    let text = fields.values().map(HeaderValue::len).sum();
    buffer(text)
        + own_names.sum::<usize>()
        + table(names, values)
        + table(names + PREPARED, values + PREPARED)
        + PREPARED_VALUES
        + fields.get_all(VARY).iter().map(withheld).sum::<usize>()
}

/// The names in a line of Vary, which a route may have kept from the origin.
fn withheld(line: &HeaderValue) -> usize {
    let names = line.as_bytes().split(|byte| *byte == b',');
    names.map(|name| size_of::<HeaderName>() + buffer(name.len().max(1))).sum()
}

/// The two or three pieces of a `HeaderMap` that has no room to spare.
fn table(names: usize, values: usize) -> usize {
    let index = (names + names / 3).next_power_of_two() * size_of::<(u16, u16)>();
    let first = names * size_of::<(u16, HeaderName, HeaderValue, Option<(usize, usize)>)>();
    let further = values.saturating_sub(names) * size_of::<(HeaderValue, [(usize, usize); 2])>();
    allocated(index) + allocated(first) + allocated(further)
}

/// Tags and their texts.
pub(super) fn tags(tags: &[Tag]) -> usize {
    let text = |tag: &Tag| allocated(counted::<()>() + tag.as_str().len().next_multiple_of(size_of::<usize>()));
    allocated(size_of_val(tags)) + tags.iter().map(text).sum::<usize>()
}

/// What a key takes beside itself.
pub(super) fn key_texts(key: &CacheKey) -> usize {
    let host = key.host.as_ref().map_or(0, |host| host.len());
    allocated(key.name.len()) + allocated(host) + allocated(size_of_val(&*key.selected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_allocation_never_takes_less() {
        let mut last = 0;
        for bytes in (0..4 << 20).step_by(37) {
            let taken = allocated(bytes);
            assert!(taken >= last && taken >= bytes, "{bytes}");
            assert!(taken <= bytes + bytes / 4 + 16, "{bytes}");
            last = taken;
        }
    }
}
