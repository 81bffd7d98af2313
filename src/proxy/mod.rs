//! A request's way from ingress to answer.
//!
//! A read: ingress -> route -> key -> lookup -> reuse? -> deliver, or fetch -> keep -> deliver.
//! A write: ingress -> forward -> finish -> deliver. Each step is a function of that name; values are passed from step
//! to step, and every outcome has a named reason that the client, the log and `aside explain` share.

mod annotate;
mod answer;
mod collapse;
mod deliver;
mod error;
mod fetch;
mod ingress;
mod keep;
mod lookup;
mod pass;
mod reuse;
mod settings;
mod tasks;
mod write;
mod write_policy;

use std::net::IpAddr;
use std::sync::Arc;

use http::{Method, Request, Response};
use hyper::body::Incoming;

use crate::clock::{Clock, Stopwatch};
use crate::fields::{Detail, Forward};
use crate::origin::{Body, Origin};
use crate::policy::{Choices, is_safe};
use crate::rules::Bypass;
use crate::store::{Fault, Store};
use crate::telemetry::{self, RequestLine};
use answer::Answer;
use collapse::{Flights, Join, Landing};
use fetch::Fetch;
use ingress::Admitted;
use lookup::Resource;
use reuse::Verdict;
use tasks::Tasks;

pub use settings::ProxySettings;

/// What all cores of a process share besides the store.
#[derive(Clone, Debug)]
pub struct Shared {
    settings: Arc<ProxySettings>,
    flights: Arc<Flights>,
    clock: Clock,
    log_requests: bool,
}

impl Shared {
    /// Sets the shared part up.
    pub fn new(settings: ProxySettings, clock: Clock, log_requests: bool) -> Self {
        let flights = Arc::new(Flights::new(settings.max_waiters));
        Self { settings: Arc::new(settings), flights, clock, log_requests }
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

impl Proxy {
    /// Puts a core's proxy together.
    pub fn new(shared: Shared, store: Store, origin: Origin) -> Self {
        Self { shared, store, origin, tasks: Tasks::new() }
    }

    /// Waits for the writes under way: their origin may have acted already, and what they made old must be made old.
    /// Those that are not done at the deadline end with the runtime; comes back with how many they are.
    pub async fn finish_tasks(&self, deadline: tokio::time::Instant) -> usize {
        self.tasks.finish(deadline).await
    }

    /// Answers one request. Never fails: whatever goes wrong becomes an answer that says so.
    ///
    /// Dropping the future is safe at any point: fills and writes go on in tasks of their own.
    pub async fn handle(self: &Arc<Self>, request: Request<Incoming>, peer: Option<IpAddr>) -> Response<Body> {
        let line = self
            .shared
            .log_requests
            .then(|| (Stopwatch::start(), RequestLine::of(request.method(), request.uri().path())));
        let answer = match ingress::admit(request, &self.shared.settings, peer) {
            Err(refusal) => refusal.answer(),
            Ok(admitted) if matches!(admitted.method, Method::GET | Method::HEAD) => self.read(admitted).await,
            Ok(admitted) if is_safe(&admitted.method) => self.pass(admitted, Forward::Method, None).await,
            Ok(admitted) => self.write(admitted).await,
        };
        if let Some((stopwatch, line)) = line {
            telemetry::log_request(&line, answer.response.status(), &answer.cache_status, stopwatch.elapsed());
        }
        answer.seal()
    }

    async fn read(self: &Arc<Self>, request: Admitted) -> Answer {
        let resource = match self.resource(&request) {
            Ok(resource) => resource,
            Err((Bypass(detail), route)) => {
                let limit = route.as_ref().map_or(0, |route| route.choices.max_body);
                let answer = self.pass(request, Forward::Bypass, Some(detail)).await;
                return annotate::missed(answer, route.as_deref(), limit).await;
            }
        };
        let route = resource.route.clone();
        let head_only = request.method == Method::HEAD;
        let limit = self.choices(&resource).max_body;
        let answer = self.answer(resource, request).await;
        let answer = annotate::missed(answer, route.as_deref(), limit).await;
        if head_only { answer.without_body() } else { answer }
    }

    /// Lookup, reuse, and otherwise one fetch for all who ask.
    async fn answer(self: &Arc<Self>, resource: Resource, request: Admitted) -> Answer {
        for _ in 0..LOOKS {
            let landed = self.shared.flights.landed(&resource.place.key);
            let seen = match self.lookup(&resource, &request).await {
                Ok(seen) => seen,
                Err(fault) => return self.pass(request, Forward::Miss, Some(fault_detail(&fault))).await,
            };
            let missed = match self.reuse(&resource, &request, seen) {
                Verdict::Deliver(answer) => return answer,
                Verdict::DeliverAndRefresh(answer, missed) => {
                    if let Join::Lead(leader) = self.shared.flights.join(&resource.place.key, landed) {
                        self.refresh(Fetch::new(resource, request, missed, Some(leader)));
                    }
                    return answer;
                }
                Verdict::Pass(detail) => return self.pass(request, Forward::Bypass, Some(detail)).await,
                Verdict::Fetch(missed) => missed,
            };
            if request.method == Method::HEAD {
                return self.pass(request, missed.forward, missed.detail).await;
            }
            let follower = match self.shared.flights.join(&resource.place.key, landed) {
                Join::Lead(leader) => return self.fetch(Fetch::new(resource, request, missed, Some(leader))).await,
                Join::Alone => return self.fetch(Fetch::new(resource, request, missed, None)).await,
                Join::LookAgain => continue,
                Join::Follow(follower) => follower,
            };
            match follower.landing().await {
                Landing::Stored(entry) => {
                    if let Some(answer) = self.share(&resource, &request, &entry) {
                        return answer;
                    }
                }
                Landing::Unshareable => return self.fetch(Fetch::new(resource, request, missed, None)).await,
                Landing::Failed(error) => return self.failed(&resource, &request, &missed, &error),
                Landing::Again => {}
            }
        }
        match self.lookup(&resource, &request).await {
            Ok(seen) => self.fetch(Fetch::new(resource, request, seen.missed(), None)).await,
            Err(fault) => self.pass(request, Forward::Miss, Some(fault_detail(&fault))).await,
        }
    }

    /// The choices that hold for a resource: its route's, or those for paths without one.
    fn choices<'a>(&'a self, resource: &'a Resource) -> &'a Choices {
        match &resource.route {
            Some(route) => &route.choices,
            None => self.shared.settings.unrouted.as_ref().unwrap_or(&NEVER),
        }
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
