//! How the process is: what `GET /status` answers and `aside status` reads.

use serde::{Deserialize, Serialize};

use super::control::ConfigState;
use crate::proxy;
use crate::rules::{InvalidatedBy, Route, Ruleset};
use crate::store::State;
use crate::telemetry::{Totals, UNROUTED};

/// All of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Of the program.
    pub version: String,
    /// Since the process was started.
    pub uptime_seconds: f64,
    /// Whether it serves clients.
    pub ready: bool,
    /// Which configuration holds.
    pub config: ConfigState,
    /// The addresses for clients, as URLs.
    pub listen: Vec<String>,
    /// The admin listener.
    pub admin: AdminStatus,
    /// The store.
    pub store: StoreStatus,
    /// Invalidations that the store has not confirmed so far; while there are any nothing is read from it.
    pub pending: u64,
    /// The origin.
    pub origin: OriginStatus,
    /// Whether hits are compared with the origin's answers, and what came of it.
    pub verify: VerifyStatus,
    /// The routes in the order in which they are tried.
    pub routes: Vec<RouteStatus>,
}

/// The admin listener.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AdminStatus {
    /// Where it is, as `--admin` takes it.
    pub listen: String,
    /// Whether it asks for a token.
    pub token: bool,
}

/// The store, as far as this process knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoreStatus {
    /// `memory` or `redis`.
    pub kind: String,
    /// Its URL, without a password.
    pub url: String,
    /// Whether every core can use it.
    pub up: bool,
    /// Why not.
    pub why_down: Option<String>,
    /// What this process may answer with; `None` where nobody else shares the store.
    pub lease: Option<LeaseStatus>,
    /// The number of this process among them, in hexadecimal: another one at each start; `None` where nobody shares it.
    #[serde(default)]
    pub node: Option<String>,
    /// The other nodes that share it.
    pub peers: Vec<PeerStatus>,
    /// Writes of this process under way that it was told of.
    pub marks: u64,
    /// Tags that are held, since nobody knows what became of a write; `None` where only Redis knows.
    pub held: Option<u64>,
    /// Whether other nodes have other rules, so that every write invalidates everything.
    pub rules_differ: bool,
    /// Entries; `None` where only Redis knows.
    pub entries: Option<u64>,
    /// Entries of Redis' of which this process has copies.
    pub copies: Option<u64>,
    /// How many bytes entries, or copies, take of this process's memory at the most.
    pub memory_bytes: u64,
    /// How many they may take.
    pub memory_limit_bytes: u64,
    /// Entries that were there and could not be used.
    pub unsound: u64,
}

/// What a process may answer with that shares its store with others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LeaseStatus {
    /// Whether hits are given.
    pub valid: bool,
    /// For how long, in milliseconds, unless it is renewed.
    pub ends_in_ms: u64,
    /// Why none are.
    pub why: Option<String>,
}

/// Another node that shares the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Its number in the registry, in hexadecimal.
    pub id: String,
    /// For how long it has been silent without having signed off, in milliseconds; `None` where it is not.
    pub silent_ms: Option<u64>,
}

/// The origin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OriginStatus {
    /// Its addresses.
    pub addresses: Vec<AddressStatus>,
}

/// One address of the origin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddressStatus {
    /// As one would write it.
    pub url: String,
    /// `closed` where requests go there, `open` where they do not after failures in a row.
    pub circuit: String,
    /// Whether it passes its health check; true where there is none.
    pub healthy: bool,
    /// Requests under way there.
    pub inflight: usize,
}

/// What `[verify]` has found, since the start or since the rules have changed; `GET /verify` tells more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VerifyStatus {
    /// `off`, `sample` or `shadow`.
    pub mode: String,
    /// Hits that were compared with the origin's answer.
    pub compared: u64,
    /// Of these, those that were old.
    pub old: u64,
    /// Those that the origin answers otherwise each time.
    pub volatile: u64,
    /// The last one that was old, as a sentence.
    pub last: Option<String>,
}

/// One route.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RouteStatus {
    /// Its name.
    pub name: String,
    /// Its path, with the names of its variables; `None` for what no route speaks of.
    pub path: Option<String>,
    /// Whether every write drops it of which nothing is said: it has no `invalidated_by`.
    #[serde(default)]
    pub dropped_by_default: bool,
    /// All requests since the start.
    pub requests: u64,
    /// Those that the store answered, with a fresh entry or a stale one.
    pub hits: u64,
    /// Those that the store could have answered and did not.
    pub misses: u64,
    /// Bytes of bodies that came from the store.
    pub cache_bytes: u64,
    /// Bytes of bodies that the origin sent.
    pub origin_bytes: u64,
    /// How much of the origin's time hits have saved, in seconds.
    pub saved_origin_seconds: f64,
}

/// What a process is and does not change.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The addresses for clients, as URLs.
    pub listen: Vec<String>,
    /// Where the admin listener is, as `--admin` takes it.
    pub admin: String,
}

/// The status of the store.
pub(super) fn of_store(state: State) -> StoreStatus {
    let lease = state.lease.map(|lease| LeaseStatus {
        valid: lease.valid,
        ends_in_ms: lease.ends_in_ms,
        why: lease.why.map(str::to_owned),
    });
    let peers = state.peers.into_iter().map(|peer| PeerStatus { id: peer.id, silent_ms: peer.silent_ms });
    StoreStatus {
        kind: state.kind.to_owned(),
        url: state.url,
        up: state.up,
        why_down: state.why_down,
        lease,
        node: state.node,
        peers: peers.collect(),
        marks: state.marks,
        held: state.held,
        rules_differ: state.rules_differ,
        entries: state.entries,
        copies: state.copies,
        memory_bytes: state.bytes,
        memory_limit_bytes: state.bytes_limit,
        unsound: state.unsound,
    }
}

/// The status of the origin.
pub(super) fn of_origin(parts: &proxy::Parts) -> OriginStatus {
    let addresses = parts.origin().addresses().into_iter().map(|address| AddressStatus {
        url: address.url,
        circuit: if address.is_in_order { "closed" } else { "open" }.to_owned(),
        healthy: address.is_healthy,
        inflight: address.under_way,
    });
    OriginStatus { addresses: addresses.collect() }
}

/// The same, in short.
pub(super) fn of_verify(summary: proxy::VerifySummary) -> VerifyStatus {
    let proxy::VerifySummary { mode, compared, old, volatile, last } = summary;
    VerifyStatus { mode: mode.to_owned(), compared, old, volatile, last: last.map(|last| last.to_string()) }
}

/// The status of each route, and at the end that of what no route speaks of.
pub(super) fn of_routes(rules: &Ruleset, totals: &Totals) -> Vec<RouteStatus> {
    let one = |name: &str, path: Option<&str>, dropped_by_default: bool| {
        let counted = totals.routes.get(name).cloned().unwrap_or_default();
        RouteStatus {
            name: name.to_owned(),
            path: path.map(str::to_owned),
            dropped_by_default,
            requests: counted.requests,
            hits: counted.hits,
            misses: counted.misses,
            cache_bytes: counted.cache_bytes,
            origin_bytes: counted.origin_bytes,
            saved_origin_seconds: counted.saved_origin_seconds,
        }
    };
    let is_default = |route: &Route| route.invalidated_by == InvalidatedBy::Every;
    let routes = rules.routes.iter().map(|route| one(&route.name, Some(route.path.as_str()), is_default(route)));
    routes.chain([one(UNROUTED, None, false)]).collect()
}
