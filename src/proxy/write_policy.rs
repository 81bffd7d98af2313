//! Writes that a `[route.write]` policy speaks of: through, around, and to the cache.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::answer::Answer;
use super::error::Refusal;
use super::ingress::Admitted;
use super::keep::verdict;
use super::pass::passed;
use super::words::Words;
use super::{Client, Proxy, fault_detail};
use crate::fields::{CacheControl, CacheStatus, Detail, Forward};
use crate::origin::Body;
use crate::policy::{Effect, Lifetime, LifetimeSource, StoredFlags, lifetime};
use crate::rules::{JsonTemplate, Overriding, Place, Route, Routes, Tag, Write, WriteTarget, Written};
use crate::store::{Finished, Kind, Since, StoredResponse, Token, Upon};

/// What a write chose of a route's policy.
pub(super) struct Chosen {
    pub(super) route: Arc<Route>,
    pub(super) target: WriteTarget,
    /// The value of the parameter that chose.
    pub(super) value: String,
}

impl Chosen {
    /// What a write chose, if a policy speaks of it. Where it may be another method nobody knows whether one does: then it
    /// is what the request line says that counts here.
    pub(super) fn by(request: &Admitted, words: &Words, routes: &Routes) -> Option<Self> {
        let (write, alone) = (words.write(request), Overriding::default());
        let overriding = if write.overriding.methods.is_empty() { &alone } else { write.overriding };
        let (route, policy, _) = routes.write_policy(&Write { overriding, ..write })?;
        let (target, value) = policy.select.choose(request.query())?;
        Some(Self { route: Arc::clone(route), target, value: value.into_owned() })
    }
}

/// How long a `write.around` marker is kept at most.
const MARKED_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

impl Proxy {
    /// `through` and `around`: the origin first; on success the entry is dropped and filled again, or marked.
    pub(super) async fn write_by_policy(
        self: &Arc<Self>,
        request: &Admitted,
        body: Body,
        mut words: Words,
        chosen: &Chosen,
    ) -> Answer {
        let route = &chosen.route;
        let written = self.written(request, &words, route);
        // The token is taken before the origin sees the write: whoever writes the same entry meanwhile is noticed.
        let before = match &written {
            Some(written) => self.store.lookup(&written.place).await.map_err(|fault| fault_detail(&fault)),
            None => Err(Detail::WriteThrough),
        };
        let answered = match self.forward_write(request, body, &words).await {
            Ok(answered) => answered,
            Err(answer) => return answer,
        };
        let status = answered.head.status;
        if status.is_client_error() {
            return passed(answered, Forward::Method, None);
        }
        words.hear(request, status, &answered.head.headers, self.named_by(request, &answered.head.headers));
        let mut answer = passed(answered, Forward::Method, None);
        let drops = self.shared.settings.routes.invalidations(&words.write(request));
        let took_place =
            !status.is_server_error() && self.shared.settings.routes.effect(&words.write(request)) == Effect::Anything;
        if !took_place {
            return match self.finish(&drops, &[], None).await {
                Ok(_) => answer,
                Err(fault) => self.unfinished(answer, &fault),
            };
        }
        let marks: Vec<Tag> = written.iter().flat_map(|written| written.place.around().tags.to_vec()).collect();
        let besides: &[Tag] = if chosen.target == WriteTarget::Through { &marks } else { &[] };
        let values = Values { request, words: &words, chosen };
        let since = match (&before, &written) {
            (Ok(seen), Some(written)) => Some(Since { token: seen.token, watched: values.watched(written) }),
            _ => None,
        };
        let finished = match self.finish(&drops, besides, since.as_ref()).await {
            Ok(finished) => finished,
            Err(fault) => return self.unfinished(answer, &fault),
        };
        let Some(written) = written else { return answer };
        let before = before.map(|_| ());
        let (stored, detail) = self.mark_or_refill(&values, &written, before, finished).await;
        (answer.cache_status.stored, answer.cache_status.detail) = (stored, Some(detail));
        answer
    }

    /// What becomes of the entry of a finished write, which could not be looked up before it where `before` says so:
    /// whether it is stored, and what that is told as.
    async fn mark_or_refill(
        self: &Arc<Self>,
        values: &Values<'_>,
        written: &Written,
        before: Result<(), Detail>,
        after: Finished,
    ) -> (bool, Detail) {
        if values.chosen.target == WriteTarget::Around {
            self.mark_around(&written.place.around(), after.token).await;
            return (false, Detail::WriteAround);
        }
        let kept = match before {
            Err(detail) => Err(detail),
            // Another write of the same entry was under way: which came last only the origin knows.
            Ok(()) if !after.alone => Err(Detail::RacedWrite),
            Ok(()) => self.refill(values, written, after.token).await,
        };
        (kept == Ok(true), kept.err().unwrap_or(Detail::WriteThrough))
    }

    /// `cache`: the proxy answers, and the origin never sees the write.
    pub(super) async fn write_to_cache(self: &Arc<Self>, request: &Admitted, words: &Words, chosen: &Chosen) -> Answer {
        let route = &chosen.route;
        let Some((entry, reply)) =
            route.write.as_ref().and_then(|policy| Some((policy.entry.as_ref()?, policy.reply.as_ref()?)))
        else {
            return Refusal::NotKept.answer();
        };
        if !route
            .write
            .as_ref()
            .and_then(|policy| policy.cache_by.as_ref())
            .is_some_and(|by| by.admits(&request.fields))
        {
            return Refusal::NotAdmitted.answer();
        }
        if words.may_be_another() || !words.has_json() {
            let why = "A write to the cache needs a JSON body, small enough to be read in full.";
            return Refusal::BadEntry(why.to_owned()).answer();
        }
        let Some(written) = self.written(request, words, route) else {
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
        let drops = self.shared.settings.routes.invalidations_in_cache(&words.write(request));
        let Ok(before) = self.store.lookup(&written.place).await else { return Refusal::NotKept.answer() };
        let marks = written.place.around().tags;
        let Ok(finished) = self.finish(&drops, &marks, Some(&Since { token: before.token, watched: Vec::new() })).await
        else {
            return Refusal::NotKept.answer();
        };
        let token = finished.token;
        if self.keep_written(route, &written, json.into(), token, true).await.is_err() {
            return Refusal::NotKept.answer();
        }
        let mut response = Response::new(Body::full(answer));
        *response.status_mut() = reply.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(location) = HeaderValue::from_str(&written.target) {
            response.headers_mut().insert(LOCATION, location);
        }
        let status = CacheStatus { stored: true, detail: Some(Detail::WriteCache), ..CacheStatus::default() };
        Answer::new(response, status)
    }

    fn written(&self, request: &Admitted, words: &Words, route: &Arc<Route>) -> Option<Written> {
        route.written(&words.write(request), self.shared.host_of_written())
    }

    /// Keeps what a later GET is to answer, from the policy's template; or else has a GET fetch it, and says false.
    ///
    /// What a user writes whose reads go past the cache is for that user first of all: a GET without credentials tells
    /// what all others may see of it.
    async fn refill(self: &Arc<Self>, values: &Values<'_>, written: &Written, token: Token) -> Result<bool, Detail> {
        let route = &values.chosen.route;
        let for_all = route.refuse_credentials(&values.request.fields).is_ok();
        let Some(entry) = route.write.as_ref().and_then(|policy| policy.entry.as_ref()).filter(|_| for_all) else {
            self.fill_again(&written.target, values.request);
            return Ok(false);
        };
        let json = values.fill_in(entry).ok_or(Detail::WriteThrough)?;
        self.keep_written(route, written, json.into(), token, false).await.map(|()| true)
    }

    async fn keep_written(
        &self,
        route: &Route,
        written: &Written,
        json: Bytes,
        token: Token,
        cache_only: bool,
    ) -> Result<(), Detail> {
        let mut fields = HeaderMap::new();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let control = CacheControl::default();
        let now = self.shared.clock.now();
        let lifetime = lifetime(StatusCode::OK, &fields, &control, &route.choices, now).ok_or(Detail::NoFreshness)?;
        let mut tags = written.place.tags.to_vec();
        tags.extend(route.fetched_tag().filter(|_| !cache_only));
        tags.extend(written_tags(route, written, &json).ok_or(Detail::TagUnknown)?);
        let entry = self.entry(Kind::Written, fields, json, lifetime, tags, token);
        verdict(self.store.keep(&written.place, Arc::new(entry), Upon::Anything).await)
    }

    /// Leaves a marker beside the entry: answers of this key are not stored until a `through` write takes it away.
    async fn mark_around(&self, place: &Place, token: Token) {
        let lifetime = Lifetime {
            fresh_for: MARKED_FOR,
            source: LifetimeSource::RouteTtl,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
        };
        let entry = self.entry(Kind::Around, HeaderMap::new(), Bytes::new(), lifetime, place.tags.to_vec(), token);
        if let Err(fault) = self.store.keep(place, Arc::new(entry), Upon::Anything).await {
            tracing::debug!(%fault, key = %place.key, "a write-around marker was not kept");
        }
    }

    fn entry(
        &self,
        kind: Kind,
        fields: HeaderMap,
        body: Bytes,
        lifetime: Lifetime,
        tags: Vec<Tag>,
        token: Token,
    ) -> StoredResponse {
        let flags = StoredFlags::of(&CacheControl::default());
        let now = self.shared.clock.now();
        StoredResponse::new(kind, StatusCode::OK, fields, body, now, Duration::ZERO, lifetime, flags, tags, token)
    }

    fn fill_again(self: &Arc<Self>, target: &str, write: &Admitted) {
        let Ok(target) = target.parse() else { return };
        let request = Admitted {
            method: Method::GET,
            target,
            fields: HeaderMap::new(),
            body: None,
            host: write.host.clone(),
            client: Client { address: None, ..write.client },
            version: http::Version::HTTP_11,
            upgrade: None,
            early: None,
        };
        let proxy = Arc::clone(self);
        tokio::spawn(async move { drop(proxy.read(request).await) });
    }
}

/// The tags that the route gives a written entry, as it would give them to the origin's answer.
fn written_tags(route: &Route, written: &Written, json: &Bytes) -> Option<Vec<Tag>> {
    let (path, query) = written.target.split_once('?').unwrap_or((&written.target, ""));
    let captures = route.path.matches(path).unwrap_or_default();
    route.named_tags(|name| route.read_value(name, query, &captures), serde_json::from_slice(json).ok().as_ref())
}

/// What a policy's templates are filled in with.
struct Values<'a> {
    request: &'a Admitted,
    words: &'a Words,
    chosen: &'a Chosen,
}

impl Values<'_> {
    /// Whoever drops the entry by its path, with its route or by a tag counts as much as who drops it by its key.
    fn watched(&self, written: &Written) -> Vec<Tag> {
        let route = &self.chosen.route;
        let entry = route.write.as_ref().and_then(|policy| policy.entry.as_ref());
        let named = entry.and_then(|entry| written_tags(route, written, &self.fill_in(entry)?.into()));
        written.place.tags.iter().cloned().chain(named.into_iter().flatten()).collect()
    }

    /// The template with the values put in; `None` when one of them is unknown, or the body is not there as JSON.
    fn fill_in(&self, template: &JsonTemplate) -> Option<String> {
        let body = std::str::from_utf8(&self.words.raw).ok().filter(|_| self.words.has_json())?;
        let write = self.words.write(self.request);
        let parameter = self.chosen.route.write.as_ref().and_then(|policy| policy.select.parameter());
        template.render(body, |name| {
            if parameter == Some(name) {
                return Some(Cow::Borrowed(self.chosen.value.as_str()));
            }
            self.chosen.route.written_value(&write, name)
        })
    }
}
