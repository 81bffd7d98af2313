//! A write: ingress -> mark -> forward -> invalidate -> deliver.
//!
//! The store knows what a write may be about to change before the origin sees it, and the answer is sent only after everything
//! that it changed has been invalidated there. The whole of it runs
//! in a task of its own: a client who leaves after the origin has committed must not take the invalidation along.

use std::sync::Arc;

use http::header::CONTENT_LOCATION;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::Value;
use tokio::sync::oneshot;

use super::answer::Answer;
use super::asked::{Asked, Missed, fault_detail};
use super::core::Core;
use super::error::no_answer;
use super::fetch::{Fetch, fetched_by_post};
use super::hosts::host_on_a_fill;
use super::ingress::Admitted;
use super::invalidate::UnderWay;
use super::pass::{passed, take_body};
use super::route::resource;
use super::words::{Words, named_by, says_json, stores_post};
use super::write_policy::{Chosen, write_by_policy, write_to_cache};
use crate::body::Body;
use crate::clock::{Millis, Stopwatch};
use crate::fields::{Detail, Forward};
use crate::origin::{Answered, OriginError};
use crate::rules::{Ruleset, WriteTarget, read_json};
use crate::telemetry::Work;

/// Forwards a write and answers it once the store knows. Dropping the future stops nothing.
pub(super) async fn write(core: &Arc<Core>, rules: Arc<Ruleset>, request: Admitted) -> Answer {
    let (tell, told) = oneshot::channel();
    core.tasks.spawn(carry_out(Arc::clone(core), rules, request, tell));
    told.await.unwrap_or_else(|_| no_answer(&OriginError::Broken("the write was given up".to_owned()), Forward::Method))
}

async fn carry_out(core: Arc<Core>, rules: Arc<Ruleset>, mut request: Admitted, tell: oneshot::Sender<Answer>) {
    let (began, method, target) = (Stopwatch::start(), request.method.clone(), request.target.clone());
    let again = Arc::clone(&rules);
    let answer = match take_body(&core, &mut request).await {
        Ok(body) => written(&core, rules, request, body).await,
        Err(refusal) => refusal.answer(),
    };
    if let Err(mut unheard) = tell.send(answer) {
        // Its client has left: what it has dropped is told all the same.
        let of = (&method, target.path(), &HeaderMap::new());
        let mut begun = core.shared.recorder.in_background(Work::Write, began, of);
        begun.goes_on(again.routes.find(target.path()).map(|(route, _)| &route.name), target.path(), true);
        unheard.end(begun);
    }
}

async fn written(core: &Arc<Core>, rules: Arc<Ruleset>, request: Admitted, body: Body) -> Answer {
    let words = Words::of(&request, &body, rules, core.shared.settings.verify.is_on());
    match Chosen::by(&request, &words) {
        Some(chosen) if chosen.target == WriteTarget::Cache => write_to_cache(core, &request, &words, &chosen).await,
        Some(chosen) if !words.may_be_another() => write_by_policy(core, &request, body, words, &chosen).await,
        _ => write_through(core, request, body, words).await,
    }
}

/// The plain way: mark, forward, invalidate what the rules say, answer.
async fn write_through(core: &Arc<Core>, request: Admitted, body: Body, mut words: Words) -> Answer {
    let reads_response = words.rules.routes.reads_response_to(&words.write(&request));
    let before = async { if reads_response { Err(None) } else { before_post(core, &request, &words).await } };
    let (under_way, before) = tokio::join!(UnderWay::begin(core, &request, &words), before);
    let under_way = match under_way {
        Ok(under_way) => under_way,
        Err(refusal) => return refusal.answer(),
    };
    let (answered, under_way) = match under_way.forward(&request, body, &words).await {
        Ok(answered) => answered,
        Err(answer) => return answer,
    };
    let status = answered.head.status;
    let named = named_by(&words.rules, core.origin.settings(), &request, &answered.head.headers);
    words.hear(&request, status, &answered.head.headers, named);
    let not_stored = match before {
        Ok(Before { fetch, request_time }) => match names_another(&request, &answered) {
            None => {
                let drops = words.invalidations(&request);
                return fetched_by_post(core, fetch, (under_way, drops), answered, request_time).await;
            }
            another => another,
        },
        Err(detail) => detail,
    };
    // What a view says that failed is nothing to go by.
    let reads_response = reads_response && !status.is_server_error();
    let (answer, response) = read_response(core, passed(answered, Forward::Method, not_stored), reads_response).await;
    words.hear_body(response);
    under_way.invalidated(&words.invalidations(&request), answer).await
}

/// What a POST whose answer may be stored is fetched as, seen before the origin saw it.
struct Before {
    fetch: Fetch,
    request_time: Millis,
}

/// Where the answer to this write would be stored; else why it would not be, if anybody could think that it were.
async fn before_post(core: &Core, request: &Admitted, words: &Words) -> Result<Before, Option<Detail>> {
    if request.method != Method::POST || !stores_post(&words.rules) {
        return Err(None);
    }
    if !words.write(request).overriding.is_none() {
        return Err(Some(Detail::Method));
    }
    let get = Admitted { method: Method::GET, interim: None, ..request.again() };
    let resource = resource(&words.rules, &core.shared.other_hosts, &get).map_err(|unkeyed| Some(unkeyed.detail))?;
    let asked = Asked { rules: Arc::clone(&words.rules), request: get, resource };
    // Where a route speaks, or where the client's own Host, with which a write is sent, may have shaped the answer.
    if asked.resource.route.is_some() || host_on_a_fill(&asked) != request.host {
        return Err(None);
    }
    // Taken before the origin sees the POST: a write of the same that comes meanwhile is noticed.
    let seen = core.store.lookup(&asked.resource.at).await.map_err(|fault| Some(fault_detail(&fault)))?;
    let missed =
        Missed { token: seen.token, forward: Forward::Method, detail: None, stale: None, soft: false, index: None };
    Ok(Before { fetch: Fetch::new(&Arc::new(asked), missed, None), request_time: core.shared.clock.now() })
}

/// Why an answer does not say that it is a representation of the very resource that was asked; `None` where it does.
fn names_another(request: &Admitted, answered: &Answered) -> Option<Detail> {
    if answered.head.status != StatusCode::OK {
        return Some(Detail::StatusNotCacheable);
    }
    let mut lines = answered.head.headers.get_all(CONTENT_LOCATION).iter();
    let only = lines.next().filter(|_| lines.next().is_none());
    let named = only.and_then(|only| only.to_str().ok()?.parse::<Uri>().ok());
    let is_here = |uri: &Uri| uri.authority().is_none_or(|authority| authority.as_str() == request.host_text());
    let is_same = named.is_some_and(|uri| is_here(&uri) && uri.path_and_query() == Some(&request.target));
    (!is_same).then_some(Detail::ContentLocation)
}

/// The answer, with its JSON where the rules want to see it.
async fn read_response(core: &Core, answer: Answer, wanted: bool) -> (Answer, Option<Value>) {
    // What says to be something else than JSON may be read as something else.
    let wanted = wanted && says_json(answer.response.headers());
    if !wanted {
        return (answer, None);
    }
    let Answer { response, cache_status, notes, .. } = answer;
    let (head, body) = response.into_parts();
    let (body, json) = match body {
        Body::Stream(stream) => {
            match stream.collect(core.shared.settings.buffer_body, core.shared.answers.charge(0)).await {
                Ok(bytes) => {
                    let json = read_json(&bytes);
                    (Body::full(bytes), json)
                }
                Err(body) => (body, None),
            }
        }
        other => (other, None),
    };
    (Answer { notes, ..Answer::new(http::Response::from_parts(head, body), cache_status) }, json)
}
