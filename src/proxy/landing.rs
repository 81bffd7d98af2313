//! Landing: what those hear who waited for a fetch.

use std::sync::Arc;

use http::StatusCode;

use crate::origin::OriginError;
use crate::store::StoredResponse;

/// How a fetch ended, for those who waited.
#[derive(Clone, Debug)]
pub(super) enum Landing {
    /// The answer is stored and may be shared.
    Stored {
        /// The answer.
        entry: Arc<StoredResponse>,
        /// The status that the origin gave for it.
        status: StatusCode,
        /// The store vouched for those who came while it was fetched.
        vouched: bool,
    },
    /// The answer is not for others: each fetches its own, at once.
    HitForMiss,
    /// The same, for its body is still coming a moment after its head.
    StillComing,
    /// The origin gave no answer: nobody needs to ask it again right now.
    Failed(OriginError),
    /// The origin answered that it is in trouble, and something stale stood in.
    Trouble(StatusCode),
    /// A write overtook the fetch, or the leader went away: look again.
    Again,
}

impl Landing {
    /// The same, where the origin gave this status for it.
    pub(super) fn with_status(self, status: StatusCode) -> Self {
        match self {
            Self::Stored { entry, vouched, .. } => Self::Stored { entry, status, vouched },
            other => other,
        }
    }
}
