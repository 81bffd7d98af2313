//! A request's way from ingress to answer.
//!
//! A read: ingress -> route -> key -> lookup -> reuse? -> deliver, or fetch -> keep -> deliver.
//! A write: ingress -> forward -> invalidate -> deliver. Each step is a function of that name; values are passed from step
//! to step, and every outcome has a named reason that the client, the log and `aside explain` share.

mod annotate;
mod answer;
mod coding;
mod collapse;
mod deliver;
mod egress;
mod error;
mod fetch;
mod fill;
mod follow;
mod forwarded;
#[cfg(fuzzing)]
pub mod fuzzing;
mod head;
mod hosts;
mod in_turn;
mod ingress;
mod inspect;
mod invalidate;
mod keep;
mod lookup;
mod notices;
mod parts;
mod pass;
mod patience;
mod post;
mod read_ahead;
mod reuse;
mod settings;
mod standing_in;
mod tasks;
mod tunnel;
mod variants;
mod versions;
mod words;
mod write;
mod write_policy;

use std::sync::Arc;

use http::{Method, Request, Response};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::body::Body;
use crate::budget::Budget;
use crate::clock::Clock;
use crate::fields::{Detail, Forward};
use crate::handler::{Exchange, Handled, Handler, Handlers, Later, Share};
use crate::origin::{self, Origin};
use crate::policy::{Choices, credential_in, is_safe, only_if_cached, wants_the_origin};
use crate::rules::Bypass;
use crate::store::{self, Fault, Store};
use crate::telemetry::Recorder;
use answer::Answer;
use coding::Codings;
use collapse::{Flights, Join, Landing};
use error::Refusal;
use fetch::Fetch;
use follow::patience;
use hosts::OtherHosts;
use ingress::Admitted;
use lookup::{Missed, Resource};
use notices::Notices;
use patience::{MOMENT, SHORT_MOMENT};
use reuse::{Onward, Verdict};
use standing_in::StandingIn;
use tasks::Tasks;

pub use coding::CompressionSettings;
pub use inspect::{Inspection, Question, Selection, Variants};
pub use settings::ProxySettings;

/// What all cores of a process share besides the store.
#[derive(Clone, Debug)]
pub struct Shared {
    settings: Arc<ProxySettings>,
    flights: Arc<Flights>,
    codings: Arc<Codings>,
    standing_in: Arc<StandingIn>,
    notices: Arc<Notices>,
    other_hosts: Arc<OtherHosts>,
    /// The bytes of answers on their way.
    answers: Arc<Budget>,
    clock: Clock,
    recorder: Recorder,
}

impl Shared {
    /// Sets the shared part up.
    pub fn new(settings: ProxySettings, clock: Clock, recorder: Recorder) -> Self {
        let flights = Arc::new(Flights::new(settings.max_waiters));
        let answers = Budget::new(settings.max_answers);
        let codings = Arc::new(Codings::new(&settings.compression, &answers));
        let (standing_in, other_hosts) = (Arc::default(), Arc::default());
        let notices = Arc::new(Notices::about(&settings.rules.routes));
        let settings = Arc::new(settings);
        Self { settings, flights, codings, standing_in, notices, other_hosts, answers, clock, recorder }
    }
}

/// What every core's proxy is made from.
#[derive(Clone, Debug)]
pub struct Parts {
    /// What the proxies share.
    pub shared: Shared,
    /// What the stores share.
    pub store: store::Shared,
    /// What the clients of the origin share.
    pub origin: Arc<origin::Shared>,
}

impl Handlers for Parts {
    fn attach(&self) -> Arc<dyn Handler> {
        let origin = Origin::new(Arc::clone(&self.origin));
        Arc::new(Proxy::new(self.shared.clone(), self.store.attach(), origin))
    }

    fn max_files(&self) -> usize {
        self.origin.max_connections()
    }

    fn stack_bytes(&self, cores: usize) -> Option<usize> {
        self.store.stack_bytes(cores)
    }
}

/// The proxy of one core.
#[derive(Debug)]
pub struct Proxy {
    shared: Shared,
    store: Store,
    origin: Origin,
    /// Writes under way, which no end of a connection stops.
    tasks: Tasks,
}

/// How often a request that waited in vain looks again before it goes to the origin by itself.
const LOOKS: usize = 4;

impl Handler for Proxy {
    fn handle(self: Arc<Self>, request: Request<Incoming>, exchange: Exchange) -> Handled {
        Handled::Later(Box::pin(async move { self.answer_to(request, exchange).await }))
    }

    /// Waits for the writes under way: their origin may have acted already, and what they made old must be made old. Those
    /// that are not done at the deadline end with the runtime.
    fn finish(self: Arc<Self>, deadline: Instant) -> Later<()> {
        Box::pin(async move {
            let cut = self.tasks.finish(deadline).await;
            if cut > 0 {
                tracing::warn!(
                    writes = cut,
                    "writes under way were cut; what they made old may be served until it expires"
                );
            }
        })
    }
}

impl Proxy {
    /// Puts a core's proxy together.
    pub fn new(shared: Shared, store: Store, origin: Origin) -> Self {
        Self { shared, store, origin, tasks: Tasks::new() }
    }

    /// Answers one request. Dropping the future is safe at any point: fills and writes go on in tasks of their own.
    async fn answer_to(self: &Arc<Self>, request: Request<Incoming>, exchange: Exchange) -> Response<Body> {
        let counts_for = exchange.share.as_ref().map(Share::budget);
        let (method, path, fields) = (request.method(), request.uri().path(), request.headers());
        let begun = self.shared.recorder.begin(method, path, fields, exchange.client.address);
        let mut answer = match ingress::admit(request, &self.shared.settings, exchange) {
            Err(refusal) => refusal.answer(),
            Ok(admitted) if self.may_tunnel(&admitted) => self.tunnel(admitted).await,
            Ok(admitted) if matches!(admitted.method, Method::GET | Method::HEAD) => self.read(admitted).await,
            Ok(admitted) if is_safe(&admitted.method) => self.pass(admitted, Forward::Method, None).await,
            Ok(admitted) => self.write(admitted).await,
        };
        let notes = std::mem::take(&mut answer.notes);
        begun.end(answer.response.status(), answer.cache_status, answer.length(), notes);
        answer.seal(self.shared.settings.pass_tags, counts_for)
    }

    async fn read(self: &Arc<Self>, request: Admitted) -> Answer {
        let resource = match self.shared.resource(&request) {
            Ok(resource) => resource,
            Err((Bypass(detail), route)) => {
                let choices =
                    route.as_ref().map(|route| &route.choices).or(self.shared.settings.rules.unrouted.as_ref());
                if choices.is_some_and(|choices| only_if_cached(&request.fields, choices)) {
                    return Refusal::OnlyIfCached.answer();
                }
                let limit = route.as_ref().map_or(0, |route| route.choices.max_body);
                let answer = self.pass(request, Forward::Bypass, Some(detail)).await;
                return annotate::missed(answer, route.as_deref(), limit, &self.shared.answers).await;
            }
        };
        let route = resource.route.clone();
        let head_only = request.method == Method::HEAD;
        let limit = self.choices(&resource).max_body;
        let answer = self.in_turn(&resource, &request).await;
        self.shared.standing_in.note(route.as_deref(), &answer.cache_status, self.shared.clock.ticks());
        let answer = annotate::missed(answer, route.as_deref(), limit, &self.shared.answers).await;
        let mut answer = self.shared.codings.apply(answer).await;
        answer.notes.route = route.map(|route| Arc::clone(&route.name));
        if head_only { answer.without_body() } else { answer }
    }

    /// Lookup, reuse, and otherwise one fetch for all who ask.
    async fn answer(self: &Arc<Self>, resource: &Resource, request: &Admitted) -> Answer {
        let (mut looks_left, mut moment, mut impatient) = (LOOKS, MOMENT, None);
        let fetch = |missed, leader| Fetch::new(resource.clone(), request.again(), missed, leader);
        loop {
            let landed = self.shared.flights.landed(&resource.place.key);
            let seen = match self.shared.lookup(&self.store, resource, request).await {
                Ok(seen) => seen,
                Err(fault) => return self.pass(request.again(), Forward::Miss, Some(fault_detail(&fault))).await,
            };
            let missed = match self.reuse(resource, request, &seen) {
                Verdict::Deliver(answer) => return answer,
                Verdict::DeliverAndRefresh(answer, missed) => {
                    if let Some(leader) = self.shared.flights.lead(&resource.place.key, landed) {
                        self.refresh(fetch(missed, Some(leader)));
                    }
                    return answer;
                }
                Verdict::Pass(forward, detail) => return self.pass(request.again(), forward, Some(detail)).await,
                Verdict::Fetch(missed) => missed,
            };
            match self.shared.onward(resource, request) {
                Onward::Part => return self.part(resource.clone(), request.again(), missed, landed).await,
                Onward::OnlyIfCached => return Refusal::OnlyIfCached.answer(),
                Onward::Head => return self.head(resource.clone(), request.again(), missed, landed).await,
                Onward::Fetch => {}
            }
            if let Some(follower) = impatient {
                return self.fetch_too(follower, resource, request, missed).await;
            }
            if looks_left == 0 || self.goes_alone(resource, request, &missed) {
                return self.fetch(fetch(missed, None).within(moment)).await;
            }
            looks_left -= 1;
            let mut follower = match self.shared.flights.join(&resource.place.key, landed) {
                Join::Lead(leader) => return self.fetch(fetch(missed, Some(leader))).await,
                Join::Alone => return self.fetch(fetch(missed, None)).await,
                Join::LookAgain => continue,
                Join::Follow(follower) => follower,
            };
            let Some(landing) = follower.landing(patience(resource, &missed)).await else {
                impatient = Some(follower);
                continue;
            };
            match landing {
                Landing::Stored(entry, status) => {
                    if let Some(answer) = self.share(resource, request, &missed, &entry, status) {
                        return answer;
                    }
                }
                Landing::Failed(error) => return self.failed(resource, request, &missed, &error).collapsed(),
                Landing::Trouble(status) => {
                    return match self.stale_on_error(resource, request, &missed, Some(status)) {
                        Some(answer) => answer.collapsed(),
                        None => self.fetch(fetch(missed, None)).await,
                    };
                }
                // What is stored by now may still be validated, or stand in.
                Landing::HitForMiss => looks_left = 0,
                Landing::StillComing => (looks_left, moment) = (0, SHORT_MOMENT),
                Landing::Again => {}
            }
        }
    }

    /// Whether a request fetches by itself although others may be fetching: it has little to hope for from a stranger's
    /// answer. So has one that takes nothing stored; and, where no route speaks, one with a credential, or one whose
    /// answers are known to vary.
    fn goes_alone(&self, resource: &Resource, request: &Admitted, missed: &Missed) -> bool {
        let unrouted = resource.route.is_none();
        wants_the_origin(&request.fields, self.choices(resource))
            || (unrouted && (missed.forward == Forward::VaryMiss || credential_in(&request.fields).is_some()))
    }

    /// The choices that hold for a resource: its route's, or those for paths without one.
    fn choices<'a>(&'a self, resource: &'a Resource) -> &'a Choices {
        self.shared.choices(resource)
    }
}

/// What holds where nothing is cached.
static NEVER: std::sync::LazyLock<Choices> = std::sync::LazyLock::new(Choices::default);

/// The reason that a store's fault is told as.
fn fault_detail(fault: &Fault) -> Detail {
    match fault {
        Fault::Timeout => Detail::StoreTimeout,
        Fault::Full => Detail::StoreFull,
        Fault::Down | Fault::Refused(_) => Detail::StoreDown,
    }
}
