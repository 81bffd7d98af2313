//! What every store has to hold to, checked on the one in memory and on a real Redis; and what Redis alone can do to one.

#![allow(unreachable_pub, reason = "nobody uses a test crate, and its parts use each other")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; the lints spare only what is inside of test functions"
)]

mod agreement;
mod expect;
mod fixture;
mod held;
mod laws;
mod log;
mod purge;
mod put;
mod race;
mod redis_copies;
mod redis_expect;
mod redis_fields;
mod redis_held;
mod redis_keys;
mod redis_lease;
mod redis_login;
mod redis_outage;
mod redis_put;
mod redis_rights;
mod redis_spoilt;
mod scopes;

#[path = "../support/redis.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod redis;
