//! Writes that a `[route.write]` policy speaks of: through, around, and to the cache.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, VIA};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::annotate;
use super::answer::{Answer, VIA_ASIDE};
use super::asked::fault_detail;
use super::core::Core;
use super::error::Refusal;
use super::fetch::verdict;
use super::hosts::host_of_written;
use super::ingress::Admitted;
use super::invalidate::{UnderWay, dropped, tags, telling};
use super::pass::passed;
use super::read::read_for_the_store;
use super::words::{Words, named_by};
use crate::body::Body;
use crate::clock::Stopwatch;
use crate::fields::{CacheControl, CacheStatus, Detail, Forward};
use crate::handler::Client;
use crate::policy::{Effect, Lifetime, LifetimeSource, StoredFlags, lifetime};
use crate::rules::{
    self, EntryRef, Invalidation, JsonTemplate, LazyJson, Overriding, Route, Ruleset, Tag, Write, WriteTarget, Written,
};
use crate::store::{Change, Fault, Kind, Otherwise, PutOutcome, Since, StoredResponse, Token};
use crate::telemetry::Done;

/// What a write chose of a route's policy.
pub(super) struct Chosen {
    pub(super) route: Arc<Route>,
    pub(super) target: WriteTarget,
    /// The value of the parameter that chose.
    pub(super) value: String,
}

/// What a policy leaves in the place of an entry.
enum Left {
    /// This, there.
    Entry(EntryRef, Box<StoredResponse>),
    /// What a GET fetches.
    Fetch,
    /// Nothing, for this reason.
    Nothing(Detail),
}

/// How often a write to the cache only begins anew because of another one.
const ATTEMPTS: usize = 32;

impl Chosen {
    /// What a write chose, if a policy speaks of it. Where it may be another method nobody knows whether one does: then it
    /// is what the request line says that counts here.
    pub(super) fn by(request: &Admitted, words: &Words) -> Option<Self> {
        let routes = &words.rules.routes;
        let (write, alone) = (words.write(request), Overriding::default());
        let overriding = if write.overriding.methods.is_empty() { &alone } else { write.overriding };
        let (route, policy, _) = routes.write_policy(&Write { overriding, ..write })?;
        let (target, value) = policy.select.choose(request.query())?;
        Some(Self { route: Arc::clone(route), target, value: value.into_owned() })
    }
}

/// How long a `write.around` marker is stored at most.
const MARKED_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// `through` and `around`: the origin first; on success the entry is dropped and filled again, or marked.
pub(super) async fn write_by_policy(
    core: &Arc<Core>,
    request: &Admitted,
    body: Body,
    mut words: Words,
    chosen: &Chosen,
) -> Answer {
    let route = &chosen.route;
    let written = written(request, &words, route);
    // The token is taken before the origin sees the write: whoever writes the same entry meanwhile is noticed.
    let before = async {
        match &written {
            Some(written) => {
                let seen = core.store.lookup(&written.place).await;
                seen.map(|seen| seen.token).map_err(|fault| fault_detail(&fault))
            }
            None => Err(Detail::ValueUnknown),
        }
    };
    let (under_way, before) = tokio::join!(UnderWay::begin(core, request, &words), before);
    let under_way = match under_way {
        Ok(under_way) => under_way,
        Err(refusal) => return refusal.answer(),
    };
    let (answered, mut under_way) = match under_way.forward(request, body, &words).await {
        Ok(answered) => answered,
        Err(answer) => return answer,
    };
    let status = answered.head.status;
    if status.is_client_error() {
        under_way.changed_nothing();
        return passed(answered, Forward::Method, None);
    }
    words.hear(
        request,
        status,
        &answered.head.headers,
        named_by(&words.rules, core.origin.settings(), request, &answered.head.headers),
    );
    let mut answer = passed(answered, Forward::Method, None);
    let drops = words.invalidations(request);
    let took_place = !status.is_server_error() && words.rules.routes.effect(&words.write(request)) == Effect::Anything;
    if !took_place {
        return under_way.invalidated(&drops, answer).await;
    }
    let values = Values { request, words: &words, chosen };
    let (told, asked) = (dropped(&words.rules, &drops), Stopwatch::start());
    let done = invalidate_and_put(core, &values, written.as_ref(), before, (&mut under_way, &drops)).await;
    if let Ok((stored, detail)) = done {
        (answer.cache_status.stored, answer.cache_status.detail) = (stored, Some(detail));
    }
    telling(core, answer, told, asked, done.map(|_| Done::Confirmed))
}

/// Invalidates what a write changed that the origin has carried out, and puts in the same step what the policy leaves
/// in the place of the entry. Says whether the entry is stored, and what that is told as.
///
/// `before` is the token from before the write was forwarded: where another write of the same entry was under way
/// meanwhile, only the origin knows which came last, and nothing is put.
async fn invalidate_and_put(
    core: &Arc<Core>,
    values: &Values<'_>,
    written: Option<&Written>,
    before: Result<Token, Detail>,
    (under_way, drops): (&mut UnderWay, &[Invalidation]),
) -> Result<(bool, Detail), Fault> {
    let Some(written) = written else {
        under_way.invalidate(drops, &[], None).await?;
        return Ok((false, Detail::ValueUnknown));
    };
    let around = values.chosen.target == WriteTarget::Around;
    let marks = if around { Vec::new() } else { vec![written.place.around_tag()] };
    let settle = under_way.settle(drops);
    let left = settled(left_by(core, values, written), &settle, &values.chosen.route);
    // A marker says nothing about what the origin has, so a token from after the write does, too.
    let before = match before {
        Err(_) if around => {
            core.store.lookup(&written.place).await.map(|seen| seen.token).map_err(|fault| fault_detail(&fault))
        }
        before => before,
    };
    let told = match (before, left) {
        (Ok(token), Left::Entry(place, entry)) => {
            let since = Since { token, watched: Vec::new() };
            let (tags, mark) = (tags(drops, &marks), under_way.ends());
            let change = Change { mark: mark.as_ref(), ..Change::of(&tags).settling(&settle) };
            let (_, kept) =
                core.store.invalidate_and_put(change, &since, &place, *entry, Otherwise::Invalidate).await?;
            under_way.has_dropped(drops, &marks);
            verdict(kept).map(|()| !around)
        }
        (Ok(token), Left::Fetch) => {
            let since = Since { token, watched: written.place.tags.to_vec() };
            if under_way.invalidate(drops, &marks, Some(&since)).await?.alone {
                fill_again(core, Arc::clone(&values.words.rules), written.target.clone(), values.request);
                Ok(false)
            } else {
                Err(Detail::RacedWrite)
            }
        }
        (Err(detail), _) | (Ok(_), Left::Nothing(detail)) => {
            under_way.invalidate(drops, &marks, None).await?;
            Err(detail)
        }
    };
    Ok(match told {
        Ok(_) if around => (false, Detail::WriteAround),
        Ok(stored) => (stored, Detail::WriteThrough),
        Err(detail) => (false, detail),
    })
}

/// What is left where some of it is to settle. An entry would say what was written, and yet it stays away: its tags are those of
/// other answers, too, which a replica may still give from before the write. So may what a GET would fetch.
fn settled(left: Left, settle: &[(Tag, Duration)], route: &Route) -> Left {
    let is_held = |entry: &StoredResponse| settle.iter().any(|(tag, _)| entry.tags.contains(tag));
    match left {
        Left::Entry(_, entry) if is_held(&entry) => Left::Nothing(Detail::Held),
        Left::Fetch if !route.settle.is_zero() => Left::Nothing(Detail::Held),
        left => left,
    }
}

/// What the policy leaves in the place of the entry that the origin has written.
///
/// What a user writes whose reads go past the cache is for that user first of all: a GET without credentials tells
/// what all others may see of it.
fn left_by(core: &Core, values: &Values<'_>, written: &Written) -> Left {
    let route = &values.chosen.route;
    if values.chosen.target == WriteTarget::Around {
        let place = written.place.around();
        let marker = Box::new(marker(core, &place));
        return Left::Entry(place, marker);
    }
    let for_all = route.refuse_credentials(&values.request.fields).is_ok();
    let Some(template) = route.write.as_ref().and_then(|policy| policy.entry.as_ref()).filter(|_| for_all) else {
        return Left::Fetch;
    };
    let json = values.fill_in(template).ok_or(Detail::ValueUnknown);
    match json.and_then(|json| written_entry(core, Kind::Written, route, written, json.into())) {
        Ok(entry) => Left::Entry(written.place.clone(), Box::new(entry)),
        Err(detail) => Left::Nothing(detail),
    }
}

/// `cache`: the proxy answers, and the origin never sees the write.
pub(super) async fn write_to_cache(core: &Arc<Core>, request: &Admitted, words: &Words, chosen: &Chosen) -> Answer {
    let route = &chosen.route;
    let Some((entry, reply)) =
        route.write.as_ref().and_then(|policy| Some((policy.entry.as_ref()?, policy.reply.as_ref()?)))
    else {
        return Refusal::NotKept.answer();
    };
    if !route.write.as_ref().and_then(|policy| policy.cache_by.as_ref()).is_some_and(|by| by.admits(&request.fields)) {
        return Refusal::NotAdmitted.answer();
    }
    if request.expects {
        return Refusal::UnknownExpectation.answer();
    }
    if words.may_be_another() || !words.has_json() {
        let why = "A write to the cache needs a JSON body, small enough to be read in full, and no other method than its own.";
        return Refusal::BadEntry(why.to_owned()).answer();
    }
    let Some(written) = written(request, words, route) else {
        let why = format!(
            "A value for the key `{}` is missing in the path, the query and the JSON body.",
            route.key.as_str()
        );
        return Refusal::BadEntry(why).answer();
    };
    let values = Values { request, words, chosen };
    let (Some(json), Some(answer)) = (values.fill_in(entry), values.fill_in(&reply.json)) else {
        return Refusal::BadEntry("The JSON body lacks a value that the answer needs.".to_owned()).answer();
    };
    let drops = words.rules.routes.invalidations_in_cache(&words.write(request));
    let (told, asked) = (dropped(&words.rules, &drops), Stopwatch::start());
    let tags = tags(&drops, &[written.place.around_tag()]);
    if let Err(detail) = put_only(core, route, &written, &tags, json.into()).await {
        let mut answer = Refusal::NotKept.answer();
        answer.cache_status.detail = Some(detail);
        return answer;
    }
    let mut response = Response::new(Body::full(answer));
    *response.status_mut() = reply.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(VIA, VIA_ASIDE);
    if let Ok(location) = HeaderValue::from_str(written.target.as_str()) {
        response.headers_mut().insert(LOCATION, location);
    }
    let status = CacheStatus { stored: true, detail: Some(Detail::WriteCache), ..CacheStatus::default() };
    telling(core, Answer::new(response, status), told, asked, Ok(Done::Confirmed))
}

fn written(request: &Admitted, words: &Words, route: &Arc<Route>) -> Option<Written> {
    rules::written(route, &words.write(request), host_of_written(&words.rules))
}

/// Makes the tags old and puts what a later GET is to answer, which the origin does not have, in one step. Who is raced
/// by another write has done nothing yet, and does it after that one; of several at least one gets on each time.
async fn put_only(core: &Core, route: &Route, written: &Written, tags: &[Tag], json: Bytes) -> Result<(), Detail> {
    let mut token = core.store.lookup(&written.place).await.map_err(|fault| fault_detail(&fault))?.token;
    for _ in 0..ATTEMPTS {
        let entry = written_entry(core, Kind::CacheOnly, route, written, json.clone())?;
        let since = Since { token, watched: Vec::new() };
        let done =
            core.store.invalidate_and_put(Change::of(tags), &since, &written.place, entry, Otherwise::Nothing).await;
        match done.map_err(|fault| fault_detail(&fault))? {
            (now, Ok(PutOutcome::RacedWrite)) => token = now.token,
            (_, kept) => return verdict(kept),
        }
    }
    Err(Detail::RacedWrite)
}

/// The entry that a write leaves; its token is the store's to give.
fn written_entry(
    core: &Core,
    kind: Kind,
    route: &Route,
    written: &Written,
    json: Bytes,
) -> Result<StoredResponse, Detail> {
    let mut fields = HeaderMap::new();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let control = CacheControl::default();
    let now = core.shared.clock.now();
    let lifetime = lifetime(StatusCode::OK, &fields, &control, &route.choices, now).ok_or(Detail::NoFreshness)?;
    let mut tags = written.place.tags.to_vec();
    if kind != Kind::CacheOnly {
        let (path, query) = (written.target.path(), written.target.query().unwrap_or_default());
        tags.extend(route.fetched_tags(path, query));
    }
    tags.extend(written_tags(route, written, &json).ok_or(Detail::TagUnknown)?);
    Ok(annotate::counted_in(entry(core, kind, fields, json, lifetime, tags), Some(route)))
}

/// What stands beside the entry: answers of this key are not stored until a `through` write takes it away.
fn marker(core: &Core, place: &EntryRef) -> StoredResponse {
    let lifetime = Lifetime {
        fresh_for: MARKED_FOR,
        source: LifetimeSource::RouteTtl,
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
    };
    entry(core, Kind::Around, HeaderMap::new(), Bytes::new(), lifetime, place.tags.to_vec())
}

fn entry(
    core: &Core,
    kind: Kind,
    fields: HeaderMap,
    body: Bytes,
    lifetime: Lifetime,
    tags: Vec<Tag>,
) -> StoredResponse {
    let flags = StoredFlags::of(&CacheControl::default());
    let (now, token) = (core.shared.clock.now(), Token { epoch: 0, seq: 0 });
    StoredResponse::new(kind, StatusCode::OK, fields, body, now, Duration::ZERO, lifetime, flags, tags, token)
        .compact()
        .lent(&core.shared.answers)
}

fn fill_again(core: &Arc<Core>, rules: Arc<Ruleset>, target: PathAndQuery, write: &Admitted) {
    let request = Admitted {
        method: Method::GET,
        target,
        fields: HeaderMap::new(),
        body: None,
        host: write.host.clone(),
        client: Client { address: None, ..write.client },
        version: http::Version::HTTP_11,
        upgrade: None,
        interim: None,
        share: None,
        expects: false,
    };
    read_for_the_store(core, rules, request);
}

/// The tags that the route gives a written entry, as it would give them to the origin's answer.
fn written_tags(route: &Route, written: &Written, json: &Bytes) -> Option<Vec<Tag>> {
    let (path, query) = (written.target.path(), written.target.query().unwrap_or_default());
    let captures = route.path.matches(path).unwrap_or_default();
    route.named_tags(|name| route.read_value(name, query, &captures), &LazyJson::new(json))
}

/// What a policy's templates are filled in with.
struct Values<'a> {
    request: &'a Admitted,
    words: &'a Words,
    chosen: &'a Chosen,
}

impl Values<'_> {
    /// The template with the values put in; `None` when one of them is unknown, or the body is not there as JSON.
    fn fill_in(&self, template: &JsonTemplate) -> Option<String> {
        let body = std::str::from_utf8(&self.words.raw).ok().filter(|_| self.words.has_json())?;
        let write = self.words.write(self.request);
        let parameter = self.chosen.route.write.as_ref().and_then(|policy| policy.select.parameter());
        template.render(body, |name| {
            if parameter == Some(name) {
                return Some(Cow::Borrowed(self.chosen.value.as_str()));
            }
            rules::written_value(&self.chosen.route, &write, name)
        })
    }
}
