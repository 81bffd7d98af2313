//! A write: ingress -> forward -> finish -> deliver.
//!
//! The answer of a write is sent only after everything it made old has been made old in the store. The whole of it runs
//! in a task of its own: a client who leaves after the origin has committed must not take the invalidation along.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LOCATION, LOCATION};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::Value;
use tokio::sync::oneshot;

use super::Proxy;
use super::answer::Answer;
use super::error::{Refusal, no_answer};
use super::ingress::Admitted;
use super::pass::passed_status;
use super::post::names_itself;
use super::write_policy::Chosen;
use crate::fields::{CACHE_GROUP_INVALIDATION, Detail, Forward, cache_groups};
use crate::origin::{Answered, Body, OriginError};
use crate::policy::invalidates;
use crate::rules::{Invalidation, ROUTELESS, Tag, Write, WriteTarget, write_paths};
use crate::store::{Fault, Finished, Since};

/// A write's own words, as far as the rules look at them.
pub(super) struct Words {
    pub(super) paths: Vec<String>,
    pub(super) json: Option<Value>,
    pub(super) raw: Bytes,
    /// Paths of this origin that the answer's Location and Content-Location name.
    also: Vec<String>,
    /// The groups that the answer makes old.
    groups: Vec<Tag>,
}

impl Words {
    /// The write as the rules see it.
    pub(super) fn write<'a>(&'a self, request: &'a Admitted, response: Option<&'a Value>) -> Write<'a> {
        Write {
            method: &request.method,
            paths: &self.paths,
            also: &self.also,
            groups: &self.groups,
            query: request.query(),
            body: self.json.as_ref(),
            response,
        }
    }
}

/// When a write of unknown outcome is made good again, each after the one before: half a minute in all.
const LATE_COMMITS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(10), Duration::from_secs(15)];

/// What came of telling the store.
pub(super) type Outcome = Result<BTreeMap<Arc<str>, Finished>, Fault>;

impl Proxy {
    /// Forwards a write and answers it once the store knows. Dropping the future stops nothing.
    pub(super) async fn write(self: &Arc<Self>, request: Admitted) -> Answer {
        if !self.store.admits_writes() {
            return Refusal::StoreDown.answer();
        }
        let (tell, told) = oneshot::channel();
        self.tasks.spawn(Arc::clone(self).carry_out(request, tell));
        told.await
            .unwrap_or_else(|_| no_answer(&OriginError::Broken("the write was given up".to_owned()), Forward::Method))
    }

    async fn carry_out(self: Arc<Self>, mut request: Admitted, tell: oneshot::Sender<Answer>) {
        let answer = match self.take_body(&mut request).await {
            Ok(body) => self.write_body(request, body).await,
            Err(refusal) => refusal.answer(),
        };
        let _ = tell.send(answer);
    }

    async fn write_body(self: &Arc<Self>, request: Admitted, body: Body) -> Answer {
        let routes = &self.shared.settings.routes;
        let mut words = Words {
            paths: write_paths(request.target.path()),
            json: None,
            raw: Bytes::new(),
            also: Vec::new(),
            groups: Vec::new(),
        };
        let read = routes.reads_bodies_of(&words.write(&request, None));
        if let (true, Body::Full(bytes)) = (read.request, &body) {
            words.json = serde_json::from_slice(bytes).ok();
            words.raw = bytes.clone();
        }
        let chosen = routes.write_policy(&words.write(&request, None)).and_then(|(route, policy, _)| {
            let (target, value) = policy.select.choose(request.query())?;
            Some(Chosen { route: Arc::clone(route), target, value: value.into_owned() })
        });
        match chosen {
            None => self.write_through(request, body, words, read.response).await,
            Some(chosen) if chosen.target == WriteTarget::Cache => self.write_to_cache(&request, &words, &chosen).await,
            Some(chosen) => self.write_by_policy(&request, body, &words, &chosen).await,
        }
    }

    /// The plain way: forward, make old what the rules say, answer.
    async fn write_through(
        self: &Arc<Self>,
        request: Admitted,
        body: Body,
        mut words: Words,
        read_response: bool,
    ) -> Answer {
        let before = if read_response { None } else { self.before_post(&request).await };
        let answered = match self.forward_write(&request, body, &words).await {
            Ok(answered) => answered,
            Err(answer) => return answer,
        };
        let status = answered.head.status;
        if !invalidates(&request.method, status) && !status.is_server_error() {
            return passed(answered);
        }
        words.also = self.named_by(&request, &answered.head.headers);
        words.groups = groups_made_old(&request, &answered.head.headers);
        if let Some(before) = before.filter(|_| names_itself(&request, &answered)) {
            return self.keep_post(&request, answered, &words, before).await;
        }
        let (answer, response) = self.read_response(answered, read_response && !status.is_server_error()).await;
        self.made_old(&words.write(&request, response.as_ref()), status, answer).await
    }

    /// Makes old what the rules say of a write that the origin answered with this status, and gives the answer back when
    /// that is done.
    pub(super) async fn made_old(self: &Arc<Self>, write: &Write<'_>, status: StatusCode, answer: Answer) -> Answer {
        let mut drops = self.shared.settings.routes.invalidations(write);
        if status.is_server_error() {
            // A view that committed and then failed has changed what it wrote. Where a route speaks that is never
            // served; without one RFC 9111 section 4.4 leaves what is stored alone.
            drops.retain(|drop| *drop.group != *ROUTELESS);
        }
        match self.finish(&drops, &[], None).await {
            Ok(_) => answer,
            Err(fault) => self.unfinished(answer, &fault),
        }
    }

    /// The decoded paths on this origin that Location and Content-Location name (RFC 9111 section 4.4).
    fn named_by(&self, request: &Admitted, fields: &HeaderMap) -> Vec<String> {
        let origin = &self.origin.settings().addresses;
        let is_own = |named: &Authority| named == request.host_text() || origin.contains(named);
        let named = [LOCATION, CONTENT_LOCATION].into_iter().filter_map(|name| fields.get(name)?.to_str().ok());
        let paths = named.filter_map(|target| {
            let uri: Uri = target.parse().ok()?;
            let ours = uri.authority().is_none_or(is_own);
            (ours && uri.path().starts_with('/')).then(|| write_paths(uri.path()))
        });
        paths.flatten().collect()
    }

    /// Forwards a write. Where its outcome is unknown, all that it may have made old is made old before the error is told.
    pub(super) async fn forward_write(
        self: &Arc<Self>,
        request: &Admitted,
        body: Body,
        words: &Words,
    ) -> Result<Answered, Answer> {
        match self.forward(request, body).await {
            Ok(answered) => Ok(answered),
            Err(error) => {
                let answer = no_answer(&error, Forward::Method);
                if !error.may_have_acted() {
                    return Err(answer);
                }
                let drops = self.shared.settings.routes.invalidations(&words.write(request, None));
                let finished = self.finish(&drops, &[], None).await;
                self.finish_again(drops);
                match finished {
                    Ok(_) => Err(answer),
                    Err(fault) => Err(self.unfinished(answer, &fault)),
                }
            }
        }
    }

    /// Makes old again, for a while, what a write of unknown outcome may still be about to change: an origin that was too
    /// slow may commit after its time was up.
    fn finish_again(self: &Arc<Self>, drops: Vec<Invalidation>) {
        let proxy = Arc::clone(self);
        tokio::spawn(async move {
            for pause in LATE_COMMITS {
                tokio::time::sleep(pause).await;
                drop(proxy.finish(&drops, &[], None).await);
            }
        });
    }

    /// The answer, with its JSON where the rules want to see it.
    async fn read_response(&self, answered: Answered, wanted: bool) -> (Answer, Option<Value>) {
        let answer = passed(answered);
        if !wanted {
            return (answer, None);
        }
        let Answer { response, cache_status, .. } = answer;
        let (head, body) = response.into_parts();
        let (body, json) = match body {
            Body::Stream(stream) => match stream.collect(self.shared.settings.buffer_body).await {
                Ok(bytes) => {
                    let json = serde_json::from_slice(&bytes).ok();
                    (Body::full(bytes), json)
                }
                Err(body) => (body, None),
            },
            other => (other, None),
        };
        (Answer::new(http::Response::from_parts(head, body), cache_status), json)
    }

    /// Makes old what a write made old: one atomic step a group, all of them before the write is answered.
    ///
    /// `besides` are further tags for the group of `since`, which asks whether another write came in between.
    pub(super) async fn finish(
        &self,
        drops: &[Invalidation],
        besides: &[Tag],
        since: Option<(&Arc<str>, Since)>,
    ) -> Outcome {
        let mut groups: BTreeMap<Arc<str>, Vec<Tag>> = BTreeMap::new();
        for drop in drops {
            groups.entry(Arc::clone(&drop.group)).or_default().push(drop.tag.clone());
        }
        if let Some((group, _)) = &since {
            groups.entry(Arc::clone(group)).or_default().extend_from_slice(besides);
        }
        let since = &since;
        let steps = groups.into_iter().map(|(group, tags)| async move {
            let since = since.as_ref().filter(|(known, _)| **known == group).map(|(_, since)| since);
            let finished = self.store.finish(&group, &tags, since).await;
            (group, finished)
        });
        let mut outcome = Ok(BTreeMap::new());
        for (group, finished) in futures_util::future::join_all(steps).await {
            match (finished, &mut outcome) {
                (Ok(finished), Ok(known)) => {
                    known.insert(group, finished);
                }
                (Ok(_), Err(_)) => {}
                (Err(fault), _) => outcome = Err(fault),
            }
        }
        outcome
    }

    /// The answer of a write whose invalidation is owed to the store: the origin's under `when_down = "forward"`, an
    /// error under `"refuse"`, whose promise is unconditional.
    pub(super) fn unfinished(&self, mut answer: Answer, fault: &Fault) -> Answer {
        tracing::warn!(%fault, "an invalidation is owed to the store; nothing is read from it until that is made good");
        if !self.store.admits_writes() {
            return Refusal::NotInvalidated.answer();
        }
        answer.cache_status.detail = Some(super::fault_detail(fault));
        answer
    }
}

/// The groups that the answer to a write makes old: of the host that was written to, and of all hosts where the host is
/// in no key.
///
/// Source: RFC 9875 section 3
pub(super) fn groups_made_old(request: &Admitted, answer: &HeaderMap) -> Vec<Tag> {
    let names = cache_groups(answer, &CACHE_GROUP_INVALIDATION);
    let of = |host| names.iter().map(move |name| Tag::cache_group(host, name));
    of(request.host_text()).chain(of("")).collect()
}

pub(super) fn passed(answered: Answered) -> Answer {
    let status = answered.head.status;
    Answer::passed(answered, passed_status(Forward::Method, status, None::<Detail>))
}

/// Whether an origin's answer says that the write took place.
pub(super) fn succeeded(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection()
}
