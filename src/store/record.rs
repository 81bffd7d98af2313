//! The app's record in memory: the epoch of its sequence, how far that has come, and when each tag was last invalidated. It
//! knows nothing of entries.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::change::{Change, Intent, Strength};
use super::core::{FOLDED_AT_ONCE, Invalidated, LastInvalidated, Since, TAG_LIMIT, Token, fresh_epoch};
use super::held::Held;
use crate::clock::Millis;
use crate::rules::Tag;

/// The app's sequence.
pub(super) struct Record {
    epoch: u64,
    /// Raised only under the write lock of `marks`, after the marks themselves.
    seq: AtomicU64,
    /// When something is due of what is held; the end of time where nothing is. Changed under the write lock of `marks`.
    due: AtomicU64,
    marks: RwLock<Marks>,
}

/// When tags were last invalidated.
#[derive(Default)]
pub(super) struct Marks {
    /// Every tag that is not listed counts as invalidated here.
    floor: LastInvalidated,
    tags: HashMap<Tag, LastInvalidated>,
    /// How many of them may be taken out of the list again, or a few more: those of routes are not.
    listed: usize,
    held: Held,
}

impl Record {
    pub(super) fn new() -> Self {
        Self {
            epoch: fresh_epoch(),
            seq: AtomicU64::new(0),
            due: AtomicU64::new(Millis::MAX),
            marks: RwLock::default(),
        }
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

    /// Whether what has one of these tags and this token was softly invalidated after it; nothing where it was invalidated.
    pub(super) fn stands<'a>(
        &self,
        marks: &Marks,
        token: Token,
        tags: impl IntoIterator<Item = &'a Tag> + Clone,
    ) -> Option<bool> {
        let latest = marks.latest(tags);
        (token.epoch == self.epoch && latest.hard <= token.seq).then_some(latest.soft > token.seq)
    }

    /// Whether none of these tags was invalidated after the `since` token.
    pub(super) fn is_alone<'a>(&self, marks: &Marks, since: &Since, tags: impl IntoIterator<Item = &'a Tag>) -> bool {
        since.token.epoch == self.epoch && marks.latest_or_heirs(tags).top() <= since.token.seq
    }

    /// Invalidates what the change names in one step. `put` does what belongs into it, under the token right after the
    /// invalidation, before anybody reads that one. What the change settles is for [`Record::hold`].
    pub(super) fn invalidate(&self, marks: &mut Marks, change: &Change<'_>, put: impl FnOnce(Token)) -> Invalidated {
        let alone =
            change.since.is_some_and(|since| self.is_alone(marks, since, change.tags.iter().chain(&since.watched)));
        let seq = self.seq.load(Ordering::SeqCst) + 1;
        let token = Token { epoch: self.epoch, seq };
        marks.raise(change.tags, change.strength, seq);
        put(token);
        self.seq.store(seq, Ordering::SeqCst);
        Invalidated { token, alone, marked: false }
    }

    /// Holds tags, each until then.
    pub(super) fn hold<'a>(&self, marks: &mut Marks, tags: impl IntoIterator<Item = (&'a Tag, Millis)>) -> Token {
        for (tag, until) in tags {
            marks.held.lay(tag, until);
        }
        self.due.store(marks.held.due(), Ordering::SeqCst);
        // What has been found valid up to now is looked at again.
        Token { epoch: self.epoch, seq: self.seq.fetch_add(1, Ordering::SeqCst) + 1 }
    }

    /// Holds what a write of unknown outcome is sent to, and has the rest invalidated, now and again and again, until then.
    pub(super) fn hold_intent(&self, intent: &Intent, now: Millis, until: Millis) -> Invalidated {
        let mut marks = self.write();
        let invalidated = self.invalidate(&mut marks, &Change::of(&intent.others), |_| {});
        for tag in &intent.others {
            marks.held.again(tag, now, until);
        }
        let token = self.hold(&mut marks, intent.held.iter().map(|tag| (tag, until)));
        Invalidated { token, ..invalidated }
    }

    /// Tags are called otherwise from now on: what is held, or invalidated again, is everything instead.
    pub(super) fn widen(&self) {
        let mut marks = self.write();
        marks.held.widen();
        self.hold(&mut marks, []);
    }

    /// Does what is due of what is held. The time is asked for only where something is.
    pub(super) fn sweep(&self, now: impl FnOnce() -> Millis) {
        let due = self.due.load(Ordering::SeqCst);
        if due == Millis::MAX {
            return;
        }
        let now = now();
        if due <= now {
            let mut marks = self.write();
            let tags = marks.held.sweep(now);
            self.due.store(marks.held.due(), Ordering::SeqCst);
            if !tags.is_empty() {
                self.invalidate(&mut marks, &Change::of(&tags), |_| {});
            }
        }
    }
}

impl Marks {
    /// How many tags are held, or invalidated again and again.
    pub(super) fn count_held(&self) -> u64 {
        self.held.len()
    }

    /// Whether one of these tags is held, or everything.
    pub(super) fn hold<'a>(&self, tags: impl IntoIterator<Item = &'a Tag>) -> bool {
        self.held.holds(tags)
    }

    /// Whether one of these tags is held or invalidated again and again, or everything.
    pub(super) fn list_again(&self, tags: &[Tag]) -> bool {
        self.held.lists(tags)
    }

    /// Where any of the tags was last invalidated. Of a tag that is listed no longer its heir tells: a route, which every entry
    /// that has the tag has too, or all names.
    fn latest<'a>(&self, tags: impl IntoIterator<Item = &'a Tag> + Clone) -> LastInvalidated {
        if self.held.holds(tags.clone()) {
            return LastInvalidated::ENDLESS;
        }
        let names = self.tags.get(&Tag::names());
        let of_names = names.filter(|_| tags.clone().into_iter().any(Tag::is_name));
        let own = tags.into_iter().filter_map(|tag| self.tags.get(tag));
        own.chain(of_names).fold(self.floor, |latest, last| latest.max(*last))
    }

    /// The same for tags whose heirs may not be among them.
    fn latest_or_heirs<'a>(&self, tags: impl IntoIterator<Item = &'a Tag>) -> LastInvalidated {
        tags.into_iter().fold(self.latest([]), |latest, tag| {
            let above = tag.heir();
            latest.max(self.latest(std::iter::once(tag).chain(&above)))
        })
    }

    fn raise(&mut self, tags: &[Tag], strength: Strength, seq: u64) {
        for tag in tags {
            let everything = *tag == Tag::everything();
            if everything && strength == Strength::Hard {
                // Nothing that is listed lies above it.
                self.tags.clear();
                self.listed = 0;
            }
            let known = self.tags.len();
            let last = self.last_mut(tag.clone());
            match strength {
                Strength::Hard => *last = LastInvalidated { hard: seq, soft: 0 },
                Strength::Soft => last.soft = seq,
            }
            self.listed += self.tags.len() - known;
        }
        if self.listed > TAG_LIMIT {
            self.fold();
        }
    }

    fn last_mut(&mut self, tag: Tag) -> &mut LastInvalidated {
        if tag == Tag::everything() { &mut self.floor } else { self.tags.entry(tag).or_default() }
    }

    /// Takes the older half of those tags out of the list that have most in common, and raises what covers them instead:
    /// their route, or all names; softly, and as hard as the hardest of them. So a flood of writes to one route costs no
    /// other route its entries, and one of names only those that have one.
    fn fold(&mut self) {
        let mut halves = self.older_halves();
        let before = self.tags.len();
        self.tags.retain(|tag, last| {
            let half = tag.heir().and_then(|heir| halves.get_mut(&heir));
            let Some(half) = half.filter(|half| last.top() <= half.soft) else { return true };
            half.hard = half.hard.max(last.hard);
            false
        });
        self.listed -= before - self.tags.len();
        for (heir, half) in halves {
            let last = self.last_mut(heir);
            *last = last.max(half);
        }
    }

    /// How far what covers them is to be raised, softly at the least: for those that have most tags, and where the older half
    /// of these is only a few, for the next ones too: the list is not gone through for every write. Counts what is listed on
    /// its way.
    fn older_halves(&mut self) -> HashMap<Tag, LastInvalidated> {
        let mut heirs: HashMap<Tag, Vec<u64>> = HashMap::new();
        for (heir, last) in self.tags.iter().filter_map(|(tag, last)| Some((tag.heir()?, last))) {
            heirs.entry(heir).or_default().push(last.top());
        }
        self.listed = heirs.values().map(Vec::len).sum();
        let mut excess = match self.listed.checked_sub(TAG_LIMIT + 1) {
            Some(more) => more + 1 + FOLDED_AT_ONCE,
            None => 0,
        };
        let mut heirs: Vec<(Tag, Vec<u64>)> = heirs.into_iter().collect();
        heirs.sort_by_key(|(_, seqs)| Reverse(seqs.len()));
        let mut halves = HashMap::new();
        for (heir, mut seqs) in heirs {
            if excess == 0 {
                break;
            }
            let middle = seqs.len() / 2;
            let (_, &mut median, _) = seqs.select_nth_unstable(middle);
            excess = excess.saturating_sub(seqs.iter().filter(|seq| **seq <= median).count());
            halves.insert(heir, LastInvalidated { hard: 0, soft: median });
        }
        halves
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
        record.invalidate(&mut record.write(), &Change::of(tags), |_| {})
    }

    #[test]
    fn many_names_raise_what_they_have_in_common_and_lose_no_invalidation() {
        let record = Record::new();
        let tag = |n: usize| Tag::named(&n.to_string());
        let mut since = Vec::new();
        for n in 0..=TAG_LIMIT {
            since.push(record.now());
            invalidate(&record, &[tag(n)]);
        }
        let marks = record.read();
        assert!(marks.len() <= TAG_LIMIT / 2 + 1);
        for (n, before) in since.iter().enumerate() {
            assert!(marks.latest(&[tag(n)]).hard > before.seq, "the invalidation of tag {n} was lost");
        }
        assert!(marks.latest(&[tag(TAG_LIMIT + 1)]).top() < record.now().seq, "it takes no more than it has to");
        assert_eq!(marks.latest(&[Tag::route("fruit")]), LastInvalidated::default(), "what has no name is spared");
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
        assert_eq!(record.read().len(), 1);
        assert_eq!(record.read().latest(&tags[..1]).hard, finished.token.seq);
    }
}
