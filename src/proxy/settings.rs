//! What the configuration says about handling a request.

use std::num::NonZeroU64;

use ipnet::IpNet;

use super::CompressionSettings;
use crate::policy::Choices;
use crate::rules::Routes;

/// Everything a request's way depends on, but for the origin and the store.
#[derive(Clone, Debug)]
pub struct ProxySettings {
    /// The routes.
    pub routes: Routes,
    /// The choices for paths without a route; `None` never caches them (`[unrouted] cache = false`).
    pub unrouted: Option<Choices>,
    /// Whether every field of a request is in its key, where no route speaks (`[unrouted] vary = "all"`).
    pub unrouted_by_all_fields: bool,
    /// Whether the client's Host is part of every key (`[origin] host = "client"`).
    pub host_in_key: bool,
    /// Where the proxies in front of this one are, whose word about their clients is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How many fields a request may have.
    pub max_fields: usize,
    /// The largest request target in bytes.
    pub max_target: usize,
    /// The largest request body in bytes; `None` streams any size.
    pub max_request_body: Option<u64>,
    /// Request bodies up to this many bytes are read in full before the origin is contacted, and looked into for
    /// variables; larger ones stream.
    pub buffer_body: u64,
    /// How many variants of one key are stored, where no route speaks.
    pub max_variants: usize,
    /// How many bytes a second a request's body has to come with, after a grace of ten seconds; `None` for any.
    pub body_rate: Option<NonZeroU64>,
    /// How many requests may wait for one fetch of the same key; further ones go to the origin themselves.
    pub max_waiters: usize,
    /// The content codings that clients are offered.
    pub compression: CompressionSettings,
}
