//! What is said once about each of some subjects, however many requests of however many cores give cause to say it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Of which subjects something has been said. Its size is that of its subjects, and it waits for nobody.
///
/// Who has new subjects, such as the routes of a changed file, makes a new one, and all is said anew.
#[derive(Debug)]
pub struct Once(HashMap<Arc<str>, AtomicBool>);

impl Once {
    /// Nothing has been said yet about these.
    pub fn about(subjects: impl IntoIterator<Item = Arc<str>>) -> Self {
        Self(subjects.into_iter().map(|subject| (subject, AtomicBool::new(false))).collect())
    }

    /// Whether it is to be said now: true for the first who asks about a subject, over all cores; never for one that it was
    /// not made for.
    pub fn is_first(&self, subject: &str) -> bool {
        // Read before it is written: what has been said is asked about by many cores, and changes no more.
        self.0.get(subject).is_some_and(|said| !said.load(Ordering::Relaxed) && !said.swap(true, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subject_is_spoken_of_once_by_whoever_comes_first() {
        let once = Once::about(["a", "b"].map(Arc::from));
        let all_at_once = std::sync::Barrier::new(4);
        let ask = || {
            all_at_once.wait();
            (0..100).filter(|_| once.is_first("a")).count()
        };
        let said: usize = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|asked| asked.join().unwrap()).sum()
        });
        assert_eq!(said, 1);
        assert!(once.is_first("b") && !once.is_first("b"));
        assert!(!once.is_first("c"), "it was not made for this one");
    }
}
