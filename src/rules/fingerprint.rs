//! What of the configuration shapes a stored answer, as a number: where it differs, what is stored is another entry.
//!
//! So a changed file holds at once for what is stored. What is looked up anew at every hit (lifetimes, stale windows,
//! `annotate`, `compress`) is not in it, so that changing these loses nothing.

use super::digest::fingerprint;
use super::route::Route;
use super::write_rule::WriteRule;
use crate::policy::Choices;

/// The choices that shape what is stored, and whether it is.
pub(super) fn storing(choices: &Choices) -> String {
    let lifetimes_aside = Choices {
        ttl: None,
        stale_while_revalidate: std::time::Duration::ZERO,
        stale_if_error: std::time::Duration::ZERO,
        ..choices.clone()
    };
    format!("{lifetimes_aside:?}")
}

impl Route {
    /// What shapes an entry of this route. The rules that make it old are a part of that: what an earlier, narrower file
    /// has left may be old already. `surroundings` is what shapes the answers of all routes.
    pub(super) fn shaped_by(&self, writes: &[WriteRule], surroundings: &str) -> u64 {
        let Self { path, query, vary, key, choices, cookies, authorization, etag, .. } = self;
        let Self { unless, tags, invalidated_by, write, .. } = self;
        let asked = format!("{path:?} {query:?} {vary:?} {key:?} {cookies:?} {authorization:?}");
        let kept = format!("{etag} {unless:?} {tags:?} {invalidated_by:?} {write:?}");
        fingerprint([&*asked, &storing(choices), &kept, &format!("{writes:?}"), surroundings])
    }
}
