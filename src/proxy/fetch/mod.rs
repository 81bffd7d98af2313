//! Fetch: one exchange with the origin whose answer may be stored, for all who wait for the same key.
//!
//! send -> receive -> judge -> collect -> put -> land, whether it is a GET of all of it or of a part, a HEAD, or what
//! follows a POST ([`Plan`]). A GET of all of it that may be for others runs in a task of its own, so that a client who
//! leaves takes nobody else's answer along. It ends early where nobody waits for it any more and somebody else needs its
//! permit at the origin: then it leaves nothing behind, and who comes just then looks again.

mod again;
mod collect;
mod freshen;
mod part;
mod plan;
mod put;
mod read_ahead;
mod received;

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::sync::oneshot;

use super::answer::{Answer, is_origin_trouble};
use super::asked::Asked;
use super::core::Core;
use super::deliver::{failed, stale_on_error};
use super::error::no_answer;
use super::invalidate::UnderWay;
use super::landing::Landing;
use super::noted::moment;
use super::pass::{pass_without_body, passed_status};
use crate::body::{Timed, Waiters};
use crate::clock::{Millis, Stopwatch};
use crate::fields::{CacheStatus, Detail, Forward};
use crate::handler::Later;
use crate::origin::{Answered, OriginError};
use crate::policy::{asks_for_part, confirms};
use crate::rules::Invalidation;
use crate::telemetry::{Begun, Work};
use collect::{Relay, collect};
use freshen::{freshened, heard, invalidate_stale, speaks_of_the_resource};
use part::{is_of_the_whole, judge_part};
use received::{Coming, Received, judge};

pub(super) use again::{Again, again};
pub(super) use plan::{Fetch, Part, Plan};
pub(super) use put::verdict;

/// What its own client hears of a fetch.
enum Told {
    Answer(Box<Answer>),
    /// What came is too large to be stored, and so to be fetched whole for a part of it.
    AsAsked(Detail),
}

impl From<Answer> for Told {
    fn from(answer: Answer) -> Self {
        Self::Answer(Box::new(answer))
    }
}

/// Asks the origin and answers; what may be stored is stored. Dropping the future stops no GET of all of it: that goes on
/// for the others and for the store.
pub(super) async fn fetch(core: &Arc<Core>, fetch: Fetch) -> Answer {
    let (asked, waiters, forward) = (Arc::clone(&fetch.asked), Arc::clone(&fetch.waiters), fetch.missed.forward);
    let _waiter = waiters.join();
    let told = if fetch.is_for_all() {
        in_a_task(core, &asked, Work::Fill, waiters, Box::pin(fetch_for_all(Arc::clone(core), fetch))).await
    } else {
        // Boxed: it would make every read as large as the few that need it.
        Box::pin(fetch_alone(core, fetch)).await
    };
    match told {
        Some(Told::Answer(answer)) => *answer,
        // Interim answers have been handed on already.
        Some(Told::AsAsked(detail)) => {
            let answer = Box::pin(pass_without_body(core, &asked.request, None, forward, Some(detail))).await;
            answer.not_stored(Some(detail))
        }
        None => no_answer(&OriginError::Broken("the fetch was given up".to_owned()), forward),
    }
}

/// Fetches for the store alone: the client has its (stale) answer already.
pub(super) fn refresh(core: &Arc<Core>, fetch: Fetch) {
    let (asked, waiters) = (Arc::clone(&fetch.asked), Arc::clone(&fetch.waiters));
    let fetch = Box::pin(fetch_for_all(Arc::clone(core), fetch.for_the_store()));
    drop(in_a_task(core, &asked, Work::Refresh, waiters, fetch));
}

/// Takes in the answer to a POST, which was asked for at this time, as what a later GET may be given. `drops` is what the
/// POST has changed; it is invalidated before this comes back, whatever becomes of the answer.
pub(super) async fn fetched_by_post(
    core: &Arc<Core>,
    fetch: Fetch,
    (under_way, drops): (UnderWay, Vec<Invalidation>),
    answered: Answered,
    request_time: Millis,
) -> Answer {
    let (received, body) = Received::of(answered, request_time, core.shared.clock.now());
    match judge(&core.shared, &fetch, &received) {
        Ok(judged) => {
            collect(core, Coming::new(fetch.by(Plan::Post(under_way, drops)), received, judged, body)).await.0
        }
        Err(detail) => {
            let status = passed_status(Forward::Method, received.status, Some(detail));
            let answered = received.with(body);
            under_way.invalidated(&drops, Answer::passed(answered, status)).await
        }
    }
}

/// Runs a fetch in a task of its own, which goes on after its answer where the body is handed on as it comes. It ends
/// early where nobody waits for it any more and somebody else needs its place at the origin: then there is no answer.
///
/// It comes in a box, so that nothing larger than that is moved on its way into the task. Dropping the future that comes back
/// stops nothing: then what came of it is told as this work.
fn in_a_task(
    core: &Arc<Core>,
    asked: &Arc<Asked>,
    work: Work,
    waiters: Arc<Waiters>,
    fetch: Later<(Told, Option<Box<Relay>>)>,
) -> impl Future<Output = Option<Told>> {
    let (tell, told) = oneshot::channel();
    let (core, asked) = (Arc::clone(core), Arc::clone(asked));
    let mut under_way = UnderWayToBeTold { core, asked, work, began: Stopwatch::start(), has_answer: false };
    spawn(waiters, async move {
        let (told, relay) = fetch.await;
        under_way.has_answer = true;
        if let Err(Told::Answer(mut unheard)) = tell.send(told) {
            unheard.end(under_way.begun());
        }
        drop(under_way);
        if let Some(relay) = relay {
            Box::pin(relay.run()).await;
        }
    });
    async { told.await.ok() }
}

/// A fetch in a task of its own. Dropped before it has its answer, it was given up, and that is told.
struct UnderWayToBeTold {
    core: Arc<Core>,
    asked: Arc<Asked>,
    work: Work,
    began: Stopwatch,
    has_answer: bool,
}

impl UnderWayToBeTold {
    fn begun(&self) -> Begun {
        let Self { asked, work, began, .. } = self;
        let (route, request) = (asked.route(), &asked.request);
        let of = (&Method::GET, request.target.path(), &request.fields);
        let mut begun = self.core.shared.recorder.in_background(*work, *began, of);
        begun.goes_on(route.map(|route| &route.name), request.target.path(), false);
        begun
    }
}

impl Drop for UnderWayToBeTold {
    fn drop(&mut self) {
        if !self.has_answer {
            drop(self.begun());
        }
    }
}

fn spawn(waiters: Arc<Waiters>, task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(async move {
        tokio::select! {
            biased;
            () = waiters.gave_up() => {}
            () = task => {}
        }
    });
}

async fn fetch_for_all(core: Arc<Core>, fetch: Fetch) -> (Told, Option<Box<Relay>>) {
    match ask(&core, fetch).await {
        Ok(coming) => taken_in(core, coming).await,
        Err(told) => (told, None),
    }
}

async fn taken_in(core: Arc<Core>, coming: Coming) -> (Told, Option<Box<Relay>>) {
    let (answer, relay) = collect(&core, coming).await;
    (answer.into(), relay)
}

/// A fetch that ends with its client, until it turns out to be for all.
async fn fetch_alone(core: &Arc<Core>, fetch: Fetch) -> Option<Told> {
    let waiters = Arc::clone(&fetch.waiters);
    let coming = match ask(core, fetch).await {
        Ok(coming) => coming,
        Err(told) => return Some(told),
    };
    if coming.fetch.is_for_all() {
        let asked = Arc::clone(&coming.fetch.asked);
        return in_a_task(core, &asked, Work::Fill, waiters, Box::pin(taken_in(Arc::clone(core), coming))).await;
    }
    let (answer, relay) = collect(core, coming).await;
    if let Some(relay) = relay {
        spawn(waiters, relay.run());
    }
    Some(answer.into())
}

/// Sends, receives and judges: what may be stored, its body to come; or else what the client hears.
async fn ask(core: &Core, mut fetch: Fetch) -> Result<Coming, Told> {
    loop {
        fetch.began = moment(core, &fetch.asked.rules).filter(|_| !matches!(fetch.plan, Plan::Head { .. }));
        let request_time = core.shared.clock.now();
        let answered = match fetch.outgoing() {
            Ok(outgoing) => core.origin.send(outgoing).await,
            Err(error) => Err(error),
        };
        let answered = match answered {
            Ok(answered) => answered,
            Err(error) => return Err(without_answer(core, fetch, error).into()),
        };
        let status = answered.head.status;
        if is_origin_trouble(status)
            && let Some(answer) = stale_on_error(&core.shared, &fetch.asked, &fetch.missed, Some(status))
        {
            fetch.land(Landing::Trouble(status), &core.shared.flights);
            return Err(answer.told_after(answered.took).into());
        }
        let (received, body) = Received::of(answered, request_time, core.shared.clock.now());
        match fetch.take_plan() {
            Plan::Head { landed } => {
                return Err(Box::pin(heard(core, fetch, landed, received, body)).await.into());
            }
            Plan::Part(part) if is_of_the_whole(received.status) => {
                let plain = part.range.is_some();
                return judged(core, fetch, received, body, Some(plain)).await;
            }
            Plan::Part(part) => {
                let came = judge_part(&core.shared, fetch, part, received, body);
                return came.map_err(Told::Answer);
            }
            Plan::Get | Plan::Alone | Plan::Piece(_) | Plan::Post(..) => {}
        }
        match fetch.missed.stale.clone().filter(|_| status == StatusCode::NOT_MODIFIED) {
            None => return judged(core, fetch, received, body, None).await,
            Some(stale) if confirms(&stale.fields, &received.fields) => {
                let took = received.took;
                return Err(freshened(core, fetch, received, &stale).await.told_after(took).into());
            }
            Some(_) => {
                // It speaks of another representation than ours, which is over: ask again, unconditionally.
                drop(body);
                count_besides(core, &fetch.asked, received.took);
                fetch.missed.stale = None;
                fetch.interim = None;
                if let Some(token) = invalidate_stale(core, &fetch, status).await {
                    fetch.missed.token = token;
                }
            }
        }
    }
}

/// Whether what came is stored. `for_part` is whether it came for a part, and then whether that was asked for as anybody
/// else would ask for it.
async fn judged(
    core: &Core,
    mut fetch: Fetch,
    received: Received,
    body: Timed,
    for_part: Option<bool>,
) -> Result<Coming, Told> {
    let judged = judge(&core.shared, &fetch, &received);
    match judged.and_then(|judged| if for_part == Some(false) { Err(Detail::PartRequested) } else { Ok(judged) }) {
        Ok(judged) => Ok(Coming::new(fetch, received, judged, body)),
        Err(detail) => {
            fetch.land(Landing::HitForMiss, &core.shared.flights);
            if fetch.missed.stale.is_some() && speaks_of_the_resource(&fetch, received.status, detail) {
                invalidate_stale(core, &fetch, received.status).await;
            }
            let too_large = detail == Detail::TooLarge && for_part.is_none();
            if too_large && asks_for_part(&fetch.asked.request.fields) {
                count_besides(core, &fetch.asked, received.took);
                return Err(Told::AsAsked(detail));
            }
            Err(not_stored(&fetch, received, body, detail).into())
        }
    }
}

/// Counts an answer of the origin's that no outcome tells of: one after which it is asked once more, or that nobody is given.
fn count_besides(core: &Core, asked: &Asked, took: Duration) {
    core.shared.recorder.besides(asked.route().map(|route| &route.name), took);
}

/// Answers with the stale entry or the error, whoever waits.
fn without_answer(core: &Core, mut fetch: Fetch, error: OriginError) -> Answer {
    let answer = failed(&core.shared, &fetch.asked, &fetch.missed, &error);
    // A fill that made room in the queue for a place is nobody's answer: whoever comes just then looks again.
    if !(matches!(error, OriginError::Busy) && fetch.waiters.are_none()) {
        fetch.land(Landing::Failed(error), &core.shared.flights);
    }
    answer
}

/// An answer that is not stored, for this client alone.
fn not_stored(fetch: &Fetch, received: Received, body: Timed, detail: Detail) -> Answer {
    let status = CacheStatus { detail: Some(detail), ..fetch.cache_status(received.status, &received.fields) };
    let answer = Answer::passed(received.with(body), status).under_conditions_of(&fetch.asked.request.fields);
    answer.not_stored(Some(detail))
}
