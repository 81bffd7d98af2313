//! What was seen last of a number of answers: so that the next look at one tells whether it has changed. Of very many keys a
//! part is followed, and that one for good.

use std::collections::HashMap;

use super::writes::Moment;

/// So many are followed.
const MOST: usize = 4_096;

/// What was seen of one key.
#[derive(Clone, Copy, Debug)]
struct Seen {
    digest: u64,
    /// The last look at it that saw this: when the origin was asked, and when it had answered.
    asked: Moment,
    answered: Moment,
    /// Two looks have seen the same: it is not another one each time.
    is_steady: bool,
    /// It was another one before, at the look that began here: perhaps it is another one each time.
    other_since: Option<Moment>,
}

/// What a look tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing: it is the first one, or is late.
    Nothing,
    /// It does not say the same as at the look that began there, but may be another one each time for all that is known.
    Perhaps(Moment),
    /// It says the same as at the look that ended there.
    Same(Moment),
    /// The same, and so it is not another one each time: it has changed between the look that began first of these and the one
    /// that ended last.
    Settled(Moment, Moment),
    /// It does not say the same as at the look that began there.
    Other(Moment),
}

/// The keys that are followed.
#[derive(Debug, Default)]
pub(super) struct Answers {
    seen: HashMap<u64, Seen>,
    /// Of keys with one of these bits none is followed.
    mask: u64,
}

impl Answers {
    /// The origin was `asked` for what is stored at a key, and had answered at that moment.
    pub(super) fn look(&mut self, key: u64, digest: u64, asked: Moment, answered: Moment) -> Look {
        if key & self.mask != 0 {
            return Look::Nothing;
        }
        if !self.seen.contains_key(&key) && self.seen.len() >= MOST {
            // Half of them, by a bit that says nothing of the key.
            self.mask = (self.mask << 1) | 1;
            let mask = self.mask;
            self.seen.retain(|key, _| key & mask == 0);
            if key & mask != 0 {
                return Look::Nothing;
            }
        }
        let now = Seen { digest, asked, answered, is_steady: false, other_since: None };
        let Some(before) = self.seen.get_mut(&key) else {
            self.seen.insert(key, now);
            return Look::Nothing;
        };
        if asked < before.answered {
            return Look::Nothing;
        }
        let (last, is_same) = (*before, before.digest == digest);
        let other_since = (!last.is_steady && !is_same).then(|| last.other_since.unwrap_or(last.asked));
        *before = Seen { is_steady: last.is_steady || is_same, other_since, ..now };
        match (is_same, last.other_since) {
            (true, Some(since)) => Look::Settled(since, last.answered),
            (true, None) => Look::Same(last.answered),
            (false, _) if last.is_steady => Look::Other(last.asked),
            (false, _) => Look::Perhaps(last.asked),
        }
    }

    /// Forgets what was seen: what comes next is the first look at each.
    pub(super) fn forget(&mut self) {
        self.seen.clear();
    }

    /// When the origin was asked last that said this of a key.
    pub(super) fn asked(&self, key: u64, digest: u64) -> Option<Moment> {
        self.seen.get(&key).filter(|seen| seen.digest == digest).map(|seen| seen.asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_tells_whether_it_has_changed_since_the_last_one() {
        let mut answers = Answers::default();
        assert_eq!(answers.look(1, 7, 1, 2), Look::Nothing);
        assert_eq!(answers.look(1, 7, 3, 4), Look::Same(2));
        assert_eq!(answers.asked(1, 7), Some(3));
        assert_eq!(answers.look(1, 8, 5, 6), Look::Other(3));
        assert_eq!(answers.look(1, 7, 5, 9), Look::Nothing, "asked before the last one was answered");
        assert_eq!((answers.asked(1, 7), answers.asked(1, 8)), (None, Some(5)));
    }

    #[test]
    fn what_stays_after_a_change_has_changed() {
        let mut answers = Answers::default();
        assert_eq!(answers.look(1, 7, 1, 2), Look::Nothing);
        assert_eq!(answers.look(1, 8, 3, 4), Look::Perhaps(1));
        assert_eq!(answers.look(1, 9, 5, 6), Look::Perhaps(3));
        assert_eq!(answers.look(1, 9, 7, 8), Look::Settled(1, 6));
        assert_eq!(answers.look(1, 9, 9, 10), Look::Same(8));
        assert_eq!(answers.look(1, 7, 11, 12), Look::Other(9));
    }

    #[test]
    fn what_is_another_one_each_time_tells_nothing_for_certain() {
        let mut answers = Answers::default();
        assert_eq!(answers.look(1, 0, 0, 1), Look::Nothing);
        for look in 1..10 {
            assert_eq!(answers.look(1, look, 2 * look, 2 * look + 1), Look::Perhaps(2 * look - 2));
        }
    }

    #[test]
    fn of_very_many_a_part_is_followed() {
        let mut answers = Answers::default();
        for key in 0..100_000 {
            answers.look(key, 1, 2 * key, 2 * key + 1);
        }
        assert!((MOST / 2..=MOST).contains(&answers.seen.len()));
        let followed = *answers.seen.keys().next().unwrap();
        assert!(matches!(answers.look(followed, 1, 300_000, 300_001), Look::Same(_)));
    }
}
