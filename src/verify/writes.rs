//! The writes that went through of late: when, of which shape, and what each has dropped.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::named::{Named, plain, singular};
use super::reach::{Extent, Reach};
use super::shape::Shape;
use crate::clock::Millis;

/// A point in the order of what happens here: whatever begins or ends has one of its own.
pub type Moment = u64;

/// Which kind of write, by its place in the list of kinds.
pub(super) type KindId = usize;

/// So many writes are remembered.
const REMEMBERED: usize = 1_024;
/// So many kinds are told apart; all further ones are one.
const MOST_KINDS: usize = 256;
/// What those are called.
pub(super) const UNTOLD: &str = "any other write";
/// So much of a path is kept for people.
const LONGEST: usize = 120;

/// One write.
#[derive(Debug)]
pub(super) struct Write {
    /// When it began, which is also its name.
    pub(super) began: Moment,
    /// When its answer was there and what it dropped was invalidated; `None` while it is under way.
    pub(super) ended: Option<Moment>,
    /// The time of that.
    pub(super) ended_at: Millis,
    /// As in `POST /articles/x/favorite`.
    pub(super) request: String,
    pub(super) kind: KindId,
    pub(super) values: Vec<(String, String)>,
    /// What it names besides its path.
    pub(super) named: Named,
    pub(super) reach: Reach,
    /// It was seen to have changed something.
    pub(super) is_effective: bool,
    /// How many answers of which routes it was seen to have left as they were: at the paths that it tells, and elsewhere.
    pub(super) spared: Vec<(usize, [u32; 2])>,
}

/// All writes of one shape.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) text: String,
    /// Whether a rule could be written for it.
    pub(super) is_plain: bool,
    /// Whether the file has one that says what they drop.
    pub(super) is_said: bool,
    /// How many went through.
    pub(super) times: u32,
    /// What its variables were, a few of those: their hashes.
    pub(super) values: Few<u64>,
    /// The same with what they named besides.
    pub(super) named: Few<u64>,
    /// The variables of one of them.
    pub(super) variables: Vec<(String, String)>,
    /// What the last one dropped.
    pub(super) reach: Reach,
    /// Something is noted of it: its place in the list is its own for good.
    is_noted: bool,
}

impl Kind {
    /// Whether a route has the path of these writes, or one below that, or has what they are called after in its path, as `/orders`
    /// and `POST /users/{id}/orders`: mostly they change it, and answers that stay are of other filters and pages.
    pub(super) fn is_sent_to(&self, route: &str) -> bool {
        let (_, path) = self.text.split_once(' ').unwrap_or_default();
        let below = route.trim_end_matches('/').strip_prefix(path.trim_end_matches('/'));
        let words = |path: &'_ str| -> Vec<String> {
            let literal = path.split('/').filter(|segment| !segment.is_empty() && !segment.contains('{'));
            literal.map(|segment| singular(&plain(segment)).to_owned()).collect()
        };
        let is_called_so = || words(path).pop().is_some_and(|last| words(route).contains(&last));
        below.is_some_and(|below| below.is_empty() || below.starts_with('/')) || is_called_so()
    }
}

/// A few different ones, of many.
#[derive(Clone, Debug)]
pub(super) struct Few<T>(Vec<T>);

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone + PartialEq> Few<T> {
    pub(super) fn extend(&mut self, others: &Self) {
        for one in &others.0 {
            self.add(one.clone());
        }
    }

    pub(super) fn add(&mut self, one: T) {
        if self.0.len() < 16 && !self.0.contains(&one) {
            self.0.push(one);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }

    /// How many different ones there were; 16 where there were more.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

/// The last writes, and all kinds.
#[derive(Debug, Default)]
pub(super) struct Writes {
    recent: VecDeque<Write>,
    pub(super) kinds: Vec<Arc<Kind>>,
    by_text: HashMap<String, KindId>,
    /// Places in the list whose kinds never came to anything.
    free: Vec<KindId>,
    /// The end of the last one that was forgotten.
    forgotten: Moment,
}

impl Writes {
    /// A write is about to be forwarded.
    pub(super) fn begin(&mut self, moment: Moment, shape: Shape, (method, path): (&str, &str)) {
        let kind = self.kind(&shape);
        let path: String = path.chars().take(LONGEST).collect();
        if self.recent.len() >= REMEMBERED
            && let Some(oldest) = self.recent.pop_front()
        {
            self.forgotten = self.forgotten.max(oldest.ended.unwrap_or(moment));
            self.make_room(oldest.kind);
        }
        self.recent.push_back(Write {
            began: moment,
            ended: None,
            ended_at: 0,
            request: format!("{} {path}", method.get(..LONGEST).unwrap_or(method)),
            kind,
            values: shape.values,
            named: shape.named,
            reach: Reach::default(),
            is_effective: false,
            spared: Vec::new(),
        });
    }

    fn kind(&mut self, shape: &Shape) -> KindId {
        let text = if shape.is_plain || shape.text.is_empty() {
            shape.text.clone()
        } else {
            format!("{} (as another method, or oddly spelt)", shape.text)
        };
        if let Some(known) = self.by_text.get(&text) {
            return *known;
        }
        let free = self.free.pop().or_else(|| (self.kinds.len() < MOST_KINDS).then_some(self.kinds.len()));
        let (text, is_plain) = if free.is_some() { (text, shape.is_plain) } else { (String::new(), false) };
        if let Some(known) = self.by_text.get(&text) {
            return *known;
        }
        let id = free.unwrap_or(self.kinds.len());
        self.by_text.insert(text.clone(), id);
        let kind = Arc::new(Kind {
            text: if text.is_empty() { UNTOLD.to_owned() } else { text },
            is_plain,
            is_said: shape.is_said,
            times: 0,
            values: Few::default(),
            named: Few::default(),
            variables: shape.values.clone(),
            reach: Reach::default(),
            is_noted: false,
        });
        match self.kinds.get_mut(id) {
            Some(place) => *place = kind,
            None => self.kinds.push(kind),
        }
        id
    }

    /// Gives the place of a kind free of which nothing is known, not even that there is one: whoever tries paths gets a 404 for
    /// each.
    fn make_room(&mut self, id: KindId) {
        let is_known = |kind: &Kind| kind.times > 0 || kind.is_noted || kind.text == UNTOLD;
        if self.kinds.get(id).is_none_or(|kind| is_known(kind)) || self.recent.iter().any(|write| write.kind == id) {
            return;
        }
        self.by_text.retain(|_, known| *known != id);
        self.free.push(id);
    }

    /// Something is noted of these writes: their kinds stay.
    pub(super) fn note(&mut self, writes: &[Moment]) {
        for write in writes {
            let Some(kind) = self.get(*write).map(|write| write.kind) else { continue };
            if let Some(kind) = self.kinds.get_mut(kind).filter(|kind| !kind.is_noted) {
                Arc::make_mut(kind).is_noted = true;
            }
        }
    }

    /// A write has ended that may have changed something, and what it `drops` is invalidated.
    pub(super) fn end(&mut self, began: Moment, moment: Moment, at: Millis, reach: Reach) {
        let Some(write) = self.place(began).and_then(|place| self.recent.get_mut(place)) else { return };
        (write.ended, write.ended_at) = (Some(moment), at);
        write.reach = reach.clone();
        if let Some(kind) = self.kinds.get_mut(write.kind).map(Arc::make_mut) {
            kind.times = kind.times.saturating_add(1);
            kind.reach = reach;
            kind.values.add(hash_of(&write.values));
            kind.named.add(write.names());
        }
    }

    /// A write has ended that has changed nothing, by its own word.
    pub(super) fn forget(&mut self, began: Moment) {
        if let Some(place) = self.place(began) {
            let removed = self.recent.remove(place);
            if let Some(write) = removed {
                self.make_room(write.kind);
            }
        }
    }

    /// Forgets what each has left as it was.
    pub(super) fn forget_spared(&mut self) {
        self.recent.iter_mut().for_each(|write| write.spared.clear());
    }

    /// The writes that may lie between two looks at an answer, by their moments: those that had not ended at the first and
    /// had begun at the second. `None` where some of them are forgotten.
    pub(super) fn between(&self, first: Moment, second: Moment) -> Option<Vec<Moment>> {
        Some(self.each_between(first, second)?.map(|write| write.began).collect())
    }

    /// The same writes themselves.
    pub(super) fn each_between(&self, first: Moment, second: Moment) -> Option<impl Iterator<Item = &Write>> {
        let may = move |write: &&Write| write.began < second && write.ended.is_none_or(|ended| ended > first);
        (self.forgotten <= first).then(|| self.recent.iter().filter(may))
    }

    /// Those that ended at that time or later.
    pub(super) fn since(&self, time: Millis) -> Vec<Moment> {
        let after = |write: &&Write| write.ended.is_none() || write.ended_at >= time;
        self.recent.iter().filter(after).map(|write| write.began).collect()
    }

    pub(super) fn get(&self, began: Moment) -> Option<&Write> {
        self.recent.get(self.place(began)?)
    }

    pub(super) fn get_mut(&mut self, began: Moment) -> Option<&mut Write> {
        let place = self.place(began)?;
        self.recent.get_mut(place)
    }

    /// They lie in the order of their moments.
    fn place(&self, began: Moment) -> Option<usize> {
        self.recent.binary_search_by_key(&began, |write| write.began).ok()
    }
}

/// The same for the same values, and for no others.
pub(super) fn hash_of(values: &[(String, String)]) -> u64 {
    let values: Vec<&str> = values.iter().map(|(_, value)| value.as_str()).collect();
    xxh3_64(values.join("/").as_bytes())
}

impl Write {
    /// The same for writes that name the same, in their paths and besides.
    pub(super) fn names(&self) -> u64 {
        let besides = self.named.as_deref().unwrap_or_default();
        if besides.is_empty() { hash_of(&self.values) } else { hash_of(&[&*self.values, besides].concat()) }
    }

    /// In words for people, how much of a route it drops.
    pub(super) fn drops_of(&self, route: &str, is_unlisted: bool) -> &'static str {
        match self.reach.on(route, is_unlisted) {
            Extent::Nothing => "drops nothing of",
            Extent::Part => "drops only some of",
            Extent::Whole => "drops",
        }
    }
}
