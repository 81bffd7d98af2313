//! The figures of all cores together, as plain values.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::super::outcome::{CacheResult, Done};
use super::super::purge::PurgeKind;
use super::histogram::Buckets;
use crate::fields::Detail;

/// Everything that was counted so far.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// What is known of each route, by its configured name; `-` has what no route speaks of.
    pub routes: BTreeMap<Arc<str>, RouteTotals>,
    /// How long requests took until the head of their answer, by what the cache did.
    pub requests: BTreeMap<CacheResult, Buckets>,
    /// How long the origin took until the head of its answer.
    pub origin: Buckets,
    /// How long it took until the store had confirmed an invalidation; not of those that it has yet to confirm.
    pub acks: Buckets,
    /// Requests that were answered by the fetch of another one.
    pub collapsed: u64,
    /// Stale answers that were served, by reason.
    pub stale: BTreeMap<&'static str, u64>,
    /// Fetched answers that were not stored, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Reads that the store had no answer for, by reason.
    pub missed: BTreeMap<&'static str, u64>,
    /// What writes have dropped.
    pub invalidations: BTreeMap<Invalidations, u64>,
    /// Stored answers that were compared with the origin's, by route and by what came of it.
    pub verified: BTreeMap<(Arc<str>, Verified), u64>,
    /// Connections that were ended before there was a request, by reason.
    pub refused_connections: Vec<(&'static str, u64)>,
    /// Purges that were asked for; every kind is there.
    pub purges: BTreeMap<PurgeKind, u64>,
}

/// What is known of one route.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RouteTotals {
    /// All requests.
    pub requests: u64,
    /// Those that the store answered, with a fresh entry or a stale one.
    pub hits: u64,
    /// Those that the store could have answered and did not.
    pub misses: u64,
    /// Bytes of bodies that came from the store.
    pub cache_bytes: u64,
    /// Bytes of bodies that the origin sent for the request.
    pub origin_bytes: u64,
    /// How often the origin answered.
    pub origin_fetches: u64,
    /// How long it took for that, all together.
    pub origin_seconds: f64,
    /// How much of the origin's time hits have saved: the mean of the route's fetches, for each.
    pub saved_origin_seconds: f64,
    /// Hits for which the origin was asked all the same: to renew what is stale, before that stood in for its error, or to
    /// compare the two.
    #[serde(skip)]
    pub(super) asked_besides: u64,
    #[serde(skip)]
    pub(super) cells: BTreeMap<(&'static str, u8, CacheResult), u64>,
}

/// One kind of invalidation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Invalidations {
    /// The route whose entries were dropped; `-` for paths without a route, `*` for several routes at once.
    pub route: Arc<str>,
    /// What said so: a request of the configuration as it is written there, or one word.
    pub rule: Arc<str>,
    /// What became of it.
    pub result: Done,
}

/// What came of comparing a stored answer with the origin's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verified {
    /// They are the same.
    Same,
    /// They differ: the stored one is old.
    Different,
    /// The origin answers otherwise each time.
    Volatile,
    /// There was nothing to compare: the origin failed, or a write came in between.
    Skipped,
}

impl Verified {
    /// The word for it, as labels have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Volatile => "volatile",
            Self::Skipped => "skipped",
        }
    }
}

impl RouteTotals {
    /// Requests by method, class of the status (1 to 5; 0 where there was no answer) and what the cache did.
    pub fn cells(&self) -> impl Iterator<Item = (&'static str, u8, CacheResult, u64)> {
        self.cells.iter().map(|((method, class, result), count)| (*method, *class, *result, *count))
    }

    pub(super) fn add_cell(&mut self, method: &'static str, class: u8, result: CacheResult, count: u64) {
        *self.cells.entry((method, class, result)).or_default() += count;
    }
}

impl Totals {
    /// How many requests there were.
    pub fn count(&self) -> u64 {
        self.requests.values().map(Buckets::count).sum()
    }

    /// How many of them the store answered, with a fresh entry or a stale one.
    pub fn hits(&self) -> u64 {
        self.routes.values().map(|route| route.hits).sum()
    }

    /// How long hits took.
    pub fn hit_times(&self) -> Buckets {
        self.requests.get(&CacheResult::Hit).cloned().unwrap_or_default()
    }

    /// How much of the origin's time hits have saved, in seconds.
    pub fn saved_origin_seconds(&self) -> f64 {
        self.routes.values().map(|route| route.saved_origin_seconds).sum()
    }

    /// Sums the counts of each reason, by its token.
    pub(super) fn by_reason(sums: &mut BTreeMap<&'static str, u64>, counts: impl Iterator<Item = (&'static str, u64)>) {
        for (reason, count) in counts.filter(|(_, count)| *count > 0) {
            *sums.entry(reason).or_default() += count;
        }
    }

    /// The sentence of a reason, as docs/reasons.md has it; for `uri-miss` and its kin what RFC 9211 says of them.
    pub fn sentence(reason: &str) -> &'static str {
        let described = Detail::ALL.iter().find(|detail| detail.as_str() == reason).map(|detail| detail.describe());
        described.unwrap_or(match reason {
            "uri-miss" => "Nothing is stored under this URL.",
            "vary-miss" => "What is stored under this URL is for requests with other fields.",
            "stale" => "What is stored is no longer fresh, and the origin was asked.",
            "partial" => "Only a part of what was asked for is stored.",
            "request" => "The client wanted the origin to be asked.",
            _ => "Nothing that is stored could be used.",
        })
    }
}
