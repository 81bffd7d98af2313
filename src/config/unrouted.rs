//! `[unrouted]`: the choices that RFC 9111 leaves open, for paths without a route.

use super::file::UnroutedTable;
use super::findings::{Findings, one_of};
use crate::policy::Choices;

/// The choices, `None` to never cache such paths; and whether every field of a request is in the key.
pub(super) fn mean(table: UnroutedTable, findings: &mut Findings<'_>) -> (Option<Choices>, bool) {
    let all = table.vary.and_then(|word| one_of(&word, &[("origin", false), ("all", true)], findings));
    let words = [("honour", true), ("ignore", false)];
    let honour = table.request_directives.and_then(|word| one_of(&word, &words, findings));
    let choices = table.cache.unwrap_or(true).then(|| Choices {
        routed: false,
        heuristics: table.heuristics.unwrap_or(false),
        close_delimited: table.close_delimited.unwrap_or(false),
        errors: table.errors.unwrap_or(false),
        honour_request_directives: honour.unwrap_or(true),
        max_body: super::route::MAX_BODY,
        ..Choices::default()
    });
    (choices, all.unwrap_or(false))
}
