//! The numbers and flags of an entry, as its meta hash in Redis has them.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::millis;
use crate::policy::{Lifetime, LifetimeSource, StoredFlags};
use crate::store::entry::{Kind, StoredResponse};

/// What the hash's field `about` says.
#[derive(Serialize, Deserialize)]
pub(super) struct About<'a> {
    pub(super) kind: KindName,
    pub(super) status: u16,
    pub(super) length: usize,
    pub(super) received_ms: u64,
    pub(super) initial_age_ms: u64,
    fresh_ms: u64,
    #[serde(borrow)]
    lifetime_from: Cow<'a, str>,
    stale_while_revalidate_ms: u64,
    stale_if_error_ms: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    public: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    must_revalidate: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    private: bool,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum KindName {
    Response,
    VaryIndex,
    Around,
    Written,
    CacheOnly,
}

impl About<'_> {
    pub(super) fn of(entry: &StoredResponse) -> Self {
        let StoredResponse { lifetime, flags, .. } = entry;
        Self {
            kind: entry.kind.into(),
            status: entry.status.as_u16(),
            length: entry.body.len(),
            received_ms: entry.response_time,
            // Rounded up where everything else is rounded down: never fresh for longer than before.
            initial_age_ms: millis(entry.initial_age.saturating_add(Duration::from_nanos(999_999))),
            fresh_ms: millis(lifetime.fresh_for),
            lifetime_from: lifetime.source.as_str().into(),
            stale_while_revalidate_ms: millis(lifetime.stale_while_revalidate),
            stale_if_error_ms: millis(lifetime.stale_if_error),
            public: flags.public_enough,
            must_revalidate: flags.must_revalidate,
            private: flags.private,
        }
    }

    pub(super) fn lifetime(&self) -> Option<Lifetime> {
        Some(Lifetime {
            fresh_for: Duration::from_millis(self.fresh_ms),
            source: LifetimeSource::parse(&self.lifetime_from)?,
            stale_while_revalidate: Duration::from_millis(self.stale_while_revalidate_ms),
            stale_if_error: Duration::from_millis(self.stale_if_error_ms),
        })
    }

    pub(super) fn flags(&self) -> StoredFlags {
        StoredFlags { public_enough: self.public, must_revalidate: self.must_revalidate, private: self.private }
    }
}

impl From<Kind> for KindName {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Response => Self::Response,
            Kind::VaryIndex => Self::VaryIndex,
            Kind::Around => Self::Around,
            Kind::Written => Self::Written,
            Kind::CacheOnly => Self::CacheOnly,
        }
    }
}

impl From<KindName> for Kind {
    fn from(name: KindName) -> Self {
        match name {
            KindName::Response => Self::Response,
            KindName::VaryIndex => Self::VaryIndex,
            KindName::Around => Self::Around,
            KindName::Written => Self::Written,
            KindName::CacheOnly => Self::CacheOnly,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}
