//! The line of a request for people, in columns: when, what was asked, the status, what the cache did, how long it took,
//! what happened, and the route or the rule that spoke of it.

use std::borrow::Cow;

use super::dates::{Dates, time_of_day};
use super::field::Value;
use super::fitted::{HAPPENED, Shown, TARGET, shorten, split_off, width};
use super::outcome::{CacheResult, Done, Outcome, Work};
use super::style::{Style, push_text};
use crate::fields::{Notation, visible};

/// What of a line has the same width on every one: all but what was asked, what happened, and the route.
const FIXED: usize = 33;
const DURATION: usize = 8;
/// The time of day and what is between it and what was asked.
const TIME: usize = 10;
const DIM: &str = "2";
/// Where there is less room than that, a field is left out.
const LEAST_FIELD: usize = 16;

/// Appends the line, without its end. It is written for every request, so nothing is formatted that need not be.
pub(super) fn write_columns(out: &mut String, outcome: &Outcome, style: Style, dates: &mut Dates) {
    let begin = out.len();
    let paint = |out: &mut String, colour: &str, text: &str| {
        if style.notation == Notation::Coloured && !colour.is_empty() {
            for piece in ["\u{1b}[", colour, "m", text, "\u{1b}[0m"] {
                out.push_str(piece);
            }
        } else {
            out.push_str(text);
        }
    };
    let (date, micros) = dates.of(outcome.ended);
    if style.columns.is_some() {
        paint(out, DIM, time_of_day(date));
        out.push_str("  ");
    } else {
        push_date(out, date, micros, outcome.level());
    }
    let shown = style.columns.map(|columns| fitted(outcome, columns)).unwrap_or_default();
    let (target, happened) = if style.columns.is_some() { shown.widths } else { (TARGET, HAPPENED) };
    push_column(out, target, |out| match style.columns {
        Some(_) => out.push_str(&shown.target),
        None => push_target(out, outcome),
    });
    out.push_str("  ");
    paint(out, colour_of_status(outcome), outcome.status.as_ref().map_or("---", |status| status.as_str()));
    out.push_str("  ");
    paint(out, colour(outcome), word(outcome));
    out.push(' ');
    push_duration(out, outcome.micros);
    out.push_str("  ");
    push_column(out, happened, |out| match style.columns {
        Some(_) => out.push_str(&shown.happened),
        None => push_happened(out, outcome),
    });
    out.push_str("  ");
    match style.columns {
        Some(_) => paint(out, DIM, &shown.by),
        None => push_column(out, 0, |out| out.push_str(by(outcome))),
    }
    match style.columns {
        None => push_fields(out, outcome, style),
        Some(columns) => {
            let mut fields = String::new();
            push_fields(&mut fields, outcome, style);
            let room = style.terminal.saturating_sub(FIXED + shown.width());
            if room >= LEAST_FIELD {
                shorten(&mut fields, room, usize::MAX);
                out.push_str(&fields);
            }
            push_below(out, &shown.below, columns);
        }
    }
    let end = out.trim_end_matches(' ').len().max(begin);
    out.truncate(end);
}

fn push_fields(out: &mut String, outcome: &Outcome, style: Style) {
    for (name, value) in style.fields.values(outcome) {
        for piece in ["  ", name, "="] {
            out.push_str(piece);
        }
        match &value {
            Value::Number(number) => out.push_str(itoa::Buffer::new().format(*number)),
            Value::Text(text) => push_text(out, text, Notation::Plain),
            Value::Made(text) => push_text(out, text, Notation::Plain),
        }
    }
}

/// Lines below the first one, under what was asked.
fn push_below(out: &mut String, text: &str, columns: usize) {
    let mut rest = text.to_owned();
    while !rest.is_empty() {
        let below = split_off(&mut rest, columns.saturating_sub(TIME).max(1));
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', TIME));
        out.push_str(&rest);
        rest = below;
    }
}

/// As in `2026-11-26T20:57:46.000042Z  INFO `.
fn push_date(out: &mut String, date: &str, micros: u32, level: &str) {
    let mut digits = itoa::Buffer::new();
    // A seventh digit in front keeps the zeros of the other six.
    let micros = digits.format(1_000_000 + micros).get(1..).unwrap_or_default();
    let padding = if level.len() < 5 { "Z  " } else { "Z " };
    for piece in [date, ".", micros, padding, level, " "] {
        out.push_str(piece);
    }
}

/// Appends what this writes, with nothing in it that moves a cursor, and blanks up to this width.
fn push_column(out: &mut String, least: usize, write: impl FnOnce(&mut String)) {
    let begin = out.len();
    write(out);
    let written = out.get(begin..).unwrap_or_default();
    if let Cow::Owned(shown) = visible(written, Notation::Plain) {
        out.truncate(begin);
        out.push_str(&shown);
    }
    let width = width(out.get(begin..).unwrap_or_default());
    out.extend(std::iter::repeat_n(' ', least.saturating_sub(width)));
}

/// As in `0.04 ms`, `5.2 ms`, `1.23 s`, and blanks before it.
fn push_duration(out: &mut String, micros: u64) {
    let (number, scale, unit) = match micros {
        0..1_000 => ((micros + 5) / 10, 100, " ms"),
        1_000..1_000_000 => ((micros + 50) / 100, 10, " ms"),
        _ => (micros.saturating_add(5_000) / 10_000, 100, " s"),
    };
    let (mut whole, mut rest) = (itoa::Buffer::new(), itoa::Buffer::new());
    let whole = whole.format(number / scale);
    // One more digit in front keeps the zeros of the others.
    let rest = rest.format(scale + number % scale).get(1..).unwrap_or_default();
    let width = whole.len() + 1 + rest.len() + unit.len();
    out.extend(std::iter::repeat_n(' ', DURATION.saturating_sub(width)));
    for piece in [whole, ".", rest, unit] {
        out.push_str(piece);
    }
}

fn fitted(outcome: &Outcome, columns: usize) -> Shown {
    let written = |write: &dyn Fn(&mut String)| {
        let mut text = String::new();
        push_column(&mut text, 0, write);
        text
    };
    let shown = Shown {
        target: written(&|out| push_target(out, outcome)),
        happened: written(&|out| push_happened(out, outcome)),
        by: written(&|out| out.push_str(by(outcome))),
        widths: (TARGET, HAPPENED),
        below: String::new(),
    };
    shown.within(columns.saturating_sub(FIXED), outcome.notes.why.is_some())
}

fn push_target(out: &mut String, outcome: &Outcome) {
    let Outcome { method, path, notes, .. } = outcome;
    for piece in [method.as_str(), " ", path] {
        out.push_str(piece);
    }
    if let Some(query) = &notes.query {
        out.push('?');
        out.push_str(query);
    }
}

/// The rule that a write went by, or the route.
fn by(outcome: &Outcome) -> &str {
    let rule = outcome.notes.dropped.as_deref().and_then(|dropped| dropped.rule.as_deref());
    rule.or(outcome.notes.route.as_deref()).unwrap_or(super::outcome::UNROUTED)
}

/// What the cache did, in five columns.
fn word(outcome: &Outcome) -> &'static str {
    match (outcome.work, outcome.result()) {
        (Work::Refresh, _) => "RENEW",
        (Work::Fill, _) => "FILL ",
        (Work::Compare, _) => "CHECK",
        (_, CacheResult::Hit) => "HIT  ",
        (_, CacheResult::Stale) => "STALE",
        (_, CacheResult::Miss) => "MISS ",
        (_, CacheResult::Pass) => "PASS ",
        (_, CacheResult::Write) => "WRITE",
        (_, CacheResult::Own) => "OWN  ",
        (_, CacheResult::Gone) => "GONE ",
    }
}

fn colour(outcome: &Outcome) -> &'static str {
    match outcome.result() {
        _ if outcome.is_trouble() => "1;31",
        CacheResult::Hit => "32",
        CacheResult::Stale | CacheResult::Own => "33",
        CacheResult::Miss => "36",
        CacheResult::Write => "35",
        CacheResult::Pass => "",
        CacheResult::Gone => DIM,
    }
}

fn colour_of_status(outcome: &Outcome) -> &'static str {
    match outcome.status.map_or(0, |status| status.as_u16()) {
        500.. => "31",
        400.. => "33",
        _ => "",
    }
}

/// As in `60 s`, `10 min`, `3 h`, `2 d`: as many whole ones as there are.
fn push_span(out: &mut String, seconds: u64) {
    let units = [(" d", 86_400), (" h", 3_600), (" min", 60)];
    let (name, unit) = units.into_iter().find(|(_, unit)| seconds >= 2 * unit).unwrap_or((" s", 1));
    out.push_str(itoa::Buffer::new().format(seconds / unit));
    out.push_str(name);
}

/// What happened, in few words or in a reason's sentence.
fn push_happened(out: &mut String, outcome: &Outcome) {
    let begin = out.len();
    if let Some(message) = outcome.message() {
        out.push_str(message);
        out.push_str(": ");
    }
    let said = out.len();
    push_what(out, outcome);
    if out.len() == said && said > begin {
        out.truncate(said - 2);
    }
}

fn push_what(out: &mut String, outcome: &Outcome) {
    let (cache, notes) = (&outcome.cache, &outcome.notes);
    if let Some(why) = &notes.why {
        out.push_str(why);
        if notes.dropped.is_some() {
            out.push_str("; ");
            push_dropped(out, outcome);
        }
        return;
    }
    let ttl = cache.ttl.and_then(|ttl| u64::try_from(ttl).ok());
    let sentence = cache.detail.map(|detail| detail.describe().trim_end_matches('.'));
    match (outcome.result(), sentence, ttl) {
        (CacheResult::Write, ..) if outcome.status.is_some() => push_dropped(out, outcome),
        (CacheResult::Own, ..) if notes.dropped.is_some() => push_dropped(out, outcome),
        (CacheResult::Hit, None, Some(ttl)) => {
            push_span(out, ttl);
            out.push_str(" left");
        }
        (CacheResult::Hit, sentence, _) => out.push_str(sentence.unwrap_or_default()),
        (_, _, ttl) if cache.stored => {
            out.push_str("stored");
            if let Some(ttl) = ttl {
                out.push(' ');
                push_span(out, ttl);
            }
        }
        _ if cache.collapsed => out.push_str("shared another one's fetch"),
        (_, sentence, _) => out.push_str(sentence.unwrap_or_default()),
    }
}

fn push_dropped(out: &mut String, outcome: &Outcome) {
    let Some(dropped) = &outcome.notes.dropped else { return out.push_str("dropped nothing") };
    let (verb, after) = match dropped.done {
        Done::Confirmed => ("dropped ", ""),
        Done::Pending => ("dropped ", "; the store has yet to confirm it"),
        Done::Held => ("holds ", ""),
    };
    for piece in [verb, dropped.summary.as_deref().unwrap_or("no route's entries"), after] {
        out.push_str(piece);
    }
}

#[cfg(test)]
mod tests {
    use http::{Method, StatusCode};

    use super::super::field::LogFields;
    use super::super::outcome::{Dropped, Notes};
    use super::*;
    use crate::clock::Stopwatch;
    use crate::fields::{CacheStatus, Detail, Forward};

    fn miss() -> Outcome {
        let stored =
            CacheStatus { forward: Some(Forward::UriMiss), ttl: Some(60), stored: true, ..CacheStatus::default() };
        Outcome {
            work: Work::Request,
            method: Method::GET,
            path: "/user/1".into(),
            ids: None,
            client: None,
            status: Some(StatusCode::OK),
            cache: CacheStatus { forward_status: Some(200), ..stored },
            bytes: Some(12),
            micros: 5_200,
            ended: Stopwatch::start().stop().0,
            notes: Notes { route: Some("/user/{id}".into()), query: Some("page=2".into()), ..Notes::default() },
        }
    }

    fn write(dropped: Option<Dropped>) -> Outcome {
        let notes = Notes { is_write: true, dropped: dropped.map(Box::new), ..miss().notes };
        let cache = CacheStatus { forward: Some(Forward::Method), forward_status: Some(200), ..CacheStatus::default() };
        Outcome { method: Method::PUT, micros: 12_040, cache, notes: Notes { query: None, ..notes }, ..miss() }
    }

    fn line(outcome: &Outcome, notation: Notation, columns: Option<usize>) -> String {
        let mut out = "before ".to_owned();
        let style = Style { notation, columns, terminal: columns.unwrap_or_default(), fields: LogFields::IDS };
        write_columns(&mut out, outcome, style, &mut Dates::new());
        out.strip_prefix("before ").unwrap().to_owned()
    }

    /// The line of a terminal, without the time.
    fn on_a_terminal(outcome: &Outcome) -> String {
        line(outcome, Notation::Plain, Some(120)).get(10..).unwrap().to_owned()
    }

    #[test]
    fn a_person_sees_what_was_asked_and_what_came_of_it() {
        let of = |summary: &str, rule: &str, done| Dropped {
            summary: Some(summary.to_owned()),
            rule: Some(rule.to_owned()),
            done,
            ..Dropped::default()
        };
        let hit = CacheStatus { hit: true, ttl: Some(3_590), ..CacheStatus::default() };
        let pass =
            CacheStatus { forward: Some(Forward::Bypass), detail: Some(Detail::Cookie), ..CacheStatus::default() };
        let nowhere = || Notes { route: None, query: None, ..miss().notes };
        for (outcome, expected) in [
            (miss(), "GET /user/1?page=2            200  MISS    5.2 ms  stored 60 s         /user/{id}"),
            (
                write(Some(of("user:1", "PUT /user/{id}", Done::Confirmed))),
                "PUT /user/1                   200  WRITE  12.0 ms  dropped user:1      PUT /user/{id}",
            ),
            (write(None), "PUT /user/1                   200  WRITE  12.0 ms  dropped nothing     /user/{id}"),
            (
                Outcome { cache: hit, micros: 42, ..miss() },
                "GET /user/1?page=2            200  HIT    0.04 ms  59 min left         /user/{id}",
            ),
            (
                Outcome { cache: pass, micros: 1_234_567, notes: nowhere(), ..miss() },
                "GET /user/1  200  PASS    1.23 s  The request carries Cookie, so its answer may be for one user only  -",
            ),
            (
                Outcome { status: None, cache: CacheStatus::default(), notes: nowhere(), ..miss() },
                "GET /user/1  ---  GONE    5.2 ms  the request ended before its answer: the client left, or the server stop…  -",
            ),
        ] {
            assert_eq!(on_a_terminal(&outcome), expected);
        }
        let pending = write(Some(of("user:1", "PUT /user/{id}", Done::Pending)));
        assert!(line(&pending, Notation::Plain, None).contains("dropped user:1; the store has yet to confirm it"));
    }

    #[test]
    fn a_line_has_no_more_columns_than_there_are() {
        let long = Outcome { path: format!("/user/{}/end", "x".repeat(300)).into(), ..miss() };
        let rule = "PUT /a/very/long/rule/that/somebody/has/written/{with}/{many}/{variables}/{and}/{more}".to_owned();
        let summary = Some("one, two, three and 300 more of what there is on very many routes".to_owned());
        let full = Dropped { summary, rule: Some(rule), ..Dropped::default() };
        for outcome in [long, write(Some(full)), miss()] {
            for columns in [80, 100, 120] {
                let line = line(&outcome, Notation::Plain, Some(columns));
                assert!(width(&line) <= columns, "{columns}: {} {line}", width(&line));
            }
        }
        let all = line(&Outcome { path: "x".repeat(300).into(), ..miss() }, Notation::Plain, None);
        assert!(all.contains(&"x".repeat(300)), "a file has all of it");
        let why = Notes { why: Some("w".repeat(200).into()), ..Notes::default() };
        let trouble = Outcome { status: Some(StatusCode::BAD_GATEWAY), notes: why, ..miss() };
        let told = line(&trouble, Notation::Plain, Some(80));
        assert_eq!(told.matches('w').count(), 200, "what went wrong is not cut: {told}");
        assert!(told.lines().all(|line| width(line) <= 80), "{told}");
        let why = "the API was asked, and closed the connection before the first byte of its answer had come";
        let why = Notes { why: Some(why.into()), route: Some("/a/route/with/a/long/name".into()), ..Notes::default() };
        let trouble = Outcome { notes: why, ..trouble };
        let told = line(&trouble, Notation::Plain, Some(80));
        let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("first byte of its answer had come") && told.lines().all(|line| width(line) <= 80),
            "{told}"
        );
    }

    #[test]
    fn ids_stand_where_there_is_room_for_them() {
        let fields =
            [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("x-request-id", "r-1")];
        let ids = crate::fields::literal::fields(&fields);
        let asked = Outcome { ids: super::super::ids::Ids::of(&ids).map(Box::new), ..miss() };
        let all = line(&asked, Notation::Plain, None);
        assert!(all.contains("4bf92f3577b34da6a3ce929d0e0e4736") && all.contains("r-1"), "{all}");
        for columns in [80, 100, 120] {
            let told = line(&asked, Notation::Plain, Some(columns));
            assert!(width(&told) <= columns && told.contains("/user/{id}"), "{columns}: {told}");
        }
        let style = Style { notation: Notation::Plain, columns: Some(120), terminal: 200, fields: LogFields::IDS };
        let mut wide = String::new();
        write_columns(&mut wide, &asked, style, &mut Dates::new());
        assert!(wide.contains("4bf92f3577b34da6a3ce929d0e0e4736"), "{wide}");
    }

    #[test]
    fn elsewhere_a_line_has_its_date_and_level_and_colours_are_for_terminals() {
        let dated = line(&miss(), Notation::Plain, None);
        assert!(dated.get(26..).is_some_and(|rest| rest.starts_with("Z  INFO GET /user/1?page=2  ")), "{dated}");
        assert!(!dated.contains('\u{1b}'));
        let coloured = line(&miss(), Notation::Coloured, Some(120));
        assert!(
            coloured.contains("\u{1b}[36mMISS \u{1b}[0m") && coloured.contains("\u{1b}[2m/user/{id}\u{1b}[0m"),
            "{coloured}"
        );
        let misleading = Outcome { path: "/\u{1b}[31m\u{9b}\u{202e}\r\n".into(), ..miss() };
        for (notation, columns) in [(Notation::Plain, None), (Notation::Coloured, Some(120))] {
            let line = line(&misleading, notation, columns).replace("\u{1b}[0m", "").replace("\u{1b}[2m", "");
            let line = line.replace("\u{1b}[36m", "");
            assert!(line.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{line:?}");
            assert!(line.contains("/\\u{1b}[31m\\u{9b}\\u{202e}\\r\\n?page=2"), "{line}");
        }
    }
}
