//! `[verify]`: shapes of writes, what comparisons do and leave alone, and what is made of the evidence.

#![allow(unreachable_pub, reason = "nobody uses a test crate, and its parts use each other")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../support/chance.rs"]
mod chance;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/written.rs"]
mod written;

mod comparisons;
mod days;
mod hostile;
mod model;
mod nodes;
mod shadow;
mod shapes;
mod unfinished;
