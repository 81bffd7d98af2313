//! The process's own connection with Redis: a thread that keeps its lease up, makes what is pending, and leaves at the end.
//!
//! What is to be sent and what an answer allows the state machine says (`store::lease`); here are the connection, the timers
//! and the order that it relies on: the machine notes the time of a call before what is pending is taken for it, and whoever
//! adds something asks the machine after that. A call is waited for as long as the machine says: one that is late is an
//! answer all the same, and no reason for another connection.

use std::fmt;
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::select;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::client::Connection;
use super::connect::open;
use super::outage::Outage;
use super::pending::{Batch, Pending};
use super::registry;
use super::report::Report;
use super::rules::Told;
use super::session::Session;
use super::settings::NodeSettings;
use super::writes::Writes;
use crate::clock::{Millis, boot_millis, jittered};
use crate::store::entry::Withheld;
use crate::store::lease::{Answer, Call, Do, Lease, LeaseSettings, Permit, ServerId};
use crate::store::state::{KnownPeer, LeaseState, why};

/// The first retry comes at once, as far as anybody can tell; further ones less and less often.
const SHORTEST_PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
const PAUSE_JITTER: f64 = 0.5;

/// How this process stands with the others that share its Redis.
pub(super) struct Control {
    lease: Mutex<Lease>,
    permit: ArcSwap<Permit>,
    stage: watch::Sender<Stage>,
    /// Whether this connection has joined, for the log.
    joined_before: AtomicBool,
    leaving: watch::Sender<bool>,
}

/// How far the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No thread runs.
    Asleep,
    /// Nothing has been tried to its end.
    Starting,
    /// It has been in the registry.
    Joined,
    /// It has ended; whether it has signed off, with nothing left to be made.
    Ended(bool),
}

impl Control {
    /// The standing of a process that has not begun.
    pub(super) fn new(settings: LeaseSettings) -> Self {
        let lease = Lease::new(settings);
        Self {
            permit: ArcSwap::from_pointee(lease.permit()),
            lease: Mutex::new(lease),
            stage: watch::Sender::new(Stage::Asleep),
            joined_before: AtomicBool::new(false),
            leaving: watch::Sender::new(false),
        }
    }

    /// What is allowed now.
    pub(super) fn permit(&self) -> Permit {
        **self.permit.load()
    }

    /// What is allowed, and whom this process knows, in words.
    pub(super) fn state(&self) -> (LeaseState, Vec<KnownPeer>) {
        let now = boot_millis();
        let lease = self.lease();
        let Permit { server, until, withheld, .. } = lease.permit();
        let peers = lease.peers().map(|(id, silent)| KnownPeer {
            id: format!("{:016x}", id.0),
            silent_ms: silent.map(|since| now.saturating_sub(since)),
        });
        let allowed = server.ok_or(Withheld::Lapsed).and_then(|server| lease.permit().allows(server, now));
        let ends_in_ms = if allowed.is_ok() { until.saturating_sub(now) } else { 0 };
        let state = LeaseState { valid: allowed.is_ok(), ends_in_ms, why: withheld.or(allowed.err()).map(why) };
        (state, peers.collect())
    }

    /// How many other nodes it knows of; one as long as it was never told.
    pub(super) fn others(&self) -> usize {
        let lease = self.lease();
        if lease.generation() == 0 { 1 } else { lease.peers().count() }
    }

    /// From when on a write may be answered that has just become pending.
    pub(super) fn unconfirmed_from(&self) -> Millis {
        self.lease().unconfirmed_from(boot_millis())
    }

    /// Waits until then.
    pub(super) async fn unconfirmed(&self) {
        sleep_till(self.unconfirmed_from()).await;
    }

    /// Waits until a write may be answered whose invalidation was made with a call.
    pub(super) async fn confirmed_at_home(&self) {
        sleep_till(self.permit().confirms_from).await;
    }

    /// Waits until a write may be answered whose invalidation this server has confirmed. False where this process is not at
    /// home there, so that nobody can say when.
    pub(super) async fn confirmed_by(&self, server: ServerId) -> bool {
        let Some(from) = self.lease().confirms_from(server, boot_millis()) else { return false };
        sleep_till(from).await;
        true
    }

    /// Whether this process has a lease there that runs.
    pub(super) fn has_lease(&self, server: ServerId) -> bool {
        self.lease().confirms_from(server, boot_millis()).is_some()
    }

    /// Whether it is the first call: the thread is to be started.
    pub(super) fn starts(&self) -> bool {
        self.stage.send_if_modified(|stage| {
            let asleep = *stage == Stage::Asleep;
            if asleep {
                *stage = Stage::Starting;
            }
            asleep
        })
    }

    /// Other rules are in force.
    pub(super) fn goes_by_other_rules(&self) {
        self.event(|lease, _| lease.goes_by_other_rules());
    }

    /// Waits until this process has been in the registry, so long at the most. Says whether it has.
    pub(super) async fn joined(&self, within: Duration) -> bool {
        let mut stage = self.stage.subscribe();
        let joined = stage.wait_for(|stage| matches!(stage, Stage::Joined | Stage::Ended(_)));
        timeout(within, joined).await.is_ok_and(|stage| stage.is_ok())
    }

    /// Asks the thread to make what is pending, to sign off, and to end.
    pub(super) fn leave(&self) {
        self.leaving.send_replace(true);
    }

    /// Waits until it has ended. Says whether it has signed off with nothing left to be made.
    pub(super) async fn left(&self, within: Duration) -> bool {
        let mut stage = self.stage.subscribe();
        let ended = stage.wait_for(|stage| matches!(stage, Stage::Ended(_) | Stage::Asleep));
        let ended = timeout(within, ended).await;
        ended.is_ok_and(|stage| stage.is_ok_and(|stage| matches!(*stage, Stage::Ended(true) | Stage::Asleep)))
    }

    fn event<T>(&self, event: impl FnOnce(&mut Lease, Millis) -> T) -> T {
        let mut lease = self.lease();
        let done = event(&mut lease, boot_millis());
        let permit = lease.permit();
        if **self.permit.load() != permit {
            self.permit.store(Arc::new(permit));
        }
        done
    }

    fn lease(&self) -> MutexGuard<'_, Lease> {
        // The machine's steps do not panic; one that did would have left what allows less.
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until a moment of the clock that goes on while the machine sleeps.
async fn sleep_till(moment: Millis) {
    loop {
        let left = moment.saturating_sub(boot_millis());
        if left == 0 {
            return;
        }
        sleep(Duration::from_millis(left)).await;
    }
}

/// What the thread works with.
#[derive(Clone)]
pub(super) struct Keeper {
    pub(super) settings: Arc<NodeSettings>,
    pub(super) control: Arc<Control>,
    pub(super) pending: Arc<Pending>,
    pub(super) writes: Arc<Writes>,
    pub(super) report: Arc<Report>,
}

/// A call that was sent, and what went with it.
type Sent = Pin<Box<dyn Future<Output = (Result<Answer, Outage>, With)> + Send>>;

/// What went with it.
type With = (Batch, Told);

impl Keeper {
    /// Runs until this process has left, or until it has tried to for so long as it may.
    pub(super) async fn run(self) {
        self.report.begins();
        let mut leaving = self.control.leaving.subscribe();
        let mut pause = SHORTEST_PAUSE;
        let mut last_try = None;
        let signed_off = loop {
            if *leaving.borrow_and_update() {
                let end = *last_try.get_or_insert_with(|| Instant::now() + self.settings.leave_within);
                let signed_off = timeout_at(end, self.say_good_bye()).await.unwrap_or(false);
                if signed_off || Instant::now() >= end {
                    break signed_off;
                }
            } else if let Err(why) = self.keep_up(&mut pause).await {
                self.control.event(|lease, _| lease.disconnected());
                let address = self.settings.url.address();
                if self.control.joined_before.swap(false, Ordering::Relaxed) {
                    self.report.lost(&address, &why);
                } else {
                    self.report.failed(&address, &why);
                }
            }
            let waited = sleep(jittered(pause, PAUSE_JITTER));
            let _ = select(Box::pin(waited), Box::pin(leaving.changed())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        };
        self.control.stage.send_replace(Stage::Ended(signed_off));
    }

    /// Opens a connection and answers for this process on it, until it ends or this process leaves.
    async fn keep_up(&self, pause: &mut Duration) -> Result<(), Outage> {
        let (session, mut connection) = self.open().await?;
        let session = Arc::new(session);
        let redis_now = session.time().await?;
        let mut next = self.control.event(|lease, now| lease.connected(now, session.server, redis_now));
        let mut moved = pin!(self.settings.whereabouts.moved(&self.settings.url, session.named.as_ref()));
        let mut sent = None;
        let mut leaving = self.control.leaving.subscribe();
        while !*leaving.borrow_and_update() {
            match next.take() {
                Some(Do::Call(call)) => sent = Some(self.send(Arc::clone(&session), call)),
                Some(Do::Reconnect) => return Err(Session::silence()),
                None => {}
            }
            let added = self.pending.added();
            let due = self.control.lease().due().unwrap_or(Millis::MAX);
            tokio::select! {
                (answer, with) = answer(&mut sent) => {
                    sent = None;
                    next = self.answered(answer?, &with);
                    *pause = SHORTEST_PAUSE;
                }
                () = sleep_till(due) => next = self.control.event(Lease::tick),
                () = added, if sent.is_none() => next = self.control.event(Lease::urge),
                why = connection.ended() => return Err(why),
                why = &mut moved => return Err(why),
                _ = leaving.changed() => {}
            }
            if next.is_none() && sent.is_none() && !self.pending.is_empty() {
                next = self.control.event(Lease::urge);
            }
        }
        Ok(())
    }

    async fn open(&self) -> Result<(Session, Connection), Outage> {
        // A connection that this is too slow for the machine gives up by itself.
        open(&self.settings.url, self.settings.lease.max(self.settings.timeout), Some(&self.settings.layout)).await
    }

    /// Sends a call with everything that is pending now: what is added later asks the machine later, too.
    fn send(&self, session: Arc<Session>, call: Call) -> Sent {
        let (batch, told) = (self.pending.next(), self.settings.rules.to_tell());
        self.writes.joins(call.generation);
        let (settings, writes) = (Arc::clone(&self.settings), Arc::clone(&self.writes));
        Box::pin(async move {
            let answer = registry::call(&session, &settings, &writes, call.into(), (&batch, &told)).await;
            (answer, (batch, told))
        })
    }

    fn answered(&self, answer: Answer, (batch, told): &With) -> Option<Do> {
        let done = matches!(answer, Answer::Done(_));
        if done {
            self.settings.rules.confirm(told);
        }
        let next = self.control.event(|lease, now| lease.answered(now, answer));
        if done {
            // After what is allowed now is known: whoever waits for this asks that when its write may be answered.
            self.pending.confirm(batch);
            if !self.control.joined_before.swap(true, Ordering::Relaxed) {
                self.report.found();
            }
            self.control.stage.send_if_modified(|stage| {
                let first = *stage == Stage::Starting;
                *stage = Stage::Joined;
                first
            });
            self.report.standing(&self.control.permit(), self.settings.absence);
            self.report.look(&self.settings.url.address(), self.pending.is_empty());
        }
        next
    }

    /// Makes what is pending and signs off, on a connection of its own.
    async fn say_good_bye(&self) -> bool {
        let Ok((session, _connection)) = self.open().await else { return false };
        let Ok(redis_now) = session.time().await else { return false };
        let generation = self.control.lease().generation();
        let batch = self.pending.next();
        let moved = self.control.permit().server.is_some_and(|home| home != session.server);
        let call = registry::Errand::leave(generation, redis_now.saturating_add(self.settings.lease_millis()), moved);
        match registry::call(&session, &self.settings, &self.writes, call, (&batch, &self.settings.rules.to_tell()))
            .await
        {
            Ok(Answer::Done(_)) => {
                self.pending.confirm(&batch);
                self.pending.is_empty()
            }
            _ => false,
        }
    }
}

/// The answer of the call under way; never, where there is none.
async fn answer(sent: &mut Option<Sent>) -> (Result<Answer, Outage>, With) {
    match sent {
        Some(sent) => sent.await,
        None => pending().await,
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Control").field("permit", &self.permit()).finish_non_exhaustive()
    }
}
