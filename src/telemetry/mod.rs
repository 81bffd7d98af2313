//! Logs: one line a request and one an event.

mod log;

pub use log::{LogFormat, LogSettings, RequestLine, start};
