//! A read: route -> key -> lookup -> reuse? -> deliver, or fetch.
//!
//! What memory answers is answered at once ([`read`]); everything else goes on from there ([`Way::go`]).

use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::time::Duration;

use http::header::{AGE, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE};
use http::{HeaderMap, HeaderValue, Method};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::annotate;
use super::answer::Answer;
use super::asked::{Asked, Missed, Seen, fault_detail};
use super::compare::{compare, shadowed};
use super::core::Core;
use super::decide::{Next, Serve, decide, decide_unkeyed, goes_alone, judge};
use super::deliver::{deliver, deliver_part, failed, share, stale_on_error};
use super::error::{Refusal, no_answer};
use super::fetch::{self, Fetch, Part, Plan};
use super::flights::{Follower, Join, Request};
use super::ingress::Admitted;
use super::landing::Landing;
use super::lookup::{lookup, lookup_now};
use super::pass::{pass, pass_without_body};
use super::patience::{MOMENT, Patience, SHORT_MOMENT, SURE, UNSURE};
use super::route::{Unkeyed, resource};
use crate::clock::Stopwatch;
use crate::fields::{ByteRange, CacheStatus, Detail, Forward};
use crate::origin::OriginError;
use crate::policy::{Reuse, only_if_cached};
use crate::rules::{Route, Ruleset};
use crate::store::{Fault, Kind, Lookup};
use crate::telemetry::Work;

/// How often a request that waited in vain looks again before it goes to the origin by itself.
const LOOKS: usize = 4;

/// How a read goes on that is not answered at once.
pub(super) enum Way {
    /// To what the store may have, and then to the origin. What memory had is known already.
    Keyed(Arc<Asked>),
    /// Past the store.
    Unkeyed(Arc<Ruleset>, Box<Admitted>, Unkeyed),
}

/// What a lookup saw, and what [`Flights::landed`](super::flights::Flights::landed) said before it.
struct Looked {
    landed: u64,
    seen: Seen,
}

/// Answers from memory, or says how the read goes on.
pub(super) fn read(core: &Arc<Core>, rules: Arc<Ruleset>, request: Admitted) -> ControlFlow<Answer, Way> {
    let resource = match resource(&rules, &core.shared.other_hosts, &request) {
        Ok(resource) => resource,
        Err(unkeyed) => return Continue(Way::Unkeyed(rules, Box::new(request), unkeyed)),
    };
    let asked = Asked { rules, request, resource };
    let Some(answer) = lookup_now(&core.store, &asked).and_then(|seen| hit(core, &asked, &seen)) else {
        // Looks once more: what a miss has to know before its lookup, no hit pays for.
        return Continue(Way::Keyed(Arc::new(asked)));
    };
    if core.sampler.draws() {
        compare(core, &asked);
    }
    Break(answer)
}

/// The answer of an entry that needs nothing else, and waits for nothing.
fn hit(core: &Core, asked: &Asked, seen: &Seen) -> Option<Answer> {
    let Next::Serve(Serve { entry, age, status, refresh: None }) = decided(core, asked, seen) else { return None };
    let mut answer = deliver(&core.shared, asked, &entry, age, status);
    let head_only = asked.request.method == Method::HEAD;
    let size = if head_only { 0 } else { answer.size() };
    if size > 0 {
        if answer.own {
            return None;
        }
        if let Some(share) = &asked.request.share {
            answer.turn = Some(share.take(size)?);
        }
    }
    note(core, asked, &mut answer);
    if core.shared.recorder.shows() {
        answer.notes.query = asked.route().and_then(|route| route.shown_query(asked.request.query()));
    }
    let answer = core.shared.codings.apply_held(answer)?;
    Some(if head_only { answer.without_body() } else { answer })
}

impl Way {
    /// The route that speaks of it, if one does, and the request.
    pub(super) fn asks_for(&self) -> (Option<&Route>, &Admitted) {
        match self {
            Self::Keyed(asked) => (asked.route(), &asked.request),
            Self::Unkeyed(_, request, unkeyed) => (unkeyed.route.as_deref(), request),
        }
    }

    /// Goes it to its end.
    pub(super) async fn go(self, core: &Arc<Core>) -> Answer {
        match self {
            Self::Unkeyed(rules, request, unkeyed) => Box::pin(unkeyed_answer(core, &rules, *request, &unkeyed)).await,
            Self::Keyed(asked) => keyed_answer(core, &asked).await,
        }
    }
}

/// Reads once more, for nobody but the store.
pub(super) fn read_for_the_store(core: &Arc<Core>, rules: Arc<Ruleset>, request: Admitted) {
    let (core, began, target) = (Arc::clone(core), Stopwatch::start(), request.target.clone());
    tokio::spawn(async move {
        if let Continue(way) = read(&core, rules, request) {
            let of = (&Method::GET, target.path(), &HeaderMap::new());
            let mut begun = core.shared.recorder.in_background(Work::Fill, began, of);
            begun.goes_on(way.asks_for().0.map(|route| &route.name), target.path(), false);
            way.go(&core).await.end(begun);
        }
    });
}

async fn unkeyed_answer(core: &Core, rules: &Ruleset, request: Admitted, unkeyed: &Unkeyed) -> Answer {
    let answer = match decide_unkeyed(rules, &request, unkeyed) {
        Next::Refuse(refusal) => return refusal.answer(),
        Next::Pass(forward, detail) => pass(core, request, forward, detail).await,
        _ => pass(core, request, Forward::Bypass, Some(unkeyed.detail)).await,
    };
    let limit = unkeyed.route.as_ref().map_or(0, |route| route.choices.max_body);
    annotate::missed(answer, unkeyed.route.as_deref(), limit, &core.shared.answers).await
}

async fn keyed_answer(core: &Arc<Core>, asked: &Arc<Asked>) -> Answer {
    let mut answer = in_turn(core, asked).await;
    if answer.cache_status.hit && core.sampler.draws() {
        compare(core, asked);
    }
    note(core, asked, &mut answer);
    let answer = annotate::missed(answer, asked.route(), asked.choices().max_body, &core.shared.answers).await;
    let answer = core.shared.codings.apply(answer).await;
    if asked.request.method == Method::HEAD { answer.without_body() } else { answer }
}

/// Takes down what is told of an answer to a read.
fn note(core: &Core, asked: &Asked, answer: &mut Answer) {
    answer.notes.route = asked.route().map(|route| Arc::clone(&route.name));
    core.shared.notices.stands_in(asked.route(), &answer.cache_status, core.shared.clock.ticks());
}

/// Answers a read, one after the other where there is no room for all at once: what waits for its turn holds nothing. An
/// answer that finds no room is given up and made once more when there is some: as a hit, most of the time, since a fill
/// does not wait for its own client.
async fn in_turn(core: &Arc<Core>, asked: &Arc<Asked>) -> Answer {
    let answers = &core.shared.answers;
    let (mut turn, mut room) = (None, None);
    loop {
        let mut answer = from_store_or_origin(core, asked).await;
        let size = answer.size();
        if asked.request.method == Method::HEAD || size == 0 {
            return answer;
        }
        if answer.own && room.is_none() && !answers.has_room(size, size) {
            let forward = answer.cache_status.forward;
            give_up(core, asked, answer);
            room = answers.room(size).await;
            if room.is_none() {
                return no_answer(&OriginError::NoRoom, forward.unwrap_or(Forward::Miss));
            }
            continue;
        }
        let Some(share) = &asked.request.share else { return answer };
        turn = turn.or_else(|| share.take(size));
        if turn.is_some() {
            answer.turn = turn;
            return answer;
        }
        give_up(core, asked, answer);
        turn = share.turn(size).await;
        if turn.is_none() {
            return Refusal::AnswersUnread.answer();
        }
        // Where its turn has come because the connection is gone, this request is about to be dropped, too.
        yield_now().await;
    }
}

/// Gives up an answer for one that is made later. What the origin had to do with it is counted all the same.
fn give_up(core: &Core, asked: &Asked, answer: Answer) {
    let (recorder, Answer { notes, .. }) = (&core.shared.recorder, answer);
    if let Some(micros) = notes.origin_micros {
        recorder.besides(asked.route().map(|route| &route.name), Duration::from_micros(micros));
    }
    if let Some(detail) = notes.refused {
        recorder.refused(detail);
    }
}

/// Lookup, reuse, and otherwise one fetch for all who ask.
async fn from_store_or_origin(core: &Arc<Core>, asked: &Arc<Asked>) -> Answer {
    let shared = &core.shared;
    let (arrived, mut looks_left, mut moment, mut impatient) = (Instant::now(), LOOKS, MOMENT, None);
    loop {
        let Looked { landed, seen } = match look(core, asked).await {
            Ok(looked) => looked,
            Err(fault) => return Box::pin(without_store(core, asked, &fault)).await,
        };
        let missed = match without_others(core, asked, landed, seen).await {
            Break(answer) => return answer,
            Continue(missed) => missed,
        };
        if let Some(follower) = impatient {
            return Box::pin(fetch_too(core, follower, asked, missed)).await;
        }
        if looks_left == 0 || core.sampler.is_shadow() || goes_alone(asked, &missed) {
            return fetch::fetch(core, Fetch::new(asked, missed, None).within(moment)).await;
        }
        looks_left -= 1;
        let mut follower = match shared.flights.join(&asked.resource.at.key, landed, arrived) {
            Join::Lead(leader) => return fetch::fetch(core, Fetch::new(asked, missed, Some(leader))).await,
            Join::Alone => return fetch::fetch(core, Fetch::new(asked, missed, None).by(Plan::Alone)).await,
            Join::Crowded => return fetch::fetch(core, Fetch::new(asked, missed, None)).await,
            Join::LookAgain => continue,
            Join::Follow(follower) => follower,
        };
        let Some(landing) = follower.landing(patience(asked, &missed)).await else {
            impatient = Some(follower);
            continue;
        };
        match landing {
            Landing::Stored { entry, status, .. } => {
                if let Some(answer) = share(shared, asked, &missed, &entry, status) {
                    return answer;
                }
            }
            Landing::Failed(error) => return failed(shared, asked, &missed, &error).collapsed(),
            Landing::Trouble(status) => {
                return match stale_on_error(shared, asked, &missed, Some(status)) {
                    Some(answer) => answer.collapsed(),
                    None => fetch::fetch(core, Fetch::new(asked, missed, None)).await,
                };
            }
            // What is stored by now may still be validated, or stand in.
            Landing::HitForMiss => looks_left = 0,
            Landing::StillComing => (looks_left, moment) = (0, SHORT_MOMENT),
            Landing::Again => {}
        }
    }
}

/// The decision, as this core's `[verify]` has it.
fn decided(core: &Core, asked: &Asked, seen: &Seen) -> Next {
    decide(asked, seen, core.shared.clock.now(), core.sampler.is_shadow())
}

/// The answer for which nobody else is waited for, or what is to be fetched for all who ask.
async fn without_others(core: &Arc<Core>, asked: &Arc<Asked>, landed: u64, seen: Seen) -> ControlFlow<Answer, Missed> {
    Break(match decided(core, asked, &seen) {
        Next::Serve(serve) => served(core, asked, landed, serve),
        Next::Shadowed(entry) => Box::pin(shadowed(core, asked, seen, entry)).await,
        Next::Pass(forward, detail) => Box::pin(pass_on(core, asked, forward, detail)).await,
        Next::Refuse(refusal) => refusal.answer(),
        Next::Part(missed) => Box::pin(part(core, asked, missed, landed)).await,
        Next::Head(missed) => fetch::fetch(core, Fetch::new(asked, missed, None).by(Plan::Head { landed })).await,
        Next::Fetch(missed) => return Continue(missed),
    })
}

async fn look(core: &Core, asked: &Asked) -> Result<Looked, Fault> {
    let landed = core.shared.flights.landed(&asked.resource.at.key);
    Ok(Looked { landed, seen: lookup(&core.store, asked).await? })
}

/// Answers from the store, and renews what is stale.
fn served(core: &Arc<Core>, asked: &Arc<Asked>, landed: u64, Serve { entry, age, status, refresh }: Serve) -> Answer {
    let answer = deliver(&core.shared, asked, &entry, age, status);
    if let Some(missed) = refresh
        && let Some(leader) = core.shared.flights.lead(&asked.resource.at.key, landed, Request::Ahead)
    {
        fetch::refresh(core, Fetch::new(asked, missed, Some(leader)));
    }
    answer
}

/// Answers a request for a part of what is not stored whole: from a stored part, or with the origin's answer.
async fn part(core: &Arc<Core>, asked: &Arc<Asked>, missed: Missed, landed: u64) -> Answer {
    let fields = &asked.request.fields;
    let conditional = [IF_NONE_MATCH, IF_MODIFIED_SINCE].iter().any(|name| fields.contains_key(name));
    let single = ByteRange::of(fields).is_some() && !conditional;
    let seen = match core.store.lookup(&asked.resource.at.part()).await {
        Ok(seen) => seen,
        Err(fault) => return Box::pin(without_store(core, asked, &fault)).await,
    };
    // What the store does not give out is no part to be joined to, either.
    let seen = Lookup { entry: seen.entry.filter(|_| seen.withheld.is_none()), ..seen };
    let known = seen.entry.as_ref().filter(|entry| single && entry.kind == Kind::Response);
    let fresh = known.and_then(|entry| match judge(entry, seen.soft, asked, core.shared.clock.now()) {
        Reuse::Fresh { age, ttl_left } => Some((entry, age, ttl_left)),
        _ => None,
    });
    if let Some((entry, age, ttl_left)) = fresh
        && let Some(mut response) = deliver_part(&core.shared, asked, entry)
    {
        response.headers_mut().insert(AGE, HeaderValue::from(age.as_secs()));
        return Answer::new(response, CacheStatus { hit: true, ttl: Some(ttl_left), ..CacheStatus::default() });
    }
    if only_if_cached(fields, asked.choices()) {
        return Refusal::OnlyIfCached.answer();
    }
    let forward = if fresh.is_some() { Forward::Partial } else { missed.forward };
    let plan = Plan::Part(Part { range: plain_range(fields), seen: single.then_some(seen), landed });
    fetch::fetch(core, Fetch::new(asked, Missed { forward, ..missed }, None).by(plan)).await
}

/// Range, written anew, where a request asks for one part and says nothing else of it: no condition, no If-Range.
fn plain_range(request: &HeaderMap) -> Option<HeaderValue> {
    let bare = ![IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_RANGE].iter().any(|name| request.contains_key(name));
    ByteRange::of(request).filter(|_| bare).and_then(|range| HeaderValue::from_str(&range.to_string()).ok())
}

async fn without_store(core: &Core, asked: &Asked, fault: &Fault) -> Answer {
    pass_on(core, asked, Forward::Miss, Some(fault_detail(fault))).await
}

async fn pass_on(core: &Core, asked: &Asked, forward: Forward, detail: Option<Detail>) -> Answer {
    let request = &asked.request;
    pass_without_body(core, request, request.interim.clone(), forward, detail).await
}

/// How long a request waits for the head of an answer that somebody else has asked for.
fn patience(asked: &Asked, missed: &Missed) -> Patience {
    if asked.resource.route.is_some() || missed.stale.is_some() { SURE } else { UNSURE }
}

/// Fetches, and goes on following, where a follower has waited long enough for a head: whichever answer comes first is
/// its. Where that is the other one, this fetch goes on as one that nobody waits for.
async fn fetch_too(core: &Arc<Core>, mut follower: Follower, asked: &Arc<Asked>, missed: Missed) -> Answer {
    let own = Fetch::new(asked, missed.clone(), None);
    tokio::select! {
        answer = fetch::fetch(core, own) => answer,
        Some(answer) = heard(core, &mut follower, asked, &missed) => answer,
    }
}

/// What another fetch brings that this request may be given.
async fn heard(core: &Core, follower: &mut Follower, asked: &Asked, missed: &Missed) -> Option<Answer> {
    match follower.landed().await {
        Landing::Stored { entry, status, .. } => share(&core.shared, asked, missed, &entry, status),
        Landing::Again => {
            let seen = lookup(&core.store, asked).await.ok()?;
            match decided(core, asked, &seen) {
                Next::Serve(Serve { entry, age, status, refresh: None }) => {
                    Some(deliver(&core.shared, asked, &entry, age, status))
                }
                _ => None,
            }
        }
        _ => None,
    }
}
