//! Bytes on the wire: requests and answers that two parsers could read differently, sent as they are.
//!
//! Every case is a row in a table: the bytes, what becomes of them, and always that the next request on the connection
//! is answered for itself. The cases are thought up from RFC 9110 and RFC 9112.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test fails by panicking, the sums are to be seen, and nothing outside reads this"
)]

#[path = "../support/mod.rs"]
mod support;

mod client;
mod http2;
mod origin;
mod requests;
mod responses;
