//! `aside`: a transparent caching reverse proxy that is never stale after a write.
//!
//! # The rooms
//!
//! | room | duty |
//! |---|---|
//! | [`commands`] | a file per subcommand: what a person types |
//! | [`config`] | `proxy.toml`, a file per table |
//! | [`server`] | listeners, cores, limits, shutdown: serves any handler |
//! | [`handler`] | the port between the server and what it serves |
//! | [`admin`] | what a person asks a running process, and tells it to do |
//! | [`proxy`] | a request's way from ingress to answer |
//! | [`body`] | message bodies as they pass through, and what wraps them |
//! | [`origin`] | the pooled client towards the API |
//! | [`store`] | where answers are kept: memory or Redis, under one law |
//! | [`rules`] | which route, which key, what a write makes old: pure |
//! | [`policy`] | RFC 9111: what may be stored and reused: pure |
//! | [`fields`] | header fields, text to values and back: pure |
//! | [`verify`] | evidence: what hits and writes tell of the rules: pure |
//! | [`telemetry`] | outcomes, episodes and the log |
//! | [`budget`] | how many bytes of answers are on their way |
//! | [`clock`] | the only reader of time |
//! | [`files`] | the only reader of the files that the configuration names |
//! | [`tls`] | TLS as its client, towards the origin and Redis |
//!
//! Dependencies point one way: `commands` -> `config` -> everything; {`server`, `admin`, `proxy`} -> `handler`; `admin` -> `proxy`; `proxy` ->
//! {`store`, `origin`} -> {`rules`, `policy`} -> `fields`. `tests/architecture` holds it.
//!
//! # A request's way
//!
//! A read: accept -> ingress -> route -> key -> lookup -> reuse? -> deliver, or fetch -> put -> deliver.
//! A write: ingress -> forward -> invalidate -> deliver.

pub mod admin;
pub mod body;
pub mod budget;
pub mod clock;
pub mod commands;
pub mod config;
pub mod fields;
pub mod files;
pub mod handler;
pub mod origin;
pub mod policy;
pub mod proxy;
pub mod rules;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod verify;
