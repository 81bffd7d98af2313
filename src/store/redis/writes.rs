//! Writes of this process that are under way: what each is known by, and what the others are told of it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde::Serialize;

use super::codec::json;
use crate::rules::Tag;
use crate::store::change::Intent;

/// Numbers the writes of one process.
#[derive(Debug)]
pub(super) struct Writes {
    node: Arc<str>,
    /// Raised by each new join of the node.
    generation: u64,
    begun: AtomicU64,
    unnoted: AtomicU64,
}

/// What a mark says.
#[derive(Serialize)]
struct Note<'a> {
    node: &'a str,
    generation: u64,
    held: Vec<&'a str>,
    others: Vec<&'a str>,
}

impl Writes {
    /// Those of a node that nobody knows yet.
    pub(super) fn new() -> Self {
        let mut bytes = [0; 8];
        // Should the system have no randomness, the number of the process tells nodes of one machine apart.
        if getrandom::fill(&mut bytes).is_err() {
            bytes = u64::from(std::process::id()).to_be_bytes();
        }
        let mut node = String::with_capacity(16);
        for byte in bytes {
            let _ = write!(node, "{byte:02x}");
        }
        Self { node: node.into(), generation: 0, begun: AtomicU64::new(0), unnoted: AtomicU64::new(0) }
    }

    /// What a write that begins now is known by, `<node>.<generation>.<number>`, and what is noted of it.
    pub(super) fn begin(&self, intent: &Intent) -> (Arc<str>, Bytes) {
        let Self { node, generation, .. } = self;
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let texts = |tags| -> Vec<_> { <[Tag]>::iter(tags).map(Tag::as_str).collect() };
        let (held, others) = (texts(&intent.held), texts(&intent.others));
        let note = json(&Note { node, generation: *generation, held, others });
        (format!("{node}.{generation}.{number}").into(), note)
    }

    /// A write goes on without a mark, for there are too many.
    pub(super) fn count_unnoted(&self) {
        self.unnoted.fetch_add(1, Ordering::Relaxed);
    }

    /// How many writes went on without a mark, for there were too many.
    pub(super) fn unnoted(&self) -> u64 {
        self.unnoted.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_write_has_an_id_of_its_own_and_says_whose_it_is() {
        let writes = Writes::new();
        let intent = Intent { held: vec![Tag::route("a")], others: vec![Tag::everything()] };
        let ((first, note), (second, _)) = (writes.begin(&intent), writes.begin(&intent));
        let node = &writes.node;
        assert_eq!((&*first, &*second), (&*format!("{node}.0.0"), &*format!("{node}.0.1")));
        assert_eq!(note, format!(r#"{{"node":"{node}","generation":0,"held":["r:a"],"others":["*"]}}"#));
        assert_ne!(*node, Writes::new().node);
    }
}
