//! A write under way: marked, forwarded, and invalidated before it is answered, also where nobody knows whether it took place.
//!
//! The store is told what a write may be about to change before it is forwarded ([`UnderWay::begin`]), so that nothing is
//! lost with this process. Then the mark ends in one of three ways: with the invalidation, where the answer says that
//! something may have changed; by itself, where it says that nothing has, or where the origin never saw the write; or by
//! being held, where nobody knows: then nothing of it is reused until the origin cannot commit it any more.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::runtime::Handle;

use super::answer::Answer;
use super::asked::fault_detail;
use super::core::Core;
use super::error::{Refusal, no_answer};
use super::ingress::Admitted;
use super::noted::NotedWrite;
use super::pass::forward;
use super::verifier::Writing;
use super::words::Words;
use crate::body::Body;
use crate::clock::Stopwatch;
use crate::fields::Forward;
use crate::origin::{Answered, OriginError};
use crate::policy::{Effect, effect};
use crate::rules::{Intended, Invalidation, RequestPattern, Ruleset, Tag, UNROUTED, summary};
use crate::store::{Change, Fault, Intent, Invalidated, Mark, Since, WhenDown};
use crate::telemetry::{self, Done, Dropped, DroppedBy};

/// A write under way. Dropped before its end is known it is held, if the origin may have seen it.
pub(super) struct UnderWay {
    core: Arc<Core>,
    rules: Arc<Ruleset>,
    /// `None` where the write changes nothing that is stored, and once its end is known.
    mark: Option<Mark>,
    forwarded: bool,
    /// What the evidence has to know of it, where it wants to.
    noted: Option<NotedWrite>,
    /// Who looks for what it may have changed waits for it.
    writing: Option<Writing>,
}

impl UnderWay {
    /// Tells the store what the write may be about to change; it must not be forwarded otherwise.
    pub(super) async fn begin(core: &Arc<Core>, request: &Admitted, words: &Words) -> Result<Self, Refusal> {
        let Intended { held, others } = words.rules.routes.intent(&words.write(request));
        let intent = Intent { held, others };
        let mark = if !intent.is_empty() {
            Some(core.store.mark(intent).await.map_err(|_| Refusal::StoreDown)?)
        } else if core.store.admits_writes() {
            None
        } else {
            return Err(Refusal::StoreDown);
        };
        let noted = NotedWrite::begin(core, request, words);
        let (core, rules, writing) = (Arc::clone(core), Arc::clone(&words.rules), core.shared.verifier.write_begins());
        Ok(Self { core, rules, mark, forwarded: false, noted, writing: Some(writing) })
    }

    /// Forwards the write. Where its outcome is unknown, all that it may have changed is held before the error is told.
    pub(super) async fn forward(
        mut self,
        request: &Admitted,
        body: Body,
        words: &Words,
    ) -> Result<(Answered, Self), Answer> {
        self.forwarded = true;
        match forward(&self.core, request, body).await {
            Ok(answered) => Ok((answered, self)),
            Err(error) => Err(self.unanswered(&error, &words.invalidations(request)).await),
        }
    }

    /// Ends a write that the origin has not answered: with what the client hears.
    async fn unanswered(mut self, error: &OriginError, drops: &[Invalidation]) -> Answer {
        let answer = no_answer(error, Forward::Method);
        if !error.may_have_acted() {
            self.changed_nothing();
            return answer;
        }
        let (told, asked) = (dropped(&self.rules, drops), Stopwatch::start());
        let held = self.held(drops).await;
        self.has_dropped(drops, &[]);
        telling(&self.core, answer, told, asked, held.map(|()| Done::Held))
    }

    /// Invalidates what the write may have changed, and what it may change for as long as the origin may still commit it.
    async fn held(&mut self, drops: &[Invalidation]) -> Result<(), Fault> {
        let Some(mark) = self.mark.take() else { return self.invalidate(drops, &[], None).await.map(drop) };
        let held = self.core.store.hold(&mark).await;
        let settle = self.rules.routes.settling(drops);
        if !settle.is_empty() {
            // If it has taken place, what it has changed has to settle as after any other.
            let tags = mark.intent().tags();
            self.core.store.invalidate(Change::of(&tags).settling(&settle)).await?;
        }
        held.map(drop)
    }

    /// Ends a write that has changed nothing.
    pub(super) fn changed_nothing(mut self) {
        if let Some(noted) = self.noted.take() {
            noted.was_nothing();
        }
        if let Some(mark) = self.mark.take() {
            self.core.store.unmark(mark);
        }
    }

    /// Invalidates what the write has changed, and gives its answer back when that is done.
    pub(super) async fn invalidated(mut self, drops: &[Invalidation], answer: Answer) -> Answer {
        let besides = self.dropped_elsewhere(answer.response.status());
        if drops.is_empty() && besides.is_empty() {
            if effect(Some(answer.response.status())) != Effect::Nothing {
                self.has_dropped(drops, &[]);
            }
            self.changed_nothing();
            return answer;
        }
        let (told, asked) = (dropped(&self.rules, drops), Stopwatch::start());
        let done = self.invalidate(drops, &besides, None).await;
        telling(&self.core, answer, told, asked, done.map(|_| Done::Confirmed))
    }

    /// Invalidates what the write has changed, in one atomic step that ends its mark, before it is answered.
    ///
    /// `besides` are further tags; `since` asks whether another write came in between.
    pub(super) async fn invalidate(
        &mut self,
        drops: &[Invalidation],
        besides: &[Tag],
        since: Option<&Since>,
    ) -> Result<Invalidated, Fault> {
        let (tags, settle) = (tags(drops, besides), self.settle(drops));
        let mark = self.ends();
        let change = Change { since, mark: mark.as_ref(), ..Change::of(&tags).settling(&settle) };
        let invalidated = self.core.store.invalidate(change).await;
        self.has_dropped(drops, besides);
        invalidated
    }

    /// Tells the evidence what it has dropped.
    pub(super) fn has_dropped(&mut self, drops: &[Invalidation], besides: &[Tag]) {
        if let Some(noted) = self.noted.take() {
            noted.dropped(drops, besides);
        }
    }

    /// What nodes with other rules may have invalidated after it, whatever these rules say: everything, if it may have changed
    /// something.
    fn dropped_elsewhere(&self, status: StatusCode) -> Vec<Tag> {
        let concerns = self.core.store.rules_differ() && effect(Some(status)) != Effect::Nothing;
        if concerns { vec![Tag::everything()] } else { Vec::new() }
    }

    /// What is to settle after it.
    pub(super) fn settle(&self, drops: &[Invalidation]) -> Vec<(Tag, Duration)> {
        self.rules.routes.settling(drops)
    }

    /// Its mark, for the [`Change`] that ends it.
    pub(super) fn ends(&mut self) -> Option<Mark> {
        self.mark.take()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(noted) = self.noted.take_if(|_| !self.forwarded) {
            noted.was_nothing();
        }
        let Some(mark) = self.mark.take() else { return };
        if !self.forwarded {
            return self.core.store.unmark(mark);
        }
        // Its task was cut short. With its runtime there is nobody to hold it: it is left to others.
        let (core, writing) = (Arc::clone(&self.core), self.writing.take());
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                drop(core.store.hold(&mark).await);
                drop(writing);
            });
        }
    }
}

/// The answer of a write whose invalidation was asked for at that time, with what came of it.
pub(super) fn telling(
    core: &Core,
    answer: Answer,
    mut told: Dropped,
    asked: Stopwatch,
    done: Result<Done, Fault>,
) -> Answer {
    told.ack_micros = u64::try_from(asked.elapsed().as_micros()).ok();
    told.done = *done.as_ref().unwrap_or(&Done::Pending);
    let mut answer = match done {
        Ok(_) => answer,
        Err(fault) => unfinished(core, answer, &fault),
    };
    answer.notes.dropped = Some(Box::new(told));
    answer
}

/// The answer of a write whose invalidation is pending: the origin's under `when_down = "forward"`, an
/// error under `"refuse"`, whose promise is unconditional.
fn unfinished(core: &Core, mut answer: Answer, fault: &Fault) -> Answer {
    if core.store.when_down() == WhenDown::Refuse {
        // The origin was asked, whatever its client hears.
        let mut refused = Refusal::NotInvalidated.answer();
        refused.notes.origin_micros = answer.notes.origin_micros;
        return refused;
    }
    answer.cache_status.detail = Some(fault_detail(fault));
    answer
}

/// What its outcome says of it, once it is made.
pub(super) fn dropped(rules: &Ruleset, drops: &[Invalidation]) -> Dropped {
    let rule = only_rule(rules, drops).map(str::to_owned);
    let mut seen = HashSet::new();
    let pairs = drops.iter().filter(|drop| !drop.is_besides() && seen.insert((drop.route.as_deref(), &drop.cause)));
    let by = pairs.map(|drop| dropped_by(rules, drop)).collect();
    Dropped { summary: summary(drops), rule, by, ..Dropped::default() }
}

fn dropped_by(rules: &Ruleset, drop: &Invalidation) -> DroppedBy {
    let route = match &drop.route {
        None => SEVERAL.into(),
        Some(route) if **route == *UNROUTED => telemetry::UNROUTED.into(),
        Some(route) => Arc::clone(route),
    };
    let request = rules.routes.request_of(&drop.cause);
    DroppedBy { route, rule: request.map_or(drop.cause.word(), RequestPattern::as_str).into() }
}

/// How several routes at once are called where a route's name would stand.
const SEVERAL: &str = "*";

/// The rule of the configuration by which all of it is invalidated, where it is one.
fn only_rule<'r>(rules: &'r Ruleset, drops: &[Invalidation]) -> Option<&'r str> {
    let on_routes = drops.iter().filter(|drop| drop.route.as_deref() != Some(UNROUTED));
    let mut requests = on_routes.map(|drop| rules.routes.request_of(&drop.cause));
    let first = requests.next()??;
    requests.all(|request| request == Some(first)).then(|| first.as_str())
}

/// All tags that a write invalidates, each once.
pub(super) fn tags(drops: &[Invalidation], besides: &[Tag]) -> Vec<Tag> {
    let mut tags: Vec<Tag> = drops.iter().map(|drop| drop.tag.clone()).chain(besides.iter().cloned()).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}
