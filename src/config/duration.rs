//! Durations as people write them: `"500ms"`, `"1h"`, `"1h30m"`, `"1d"`.

use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use toml::Spanned;

use super::findings::{Findings, Problem};

/// A duration as written in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawDuration(pub(super) Duration);

const UNITS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// What people write for a unit elsewhere, and what it is here.
const OTHER_UNITS: [(&str, &str); 20] = [
    ("milliseconds", "ms"),
    ("millisecond", "ms"),
    ("msec", "ms"),
    ("seconds", "s"),
    ("second", "s"),
    ("secs", "s"),
    ("sec", "s"),
    ("minutes", "m"),
    ("minute", "m"),
    ("mins", "m"),
    ("min", "m"),
    ("hours", "h"),
    ("hour", "h"),
    ("hrs", "h"),
    ("hr", "h"),
    ("days", "d"),
    ("day", "d"),
    ("weeks", "w"),
    ("week", "w"),
    ("y", "d"),
];

/// A hundred years: more is a slip of the finger, and would overflow what stores count in.
const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);

const HELP: &str = "write a number with its unit (ms, s, m, h, d, w), as in \"90s\", \"1h30m\" or \"1d\"";

/// Reads numbers with units, largest first or not: `1h30m`.
pub(super) fn parse(text: &str) -> Result<Duration, Problem> {
    let unreadable = || Problem::new(format!("`{text}` is not a valid duration"), suggestion(text));
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at(letters);
        let number: u64 = number.parse().map_err(|_| unreadable())?;
        let (_, millis) = UNITS.iter().find(|(known, _)| *known == unit).ok_or_else(unreadable)?;
        total = total.saturating_add(number.saturating_mul(*millis));
        rest = next;
    }
    if text.is_empty() {
        return Err(unreadable());
    }
    let duration = Duration::from_millis(total);
    if duration > LONGEST {
        return Err(Problem::new(
            format!("`{text}` is longer than a hundred years"),
            "write a shorter duration, as in \"30d\"",
        ));
    }
    Ok(duration)
}

/// The same with a unit that is known here, where that can be told.
fn suggestion(text: &str) -> String {
    let plain: String = text.to_lowercase().split_whitespace().collect();
    let digits = plain.find(|c: char| !c.is_ascii_digit()).unwrap_or(plain.len());
    let (number, unit) = plain.split_at(digits);
    if number.is_empty() {
        return HELP.to_owned();
    }
    if unit.is_empty() {
        return format!("add the unit: \"{number}s\" or \"{number}m\"");
    }
    let known = UNITS.iter().map(|(known, _)| (*known, *known)).chain(OTHER_UNITS);
    match known.into_iter().find(|(other, _)| *other == unit) {
        Some(("y", _)) => format!("write it in days: \"{}d\"", number.parse::<u64>().unwrap_or(1).saturating_mul(365)),
        Some((_, ours)) => format!("write \"{number}{ours}\""),
        None => HELP.to_owned(),
    }
}

/// A duration that must take some time.
pub(super) fn not_zero(raw: Option<Spanned<RawDuration>>, default: Duration, findings: &mut Findings<'_>) -> Duration {
    let Some(raw) = raw else { return default };
    let duration = raw.get_ref().0;
    if duration.is_zero() {
        let help = format!("write a longer duration; the default is \"{}\"", show(default));
        findings.error(raw.span(), "the duration must not be zero", help);
    }
    duration
}

/// A duration between two bounds.
pub(super) fn between(
    least: Duration,
    most: Duration,
    raw: Option<Spanned<RawDuration>>,
    default: Duration,
    findings: &mut Findings<'_>,
) -> Duration {
    let place = raw.as_ref().map(Spanned::span);
    let duration = at_most(most, raw, default, findings);
    if let Some(place) = place.filter(|_| duration < least) {
        let help = format!("write at least \"{}\"; the default is \"{}\"", show(least), show(default));
        findings.error(place, format!("{} is too short", show(duration)), help);
    }
    duration
}

/// A duration that may be zero, and no longer than this.
pub(super) fn at_most(
    most: Duration,
    raw: Option<Spanned<RawDuration>>,
    default: Duration,
    findings: &mut Findings<'_>,
) -> Duration {
    let Some(raw) = raw else { return default };
    let duration = raw.get_ref().0;
    if duration > most {
        let help = format!("write at most \"{}\"; the default is \"{}\"", show(most), show(default));
        findings.error(raw.span(), format!("{} is too long", show(duration)), help);
    }
    duration
}

/// A duration for people: `1h30m`, `500ms`, `0s`.
pub fn show(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, millis) in UNITS.iter().rev().filter(|(unit, _)| *unit != "w") {
        if left >= *millis {
            let _ = write!(text, "{}{unit}", left / millis);
            left %= millis;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

impl<'de> Deserialize<'de> for RawDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DurationVisitor).map(Self)
    }
}

pub(super) struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = Duration;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a duration\n")?;
        out.write_str(HELP)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).map_err(|problem| E::custom(format_args!("{}\n{}", problem.message, problem.help)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Duration, E> {
        Err(bare(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Duration, E> {
        Err(bare(number))
    }
}

fn bare<E: Error>(number: impl fmt::Display) -> E {
    E::custom(format_args!("a duration needs a unit and quotes\nwrite \"{number}s\", or ms, m, h, d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_shown() {
        for (text, millis, shown) in [
            ("500ms", 500, "500ms"),
            ("60s", 60_000, "1m"),
            ("1h", 3_600_000, "1h"),
            ("1d", 86_400_000, "1d"),
            ("2w", 14 * 86_400_000, "14d"),
            ("1h30m", 5_400_000, "1h30m"),
            ("0s", 0, "0s"),
            ("90s", 90_000, "1m30s"),
        ] {
            let duration = parse(text).unwrap();
            assert_eq!(duration, Duration::from_millis(millis), "{text}");
            assert_eq!(show(duration), shown, "{text}");
        }
    }

    #[test]
    fn what_is_none_says_what_to_write() {
        for (text, help) in [
            ("", "\"1h30m\""),
            ("60", "\"60s\" or \"60m\""),
            ("10min", "\"10m\""),
            ("10 minutes", "\"10m\""),
            ("1 H", "\"1h\""),
            ("1year", "\"1h30m\""),
            ("1y", "\"365d\""),
            ("1.5h", "\"1h30m\""),
            ("-1s", "\"1h30m\""),
            ("h", "\"1h30m\""),
            ("1hs", "\"1h30m\""),
            ("99999999999d", "\"30d\""),
            ("99999999999999999999s", "\"99999999999999999999s\""),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.help.contains(help), "{text}: {}", problem.help);
        }
    }
}
