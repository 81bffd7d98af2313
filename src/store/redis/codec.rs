//! An entry as two values in Redis: its body as it is, and a hash of everything else, written so that a person can read it.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use fred::types::Value;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::layout::{key_name, parse_token, text, write_token};
use crate::clock::millis;
use crate::policy::{Lifetime, LifetimeSource, StoredFlags};
use crate::rules::{CacheKey, Tag};
use crate::store::core::Token;
use crate::store::entry::{Kind, StoredResponse};

/// Entries of any other version are misses.
pub(super) const VERSION: &str = "3";

const META_LENGTH: usize = 7;

/// The fields of a meta hash, in the order of [`encode`] and [`decode`]. Six or more: see `layout::record_fields`.
pub(super) const META_FIELDS: [Bytes; META_LENGTH] = [
    Bytes::from_static(b"v"),
    Bytes::from_static(b"key"),
    Bytes::from_static(b"token"),
    Bytes::from_static(b"tags"),
    Bytes::from_static(b"fields"),
    Bytes::from_static(b"about"),
    SUM,
];

/// No annotated body is longer than the stored one by more.
const MOST_ADDED: usize = 1 << 20;

/// The field that tells an entry from every other one of its key.
pub(super) const SUM: Bytes = Bytes::from_static(b"sum");

/// A field's name, and its value with every byte as the character of that number: most bytes are ASCII, and none is lost.
#[derive(Serialize, Deserialize)]
struct Field<'a>(#[serde(borrow)] Cow<'a, str>, #[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct TagText<'a>(#[serde(borrow)] Cow<'a, str>);

/// What of an entry is the same whatever its token, but for the body.
pub(super) struct Content {
    pub(super) version: Bytes,
    pub(super) key: Bytes,
    pub(super) tags: Bytes,
    pub(super) fields: Bytes,
    pub(super) about: Bytes,
    /// A hash of all that, and of the body.
    pub(super) hash: Bytes,
}

impl Content {
    /// The content of an entry under its key.
    pub(super) fn of(key: &CacheKey, entry: &StoredResponse) -> Self {
        let fields: Vec<Field> = entry
            .fields
            .iter()
            .map(|(name, value)| Field(name.as_str().into(), characters(value.as_bytes())))
            .collect();
        let version = Bytes::from_static(VERSION.as_bytes());
        let (key, tags, fields, about) =
            (primary_key(key).into(), tag_list(&entry.tags), json(&fields), json(&About::of(entry)));
        let hash = hash([&version, &key, &tags, &fields, &about].map(Bytes::as_ref), &entry.body).into();
        Self { version, key, tags, fields, about, hash }
    }
}

/// Tags as scripts read them.
pub(super) fn tag_list(tags: &[Tag]) -> Bytes {
    json(&tags.iter().map(Tag::as_str).collect::<Vec<_>>())
}

/// The values of [`META_FIELDS`] for an entry.
fn encode(key: &CacheKey, entry: &StoredResponse) -> [Bytes; META_LENGTH] {
    let Content { version, key, tags, fields, about, hash } = Content::of(key, entry);
    let token = write_token(entry.token);
    let sum = sum(&hash, entry.token);
    [version, key, token.into(), tags, fields, about, sum]
}

/// The sum of an entry, by the [`Content::hash`] of what is the same whatever its token.
pub(super) fn sum(hash: &[u8], token: Token) -> Bytes {
    [hash, b"@", write_token(token).as_bytes()].concat().into()
}

/// What tells an entry from every other one of its key, the same for one that was put and for one that was read again:
/// its token, its `about` with the time at which it was received, and the sum of all of it.
pub(super) fn identity(key: &CacheKey, entry: &StoredResponse) -> [Bytes; 3] {
    let [_, _, token, _, _, about, sum] = encode(key, entry);
    [token, about, sum]
}

/// Why what is stored is not the entry that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It was stored under another fingerprint of this key: it is sound, and another entry.
    OtherFingerprint,
    /// It is not what [`encode`] wrote for this very key and body.
    Unsound,
}

/// The entry that a body and the values of [`META_FIELDS`] make up, and its sum.
pub(super) fn decode(key: &CacheKey, body: &Value, meta: &[Value]) -> Result<(StoredResponse, Bytes), Unfit> {
    let body = body.clone().into_bytes().ok_or(Unfit::Unsound)?;
    let primary = sealed(&body, meta).ok_or(Unfit::Unsound)?;
    if primary == primary_key(key) {
        let sum = meta.last().and_then(|sum| sum.clone().into_bytes());
        return read(body, meta).zip(sum).ok_or(Unfit::Unsound);
    }
    Err(if differs_in_fingerprint(primary, key) { Unfit::OtherFingerprint } else { Unfit::Unsound })
}

/// The primary key of what is of this version and under the right sum.
fn sealed<'a>(body: &[u8], meta: &'a [Value]) -> Option<&'a str> {
    let [version, primary, token, tags, fields, about, sum] = meta else { return None };
    let parts = [version, primary, tags, fields, about].map(|part| part.as_bytes().unwrap_or_default());
    let (stored, of) = text(sum)?.split_once('@')?;
    let sound = text(version)? == VERSION && of == text(token)? && stored == hash(parts, body);
    sound.then_some(text(primary)?)
}

pub(super) fn read(body: Bytes, meta: &[Value]) -> Option<StoredResponse> {
    let [_, _, token, tags, fields, about, _] = meta else { return None };
    let about: About = serde_json::from_str(text(about)?).ok()?;
    let tags: Vec<TagText> = serde_json::from_str(text(tags)?).ok()?;
    let (lifetime, flags) = (about.lifetime()?, about.flags());
    let annotated = about.annotated_length;
    let entry = StoredResponse::new(
        about.kind.kind(),
        StatusCode::from_u16(about.status).ok()?,
        decode_fields(text(fields)?)?,
        (body.len() == about.length).then_some(body)?,
        about.received_ms,
        Duration::from_millis(about.initial_age_ms),
        lifetime,
        flags,
        tags.iter().map(|tag| Tag::from_stored(&tag.0)).collect(),
        parse_token(text(token)?)?,
    );
    (annotated <= about.length.saturating_add(MOST_ADDED)).then(|| entry.annotated_in(annotated))
}

/// Route, fingerprint and name: two routes may render the same name, and a person may rename keys.
fn primary_key(key: &CacheKey) -> String {
    format!("{} {:016x} {}", key.route, key.fingerprint, key_name(key))
}

/// Whether this is the primary key of another fingerprint's entry of the same route and name.
fn differs_in_fingerprint(primary: &str, key: &CacheKey) -> bool {
    let rest = primary.strip_prefix(&*key.route).and_then(|rest| rest.strip_prefix(' '));
    let Some((fingerprint, name)) = rest.and_then(|rest| rest.split_once(' ')) else { return false };
    name == key_name(key) && fingerprint.len() == 16 && u64::from_str_radix(fingerprint, 16).is_ok()
}

/// One hash over all parts, each with the hash so far as its seed: neither a changed byte nor a moved boundary goes unseen.
fn hash<const PARTS: usize>(parts: [&[u8]; PARTS], body: &[u8]) -> String {
    let meta = parts.into_iter().fold(0, |sum, part| xxh3_64_with_seed(part, sum));
    format!("{:016x}", xxh3_64_with_seed(body, meta))
}

fn characters(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text.into(),
        _ => bytes.iter().copied().map(char::from).collect::<String>().into(),
    }
}

fn decode_fields(json: &str) -> Option<HeaderMap> {
    let pairs: Vec<Field> = serde_json::from_str(json).ok()?;
    let mut fields = HeaderMap::with_capacity(pairs.len());
    for Field(name, value) in &pairs {
        let value = if value.is_ascii() {
            HeaderValue::from_str(value).ok()?
        } else {
            let bytes: Option<Vec<u8>> = value.chars().map(|character| u8::try_from(character).ok()).collect();
            HeaderValue::from_bytes(&bytes?).ok()?
        };
        fields.try_append(HeaderName::from_bytes(name.as_bytes()).ok()?, value).ok()?;
    }
    Some(fields)
}

pub(super) fn json(value: &impl Serialize) -> Bytes {
    // Texts and numbers can always be written; an empty field would make the entry a miss.
    serde_json::to_vec(value).unwrap_or_default().into()
}

/// What the hash's field `about` says.
#[derive(Serialize, Deserialize)]
struct About<'a> {
    kind: KindName,
    status: u16,
    length: usize,
    received_ms: u64,
    initial_age_ms: u64,
    fresh_ms: u64,
    #[serde(borrow)]
    lifetime_from: Cow<'a, str>,
    stale_while_revalidate_ms: u64,
    stale_if_error_ms: u64,
    /// How many bytes its body takes as a hit of an annotated route sends it.
    #[serde(default, skip_serializing_if = "is_default")]
    annotated_length: usize,
    #[serde(default, skip_serializing_if = "is_default")]
    public: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    must_revalidate: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    private: bool,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum KindName {
    Response,
    VaryIndex,
    Around,
    Written,
    CacheOnly,
}

impl About<'_> {
    fn of(entry: &StoredResponse) -> Self {
        let StoredResponse { lifetime, flags, .. } = entry;
        Self {
            kind: KindName::of(entry.kind),
            status: entry.status.as_u16(),
            length: entry.body.len(),
            received_ms: entry.response_time,
            // Rounded up where everything else is rounded down: never fresh for longer than before.
            initial_age_ms: millis(entry.initial_age.saturating_add(Duration::from_nanos(999_999))),
            fresh_ms: millis(lifetime.fresh_for),
            lifetime_from: lifetime.source.as_str().into(),
            stale_while_revalidate_ms: millis(lifetime.stale_while_revalidate),
            stale_if_error_ms: millis(lifetime.stale_if_error),
            annotated_length: entry.annotated_bytes(),
            public: flags.public_enough,
            must_revalidate: flags.must_revalidate,
            private: flags.private,
        }
    }

    fn lifetime(&self) -> Option<Lifetime> {
        Some(Lifetime {
            fresh_for: Duration::from_millis(self.fresh_ms),
            source: LifetimeSource::parse(&self.lifetime_from)?,
            stale_while_revalidate: Duration::from_millis(self.stale_while_revalidate_ms),
            stale_if_error: Duration::from_millis(self.stale_if_error_ms),
        })
    }

    fn flags(&self) -> StoredFlags {
        StoredFlags { public_enough: self.public, must_revalidate: self.must_revalidate, private: self.private }
    }
}

impl KindName {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Response => Self::Response,
            Kind::VaryIndex => Self::VaryIndex,
            Kind::Around => Self::Around,
            Kind::Written => Self::Written,
            Kind::CacheOnly => Self::CacheOnly,
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Response => Kind::Response,
            Self::VaryIndex => Kind::VaryIndex,
            Self::Around => Kind::Around,
            Self::Written => Kind::Written,
            Self::CacheOnly => Kind::CacheOnly,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What the fuzz targets reach: entries as Redis has them. In no other build.
#[cfg(fuzzing)]
pub mod fuzzing {
    use super::{Bytes, CacheKey, StoredResponse, Value};

    /// The values of an entry's meta hash.
    pub type Meta = Vec<Bytes>;

    /// The meta hash of an entry.
    pub fn encode(key: &CacheKey, entry: &StoredResponse) -> Meta {
        super::encode(key, entry).into()
    }

    /// The entry that a body and the values of a meta hash make up, if they do.
    pub fn decode(key: &CacheKey, body: &[u8], meta: &[Bytes]) -> Option<StoredResponse> {
        let meta: Vec<Value> = meta.iter().cloned().map(Value::Bytes).collect();
        super::decode(key, &Value::Bytes(Bytes::copy_from_slice(body)), &meta).ok().map(|(entry, _)| entry)
    }

    /// Puts the right sum last, so that the checks behind it are reached.
    pub fn seal(meta: &mut Meta, body: &[u8]) {
        if let [version, key, token, tags, fields, about, sum] = meta.as_mut_slice() {
            let hash = super::hash([&version[..], &key[..], &tags[..], &fields[..], &about[..]], body);
            *sum = [hash.as_bytes(), b"@", token.as_ref()].concat().into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> CacheKey {
        CacheKey::new("fruit", 0, "fruit:1")
    }

    fn entry() -> StoredResponse {
        entry_of(Kind::Response, Bytes::from_static(b"{\"id\": 1}\0\xff"))
    }

    fn entry_of(kind: Kind, body: Bytes) -> StoredResponse {
        let mut fields = HeaderMap::new();
        fields.append("content-type", HeaderValue::from_static("application/json"));
        fields.append("x-name", HeaderValue::from_bytes(b"caf\xe9 \xc3\xa9 \"\\ \t").unwrap());
        fields.append("vary", HeaderValue::from_static("accept"));
        fields.append("vary", HeaderValue::from_static("x-other"));
        StoredResponse::new(
            kind,
            StatusCode::NOT_FOUND,
            fields,
            body,
            1_700_000_000_123,
            Duration::from_millis(2500),
            Lifetime {
                fresh_for: Duration::from_secs(600),
                source: LifetimeSource::MaxAge,
                stale_while_revalidate: Duration::from_secs(1),
                stale_if_error: Duration::MAX,
            },
            StoredFlags { public_enough: true, must_revalidate: false, private: true },
            vec![Tag::route("fruit"), Tag::named("größe \"1\"\n")],
            Token { epoch: 0xfeed, seq: 42 },
        )
    }

    fn values(entry: &StoredResponse) -> Vec<Value> {
        encode(&key(), entry).into_iter().map(Value::Bytes).collect()
    }

    #[test]
    fn an_entry_survives() {
        let before = entry().annotated_in(40);
        let (after, sum) = decode(&key(), &Value::Bytes(before.body.clone()), &values(&before)).unwrap();
        assert_eq!(sum, super::sum(&Content::of(&key(), &before).hash, before.token));
        assert_eq!(after.annotated_bytes(), 40);
        assert_eq!((after.kind, after.status, &after.fields), (before.kind, before.status, &before.fields));
        assert_eq!((&after.body, &after.tags, after.token), (&before.body, &before.tags, before.token));
        assert_eq!((after.response_time, after.initial_age), (before.response_time, before.initial_age));
        assert_eq!(after.lifetime.fresh_for, before.lifetime.fresh_for);
        assert_eq!(after.lifetime.source, before.lifetime.source);
        assert_eq!(after.lifetime.stale_if_error, Duration::from_millis(u64::MAX));
        let flags = (after.flags.public_enough, after.flags.must_revalidate, after.flags.private);
        assert_eq!(flags, (true, false, true));
    }

    #[test]
    fn an_entry_that_was_read_again_is_the_same() {
        let mut before = entry();
        before.initial_age = Duration::from_micros(2_500_400);
        let read =
            |entry: &StoredResponse| decode(&key(), &Value::Bytes(entry.body.clone()), &values(entry)).unwrap().0;
        let after = read(&before);
        assert_eq!(identity(&key(), &after), identity(&key(), &before));
        assert_eq!(identity(&key(), &read(&after)), identity(&key(), &before));

        let changes: [fn(&mut StoredResponse); 5] = [
            |entry| entry.response_time += 1,
            |entry| entry.token.seq += 1,
            |entry| entry.fields.clear(),
            |entry| entry.tags.clear(),
            |entry| entry.body = Bytes::from_static(b"{\"id\": 2}\0\xff"),
        ];
        for change in changes {
            let mut other = entry();
            change(&mut other);
            assert_ne!(identity(&key(), &other), identity(&key(), &entry()));
        }
    }

    #[test]
    fn markers_survive() {
        for kind in [Kind::VaryIndex, Kind::Around, Kind::Written, Kind::CacheOnly] {
            let before = entry_of(kind, Bytes::new());
            let (after, _) = decode(&key(), &Value::String("".into()), &values(&before)).unwrap();
            assert_eq!((after.kind, after.body.len()), (kind, 0));
        }
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let sound = entry();
        let meta = values(&sound);
        for (field, value) in meta.iter().enumerate() {
            let bytes = value.as_bytes().unwrap();
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let mut meta = meta.clone();
                meta[field] = Value::Bytes(flipped.into());
                assert!(decode(&key(), &Value::Bytes(sound.body.clone()), &meta).is_err(), "field {field}, bit {bit}");
            }
        }
        for bit in 0..sound.body.len() * 8 {
            let mut flipped = sound.body.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&key(), &Value::Bytes(flipped.into()), &meta).is_err(), "body, bit {bit}");
        }
    }

    #[test]
    fn another_keys_entry_is_none() {
        let sound = entry();
        let body = Value::Bytes(sound.body.clone());
        for (route, name) in [("fruits", "fruit:1"), ("fruit", "fruit:2")] {
            let other = CacheKey::new(route, 0, name);
            assert_eq!(decode(&other, &body, &values(&sound)).err(), Some(Unfit::Unsound));
        }
    }

    #[test]
    fn no_mixture_of_two_entries_is_one() {
        let one = entry();
        let mut two = entry_of(Kind::Written, Bytes::from_static(b"{\"id\": 2}\0\xff"));
        (two.tags, two.token.seq) = (vec![Tag::route("fruit")], 43);
        two.fields.clear();
        let sides = [&one, &two].map(|entry| {
            let mut parts = values(entry);
            parts.push(Value::Bytes(entry.body.clone()));
            parts
        });
        // Version and key are the same in both.
        let apart: Vec<usize> = (0..=META_LENGTH).filter(|part| sides[0][*part] != sides[1][*part]).collect();
        assert_eq!(apart.len(), META_LENGTH - 1);
        for mixture in 1..(1 << apart.len()) - 1 {
            let mut parts = sides[0].clone();
            for (_, part) in apart.iter().enumerate().filter(|(bit, _)| mixture & (1 << bit) != 0) {
                parts[*part] = sides[1][*part].clone();
            }
            let body = parts.pop().unwrap();
            assert_eq!(decode(&key(), &body, &parts).err(), Some(Unfit::Unsound), "mixture {mixture:b}");
        }
    }

    /// As a script does that puts an entry under a token which it alone knows.
    #[test]
    fn a_token_may_be_given_later() {
        let mut later = entry();
        later.token = Token { epoch: 0xbeef, seq: 77 };
        let Content { hash, .. } = Content::of(&key(), &entry());
        let mut meta = values(&entry());
        meta[2] = Value::Bytes(Bytes::from_static(b"000000000000beef:77"));
        meta[6] = Value::Bytes([&hash, b"@000000000000beef:77".as_slice()].concat().into());
        assert_eq!(meta, values(&later));
        assert_eq!(decode(&key(), &Value::Bytes(later.body.clone()), &meta).unwrap().0.token, later.token);
    }

    #[test]
    fn another_fingerprints_entry_is_told_from_a_spoilt_one() {
        let sound = entry();
        let body = Value::Bytes(sound.body.clone());
        let other = CacheKey { fingerprint: 1, ..key() };
        assert_eq!(decode(&other, &body, &values(&sound)).err(), Some(Unfit::OtherFingerprint));
        assert_eq!(decode(&other, &Value::Null, &values(&sound)).err(), Some(Unfit::Unsound));
        let another = CacheKey { fingerprint: 1, route: "fruits".into(), ..key() };
        assert_eq!(decode(&another, &body, &values(&sound)).err(), Some(Unfit::Unsound));
    }

    #[test]
    fn missing_halves_and_short_replies_are_none() {
        let sound = entry();
        let body = Value::Bytes(sound.body.clone());
        assert!(decode(&key(), &Value::Null, &values(&sound)).is_err());
        assert!(decode(&key(), &body, &vec![Value::Null; META_LENGTH]).is_err());
        assert!(decode(&key(), &body, &[]).is_err());
    }
}
