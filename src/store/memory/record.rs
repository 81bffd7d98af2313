//! The app's sequence in memory: its epoch, how far it has come, and when each tag was last invalidated.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::rules::{Heir, Place, Tag};
use crate::store::{Finished, Since, StoredResponse, TAG_LIMIT, Token, fresh_epoch};

/// The app's sequence.
pub(super) struct Record {
    epoch: u64,
    /// Raised only under the write lock of `marks`, after the marks themselves.
    seq: AtomicU64,
    marks: RwLock<Marks>,
}

/// When tags were last invalidated.
#[derive(Default)]
pub(super) struct Marks {
    /// Every tag that is not listed counts as invalidated here.
    floor: u64,
    tags: HashMap<Tag, u64>,
}

impl Record {
    pub(super) fn new() -> Self {
        Self { epoch: fresh_epoch(), seq: AtomicU64::new(0), marks: RwLock::default() }
    }

    /// The point that the sequence has reached.
    pub(super) fn now(&self) -> Token {
        Token { epoch: self.epoch, seq: self.seq.load(Ordering::SeqCst) }
    }

    /// Holds invalidations and fills back while the marks are read.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Marks> {
        // Marks are only ever raised, one by one: a panic half way leaves some raised, which loses hits and nothing else.
        self.marks.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds invalidations, fills and checks back.
    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Marks> {
        self.marks.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Invalidates the tags in one step.
    pub(super) fn finish(&self, tags: &[Tag], since: Option<&Since>) -> Finished {
        let mut marks = self.write();
        let alone = since.is_some_and(|since| {
            let latest = marks.latest(tags.iter().chain(&since.watched));
            since.token.epoch == self.epoch && latest <= since.token.seq
        });
        let seq = self.seq.load(Ordering::SeqCst) + 1;
        marks.raise(tags, seq);
        self.seq.store(seq, Ordering::SeqCst);
        Finished { token: Token { epoch: self.epoch, seq }, alone }
    }
}

impl Marks {
    /// The point of the sequence at which any of the tags was last invalidated; 0 for never.
    pub(super) fn latest<'a>(&self, tags: impl IntoIterator<Item = &'a Tag>) -> u64 {
        tags.into_iter().filter_map(|tag| self.tags.get(tag)).fold(self.floor, |latest, &seq| latest.max(seq))
    }

    /// Whether no invalidation came after the entry's token, by its tags or by those of its place: they are among its own,
    /// but an entry that lacks one must not outlive a write for that. The epoch is not looked at.
    pub(super) fn spare(&self, entry: &StoredResponse, place: &Place) -> bool {
        self.latest(entry.tags.iter().chain(&place.tags)) <= entry.token.seq
    }

    fn raise(&mut self, tags: &[Tag], seq: u64) {
        for tag in tags {
            if *tag == Tag::everything() {
                // Nothing that is listed lies above it.
                (self.floor, self.tags) = (seq, HashMap::new());
                continue;
            }
            match self.tags.get_mut(tag) {
                Some(last) => *last = seq,
                None => drop(self.tags.insert(tag.clone(), seq)),
            }
        }
        while self.tags.len() > TAG_LIMIT && self.forget_half() {}
    }

    /// Takes the older half of those tags out of the list that have most in common, and raises what covers them instead:
    /// their route, or for names everything. False where there is nothing to take out.
    fn forget_half(&mut self) -> bool {
        let mut heirs: BTreeMap<Heir, Vec<u64>> = BTreeMap::new();
        for (tag, seq) in &self.tags {
            heirs.entry(tag.heir()).or_default().push(*seq);
        }
        heirs.remove(&Heir::Itself);
        let Some((heir, mut seqs)) = heirs.into_iter().max_by_key(|(_, seqs)| seqs.len()) else { return false };
        let middle = seqs.len() / 2;
        let (_, &mut median, _) = seqs.select_nth_unstable(middle);
        self.tags.retain(|tag, seq| *seq > median || tag.heir() != heir);
        match heir {
            Heir::Route(route) => {
                let floor = self.tags.entry(route).or_default();
                *floor = median.max(*floor);
            }
            Heir::Itself | Heir::Everything => self.floor = self.floor.max(median),
        }
        true
    }

    /// How many tags are listed.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.tags.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_tags_raise_the_floor_and_lose_no_invalidation() {
        let record = Record::new();
        let tag = |n: usize| Tag::named(&n.to_string());
        let mut since = Vec::new();
        for n in 0..=TAG_LIMIT {
            since.push(record.now());
            record.finish(&[tag(n)], None);
        }
        let marks = record.read();
        assert!(marks.len() <= TAG_LIMIT / 2);
        for (n, before) in since.iter().enumerate() {
            assert!(marks.latest(&[tag(n)]) > before.seq, "the invalidation of tag {n} was forgotten");
        }
        assert!(marks.latest(&[tag(TAG_LIMIT + 1)]) < record.now().seq, "the floor takes no more than it has to");
    }

    #[test]
    fn one_invalidation_of_very_many_tags_stays_bounded() {
        let record = Record::new();
        let tags: Vec<Tag> = (0..=TAG_LIMIT).map(|n| Tag::named(&n.to_string())).collect();
        let finished = record.finish(&tags, None);
        assert_eq!(record.read().len(), 0);
        assert_eq!(record.read().latest([]), finished.token.seq);
    }
}
