//! Which route a request belongs to, under which key its answer is kept, and what a write makes old.
//!
//! Pure: no I/O, no clock. What `proxy.toml` says about routes is compiled by `config` into these types once,
//! and asked at every request.

mod canonical;
mod destination;
mod digest;
mod document;
mod dropped_by;
mod fingerprint;
mod fold;
mod foreign;
mod forms;
mod hosts;
mod index;
mod invalidated_by;
mod invalidation;
mod json_template;
mod key;
mod loose;
mod made_old;
mod named;
mod numbers;
mod overlap;
mod overriding;
mod path;
mod place;
mod query;
mod read;
mod request_pattern;
mod route;
mod routes;
mod ruleset;
mod said;
mod summary;
mod tag;
mod tags;
mod template;
mod told;
mod untold;
mod value;
mod variable;
mod withheld;
mod write;
mod write_policy;
mod write_rule;
mod written;

pub use canonical::{is_canonical, write_paths};
pub use destination::written_paths;
pub use digest::Digest;
pub use document::{Document, LazyJson, read_json};
pub use dropped_by::{DroppedBy, Extent, Kind, Writes};
pub use hosts::{AskedHost, Hosts, KeyedHost, reachable};
pub use invalidated_by::{Condition, InvalidatedBy, InvalidationRule, Subject};
pub use invalidation::{Cause, Invalidation, Scope};
pub use json_template::JsonTemplate;
pub use key::{CacheKey, Role};
pub use numbers::scalar;
pub use overriding::{Content, Overriding, overriding};
pub use path::{Captures, PathPattern};
pub use place::{EntryRef, variant_id};
pub use query::{Found, find_parameter, parameters};
pub use read::{Bypass, Read};
pub use request_pattern::RequestPattern;
pub use route::{Annotate, Credential, Fill, Route, RouteQuery};
pub use routes::{Routes, Surroundings, Unreachable};
pub use ruleset::Ruleset;
pub use said::Said;
pub use summary::summary;
pub use tag::{Heir, Tag};
pub use tags::Tags;
pub use template::{Pointer, Source, Template};
pub use untold::{Untold, Why};
pub use withheld::{Remedy, is_dealt_with, remedy, says_any, varies_by_trace, withheld};
pub use write::{Write, WriteAnswer};
pub use write_policy::{CacheBy, Reply, Selection, WritePolicy, WriteTarget, credential_hash};
pub use write_rule::{Drops, PathTemplate, RefusedAnswer, WriteRule};
pub use written::Written;

/// The route label of paths without a route.
pub const ROUTELESS: &str = "unrouted";

/// A pattern or template that cannot be used: what is wrong and where in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Byte offset in the pattern's text.
    pub at: usize,
    /// What is wrong and what to write instead, as a sentence without a full stop.
    pub message: String,
}

impl PatternError {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

impl std::fmt::Display for PatternError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for PatternError {}
