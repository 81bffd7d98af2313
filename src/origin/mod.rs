//! The pooled client towards the origin server, its timeouts and its one retry.

mod settings;

pub use settings::{HostRule, OriginSettings};
