//! The line of a request in the log, made from its outcome: written as `tracing_subscriber` writes other lines, without what
//! it needs in order to write any line at all.

use std::time::{Duration, Instant};

use crate::clock::Calendar;
use crate::fields::{CacheStatus, Notation, format_http_date, visible};

use super::outcome::{Outcome, Work};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

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
    fn of(&mut self, moment: Instant) -> (&str, u32) {
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

/// The time so many seconds after the Unix epoch, as RFC 3339 has it but for the zone.
fn date_time(seconds: u64) -> String {
    let date = format_http_date(seconds.saturating_mul(1000));
    let part = |from: usize, to: usize| date.get(from..to).unwrap_or_default();
    let month = MONTHS.iter().position(|month| *month == part(8, 11)).map_or(0, |before| before + 1);
    format!("{}-{month:02}-{}T{}", part(12, 16), part(5, 7), part(17, 25))
}

/// Appends the line of an outcome, with its end.
pub(super) fn write_line(out: &mut String, outcome: &Outcome, notation: Notation, dates: &mut Dates) {
    let mut line = Line { out, notation };
    line.begin(level(outcome), message(outcome), dates.of(outcome.ended));
    line.text("method", outcome.method.as_str());
    line.text("path", &outcome.path);
    if let Some(status) = outcome.status {
        line.plain("status", status.as_str());
        line.cache(&outcome.cache);
    }
    line.number("micros", outcome.micros);
    if let Some(why) = &outcome.notes.why {
        line.text("why", why);
    }
    if let Some(dropped) = outcome.notes.dropped.as_ref().and_then(|dropped| dropped.summary.as_ref()) {
        line.text("dropped", dropped);
    }
    for (name, id) in outcome.ids.iter().flat_map(|ids| ids.named()) {
        if let Some(id) = id {
            line.text(name, id);
        }
    }
    line.end();
}

fn level(outcome: &Outcome) -> &'static str {
    match outcome.work {
        _ if outcome.is_trouble() => "WARN",
        Work::Request => "INFO",
        Work::Refresh | Work::Fill | Work::Write => "DEBUG",
    }
}

fn message(outcome: &Outcome) -> &'static str {
    match (outcome.work, outcome.status) {
        (Work::Request, Some(_)) => "request",
        (Work::Request, None) => "the request ended before its answer: the client left, or the server stopped",
        (Work::Refresh | Work::Fill | Work::Write, None) => "a fetch was given up: nobody waited for it any more",
        (Work::Refresh, _) => "a stored answer was renewed in the background",
        (Work::Fill, _) => "an answer was fetched although its client had left",
        (Work::Write, _) => "a write went on although its client had left",
    }
}

/// A line that is being written.
struct Line<'a> {
    out: &'a mut String,
    notation: Notation,
}

impl Line<'_> {
    fn begin(&mut self, level: &'static str, message: &str, (date, micros): (&str, u32)) {
        let mut digits = itoa::Buffer::new();
        // A seventh digit in front keeps the zeros of the other six.
        let micros = digits.format(1_000_000 + micros).get(1..).unwrap_or_default();
        let (padding, colour) = match level {
            "WARN" => (" ", "\u{1b}[33m"),
            "INFO" => (" ", "\u{1b}[32m"),
            _ => ("", "\u{1b}[34m"),
        };
        let pieces = match self.notation {
            Notation::Plain => ["", date, ".", micros, "Z ", "", padding, level, " ", message, ""],
            Notation::Coloured => {
                ["\u{1b}[2m", date, ".", micros, "Z\u{1b}[0m ", colour, padding, level, "\u{1b}[0m ", message, ""]
            }
            Notation::Json => {
                let (before, between) = ("{\"timestamp\":\"", "Z\",\"level\":\"");
                [before, date, ".", micros, between, "", "", level, "\",\"message\":\"", message, "\""]
            }
        };
        for piece in pieces {
            self.push(piece);
        }
    }

    fn name(&mut self, name: &str) {
        let (before, after) = match self.notation {
            Notation::Plain => (" ", "="),
            Notation::Coloured => (" \u{1b}[3m", "\u{1b}[0m\u{1b}[2m=\u{1b}[0m"),
            Notation::Json => (",\"", "\":"),
        };
        for piece in [before, name, after] {
            self.push(piece);
        }
    }

    /// A field whose value is written as it is.
    fn plain(&mut self, name: &str, value: &str) {
        self.name(name);
        self.push(value);
    }

    fn number(&mut self, name: &str, value: u64) {
        self.plain(name, itoa::Buffer::new().format(value));
    }

    /// What the cache did: text that needs no escapes.
    fn cache(&mut self, status: &CacheStatus) {
        self.name("cache");
        self.push("\"");
        let _ = status.render(self.out);
        self.push("\"");
    }

    /// A field whose value may be any text.
    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
            for piece in ["\"", value, "\""] {
                self.push(piece);
            }
            return;
        }
        let escaped = match self.notation {
            Notation::Plain | Notation::Coloured => format!("{value:?}"),
            Notation::Json => serde_json::Value::from(value).to_string(),
        };
        self.push(&visible(&escaped, self.notation));
    }

    fn end(&mut self) {
        self.push(if self.notation == Notation::Json { "}\n" } else { "\n" });
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use http::{HeaderValue, Method, StatusCode};
    use tracing_subscriber::fmt::format::Writer;
    use tracing_subscriber::fmt::time::FormatTime;

    use super::super::ids::Ids;
    use super::super::outcome::{Dropped, Notes};
    use super::*;
    use crate::clock::Stopwatch;
    use crate::fields::{Detail, Forward};

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
    }

    struct At(Duration);

    impl FormatTime for At {
        fn format_time(&self, out: &mut Writer<'_>) -> std::fmt::Result {
            write!(out, "{}.{:06}Z", date_time(self.0.as_secs()), self.0.subsec_micros())
        }
    }

    #[derive(Clone, Default)]
    struct Capture(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Capture {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The line as `tracing_subscriber` writes one with the same fields.
    fn as_other_lines(outcome: &Outcome, notation: Notation, date: Duration) -> String {
        macro_rules! write_as {
            ($level:ident) => {{
                let id = |wanted: &str| {
                    let mut ids = outcome.ids.iter().flat_map(|ids| ids.named());
                    ids.find_map(|(name, id)| id.filter(|_| name == wanted).map(str::to_owned))
                };
                tracing::$level!(
                    method = outcome.method.as_str(),
                    path = &*outcome.path,
                    status = outcome.status.map(|status| status.as_u16()),
                    cache = outcome.status.map(|_| outcome.cache.to_string()),
                    micros = outcome.micros,
                    why = outcome.notes.why.as_deref(),
                    dropped = outcome.notes.dropped.as_ref().and_then(|dropped| dropped.summary.as_deref()),
                    trace_id = id("trace_id"),
                    span_id = id("span_id"),
                    request_id = id("request_id"),
                    correlation_id = id("correlation_id"),
                    b3_trace_id = id("b3_trace_id"),
                    b3_span_id = id("b3_span_id"),
                    "{}",
                    message(outcome)
                )
            }};
        }
        let capture = Capture::default();
        let writer = capture.clone();
        let lines = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_target(false);
        let lines = lines.with_timer(At(date)).with_writer(move || writer.clone());
        let write = || match level(outcome) {
            "WARN" => write_as!(warn),
            "INFO" => write_as!(info),
            _ => write_as!(debug),
        };
        match notation {
            Notation::Json => {
                tracing::subscriber::with_default(lines.json().flatten_event(true).with_target(false).finish(), write);
            }
            _ => tracing::subscriber::with_default(lines.with_ansi(notation == Notation::Coloured).finish(), write),
        }
        let written = String::from_utf8(capture.0.lock().unwrap().clone()).unwrap();
        format!("{}\n", visible(written.strip_suffix('\n').unwrap(), notation))
    }

    fn hit(path: &str) -> Outcome {
        Outcome {
            work: Work::Request,
            method: Method::GET,
            path: path.into(),
            ids: None,
            client: None,
            status: Some(StatusCode::OK),
            cache: CacheStatus { hit: true, ttl: Some(-3), ..CacheStatus::default() },
            bytes: Some(12),
            micros: 42,
            ended: Stopwatch::start().stop().0,
            notes: Notes::default(),
        }
    }

    #[test]
    fn lines_are_those_that_the_log_has_of_anything_else() {
        let fields = [
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ("x-request-id", "r-1"),
            ("x-b3-spanid", "e457b5a2e4d86bd1"),
        ];
        let fields = fields.map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        let ids = Ids::of(&fields.into_iter().collect()).map(Box::new);
        let miss =
            CacheStatus { forward: Some(Forward::UriMiss), detail: Some(Detail::OriginDown), ..CacheStatus::default() };
        let why = |text: &str| Notes { why: Some(text.into()), ..Notes::default() };
        let dropped = Dropped { summary: Some("fruit:1, \"\u{202e}\"".to_owned()), ..Dropped::default() };
        let dropped = Notes { dropped: Some(Box::new(dropped)), ..Notes::default() };
        let paths = [
            "/a",
            "/",
            "",
            "/a\"b\\c",
            "/\u{1b}[31m\u{9b}\u{85}\u{202e}\r\n\t",
            "/Le\u{f3}n/e\u{301}\u{200b}\u{e0041}'",
        ];
        let mut outcomes: Vec<Outcome> = paths.map(hit).into();
        outcomes.extend([
            Outcome { ids, ..hit("/ids") },
            Outcome {
                status: Some(StatusCode::BAD_GATEWAY),
                cache: miss,
                notes: why("no \"one\" there"),
                ..hit("/down")
            },
            Outcome { status: Some(StatusCode::NOT_FOUND), notes: why("nothing\u{2028}"), ..hit("/own") },
            Outcome { method: Method::PUT, notes: dropped, ..hit("/fruit/1") },
            Outcome { status: None, cache: CacheStatus::default(), ..hit("/left") },
            Outcome { work: Work::Refresh, ..hit("/stale") },
            Outcome { work: Work::Fill, method: Method::from_bytes(b"x!'").unwrap(), ..hit("/left") },
        ]);
        for outcome in outcomes {
            for notation in [Notation::Plain, Notation::Coloured, Notation::Json] {
                let mut dates = Dates::new();
                let date = dates.calendar.date(outcome.ended);
                let mut line = String::new();
                write_line(&mut line, &outcome, notation, &mut dates);
                assert_eq!(line, as_other_lines(&outcome, notation, date));
            }
        }
    }
}
