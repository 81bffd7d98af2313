//! When something was, as the log's lines have it: the second that was written out last is written out once.

use std::fmt;
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::clock::{Calendar, Clock};
use crate::fields::date_time;

/// What dates lines: the calendar, and the last second that was written out.
#[derive(Debug)]
pub(super) struct Dates {
    calendar: Calendar,
    second: u64,
    /// As in `2026-11-26T20:57:46`.
    text: String,
}

impl Dates {
    pub(super) fn new() -> Self {
        Self { calendar: Calendar::now(), second: 0, text: date_time(0) }
    }

    /// Reads the clocks again. What is dated should not lie long before.
    pub(super) fn refresh(&mut self) {
        self.calendar = Calendar::now();
    }

    /// The date of a moment up to its second, and the microseconds after that.
    pub(super) fn of(&mut self, moment: Instant) -> (&str, u32) {
        self.of_date(self.calendar.date(moment))
    }

    fn of_date(&mut self, date: Duration) -> (&str, u32) {
        if date.as_secs() != self.second {
            self.second = date.as_secs();
            self.text = date_time(self.second);
        }
        (&self.text, date.subsec_micros())
    }
}

/// The time of day in UTC, for whoever sits before the terminal on which a line appears.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeOfDay;

impl FormatTime for TimeOfDay {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        out.write_str(time_of_day(&date_time(Clock::System.now() / 1000)))
    }
}

/// The time of day in a date with its time.
pub(super) fn time_of_day(date_time: &str) -> &str {
    date_time.split_once('T').map_or(date_time, |(_, time)| time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_400, "2000-02-29T00:00:00"),
            (1_795_726_666, "2026-11-26T20:57:46"),
            (u64::MAX, "9999-12-31T23:59:59"),
        ] {
            assert_eq!(date_time(seconds), text);
        }
        let mut dates = Dates::new();
        assert_eq!(dates.of_date(Duration::from_micros(1_795_726_666_000_042)), ("2026-11-26T20:57:46", 42));
        assert_eq!(dates.of_date(Duration::from_micros(999_999)), ("1970-01-01T00:00:00", 999_999));
        assert_eq!(time_of_day("2026-11-26T20:57:46"), "20:57:46");
    }
}
