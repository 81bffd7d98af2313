//! The values that the steps of a read hand on: what is asked, what the store had, what a miss takes along.

use std::sync::Arc;

use super::ingress::Admitted;
use super::variants::Index;
use crate::fields::{Detail, Forward};
use crate::policy::{Choices, Stored};
use crate::rules::{AskedHost, EntryRef, Route, Ruleset, WriteTarget};
use crate::store::{Fault, StoredResponse, Token, Withheld};

/// A read, and the rules that hold for it to its end.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) rules: Arc<Ruleset>,
    pub(super) request: Admitted,
    pub(super) resource: Resource,
}

/// What a read asks for: its route, if one speaks, and where its answer is stored.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) route: Option<Arc<Route>>,
    pub(super) at: EntryRef,
    /// Whom it is asked of, where the origin sees the client's Host.
    pub(super) host: Option<AskedHost>,
    /// Where what a write policy left for it is stored, if not with its own answer.
    pub(super) written: Option<EntryRef>,
}

/// What the store had.
pub(super) struct Seen {
    pub(super) token: Token,
    pub(super) entry: Option<Arc<StoredResponse>>,
    pub(super) invalidated: bool,
    pub(super) vary_miss: bool,
    /// The entry was invalidated softly.
    pub(super) soft: bool,
    /// Why the store gave nothing out.
    pub(super) withheld: Option<Withheld>,
    /// Which variants of the key are stored.
    pub(super) index: Option<Arc<Index>>,
}

/// What a request that has to go to the origin takes along.
#[derive(Clone)]
pub(super) struct Missed {
    pub(super) token: Token,
    pub(super) forward: Forward,
    pub(super) detail: Option<Detail>,
    /// A stale entry: to be validated, or to stand in for an origin in trouble.
    pub(super) stale: Option<Arc<StoredResponse>>,
    /// That one was invalidated softly.
    pub(super) soft: bool,
    /// Which variants of the key were stored at the lookup.
    pub(super) index: Option<Arc<Index>>,
}

impl Asked {
    /// The choices that hold: the route's, or those for paths without one.
    pub(super) fn choices(&self) -> &Choices {
        self.rules.choices(self.route())
    }

    /// The route that speaks, if one does.
    pub(super) fn route(&self) -> Option<&Route> {
        self.resource.route.as_deref()
    }
}

impl Resource {
    /// Where what a write policy left for it is stored, if not with its own answer.
    pub(super) fn written(&self) -> Option<EntryRef> {
        self.written.clone().or_else(|| self.at.plain())
    }

    /// Where the `write.around` marker of it is stored.
    pub(super) fn around(&self) -> EntryRef {
        self.written.as_ref().unwrap_or(&self.at).around()
    }

    pub(super) fn has_write_policy(&self) -> bool {
        self.route.as_ref().is_some_and(|route| route.write.is_some())
    }

    pub(super) fn offers(&self, target: WriteTarget) -> bool {
        let policy = self.route.as_ref().and_then(|route| route.write.as_ref());
        policy.is_some_and(|policy| policy.select.offers(target))
    }
}

impl Seen {
    /// As if the store had nothing.
    pub(super) fn nothing(token: Token) -> Self {
        Self { token, entry: None, invalidated: false, vary_miss: false, soft: false, withheld: None, index: None }
    }

    /// Nothing, since the store gives nothing out.
    pub(super) fn withheld(token: Token, why: Withheld) -> Self {
        Self { withheld: Some(why), ..Self::nothing(token) }
    }

    /// As a miss, whatever was there.
    pub(super) fn missed(&self) -> Missed {
        let forward = if self.vary_miss { Forward::VaryMiss } else { Forward::UriMiss };
        self.as_missed(forward, self.invalidated.then_some(Detail::Invalidated), None)
    }

    /// As a miss that is told so, with an entry to be validated.
    pub(super) fn as_missed(
        &self,
        forward: Forward,
        detail: Option<Detail>,
        stale: Option<Arc<StoredResponse>>,
    ) -> Missed {
        Missed { token: self.token, forward, detail, stale, soft: self.soft, index: self.index.clone() }
    }
}

/// An entry as the policy sees it, and whether it was invalidated softly.
pub(super) fn stored(entry: &StoredResponse, soft: bool) -> Stored {
    Stored {
        status: entry.status,
        lifetime: entry.lifetime,
        flags: entry.flags,
        initial_age: entry.initial_age,
        response_time: entry.response_time,
        soft,
    }
}

/// The reason that a store's fault is told as.
pub(super) fn fault_detail(fault: &Fault) -> Detail {
    match fault {
        Fault::Timeout => Detail::StoreTimeout,
        Fault::Full => Detail::StoreFull,
        Fault::Down | Fault::Refused(_) => Detail::StoreDown,
    }
}

/// The reason that is told where a store gives nothing out.
pub(super) fn withheld_detail(why: Withheld) -> Detail {
    match why {
        Withheld::Lapsed => Detail::StoreLapsed,
        Withheld::Peer => Detail::PeerSilent,
        Withheld::Rules => Detail::RulesDiffer,
    }
}
