//! How a store stands, for whoever operates it: what is known in this process, without asking anybody.

use serde::Serialize;

use super::entry::Withheld;

/// How a store stands.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// `memory` or `redis`.
    pub kind: &'static str,
    /// Where it is, without secrets.
    pub url: String,
    /// Whether every core can use it.
    pub up: bool,
    /// Why not, without secrets.
    pub why_down: Option<String>,
    /// What this process may answer with; `None` where nobody else shares the store.
    pub lease: Option<LeaseState>,
    /// The number of this process in the registry, in hex: another one at each start; `None` where nobody shares the store.
    pub node: Option<String>,
    /// The other nodes that share it, as far as this one knows of them.
    pub peers: Vec<KnownPeer>,
    /// How many things are invalidated, and not confirmed so far; while there are any nothing is read from the store.
    pub pending: u64,
    /// How many writes of this process are under way that the store was told of.
    pub marks: u64,
    /// How many tags are held, or invalidated again and again, since nobody knows what became of a write; `None` where only
    /// Redis knows.
    pub held: Option<u64>,
    /// Whether other nodes have other rules, so that every write invalidates everything.
    pub rules_differ: bool,
    /// How many entries are stored; `None` where only Redis knows.
    pub entries: Option<u64>,
    /// How many entries of Redis' this process has copies of.
    pub copies: Option<u64>,
    /// How many bytes of this process's memory the entries take, or the copies, at the most.
    pub bytes: u64,
    /// How many they may take.
    pub bytes_limit: u64,
    /// How many of them had to leave this process, ever, by reason.
    pub evictions: Vec<Count>,
    /// How often the store could not do its part, by kind.
    pub errors: Vec<Count>,
    /// How many entries were there and could not be used. Each was a miss.
    pub unsound: u64,
    /// How many lookups were answered with a copy in this process, on Redis' word.
    pub validated: u64,
    /// How many writes were forwarded without a mark, since there were too many of them.
    pub unnoted: u64,
}

/// What a process may answer with that shares its store with others.
#[derive(Clone, Debug, Serialize)]
pub struct LeaseState {
    /// Whether hits are given.
    pub valid: bool,
    /// For how long, in milliseconds, unless it is renewed; 0 where none are.
    pub ends_in_ms: u64,
    /// Why none are.
    pub why: Option<&'static str>,
}

/// Another node.
#[derive(Clone, Debug, Serialize)]
pub struct KnownPeer {
    /// Its number in the registry, in hex: another one at each start.
    pub id: String,
    /// For how long it has been silent without having signed off, in milliseconds; `None` where it is not.
    pub silent_ms: Option<u64>,
}

/// How often something of one kind was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The kind, one of a few words.
    pub name: &'static str,
    /// How often.
    pub count: u64,
}

impl State {
    /// That of a store in this process, of which nothing is known so far.
    pub(super) fn of_memory() -> Self {
        Self {
            kind: "memory",
            url: "memory://".to_owned(),
            up: true,
            why_down: None,
            lease: None,
            node: None,
            peers: Vec::new(),
            pending: 0,
            marks: 0,
            held: None,
            rules_differ: false,
            entries: None,
            copies: None,
            bytes: 0,
            bytes_limit: 0,
            evictions: Vec::new(),
            errors: Vec::new(),
            unsound: 0,
            validated: 0,
            unnoted: 0,
        }
    }

    /// How often operations failed, by kind.
    pub(super) fn errors(counted: Vec<(&'static str, u64)>) -> Vec<Count> {
        counted.into_iter().map(|(name, count)| Count { name, count }).collect()
    }

    /// What made entries, or copies, leave this process: so many had no room.
    pub(super) fn evictions(for_want_of_room: u64) -> Vec<Count> {
        vec![Count { name: "room", count: for_want_of_room }]
    }
}

/// Why nothing is given out, in a few words.
pub(super) fn why(withheld: Withheld) -> &'static str {
    match withheld {
        Withheld::Lapsed => "no renewal was confirmed in time",
        Withheld::Peer => "another node is silent and has not signed off",
        Withheld::Rules => "nodes have different rules",
    }
}
