//! The log and what it is made from: an outcome for each request, what is said once, and what is said when it begins and when
//! it ends.

mod episode;
mod ids;
mod line;
mod log;
mod once;
mod outcome;
mod queue;
mod recorder;

pub use episode::{Ended, Episode};
pub use ids::Ids;
pub use log::{Log, LogFormat, LogSettings, start};
pub use once::Once;
pub use outcome::{Dropped, Notes, Outcome, Work};
pub use recorder::{Begun, Recorder};
