//! Logs: one line a request and one an event, and what is said once.

mod filter;
mod log;
mod once;
mod queue;

pub use log::{Log, LogFormat, LogSettings, RequestLine, start};
pub use once::Once;
