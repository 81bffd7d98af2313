//! `statuses`: which answers a route keeps, and for how long.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::duration::DurationVisitor;
use super::findings::{Findings, Text};
use super::forms::Entries;

/// The lifetime of one status as written in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RawStatusTtl {
    /// `"ttl"`: the route's own.
    RouteTtl,
    For(Duration),
}

impl<'de> Deserialize<'de> for RawStatusTtl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;

        impl Visitor<'_> for Forms {
            type Value = RawStatusTtl;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a duration, or \"ttl\" for the route's own\nwrite a duration, as in { 404 = \"10s\" }")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                match text {
                    "ttl" => Ok(RawStatusTtl::RouteTtl),
                    _ => DurationVisitor.visit_str(text).map(RawStatusTtl::For),
                }
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                DurationVisitor.visit_i64(number).map(RawStatusTtl::For)
            }
        }

        deserializer.deserialize_any(Forms)
    }
}

/// The statuses a route speaks for; `None` is its `ttl`. 200 has it unless the file says otherwise.
pub(super) fn resolve(raw: Option<Entries<RawStatusTtl>>, findings: &mut Findings<'_>) -> Vec<(u16, Option<Duration>)> {
    let mut statuses = Vec::new();
    for (status, ttl) in raw.into_iter().flat_map(|entries| entries.0) {
        let Some(code) = code(&status, findings) else { continue };
        statuses.push((
            code,
            match ttl {
                RawStatusTtl::RouteTtl => None,
                RawStatusTtl::For(duration) => Some(duration),
            },
        ));
    }
    if !statuses.iter().any(|(code, _)| *code == 200) {
        statuses.insert(0, (200, None));
    }
    statuses
}

fn code(status: &Text, findings: &mut Findings<'_>) -> Option<u16> {
    let help = "write a status from 200 to 599, as in { 404 = \"10s\" }";
    let code: Option<u16> = status.get_ref().parse().ok();
    match code {
        Some(206 | 304) => {
            let message = format!("{} cannot be listed: it is not a complete answer", status.get_ref());
            findings.error(status.span(), message, "delete it");
            None
        }
        Some(code @ 200..=599) => Some(code),
        Some(100..=199) => {
            findings.error(
                status.span(),
                format!("{} is not a final status and is never stored", status.get_ref()),
                help,
            );
            None
        }
        _ => {
            findings.error(status.span(), format!("`{}` is not a status", status.get_ref()), help);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::Spanned;

    fn resolved(pairs: &[(&str, RawStatusTtl)]) -> (Vec<(u16, Option<Duration>)>, usize) {
        let mut findings = Findings::new("");
        let entries = pairs.iter().map(|(status, ttl)| (Spanned::new(0..0, (*status).to_owned()), *ttl)).collect();
        let statuses = resolve(Some(Entries(entries)), &mut findings);
        (statuses, findings.into_vec().len())
    }

    #[test]
    fn only_200_is_kept_unless_the_file_says_more() {
        assert_eq!(resolve(None, &mut Findings::new("")), [(200, None)]);
        let ten = RawStatusTtl::For(Duration::from_secs(10));
        assert_eq!(resolved(&[("404", ten)]), (vec![(200, None), (404, Some(Duration::from_secs(10)))], 0));
        assert_eq!(resolved(&[("200", ten)]), (vec![(200, Some(Duration::from_secs(10)))], 0));
        assert_eq!(resolved(&[("301", RawStatusTtl::RouteTtl)]).0, [(200, None), (301, None)]);
    }

    #[test]
    fn what_is_no_status_or_never_stored_is_refused() {
        for status in ["99", "600", "100", "206", "304", "ok", "", "-1"] {
            assert_eq!(resolved(&[(status, RawStatusTtl::RouteTtl)]), (vec![(200, None)], 1), "{status}");
        }
    }
}
