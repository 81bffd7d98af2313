//! What a process is told of one Redis and of its part among those that share it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::layout::Layout;
use super::lock::Lock;
use super::replicas::Replicas;
use super::rules::Rules;
use super::sentinel::Whereabouts;
use super::url::RedisUrl;
use crate::clock::{Millis, millis};
use crate::store::core::WhenDown;
use crate::store::settings::StoreSettings;

/// How long making what is pending and signing off may take at the end.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// What one Redis and this process's part in it are told by the configuration.
pub(super) struct NodeSettings {
    pub(super) url: RedisUrl,
    pub(super) layout: Layout,
    /// How long one command may take.
    pub(super) timeout: Duration,
    pub(super) when_down: WhenDown,
    pub(super) lease: Duration,
    pub(super) absence: Duration,
    pub(super) replicas: Option<u32>,
    /// In milliseconds.
    commit_within: AtomicU64,
    pub(super) rules: Rules,
    /// This process, from its start to its end, in the registry.
    pub(super) id: Arc<str>,
    /// The file that it has locked, `-` for none.
    pub(super) lock: Bytes,
    /// How long it may take to make what is pending and to sign off.
    pub(super) leave_within: Duration,
    /// Where the sentinels have the master.
    pub(super) whereabouts: Whereabouts,
    /// Which replicas that one has.
    pub(super) followers: Replicas,
}

impl NodeSettings {
    /// Those of the process with this id, which has locked this file.
    pub(super) fn of(settings: &StoreSettings, url: RedisUrl, id: Arc<str>, lock: Option<&Lock>) -> Self {
        Self {
            url,
            layout: Layout::new(&settings.prefix),
            timeout: settings.timeout,
            when_down: settings.when_down,
            lease: settings.lease,
            absence: settings.absence,
            replicas: settings.replicas,
            commit_within: AtomicU64::new(millis(settings.commit_within)),
            rules: Rules::new(settings.rules),
            id,
            lock: lock.map_or_else(|| Bytes::from_static(b"-"), |lock| lock.name().to_owned().into()),
            leave_within: LEAVE_WITHIN,
            whereabouts: Whereabouts::default(),
            followers: Replicas::default(),
        }
    }

    pub(super) fn lease_millis(&self) -> Millis {
        millis(self.lease)
    }

    pub(super) fn absence_millis(&self) -> Millis {
        millis(self.absence)
    }

    pub(super) fn commit_within_millis(&self) -> Millis {
        self.commit_within.load(Ordering::Relaxed)
    }

    /// The origin may take so long from now on, if that is longer than before.
    pub(super) fn raise_commit_within(&self, commit_within: Duration) {
        self.commit_within.fetch_max(millis(commit_within), Ordering::Relaxed);
    }
}
