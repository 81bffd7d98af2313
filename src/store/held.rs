//! Tags that are held, or invalidated again and again, since nobody knows what became of a write: those of one process. The
//! scripts in Redis keep the same list.

use std::collections::HashMap;

use crate::clock::Millis;
use crate::rules::Tag;

/// So many are listed, and as many again of what stands for others.
const LIMIT: usize = 1_000;
/// How often something is invalidated again at first, and for how long; in milliseconds.
const SECOND: Millis = 1_000;
const OFTEN_FOR: Millis = 10 * SECOND;

/// The list.
#[derive(Debug, Default)]
pub(super) struct Held(HashMap<Tag, Listed>);

#[derive(Clone, Copy, Debug, Default)]
struct Listed {
    held_until: Option<Millis>,
    again: Option<Again>,
}

/// When something is invalidated again.
#[derive(Clone, Copy, Debug)]
struct Again {
    next: Millis,
    often_until: Millis,
    last: Millis,
}

impl Held {
    /// Holds a tag: whatever the token, nothing that has it is valid, or stored.
    pub(super) fn lay(&mut self, tag: &Tag, until: Millis) {
        let listed = self.0.entry(self.listed_as(tag)).or_default();
        listed.held_until = listed.held_until.max(Some(until));
    }

    /// Has a tag, which is invalidated now, invalidated each second for ten seconds, and at the end.
    pub(super) fn again(&mut self, tag: &Tag, now: Millis, until: Millis) {
        let listed = self.0.entry(self.listed_as(tag)).or_default();
        let (next, often_until, last) = (now + SECOND, now + OFTEN_FOR, until);
        let before = listed.again.unwrap_or(Again { next, often_until, last });
        let last = last.max(before.last);
        let next = next.min(before.next).min(last);
        listed.again = Some(Again { next, often_until: often_until.max(before.often_until), last });
    }

    /// Has everything held, and invalidated again, for as long as anything is.
    pub(super) fn widen(&mut self) {
        let held_until = self.0.values().filter_map(|listed| listed.held_until).max();
        let again = self.0.values().filter_map(|listed| listed.again).reduce(Again::both);
        if held_until.is_some() || again.is_some() {
            let everything = self.0.entry(Tag::everything()).or_default();
            (everything.held_until, everything.again) = (held_until, again);
        }
    }

    /// Whether one of these tags is held, or everything, or all names where one of them is a name.
    pub(super) fn holds<'a>(&self, tags: impl IntoIterator<Item = &'a Tag>) -> bool {
        let held = |tag: &Tag| self.0.get(tag).is_some_and(|listed| listed.held_until.is_some());
        if self.0.is_empty() {
            return false;
        }
        let names = held(&Tag::names());
        held(&Tag::everything()) || tags.into_iter().any(|tag| held(tag) || (names && tag.is_name()))
    }

    /// Whether one of these tags is listed, for whatever, or everything, or all names.
    pub(super) fn lists(&self, tags: &[Tag]) -> bool {
        let above = [Tag::everything(), Tag::names()];
        !self.0.is_empty() && tags.iter().chain(&above).any(|tag| self.0.contains_key(tag))
    }

    /// How many are listed.
    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// When something is due; the end of time where nothing is listed.
    pub(super) fn due(&self) -> Millis {
        self.0.values().map(Listed::due).min().unwrap_or(Millis::MAX)
    }

    /// Does what is due, and says what is to be invalidated: what was held until now, and what is invalidated again and again.
    pub(super) fn sweep(&mut self, now: Millis) -> Vec<Tag> {
        let mut tags = Vec::new();
        self.0.retain(|tag, listed| {
            if listed.due() <= now {
                tags.push(tag.clone());
                listed.held_until = listed.held_until.filter(|until| *until > now);
                listed.again = listed.again.and_then(|again| again.after(now));
            }
            listed.held_until.is_some() || listed.again.is_some()
        });
        tags
    }

    /// What is listed in the place of a tag: itself while there is room, then its route, or all names, then everything.
    fn listed_as(&self, tag: &Tag) -> Tag {
        if self.0.len() < LIMIT || self.0.contains_key(tag) {
            return tag.clone();
        }
        let above = tag.heir().unwrap_or_else(|| tag.clone());
        if self.0.len() < 2 * LIMIT || self.0.contains_key(&above) { above } else { Tag::everything() }
    }
}

impl Listed {
    fn due(&self) -> Millis {
        let again = self.again.map_or(Millis::MAX, |again| again.next);
        self.held_until.unwrap_or(Millis::MAX).min(again)
    }
}

impl Again {
    fn both(self, other: Self) -> Self {
        let (next, often_until) = (self.next.min(other.next), self.often_until.max(other.often_until));
        Self { next, often_until, last: self.last.max(other.last) }
    }

    /// What is left of it.
    fn after(self, now: Millis) -> Option<Self> {
        if self.next > now {
            return Some(self);
        }
        let following = if self.next + SECOND > now { self.next + SECOND } else { now + SECOND };
        let next = if following <= self.often_until { following.min(self.last) } else { self.last };
        (self.last > now).then_some(Self { next, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_so_until_a_sweep_finds_that_it_has_ended() {
        let (mut held, [tag, other]) = (Held::default(), ["a", "b"].map(Tag::route));
        assert_eq!(held.due(), Millis::MAX);
        held.lay(&tag, 100);
        held.lay(&tag, 50);
        assert!(held.holds([&other, &tag]) && !held.holds([&other]));
        assert_eq!(held.due(), 100);
        assert_eq!(held.sweep(99), []);
        assert!(held.holds([&tag]));
        assert_eq!(held.sweep(100), vec![tag.clone()]);
        assert!(!held.holds([&tag]) && held.due() == Millis::MAX);
        held.lay(&Tag::everything(), 200);
        assert!(held.holds([]) && held.holds([&other]));
    }

    #[test]
    fn again_is_each_second_for_ten_seconds_and_at_the_end() {
        let (mut held, tag) = (Held::default(), Tag::named("season"));
        held.again(&tag, 1_000, 61_000);
        let mut times = Vec::new();
        while held.due() < Millis::MAX {
            times.push(held.due());
            assert_eq!(held.sweep(held.due()), vec![tag.clone()]);
            assert!(!held.holds([&tag]));
        }
        assert_eq!(times, (2..=11).chain([61]).map(|second| second * 1_000).collect::<Vec<_>>());

        held.again(&tag, 0, 500);
        assert_eq!(held.due(), 500, "the end comes first");
        held.again(&tag, 100, 60_000);
        assert_eq!(held.due(), 500);
        assert_eq!(held.sweep(5_100), vec![tag.clone()], "once, however late");
        assert_eq!(held.due(), 6_100);
        held.lay(&tag, 6_000);
        assert_eq!((held.sweep(6_000), held.due()), (vec![tag.clone()], 6_100), "one ends and the other goes on");
    }

    #[test]
    fn where_very_much_is_held_routes_stand_for_keys_and_all_names_for_names() {
        let mut held = Held::default();
        for n in 0..LIMIT {
            held.lay(&Tag::key("fruit", &n.to_string()), 100);
        }
        assert!(!held.holds([&Tag::key("fruit", "more")]));
        held.lay(&Tag::key("fruit", "more"), 100);
        held.lay(&Tag::key("fruit", "1"), 200);
        assert!(held.holds([&Tag::route("fruit")]) && !held.holds([&Tag::route("orders")]));
        held.lay(&Tag::named("season"), 100);
        assert!(held.holds([&Tag::named("another")]) && !held.holds([&Tag::route("orders"), &Tag::variant("1")]));
        assert_eq!(held.0.len(), LIMIT + 2);
        for n in 0..2 * LIMIT {
            held.again(&Tag::key(&n.to_string(), "1"), 0, 100);
        }
        assert_eq!(held.0.len(), 2 * LIMIT + 1, "and everything");
        assert!(!held.holds([]));
        held.lay(&Tag::key("another", "1"), 100);
        assert!(held.holds([]));
    }
}
