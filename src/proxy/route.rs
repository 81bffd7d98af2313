//! Route and key: from a request to what it asks for and where its answer is stored.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE};

use super::asked::Resource;
use super::hosts::{OtherHosts, asked_host, host_of_written};
use super::ingress::Admitted;
use crate::fields::Detail;
use crate::policy::{Choices, selecting};
use crate::rules::{AskedHost, Bypass, Captures, EntryRef, KeyedHost, Read, Route, Ruleset, place};

/// Why a read has no key, and which route says so, if one does.
pub(super) struct Unkeyed {
    pub(super) detail: Detail,
    pub(super) route: Option<Arc<Route>>,
}

impl Unkeyed {
    /// The choices that hold all the same; `None` where nothing is cached.
    pub(super) fn choices<'a>(&'a self, rules: &'a Ruleset) -> Option<&'a Choices> {
        self.route.as_ref().map(|route| &route.choices).or(rules.unrouted.as_ref())
    }
}

/// What a read asks for, or why its answer is stored nowhere.
pub(super) fn resource(rules: &Ruleset, other_hosts: &OtherHosts, request: &Admitted) -> Result<Resource, Unkeyed> {
    let host = asked_host(rules, request);
    let path = request.target.path();
    let read = Read {
        target: &request.target,
        fields: &request.fields,
        host: host.as_ref().map(AskedHost::keyed),
        secure: request.client.secure,
    };
    let found = rules.routes.find(path);
    let route = found.as_ref().map(|(route, _)| Arc::clone(route));
    match entry_ref(rules, request, &read, found.as_ref()).and_then(|at| {
        other_hosts.admits(rules, host.as_ref())?;
        Ok(at)
    }) {
        Ok(at) => {
            let at = known_by(rules, at, host.as_ref(), route.as_deref());
            let written = found.and_then(|(route, captures)| written_for_all(rules, &read, route, &captures));
            Ok(Resource { route, at, host, written })
        }
        Err(detail) => Err(Unkeyed { detail, route }),
    }
}

fn entry_ref(
    rules: &Ruleset,
    request: &Admitted,
    read: &Read<'_>,
    found: Option<&(&Arc<Route>, Captures<'_>)>,
) -> Result<EntryRef, Detail> {
    if request.body.is_some() {
        return Err(Detail::RequestBody);
    }
    if request.expects {
        return Err(Detail::Expectation);
    }
    if found.is_none() && rules.unrouted.is_none() {
        return Err(Detail::RouteOff);
    }
    if request.is_conditional_on_match() {
        return Err(Detail::Precondition);
    }
    let at = if let Some((route, captures)) = found {
        place(route, read, captures)
    } else {
        // Without a route the origin is told the client's Host in X-Forwarded-Host, whatever it sees as its own.
        let host = read.host.or(Some(KeyedHost::Other(request.host_text())));
        rules.routes.unrouted_place(&Read { host, ..*read })
    };
    let at = at.map_err(|Bypass(detail)| detail)?;
    let by_all_fields = found.is_none() && rules.unrouted_by_all_fields;
    Ok(if by_all_fields { at.selected_by(&all_fields(&request.fields)) } else { at })
}

/// The same for what is fetched by a known name: nodes that know themselves by other names keep their own. What a write
/// leaves says nothing of names, and is there for all of them.
fn known_by(rules: &Ruleset, at: EntryRef, asked: Option<&AskedHost>, route: Option<&Route>) -> EntryRef {
    match (&rules.hosts, asked) {
        (Some(hosts), Some(AskedHost::Known)) if route.is_none_or(|route| route.write.is_none()) => at.known_by(hosts),
        _ => at,
    }
}

/// Where what a write policy left is stored, where the read asks for another host than the known ones.
fn written_for_all(rules: &Ruleset, read: &Read<'_>, route: &Arc<Route>, captures: &Captures<'_>) -> Option<EntryRef> {
    if route.write.is_none() || !matches!(read.host, Some(KeyedHost::Other(_))) {
        return None;
    }
    let at = place(route, &Read { host: host_of_written(rules), ..*read }, captures).ok()?;
    Some(at.plain().unwrap_or(at))
}

/// Every field of a request that reaches the origin on a fill, but for the client's address.
fn all_fields(fields: &HeaderMap) -> String {
    let mut names: Vec<HeaderName> = fields.keys().cloned().collect();
    let elsewhere = [IF_NONE_MATCH, IF_MODIFIED_SINCE, RANGE, IF_RANGE];
    names.retain(|name| !elsewhere.contains(name));
    names.sort_unstable_by(|left, right| left.as_str().cmp(right.as_str()));
    selecting(&names, fields, false)
}
