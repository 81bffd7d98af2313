//! What the fuzz targets reach of this room: entries as Redis has them. In no other build.

use bytes::Bytes;
use fred::types::Value;

use super::codec;
use crate::rules::CacheKey;
use crate::store::entry::StoredResponse;

/// The values of an entry's meta hash.
pub type Meta = Vec<Bytes>;

/// The meta hash of an entry.
pub fn encode(key: &CacheKey, entry: &StoredResponse) -> Meta {
    codec::encode(key, entry).into()
}

/// The entry that a body and the values of a meta hash make up, if they do.
pub fn decode(key: &CacheKey, body: &[u8], meta: &[Bytes]) -> Option<StoredResponse> {
    let meta: Vec<Value> = meta.iter().cloned().map(Value::Bytes).collect();
    codec::decode(key, &Value::Bytes(Bytes::copy_from_slice(body)), &meta).ok()
}

/// Puts the right sum last, so that the checks behind it are reached.
pub fn seal(meta: &mut Meta, body: &[u8]) {
    if let [version, key, token, tags, fields, about, sum] = meta.as_mut_slice() {
        let hash = codec::hash([&version[..], &key[..], &tags[..], &fields[..], &about[..]], body);
        *sum = [hash.as_bytes(), b"@", token.as_ref()].concat().into();
    }
}
