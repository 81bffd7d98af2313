//! Does what the store had answer this request (RFC 9111 section 4)?

use std::sync::Arc;

use super::answer::Answer;
use super::ingress::Admitted;
use super::lookup::{Missed, Resource, Seen, stored};
use super::{Choices, Proxy};
use crate::fields::{CacheStatus, Detail, Forward};
use crate::policy::{Reuse, credential_in, reuse};
use crate::store::{Kind, StoredResponse};

/// What is to be done.
pub(super) enum Verdict {
    Deliver(Answer),
    /// Stale, within its stale-while-revalidate window.
    DeliverAndRefresh(Answer, Missed),
    /// The answer must not be stored: a `write.around` marker says so.
    Pass(Detail),
    Fetch(Missed),
}

impl Proxy {
    /// Whether what the store had answers this request (RFC 9111 section 4).
    pub(super) fn reuse(&self, resource: &Resource, request: &Admitted, seen: Seen) -> Verdict {
        let Some(entry) = &seen.entry else { return Verdict::Fetch(seen.missed()) };
        if entry.kind == Kind::Around {
            return Verdict::Pass(Detail::WriteAround);
        }
        let choices = self.choices(resource);
        let missed =
            |forward, detail, stale| Missed { token: seen.token, forward, detail, stale, index: seen.index.clone() };
        match self.judge(entry, request, choices) {
            Reuse::Fresh { age, ttl_left } => {
                Verdict::Deliver(self.deliver(resource, request, entry, age, hit(ttl_left, None)))
            }
            Reuse::MaxStale { age, ttl_left } => {
                let status = hit(ttl_left, Some(Detail::MaxStale));
                Verdict::Deliver(self.deliver(resource, request, entry, age, status))
            }
            Reuse::StaleWhileRevalidate { age, ttl_left } => {
                let status = hit(ttl_left, Some(Detail::StaleWhileRevalidate));
                let answer = self.deliver(resource, request, entry, age, status);
                Verdict::DeliverAndRefresh(answer, missed(Forward::Stale, None, Some(Arc::clone(entry))))
            }
            Reuse::Validate { .. } => Verdict::Fetch(missed(Forward::Stale, None, Some(Arc::clone(entry)))),
            Reuse::RequestDirective => {
                Verdict::Fetch(missed(Forward::Request, Some(Detail::RequestDirective), Some(Arc::clone(entry))))
            }
            Reuse::Credentials => {
                let detail = credential_in(&request.fields).unwrap_or(Detail::Private);
                Verdict::Fetch(missed(Forward::Bypass, Some(detail), None))
            }
        }
    }

    /// The policy's judgement of one entry for one request.
    pub(super) fn judge(&self, entry: &StoredResponse, request: &Admitted, choices: &Choices) -> Reuse {
        reuse(&stored(entry), &request.fields, choices, self.shared.clock.now())
    }
}

fn hit(ttl_left: i64, detail: Option<Detail>) -> CacheStatus {
    CacheStatus { hit: true, ttl: Some(ttl_left), detail, ..CacheStatus::default() }
}
