//! HTTP dates: three forms are read, one is written; and a date as people and programs sort it.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::HeaderName;

use crate::clock::Millis;

/// The last second that a year of four digits can name: 9999-12-31 23:59:59.
const LAST_SECOND: u64 = 253_402_300_799;

/// The Gregorian calendar repeats, weekdays and all, every 400 years.
const FIVE_CYCLES: u16 = 2000;

const SHORT_DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG_DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The time so many seconds after the Unix epoch, as RFC 3339 has it but for the zone, which is UTC.
pub fn date_time(seconds: u64) -> String {
    let date = format_http_date(seconds.saturating_mul(1000));
    let part = |from: usize, to: usize| date.get(from..to).unwrap_or_default();
    let month = MONTHS.iter().position(|month| *month == part(8, 11)).map_or(0, |before| before + 1);
    format!("{}-{month:02}-{}T{}", part(12, 16), part(5, 7), part(17, 25))
}

/// Reads any of the three forms; a date before 1970 is 0, what is no date is `None`.
///
/// Names may be in any case, and the weekday counts for nothing: the date has one of its own. The zone is GMT.
///
/// Source: RFC 9110 section 5.6.7, which encourages recipients to be robust
pub fn parse_http_date(text: &str) -> Option<Millis> {
    let text = text.trim();
    // Nearly all are written as they should be.
    if let Ok(date) = httpdate::parse_http_date(text) {
        return millis(date);
    }
    let (day, rest) = text.split_at_checked(text.find(|c: char| !c.is_ascii_alphabetic())?)?;
    let days =
        [&SHORT_DAYS, &LONG_DAYS].into_iter().find(|days| days.iter().any(|name| name.eq_ignore_ascii_case(day)))?;
    let rest = in_canonical_case(rest);
    // The parser wants the date's own weekday: it is the one among seven that it takes.
    days.iter().find_map(|day| with_its_weekday(&format!("{day}{rest}")))
}

fn with_its_weekday(text: &str) -> Option<Millis> {
    match httpdate::parse_http_date(text) {
        Ok(date) => millis(date),
        Err(_) => is_before_1970(text).then_some(0),
    }
}

fn millis(date: SystemTime) -> Option<Millis> {
    let since = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).ok()
}

/// `AUG` and `gMT` as `Aug` and `GMT`.
fn in_canonical_case(text: &str) -> String {
    let mut canonical = text.to_ascii_lowercase();
    if let Some(zone) = canonical.get_mut(text.len().saturating_sub(3)..).filter(|zone| **zone == *"gmt") {
        zone.make_ascii_uppercase();
    }
    if let Some(at) = canonical.find(|c: char| c.is_ascii_lowercase())
        && let Some(month) = canonical.get_mut(at..=at)
    {
        month.make_ascii_uppercase();
    }
    canonical
}

/// The date in the field `name`; `None` when it is absent, on several lines, or no date.
///
/// Source: RFC 9110 sections 5.3 and 5.6.7
pub fn date_in(fields: &HeaderMap, name: &HeaderName) -> Option<Millis> {
    let mut lines = fields.get_all(name).into_iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => parse_http_date(line.to_str().ok()?),
        _ => None,
    }
}

/// Writes the form `Sun, 06 Nov 1994 08:49:37 GMT`; milliseconds are cut off, times after 9999 are its last second.
///
/// Source: RFC 9110 section 5.6.7
pub fn format_http_date(at: Millis) -> String {
    let since = Duration::from_secs((at / 1000).min(LAST_SECOND));
    SystemTime::UNIX_EPOCH.checked_add(since).map(httpdate::fmt_http_date).unwrap_or_default()
}

/// The parser knows no year before 1970, so it is asked about the same day some cycles later.
fn is_before_1970(text: &str) -> bool {
    let year_at = if text.ends_with("GMT") { 12..16 } else { 20..24 };
    let (Some(before), Some(year), Some(after)) =
        (text.get(..year_at.start), text.get(year_at.clone()), text.get(year_at.end..))
    else {
        return false;
    };
    let year = year.bytes().all(|byte| byte.is_ascii_digit()).then(|| year.parse::<u16>().ok()).flatten();
    year.filter(|&year| year < 1970)
        .is_some_and(|year| httpdate::parse_http_date(&format!("{before}{}{after}", year + FIVE_CYCLES)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_one_time() {
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(parse_http_date(text), Some(784_111_777_000), "{text}");
        }
    }

    #[test]
    fn the_case_of_names_and_the_weekday_count_for_nothing() {
        for text in [
            "SUN, 06 NOV 1994 08:49:37 gMT",
            "mon, 06 nov 1994 08:49:37 gmt",
            "fri nov  6 08:49:37 1994",
            "SATURDAY, 06-nov-94 08:49:37 GMT",
        ] {
            assert_eq!(parse_http_date(text), Some(784_111_777_000), "{text}");
        }
    }

    #[test]
    fn dates_before_1970_are_the_epoch() {
        for text in [
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
            "Mon, 01 Jan 0001 00:00:00 GMT",
            "Wed Dec 31 23:59:59 1969",
        ] {
            assert_eq!(parse_http_date(text), Some(0), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "0",
            "-1",
            "now",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:00:00 GMT",
            "Thu, 06 Nov +194 08:49:37 GMT",
            "Sun, 06 N\u{f3}v 1994 08:49:37 GMT",
            "\u{1f980}\u{1f980}\u{1f980}\u{1f980}\u{1f980}\u{1f980}GMT",
            "Wednesday, ",
            "Someday, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun 06 Nov 1994 08:49:37 GMT",
            "Sun, 06  Nov  1994 08:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
        ] {
            assert_eq!(parse_http_date(text), None, "{text}");
        }
    }

    #[test]
    fn a_written_date_is_read_back() {
        assert_eq!(format_http_date(784_111_777_999), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(format_http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(format_http_date(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(parse_http_date(&format_http_date(u64::MAX)), Some(LAST_SECOND * 1000));
    }

    #[test]
    fn a_date_field_is_one_line() {
        let name = http::header::DATE;
        let mut fields = HeaderMap::new();
        assert_eq!(date_in(&fields, &name), None);
        fields.append(&name, http::HeaderValue::from_static("Thu, 01 Jan 1970 00:00:01 GMT"));
        assert_eq!(date_in(&fields, &name), Some(1000));
        fields.append(&name, http::HeaderValue::from_static("Thu, 01 Jan 1970 00:00:02 GMT"));
        assert_eq!(date_in(&fields, &name), None);
        fields.insert(&name, http::HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(date_in(&fields, &name), None);
    }
}
