//! What hits make of an entry, so that it is made once: good under one configuration.

use std::sync::OnceLock;

use bytes::Bytes;
use http::{HeaderMap, HeaderName};

use crate::budget::Loan;

/// What hits under one configuration make of an entry, each thing the first time it is asked for.
///
/// Whatever goes into it has to be a function of the entry and of what the fingerprint of that configuration covers.
#[derive(Debug, Default)]
pub struct Derived {
    /// The configuration's fingerprint, once there was a hit.
    under: OnceLock<u64>,
    head: OnceLock<HeaderMap>,
    annotated: OnceLock<(Bytes, Option<Loan>)>,
    withheld: OnceLock<Box<[HeaderName]>>,
}

impl Derived {
    /// Whether it is of the configuration with this fingerprint; of this one from now on, where it is of none yet.
    pub(super) fn is_of(&self, configuration: u64) -> bool {
        *self.under.get_or_init(|| configuration) == configuration
    }

    /// The header block of a hit but for Age and Cache-Status.
    pub fn head(&self, prepare: impl FnOnce() -> HeaderMap) -> &HeaderMap {
        // A map that has grown has room for as much again, and its clone has none.
        self.head.get_or_init(|| prepare().clone())
    }

    /// The body as a hit of an annotated route sends it. With what `annotate` makes it says what lends that, and whether it
    /// may stay.
    pub(super) fn annotated(&self, annotate: impl FnOnce() -> (Bytes, Option<Loan>, bool)) -> Bytes {
        if let Some((bytes, _)) = self.annotated.get() {
            return bytes.clone();
        }
        let (bytes, loan, stays) = annotate();
        if stays { self.annotated.get_or_init(|| (bytes, loan)).0.clone() } else { bytes }
    }

    /// The request fields that the entry's Vary names and its route keeps from the origin.
    pub fn withheld(&self, find: impl FnOnce() -> Vec<HeaderName>) -> &[HeaderName] {
        self.withheld.get_or_init(|| find().into())
    }
}
