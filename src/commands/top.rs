//! `aside top`: the figures of the running process, each second anew.
//!
//! On a terminal they are drawn in one place until Ctrl-C; elsewhere there is a line a second. With `--json`, each second an
//! object on a line of its own:
//!
//! ```json
//! {"seconds": 1.0, "requests_per_second": 812.0, "hits_per_second": 790.0, "hit_ratio": 0.97,
//!  "origin_per_second": 22.0, "origin_inflight": 1, "figures": {"requests": 91234, "hits": 90111}}
//! ```
//!
//! `hit_ratio` is that of the reads of the last second, null where there were none, and `figures` is all of
//! [`crate::admin::Figures`].

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use super::asking::{AdminArguments, Answer, Process, Unanswered};
use super::terminal::{Size, said, size_of_terminal, whole_seconds};
use crate::admin::{Figures, RouteStatus, Status};
use crate::clock::Stopwatch;
use crate::config::size;
use crate::fields::{Notation, visible, visible_lines};

/// What is asked at once.
struct Sample {
    at: Stopwatch,
    status: Status,
    figures: Figures,
    lately: Value,
}

/// What has happened between two of them.
struct Change<'s> {
    seconds: f64,
    before: &'s Sample,
    after: &'s Sample,
}

/// The terminal while the figures are drawn on it; as it was when this is dropped.
struct Screen;

/// To another screen, without a cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// To the top, and what was there erased.
const ANEW: &str = "\x1b[H\x1b[J";

/// Draws until Ctrl-C: 0 then, 1 where it is refused, 69 where nobody answers (any more).
pub(super) fn run(arguments: &AdminArguments) -> ExitCode {
    let process = match arguments.process() {
        Ok(process) => process,
        Err(code) => return code,
    };
    let is_drawn = io::stdout().is_terminal() && !arguments.json;
    let watching = process.watch(async {
        let stop = [signal(SignalKind::interrupt()), signal(SignalKind::terminate())];
        let [Ok(interrupt), Ok(terminate)] = stop else { return Ok(ExitCode::FAILURE) };
        watch(&process, (interrupt, terminate), is_drawn, arguments.json).await
    });
    watching.unwrap_or_else(|unanswered| arguments.say(&unanswered))
}

async fn watch(
    process: &Process,
    (mut interrupt, mut terminate): (Signal, Signal),
    is_drawn: bool,
    as_json: bool,
) -> Result<ExitCode, Unanswered> {
    let mut before = Sample::take(process).await?;
    // Only now: whoever is told that nobody answers is told so on the screen that was there.
    let _screen = is_drawn.then(Screen::enter);
    let mut each_second = interval(Duration::from_secs(1));
    each_second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    each_second.tick().await;
    loop {
        tokio::select! {
            _ = each_second.tick() => {}
            _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
            _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
        }
        let after = Sample::take(process).await?;
        let change = Change { seconds: before.at.elapsed().as_secs_f64(), before: &before, after: &after };
        let text = match (is_drawn, as_json) {
            (true, _) => format!("{ANEW}{}", fitted(&change.page(), size_of_terminal())),
            (false, true) => format!("{}\n", visible(&change.json().to_string(), Notation::Json)),
            (false, false) => format!("{}\n", visible(&change.line(), Notation::Plain)),
        };
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if written.is_err() {
            return Ok(said(written));
        }
        before = after;
    }
}

/// As many lines and columns as the terminal has: more would move what is above.
fn fitted(page: &str, Size { lines, columns }: Size) -> String {
    let cut = |line: &str| line.chars().take(columns).collect::<String>();
    let shown = visible_lines(page, Notation::Plain);
    shown.lines().take(lines.saturating_sub(1)).map(cut).collect::<Vec<_>>().join("\r\n")
}

impl Screen {
    fn enter() -> Self {
        let _ = io::stdout().write_all(ENTER.as_bytes());
        Self
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut out = io::stdout();
        let _ = out.write_all(LEAVE.as_bytes()).and_then(|()| out.flush());
    }
}

impl Sample {
    async fn take(process: &Process) -> Result<Self, Unanswered> {
        let status = process.ask("/status").await?.parsed()?;
        let at = Stopwatch::start();
        let recent: Answer = process.ask("/recent").await?;
        let lately: Value = recent.parsed()?;
        let figures = lately.get("figures").and_then(|figures| Figures::deserialize(figures).ok()).unwrap_or_default();
        Ok(Self { at, status, figures, lately })
    }
}

impl Change<'_> {
    fn per_second(&self, of: impl Fn(&Figures) -> u64) -> f64 {
        count(of(&self.after.figures).saturating_sub(of(&self.before.figures))) / self.seconds
    }

    /// Of the reads in between.
    fn hit_ratio(&self) -> Option<f64> {
        let hits = self.per_second(|figures| figures.hits);
        let reads = hits + self.per_second(|figures| figures.misses);
        (reads > 0.0).then(|| hits / reads)
    }

    /// For programs.
    fn json(&self) -> Value {
        json!({
            "seconds": self.seconds,
            "requests_per_second": self.per_second(|figures| figures.requests),
            "hits_per_second": self.per_second(|figures| figures.hits),
            "hit_ratio": self.hit_ratio(),
            "origin_per_second": self.per_second(|figures| figures.origin_fetches),
            "origin_inflight": self.after.figures.origin_inflight,
            "figures": self.after.figures,
        })
    }

    /// For people, where nothing can be drawn.
    fn line(&self) -> String {
        format!(
            "{:8.1} requests/s  {} of reads from the store  {:8.1} origin/s  {} under way",
            self.per_second(|figures| figures.requests),
            percent(self.hit_ratio()),
            self.per_second(|figures| figures.origin_fetches),
            self.after.figures.origin_inflight,
        )
    }

    /// For people.
    fn page(&self) -> String {
        let Status { version, uptime_seconds, ready, listen, store, origin, .. } = &self.after.status;
        let up = whole_seconds(*uptime_seconds);
        let ready = if *ready { "serving" } else { "not serving" };
        let figures = &self.after.figures;
        let mut page = format!("aside {version} on {}, up {up}, {ready}\n\n", listen.join(" and "));
        let since = figures.hits.saturating_add(figures.misses);
        let since = (since > 0).then(|| count(figures.hits) / count(since));
        let _ = writeln!(
            page,
            "requests  {:10.1}/s   from the store {} now, {} since the start",
            self.per_second(|figures| figures.requests),
            percent(self.hit_ratio()),
            percent(since)
        );
        let _ = writeln!(
            page,
            "origin    {:10.1}/s   {} under way, {} of its time saved",
            self.per_second(|figures| figures.origin_fetches),
            figures.origin_inflight,
            whole_seconds(figures.saved_origin_seconds),
        );
        let _ = writeln!(page, "latency   {}", self.latency());
        let _ = writeln!(page, "store     {}, {} of memory", store.url, size::show(store.memory_bytes >> 10 << 10));
        for address in origin.addresses.iter().filter(|address| address.circuit != "closed" || !address.healthy) {
            let _ = writeln!(page, "origin    {} is out of order or fails its health check", address.url);
        }
        page.push_str(&self.routes());
        page.push_str(&self.writes());
        page
    }

    /// Of the last whole step.
    fn latency(&self) -> String {
        let step = self.after.lately.pointer("/series").and_then(Value::as_array).and_then(|series| series.last());
        let of = |name: &str| {
            let seconds = step.and_then(|step| step.get(name)).and_then(Value::as_f64);
            seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{:.1} ms", seconds * 1000.0))
        };
        let [hit, hits, half, origin] = ["hit_p50", "hit_p99", "origin_p50", "origin_p99"].map(of);
        format!("hits {hit} (half), {hits} (99 %); origin {half} (half), {origin} (99 %)")
    }

    fn routes(&self) -> String {
        let mut text = format!("\n{:>10}  {:>6}  {:>12}  {:>10}  ROUTE\n", "REQUESTS/S", "STORE", "REQUESTS", "SENT");
        let mut rows: Vec<(f64, &RouteStatus)> =
            self.after.status.routes.iter().map(|route| (self.rate(route), route)).collect();
        rows.sort_by(|one, other| other.0.total_cmp(&one.0).then(other.1.requests.cmp(&one.1.requests)));
        for (rate, route) in rows {
            let reads = route.hits.saturating_add(route.misses);
            let share = percent((reads > 0).then(|| count(route.hits) / count(reads)));
            let sent = size::show(route.cache_bytes.saturating_add(route.origin_bytes) >> 10 << 10);
            let name = if route.path.is_some() { &*route.name } else { "(no route)" };
            let _ = writeln!(text, "{rate:>10.1}  {share:>6}  {:>12}  {sent:>10}  {name}", route.requests);
        }
        text
    }

    fn rate(&self, route: &RouteStatus) -> f64 {
        let before = self.before.status.routes.iter().find(|before| before.name == route.name);
        count(route.requests.saturating_sub(before.map_or(0, |before| before.requests))) / self.seconds
    }

    fn writes(&self) -> String {
        let writes = self.after.lately.get("writes").and_then(Value::as_array);
        let Some(writes) = writes.filter(|writes| !writes.is_empty()) else { return String::new() };
        let mut text = "\nLAST WRITES\n".to_owned();
        for write in writes.iter().take(8) {
            let of = |name: &str| write.get(name).and_then(Value::as_str).unwrap_or_default();
            let dropped = write.get("dropped").and_then(Value::as_str).unwrap_or("nothing");
            let _ = writeln!(text, "{:7} {}  dropped {dropped}", of("method"), of("path"));
        }
        text
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0))
}

#[allow(clippy::cast_precision_loss, reason = "nobody reads fifteen digits")]
fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_never_scrolls() {
        let size = Size { lines: 3, columns: 4 };
        assert_eq!(fitted("abcdef\nb\u{1b}[31m\nc\nd", size), "abcd\r\nb\\u{");
        assert_eq!((percent(None), percent(Some(0.974))), ("-".to_owned(), "97 %".to_owned()));
    }
}
