//! Evidence in place of hope: what is stored is compared with what the origin says now, and what was stored with what is
//! fetched in its place; the writes in between tell which rule is missing, and which drops for nothing.
//!
//! Pure: no I/O, no clock, no waiting. `proxy` takes the samples, asks the origin and tells of the writes; what all of that
//! says is judged here. Nothing is ever changed by it: a person reads the report and edits the file.

mod answers;
mod cases;
mod content;
mod evidence;
mod reach;
mod report;
mod settings;
mod shape;
mod subject;
mod writes;

pub use content::Content;
pub use evidence::{Asked, Compared, Evidence, Found};
pub use reach::{Extent, Reach};
pub use report::{Finding, Proposal, Report, RouteReport, Seen, WriteReport};
pub use settings::{Ignored, VerifySettings};
pub use shape::Shape;
pub use subject::Subject;
pub use writes::Moment;
