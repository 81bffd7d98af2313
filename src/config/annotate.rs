//! `annotate`: the field that says in the answer itself whether it came from the cache.

use toml::Spanned;

use super::file::AnnotateTable;
use super::findings::Findings;
use crate::rules::Annotate;

const EXAMPLE: &str = "write annotate = { field = \"from_cache\", hit = true, miss = false }";

/// The field and its two values; `None` when something is missing.
pub(super) fn mean(written: Spanned<AnnotateTable>, findings: &mut Findings<'_>) -> Option<Annotate> {
    let place = written.span();
    let table = written.into_inner();
    let missing = [("field", table.field.is_none()), ("hit", table.hit.is_none()), ("miss", table.miss.is_none())];
    for (key, _) in missing.into_iter().filter(|(_, missing)| *missing) {
        findings.lacks(place.clone(), &[key], format!("`annotate` needs `{key}`"), EXAMPLE);
    }
    let (field, hit, miss) = (table.field?, table.hit?, table.miss?);
    if field.get_ref().is_empty() {
        findings.error(field.span(), "the field has no name", EXAMPLE);
    }
    if hit.0 == miss.0 {
        findings.error(place, "`hit` and `miss` are the same, so the field says nothing", EXAMPLE);
    }
    Some(Annotate { field: field.into_inner(), hit: hit.0, miss: miss.0 })
}
