//! Made-up APIs, each with days of its own: what is proposed never leaves out what was seen to change, and what is added drops
//! all that was dropped before. Every number comes from a seed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use aside::rules::{Ruleset, Tag};
use aside::verify::{Asked, Compared, Evidence, Reach, Shape, Subject};

use super::chance::Chance;
use super::hostile::{pasted, report, rules, subject};
use super::written::{meet, sent, stored_tags};

fn once_in(chance: &mut Chance, times: usize) -> bool {
    chance.below(times) == 0
}

/// How a kind of writes changes a route.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Nothing,
    All,
    /// The answer of the write's own number.
    Own,
    /// One answer, whatever the write's number.
    First,
    /// All of it, but only by writes with an even number.
    AllIfEven,
    /// A list only by writes of the numbers that it shows, and else the answer of the write's own number.
    Shown,
    /// Sets a mark on all of it that another kind takes away.
    Mark(bool),
}

/// One kind of writes.
#[derive(Debug)]
struct Kind {
    /// With `#` for its number, where it has one.
    request: String,
    /// How often it comes, of a hundred.
    weight: usize,
    /// Of so many one changes nothing at all.
    idle: usize,
    changes: Vec<Change>,
}

/// An API: lists, and routes of a few items each.
#[derive(Debug)]
struct Api {
    items: Vec<usize>,
    kinds: Vec<Kind>,
}

/// An answer, by its route and its number.
type Key = (usize, usize);

impl Api {
    fn of(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let items: Vec<usize> = (0..2 + chance.below(4)).map(|_| [1, 1, 3, 8][chance.below(4)]).collect();
        let mut kinds = Vec::new();
        for index in 0..3 + chance.below(5) {
            let route = chance.below(items.len());
            let request = match chance.below(5) {
                0 => format!("POST /w{}", letters(index)),
                1 => format!("PUT /r{}/#", letters(route)),
                2 => format!("POST /r{}/#/a{}", letters(route), letters(index)),
                3 => format!("POST /w{}/#", letters(route)),
                // One that an entry for the last would speak of, too.
                _ => format!("POST /w{}/reset", letters(route)),
            };
            if kinds.iter().any(|kind: &Kind| kind.request == request) {
                continue;
            }
            let pairs = [Change::Mark(true), Change::Mark(false)];
            let changes = items.iter().map(|_| match chance.below(12) {
                0..4 => Change::Nothing,
                4 => Change::Shown,
                5 | 6 => Change::Own,
                7 | 8 => Change::All,
                9 => Change::First,
                10 => Change::AllIfEven,
                _ => pairs[chance.below(2)],
            });
            let changes = changes.collect();
            let (weight, idle) = (1 + chance.below(20), [2, 5, 1_000][chance.below(3)]);
            kinds.push(Kind { request, weight, idle, changes });
        }
        Self { items, kinds }
    }

    fn file(&self, line: &str) -> String {
        let mut file = String::new();
        for (route, items) in self.items.iter().enumerate() {
            let path = if *items == 1 { "" } else { "/{id}" };
            writeln!(file, "[[route]]\npath = \"/r{}{path}\"\nttl = \"1h\"\n{line}", letters(route)).unwrap();
        }
        file
    }

    fn target(&self, (route, item): Key) -> String {
        let path = format!("/r{}", letters(route));
        if self.items[route] == 1 { path } else { format!("{path}/{}", 100 + item) }
    }

    fn keys(&self) -> Vec<Key> {
        let items = self.items.iter().enumerate();
        items.flat_map(|(route, items)| (0..*items).map(move |item| (route, item))).collect()
    }

    /// Whether a write of this number changes an answer, and how.
    fn effect(&self, kind: usize, number: usize, (route, item): Key) -> Change {
        match self.kinds[kind].changes[route] {
            Change::Own if number == item || self.items[route] == 1 => Change::All,
            Change::Shown
                if (self.items[route] == 1 && number < SHOWN) || (self.items[route] > 1 && number == item) =>
            {
                Change::All
            }
            Change::First if item == 0 => Change::All,
            Change::AllIfEven if number.is_multiple_of(2) => Change::All,
            Change::All => Change::All,
            Change::Mark(mark) => Change::Mark(mark),
            _ => Change::Nothing,
        }
    }

    /// What an answer says of numbers: a list has links to the first few, and else each answer has some to its own.
    fn body(&self, (route, item): Key) -> String {
        let numbers = if self.items[route] == 1 { 0..SHOWN } else { item..item + 1 };
        let links = |number: usize| (0..8).map(move |of| (letters(of), 100 + number));
        let each = numbers.flat_map(links).map(|(of, number)| format!("/r{of}/{number} /w{of}/{number}"));
        each.collect::<Vec<_>>().join(" ")
    }

    fn line(&self, kind: usize, number: usize) -> String {
        self.kinds[kind].request.replace('#', &(100 + number).to_string())
    }
}

/// So many numbers a list shows.
const SHOWN: usize = 4;

fn letters(number: usize) -> char {
    char::from(b'a' + u8::try_from(number).unwrap())
}

/// What a day came to.
#[derive(Default)]
struct Day {
    stale: usize,
    reads: usize,
    hits: usize,
    proposed: String,
    /// Kinds that were seen alone to change an answer of a route, at the number that they have themselves or another one.
    exercised: BTreeSet<(usize, usize, bool)>,
}

/// A write under way, and whether it has been carried out.
struct UnderWay {
    kind: usize,
    number: usize,
    moment: u64,
    carried_out: bool,
}

/// What was seen of an answer.
struct Seen {
    said: u64,
    /// The writes that have been under way since then.
    writes: Vec<(usize, usize)>,
    is_steady: bool,
    /// It was another one before, and these writes lay in between.
    before: Vec<(usize, usize)>,
}

struct Spent<'a> {
    api: &'a Api,
    rules: &'a Ruleset,
    chance: Chance,
    evidence: Evidence,
    truth: HashMap<Key, (u64, bool)>,
    stored: HashMap<Key, u64>,
    seen: HashMap<Key, Seen>,
    subjects: HashMap<Key, (Subject, Vec<Tag>, String)>,
    under_way: Vec<UnderWay>,
    day: Day,
}

/// A day of so many requests, of whose hits one in `sample` is compared.
fn a_day(api: &Api, file: &str, requests: usize, sample: usize, seed: u64) -> Day {
    let rules = rules(file);
    let known = |key: &Key| {
        let target = api.target(*key);
        (*key, (subject(&rules, &target), stored_tags(&rules.routes, &target), api.body(*key)))
    };
    let mut spent = Spent {
        api,
        rules: &rules,
        chance: Chance(seed),
        evidence: Evidence::about(&rules, 0),
        truth: HashMap::new(),
        stored: HashMap::new(),
        seen: HashMap::new(),
        subjects: api.keys().iter().map(known).collect(),
        under_way: Vec::new(),
        day: Day::default(),
    };
    let keys = api.keys();
    for _ in 0..requests {
        match spent.chance.below(20) {
            0 => spent.begin(),
            1 => spent.go_on(),
            _ => {
                let key = keys[spent.chance.below(keys.len()).min(spent.chance.below(keys.len()))];
                spent.read(key, sample);
            }
        }
    }
    spent.day.proposed = pasted(&report(&spent.evidence));
    spent.day
}

impl Spent<'_> {
    fn begin(&mut self) {
        let kinds = &self.api.kinds;
        let mut lot = self.chance.below(kinds.iter().map(|kind| kind.weight).sum());
        let kind = kinds.iter().position(|kind| {
            let is_it = lot < kind.weight;
            lot = lot.saturating_sub(kind.weight);
            is_it
        });
        let (kind, number) = (kind.unwrap(), self.chance.below(8));
        let line = self.api.line(kind, number);
        let (method, target) = line.split_once(' ').unwrap();
        let shape = sent(&line).with_write(|write| Shape::of(&self.rules.routes, write));
        let moment = self.evidence.write_begins(shape, method, target);
        self.under_way.push(UnderWay { kind, number, moment, carried_out: false });
        for seen in self.seen.values_mut() {
            seen.writes.push((kind, number));
        }
        // Most are over before anything else happens.
        if !once_in(&mut self.chance, 10) {
            self.go_on();
        }
    }

    /// Writes under way are carried out, and those that are end.
    fn go_on(&mut self) {
        for write in std::mem::take(&mut self.under_way) {
            if !write.carried_out {
                self.carry_out(write.kind, write.number);
            }
            if once_in(&mut self.chance, 10) {
                self.under_way.push(UnderWay { carried_out: true, ..write });
                continue;
            }
            let line = sent(&self.api.line(write.kind, write.number));
            let drops = line.invalidations(&self.rules.routes);
            let tags: Vec<_> = drops.iter().map(|drop| drop.tag.clone()).collect();
            let subjects = &self.subjects;
            self.stored.retain(|key, _| !meet(&tags, &subjects[key].1));
            self.evidence.write_ends(write.moment, 0, Reach::of(&drops));
        }
    }

    fn carry_out(&mut self, kind: usize, number: usize) {
        if once_in(&mut self.chance, self.api.kinds[kind].idle) {
            return;
        }
        for key in self.api.keys() {
            let truth = self.truth.entry(key).or_default();
            match self.api.effect(kind, number, key) {
                Change::All => truth.0 += 1,
                Change::Mark(mark) => truth.1 = mark,
                _ => {}
            }
        }
    }

    fn said(&mut self, key: Key) -> u64 {
        let (version, mark) = *self.truth.entry(key).or_default();
        2 * version + u64::from(mark)
    }

    fn read(&mut self, key: Key, sample: usize) {
        let said = self.said(key);
        let (subject, _, body) = self.subjects[&key].clone();
        let began = self.evidence.moment();
        let asked = Asked { digest: said, began, body: body.as_bytes() };
        self.day.reads += 1;
        let Some(stored) = self.stored.get(&key).copied() else {
            self.evidence.refetched(&subject, asked);
            self.stored.insert(key, said);
            return self.looked(key, said);
        };
        self.day.hits += 1;
        // Until a write has ended what is stored may be given out.
        let is_old = stored != said && self.under_way.is_empty();
        self.day.stale += usize::from(is_old);
        if !once_in(&mut self.chance, sample) {
            return;
        }
        if stored == said {
            self.evidence.compared(&subject, asked, Compared::Same, 0);
        } else if is_old {
            self.evidence.compared(&subject, asked, Compared::Old { stored, received: 0 }, 0);
            self.stored.remove(&key);
        } else {
            self.evidence.compared(&subject, asked, Compared::Void, 0);
            return;
        }
        self.looked(key, said);
    }

    /// Notes what only one write alone can have done since the last look, where it is not another one each time.
    fn looked(&mut self, key: Key, said: u64) {
        let writes: Vec<_> = self.under_way.iter().map(|write| (write.kind, write.number)).collect();
        let seen = Seen { said, writes, is_steady: false, before: Vec::new() };
        let Some(mut last) = self.seen.insert(key, seen) else { return };
        let mut before = Vec::new();
        if last.said == said {
            self.changed(key, &last.before);
        } else if last.is_steady {
            self.changed(key, &last.writes);
        } else {
            before = last.before;
            before.append(&mut last.writes);
        }
        let seen = self.seen.get_mut(&key).unwrap();
        (seen.is_steady, seen.before) = (last.is_steady || last.said == said, before);
    }

    fn changed(&mut self, key: Key, writes: &[(usize, usize)]) {
        if let [(kind, number)] = *writes {
            let is_own = self.api.items[key.0] == 1 || number == key.1;
            self.day.exercised.insert((kind, key.0, is_own));
        }
    }
}

/// What each write drops, by kind and number.
fn dropped(api: &Api, file: &str) -> BTreeMap<(usize, usize), BTreeSet<Key>> {
    let rules = rules(file);
    let mut dropped = BTreeMap::new();
    for kind in 0..api.kinds.len() {
        for number in 0..8 {
            let tags = sent(&api.line(kind, number)).drops(&rules.routes);
            let is_met = |key: &Key| meet(&tags, &stored_tags(&rules.routes, &api.target(*key)));
            dropped.insert((kind, number), api.keys().into_iter().filter(is_met).collect());
        }
    }
    dropped
}

#[test]
fn what_was_seen_to_change_is_never_left_out() {
    let (mut narrowed, mut left_out, mut stale, mut hits) = (0, 0, [0, 0], [0, 0]);
    for seed in 0..60 {
        let api = Api::of(seed);
        let file = api.file("");
        let day = a_day(&api, &file, 6_000, 100, seed);
        let narrow = file.clone() + &day.proposed;
        let dropped = dropped(&api, &narrow);
        for ((kind, number), dropped) in &dropped {
            for key in api.keys() {
                let is_own = api.items[key.0] == 1 || *number == key.1;
                let changes = api.effect(*kind, *number, key) != Change::Nothing;
                narrowed += usize::from(!dropped.contains(&key));
                left_out += usize::from(changes && !dropped.contains(&key));
                let is_by_name = api.kinds[*kind].request.contains('#');
                assert!(
                    !changes
                        || dropped.contains(&key)
                        || !is_by_name
                        || api.kinds[*kind].changes[key.0] != Change::Shown,
                    "seed {seed}: {} changes {}, which shows it\n{}\n{api:#?}",
                    api.line(*kind, *number),
                    api.target(key),
                    day.proposed
                );
                assert!(
                    !changes || dropped.contains(&key) || !day.exercised.contains(&(*kind, key.0, is_own)),
                    "seed {seed}: {} was seen to change {}\n{}\n{api:#?}",
                    api.line(*kind, *number),
                    api.target(key),
                    day.proposed
                );
            }
        }
        let next = a_day(&api, &narrow, 6_000, 1_000_000, 1_000 + seed);
        stale = [stale[0] + day.stale, stale[1] + next.stale];
        hits = [hits[0] + 1000 * day.hits / day.reads, hits[1] + 1000 * next.hits / next.reads];
    }
    println!(
        "{narrowed} relations left out, of which {left_out} were there and never seen; {stale:?} stale, {hits:?} hits"
    );
    assert_eq!(stale[0], 0);
    // What is left is mostly marks that were there all day.
    assert!(narrowed > 500 && hits[1] > hits[0]);
}

#[test]
fn what_is_missing_is_added_and_nothing_is_dropped_less() {
    let mut left = [0; 4];
    for seed in 0..25 {
        let api = Api::of(seed);
        let mut file = api.file("invalidated_by = \"path\"");
        let before = dropped(&api, &file);
        for stale in &mut left {
            let day = a_day(&api, &file, 4_000, 10, seed);
            *stale += day.stale;
            file += &day.proposed;
            let after = dropped(&api, &file);
            for (write, dropped) in &before {
                assert!(
                    dropped.is_subset(&after[write]),
                    "seed {seed}: {}\n{}",
                    api.line(write.0, write.1),
                    day.proposed
                );
            }
        }
    }
    println!("stale reads of the same day, and with what was pasted once, twice and thrice: {left:?}");
    assert!(left[1] * 4 < left[0] && left[3] * 20 < left[0], "{left:?}");
}
