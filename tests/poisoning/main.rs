//! A cached answer is a function of its key: whatever else a request brings along shapes nobody else's answer.

#![allow(unreachable_pub, reason = "nobody uses a test crate, and its parts use each other")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod attack;
mod fields;
mod kinds;
mod mirror;
mod paths;
mod private;
mod trusted;
mod variants;
mod wire;
