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
mod compare;
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
mod live;
mod lookup;
mod noted;
mod notices;
mod pass;
mod patience;
mod purge;
mod purgers;
mod purging;
mod read;
mod route;
mod sampler;
mod settings;
mod tunnel;
mod variants;
mod verifier;
mod words;
mod write;
mod write_policy;

use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use http::{Method, Request, Response};
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::body::Body;
use crate::budget::Budget;
use crate::fields::Forward;
use crate::handler::{Exchange, Handled, Handler, Handlers, Later, Share};
use crate::origin::{self, OriginSettings};
use crate::policy::is_safe;
use crate::rules::Ruleset;
use crate::store::{self, Store};
use crate::telemetry::{Begun, Recorder};
use answer::Answer;
use core::{Core, InForce};
use ingress::{Admitted, admit};
use live::Live;
use pass::pass;
use purge::{is_purge, purge};
use read::{Way, read};
use tunnel::{may_tunnel, tunnel};
use write::write;

pub use coding::CompressionSettings;
pub use core::Shared;
pub use inspect::{Inspection, Question, Selection, Variants, inspect, question};
pub use purgers::Purgers;
pub use purging::PurgeUnderWay;
pub use settings::ProxySettings;
pub use verifier::VerifySummary;

/// The proxy of one core.
#[derive(Debug)]
pub struct Proxy {
    live: Arc<Live>,
    /// What it works with under the configuration that was in force when it last looked.
    core: ArcSwap<Core>,
}

/// What every core's proxy is made from.
#[derive(Clone, Debug)]
pub struct Parts {
    live: Arc<Live>,
    /// What the stores share.
    pub store: store::Shared,
}

impl Parts {
    /// Puts them together.
    pub fn new(shared: Shared, store: store::Shared, origin: Arc<origin::Shared>) -> Self {
        Self { live: Arc::new(Live::new(shared, origin)), store }
    }

    /// What the proxies share under the configuration in force.
    pub fn shared(&self) -> Shared {
        self.live.current().shared.clone()
    }

    /// What the clients of the origin share under the configuration in force.
    pub fn origin(&self) -> Arc<origin::Shared> {
        Arc::clone(&self.live.current().origin)
    }

    /// Puts another configuration in force, whole: whoever comes from now on sees it, on every core, and who is under way goes
    /// on as it began. Requests are logged as this recorder's are. The origin may from now on commit a write of unknown
    /// outcome `commit_within` that time, if that is longer than before.
    ///
    /// To be called by one at a time.
    pub fn replace(&self, settings: ProxySettings, origin: OriginSettings, commit_within: Duration, log: &Recorder) {
        let InForce { shared, origin: before, .. } = &*self.live.current();
        let origin = origin::Shared::after(before, origin, &shared.clock);
        let (rules, rules_before) = (&settings.rules, &shared.settings.rules);
        let (rules, changed) = (rules.of_writes(), rules.changed_since(rules_before));
        let shared = shared.under(settings, log);
        // In this order: what is stored under the rules of before is not to be found under these.
        self.store.go_by(rules, &changed, commit_within);
        self.live.replace(shared, origin);
    }
}

impl Handlers for Parts {
    fn attach(&self) -> Arc<dyn Handler> {
        let proxy = Arc::new(Proxy::new(Arc::clone(&self.live), self.store.attach()));
        tokio::spawn(follow(Arc::downgrade(&proxy), self.live.changes()));
        proxy
    }

    fn max_files(&self) -> usize {
        self.origin().max_connections()
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
    Purge(Arc<Ruleset>, Admitted),
    Write(Arc<Ruleset>, Admitted),
}

/// What remains to be done with a request's answer.
struct End {
    begun: Begun,
    pass_tags: bool,
    share: Option<Arc<Budget>>,
}

impl Proxy {
    /// Puts a core's proxy together, within that core's runtime.
    fn new(live: Arc<Live>, store: Store) -> Self {
        let core = ArcSwap::from_pointee(Core::new(&live.current(), store));
        Self { live, core }
    }

    /// What the core works with under the configuration in force: for a request that holds to it until its end.
    fn core(&self) -> Guard<Arc<Core>> {
        let core = self.core.load();
        if self.live.is(core.number) {
            return core;
        }
        self.core.store(Arc::new(core.under(&self.live.current())));
        self.core.load()
    }
}

/// Has a core let go of what it no longer needs, though nobody asks it for anything.
async fn follow(proxy: Weak<Proxy>, mut changes: watch::Receiver<u64>) {
    while changes.changed().await.is_ok() {
        let Some(proxy) = proxy.upgrade() else { return };
        drop(proxy.core());
    }
}

impl Handler for Proxy {
    fn handle(self: Arc<Self>, request: Request<Incoming>, exchange: Exchange) -> Handled {
        let core = self.core();
        let settings = &core.shared.settings;
        let rules = Arc::clone(&settings.rules);
        let (method, path, fields) = (request.method(), request.uri().path(), request.headers());
        let begun = core.shared.recorder.begin(method, path, fields, exchange.client.address);
        let mut end = End { begun, pass_tags: settings.pass_tags, share: exchange.share.as_ref().map(Share::budget) };
        let answered = match admit(request, settings, exchange) {
            Ok(admitted) => begin(&core, rules, admitted),
            Err(refusal) => Break(refusal.answer()),
        };
        let onward = match answered {
            Break(answer) => return Handled::Now(end.of(answer)),
            Continue(onward) => onward,
        };
        onward.tell(&mut end.begun);
        let core = Arc::clone(&core);
        // Each way is a future of its own, and no larger than it has to be: that much is moved into its box.
        Handled::Later(match onward {
            Onward::Read(way) => Box::pin(async move { end.of(way.go(&core).await) }),
            Onward::Pass(_, request) => {
                Box::pin(async move { end.of(pass(&core, request, Forward::Method, None).await) })
            }
            Onward::Tunnel(_, request) => Box::pin(async move { end.of(tunnel(&core, request).await) }),
            Onward::Purge(rules, request) => Box::pin(async move { end.of(purge(&core, &rules, &request).await) }),
            Onward::Write(rules, request) => Box::pin(async move { end.of(write(&core, rules, request).await) }),
        })
    }

    /// Waits for the writes under way: their origin may have acted already, and what they changed must be invalidated.
    /// Those that are not done at the deadline end with the runtime.
    fn finish(self: Arc<Self>, deadline: Instant) -> Later<()> {
        Box::pin(async move {
            let cut = self.core.load().tasks.finish(deadline).await;
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
fn begin(core: &Arc<Core>, rules: Arc<Ruleset>, request: Admitted) -> ControlFlow<Answer, Onward> {
    if may_tunnel(core, &rules, &request) {
        return Continue(Onward::Tunnel(rules, request));
    }
    match request.method {
        Method::GET | Method::HEAD => read(core, rules, request).map_continue(Onward::Read),
        _ if is_purge(&request.method) => Continue(Onward::Purge(rules, request)),
        _ if is_safe(&request.method) => Continue(Onward::Pass(rules, request)),
        _ => Continue(Onward::Write(rules, request)),
    }
}

impl Onward {
    /// Tells what is known of the request by now: it may never come to an answer.
    fn tell(&self, begun: &mut Begun) {
        let (route, request) = match self {
            Self::Read(way) => way.asks_for(),
            Self::Pass(rules, request)
            | Self::Tunnel(rules, request)
            | Self::Purge(rules, request)
            | Self::Write(rules, request) => {
                (rules.routes.find(request.target.path()).map(|(route, _)| &**route), request)
            }
        };
        begun.goes_on(route.map(|route| &route.name), request.target.path(), matches!(self, Self::Write(..)));
        begun.shows(|| route?.shown_query(request.query()), &request.fields);
    }
}

impl End {
    fn of(self, mut answer: Answer) -> Response<Body> {
        answer.end(self.begun);
        answer.seal(self.pass_tags, self.share)
    }
}
