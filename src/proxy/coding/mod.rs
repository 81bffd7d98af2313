//! Bodies in the content codings that clients accept: each made once, held as long as there is room.
//!
//! A coded copy is found by the checksum of the body it was made from, and given out only for that very body. So it
//! needs no invalidation, and one made for an entry in Redis serves its hits, too. What is stored stays as it came.

mod encoder;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue, VARY};
use tokio::time::timeout;
use xxhash_rust::xxh3::xxh3_128;

use super::annotate;
use super::answer::Answer;
use crate::body::Body;
use crate::budget::{Budget, Loan};
use crate::fields::{ContentCoding, Vary};
use crate::store::{Bounded, allocated, body, buffer, counted};

/// `[clients] compression` and its memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompressionSettings {
    /// The codings on offer, the most preferred first; empty turns compression off.
    pub codings: Vec<ContentCoding>,
    /// How many bytes the coded copies may take, together with the bodies that they were made from.
    pub memory: u64,
}

/// Larger bodies are encoded off the core's thread: brotli takes about a millisecond for this much.
const INLINE: usize = 32 << 10;

/// How long a request waits for its body to be encoded; it then gets it as it is, and the next one may find it encoded.
const PATIENCE: Duration = Duration::from_secs(2);

/// About what a body and its copy weigh.
const BYTES_A_GHOST: u64 = 16 << 10;

/// The coded copies of a process's answers.
pub(super) struct Codings {
    offered: Vec<ContentCoding>,
    held: Bounded<Key, Arc<Held>>,
    /// The largest body of which a copy could be held.
    largest: usize,
    under_way: Mutex<HashSet<Key>>,
    max_under_way: usize,
    answers: Arc<Budget>,
}

/// Which copy: of which body, in which coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    checksum: u128,
    coding: ContentCoding,
}

/// A body and its coded copy; none where that would not be smaller.
struct Held {
    /// To tell a body from another with the same checksum.
    identity: Bytes,
    encoded: Option<Bytes>,
    _loan: Option<Loan>,
}

impl Held {
    /// How many bytes of memory it takes at the most.
    fn weight(&self) -> usize {
        let encoded = self.encoded.as_ref().map_or(0, Bytes::len);
        Self::weight_of(self.identity.len()) + body(encoded)
    }

    /// The same without the copy.
    fn weight_of(identity: usize) -> usize {
        allocated(counted::<Self>()) + buffer(identity)
    }
}

impl Codings {
    pub(super) fn new(settings: &CompressionSettings, answers: &Arc<Budget>) -> Self {
        let held = Bounded::new(settings.memory, BYTES_A_GHOST);
        Self {
            offered: settings.codings.clone(),
            // A copy is smaller than its body, so both fit.
            largest: held.largest().saturating_sub(Held::weight_of(0)) / 5 * 2,
            held,
            under_way: Mutex::default(),
            max_under_way: std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2)),
            answers: Arc::clone(answers),
        }
    }

    /// The codings on offer, the most preferred first; empty where compression is off.
    pub(super) fn offered(&self) -> &[ContentCoding] {
        &self.offered
    }

    /// The largest body that is encoded, in bytes.
    pub(super) fn largest(&self) -> usize {
        self.largest
    }

    /// The answer in the coding that it was given, if that copy is held already; `None` where it is not.
    pub(super) fn apply_held(&self, answer: Answer) -> Option<Answer> {
        let (Some(coding), Body::Full(identity)) = (answer.coding, answer.response.body()) else { return Some(answer) };
        let held = self.held(&Key { checksum: xxh3_128(identity), coding }, identity)?;
        Some(coded(answer, coding, held.encoded.clone()))
    }

    fn held(&self, key: &Key, identity: &Bytes) -> Option<Arc<Held>> {
        self.held.get(key).filter(|held| held.identity == identity)
    }

    /// The answer in the coding that it was given, or as it is: where that is not smaller, and where too many bodies, or
    /// this very one, are being encoded just now.
    pub(super) async fn apply(self: &Arc<Self>, answer: Answer) -> Answer {
        let Some(coding) = answer.coding else { return answer };
        let Body::Full(identity) = answer.response.body() else { return answer };
        let encoded = self.encoded(identity, coding).await;
        coded(answer, coding, encoded)
    }

    async fn encoded(self: &Arc<Self>, identity: &Bytes, coding: ContentCoding) -> Option<Bytes> {
        let key = Key { checksum: xxh3_128(identity), coding };
        if let Some(held) = self.held(&key, identity) {
            return held.encoded.clone();
        }
        // As it is, it is shared with the store; a copy would be one more answer under way.
        if !self.answers.has_room(identity.len(), 0) {
            return None;
        }
        if identity.len() <= INLINE {
            return self.encode(key, identity);
        }
        let job = Job::begin(self, key)?;
        let identity = identity.clone();
        let encoding = tokio::task::spawn_blocking(move || job.codings.encode(key, &identity));
        timeout(PATIENCE, encoding).await.ok()?.ok()?
    }

    /// Makes the copy and holds it.
    fn encode(&self, key: Key, identity: &Bytes) -> Option<Bytes> {
        // What cannot be encoded is held as such, too: it is told of once, and not at every hit.
        let encoded = encoder::encode(identity, key.coding)
            .inspect_err(|error| tracing::warn!(%error, "a body could not be encoded and is sent as it is"));
        // Both are copied: what was encoded into has room to spare, and what came from the store may be a slice of a larger
        // buffer, which would be kept whole.
        let smaller = encoded.ok().filter(|encoded| encoded.len() < identity.len());
        let encoded = smaller.map(|encoded| Bytes::copy_from_slice(&encoded));
        let (encoded, loan) = encoded.map_or((None, None), |encoded| {
            let (encoded, loan) = self.answers.lend(encoded);
            (Some(encoded), loan)
        });
        let held = Held { identity: Bytes::copy_from_slice(identity), encoded: encoded.clone(), _loan: loan };
        if let Some(weight) = self.held.weigh(held.weight()) {
            self.held.insert(key, Arc::new(held), weight);
        }
        encoded
    }
}

/// The answer with this copy of its body in place of it, where there is one.
fn coded(mut answer: Answer, coding: ContentCoding, copy: Option<Bytes>) -> Answer {
    let Some(copy) = copy else { return answer };
    let fields = answer.response.headers_mut();
    annotate::own_no_bytes(fields);
    // A range of the coded copy would be one of bytes that the origin never had.
    fields.remove(ACCEPT_RANGES);
    fields.insert(CONTENT_ENCODING, coding.field_value());
    fields.insert(CONTENT_LENGTH, HeaderValue::from(copy.len()));
    *answer.response.body_mut() = Body::Full(copy);
    answer
}

/// A body being encoded off the core's thread; over when it is dropped.
struct Job {
    codings: Arc<Codings>,
    key: Key,
}

impl Job {
    /// `None` where this copy is being made already, or as many others as may be at once.
    fn begin(codings: &Arc<Codings>, key: Key) -> Option<Self> {
        let mut under_way = codings.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        (under_way.len() < codings.max_under_way && under_way.insert(key))
            .then(|| Self { codings: Arc::clone(codings), key })
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.codings.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Says that answers differ by Accept-Encoding, where they do not say so or more already.
pub(super) fn vary(fields: &mut HeaderMap) {
    if let Vary::Fields(names) = Vary::of(fields)
        && !names.contains(&ACCEPT_ENCODING)
    {
        fields.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

impl std::fmt::Debug for Codings {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Codings").field("offered", &self.offered).field("copies", &self.held).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codings(memory: u64) -> Arc<Codings> {
        let settings = CompressionSettings { codings: ContentCoding::ALL.to_vec(), memory };
        Arc::new(Codings::new(&settings, &Budget::new(1 << 20)))
    }

    fn text(length: usize) -> Bytes {
        "a line of text\n".bytes().cycle().take(length).collect()
    }

    #[tokio::test]
    async fn a_copy_is_made_once_for_a_body_and_a_coding() {
        let codings = codings(1 << 20);
        let (small, large) = (text(INLINE), text(INLINE + 1));
        for body in [&small, &large] {
            for coding in ContentCoding::ALL {
                let first = codings.encoded(body, coding).await.unwrap();
                let second = codings.encoded(&Bytes::copy_from_slice(body), coding).await.unwrap();
                assert_eq!(first.as_ptr(), second.as_ptr(), "{coding:?}");
            }
        }
        assert_eq!(codings.held.len(), 6);
        assert!(codings.under_way.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_body_with_the_checksum_of_another_gets_a_copy_of_its_own() {
        let codings = codings(1 << 20);
        let (body, other) = (text(2000), text(3000));
        let key = Key { checksum: xxh3_128(&body), coding: ContentCoding::Gzip };
        let foreign = Some(Bytes::from_static(b"not yours"));
        let held = Held { identity: other, encoded: foreign.clone(), _loan: None };
        let weight = codings.held.weigh(held.weight()).unwrap();
        codings.held.insert(key, Arc::new(held), weight);
        assert_ne!(codings.encoded(&body, ContentCoding::Gzip).await, foreign);
    }

    #[tokio::test]
    async fn what_does_not_shrink_is_tried_once() {
        let codings = codings(1 << 20);
        let mut noise = vec![0; 4096];
        getrandom::fill(&mut noise).unwrap();
        let noise = Bytes::from(noise);
        for _ in 0..2 {
            assert_eq!(codings.encoded(&noise, ContentCoding::Zstd).await, None);
        }
        assert_eq!(codings.held.len(), 1);
    }

    #[tokio::test]
    async fn large_bodies_are_encoded_by_a_few_at_once_and_by_one_each() {
        let codings = codings(16 << 20);
        let key = |checksum| Key { checksum, coding: ContentCoding::Br };
        let mut jobs: Vec<Job> =
            (0..codings.max_under_way as u128).map(|n| Job::begin(&codings, key(n)).unwrap()).collect();
        assert!(Job::begin(&codings, key(99)).is_none(), "too many");
        assert_eq!(codings.encoded(&text(INLINE + 1), ContentCoding::Br).await, None, "nobody waits for a place");
        jobs.pop();
        assert!(jobs.is_empty() || Job::begin(&codings, key(0)).is_none(), "the same");
        assert!(Job::begin(&codings, key(99)).is_some());
    }

    #[tokio::test]
    async fn it_holds_no_more_than_its_bytes_and_whatever_is_not_too_large() {
        let codings = codings(1 << 20);
        let largest = text(codings.largest());
        assert!(codings.encoded(&largest, ContentCoding::Gzip).await.is_some());
        assert_eq!(codings.held.len(), 1);
        for length in 1000..1500 {
            codings.encoded(&text(length), ContentCoding::Gzip).await;
            assert!(codings.held.bytes() <= 1 << 20);
        }
    }

    #[test]
    fn vary_is_said_once() {
        for (before, after) in [("Accept", 2), ("accept-encoding, Accept", 1), ("*", 1)] {
            let mut fields = HeaderMap::from_iter([(VARY, HeaderValue::from_static(before))]);
            vary(&mut fields);
            vary(&mut fields);
            assert_eq!(fields.get_all(VARY).iter().count(), after, "{before}");
        }
    }
}
