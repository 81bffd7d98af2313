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

mod abandoned;
mod annotate;
mod bodies;
mod cache_by;
mod cache_groups;
mod cache_only;
mod codings;
mod collapse;
mod conditions;
mod connections;
mod counters;
mod expectations;
mod held;
mod hits;
mod hosts;
mod http2;
mod http2_abuse;
mod interim;
mod invalidation;
mod invalidation_default;
mod invalidation_tags;
mod keys;
mod lifecycle;
mod logs;
mod marks;
mod methods;
mod origin_addresses;
mod origin_faults;
mod origin_heads;
mod origin_reuse;
mod origin_time;
mod origin_tls;
mod overriding;
mod posts;
mod private;
mod purge;
mod races;
mod races_default;
mod races_renewal;
mod ranges;
mod ranges_ignored;
mod reasons;
mod redis_garbage;
mod refused;
mod reload;
mod requests;
mod rfc5861;
mod rfc9111_head;
mod rfc9111_parts;
mod rfc9111_reuse;
mod rfc9111_storing;
mod rfc9111_validation;
mod rfc9211;
mod rfc9213;
mod safe_default;
mod service_manager;
mod set_cookie;
mod slashes;
mod soft;
mod stopping;
mod store_faults;
mod streams;
mod streams_shared;
mod tls;
mod traces;
mod unread;
mod upgrade;
mod uploads;
mod via;
mod warm;
mod webdav;
mod withheld;
mod write_answers;
mod write_policies;
