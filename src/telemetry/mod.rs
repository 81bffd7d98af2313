//! The log, the metrics and what they are made from: an outcome for each request, and episodes for what is told when it
//! begins and when it ends, or once.

mod bar;
mod columns;
mod dates;
mod episode;
mod field;
mod fitted;
mod ids;
mod journal;
mod line;
mod log;
mod metrics;
mod outcome;
mod purge;
mod queue;
mod recent;
mod recorder;
mod refused;
mod style;

pub use episode::{Ended, Episode, Episodes};
pub use field::{LogField, LogFields};
pub use ids::Ids;
pub use log::{Log, LogFormat, LogSettings, start};
pub use metrics::{
    BOUNDS_MICROS, Buckets, Format, Gauges, Histogram, Invalidations, METRICS, Metric, Metrics, OPERATIONS, Operation,
    Operations, RouteTotals, Totals, Verified,
};
pub use outcome::{CacheResult, Done, Dropped, DroppedBy, Notes, Outcome, Source, UNROUTED, Work};
pub use purge::{PurgeAsker, PurgeKind, PurgeMode, PurgeOutcome, PurgeResult, PurgedBy, counted_entries};
pub use recent::{Recent, RecentMisses, RecentPurge, RecentRule, RecentWrite, STEP, Snapshot, Step};
pub use recorder::{Begun, Recorder, Sent};
pub use refused::{Refused, RefusedConnections, RefusedNews};
