//! `aside top`: the figures of the running process, each second anew.
//!
//! On a terminal they are drawn in one place until somebody presses q or Ctrl-C; elsewhere there is a line a second. With
//! `--json`, each second an object on a line of its own:
//!
//! ```json
//! {"seconds": 1.0, "requests_per_second": 812.0, "hits_per_second": 790.0, "hit_ratio": 0.97,
//!  "origin_per_second": 22.0, "origin_inflight": 1, "figures": {"requests": 91234, "hits": 90111}}
//! ```
//!
//! `hit_ratio` is that of the reads of the last second, null where there were none, and `figures` is all of
//! [`crate::admin::Figures`].

mod change;
mod page;
mod screen;
mod table;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use super::asking::{AdminArguments, Process};
use super::failure::Failure;
use super::terminal::{Size, said, size_of_terminal};
use crate::fields::{Notation, visible, visible_lines};
use change::{Change, Sample};
use page::page;
use screen::{Screen, quits};

/// To the top, and what was there erased.
const ANEW: &str = "\x1b[H\x1b[J";

/// Draws until q or Ctrl-C: 0 then, 1 where it is refused, 69 where nobody answers (any more).
pub(super) fn run(arguments: &AdminArguments) -> Result<ExitCode, Failure> {
    let process = arguments.process()?;
    let is_drawn = io::stdout().is_terminal() && !arguments.json;
    process.watch(async {
        let stop = [signal(SignalKind::interrupt()), signal(SignalKind::terminate())];
        let [Ok(interrupt), Ok(terminate)] = stop else { return Ok(ExitCode::FAILURE) };
        watch(&process, (interrupt, terminate), is_drawn, arguments.json).await
    })
}

async fn watch(
    process: &Process,
    (mut interrupt, mut terminate): (Signal, Signal),
    is_drawn: bool,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let mut before = Sample::take(process).await?;
    // Only now: whoever is told that nobody answers is told so on the screen that was there.
    let mut drawn = is_drawn.then(|| (Screen::enter(), quits()));
    let mut each_second = interval(Duration::from_secs(1));
    each_second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    each_second.tick().await;
    loop {
        let quit = async {
            let quit = match &mut drawn {
                Some((_, quits)) => quits.recv().await,
                None => None,
            };
            if quit.is_none() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            _ = each_second.tick() => {}
            () = quit => return Ok(ExitCode::SUCCESS),
            _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
            _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
        }
        let after = Sample::take(process).await?;
        let change = Change::between(&before, &after);
        let text = match (is_drawn, as_json) {
            (true, _) => drawing(&change, size_of_terminal()),
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

fn drawing(change: &Change<'_>, size: Size) -> String {
    format!("{ANEW}{}", fitted(&page(change, size.columns), size))
}

/// As many lines and columns as the terminal has: more would move what is above.
fn fitted(page: &str, Size { lines, columns }: Size) -> String {
    let cut = |line: &str| line.chars().take(columns).collect::<String>();
    let shown = visible_lines(page, Notation::Plain);
    shown.lines().take(lines.saturating_sub(1)).map(cut).collect::<Vec<_>>().join("\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_never_scrolls() {
        let size = Size { lines: 3, columns: 4 };
        assert_eq!(fitted("abcdef\nb\u{1b}[31m\nc\nd", size), "abcd\r\nb\\u{");
    }
}
