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

use super::layout::record_fields;
use crate::budget::Budget;
use crate::clock::Millis;
use crate::rules::{CacheKey, EntryRef};
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
    /// What a record is asked for about all of its tags.
    pub(super) fields: Vec<Bytes>,
    /// When it was last read in full, or put.
    read_at: AtomicU64,
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
        at.tags.iter().all(|tag| copy.entry.tags.contains(tag)).then_some(copy)
    }

    /// Puts a copy of an entry that was read in full, if there is room for it, and gives back what the lookup answers: the copy
    /// that is there where that is the same, with all that hits have made of it.
    pub(super) fn insert_read(
        &self,
        at: &EntryRef,
        entry: StoredResponse,
        sum: &Bytes,
        now: Millis,
    ) -> Arc<StoredResponse> {
        if let Some(copy) = self.entries.peek(&at.key).filter(|copy| copy.sum == sum && copy.entry.has_body_of(&entry))
        {
            copy.read_at.fetch_max(now, Ordering::Relaxed);
            return Arc::clone(&copy.entry);
        }
        let fields = record_fields(&entry.tags);
        let Some(weight) = self.weigh(&at.key, &entry, sum, &fields) else { return Arc::new(entry) };
        // What was read is a slice of the connection's buffer.
        let entry = entry.compact();
        let entry = Arc::new(match self.answers.get() {
            Some(answers) => entry.lent(answers),
            None => entry,
        });
        self.insert(at, Arc::clone(&entry), sum, &fields, weight, now);
        entry
    }

    /// Puts a copy of an entry that was put, if there is room for it.
    pub(super) fn insert_put(&self, at: &EntryRef, entry: &Arc<StoredResponse>, sum: &Bytes, now: Millis) {
        let fields = record_fields(&entry.tags);
        if let Some(weight) = self.weigh(&at.key, entry, sum, &fields) {
            self.insert(at, Arc::clone(entry), sum, &fields, weight, now);
        }
    }

    fn insert(
        &self,
        at: &EntryRef,
        entry: Arc<StoredResponse>,
        sum: &Bytes,
        fields: &[Bytes],
        weight: Weight,
        now: Millis,
    ) {
        let (sum, fields, read_at) = (Bytes::copy_from_slice(sum), in_one_piece(fields), AtomicU64::new(now));
        self.entries.insert(at.key.clone(), Arc::new(EntryCopy { entry, sum, fields, read_at }), weight);
    }

    /// What a copy weighs; `None` where that is too much.
    fn weigh(&self, key: &CacheKey, entry: &StoredResponse, sum: &Bytes, fields: &[Bytes]) -> Option<Weight> {
        let text = fields.iter().map(Bytes::len).sum();
        let own = allocated(counted::<EntryCopy>()) + buffer(sum.len()) + allocated(size_of_val(fields)) + buffer(text);
        self.entries.weigh(entry.weight() + key_texts(key) + own)
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
