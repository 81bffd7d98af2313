//! Each kind of Redis, started by the tests: what a person sees of it through a node, and what the log says of one that cannot
//! be used.

#![allow(unreachable_pub, reason = "nobody uses a test crate, and its parts use each other")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; the lints spare only what is inside of test functions"
)]

mod failover;
mod kind;
mod refused;
mod refused_sentinels;
mod serving;

#[path = "../support/mod.rs"]
mod support;
