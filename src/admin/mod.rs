//! The admin listener: what a person asks a running process, and tells it to do.
//!
//! It is a server of one core beside those of the clients, with a handler, a store session and limits of its own, so that no
//! request of a client ever waits for it. A request passes the `gate` (which host, which token, JSON), leads to an `endpoint`,
//! and is answered in JSON. Nothing of a body is read before that, and what needs no wait is answered at once: whoever has no
//! token cannot hold anything here. What it asks about is the room's below; what only whoever has started the process can do is behind
//! [`Control`].

mod answer;
mod client;
mod control;
mod endpoint;
mod figures;
mod gate;
mod page;
mod purge;
mod query;
mod readiness;
mod runtime;
mod settings;
mod status;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts as Head;
use http::{Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::body::{Body, BodyError, Collected, Timed};
use crate::clock::Stopwatch;
use crate::handler::{Exchange, Handled, Handler, Handlers, Later};
use crate::proxy;
use crate::store::Store;
use crate::telemetry::{Metrics, Recent, Recorder};
use crate::verify::Report;
use answer::{LISTENER, json as in_json};
use endpoint::{Endpoint, Known, Task};
use gate::Gate;

pub use answer::{Refusal, Told};
pub use client::{Client, ClientError, Place};
pub use control::{ConfigState, Control, Reloaded};
pub use figures::Figures;
pub use query::ExplainQuestion;
pub use readiness::Readiness;
pub use runtime::RuntimeFolders;
pub use settings::{AdminListen, AdminSettings};
pub use status::{
    AddressStatus, AdminStatus, Identity, LeaseStatus, OriginStatus, PeerStatus, RouteStatus, Status, StoreStatus,
    VerifyStatus,
};

/// What the admin listener tells of, and makes its handler from.
#[derive(Clone)]
pub struct Admin {
    shared: Arc<Shared>,
}

struct Shared {
    gate: Gate,
    identity: Identity,
    process: Process,
    started: Stopwatch,
}

/// The process that it tells of.
#[derive(Clone)]
pub struct Process {
    /// What its proxies are made from.
    pub parts: proxy::Parts,
    /// What it has counted.
    pub metrics: Arc<Metrics>,
    /// What happened lately.
    pub recent: Arc<Recent>,
    /// Whoever has started it.
    pub control: Arc<dyn Control>,
    /// Whether it serves clients.
    pub readiness: Readiness,
}

/// The handler of the one core that serves it.
struct Desk {
    shared: Arc<Shared>,
    /// Not a `RuledStore`, which guards what goes on under rules from before a reload: here each request takes the rules in
    /// force as it begins. Where others come while it purges, all routes whose rules change are invalidated with them.
    store: Store,
    /// Counts what is done here.
    recorder: Recorder,
    /// For what is done at once. What is known already needs none.
    places: Arc<Semaphore>,
}

/// So much is done at once, fewer than there are connections: the rest of those is for what is answered without a wait, probes
/// among it.
const AT_ONCE: usize = 24;
/// A larger body is no question of a person.
const LARGEST_BODY: u64 = 64 << 10;
/// How long a body may take, and how long it may stand still.
const BODY_WITHIN: Duration = Duration::from_secs(5);
/// How long whoever asks for a reload is kept waiting for what comes of it; less than the commands wait.
const RELOADED_WITHIN: Duration = Duration::from_secs(25);

impl Admin {
    /// The listener of a process: `address` is the one that it listens on, `None` for a unix socket.
    pub fn new(settings: &AdminSettings, address: Option<SocketAddr>, identity: Identity, process: Process) -> Self {
        let gate = Gate::new(address, settings.token.clone());
        Self { shared: Arc::new(Shared { gate, identity, process, started: Stopwatch::start() }) }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Admin")
    }
}

impl Handlers for Admin {
    fn attach(&self) -> Arc<dyn Handler> {
        Arc::new(Desk {
            shared: Arc::clone(&self.shared),
            store: self.shared.process.parts.store.attach(),
            recorder: Recorder::default().counting(&self.shared.process.metrics),
            places: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    fn stack_bytes(&self, cores: usize) -> Option<usize> {
        self.shared.process.parts.store.stack_bytes(cores)
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Desk")
    }
}

impl Handler for Desk {
    fn handle(self: Arc<Self>, request: Request<Incoming>, _: Exchange) -> Handled {
        let (head, body) = request.into_parts();
        let has_body = !body.is_end_stream();
        let answer = match self.shared.gate.admit(&head, has_body) {
            Ok(Endpoint::Told(what)) => self.told(what, &head),
            Ok(Endpoint::Done(what)) => match self.place() {
                Ok(place) => return Handled::Later(Box::pin(async move { self.done(what, &head, body, place).await })),
                Err(refusal) => Err(refusal),
            },
            Err(refusal) => Err(refusal),
        };
        // A body that nobody reads is in the way of the next request.
        Handled::Now(answer.unwrap_or_else(|refusal| if has_body { refusal.last_answer() } else { refusal.answer() }))
    }
}

impl Desk {
    /// A place among what is done at once.
    fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let told = "Too much is asked at once; ask again in a moment.";
        let place = Arc::clone(&self.places).try_acquire_owned();
        place.map_err(|_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, told))
    }

    /// What is known already: it waits for nothing, and needs no place.
    fn told(&self, what: Known, head: &Head) -> Result<Response<Body>, Refusal> {
        let Process { parts, metrics, recent, control, .. } = &self.shared.process;
        if !what.takes_query() {
            query::none(head.uri.query().unwrap_or_default())?;
        }
        Ok(match what {
            Known::Page(piece) => page::page(piece),
            Known::Live => in_json(StatusCode::OK, &json!({ "live": true, "listener": LISTENER })),
            Known::Ready => self.readiness(),
            Known::Status => in_json(StatusCode::OK, &self.status()),
            Known::Metrics => figures::metrics(head, metrics, parts),
            Known::Recent => figures::recent(metrics, recent, parts),
            Known::Verify => {
                let report = Report { file: control.config().file, ..parts.shared().verified() };
                in_json(StatusCode::OK, &report)
            }
        })
    }

    /// What waits for the store, for a file or for the client's own body, as long as it has a place.
    async fn done(&self, what: Task, head: &Head, body: Incoming, _place: OwnedSemaphorePermit) -> Response<Body> {
        let done = match read(head, body).await {
            Ok(body) => self.worked(what, head.uri.query().unwrap_or_default(), &body).await,
            Err(refusal) => Err(refusal),
        };
        done.unwrap_or_else(|refusal| refusal.answer())
    }

    async fn worked(&self, what: Task, query: &str, body: &[u8]) -> Result<Response<Body>, Refusal> {
        let Process { parts, control, readiness, .. } = &self.shared.process;
        match what {
            Task::Explain => {
                let question = query::explain(query)?;
                Ok(in_json(StatusCode::OK, &control.explain(question, self.store.clone()).await?))
            }
            Task::Entries => {
                let entries = purge::entries(query, &parts.shared().rules(), &self.store).await?;
                Ok(in_json(StatusCode::OK, &entries))
            }
            Task::Purge => {
                query::none(query)?;
                let purged = purge::purge(body, &parts.shared().rules(), &self.store, &self.recorder).await?;
                Ok(in_json(StatusCode::OK, &purged))
            }
            Task::Reload => {
                query::none(query)?;
                query::nothing(body)?;
                match readiness.missing() {
                    None => Ok(in_json(StatusCode::OK, &reloaded(control.reload()).await?)),
                    Some(why) => Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why)),
                }
            }
        }
    }

    fn readiness(&self) -> Response<Body> {
        match self.shared.process.readiness.missing() {
            None => in_json(StatusCode::OK, &json!({ "ready": true })),
            Some(why) => in_json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "ready": false, "error": why })),
        }
    }

    fn status(&self) -> Status {
        let Shared { gate, identity, process, started } = &*self.shared;
        let Process { parts, metrics, control, readiness, .. } = process;
        let store = parts.store.state();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: started.elapsed().as_secs_f64(),
            ready: readiness.missing().is_none(),
            config: control.config(),
            listen: identity.listen.clone(),
            admin: AdminStatus { listen: identity.admin.clone(), token: gate.has_token() },
            pending: store.pending,
            store: status::of_store(store),
            origin: status::of_origin(parts),
            verify: status::of_verify(parts.shared().verified_in_short()),
            routes: status::of_routes(&parts.shared().rules(), &metrics.totals()),
        }
    }
}

/// What a reload has come to, if that is known within [`RELOADED_WITHIN`]: what is read may be a pipe into which nobody writes.
async fn reloaded(reload: Later<Result<Reloaded, Refusal>>) -> Result<Reloaded, Refusal> {
    timeout(RELOADED_WITHIN, reload).await.unwrap_or_else(|_| {
        let told = format!(
            "The configuration was not read within {RELOADED_WITHIN:?}, and is still being read; the log tells what comes of it."
        );
        Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, told))
    })
}

/// A request's body, in full.
async fn read(head: &Head, body: Incoming) -> Result<Bytes, Refusal> {
    let too_large = || {
        let told = format!("The body is larger than {LARGEST_BODY} bytes, and nothing here takes so many.");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, told).naming("body")
    };
    let announced = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > LARGEST_BODY) {
        return Err(too_large());
    }
    let body = Timed::new(body, BODY_WITHIN).until(Instant::now() + BODY_WITHIN, BODY_WITHIN).without_trailers();
    match body.collect(LARGEST_BODY).await {
        Collected::Whole(bytes) => Ok(bytes),
        Collected::Larger(..) | Collected::NoRoom(..) => Err(too_large()),
        Collected::Failed(BodyError::Stalled(_) | BodyError::Late(_)) | Collected::Slow(..) => {
            let told = format!("The body was not whole within {BODY_WITHIN:?}.");
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, told).naming("body"))
        }
        Collected::Failed(error) => Err(Refusal::of_field("body", format!("The body cannot be read: {error}."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_for_a_reload_that_does_not_end_holds_its_place_for_a_while_only() {
        let since = Instant::now();
        let refusal = reloaded(Box::pin(std::future::pending())).await.unwrap_err();
        assert_eq!((refusal.status, since.elapsed()), (StatusCode::SERVICE_UNAVAILABLE, RELOADED_WITHIN));
        assert!(refusal.told.error.contains("the log tells"), "{}", refusal.told.error);
    }
}
