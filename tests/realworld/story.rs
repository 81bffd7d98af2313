//! Every kind of write, one after another: what each leaves behind in the pages that were read before it.

use super::reads::{Look, Readers, Tally};
use super::writes::{Effect, STORY, Write};

/// What the file says about writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Narrowing {
    /// Nothing: whatever may have changed something drops everything.
    Nothing,
    /// What some of them drop, and which of them change nothing.
    SomeWrites,
    /// That paths tell.
    Paths,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Told {
    /// The reads right after a write.
    pub reads: Tally,
    /// The same reads again, before the next write.
    pub repeats: Tally,
    /// How many pages the writes changed, all in all.
    changed: usize,
    /// Of those, how many were not seen to have changed.
    missed: usize,
    /// Writes that were answered otherwise than they should be, or dropped too much or too little.
    pub surprises: Vec<String>,
}

impl Told {
    pub fn summary(&self) -> String {
        let Self { reads, repeats, changed, missed, .. } = self;
        format!(
            "after {} writes {} of {} reads were stale ({missed} of the {changed} that the writes changed), \
             {:.1} % of {} repeats were hits",
            STORY.len(),
            reads.stale.len(),
            reads.reads,
            repeats.hits_percent(),
            repeats.pages,
        )
    }
}

/// Tells the story to a blog that was just founded.
pub async fn tell(readers: &Readers, narrowing: Narrowing) -> Told {
    let mut told = Told::default();
    readers.sweep().await;
    for write in STORY {
        for look in readers.sweep().await {
            told.repeats.add(look);
        }
        let before = readers.truths();
        let token = readers.blog.lock().unwrap().token(write.by);
        let answer = write.send(&readers.client, readers.slash, token.as_deref()).await;
        if answer.status != write.status {
            told.surprises.push(format!("{}: {} {}", write.what, answer.status, answer.text()));
        }
        let changed: Vec<bool> = before.iter().zip(&readers.truths()).map(|(old, new)| old != new).collect();
        if changed.contains(&true) != (write.effect == Effect::Changes) {
            told.surprises.push(format!("{}: {:?} is what it should have done", write.what, write.effect));
        }
        told.look_around(&write, &changed, readers.sweep().await, narrowing);
    }
    told
}

impl Told {
    fn look_around(&mut self, write: &Write, changed: &[bool], looks: Vec<Look>, narrowing: Narrowing) {
        let mut now = Tally::default();
        for (look, changed) in looks.into_iter().zip(changed) {
            self.changed += usize::from(*changed);
            self.missed += usize::from(*changed && look.stale.is_some());
            now.add(Look { stale: look.stale.map(|read| format!("after {}: {read}", write.what)), ..look });
        }
        if expected_hits(write.effect, narrowing, now.pages).is_some_and(|expected| expected != now.hits) {
            self.surprises.push(format!("after {}: {} of {} pages were hits", write.what, now.hits, now.pages));
        }
        self.reads.append(now);
    }
}

/// How many of the pages are hits right after a write, where that is certain.
fn expected_hits(effect: Effect, narrowing: Narrowing, pages: usize) -> Option<usize> {
    match (narrowing, effect) {
        (Narrowing::Paths, _) | (Narrowing::SomeWrites, Effect::Changes) => None,
        (Narrowing::Nothing, Effect::Changes | Effect::Idle) => Some(0),
        (_, Effect::Refused) | (Narrowing::SomeWrites, Effect::Idle) => Some(pages),
    }
}
