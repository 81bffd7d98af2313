//! Which route a request belongs to, under which key its answer is stored, and what a write invalidates.
//!
//! Pure: no I/O, no clock. What `proxy.toml` says about routes is compiled by `config` into these types once,
//! and asked at every request.

mod canonical;
mod document;
mod entry;
mod fold;
mod hosts;
mod invalidation;
mod key;
mod pattern;
mod purge;
mod read;
mod route;
mod routes;
mod ruleset;
mod tag;
mod value;
mod withheld;
mod write;
mod write_policy;
mod write_rule;

pub use canonical::{is_canonical, write_paths, written_paths};
pub use document::{Document, LazyJson, Pointer, read_json};
pub use entry::{EntryRef, Tags, TagsBasis, Written, place, variant_id, written, written_value};
pub use fold::scalar;
pub use hosts::{AskedHost, Hosts, KeyedHost, reachable};
pub use invalidation::{Cause, Invalidation, Scope, summary};
pub use key::{CacheKey, Digest, Role};
pub use pattern::{Captures, JsonTemplate, PathPattern, PatternError, RequestPattern, Source, Template};
pub use purge::{Beginning, Purge, Purging, Unnamed};
pub use read::{Bypass, Found, Read, find_parameter, parameters};
pub use route::{Annotate, Credential, Fill, Route, RouteQuery};
pub use routes::{
    DroppedBy, Extent, Intended, Kind, Routes, Said, Speaking, Surroundings, Unreachable, Untold, Why, Writes,
};
pub use ruleset::Ruleset;
pub use tag::Tag;
pub use withheld::{Remedy, advice, is_dealt_with, remedy, says_any, varies_by_trace, withheld};
pub use write::{Content, Overriding, Write, WriteAnswer, overriding};
pub use write_policy::{CacheBy, Reply, Selection, WritePolicy, WriteTarget, credential_hash};
pub use write_rule::{
    Condition, Drops, InvalidatedBy, InvalidationRule, PathTemplate, RefusedAnswer, Subject, WriteRule,
};

/// The route label of paths without a route.
pub const UNROUTED: &str = "unrouted";
