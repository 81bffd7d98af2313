//! What the configuration says about content codings.

use crate::fields::ContentCoding;

/// `[clients] compression` and its memory.
#[derive(Clone, Debug, Default)]
pub struct CompressionSettings {
    /// The codings on offer, the most preferred first; empty turns compression off.
    pub codings: Vec<ContentCoding>,
    /// How many bytes the coded copies may take, together with the bodies that they were made from.
    pub memory: u64,
}
