//! The log and what it is made from: an outcome for each request, and episodes for what is told when it begins and when it
//! ends, or once.

mod episode;
mod ids;
mod line;
mod log;
mod outcome;
mod queue;
mod recorder;

pub use episode::{Ended, Episode, Episodes};
pub use ids::Ids;
pub use log::{Log, LogFormat, LogSettings, start};
pub use outcome::{Dropped, Notes, Outcome, Work};
pub use recorder::{Begun, Recorder};
