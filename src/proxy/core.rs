//! What the steps of a request's way work with: what a core has, and what all cores of a process share.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use xxhash_rust::xxh3::xxh3_64;

use super::coding::Codings;
use super::flights::Flights;
use super::hosts::OtherHosts;
use super::notices::Notices;
use super::sampler::Sampler;
use super::settings::ProxySettings;
use super::verifier::{Verifier, VerifySummary};
use crate::budget::Budget;
use crate::clock::Clock;
use crate::origin::{self, Origin};
use crate::rules::Ruleset;
use crate::store::{RuledStore, Store};
use crate::telemetry::{Recorder, UNROUTED};
use crate::verify::Report;

/// What all cores of a process share besides the store.
#[derive(Clone, Debug)]
pub struct Shared {
    pub(super) settings: Arc<ProxySettings>,
    /// The same number for the same settings, all of them: what hits derive of an entry depends on nothing else, and is made
    /// anew under others.
    pub(super) derivation: u64,
    pub(super) flights: Arc<Flights>,
    pub(super) codings: Arc<Codings>,
    pub(super) notices: Arc<Notices>,
    pub(super) other_hosts: Arc<OtherHosts>,
    /// The bytes of answers on their way.
    pub(super) answers: Arc<Budget>,
    pub(super) clock: Clock,
    pub(super) recorder: Recorder,
    pub(super) verifier: Arc<Verifier>,
}

impl Shared {
    /// Sets the shared part up.
    pub fn new(settings: ProxySettings, clock: Clock, recorder: Recorder) -> Self {
        let answers = Budget::new(settings.max_answers);
        Self {
            flights: Arc::new(Flights::new(settings.max_waiters)),
            codings: Arc::new(Codings::new(&settings.compression, &answers)),
            notices: Arc::new(Notices::about(&settings.rules.routes)),
            other_hosts: Arc::default(),
            derivation: derivation(&settings),
            verifier: Arc::new(Verifier::about(&settings.rules, clock.now())),
            settings: Arc::new(settings),
            answers,
            clock,
            recorder,
        }
    }

    /// The same for one core, which counts by itself.
    pub(super) fn of_core(&self) -> Self {
        let routes = self.settings.rules.routes.iter().map(|route| &route.name);
        Self { recorder: self.recorder.of_core(routes), ..self.clone() }
    }

    /// The same for a core that counts by itself already.
    fn of_core_of(&self, before: &Self) -> Self {
        let routes = self.settings.rules.routes.iter().map(|route| &route.name);
        Self { recorder: before.recorder.logging_as(&self.recorder).about(routes), ..self.clone() }
    }

    /// The same under other settings, and the log of this recorder. What is under way, and what is known of the routes that stay, is the same.
    pub(super) fn under(&self, settings: ProxySettings, log: &Recorder) -> Self {
        self.answers.resize(settings.max_answers);
        self.flights.max_waiters.store(settings.max_waiters, Ordering::Relaxed);
        let same_coding = settings.compression == self.settings.compression;
        let same_rules = settings.rules.fingerprint() == self.settings.rules.fingerprint();
        let codings = || Arc::new(Codings::new(&settings.compression, &self.answers));
        let notices = || Arc::new(self.notices.after(&settings.rules.routes));
        let (verify, before) = (&settings.verify, &self.settings.verify);
        // Nobody notes the writes while nothing is compared.
        if !same_rules || verify.ignored != before.ignored || verify.is_on() != before.is_on() {
            self.verifier.begin_anew(&settings.rules, self.clock.now());
        }
        Self {
            codings: if same_coding { Arc::clone(&self.codings) } else { codings() },
            notices: if same_rules { Arc::clone(&self.notices) } else { notices() },
            derivation: derivation(&settings),
            recorder: self.recorder.logging_as(log),
            settings: Arc::new(settings),
            ..self.clone()
        }
    }

    /// The rules that hold for a request that begins now.
    pub fn rules(&self) -> Arc<Ruleset> {
        Arc::clone(&self.settings.rules)
    }

    /// What `[verify]` has found, in short; costs next to nothing.
    pub fn verified_in_short(&self) -> VerifySummary {
        self.verifier.summary(&self.settings.verify)
    }

    /// The routes whose hits are compared with the origin's answers, as metrics call them; none where `[verify]` is off.
    pub fn compared_routes(&self) -> Vec<Arc<str>> {
        if !self.settings.verify.is_on() {
            return Vec::new();
        }
        let routes = self.settings.rules.routes.iter().map(|route| Arc::clone(&route.name));
        routes.chain([UNROUTED.into()]).collect()
    }

    /// What `[verify]` has found.
    pub fn verified(&self) -> Report {
        self.verifier.report(&self.settings.verify, self.clock.now())
    }

    /// What counts the bytes of answers on their way.
    pub fn answers(&self) -> &Arc<Budget> {
        &self.answers
    }
}

fn derivation(settings: &ProxySettings) -> u64 {
    xxh3_64(format!("{settings:?}").as_bytes())
}

/// One configuration, as all cores share it.
#[derive(Clone, Debug)]
pub(super) struct InForce {
    pub(super) shared: Shared,
    pub(super) origin: Arc<origin::Shared>,
    /// Which one it is of all that this process has had.
    pub(super) number: u64,
}

/// What one core works with, under one configuration.
#[derive(Debug)]
pub(super) struct Core {
    /// Which configuration that is.
    pub(super) number: u64,
    pub(super) shared: Shared,
    pub(super) store: RuledStore,
    pub(super) origin: Origin,
    /// Writes under way, which no end of a connection stops.
    pub(super) tasks: Tasks,
    /// Which hits are compared.
    pub(super) sampler: Sampler,
}

impl Core {
    /// The first one, made within the core's runtime.
    pub(super) fn new(in_force: &InForce, store: Store) -> Self {
        let InForce { shared, origin, number } = in_force;
        let origin = Origin::new(Arc::clone(origin));
        let store = RuledStore::new(store, shared.settings.rules.of_writes());
        let sampler = Sampler::of(&shared.settings.verify);
        Self { number: *number, shared: shared.of_core(), store, origin, tasks: Tasks::new(), sampler }
    }

    /// The same under another configuration, made within the core's runtime. It keeps its connections to an origin of which
    /// nothing else is said.
    pub(super) fn under(&self, in_force: &InForce) -> Self {
        let InForce { shared, origin, number } = in_force;
        let same = self.origin.is_of(origin);
        let origin = if same { self.origin.clone() } else { Origin::new(Arc::clone(origin)) };
        let (store, tasks) = (self.store.under(shared.settings.rules.of_writes()), self.tasks.clone());
        let sampler = Sampler::of(&shared.settings.verify);
        Self { number: *number, shared: shared.of_core_of(&self.shared), store, origin, tasks, sampler }
    }

    /// When a fill's body must be whole to be stored: one that drips holds its key's flight no longer than this, and goes
    /// on for its own client only.
    pub(super) fn end_of_fill(&self) -> Instant {
        Instant::now() + self.origin.settings().response_timeout * RESPONSE_TIMEOUTS
    }
}

/// How many times the origin's `response_timeout` a body may take to be stored.
const RESPONSE_TIMEOUTS: u32 = 10;

/// The writes under way on a core: they outlive their clients' connections, and the core waits for them.
#[derive(Clone, Debug)]
pub(super) struct Tasks {
    running: watch::Sender<usize>,
}

/// One task under way; counted until it is dropped, so that one that panics is not waited for.
struct Running(watch::Sender<usize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}

impl Tasks {
    pub(super) fn new() -> Self {
        Self { running: watch::Sender::new(0) }
    }

    /// Runs a future in a task of its own, which ends with the core's runtime at the latest.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.running.send_modify(|running| *running += 1);
        let (task, running) = (Box::pin(task), Running(self.running.clone()));
        tokio::spawn(async move {
            task.await;
            drop(running);
        });
    }

    /// Waits until none is under way, at the longest until the deadline; comes back with how many are left.
    pub(super) async fn finish(&self, deadline: Instant) -> usize {
        let mut running = self.running.subscribe();
        let ended = timeout_at(deadline, running.wait_for(|running| *running == 0)).await.is_ok();
        if ended { 0 } else { *self.running.borrow() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::verify::VerifySettings;

    #[test]
    fn evidence_begins_anew_where_writes_went_unnoted() {
        let clock = Clock::at(1_000_000);
        let settings = |sample| ProxySettings {
            verify: VerifySettings { sample, ..VerifySettings::default() },
            ..ProxySettings::default()
        };
        let log = Recorder::default();
        let off = Shared::new(settings(0.0), clock.clone(), log.clone());
        clock.advance(Duration::from_secs(60));
        let on = off.under(settings(0.5), &log);
        assert_eq!(on.verified().seconds, 0);
        clock.advance(Duration::from_secs(5));
        assert_eq!(on.under(settings(1.0), &log).verified().seconds, 5, "this says nothing else of what is noted");
    }
}
