//! How log lines are written: to standard error, for people or as JSON. No query values, cookies or credentials.

use std::io::IsTerminal;

use http::{Method, StatusCode};
use tracing_subscriber::EnvFilter;

use crate::clock::Stopwatch;
use crate::fields::CacheStatus;

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
    /// Whether every request gets a line.
    pub requests: bool,
}

/// Sends log lines to standard error from now on. `filter` overrides what is logged (`aside=debug`); text that is no
/// filter is ignored. A second call in one process changes nothing.
pub fn start(settings: LogSettings, filter: Option<&str>) {
    let filter = filter.and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new("aside=info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.format {
        LogFormat::Text => lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_target(false).try_init(),
    };
    drop(started);
}

/// A request's line in the log: its method and its path, not its query. Dropped before it is written, it says that the
/// client was gone before there was an answer; what a write does goes on all the same.
#[derive(Debug)]
pub struct RequestLine {
    method: Method,
    path: String,
    stopwatch: Stopwatch,
    written: bool,
}

const LONGEST_PATH: usize = 1024;

impl RequestLine {
    /// Notes what the line needs before the request is used up, and the time.
    pub fn of(method: &Method, path: &str) -> Self {
        let path = path.chars().take(LONGEST_PATH).collect();
        Self { method: method.clone(), path, stopwatch: Stopwatch::start(), written: false }
    }

    /// Writes the line. `micros` is the time until the answer's head was there; `why` is why the origin gave none.
    pub fn log(mut self, status: StatusCode, cache: &CacheStatus, why: Option<&str>) {
        self.written = true;
        let (method, path, cache) = (self.method.as_str(), self.path.as_str(), cache.to_string());
        let (status, micros) = (status.as_u16(), self.micros());
        match why {
            None => tracing::info!(method, path, status, cache, micros, "request"),
            Some(why) => tracing::warn!(method, path, status, cache, micros, why, "request"),
        }
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.stopwatch.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

impl Drop for RequestLine {
    fn drop(&mut self) {
        if !self.written {
            let (method, path) = (self.method.as_str(), self.path.as_str());
            tracing::info!(
                method,
                path,
                micros = self.micros(),
                "the request ended before its answer: the client left, or the server stopped"
            );
        }
    }
}
