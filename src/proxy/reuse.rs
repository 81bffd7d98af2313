//! Does what the store had answer this request (RFC 9111 section 4)?

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};

use super::answer::Answer;
use super::ingress::Admitted;
use super::lookup::{Missed, Resource, Seen, stored};
use super::{Choices, Proxy, Shared};
use crate::fields::{CacheStatus, Detail, Forward};
use crate::policy::{Reuse, asks_for_part, credential_that_counts, only_if_cached, reuse};
use crate::store::{Kind, StoredResponse};

/// What is to be done.
pub(super) enum Verdict {
    Deliver(Answer),
    /// Stale, within its stale-while-revalidate window.
    DeliverAndRefresh(Answer, Missed),
    /// The answer must not be stored.
    Pass(Forward, Detail),
    Fetch(Missed),
}

/// The same before an answer is made.
pub(super) enum Decision {
    /// The entry has this age and is told as this; it is renewed too, where something is missed.
    Deliver {
        age: Duration,
        status: CacheStatus,
        refresh: Option<Missed>,
    },
    /// The answer must not be stored: a `write.around` marker stands there, or what the origin does not have.
    Pass(Forward, Detail),
    Fetch(Missed),
}

/// How a request goes on that the store has no answer for.
pub(super) enum Onward {
    /// It wants a stored answer or none.
    OnlyIfCached,
    /// For a part of what is not stored whole: from the parts that are stored, or to the origin.
    Part,
    /// To the origin as the HEAD that it is.
    Head,
    /// To the origin for all who ask.
    Fetch,
}

impl Proxy {
    /// Whether what the store had answers this request (RFC 9111 section 4).
    pub(super) fn reuse(&self, resource: &Resource, request: &Admitted, seen: &Seen) -> Verdict {
        match (self.shared.decide(resource, request, seen), &seen.entry) {
            (Decision::Deliver { age, status, refresh }, Some(entry)) => {
                let answer = self.deliver(resource, request, entry, age, status);
                match refresh {
                    Some(missed) => Verdict::DeliverAndRefresh(answer, missed),
                    None => Verdict::Deliver(answer),
                }
            }
            (Decision::Deliver { .. }, None) => Verdict::Fetch(seen.missed()),
            (Decision::Pass(forward, detail), _) => Verdict::Pass(forward, detail),
            (Decision::Fetch(missed), _) => Verdict::Fetch(missed),
        }
    }
}

impl Shared {
    /// What is to be done with what the store had for this request.
    pub(super) fn decide(&self, resource: &Resource, request: &Admitted, seen: &Seen) -> Decision {
        let Some(entry) = &seen.entry else { return Decision::Fetch(seen.missed()) };
        if entry.kind == Kind::Around {
            return Decision::Pass(Forward::Bypass, Detail::WriteAround);
        }
        let missed =
            |forward, detail, stale| Missed { token: seen.token, forward, detail, stale, index: seen.index.clone() };
        match self.judge(entry, request, self.choices(resource)) {
            Reuse::Fresh { age, ttl_left } => Decision::Deliver { age, status: hit(ttl_left, None), refresh: None },
            Reuse::MaxStale { age, ttl_left } => {
                Decision::Deliver { age, status: hit(ttl_left, Some(Detail::MaxStale)), refresh: None }
            }
            Reuse::StaleWhileRevalidate { age, ttl_left } => {
                let refresh = Some(missed(Forward::Stale, None, Some(Arc::clone(entry))));
                Decision::Deliver { age, status: hit(ttl_left, Some(Detail::StaleWhileRevalidate)), refresh }
            }
            Reuse::Validate { .. } => Decision::Fetch(missed(Forward::Stale, None, Some(Arc::clone(entry)))),
            // The origin's answer is for this client alone: the entry is all there is of what was written to the cache only.
            Reuse::RequestDirective if self.holds_out(entry, resource, request) => {
                Decision::Pass(Forward::Request, Detail::RequestDirective)
            }
            Reuse::RequestDirective => {
                Decision::Fetch(missed(Forward::Request, Some(Detail::RequestDirective), Some(Arc::clone(entry))))
            }
            Reuse::Credentials => {
                let counts = credential_that_counts(&request.fields, self.choices(resource));
                let detail = counts.unwrap_or(Detail::Private);
                Decision::Fetch(missed(Forward::Bypass, Some(detail), None))
            }
        }
    }

    /// Whether an entry stays, and this request goes past it: it was written to the cache only, and is fresh for whoever
    /// asks for nothing in particular.
    fn holds_out(&self, entry: &StoredResponse, resource: &Resource, request: &Admitted) -> bool {
        let (choices, now) = (self.choices(resource), self.clock.now());
        entry.kind == Kind::CacheOnly
            && matches!(reuse(&stored(entry), &HeaderMap::new(), choices, now), Reuse::Fresh { .. })
            && !only_if_cached(&request.fields, choices)
    }

    /// How a request goes on that the store has no answer for.
    pub(super) fn onward(&self, resource: &Resource, request: &Admitted) -> Onward {
        // On a route the whole is fetched, and the part taken out of it.
        if resource.route.is_none() && request.method == Method::GET && asks_for_part(&request.fields) {
            return Onward::Part;
        }
        if only_if_cached(&request.fields, self.choices(resource)) {
            return Onward::OnlyIfCached;
        }
        if request.method == Method::HEAD {
            return Onward::Head;
        }
        Onward::Fetch
    }

    /// The policy's judgement of one entry for one request.
    pub(super) fn judge(&self, entry: &StoredResponse, request: &Admitted, choices: &Choices) -> Reuse {
        reuse(&stored(entry), &request.fields, choices, self.clock.now())
    }
}

fn hit(ttl_left: i64, detail: Option<Detail>) -> CacheStatus {
    CacheStatus { hit: true, ttl: Some(ttl_left), detail, ..CacheStatus::default() }
}
