//! What is stored, for whoever operates the store: a bounded look, and no promise to see everything.

use std::time::Duration;

use serde::Serialize;

use super::entry::{Kind, StoredResponse};
use crate::clock::Millis;
use crate::policy::ttl_left;
use crate::rules::Tag;

/// So many entries are told of at the most.
pub(super) const MOST: usize = 1_000;

/// Some of the entries that can be given out, in no order.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Listing {
    /// They.
    pub entries: Vec<StoredEntry>,
    /// Whether there may be more: only so many are told of, and looked at.
    pub more: bool,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredEntry {
    /// The name of its key, without what every key begins with.
    pub key: String,
    /// The route it belongs to.
    pub route: String,
    /// `response`, `vary-index`, `written`, `cache-only` or `around`.
    pub kind: &'static str,
    /// The origin's status.
    pub status: u16,
    /// How many bytes its body has.
    pub size: u64,
    /// How old it is, in seconds.
    pub age: f64,
    /// In how many seconds it is stale; below zero where it is.
    pub ttl: i64,
    /// Whether it was invalidated softly.
    pub soft: bool,
    /// What it is purged by, of what the file and the response name.
    pub tags: Vec<String>,
    /// How often it was given out since it was stored or renewed; `None` where nobody counts that.
    pub hits: Option<u64>,
}

impl StoredEntry {
    /// An entry under a key of this name, at a time. A size that is not its body's comes apart.
    pub(super) fn of(key: String, route: &str, entry: &StoredResponse, soft: bool, now: Millis) -> Self {
        let resident = Duration::from_millis(now.saturating_sub(entry.response_time));
        let age = entry.initial_age.saturating_add(resident);
        Self {
            key,
            route: route.to_owned(),
            kind: kind(entry.kind),
            status: entry.status.as_u16(),
            size: entry.body.len() as u64,
            age: age.as_secs_f64(),
            ttl: ttl_left(entry.lifetime.fresh_for, age),
            soft,
            tags: entry.tags.iter().filter_map(Tag::purgeable).map(str::to_owned).collect(),
            hits: None,
        }
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Response => "response",
        Kind::VaryIndex => "vary-index",
        Kind::Written => "written",
        Kind::CacheOnly => "cache-only",
        Kind::Around => "around",
    }
}
