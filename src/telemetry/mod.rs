//! Logs: one line a request and one an event.

mod filter;
mod log;
mod queue;

pub use log::{Log, LogFormat, LogSettings, RequestLine, start};
