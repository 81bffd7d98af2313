//! How log lines are written: to standard error, for people or as JSON. No query values, cookies or
//! credentials, and no character that a terminal takes for a command. And which are: what `ASIDE_LOG` says, if that can be
//! understood.

use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

use super::bar::Bar;
use super::dates::TimeOfDay;
use super::field::LogFields;
use super::queue::Queue;
use super::recorder::Recorder;
use super::style::Style;
use crate::fields::Notation;

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The `[log]` table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// The form of log lines.
    pub format: LogFormat,
    /// Whether requests get lines.
    pub requests: bool,
    /// How long a request takes at least that gets one; with a sample, that gets one in any case. Writes and troubles do, too.
    pub slow: Duration,
    /// How many of a million requests get a line that are nothing special; `None` for all.
    pub sample: Option<u32>,
    /// The fields of a JSON line, or those that a line for people has besides its columns; `None` for the usual ones.
    pub fields: Option<LogFields>,
    /// Whether lines for people may have colours where they go to a terminal.
    pub colours: bool,
}

/// The log. Its last lines are written when it is dropped.
pub struct Log {
    queue: Queue,
    settings: Mutex<LogSettings>,
    /// What writes lines that are not a request's; `None` where another log has them.
    lines: Option<reload::Handle<Lines, Registry>>,
}

type Lines = Box<dyn Layer<Registry> + Send + Sync>;

const DEFAULT: &str = "aside=info";
/// What writes lines: aside itself, and the crates below it that do so at all.
const TARGETS: [&str; 10] =
    ["aside", "fred", "h2", "hyper", "hyper_rustls", "hyper_util", "mio", "rustls", "tokio", "tokio_util"];
/// What a line has on a terminal that is wider, and on one that is narrower.
const MOST_COLUMNS: usize = 120;
const LEAST_COLUMNS: usize = 80;
/// A longer text is not repeated.
const TEXT_LIMIT: usize = 80;

/// Sends log lines to standard error from now on, without ever waiting for it. `wanted` overrides what is logged
/// (`aside=debug`). Of several logs in one process the first has all lines but those of requests. The error is the
/// system's, where it allows no further thread.
pub fn start(settings: LogSettings, wanted: Option<&str>) -> io::Result<Log> {
    let (filter, told) = filter(wanted);
    let queue = Queue::before(std::io::stderr(), settings.style())?;
    let (lines, handle) = reload::Layer::new(settings.lines(&queue));
    let started = tracing_subscriber::registry().with(lines).with(filter).try_init();
    if let Some(told) = told {
        tracing::warn!("{told}");
    }
    Ok(Log { queue, settings: Mutex::new(settings), lines: started.is_ok().then_some(handle) })
}

/// How wide the terminal is; a narrow one counts as one of [`LEAST_COLUMNS`].
fn terminal() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    // A terminal that does not say has none.
    let columns = size.map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { MOST_COLUMNS } else { columns.max(LEAST_COLUMNS) }
}

impl LogSettings {
    fn is_coloured(&self) -> bool {
        self.colours && std::io::stderr().is_terminal()
    }

    /// How requests' lines look.
    fn style(&self) -> Style {
        let notation = match self.format {
            LogFormat::Json => Notation::Json,
            LogFormat::Text if self.is_coloured() => Notation::Coloured,
            LogFormat::Text => Notation::Plain,
        };
        let usual = if notation == Notation::Json { LogFields::EVERY } else { LogFields::IDS };
        let terminal = terminal();
        let is_cut = std::io::stderr().is_terminal() && notation != Notation::Json;
        let columns = is_cut.then_some(terminal.min(MOST_COLUMNS));
        Style { notation, columns, terminal, fields: self.fields.unwrap_or(usual) }
    }

    /// What writes lines of that form into the queue.
    fn lines(&self, queue: &Queue) -> Lines {
        let lines = tracing_subscriber::fmt::layer().with_writer(queue.clone()).log_internal_errors(false);
        let (lines, coloured) = (lines.with_target(false), self.is_coloured());
        match self.format {
            LogFormat::Text if std::io::stderr().is_terminal() => {
                lines.with_ansi(coloured).with_timer(TimeOfDay).boxed()
            }
            LogFormat::Text => lines.with_ansi(coloured).boxed(),
            LogFormat::Json => lines.json().flatten_event(true).boxed(),
        }
    }
}

impl Log {
    /// Where requests end: with a line each, if the settings say so.
    pub fn recorder(&self) -> Recorder {
        let settings = *self.settings();
        let bar = Bar::new(settings.slow, settings.sample);
        if settings.requests { Recorder::to_log(self.queue.clone(), bar) } else { Recorder::default() }
    }

    /// The form of its lines.
    pub fn format(&self) -> LogFormat {
        self.settings().format
    }

    /// Writes by other settings from now on; requests do so by the [recorder](Log::recorder) that is taken after this.
    pub fn change(&self, settings: &LogSettings) {
        let before = std::mem::replace(&mut *self.settings(), *settings);
        self.queue.write_as(settings.style());
        if before.format != settings.format {
            // Gone with the program's last subscriber, at the latest.
            let _ = self.lines.as_ref().map(|lines| lines.reload(settings.lines(&self.queue)));
        }
    }

    fn settings(&self) -> std::sync::MutexGuard<'_, LogSettings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until everything logged so far is written, but no longer than a second: whoever reads the log may have
    /// stopped doing so.
    pub fn flush(&self) {
        self.queue.drain();
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Log").field("settings", &*self.settings()).finish_non_exhaustive()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.flush();
    }
}

/// The filter of a text as in `aside=debug`, and what is to be told of a text that is none: then the default holds.
fn filter(wanted: Option<&str>) -> (EnvFilter, Option<String>) {
    let wanted = wanted.map_or("", str::trim);
    let parts = wanted.split(',').map(str::trim).filter(|part| !part.is_empty());
    // A filter of nothing would let nothing through.
    if parts.clone().next().is_none() {
        return (EnvFilter::new(DEFAULT), None);
    }
    match parts.clone().find(|part| !is_directive(part)) {
        None => match EnvFilter::try_new(wanted) {
            Ok(filter) => (filter, None),
            Err(_) => refused(wanted),
        },
        Some(part) => refused(part),
    }
}

fn refused(part: &str) -> (EnvFilter, Option<String>) {
    let shown: String = part.chars().take(TEXT_LIMIT).collect();
    let told = format!(
        "`{shown}` in ASIDE_LOG is neither a level (off, error, warn, info, debug, trace) nor a target with one, as in \
         aside=debug; {DEFAULT} is used instead"
    );
    (EnvFilter::new(DEFAULT), Some(told))
}

/// Whether it is a level, a target, or a target with a level.
fn is_directive(part: &str) -> bool {
    match part.split_once('=') {
        None => is_level(part) || is_target(part),
        Some((target, level)) => is_target(target) && is_level(level),
    }
}

fn is_level(text: &str) -> bool {
    !text.is_empty() && text.parse::<LevelFilter>().is_ok()
}

fn is_target(text: &str) -> bool {
    let root = text.split("::").next().unwrap_or_default();
    TARGETS.contains(&root) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_filter_is_told_and_the_default_holds() {
        for text in ["nonsense", "aside=loud", "asidde=debug", "aside=", "=debug", "aside[x]=debug", "info,no", "a b"] {
            let (filter, told) = filter(Some(text));
            assert_eq!(filter.to_string(), DEFAULT, "{text}");
            assert!(told.is_some_and(|told| told.contains("aside=info is used instead")), "{text}");
        }
    }

    #[test]
    fn filters_are_taken_as_they_are_and_nothing_is_the_default() {
        for text in ["debug", "off", "aside=debug", "aside::proxy=trace,fred=warn", "WARN", " aside=debug, ", "h2"] {
            assert_eq!(filter(Some(text)).1, None, "{text}");
        }
        for nothing in [None, Some(""), Some("  "), Some(","), Some(" , ,")] {
            let (filter, told) = filter(nothing);
            assert_eq!((filter.to_string().as_str(), told), (DEFAULT, None));
        }
    }
}
