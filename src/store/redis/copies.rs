//! Copies of Redis' entries in this process: read and decoded once, and given out as long as Redis says that they are still
//! what it has.
//!
//! A copy answers nobody by itself. What a lookup asks Redis about one is little: how long the body is, what the meta's sum
//! says, and what the app's record says of all tags of the copy. The sum is of everything that was put, its token among it.
//! So a body that is gone or has another length, another entry and an invalidation are all seen at once. What a person
//! writes over an entry in its own length, or into its meta beside the sum, is seen once the copy is read in full, which is
//! done when that was last done a second ago.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use fred::types::Value;

use super::layout::{Keys, RECORD_HEAD, record_fields};
use crate::budget::Budget;
use crate::clock::Millis;
use crate::rules::{CacheKey, EntryRef, TagsBasis};
use crate::store::bounded::{Bounded, Weight};
use crate::store::entry::StoredResponse;
use crate::store::weight::{allocated, buffer, counted, key_texts};

/// About what a copy weighs.
const BYTES_A_GHOST: u64 = 8 << 10;

/// So long a copy is given out after it was read in full.
const TRUSTED_MS: Millis = 1000;

/// The copies of a process, which its cores share.
#[derive(Debug)]
pub(super) struct Copies {
    entries: Bounded<CacheKey, Arc<EntryCopy>>,
    answers: OnceLock<Arc<Budget>>,
    validated: AtomicU64,
}

/// One copy.
#[derive(Debug)]
pub(super) struct EntryCopy {
    pub(super) entry: Arc<StoredResponse>,
    /// What the meta's `sum` says of it.
    pub(super) sum: Bytes,
    pub(super) keys: Keys,
    /// What a record is asked for about all of its tags.
    pub(super) fields: Vec<Bytes>,
    /// What the tags of its key are made from, all of which it has. A hit with the same ones makes none.
    basis: Option<TagsBasis>,
    /// When it was last read in full, or put.
    read_at: AtomicU64,
}

/// What a copy is made of besides its entry, and what it weighs with it.
struct Made {
    sum: Bytes,
    keys: Keys,
    fields: Vec<Bytes>,
    basis: Option<TagsBasis>,
    weight: Weight,
}

impl Copies {
    /// Copies that take at most so many bytes of memory, but for what the allocator holds in reserve.
    pub(super) fn new(bytes: u64) -> Self {
        Self { entries: Bounded::new(bytes, BYTES_A_GHOST), answers: OnceLock::new(), validated: AtomicU64::new(0) }
    }

    /// Has copies share their bodies with answers, which count in this budget once the copy is gone. Only the first one
    /// that is named counts.
    pub(super) fn lend_to(&self, answers: &Arc<Budget>) {
        self.answers.get_or_init(|| Arc::clone(answers));
    }

    /// The copy of an entry, if it has all the tags of its key.
    pub(super) fn find(&self, at: &EntryRef) -> Option<Arc<EntryCopy>> {
        let copy = self.entries.get(&at.key)?;
        let known = copy.basis.as_ref().is_some_and(|basis| at.tags.rest_on(basis));
        (known || has_tags_of(at, &copy.entry)).then_some(copy)
    }

    /// Puts a copy of an entry that was read in full, if there is room for it, and gives back what the lookup answers: the copy
    /// that is there where that is the same, with all that hits have made of it.
    pub(super) fn insert_read(
        &self,
        at: &EntryRef,
        keys: &Keys,
        entry: StoredResponse,
        sum: &Bytes,
        now: Millis,
    ) -> Arc<StoredResponse> {
        if let Some(copy) = self.entries.peek(&at.key).filter(|copy| copy.sum == sum && copy.entry.has_body_of(&entry))
        {
            copy.read_at.fetch_max(now, Ordering::Relaxed);
            return Arc::clone(&copy.entry);
        }
        let Some(made) = self.make(at, keys, &entry, sum) else { return Arc::new(entry) };
        // What was read is a slice of the connection's buffer.
        let entry = entry.compact();
        let entry = Arc::new(match self.answers.get() {
            Some(answers) => entry.lent(answers),
            None => entry,
        });
        self.insert(at, Arc::clone(&entry), made, now);
        entry
    }

    /// Puts a copy of an entry that was put, if there is room for it.
    pub(super) fn insert_put(&self, at: &EntryRef, keys: &Keys, entry: &Arc<StoredResponse>, sum: &Bytes, now: Millis) {
        if let Some(made) = self.make(at, keys, entry, sum) {
            self.insert(at, Arc::clone(entry), made, now);
        }
    }

    fn insert(&self, at: &EntryRef, entry: Arc<StoredResponse>, made: Made, now: Millis) {
        let Made { sum, keys, fields, basis, weight } = made;
        let copy = EntryCopy { entry, sum, keys, fields, basis, read_at: AtomicU64::new(now) };
        self.entries.insert(at.key.clone(), Arc::new(copy), weight);
    }

    /// What a copy is made of besides its entry; nothing where it weighs too much.
    fn make(&self, at: &EntryRef, keys: &Keys, entry: &StoredResponse, sum: &Bytes) -> Option<Made> {
        let basis = at.tags.basis().filter(|_| has_tags_of(at, entry));
        let fields = record_fields(&entry.tags);
        let own = allocated(counted::<EntryCopy>())
            + buffer(sum.len())
            + buffer(keys.size())
            + allocated(size_of_val(&*fields))
            + buffer(fields.iter().map(Bytes::len).sum())
            + allocated(basis.as_ref().map_or(0, TagsBasis::size));
        let weight = self.entries.weigh(entry.weight() + key_texts(&at.key) + own)?;
        let (sum, keys, fields) = (Bytes::copy_from_slice(sum), keys.compact(), in_one_piece(&fields));
        Some(Made { sum, keys, fields, basis, weight })
    }

    /// Takes out a copy of what Redis no longer has.
    pub(super) fn remove(&self, at: &EntryRef) {
        self.entries.remove(&at.key);
    }

    /// A copy was given out on Redis' word, without its body.
    pub(super) fn count_validated(&self) {
        self.validated.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were.
    pub(super) fn validated(&self) -> u64 {
        self.validated.load(Ordering::Relaxed)
    }

    /// How many copies there are.
    pub(super) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// How many copies had to leave, ever, since there was no room for them.
    pub(super) fn evicted(&self) -> u64 {
        self.entries.evicted()
    }

    /// How many bytes the copies take at the most.
    pub(super) fn weight_held(&self) -> u64 {
        self.entries.bytes()
    }
}

impl EntryCopy {
    /// Whether it was read in full not long ago.
    pub(super) fn is_trusted(&self, now: Millis) -> bool {
        now.saturating_sub(self.read_at.load(Ordering::Relaxed)) < TRUSTED_MS
    }

    /// The fields of the record that its tags have: the others are there for every entry.
    pub(super) fn tag_fields(&self) -> &[Bytes] {
        self.fields.get(RECORD_HEAD..).unwrap_or_default()
    }

    /// Whether it is of the entry of which Redis says this: of its body, the length or an empty one, and of its sum. Nothing
    /// stands for what another type has.
    pub(super) fn is_of(&self, body: Option<&Value>, sum: Option<Value>) -> bool {
        let there = match body {
            Some(Value::Integer(length)) => {
                usize::try_from(*length).is_ok_and(|length| length == self.entry.body.len())
            }
            Some(body) => body.as_bytes().is_some_and(<[u8]>::is_empty) && self.entry.body.is_empty(),
            None => false,
        };
        let sum = sum.map(Value::into_array).unwrap_or_default();
        there && matches!(&*sum, [sum] if sum.as_bytes() == Some(&self.sum[..]))
    }
}

/// Whether an entry has all the tags of its key.
fn has_tags_of(at: &EntryRef, entry: &StoredResponse) -> bool {
    at.tags.iter().all(|tag| entry.tags.contains(tag))
}

/// The same texts with one buffer for all of them.
fn in_one_piece(fields: &[Bytes]) -> Vec<Bytes> {
    let text = Bytes::from(fields.concat());
    let mut begin = 0;
    let mut slice = |field: &Bytes| {
        let end = begin + field.len();
        let slice = text.slice(begin..end);
        begin = end;
        slice
    };
    fields.iter().map(&mut slice).collect()
}
