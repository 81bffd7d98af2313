//! `[verify]`: how many hits are compared with what the origin says now, and what of an answer does not count.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::findings::{Findings, Problem, Text};
use super::forms::List;
use super::route::Draft;
use super::size::{RawCount, RawShare, between};
use super::table::{Hint, Table};
use crate::rules::WriteTarget;
use crate::verify::{Ignored, VerifySettings};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [verify] and its keys below it, as in sample = \"1%\""
)]
pub(super) struct RawVerify {
    sample: Option<Spanned<RawShare>>,
    shadow: Option<Spanned<bool>>,
    ignore: Option<List<Text>>,
    at_once: Option<Spanned<RawCount>>,
}

impl Table for RawVerify {
    const TITLE: &'static str = "[verify]";
    const HINTS: &'static [Hint] = &[
        Hint::anywhere(&["dry_run", "dryrun", "observe"], "write shadow = true in [verify]"),
        Hint::anywhere(&["verification", "sampling", "sample_rate"], "write sample = \"1%\" in [verify]"),
    ];
}

/// So many comparisons may be under way without a line about it.
const AT_ONCE: usize = 4;
/// More than this is a second load for the API.
const MOST_AT_ONCE: usize = 64;

/// The settings; without the table nothing is compared. `drafts` are the routes, as far as they could be read.
pub(super) fn resolve(raw: RawVerify, drafts: &[Draft], findings: &mut Findings<'_>) -> VerifySettings {
    let shadow = raw.shadow.as_ref().is_some_and(|shadow| *shadow.get_ref());
    if let Some(place) = raw.shadow.as_ref().filter(|_| shadow).map(Spanned::span) {
        refuse_kept_alone(&place, drafts, findings);
    }
    if let Some(sample) = raw.sample.as_ref().filter(|_| shadow) {
        let message = "this has no effect: with `shadow = true` every would-be hit is compared";
        findings.warning(sample.span(), message, "delete one of the two");
    }
    let texts = raw.ignore.map(|list| list.0).unwrap_or_default();
    for text in &texts {
        if Ignored::parse([text.get_ref().as_str()]).is_err() {
            findings.error(
                text.span(),
                format!("`{}` is neither a name nor a JSON pointer", text.get_ref()),
                "write a name, which is ignored wherever it stands (\"served_at\"), or a pointer (\"/meta/took\", \"/items/*/views\")",
            );
        }
    }
    VerifySettings {
        sample: raw.sample.map_or(0.0, |share| share.get_ref().0),
        shadow,
        ignored: Ignored::parse(texts.iter().map(|text| text.get_ref().as_str())).unwrap_or_default(),
        at_once: between(1, MOST_AT_ONCE, raw.at_once, AT_ONCE, findings),
    }
}

/// What a write has left in the cache alone the API never saw, so nobody else could answer for it.
fn refuse_kept_alone(shadow: &Range<usize>, drafts: &[Draft], findings: &mut Findings<'_>) {
    for draft in drafts {
        let Some(policy) = draft.route.write.as_ref().filter(|policy| policy.select.offers(WriteTarget::Cache)) else {
            continue;
        };
        let message = format!(
            "with `shadow = true` nothing is served from the cache, so nobody could read what `{}` leaves there alone",
            policy.request.as_str()
        );
        let problem =
            Problem::new(message, "write sample = \"1%\" in place of it, or take the policy `cache` out for as long");
        let policy = draft.write.clone().unwrap_or_else(|| draft.header.clone());
        findings.error_beside(shadow.clone(), problem, policy, "it sends writes to the cache alone");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> (VerifySettings, usize) {
        let mut findings = Findings::new(text);
        let settings = resolve(toml::from_str(text).unwrap(), &[], &mut findings);
        (settings, findings.into_vec().len())
    }

    #[test]
    fn without_a_line_about_it_nothing_is_compared() {
        let (settings, findings) = resolved("");
        assert!(!settings.is_on() && findings == 0);
        assert!(resolved("shadow = true").0.is_on());
        let (settings, findings) = resolved("sample = \"1%\"\nignore = [\"served_at\", \"/meta/took\"]");
        assert!(settings.is_on() && findings == 0 && !settings.ignored.is_empty());
        assert!((settings.sample - 0.01).abs() < 1e-9);
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for text in ["ignore = [\"a/b\"]", "at_once = 0", "at_once = 65", "shadow = true\nsample = \"1%\""] {
            assert_eq!(resolved(text).1, 1, "{text}");
        }
    }
}
