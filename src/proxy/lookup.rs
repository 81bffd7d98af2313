//! From a request to its place in the store, and to what is there.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE};

use super::ingress::Admitted;
use super::variants::Index;
use super::{Choices, NEVER, Shared};
use crate::fields::{Detail, Forward};
use crate::policy::{Stored, selecting};
use crate::rules::{AskedHost, Bypass, Captures, EntryRef, KeyedHost, Read, Route, Tag, WriteTarget};
use crate::store::{Fault, Kind, Lookup, Store, StoredResponse, Token};

/// What a read asks for: its route, if one speaks, and its place in the store.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) route: Option<Arc<Route>>,
    pub(super) place: EntryRef,
    /// Whom it is asked of, where the origin sees the client's Host.
    pub(super) host: Option<AskedHost>,
    /// Where what a write policy left for it is kept, if not in its own place.
    written: Option<EntryRef>,
}

/// What the store had.
pub(super) struct Seen {
    pub(super) token: Token,
    pub(super) entry: Option<Arc<StoredResponse>>,
    pub(super) invalidated: bool,
    pub(super) vary_miss: bool,
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
    /// Which variants of the key were stored at the lookup.
    pub(super) index: Option<Arc<Index>>,
}

impl Resource {
    /// Where what a write policy left for it is kept, if not in its own place.
    pub(super) fn written(&self) -> Option<EntryRef> {
        self.written.clone().or_else(|| self.place.plain())
    }

    /// The same with another place.
    pub(super) fn at(self, place: EntryRef) -> Self {
        Self { place, ..self }
    }

    /// Where the `write.around` marker of it is kept.
    pub(super) fn around(&self) -> EntryRef {
        self.written.as_ref().unwrap_or(&self.place).around()
    }

    fn has_write_policy(&self) -> bool {
        self.route.as_ref().is_some_and(|route| route.write.is_some())
    }

    fn offers(&self, target: WriteTarget) -> bool {
        let policy = self.route.as_ref().and_then(|route| route.write.as_ref());
        policy.is_some_and(|policy| policy.select.offers(target))
    }
}

impl Seen {
    /// As if the store had nothing.
    pub(super) fn nothing(token: Token) -> Self {
        Self { token, entry: None, invalidated: false, vary_miss: false, index: None }
    }

    /// As a miss, whatever was there.
    pub(super) fn missed(&self) -> Missed {
        let forward = if self.vary_miss { Forward::VaryMiss } else { Forward::UriMiss };
        let detail = self.invalidated.then_some(Detail::Invalidated);
        Missed { token: self.token, forward, detail, stale: None, index: self.index.clone() }
    }
}

/// What a write policy left where a read finds no entry of its own: the written entry, or a `write.around` marker.
async fn written_or_around(store: &Store, resource: &Resource) -> Result<Option<Arc<StoredResponse>>, Fault> {
    if let Some(written) = resource.written() {
        let written = store.lookup(&written).await?.entry.filter(|entry| entry.kind.is_written());
        if written.is_some() {
            return Ok(written);
        }
    }
    if !resource.offers(WriteTarget::Around) {
        return Ok(None);
    }
    Ok(store.lookup(&resource.around()).await?.entry)
}

impl Shared {
    /// The route and place of a read; or why it has none, and the route that said so.
    pub(super) fn resource(&self, request: &Admitted) -> Result<Resource, (Bypass, Option<Arc<Route>>)> {
        let settings = &self.settings;
        let host = self.asked_host(request);
        let keyed_host = host.as_ref().map(AskedHost::keyed);
        let path = request.target.path();
        let read = Read {
            path,
            query: request.target.query(),
            fields: &request.fields,
            host: keyed_host,
            secure: request.client.secure,
        };
        let found = settings.rules.routes.find(path);
        let route = found.as_ref().map(|(route, _)| Arc::clone(route));
        if request.body.is_some() {
            return Err((Bypass(Detail::RequestBody), route));
        }
        if request.expects {
            return Err((Bypass(Detail::Expectation), route));
        }
        let place = match &found {
            Some(_) if request.is_conditional_on_match() => Err(Bypass(Detail::Precondition)),
            Some((route, captures)) => route.place(&read, captures),
            None if settings.rules.unrouted.is_none() => Err(Bypass(Detail::RouteOff)),
            None if request.is_conditional_on_match() => Err(Bypass(Detail::Precondition)),
            // Without a route the origin is told the client's Host in X-Forwarded-Host, whatever it sees as its own.
            None => {
                let host = keyed_host.or(Some(KeyedHost::Other(request.host_text())));
                settings.rules.routes.routeless_place(&Read { host, ..read }).map(|place| {
                    if settings.rules.unrouted_by_all_fields {
                        place.selected_by(&all_fields(&request.fields))
                    } else {
                        place
                    }
                })
            }
        };
        match place.and_then(|place| self.knows_host(host.as_ref()).map(|()| place).map_err(Bypass)) {
            Ok(place) => {
                let place = self.known_by(place, host.as_ref(), route.as_deref());
                let written = found.and_then(|(route, captures)| self.written_for_all(&read, route, &captures));
                Ok(Resource { route, place, host, written })
            }
            Err(bypass) => Err((bypass, route)),
        }
    }

    /// The same place for what is fetched by a known name: nodes that know themselves by other names keep their own. What a
    /// write leaves says nothing of names, and is there for all of them.
    fn known_by(&self, place: EntryRef, asked: Option<&AskedHost>, route: Option<&Route>) -> EntryRef {
        match (&self.settings.rules.hosts, asked) {
            (Some(hosts), Some(AskedHost::Known)) if route.is_none_or(|route| route.write.is_none()) => {
                place.known_by(hosts)
            }
            _ => place,
        }
    }

    /// Where what a write policy left is kept, where the read asks for another host than the known ones.
    fn written_for_all(&self, read: &Read<'_>, route: &Arc<Route>, captures: &Captures<'_>) -> Option<EntryRef> {
        if route.write.is_none() || !matches!(read.host, Some(KeyedHost::Other(_))) {
            return None;
        }
        let place = route.place(&Read { host: self.host_of_written(), ..*read }, captures).ok()?;
        Some(place.plain().unwrap_or(place))
    }

    /// Asks the store; a second time where the answers vary by fields that only the response named.
    ///
    /// A store that was attached for reading is not changed by it.
    pub(super) async fn lookup(&self, store: &Store, resource: &Resource, request: &Admitted) -> Result<Seen, Fault> {
        let first = store.lookup(&resource.place).await?;
        let entry = match &first.entry {
            Some(index) if index.kind == Kind::VaryIndex => {
                return self.variant(store, resource, request, &first, index).await;
            }
            None if resource.has_write_policy() => written_or_around(store, resource).await?,
            entry => entry.clone(),
        };
        Ok(Seen { entry, invalidated: first.invalidated, ..Seen::nothing(first.token) })
    }

    /// What the index that the first lookup found leads to.
    async fn variant(
        &self,
        store: &Store,
        resource: &Resource,
        request: &Admitted,
        first: &Lookup,
        entry: &Arc<StoredResponse>,
    ) -> Result<Seen, Fault> {
        let index = Index::of(entry);
        let mut seen = Seen::nothing(first.token);
        if let Some(index) = &index
            && let (Some(slot), id) = index.selected(request, self.choices(resource).any_order)
        {
            let second = store.lookup(&resource.place.variant(slot, &id)).await?;
            seen.invalidated = second.invalidated;
            seen.entry = second.entry.filter(|entry| entry.tags.contains(&Tag::variant(&id)));
        }
        seen.vary_miss = seen.entry.is_none();
        seen.index = index.map(Arc::new);
        Ok(seen)
    }

    /// The choices that hold for a resource: its route's, or those for paths without one.
    pub(super) fn choices<'a>(&'a self, resource: &'a Resource) -> &'a Choices {
        match &resource.route {
            Some(route) => &route.choices,
            None => self.settings.rules.unrouted.as_ref().unwrap_or(&NEVER),
        }
    }
}

/// Every field of a request that reaches the origin on a fill, but for the client's address.
fn all_fields(fields: &HeaderMap) -> String {
    let mut names: Vec<HeaderName> = fields.keys().cloned().collect();
    let elsewhere = [IF_NONE_MATCH, IF_MODIFIED_SINCE, RANGE, IF_RANGE];
    names.retain(|name| !elsewhere.contains(name));
    names.sort_unstable_by(|left, right| left.as_str().cmp(right.as_str()));
    selecting(&names, fields, false)
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
