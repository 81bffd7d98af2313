//! Logs: one line a request and one an event, what is said once, and what is said when it begins and when it ends.

mod episode;
mod filter;
mod ids;
mod log;
mod once;
mod queue;

pub use episode::{Ended, Episode};
pub use log::{Log, LogFormat, LogSettings, RequestLine, start};
pub use once::Once;
