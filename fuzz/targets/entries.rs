//! What is not an entry of this very key and body is none, and nothing that Redis may hold brings the decoder down.
//!
//! The input's first byte chooses: parts as they come; the same under a right checksum; or a sound entry with bits flipped.

#![no_main]

use std::time::Duration;

use aside::policy::{Lifetime, LifetimeSource, StoredFlags};
use aside::rules::{CacheKey, Tag};
use aside::store::redis::fuzzing::{decode, encode, seal};
use aside::store::{Kind, StoredResponse, Token};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;

fn key(name: &str) -> CacheKey {
    CacheKey::new("fruit", 0, name)
}

fn entry(data: &[u8]) -> StoredResponse {
    let mut fields = HeaderMap::new();
    for (n, line) in data.split(|byte| *byte == b'\n').take(8).enumerate() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(format!("x-{n}")), HeaderValue::from_bytes(line)) {
            fields.append(name, value);
        }
    }
    let number = data.iter().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    StoredResponse::new(
        Kind::Response,
        StatusCode::from_u16(100 + (number % 900) as u16).unwrap(),
        fields,
        Bytes::copy_from_slice(data),
        number,
        Duration::from_millis(number % 100_000),
        Lifetime {
            fresh_for: Duration::from_millis(number),
            source: LifetimeSource::MaxAge,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::MAX,
        },
        StoredFlags { public_enough: number % 2 == 0, must_revalidate: false, private: number % 3 == 0 },
        vec![Tag::named(&String::from_utf8_lossy(data))],
        // A sequence has at most 15 digits.
        Token { epoch: number, seq: number >> 16 },
    )
}

/// Seven parts and a body, with a zero byte between them.
fn parts(data: &[u8]) -> Option<(Vec<Bytes>, &[u8])> {
    let pieces: Vec<&[u8]> = data.splitn(8, |byte| *byte == 0).collect();
    let (body, meta) = pieces.split_last().filter(|(_, meta)| meta.len() == 7)?;
    Some((meta.iter().map(|part| Bytes::copy_from_slice(part)).collect(), body))
}

fuzz_target!(|data: &[u8]| {
    let Some((how, data)) = data.split_first() else { return };
    match how {
        0 => {
            let Some((meta, body)) = parts(data) else { return };
            if let Some(entry) = decode(&key("fruit:1"), body, &meta) {
                assert!(entry.body == body && meta[1] == "fruit 0000000000000000 fruit:1");
            }
        }
        1 => {
            let Some((mut meta, body)) = parts(data) else { return };
            seal(&mut meta, body);
            if let Some(entry) = decode(&key("fruit:1"), body, &meta) {
                assert!(entry.body == body && meta[1] == "fruit 0000000000000000 fruit:1");
                let again = decode(&key("fruit:1"), &entry.body, &encode(&key("fruit:1"), &entry)).unwrap();
                assert_eq!((again.fields, again.tags, again.token), (entry.fields, entry.tags, entry.token));
            }
            assert!(decode(&key("fruit:2"), body, &meta).is_none() || meta[1] == "fruit 0000000000000000 fruit:2");
        }
        _ => {
            let [which, at, bit, rest @ ..] = data else { return };
            let sound = entry(rest);
            let mut meta = encode(&key("fruit:1"), &sound);
            let found = decode(&key("fruit:1"), &sound.body, &meta).expect("what was written can be read");
            assert_eq!((&found.body, &found.fields, found.status), (&sound.body, &sound.fields, sound.status));
            assert!(decode(&key("fruit:2"), &sound.body, &meta).is_none());
            let mut body = sound.body.to_vec();
            let part = usize::from(*which) % 8;
            let mut bytes = if part < 7 { meta[part].to_vec() } else { body.clone() };
            if bytes.is_empty() {
                return;
            }
            let at = usize::from(*at) * 7 % bytes.len();
            bytes[at] ^= 1 << (bit % 8);
            if part < 7 {
                meta[part] = bytes.into()
            } else {
                body = bytes
            }
            assert!(decode(&key("fruit:1"), &body, &meta).is_none(), "a flipped bit goes unseen");
        }
    }
});
