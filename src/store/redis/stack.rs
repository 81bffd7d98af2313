//! How large the stack of a thread has to be that has a session with Redis.
//!
//! fred's decoder calls itself for each level that a reply is nested, with no bound of its own, and a stack that is used up
//! ends the whole process. It reads from the socket by itself, so nothing of ours stands before it. aside's own commands are
//! answered two levels deep; what is nested deeper comes from somebody who is no Redis, or from a bug. A level takes 4 bytes
//! of reply and, in a release build, some 300 bytes of stack in RESP2, up to 1.4 kB where the reply comes to its end, and up
//! to 2.6 kB where it is read as RESP3.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Address space, most of which no memory is ever given to: for more than 400,000 levels of any kind.
const AMPLE: usize = 1 << 30;
/// Where address space is short: for 26,000.
const MODEST: usize = 64 << 20;
/// What Rust gives a thread. Nothing that Redis itself answers needs more.
const PLAIN: usize = 2 << 20;

/// The size for each of so many threads, in bytes: the largest that all of them can have at once.
pub(super) fn stack_bytes(threads: usize) -> usize {
    // Where the kernel counts what could be used as if it were, others would go without.
    let promises_are_kept =
        fs::read_to_string("/proc/sys/vm/overcommit_memory").is_ok_and(|policy| policy.trim() == "2");
    let sizes = if promises_are_kept { &[MODEST][..] } else { &[AMPLE, MODEST] };
    sizes.iter().copied().find(|bytes| can_be_had(*bytes, threads)).unwrap_or(PLAIN)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_is_not_asked_for() {
        assert!(can_be_had(PLAIN, 4));
        assert!(!can_be_had(usize::MAX >> 8, 1));
        assert!([AMPLE, MODEST, PLAIN].contains(&stack_bytes(2)));
    }
}
