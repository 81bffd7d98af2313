//! The app's record in memory: the epoch of its sequence, how far that has come, and when each tag was last invalidated. It
//! knows nothing of entries.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::core::{FOLDED_AT_ONCE, Invalidated, Since, TAG_LIMIT, Token, fresh_epoch};
use crate::rules::{Heir, Tag};

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
    /// How many of them may be taken out of the list again, or a few more: those of routes are not.
    listed: usize,
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

    /// Whether nothing that has one of these tags and this token was invalidated after it.
    pub(super) fn spares<'a>(&self, marks: &Marks, token: Token, tags: impl IntoIterator<Item = &'a Tag>) -> bool {
        token.epoch == self.epoch && marks.latest(tags) <= token.seq
    }

    /// Invalidates the tags in one step. `put` does what belongs into it, under the token right after the invalidation,
    /// before anybody reads that one.
    pub(super) fn invalidate(
        &self,
        marks: &mut Marks,
        tags: &[Tag],
        since: Option<&Since>,
        put: impl FnOnce(Token),
    ) -> Invalidated {
        let alone = since.is_some_and(|since| {
            let latest = marks.latest_or_heirs(tags.iter().chain(&since.watched));
            since.token.epoch == self.epoch && latest <= since.token.seq
        });
        let seq = self.seq.load(Ordering::SeqCst) + 1;
        let token = Token { epoch: self.epoch, seq };
        marks.raise(tags, seq);
        put(token);
        self.seq.store(seq, Ordering::SeqCst);
        Invalidated { token, alone, marked: false }
    }
}

impl Marks {
    /// The point of the sequence at which any of the tags was last invalidated; 0 for never. Of a tag that is listed no
    /// longer its heir tells, which every entry that has the tag has too.
    fn latest<'a>(&self, tags: impl IntoIterator<Item = &'a Tag>) -> u64 {
        tags.into_iter().filter_map(|tag| self.tags.get(tag)).fold(self.floor, |latest, &seq| latest.max(seq))
    }

    /// The same for tags whose heirs may not be among them.
    fn latest_or_heirs<'a>(&self, tags: impl IntoIterator<Item = &'a Tag>) -> u64 {
        tags.into_iter().fold(self.floor, |latest, tag| match tag.heir() {
            Heir::Route(route) => latest.max(self.latest([tag, &route])),
            Heir::Itself | Heir::Everything => latest.max(self.latest([tag])),
        })
    }

    fn raise(&mut self, tags: &[Tag], seq: u64) {
        for tag in tags {
            if *tag == Tag::everything() {
                // Nothing that is listed lies above it.
                *self = Self { floor: seq, ..Self::default() };
                continue;
            }
            if let Some(last) = self.tags.get_mut(tag) {
                *last = seq;
            } else {
                self.tags.insert(tag.clone(), seq);
                self.listed += 1;
            }
        }
        if self.listed > TAG_LIMIT {
            self.fold();
        }
    }

    /// Takes the older half of those tags out of the list that have most in common, and raises what covers them instead:
    /// their route, or for names everything. So a flood of writes to one route costs no other route its entries.
    fn fold(&mut self) {
        let medians = self.medians();
        let before = self.tags.len();
        self.tags.retain(|tag, seq| medians.get(&tag.heir()).is_none_or(|median| *seq > *median));
        self.listed -= before - self.tags.len();
        for (heir, median) in medians {
            match heir {
                Heir::Route(route) => {
                    let floor = self.tags.entry(route).or_default();
                    *floor = median.max(*floor);
                }
                Heir::Itself | Heir::Everything => self.floor = self.floor.max(median),
            }
        }
    }

    /// How far what covers them is to be raised: for those that have most tags, and where the older half of these is only a
    /// few, for the next ones too: the list is not gone through for every write. Counts what is listed on its way.
    fn medians(&mut self) -> HashMap<Heir, u64> {
        let mut heirs: HashMap<Heir, Vec<u64>> = HashMap::new();
        for (tag, seq) in &self.tags {
            heirs.entry(tag.heir()).or_default().push(*seq);
        }
        heirs.remove(&Heir::Itself);
        self.listed = heirs.values().map(Vec::len).sum();
        let mut excess = match self.listed.checked_sub(TAG_LIMIT + 1) {
            Some(more) => more + 1 + FOLDED_AT_ONCE,
            None => 0,
        };
        let mut heirs: Vec<(Heir, Vec<u64>)> = heirs.into_iter().collect();
        heirs.sort_by_key(|(_, seqs)| Reverse(seqs.len()));
        let mut medians = HashMap::new();
        for (heir, mut seqs) in heirs {
            if excess == 0 {
                break;
            }
            let middle = seqs.len() / 2;
            let (_, &mut median, _) = seqs.select_nth_unstable(middle);
            excess = excess.saturating_sub(seqs.iter().filter(|seq| **seq <= median).count());
            medians.insert(heir, median);
        }
        medians
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

    fn invalidate(record: &Record, tags: &[Tag]) -> Invalidated {
        record.invalidate(&mut record.write(), tags, None, |_| {})
    }

    #[test]
    fn many_tags_raise_the_floor_and_lose_no_invalidation() {
        let record = Record::new();
        let tag = |n: usize| Tag::named(&n.to_string());
        let mut since = Vec::new();
        for n in 0..=TAG_LIMIT {
            since.push(record.now());
            invalidate(&record, &[tag(n)]);
        }
        let marks = record.read();
        assert!(marks.len() <= TAG_LIMIT / 2);
        for (n, before) in since.iter().enumerate() {
            assert!(marks.latest(&[tag(n)]) > before.seq, "the invalidation of tag {n} was lost");
        }
        assert!(marks.latest(&[tag(TAG_LIMIT + 1)]) < record.now().seq, "the floor takes no more than it has to");
    }

    #[test]
    fn very_many_routes_with_few_tags_each_stay_bounded_too() {
        let record = Record::new();
        for n in 0..=TAG_LIMIT {
            invalidate(&record, &[Tag::key(&n.to_string(), "1")]);
        }
        let marks = record.read();
        // Each of them left its route's floor in place of its own.
        assert_eq!((marks.listed, marks.len()), (TAG_LIMIT - FOLDED_AT_ONCE, TAG_LIMIT + 1));
    }

    #[test]
    fn one_invalidation_of_very_many_tags_stays_bounded() {
        let record = Record::new();
        let tags: Vec<Tag> = (0..=TAG_LIMIT).map(|n| Tag::named(&n.to_string())).collect();
        let finished = invalidate(&record, &tags);
        assert_eq!(record.read().len(), 0);
        assert_eq!(record.read().latest([]), finished.token.seq);
    }
}
