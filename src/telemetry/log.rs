//! How log lines are written: to standard error, for people or as JSON. No query values, cookies or credentials.

use std::io::IsTerminal;
use std::time::Duration;

use http::{Method, StatusCode};
use tracing_subscriber::EnvFilter;

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

/// What a request's log line says of the request: its method and its path, not its query.
#[derive(Clone, Debug)]
pub struct RequestLine {
    method: Method,
    path: String,
}

impl RequestLine {
    /// Notes what the line needs before the request is used up.
    pub fn of(method: &Method, path: &str) -> Self {
        Self { method: method.clone(), path: path.chars().take(LONGEST_PATH).collect() }
    }
}

const LONGEST_PATH: usize = 1024;

/// Writes a request's line.
pub fn log_request(line: &RequestLine, status: StatusCode, cache: &CacheStatus, took: Duration) {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(
        method = line.method.as_str(),
        path = line.path.as_str(),
        status = status.as_u16(),
        cache = %cache,
        micros,
        "request"
    );
}
