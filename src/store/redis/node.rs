//! What the cores of a process have in common about one Redis.

use std::fmt;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;

use super::control::{Control, Keeper};
use super::copies::Copies;
use super::lock::Lock;
use super::pending::{Pending, Unmade};
use super::report::Report;
use super::settings::NodeSettings;
use super::url::RedisUrl;
use super::writes::Writes;
use crate::budget::Budget;
use crate::clock::millis;
use crate::rules::Tag;
use crate::store::core::{Fault, fresh_epoch};
use crate::store::lease::LeaseSettings;
use crate::store::settings::StoreSettings;
use crate::store::state::State;
use crate::telemetry::Operations;

/// Address space, most of which no memory is ever given to: for more than 400,000 levels of any kind.
const AMPLE: usize = 1 << 30;
/// Where address space is short: for 26,000.
const MODEST: usize = 64 << 20;
/// What Rust gives a thread. Nothing that Redis itself answers needs more.
const PLAIN: usize = 2 << 20;

/// What the cores of this process have in common about one Redis. Leaves the registry when it is dropped.
pub struct RedisNode {
    pub(super) settings: Arc<NodeSettings>,
    pub(super) control: Arc<Control>,
    pub(super) pending: Arc<Pending>,
    pub(super) writes: Arc<Writes>,
    pub(super) report: Arc<Report>,
    pub(super) copies: Copies,
    /// What was asked of Redis, how long that took, and how often it was not done.
    pub(in crate::store) operations: Operations,
    unsound: AtomicU64,
    /// How many bytes copies may take.
    memory: u64,
    /// Held for as long as this process lives.
    _lock: Option<Lock>,
}

impl RedisNode {
    /// Sets up what the cores share. Opens no connection.
    pub fn new(url: RedisUrl, settings: &StoreSettings) -> Self {
        let id: Arc<str> = format!("{:016x}", fresh_epoch()).into();
        let lock = settings.lock.as_deref().and_then(Lock::take);
        let lease = LeaseSettings { lease: millis(settings.lease), absence: millis(settings.absence) };
        Self {
            settings: Arc::new(NodeSettings::of(settings, url, Arc::clone(&id), lock.as_ref())),
            control: Arc::new(Control::new(lease)),
            pending: Arc::default(),
            writes: Arc::new(Writes::new(id)),
            report: Arc::default(),
            copies: Copies::new(settings.memory),
            operations: Operations::new(Fault::KINDS),
            unsound: AtomicU64::new(0),
            memory: settings.memory,
            _lock: lock,
        }
    }

    /// Starts the thread that keeps this process in the registry, unless it runs already.
    pub(in crate::store) fn start(&self) {
        if !self.control.starts() {
            return;
        }
        let keeper = Keeper {
            settings: Arc::clone(&self.settings),
            control: Arc::clone(&self.control),
            pending: Arc::clone(&self.pending),
            writes: Arc::clone(&self.writes),
            report: Arc::clone(&self.report),
        };
        let thread = thread::Builder::new().name("lease".to_owned()).stack_size(Self::stack_bytes(1));
        let started = thread.spawn(move || match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(keeper.run()),
            Err(error) => tracing::error!("the lease cannot be kept: {error}; nothing is answered from Redis"),
        });
        if let Err(error) = started {
            tracing::error!("the thread of the lease cannot be started: {error}; nothing is answered from Redis");
        }
    }

    /// Puts other rules in force. Nothing is given out, and every write invalidates everything, until the registry has heard of
    /// them.
    pub(in crate::store) fn go_by(&self, rules: u64, changed: &[Tag], commit_within: Duration) {
        self.settings.raise_commit_within(commit_within);
        if self.settings.rules.go_by(rules, changed) {
            self.control.goes_by_other_rules();
            self.pending.wake();
        }
    }

    /// Waits until this process is in the registry, so long at the most. Says whether it is.
    pub(in crate::store) async fn joined(&self, within: Duration) -> bool {
        self.start();
        self.control.joined(within).await
    }

    /// Makes what is pending and leaves the registry, in so long at the most. The error says what may be old now.
    pub(in crate::store) async fn leave(&self, within: Duration) -> Result<(), String> {
        self.control.leave();
        if self.control.left(within).await {
            return Ok(());
        }
        match self.pending.told() {
            Some(what) => Err(format!(
                "Redis at {} did not confirm all invalidations before the end: {what} may be older than a write that was \
                 answered, until it expires or another node has given this one up",
                self.settings.url.address()
            )),
            None => Ok(()),
        }
    }

    /// How large the stack of a thread has to be that has a session, in bytes, where there are so many of them: the largest
    /// that all of them can have at once.
    ///
    /// fred's decoder calls itself for each level that a reply is nested, with no bound of its own, and a stack that is used up
    /// ends the whole process. It reads from the socket by itself, so nothing of ours stands before it. aside's own commands are
    /// answered two levels deep; what is nested deeper comes from somebody who is no Redis, or from a bug. A level takes 4 bytes
    /// of reply and, in a release build, some 300 bytes of stack in RESP2, up to 1.4 kB where the reply comes to its end, and up
    /// to 2.6 kB where it is read as RESP3.
    pub(in crate::store) fn stack_bytes(threads: usize) -> usize {
        // Where the kernel counts what could be used as if it were, others would go without.
        let strictly_counted =
            fs::read_to_string("/proc/sys/vm/overcommit_memory").is_ok_and(|policy| policy.trim() == "2");
        let sizes = if strictly_counted { &[MODEST][..] } else { &[AMPLE, MODEST] };
        sizes.iter().copied().find(|bytes| can_be_had(*bytes, threads)).unwrap_or(PLAIN)
    }

    /// Ends the mark of a write that has changed nothing, or was not forwarded, with the next call.
    pub(super) fn unmark_later(&self, id: Arc<str>) {
        self.pending.add(Unmade { mark: Some(id), ..Unmade::default() });
    }

    /// Tells the log which troubles are over.
    pub(super) fn tell_what_ended(&self) {
        self.report.look(&self.settings.url.address(), self.pending.is_empty());
    }

    /// How it stands, as far as this process knows.
    pub(in crate::store) fn state(&self) -> State {
        let (up, why_down) = self.report.state();
        let (lease, peers) = self.control.state();
        State {
            kind: "redis",
            url: self.settings.url.to_string(),
            up,
            why_down,
            lease: Some(lease),
            node: Some(self.settings.id.to_string()),
            peers,
            pending: self.pending.len(),
            marks: self.writes.len(),
            rules_differ: self.control.permit().rules_differ,
            copies: Some(self.copies.len()),
            bytes: self.weight_held(),
            bytes_limit: self.memory,
            evictions: State::evictions(self.copies.evicted()),
            errors: State::errors(self.operations.errors()),
            unsound: self.unsound(),
            validated: self.validated(),
            unnoted: self.unnoted(),
            ..State::of_memory()
        }
    }

    /// How many writes were forwarded without a mark, since there were too many of them.
    pub fn unnoted(&self) -> u64 {
        self.writes.unnoted()
    }

    /// An entry was there and could not be used.
    pub(super) fn count_unsound(&self) {
        self.unsound.fetch_add(1, Ordering::Relaxed);
    }

    /// Has copies of entries share their bodies with the answers that this budget counts.
    pub(in crate::store) fn lend_to(&self, answers: &Arc<Budget>) {
        self.copies.lend_to(answers);
    }

    /// How many lookups were answered with a copy in this process, on Redis' word that it has the same and nothing of it was
    /// invalidated.
    pub fn validated(&self) -> u64 {
        self.copies.validated()
    }

    /// How many bytes of memory the copies of entries take at the most.
    pub fn weight_held(&self) -> u64 {
        self.copies.weight_held()
    }

    /// How many entries were there and could not be used: half missing, changed by somebody else, or of another version.
    pub fn unsound(&self) -> u64 {
        self.unsound.load(Ordering::Relaxed)
    }
}

/// Whether so many threads can have stacks of this size: some are started, and end once all are.
fn can_be_had(bytes: usize, threads: usize) -> bool {
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
    let start = |_| {
        let gate = Arc::clone(&gate);
        thread::Builder::new().stack_size(bytes).spawn(move || drop(gate.lock()))
    };
    let started: Vec<_> = (0..threads).map(start).collect();
    drop(closed);
    // All are waited for, or those that are left would still have their stacks.
    started.into_iter().filter_map(|thread| thread.ok()?.join().ok()).count() == threads
}

impl Drop for RedisNode {
    fn drop(&mut self) {
        self.control.leave();
    }
}

impl fmt::Debug for RedisNode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("RedisNode")
            .field("url", &self.settings.url)
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_is_not_asked_for() {
        assert!(can_be_had(PLAIN, 4));
        assert!(!can_be_had(usize::MAX >> 8, 1));
        assert!([AMPLE, MODEST, PLAIN].contains(&RedisNode::stack_bytes(2)));
    }
}
