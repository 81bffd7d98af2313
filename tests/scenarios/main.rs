//! What aside does, told as scenarios: a file per topic, each with a real node, an origin that does as it is told, and
//! barriers instead of sleeps.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod annotate;
mod codings;
mod collapse;
mod hits;
mod invalidation;
mod keys;
mod lifecycle;
mod origin_faults;
mod posts;
mod private;
mod races;
mod ranges;
mod requests;
mod store_faults;
mod streams;
mod write_policies;
