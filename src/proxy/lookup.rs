//! From a request to its place in the store, and to what is there.

use std::sync::Arc;

use super::Proxy;
use super::ingress::Admitted;
use crate::fields::{Detail, Forward, Vary};
use crate::policy::{Stored, selecting};
use crate::rules::{Bypass, Place, Read, Route, WriteTarget};
use crate::store::{Fault, Kind, StoredResponse, Token};

/// What a read asks for: its route, if one speaks, and its place in the store.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) route: Option<Arc<Route>>,
    pub(super) place: Place,
}

/// What the store had.
pub(super) struct Seen {
    pub(super) token: Token,
    pub(super) entry: Option<Arc<StoredResponse>>,
    invalidated: bool,
    vary_miss: bool,
}

/// What a request that has to go to the origin takes along.
pub(super) struct Missed {
    pub(super) token: Token,
    pub(super) forward: Forward,
    pub(super) detail: Option<Detail>,
    /// A stale entry: to be validated, or to stand in for an origin in trouble.
    pub(super) stale: Option<Arc<StoredResponse>>,
}

impl Resource {
    fn has_write_policy(&self) -> bool {
        self.route.as_ref().is_some_and(|route| route.write.is_some())
    }

    fn offers(&self, target: WriteTarget) -> bool {
        let policy = self.route.as_ref().and_then(|route| route.write.as_ref());
        policy.is_some_and(|policy| policy.select.offers(target))
    }
}

impl Seen {
    /// As a miss, whatever was there.
    pub(super) fn missed(self) -> Missed {
        let forward = if self.vary_miss { Forward::VaryMiss } else { Forward::UriMiss };
        let detail = self.invalidated.then_some(Detail::Invalidated);
        Missed { token: self.token, forward, detail, stale: None }
    }
}

impl Proxy {
    /// What a write policy left where a read finds no entry of its own: the written entry, or a `write.around` marker.
    async fn written_or_around(&self, resource: &Resource) -> Result<Option<Arc<StoredResponse>>, Fault> {
        if let Some(plain) = resource.place.plain() {
            let written = self.store.lookup(&plain).await?.entry.filter(|entry| entry.kind == Kind::Written);
            if written.is_some() {
                return Ok(written);
            }
        }
        if !resource.offers(WriteTarget::Around) {
            return Ok(None);
        }
        Ok(self.store.lookup(&resource.place.around()).await?.entry)
    }

    /// The route and place of a read; or why it has none, and the route that said so.
    pub(super) fn resource(&self, request: &Admitted) -> Result<Resource, (Bypass, Option<Arc<Route>>)> {
        let settings = &self.shared.settings;
        let host = request.host_text();
        let path = request.target.path();
        let keyed_host = settings.host_in_key.then_some(host);
        let read = Read { path, query: request.target.query(), fields: &request.fields, host: keyed_host };
        let found = settings.routes.find(path);
        let route = found.as_ref().map(|(route, _)| Arc::clone(route));
        if request.body.is_some() {
            return Err((Bypass(Detail::RequestBody), route));
        }
        let place = match &found {
            Some(_) if request.is_conditional_on_match() => Err(Bypass(Detail::RequestDirective)),
            Some((route, captures)) => route.place(&read, captures),
            None if settings.unrouted.is_none() => Err(Bypass(Detail::RouteOff)),
            None if request.is_conditional_on_match() => Err(Bypass(Detail::RequestDirective)),
            // Without a route the origin is told the client's Host in X-Forwarded-Host, whatever it sees as its own.
            None => settings.routes.routeless_place(&Read { host: Some(host), ..read }),
        };
        match place {
            Ok(place) => Ok(Resource { route, place }),
            Err(bypass) => Err((bypass, route)),
        }
    }

    /// Asks the store; a second time where the answers vary by fields that only the response named.
    pub(super) async fn lookup(&self, resource: &Resource, request: &Admitted) -> Result<Seen, Fault> {
        let first = self.store.lookup(&resource.place).await?;
        let index = match first.entry {
            Some(index) if index.kind == Kind::VaryIndex => index,
            None if resource.has_write_policy() => {
                let entry = self.written_or_around(resource).await?;
                return Ok(Seen { token: first.token, entry, invalidated: first.invalidated, vary_miss: false });
            }
            entry => return Ok(Seen { token: first.token, entry, invalidated: first.invalidated, vary_miss: false }),
        };
        let Vary::Fields(names) = Vary::of(&index.fields) else {
            return Ok(Seen { token: first.token, entry: None, invalidated: false, vary_miss: true });
        };
        let any_order = self.choices(resource).any_order;
        let selecting = selecting(&names, &request.forwarded_fields(), any_order);
        let second = self.store.lookup(&resource.place.variant(&selecting)).await?;
        Ok(Seen {
            token: first.token,
            vary_miss: second.entry.is_none(),
            entry: second.entry,
            invalidated: second.invalidated,
        })
    }
}

/// An entry as the policy sees it.
pub(super) fn stored(entry: &StoredResponse) -> Stored {
    Stored {
        status: entry.status,
        lifetime: entry.lifetime,
        flags: entry.flags,
        initial_age: entry.initial_age,
        response_time: entry.response_time,
    }
}
