//! How log lines are written: to standard error, for people or as JSON. No query values, cookies or
//! credentials, and no character that a terminal takes for a command.

use std::io::IsTerminal;

use http::{HeaderMap, Method, StatusCode};

use super::filter::filter;
use super::ids::Ids;
use super::queue::Queue;
use crate::clock::Stopwatch;
use crate::fields::{CacheStatus, Notation};

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
    /// Whether lines for people may have colours where they go to a terminal.
    pub colours: bool,
}

/// The log. Its last lines are written when it is dropped.
#[derive(Debug)]
pub struct Log(Queue);

/// Sends log lines to standard error from now on, without ever waiting for it. `wanted` overrides what is logged
/// (`aside=debug`). A second call in one process changes nothing.
pub fn start(settings: LogSettings, wanted: Option<&str>) -> Log {
    let (filter, told) = filter(wanted);
    let coloured = settings.colours && std::io::stderr().is_terminal();
    let notation = match settings.format {
        LogFormat::Json => Notation::Json,
        LogFormat::Text if coloured => Notation::Coloured,
        LogFormat::Text => Notation::Plain,
    };
    let queue = Queue::before(std::io::stderr(), notation);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(queue.clone()).log_internal_errors(false);
    let started = match settings.format {
        LogFormat::Text => lines.with_target(false).with_ansi(coloured).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_target(false).try_init(),
    };
    drop(started);
    if let Some(told) = told {
        tracing::warn!("{told}");
    }
    Log(queue)
}

impl Log {
    /// Waits until everything logged so far is written, but no longer than a second: whoever reads the log may have
    /// stopped doing so.
    pub fn flush(&self) {
        self.0.drain();
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.flush();
    }
}

/// A request's line in the log: its method and its path, not its query, and the ids that it carries. Dropped before it is
/// written, it says that the client was gone before there was an answer; what a write does goes on all the same.
#[derive(Debug)]
pub struct RequestLine {
    method: Method,
    path: String,
    ids: Ids,
    stopwatch: Stopwatch,
    written: bool,
}

const LONGEST_PATH: usize = 1024;

/// Writes a request's line at a level, with further fields and these words. What is `None` is left out.
macro_rules! write_line {
    ($level:ident, $line:ident, $words:literal, $($more:tt)+) => {
        tracing::$level!(
            method = $line.method.as_str(),
            path = $line.path.as_str(),
            $($more)+,
            trace_id = $line.ids.trace(),
            span_id = $line.ids.span(),
            request_id = $line.ids.request(),
            correlation_id = $line.ids.correlation(),
            b3_trace_id = $line.ids.b3_trace(),
            b3_span_id = $line.ids.b3_span(),
            $words
        )
    };
}

impl RequestLine {
    /// Notes what the line needs before the request is used up, and the time.
    pub fn of(method: &Method, path: &str, fields: &HeaderMap) -> Self {
        let path = path.chars().take(LONGEST_PATH).collect();
        Self { method: method.clone(), path, ids: Ids::of(fields), stopwatch: Stopwatch::start(), written: false }
    }

    /// Writes the line. `micros` is the time until the answer's head was there; `why` is why the answer is not
    /// the origin's, where it is neither that nor a stored one; `dropped` what a write made old on routes.
    pub fn log(mut self, status: StatusCode, cache: &CacheStatus, why: Option<&str>, dropped: Option<&str>) {
        self.written = true;
        let (status, cache, micros) = (status.as_u16(), cache.to_string(), self.micros());
        // What is wrong with a request is its client's affair, and clients can be wrong as often as they like.
        if why.is_some() && status >= 500 {
            write_line!(warn, self, "request", status, cache, micros, why, dropped);
        } else {
            write_line!(info, self, "request", status, cache, micros, why, dropped);
        }
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.stopwatch.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

impl Drop for RequestLine {
    fn drop(&mut self) {
        if !self.written {
            write_line!(
                info,
                self,
                "the request ended before its answer: the client left, or the server stopped",
                micros = self.micros()
            );
        }
    }
}
