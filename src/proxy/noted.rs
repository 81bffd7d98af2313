//! What the evidence has to know of the requests on their way: when the origin is asked, of what it speaks, what it says, and
//! when a write begins and ends.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::annotate::is_json;
use super::asked::Asked;
use super::core::Core;
use super::ingress::Admitted;
use super::verifier::Verifier;
use super::words::Words;
use crate::clock::Clock;
use crate::rules::{CacheKey, Invalidation, Ruleset, Tag};
use crate::store::StoredResponse;
use crate::verify::{Content, Evidence, Moment, Reach, Shape, Subject};

/// The moment before the origin is asked; `None` where nobody wants to know.
pub(super) fn moment(core: &Core, rules: &Ruleset) -> Option<Moment> {
    let is_on = core.shared.settings.verify.is_on();
    if is_on { looking(core, rules, Evidence::moment) } else { None }
}

/// Adds what a look tells to the evidence, or takes its moment: where others share the store, that counts for less.
pub(super) fn looking<T>(core: &Core, rules: &Ruleset, look: impl FnOnce(&mut Evidence) -> T) -> Option<T> {
    let others = core.store.others();
    core.shared.verifier.with(rules, |evidence| {
        evidence.knows_of_others(others);
        look(evidence)
    })
}

/// What a read asks for, as the evidence knows it, and is stored at this key.
pub(super) fn subject(asked: &Asked, key: &CacheKey) -> Subject {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    Subject::of(asked.route(), &asked.request.target, hasher.finish())
}

/// What an answer with this head and body says, as far as it counts.
pub(super) fn content(core: &Core, (status, fields): (StatusCode, &HeaderMap), body: &Bytes) -> Content {
    Content::of(status.as_u16(), body, is_json(fields), &core.shared.settings.verify.ignored)
}

/// What a stored answer says.
pub(super) fn content_of(core: &Core, entry: &StoredResponse) -> Content {
    content(core, (entry.status, &entry.fields), &entry.body)
}

/// A write under way, as far as the evidence goes. Dropped before its end is known, it may have changed anything.
pub(super) struct NotedWrite {
    verifier: Arc<Verifier>,
    clock: Clock,
    rules: Arc<Ruleset>,
    moment: Moment,
    has_ended: bool,
}

impl NotedWrite {
    /// A write is about to be forwarded; `None` where nobody wants to know.
    pub(super) fn begin(core: &Core, request: &Admitted, words: &Words) -> Option<Self> {
        if !core.shared.settings.verify.is_on() {
            return None;
        }
        let shape = Shape::of(&words.rules.routes, &words.write(request));
        let (method, path) = (request.method.as_str(), request.target.path());
        let verifier = Arc::clone(&core.shared.verifier);
        let moment = verifier.with(&words.rules, |evidence| evidence.write_begins(shape, method, path))?;
        let (clock, rules) = (core.shared.clock.clone(), Arc::clone(&words.rules));
        Some(Self { verifier, clock, rules, moment, has_ended: false })
    }

    /// It may have changed something, and has dropped this.
    pub(super) fn dropped(mut self, drops: &[Invalidation], besides: &[Tag]) {
        self.end(Reach::of(drops).or_everything(besides.contains(&Tag::everything())));
    }

    /// It has changed nothing, by its own word.
    pub(super) fn was_nothing(mut self) {
        self.has_ended = true;
        self.verifier.with(&self.rules, |evidence| evidence.write_was_nothing(self.moment));
    }

    fn end(&mut self, reach: Reach) {
        self.has_ended = true;
        let now = self.clock.now();
        self.verifier.with(&self.rules, |evidence| evidence.write_ends(self.moment, now, reach));
    }
}

impl Drop for NotedWrite {
    fn drop(&mut self) {
        if !self.has_ended {
            self.end(Reach::default());
        }
    }
}
