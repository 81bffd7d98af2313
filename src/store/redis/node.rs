//! What the cores of a process have in common about one Redis.

use std::fmt;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::copies::Copies;
use super::layout::Layout;
use super::pending::Pending;
use super::report::Report;
use super::url::RedisUrl;
use super::writes::Writes;
use crate::budget::Budget;
use crate::store::core::WhenDown;

/// Address space, most of which no memory is ever given to: for more than 400,000 levels of any kind.
const AMPLE: usize = 1 << 30;
/// Where address space is short: for 26,000.
const MODEST: usize = 64 << 20;
/// What Rust gives a thread. Nothing that Redis itself answers needs more.
const PLAIN: usize = 2 << 20;

/// What the cores of this process have in common about one Redis.
pub struct RedisNode {
    pub(super) url: RedisUrl,
    pub(super) layout: Layout,
    /// How long one command may take.
    pub(super) timeout: Duration,
    pub(super) when_down: WhenDown,
    pub(super) pending: Pending,
    pub(super) writes: Writes,
    /// How long the origin may take to commit a write whose outcome is unknown.
    pub(super) commit_within: Duration,
    pub(super) report: Report,
    pub(super) copies: Copies,
    unsound: AtomicU64,
}

impl RedisNode {
    /// Sets up what the cores share, with copies of entries that take at most so many bytes of `memory`. Opens no connection.
    pub fn new(
        url: RedisUrl,
        prefix: &str,
        timeout: Duration,
        when_down: WhenDown,
        commit_within: Duration,
        memory: u64,
    ) -> Self {
        Self {
            url,
            layout: Layout::new(prefix),
            timeout,
            when_down,
            pending: Pending::default(),
            writes: Writes::new(),
            commit_within,
            report: Report::default(),
            copies: Copies::new(memory),
            unsound: AtomicU64::new(0),
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

    /// Tells the log which troubles are over.
    pub(super) fn tell_what_ended(&self) {
        self.report.look(&self.url.address(), self.pending.is_empty());
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

impl fmt::Debug for RedisNode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("RedisNode").field("url", &self.url).field("pending", &self.pending).finish_non_exhaustive()
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
