//! What holds for every key, path and value, and not only for those that somebody thought of.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../support/written.rs"]
mod written;

mod explained;
mod fields;
mod hosts;
mod keys;
mod policy;
mod withheld;
