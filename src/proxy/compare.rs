//! Compare: what is stored with what the origin says now, behind a hit's answer or, in shadow, in its place.
//!
//! A hit waits for none of it. A comparison takes no place at the origin that a client may need, and stores nothing. What turns
//! out old is dropped at once: whoever comes next gets the origin's answer, as after a write.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use tokio::time::{Instant, sleep, timeout};

use super::answer::Answer;
use super::asked::{Asked, Seen};
use super::core::Core;
use super::decide::{Next, Serve, decide};
use super::error::no_answer;
use super::fetch::{Again, again};
use super::lookup::lookup;
use super::noted::{content, content_of, looking, moment, subject};
use super::pass::pass_without_body;
use super::variants::chosen_by;
use super::verifier::Comparing;
use crate::body::{Body, Waiters};
use crate::clock::Stopwatch;
use crate::fields::{Detail, Forward};
use crate::policy::credential_in;
use crate::rules::Tag;
use crate::store::{Change, Kind, StoredResponse};
use crate::telemetry::{Begun, Verified, Work};
use crate::verify::{Asked as Look, Compared, Content, Moment};

/// So long a comparison waits for the writes that were under way: what they change they drop, and then nothing was wrong.
const WRITES_END_WITHIN: Duration = Duration::from_secs(30);
/// The same where nothing is thought to be wrong.
const SOON: Duration = Duration::from_secs(1);
/// So often it looks whether they have ended.
const LOOKS_EVERY: Duration = Duration::from_millis(20);
/// So long dropping what is old may take.
const DROPPED_WITHIN: Duration = Duration::from_secs(1);

/// In whose place the origin is asked. For a route it sees what is in the key, whoever asks. Else the first answer and the second
/// are those to the client and to nobody in particular, or the other way round: what a client's own fields make of a page is not
/// what others have changed of it.
struct Guises {
    first: Arc<Asked>,
    /// `None` where the first answer would have to do: nobody's credentials are used behind his back.
    second: Option<Arc<Asked>>,
}

/// What the origin said.
struct Said {
    /// Many times as large as the body where that is JSON, and in no budget: dropped before anything is waited for that takes long.
    content: Content,
    told: Told,
}

/// The same as the evidence has it, and when it was asked for.
struct Told {
    digest: u64,
    body: Bytes,
    began: Moment,
}

impl Said {
    fn new(content: Content, body: Bytes, began: Moment) -> Self {
        let told = Told { digest: content.digest(), body, began };
        Self { content, told }
    }
}

/// Compares what has just answered this, in a task of its own; does nothing where enough of that is under way.
pub(super) fn compare(core: &Arc<Core>, asked: &Asked) {
    if asked.request.method != Method::GET || !core.origin.has_places_to_spare() {
        return;
    }
    let Some(comparing) = core.shared.verifier.begin(core.shared.settings.verify.at_once) else { return };
    let mut request = asked.request.again();
    (request.interim, request.share) = (None, None);
    let asked = Asked { rules: Arc::clone(&asked.rules), request, resource: asked.resource.clone() };
    let core = Arc::clone(core);
    tokio::spawn(Box::pin(async move { behind(&core, &Arc::new(asked), comparing).await }));
}

async fn behind(core: &Core, asked: &Arc<Asked>, _comparing: Comparing) {
    let Some((seen, entry)) = stored(core, asked).await else { return };
    let guises = Guises::behind(asked, &entry);
    let Some(first) = ask(core, &guises.first, &seen).await else { return tell(core, asked, None, Compared::Void) };
    let compared = judged(core, &guises, &entry, first.content).await;
    if matches!(compared, Compared::Old { .. }) {
        drop_old(core, asked).await;
    }
    tell(core, asked, Some(&first.told), compared);
}

/// Answers with the origin's answer in place of the stored one, and compares the two.
pub(super) async fn shadowed(core: &Arc<Core>, asked: &Arc<Asked>, seen: Seen, entry: Arc<StoredResponse>) -> Answer {
    let waiters: Arc<Waiters> = Arc::default();
    let _waiter = waiters.join();
    if asked.request.method != Method::GET {
        return pass_without_body(core, &asked.request, None, Forward::Bypass, Some(Detail::Shadow)).await;
    }
    let began = moment(core, &asked.rules);
    match again(core, asked, &seen, waiters).await {
        Again::Failed(error) => no_answer(&error, Forward::Bypass),
        Again::Running(head, ahead, rest) => head.answer(asked, Body::stream(ahead, rest)),
        Again::Whole(head, body) => {
            let content = content(core, head.said(), &body);
            if let Some(began) = began.filter(|_| entry.kind == Kind::Response) {
                in_shadow(core, asked, entry, Said::new(content, body.clone(), began));
            }
            head.answer(asked, Body::full(body))
        }
    }
}

/// Compares in a task of its own, for a difference has to be looked into.
fn in_shadow(core: &Arc<Core>, asked: &Arc<Asked>, entry: Arc<StoredResponse>, said: Said) {
    let (core, asked) = (Arc::clone(core), Arc::clone(asked));
    tokio::spawn(Box::pin(async move {
        let Said { content, told } = said;
        let is_same = told.digest == content_of(&core, &entry).digest();
        let comparing = core.shared.verifier.begin(core.shared.settings.verify.at_once);
        let compared = match comparing {
            Some(_) | None if is_same => Compared::Same,
            Some(_) => judged(&core, &Guises::after(&asked, &entry), &entry, content).await,
            None => Compared::Void,
        };
        tell(&core, &asked, Some(&told), compared);
    }));
}

impl Guises {
    /// Behind the answer to this.
    fn behind(asked: &Arc<Asked>, entry: &StoredResponse) -> Self {
        if asked.resource.route.is_some() {
            return Self { first: Arc::clone(asked), second: Some(Arc::clone(asked)) };
        }
        let is_personal = credential_in(&asked.request.fields).is_some();
        Self { first: Self::nobody(asked, entry), second: (!is_personal).then(|| Arc::clone(asked)) }
    }

    /// After the client has been given the origin's answer.
    fn after(asked: &Arc<Asked>, entry: &StoredResponse) -> Self {
        let is_of_key = asked.resource.route.is_some();
        let second = if is_of_key { Arc::clone(asked) } else { Self::nobody(asked, entry) };
        Self { first: Arc::clone(asked), second: Some(second) }
    }

    /// The same, asked by nobody in particular, with what the stored answer was chosen by.
    fn nobody(asked: &Asked, entry: &StoredResponse) -> Arc<Asked> {
        let request = asked.request.as_nobody(&chosen_by(&entry.fields));
        Arc::new(Asked { rules: Arc::clone(&asked.rules), request, resource: asked.resource.clone() })
    }
}

/// What is stored and would be given out as fresh, in shadow too: of what is stale nobody says that it is what the origin says.
async fn stored(core: &Core, asked: &Asked) -> Option<(Seen, Arc<StoredResponse>)> {
    let seen = lookup(&core.store, asked).await.ok()?;
    match decide(asked, &seen, core.shared.clock.now(), false) {
        // What a write has left is not what the origin says, word for word.
        Next::Serve(Serve { entry, refresh: None, status, .. })
            if entry.kind == Kind::Response && status.detail.is_none() =>
        {
            Some((seen, entry))
        }
        _ => None,
    }
}

/// Whether that is still so of this entry.
async fn is_stored(core: &Core, asked: &Asked, entry: &Arc<StoredResponse>) -> bool {
    stored(core, asked).await.is_some_and(|(_, now)| {
        Arc::ptr_eq(&now, entry)
            || (now.token == entry.token && now.response_time == entry.response_time && now.body == entry.body)
    })
}

/// Asks the origin; nothing where it gives no answer that could be compared, or a client needs the place. What came of it is
/// told as that of any fetch in the background.
async fn ask(core: &Core, asked: &Arc<Asked>, seen: &Seen) -> Option<Said> {
    let began = moment(core, &asked.rules)?;
    let begun = begun(core, asked);
    let waiters: Arc<Waiters> = Arc::default();
    let again = tokio::select! {
        biased;
        () = waiters.gave_up() => return None,
        again = again(core, asked, seen, Arc::clone(&waiters)) => again,
    };
    match again {
        Again::Whole(head, body) => {
            head.end(begun, body.len());
            speaks(head.said().0).then(|| Said::new(content(core, head.said(), &body), body, began))
        }
        Again::Running(head, ahead, _) => {
            head.end(begun, ahead.len());
            None
        }
        Again::Failed(error) => {
            begun.fail(&error);
            None
        }
    }
}

fn begun(core: &Core, asked: &Asked) -> Begun {
    let (request, path) = (&asked.request, asked.request.target.path());
    let of = (&Method::GET, path, &request.fields);
    let mut begun = core.shared.recorder.in_background(Work::Compare, Stopwatch::start(), of);
    begun.goes_on(asked.route().map(|route| &route.name), path, false);
    begun
}

/// Whether an answer with this status says what there is; else that the origin is in trouble, or has had enough.
fn speaks(status: StatusCode) -> bool {
    !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS && status != StatusCode::REQUEST_TIMEOUT
}

/// What comes of an answer that the origin has given in place of the stored one.
async fn judged(core: &Core, guises: &Guises, entry: &Arc<StoredResponse>, first: Content) -> Compared {
    let stored = content_of(core, entry).digest();
    if first.digest() == stored {
        return Compared::Same;
    }
    let Ok(differing) = asked_again(core, guises, (entry, stored), first).await else { return Compared::Void };
    let is_volatile = differing.is_some();
    if !is_no_writes(core, entry, is_volatile).await || !is_stored(core, &guises.first, entry).await {
        return Compared::Void;
    }
    match differing {
        Some(paths) => Compared::Volatile(paths),
        None => Compared::Old { stored, received: entry.response_time },
    }
}

/// In what the answer differs each time, or nothing where it is the same one again. An error where it says nothing of what is
/// stored, which differs from the first one.
async fn asked_again(
    core: &Core,
    guises: &Guises,
    (entry, stored): (&StoredResponse, u64),
    first: Content,
) -> Result<Option<Vec<String>>, ()> {
    let seen = Seen::nothing(entry.token);
    let asked = guises.second.as_ref().ok_or(())?;
    let mut second = ask(core, asked, &seen).await.ok_or(())?.content;
    if second.digest() == first.digest() {
        return Ok(None);
    }
    if second.digest() == stored {
        return Err(());
    }
    if !Arc::ptr_eq(asked, &guises.first) {
        // Each time another one, or another one to each.
        second = ask(core, &guises.first, &seen).await.ok_or(())?.content;
        if second.digest() == first.digest() {
            return Err(());
        }
    }
    Ok(Some(first.differing(&second, &core.shared.settings.verify.ignored)))
}

/// Whether no write accounts for what the origin says otherwise of an entry, of this process or another one, provided that the
/// entry is given out after this. Where nothing is thought to be wrong it is not waited for long.
async fn is_no_writes(core: &Core, entry: &StoredResponse, volatile: bool) -> bool {
    own_end(core, if volatile { SOON } else { WRITES_END_WITHIN }).await
        && others_end(core, entry, if volatile { Duration::ZERO } else { WRITES_END_WITHIN }).await
}

/// Waits until the writes of this process have ended that are under way now: what the origin has carried out of them is dropped
/// then. False where that takes too long.
async fn own_end(core: &Core, within: Duration) -> bool {
    let (verifier, end) = (&core.shared.verifier, Instant::now() + within);
    let begun = verifier.writes_begun();
    while verifier.is_any_under_way(begun) {
        if Instant::now() >= end {
            return false;
        }
        sleep(LOOKS_EVERY).await;
    }
    true
}

/// Waits until the writes of other nodes have ended that are under way now, and what they drop is dropped. False where one of
/// them says that it may change the entry, or another one whose outcome nobody knows, and where the store does not say.
///
/// One that takes longer than this and does not say so is not waited for: mostly it is a stream, which ends never.
async fn others_end(core: &Core, entry: &StoredResponse, within: Duration) -> bool {
    let (store, end) = (&core.store, Instant::now() + within);
    let Ok(first) = store.unfinished(&entry.tags).await else { return false };
    let mut pause = store.heard_within();
    if first.concerns || within.is_zero() || (pause.is_zero() && first.others.is_empty()) {
        return !first.concerns;
    }
    pause = pause.max(LOOKS_EVERY);
    loop {
        sleep(pause).await;
        match store.unfinished(&entry.tags).await {
            Ok(now) if !now.concerns => {
                if !now.others.iter().any(|write| first.others.contains(write)) || Instant::now() >= end {
                    return true;
                }
            }
            _ => return false,
        }
        pause = (pause * 2).min(end.saturating_duration_since(Instant::now()));
    }
}

/// Drops what is old: nobody is promised anything, so it goes on by itself where the store takes its time.
async fn drop_old(core: &Core, asked: &Asked) {
    let tags = asked.resource.at.tags.iter();
    let own: Vec<Tag> = tags.filter(|tag| tag.is_of_entry()).cloned().collect();
    drop(timeout(DROPPED_WITHIN, core.store.invalidate(Change::of(&own))).await);
}

/// Adds what came of it to the evidence, and tells the log what is news.
fn tell(core: &Core, asked: &Asked, told: Option<&Told>, compared: Compared) {
    let subject = subject(asked, &asked.resource.at.key);
    let counted = match &compared {
        Compared::Same => Verified::Same,
        Compared::Old { .. } => Verified::Different,
        Compared::Volatile(_) => Verified::Volatile,
        Compared::Void => Verified::Skipped,
    };
    core.shared.recorder.verified(asked.resource.route.as_ref().map(|route| &route.name), counted);
    let look = told.map_or(Look { digest: 0, began: 0, body: b"" }, |told| Look {
        digest: told.digest,
        began: told.began,
        body: &told.body,
    });
    let now = core.shared.clock.now();
    // Whoever else shares the store has writes of its own.
    looking(core, &asked.rules, |_| ());
    let Some(found) = core.shared.verifier.compared(&asked.rules, (&subject, look), compared, now) else { return };
    if found.is_news {
        tracing::warn!(route = subject.label(), "{}; `aside verify` tells which rule is missing", found.finding.text);
    } else {
        tracing::debug!(route = subject.label(), "{}", found.finding.text);
    }
}
