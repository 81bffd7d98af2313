//! A request's way from ingress to answer.
//!
//! A read: ingress -> route -> key -> lookup -> reuse? -> deliver, or fetch -> put -> deliver.
//! A write: ingress -> mark -> forward -> invalidate -> deliver. Each step is a function of that name in a file of that name;
//! values are passed from step to step, and every outcome has a named reason that the client, the log and `aside explain`
//! share.

mod annotate;
mod answer;
mod asked;
mod coding;
mod core;
mod decide;
mod deliver;
mod egress;
mod error;
mod fetch;
mod flights;
#[cfg(fuzzing)]
pub mod fuzzing;
mod hosts;
mod ingress;
mod inspect;
mod invalidate;
mod landing;
mod lookup;
mod notices;
mod pass;
mod patience;
mod read;
mod route;
mod settings;
mod tunnel;
mod variants;
mod words;
mod write;
mod write_policy;

use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;

use http::{Method, Request, Response};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::body::Body;
use crate::budget::Budget;
use crate::fields::Forward;
use crate::handler::{Exchange, Handled, Handler, Handlers, Later, Share};
use crate::origin::{self, Origin};
use crate::policy::is_safe;
use crate::rules::Ruleset;
use crate::store::{self, Store};
use crate::telemetry::Begun;
use answer::Answer;
use core::{Core, Tasks};
use ingress::{Admitted, admit};
use pass::pass;
use read::{Way, read};
use tunnel::{may_tunnel, tunnel};
use write::write;

pub use coding::CompressionSettings;
pub use core::Shared;
pub use inspect::{Inspection, Question, Selection, Variants, inspect, question};
pub use settings::ProxySettings;

/// The proxy of one core.
#[derive(Debug)]
pub struct Proxy {
    core: Arc<Core>,
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
        Arc::new(Proxy::new(self.shared.of_core(), self.store.attach(), origin))
    }

    fn max_files(&self) -> usize {
        self.origin.max_connections()
    }

    fn stack_bytes(&self, cores: usize) -> Option<usize> {
        self.store.stack_bytes(cores)
    }
}

/// How a request goes on that is not answered at once.
enum Onward {
    Read(Way),
    Pass(Arc<Ruleset>, Admitted),
    Tunnel(Arc<Ruleset>, Admitted),
    Write(Arc<Ruleset>, Admitted),
}

/// What remains to be done with a request's answer.
struct End {
    begun: Begun,
    pass_tags: bool,
    share: Option<Arc<Budget>>,
}

impl Proxy {
    /// Puts a core's proxy together.
    pub fn new(shared: Shared, store: Store, origin: Origin) -> Self {
        Self { core: Arc::new(Core { shared, store, origin, tasks: Tasks::new() }) }
    }
}

impl Handler for Proxy {
    fn handle(self: Arc<Self>, request: Request<Incoming>, exchange: Exchange) -> Handled {
        let settings = &self.core.shared.settings;
        let rules = Arc::clone(&settings.rules);
        let (method, path, fields) = (request.method(), request.uri().path(), request.headers());
        let begun = self.core.shared.recorder.begin(method, path, fields, exchange.client.address);
        let mut end = End { begun, pass_tags: settings.pass_tags, share: exchange.share.as_ref().map(Share::budget) };
        let answered = match admit(request, settings, exchange) {
            Ok(admitted) => begin(&self.core, rules, admitted),
            Err(refusal) => Break(refusal.answer()),
        };
        let onward = match answered {
            Break(answer) => return Handled::Now(end.of(answer)),
            Continue(onward) => onward,
        };
        onward.tell(&mut end.begun);
        let core = Arc::clone(&self.core);
        // Each way is a future of its own, and no larger than it has to be: that much is moved into its box.
        Handled::Later(match onward {
            Onward::Read(way) => Box::pin(async move { end.of(way.go(&core).await) }),
            Onward::Pass(_, request) => {
                Box::pin(async move { end.of(pass(&core, request, Forward::Method, None).await) })
            }
            Onward::Tunnel(_, request) => Box::pin(async move { end.of(tunnel(&core, request).await) }),
            Onward::Write(rules, request) => Box::pin(async move { end.of(write(&core, rules, request).await) }),
        })
    }

    /// Waits for the writes under way: their origin may have acted already, and what they changed must be invalidated.
    /// Those that are not done at the deadline end with the runtime.
    fn finish(self: Arc<Self>, deadline: Instant) -> Later<()> {
        Box::pin(async move {
            let cut = self.core.tasks.finish(deadline).await;
            if cut > 0 {
                tracing::warn!(
                    writes = cut,
                    "writes under way were cut; what they changed may be served until it expires"
                );
            }
        })
    }
}

/// Answers at once what can be.
fn begin(core: &Core, rules: Arc<Ruleset>, request: Admitted) -> ControlFlow<Answer, Onward> {
    if may_tunnel(core, &rules, &request) {
        return Continue(Onward::Tunnel(rules, request));
    }
    match request.method {
        Method::GET | Method::HEAD => read(core, rules, request).map_continue(Onward::Read),
        _ if is_safe(&request.method) => Continue(Onward::Pass(rules, request)),
        _ => Continue(Onward::Write(rules, request)),
    }
}

impl Onward {
    /// Tells what is known of the request by now: it may never come to an answer.
    fn tell(&self, begun: &mut Begun) {
        let (route, request) = match self {
            Self::Read(way) => way.asks_for(),
            Self::Pass(rules, request) | Self::Tunnel(rules, request) | Self::Write(rules, request) => {
                (rules.routes.find(request.target.path()).map(|(route, _)| &**route), request)
            }
        };
        begun.goes_on(route.map(|route| &route.name), request.target.path(), matches!(self, Self::Write(..)));
        if begun.is_shown() {
            begun.shows(route.and_then(|route| route.shown_query(request.query())));
        }
    }
}

impl End {
    fn of(self, mut answer: Answer) -> Response<Body> {
        answer.end(self.begun);
        answer.seal(self.pass_tags, self.share)
    }
}
