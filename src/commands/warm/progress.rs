//! How far it has come: a bar on a terminal, a line a second elsewhere.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::super::terminal::say_aside;
use super::tally::Tally;
use crate::clock::Stopwatch;

/// What is shown on standard error.
pub(super) enum Progress {
    Bar(ProgressBar),
    /// Since the last line.
    Lines(Stopwatch),
}

/// How often there is a line.
const PAUSE: Duration = Duration::from_secs(1);

impl Progress {
    /// For so many, where that is known.
    pub(super) fn of(length: Option<u64>) -> Self {
        if !io::stderr().is_terminal() {
            return Self::Lines(Stopwatch::start());
        }
        let (bar, form) = match length {
            Some(length) => (ProgressBar::new(length), "{bar:30} {pos}/{len}, {eta} left: {msg}"),
            None => (ProgressBar::new_spinner(), "{spinner} {pos}: {msg}"),
        };
        Self::Bar(bar.with_style(ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    /// So far.
    pub(super) fn at(&mut self, tally: &Tally) {
        match self {
            Self::Bar(bar) => {
                bar.set_position(tally.asked());
                bar.set_message(tally.line());
            }
            Self::Lines(since) if since.elapsed() >= PAUSE => {
                *since = Stopwatch::start();
                say_aside(&tally.line());
            }
            Self::Lines(_) => {}
        }
    }

    /// No further.
    pub(super) fn ends(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
