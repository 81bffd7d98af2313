//! Sizes and shares as people write them: `"64KiB"`, `"1MiB"`, `"10%"`; and plain counts.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use toml::Spanned;

use super::findings::{Findings, Problem};

/// A number of bytes as written in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawSize(pub(super) u64);

/// A share as written in the file: 0.0 to 1.0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RawShare(pub(super) f64);

/// How many of something, as written in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawCount(pub(super) usize);

const UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

const HELP: &str = "write a number with its unit (B, KiB, MiB, GiB, KB, MB, GB), as in \"64KiB\" or \"1MiB\"";

/// The HTTP library reads heads into a buffer of at least this many bytes.
pub(super) const LEAST_HEADER: u64 = 8 << 10;

fn parse_size(text: &str) -> Result<u64, Problem> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let known = UNITS.iter().find(|(known, _)| *known == unit);
    if let (Ok(number), Some((_, bytes))) = (number.parse::<u64>(), known) {
        return number
            .checked_mul(*bytes)
            .filter(|size| i64::try_from(*size).is_ok())
            .ok_or_else(|| Problem::new(format!("`{text}` is too large"), HELP));
    }
    let help = match unit.trim().to_lowercase().as_str() {
        _ if number.is_empty() => HELP.to_owned(),
        "" => format!("add the unit: \"{number}B\" or \"{number}KiB\""),
        "k" | "m" | "g" => format!("write \"{number}{}iB\"", unit.trim().to_uppercase()),
        other => match UNITS.iter().find(|(known, _)| known.to_lowercase() == other) {
            Some((known, _)) => format!("write \"{number}{known}\""),
            None => HELP.to_owned(),
        },
    };
    Err(Problem::new(format!("`{text}` is not a valid size"), help))
}

fn parse_share(text: &str) -> Result<f64, Problem> {
    let help = "write a percentage from \"0%\" to \"100%\", as in \"10%\"";
    let share: Option<f64> = text.strip_suffix('%').and_then(|number| number.parse().ok());
    match share {
        Some(share) if (0.0..=100.0).contains(&share) => Ok(share / 100.0),
        Some(_) => Err(Problem::new(format!("`{text}` is not between 0 % and 100 %"), help)),
        None => Err(Problem::new(format!("`{text}` is not a valid percentage"), help)),
    }
}

/// A size for people: `64KiB`, `10MB`, `512B`.
pub fn show(bytes: u64) -> String {
    let by_size = [("GiB", 1 << 30), ("GB", 1_000_000_000), ("MiB", 1 << 20), ("MB", 1_000_000), ("KiB", 1 << 10)];
    let whole = by_size.into_iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    let (name, unit) = whole.unwrap_or(("B", 1));
    format!("{}{name}", bytes / unit)
}

/// A size as a length in memory.
pub(super) fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// A count with a least value.
pub(super) fn at_least(
    least: usize,
    raw: Option<Spanned<RawCount>>,
    default: usize,
    findings: &mut Findings<'_>,
) -> usize {
    let Some(raw) = raw else { return default };
    let count = raw.get_ref().0;
    if count < least {
        let help = format!("write at least {least}; the default is {default}");
        findings.error(raw.span(), format!("{count} is too small"), help);
    }
    count
}

/// A count between two bounds.
pub(super) fn between(
    least: usize,
    most: usize,
    raw: Option<Spanned<RawCount>>,
    default: usize,
    findings: &mut Findings<'_>,
) -> usize {
    let place = raw.as_ref().map(Spanned::span);
    let count = at_least(least, raw, default, findings);
    if let Some(place) = place.filter(|_| count > most) {
        let help = format!("write at most {most}; the default is {default}");
        findings.error(place, format!("{count} is too large"), help);
    }
    count
}

/// A size between two bounds.
pub(super) fn size_from(
    least: u64,
    most: u64,
    raw: Option<Spanned<RawSize>>,
    default: u64,
    findings: &mut Findings<'_>,
) -> u64 {
    let Some(raw) = raw else { return default };
    let size = raw.get_ref().0;
    if size < least {
        let help = format!("write at least \"{}\"; the default is \"{}\"", show(least), show(default));
        findings.error(raw.span(), format!("{} is too small", show(size)), help);
    }
    if size > most {
        let help = format!("write at most \"{}\"; the default is \"{}\"", show(most), show(default));
        findings.error(raw.span(), format!("{} is too large", show(size)), help);
    }
    size
}

/// A visitor for text with a unit: what it expects, how it is read, and the suffix a bare number most likely lacks.
struct WithUnit<T> {
    expected: &'static str,
    missing: &'static str,
    parse: fn(&str) -> Result<T, Problem>,
}

impl<T> Visitor<'_> for WithUnit<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "a {}\nwrite it in quotes, with its unit", self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(|problem| E::custom(format_args!("{}\n{}", problem.message, problem.help)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        let Self { expected, missing, .. } = self;
        Err(E::custom(format_args!("a {expected} needs a unit and quotes\nwrite \"{number}{missing}\"")))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        let Self { expected, missing, .. } = self;
        Err(E::custom(format_args!("a {expected} needs a unit and quotes\nwrite \"{number}{missing}\"")))
    }
}

impl<'de> Deserialize<'de> for RawSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = WithUnit { expected: "size", missing: "B", parse: parse_size };
        deserializer.deserialize_any(visitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for RawShare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = WithUnit { expected: "percentage", missing: "%", parse: parse_share };
        deserializer.deserialize_any(visitor).map(Self)
    }
}

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = usize;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a whole number\nwrite it without quotes, as in 1024")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<usize, E> {
        u32::try_from(number).ok().and_then(|number| usize::try_from(number).ok()).ok_or_else(|| {
            E::custom(format_args!("{number} is out of range\nwrite a whole number from 0 to {}", u32::MAX))
        })
    }
}

impl<'de> Deserialize<'de> for RawCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes) in
            [("512B", 512), ("64KiB", 65_536), ("1MiB", 1 << 20), ("10MB", 10_000_000), ("2GiB", 2 << 30)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
            assert_eq!(show(bytes), text);
        }
        assert_eq!(show(0), "0B");
    }

    #[test]
    fn what_is_no_size_says_what_to_write() {
        for (text, help) in [
            ("1024", "\"1024B\" or \"1024KiB\""),
            ("1mb", "\"1MB\""),
            ("1 MiB", "\"1MiB\""),
            ("64k", "\"64KiB\""),
            ("big", "\"64KiB\""),
            ("1.5MiB", "\"64KiB\""),
            ("", "\"64KiB\""),
            ("99999999999GiB", "\"64KiB\""),
        ] {
            let problem = parse_size(text).unwrap_err();
            assert!(problem.help.contains(help), "{text}: {}", problem.help);
        }
    }

    #[test]
    fn shares_lie_between_nothing_and_all() {
        assert_eq!(parse_share("10%"), Ok(0.1));
        assert_eq!(parse_share("0%"), Ok(0.0));
        for text in ["101%", "-1%", "10", "ten%", "NaN%", ""] {
            assert!(parse_share(text).unwrap_err().help.contains("\"10%\""), "{text}");
        }
    }
}
