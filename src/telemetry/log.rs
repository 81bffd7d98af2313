//! How log lines are written: to standard error, for people or as JSON. No query values, cookies or
//! credentials, and no character that a terminal takes for a command. And which are: what `ASIDE_LOG` says, if that can be
//! understood.

use std::io::{self, IsTerminal};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::queue::Queue;
use super::recorder::Recorder;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The form of log lines.
    pub format: LogFormat,
    /// Whether requests get lines.
    pub requests: bool,
    /// How long a request takes at least that gets one.
    pub slow: Duration,
    /// Whether lines for people may have colours where they go to a terminal.
    pub colours: bool,
}

/// The log. Its last lines are written when it is dropped.
#[derive(Debug)]
pub struct Log {
    queue: Queue,
    /// How long a request takes at least that gets a line; `None` where none gets one.
    slow: Option<Duration>,
}

const DEFAULT: &str = "aside=info";
/// What writes lines: aside itself, and the crates below it that do so at all.
const TARGETS: [&str; 10] =
    ["aside", "fred", "h2", "hyper", "hyper_rustls", "hyper_util", "mio", "rustls", "tokio", "tokio_util"];
/// A longer text is not repeated.
const TEXT_LIMIT: usize = 80;

/// Sends log lines to standard error from now on, without ever waiting for it. `wanted` overrides what is logged
/// (`aside=debug`). Of several logs in one process the first has all lines but those of requests. The error is the
/// system's, where it allows no further thread.
pub fn start(settings: LogSettings, wanted: Option<&str>) -> io::Result<Log> {
    let (filter, told) = filter(wanted);
    let coloured = settings.colours && std::io::stderr().is_terminal();
    let notation = match settings.format {
        LogFormat::Json => Notation::Json,
        LogFormat::Text if coloured => Notation::Coloured,
        LogFormat::Text => Notation::Plain,
    };
    let queue = Queue::before(std::io::stderr(), notation)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(queue.clone()).log_internal_errors(false);
    let started = match settings.format {
        LogFormat::Text => lines.with_target(false).with_ansi(coloured).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_target(false).try_init(),
    };
    drop(started);
    if let Some(told) = told {
        tracing::warn!("{told}");
    }
    Ok(Log { queue, slow: settings.requests.then_some(settings.slow) })
}

impl Log {
    /// Where requests end: with a line each, if the settings say so.
    pub fn recorder(&self) -> Recorder {
        self.slow.map_or_else(Recorder::default, |slow| Recorder::to_log(self.queue.clone(), slow))
    }

    /// Waits until everything logged so far is written, but no longer than a second: whoever reads the log may have
    /// stopped doing so.
    pub fn flush(&self) {
        self.queue.drain();
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
    if wanted.is_empty() {
        return (EnvFilter::new(DEFAULT), None);
    }
    let parts = wanted.split(',').map(str::trim).filter(|part| !part.is_empty());
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
        for nothing in [None, Some(""), Some("  ")] {
            let (filter, told) = filter(nothing);
            assert_eq!((filter.to_string().as_str(), told), (DEFAULT, None));
        }
    }
}
