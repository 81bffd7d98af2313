//! Evidence in place of hope: what is stored is compared with what the origin says now, and what was stored with what is
//! fetched in its place; the writes in between tell which rule is missing, and which drops for nothing.
//!
//! Pure: no I/O, no clock, no waiting. `proxy` takes the samples, asks the origin and tells of the writes; what all of that
//! says is judged here. Nothing is ever changed by it: a person reads the report and edits the file.
//!
//! Each process has evidence of its own: of writes that went through another node it knows nothing. So while others share the
//! store it says what is missing, and nothing of what could be dropped less.
//!
//! # From a look to a rule
//!
//! - A *look* is an answer of the origin's to what is stored at a key, of which [`Content`] keeps what counts: a comparison
//!   behind a hit, or what is fetched in place of a dropped answer. Each has a [`Moment`] before and after.
//! - A write has a moment at its beginning and at its end, a [`Shape`] that it shares with its like, and a [`Reach`]: which
//!   routes it dropped.
//! - Two looks that say the same speak for the one write that lies between, if it is one. Two that do not speak against all
//!   that may lie between; against one alone it is proof.
//! - [`Evidence`] puts both together by kind of write and route: seen to change, seen to leave alone often enough, or not known.
//!   Where a write names a thing, in its path, query or JSON (`named`), only looks at answers about that count, which `mention`
//!   tells: others stay whatever it does.
//!   A [`Proposal`] leaves out of `drops` what is of the second kind, and nothing else.
//!
//! Bounds: 1,024 writes, 256 kinds of them, 4,096 keys, 8,192 pairs of kind and route, 8,192 groups of suspects, 50 findings;
//! what clients choose is kept up to 64 bytes, or as a hash. 32 MiB at the most, of which a test makes sure.

mod answers;
mod blame;
mod cases;
mod content;
mod evidence;
mod json;
mod mention;
mod named;
mod parted;
mod reach;
mod report;
mod settings;
mod shape;
mod subject;
mod writes;

pub use content::Content;
pub use evidence::{Asked, Compared, Evidence, Found, Snapshot};
pub use reach::{Extent, Reach};
pub use report::{Finding, Proposal, Report, RouteReport, Seen, WriteReport};
pub use settings::{Ignored, VerifySettings};
pub use shape::Shape;
pub use subject::Subject;
pub use writes::Moment;
