//! What the configuration says about handling a request.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;

use ipnet::IpNet;

use super::{CompressionSettings, Purgers};
use crate::rules::Ruleset;
use crate::verify::VerifySettings;

/// Everything a request's way depends on, but for the origin and the store.
#[derive(Clone, Debug, Default)]
pub struct ProxySettings {
    /// The rules, until others take their place.
    pub rules: Arc<Ruleset>,
    /// Where the proxies in front of this one are, whose word about their clients is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Who may drop what is stored, by `PURGE`.
    pub purgers: Purgers,
    /// Whether clients are sent Surrogate-Key, xkey and Cache-Tag: another cache in front of this proxy may want them.
    pub pass_tags: bool,
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
    /// How many bytes of answers may be on their way to clients, besides what the store holds.
    pub max_answers: usize,
    /// The content codings that clients are offered.
    pub compression: CompressionSettings,
    /// What is compared with the origin's answers.
    pub verify: VerifySettings,
}

impl ProxySettings {
    /// The same once it is known on which addresses the server listens: where the file names no hosts, they are the names.
    #[must_use]
    pub fn listening_on(mut self, addresses: &[SocketAddr]) -> Self {
        self.rules = self.rules.listening_on(addresses);
        self
    }
}
