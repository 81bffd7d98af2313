//! A follower that has waited long enough for a head: it asks the origin, too, and has whichever answer comes first.

use std::sync::Arc;

use super::Proxy;
use super::answer::Answer;
use super::collapse::{Follower, Landing};
use super::fetch::Fetch;
use super::ingress::Admitted;
use super::lookup::{Missed, Resource};
use super::patience::{Patience, SURE, UNSURE};
use super::reuse::Verdict;

/// How long a request waits for the head of an answer that somebody else has asked for.
pub(super) fn patience(resource: &Resource, missed: &Missed) -> Patience {
    if resource.route.is_some() || missed.stale.is_some() { SURE } else { UNSURE }
}

impl Proxy {
    /// Fetches, and goes on following. Where the other answer is first, this fetch goes on as one that nobody waits for.
    pub(super) async fn fetch_too(
        self: &Arc<Self>,
        mut follower: Follower,
        resource: &Resource,
        request: &Admitted,
        missed: Missed,
    ) -> Answer {
        let own = Fetch::new(resource.clone(), request.again(), missed.clone(), None);
        tokio::select! {
            answer = self.fetch(own) => answer,
            Some(answer) = self.heard(&mut follower, resource, request, &missed) => answer,
        }
    }

    /// What another fetch brings that this request may be given.
    async fn heard(
        &self,
        follower: &mut Follower,
        resource: &Resource,
        request: &Admitted,
        missed: &Missed,
    ) -> Option<Answer> {
        match follower.landed().await {
            Landing::Stored(entry, status) => self.share(resource, request, missed, &entry, status),
            Landing::Again => {
                let seen = self.shared.lookup(&self.store, resource, request).await.ok()?;
                match self.reuse(resource, request, &seen) {
                    Verdict::Deliver(answer) => Some(answer),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}
