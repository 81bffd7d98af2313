//! Writes of this process that are under way: what each is known by, and what the others are told of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::Serialize;

use super::codec::json;
use crate::clock::Millis;
use crate::rules::Tag;
use crate::store::change::Intent;

/// More writes than this are not told again where a registry was lost; each has been told once.
const LIMIT: usize = 1_000;

/// The writes of one process that are under way.
pub(super) struct Writes {
    node: Arc<str>,
    /// Raised by each new join of the node.
    generation: AtomicU64,
    begun: AtomicU64,
    unnoted: AtomicU64,
    /// What is noted of each, by what it is known by.
    under_way: Mutex<HashMap<Arc<str>, Bytes>>,
}

/// What a mark says.
#[derive(Serialize)]
struct Note<'a> {
    node: &'a str,
    generation: u64,
    /// In whose words it is said what the write may change, as the registry has them.
    rules: &'a str,
    /// For how many milliseconds that is held if its outcome stays unknown, at the least.
    within: Millis,
    held: Vec<&'a str>,
    others: Vec<&'a str>,
}

impl Writes {
    /// Those of a node that nobody knows yet.
    pub(super) fn new(node: Arc<str>) -> Self {
        let (generation, begun, unnoted) = Default::default();
        Self { node, generation, begun, unnoted, under_way: Mutex::default() }
    }

    /// From now on they are those of this generation.
    pub(super) fn joins(&self, generation: u64) {
        self.generation.store(generation, Ordering::SeqCst);
    }

    /// What a write that begins now under these rules is known by, `<node>.<generation>.<number>`, and what is noted of it.
    /// The origin may commit it `within` that time.
    pub(super) fn begin(&self, intent: &Intent, rules: &str, within: Millis) -> (Arc<str>, Bytes) {
        // Under the lock, so that a join either names it or comes under an older generation than it.
        let mut under_way = self.under_way();
        let (node, generation) = (&self.node, self.generation.load(Ordering::SeqCst));
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let texts = |tags| -> Vec<_> { <[Tag]>::iter(tags).map(Tag::as_str).collect() };
        let (held, others) = (texts(&intent.held), texts(&intent.others));
        let note = json(&Note { node, generation, rules, within, held, others });
        let id: Arc<str> = format!("{node}.{generation}.{number}").into();
        if under_way.len() < LIMIT {
            under_way.insert(Arc::clone(&id), note.clone());
        }
        (id, note)
    }

    /// The outcome of a write is known, or what it may have changed is held.
    pub(super) fn end(&self, id: &str) {
        self.under_way().remove(id);
    }

    /// All of them, as scripts read them: what is noted of each, by what it is known by.
    pub(super) fn to_json(&self) -> Bytes {
        let under_way = self.under_way();
        let notes: HashMap<&str, &str> =
            under_way.iter().filter_map(|(id, note)| Some((&**id, std::str::from_utf8(note).ok()?))).collect();
        json(&notes)
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<Arc<str>, Bytes>> {
        // What is inserted and removed there stays whole, whoever panics.
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are under way.
    pub(super) fn len(&self) -> u64 {
        self.under_way().len() as u64
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

impl fmt::Debug for Writes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Writes").field("under_way", &self.under_way().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_write_has_an_id_of_its_own_and_says_whose_it_is() {
        let writes = Writes::new("0a".into());
        let intent = Intent { held: vec![Tag::route("a")], others: vec![Tag::everything()] };
        let ((first, note), (second, _)) = (writes.begin(&intent, "1", 60), writes.begin(&intent, "1", 60));
        let node = &writes.node;
        assert_eq!((&*first, &*second), (&*format!("{node}.0.0"), &*format!("{node}.0.1")));
        assert_eq!(
            note,
            format!(r#"{{"node":"{node}","generation":0,"rules":"1","within":60,"held":["r:a"],"others":["*"]}}"#)
        );
        let notes: HashMap<String, String> = serde_json::from_slice(&writes.to_json()).unwrap();
        assert_eq!(notes.get(&*first).map(String::as_bytes), Some(&*note));
        writes.end(&first);
        writes.joins(3);
        assert_eq!(&*writes.begin(&intent, "1", 60).0, "0a.3.2");
    }
}
