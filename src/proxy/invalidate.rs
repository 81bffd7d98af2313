//! Forward and invalidate, as every write does them: what it changed is invalidated before it is answered, also where nobody
//! knows whether it took place.

use std::sync::Arc;
use std::time::Duration;

use super::answer::Answer;
use super::asked::fault_detail;
use super::core::Core;
use super::error::{Refusal, no_answer};
use super::ingress::Admitted;
use super::pass::forward;
use super::words::Words;
use crate::body::Body;
use crate::fields::Forward;
use crate::origin::Answered;
use crate::rules::{Invalidation, Ruleset, Tag, UNROUTED, summary};
use crate::store::{Change, Fault, Invalidated, Since};
use crate::telemetry::Dropped;

/// When a write of unknown outcome is made good again, each after the one before: half a minute in all.
const LATE_COMMITS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(10), Duration::from_secs(15)];

/// Forwards a write. Where its outcome is unknown, all that it may have changed is invalidated before the error is told.
pub(super) async fn forward_write(
    core: &Arc<Core>,
    request: &Admitted,
    body: Body,
    words: &Words,
) -> Result<Answered, Answer> {
    match forward(core, request, body).await {
        Ok(answered) => Ok(answered),
        Err(error) => {
            let answer = no_answer(&error, Forward::Method);
            if !error.may_have_acted() {
                return Err(answer);
            }
            let drops = words.invalidations(request);
            let finished = invalidate(core, &drops, &[], None).await;
            invalidate_again(core, drops);
            match finished {
                Ok(_) => Err(answer),
                Err(fault) => Err(unfinished(core, answer, &fault)),
            }
        }
    }
}

/// Invalidates again, for a while, what a write of unknown outcome may still be about to change: an origin that was too
/// slow may commit after its time was up.
fn invalidate_again(core: &Arc<Core>, drops: Vec<Invalidation>) {
    let core = Arc::clone(core);
    tokio::spawn(async move {
        for pause in LATE_COMMITS {
            tokio::time::sleep(pause).await;
            drop(invalidate(&core, &drops, &[], None).await);
        }
    });
}

/// Invalidates this, which follows from these rules, and gives the answer of the write back when that is done.
pub(super) async fn invalidated(core: &Core, rules: &Ruleset, drops: &[Invalidation], mut answer: Answer) -> Answer {
    if drops.is_empty() {
        return answer;
    }
    answer.notes.dropped = dropped(rules, drops);
    match invalidate(core, drops, &[], None).await {
        Ok(_) => answer,
        Err(fault) => unfinished(core, answer, &fault),
    }
}

/// Invalidates what a write changed, in one atomic step, before the write is answered.
///
/// `besides` are further tags; `since` asks whether another write came in between.
pub(super) async fn invalidate(
    core: &Core,
    drops: &[Invalidation],
    besides: &[Tag],
    since: Option<&Since>,
) -> Result<Invalidated, Fault> {
    let tags = tags(drops, besides);
    let change = Change { since, ..Change::of(&tags) };
    core.store.invalidate(change).await
}

/// The answer of a write whose invalidation is pending: the origin's under `when_down = "forward"`, an
/// error under `"refuse"`, whose promise is unconditional.
pub(super) fn unfinished(core: &Core, mut answer: Answer, fault: &Fault) -> Answer {
    if !core.store.admits_writes() {
        return Refusal::NotInvalidated.answer();
    }
    answer.cache_status.detail = Some(fault_detail(fault));
    answer
}

/// What the log is told of it.
pub(super) fn dropped(rules: &Ruleset, drops: &[Invalidation]) -> Option<Box<Dropped>> {
    let rule = only_rule(rules, drops).map(str::to_owned);
    summary(drops).map(|summary| Box::new(Dropped { summary, rule }))
}

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
