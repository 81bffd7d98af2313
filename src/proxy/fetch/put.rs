//! Put: an answer that may be stored goes to the store, under the token of its lookup.

use std::sync::Arc;

use http::header::SET_COOKIE;

use super::super::annotate;
use super::super::answer::Answer;
use super::super::asked::fault_detail;
use super::super::core::Core;
use super::super::decide::is_shareable;
use super::super::invalidate::{UnderWay, dropped, telling};
use super::super::landing::Landing;
use super::super::noted::{content_of, looking, subject};
use super::super::variants::{Variant, at_key, chosen_by};
use super::plan::Fetch;
use super::received::{Received, Whole};
use crate::clock::Stopwatch;
use crate::fields::{CACHE_GROUPS, Detail, cache_groups, cache_tags};
use crate::policy::ttl_left;
use crate::rules::{Invalidation, LazyJson, Tag};
use crate::store::{Expect, Fault, Kind, PutOutcome, Since, StoredResponse};
use crate::telemetry::Done;
use crate::verify::Asked;

/// What became of an answer that was to be stored.
pub(super) struct Put {
    /// It, as a stored response, stored or not.
    pub(super) entry: Arc<StoredResponse>,
    /// What those hear who waited for it.
    pub(super) landing: Landing,
    pub(super) stored: bool,
    /// Seconds until it is stale, where it is stored.
    pub(super) ttl: Option<i64>,
    /// Why it is not stored.
    pub(super) detail: Option<Detail>,
}

/// How many tags an entry may have; an answer with more is not stored.
const MAX_TAGS: usize = 128;

/// Puts an answer that owes nothing to what is stored.
pub(super) async fn put(core: &Core, fetch: &Fetch, whole: Whole) -> Put {
    put_expecting(core, expected(fetch), fetch, whole).await
}

/// What has to be where it goes.
fn expected(fetch: &Fetch) -> Expect {
    // What was written to the cache only makes room for nobody who has not seen it.
    let stale = fetch.missed.stale.as_ref();
    let over = stale.filter(|stale| stale.kind == Kind::CacheOnly && fetch.at().plain().is_none());
    over.map_or(Expect::Any, |stale| Expect::Entry(Arc::clone(stale)))
}

/// The same for an answer that was made of what the lookup saw.
pub(super) async fn put_expecting(core: &Core, expect: Expect, fetch: &Fetch, whole: Whole) -> Put {
    let tagged = Tagged::of(core, fetch, &whole);
    put_tagged(core, expect, fetch, whole, tagged).await
}

/// An answer's tags, and why it is not put that the policy would store.
struct Tagged {
    tags: Vec<Tag>,
    refused: Option<Detail>,
}

impl Tagged {
    fn of(core: &Core, fetch: &Fetch, whole: &Whole) -> Self {
        let json = LazyJson::new(&whole.body);
        let tags = tags(fetch, &whole.received, &json);
        let refused = refused(core, fetch, tags.as_deref(), &json);
        Self { tags: tags.unwrap_or_default(), refused }
    }
}

async fn put_tagged(core: &Core, expect: Expect, fetch: &Fetch, whole: Whole, tagged: Tagged) -> Put {
    let (Whole { received, judged, body }, Tagged { tags, refused }) = (whole, tagged);
    let variant = variant_of(fetch, &received, core.shared.settings.max_variants);
    let own = variant.as_ref().map(|variant| variant.tag.clone());
    let entry = |kind, fields, body, own: Option<Tag>| {
        let entry = StoredResponse::new(
            kind,
            received.status,
            fields,
            body,
            received.response_time,
            judged.initial_age,
            judged.lifetime,
            judged.flags,
            tags.iter().cloned().chain(own).collect(),
            fetch.missed.token,
        );
        let entry = annotate::counted_in(entry.compact_upon(&expect), fetch.asked.route());
        Arc::new(entry.lent(&core.shared.answers))
    };
    let mut fields = received.fields;
    if fetch.asked.choices().strips_cookies() {
        fields.remove(SET_COOKIE);
    }
    let response = entry(Kind::Response, fields, body, own);
    if let Some(detail) = refused {
        return outcome(core, fetch, response, Err(detail), false);
    }
    fetch.storing();
    let vouched = core.store.vouches();
    let at_key = at_key(&expect, fetch.missed.index.as_deref());
    let put = match variant {
        None => core.store.put(fetch.at(), Arc::clone(&response), at_key).await,
        Some(variant) => {
            let (fields, ids) = variant.index.clone();
            let index = entry(Kind::VaryIndex, fields, ids, None);
            variant.put(&core.store, (fetch.at(), index, at_key), (Arc::clone(&response), expect)).await
        }
    };
    outcome(core, fetch, response, verdict(put), vouched)
}

/// Invalidates what the POST changed, and puts its answer unless another write came in between.
pub(super) async fn invalidate_and_put(
    core: &Core,
    mut fetch: Fetch,
    (mut under_way, drops): (UnderWay, &[Invalidation]),
    whole: Whole,
    mut answer: Answer,
) -> Answer {
    // A tag that the answer names, too, may have been invalidated by a write that was answered meanwhile.
    let tagged = Tagged::of(core, &fetch, &whole);
    if let Some(detail) = tagged.refused {
        answer.cache_status.detail = Some(detail);
        return under_way.invalidated(drops, answer).await;
    }
    let (told, asked) = (dropped(&fetch.asked.rules, drops), Stopwatch::start());
    let since = Since::before_put(fetch.missed.token, fetch.at(), &tagged.tags);
    let done = under_way.invalidate(drops, &[], Some(&since)).await;
    let outcome = done.as_ref().map(|_| Done::Confirmed).map_err(Clone::clone);
    answer = telling(core, answer, told, asked, outcome);
    let Ok(done) = done else { return answer };
    let status = &mut answer.cache_status;
    if done.alone {
        fetch.missed.token = done.token;
        let put = put_tagged(core, expected(&fetch), &fetch, whole, tagged).await;
        (status.stored, status.ttl, status.detail) = (put.stored, put.ttl, put.detail);
    } else {
        // Which of two writes came last only the origin knows.
        status.detail = Some(Detail::RacedWrite);
    }
    answer
}

/// Why an answer is not put that the policy would store.
fn refused(core: &Core, fetch: &Fetch, tags: Option<&[Tag]>, json: &LazyJson<'_>) -> Option<Detail> {
    if fetch.asked.route().is_some_and(|route| route.excludes(json)) {
        return Some(Detail::Excluded);
    }
    // A tag that is left out is a write that goes unnoticed.
    let Some(tags) = tags else { return Some(Detail::TagUnknown) };
    if tags.len() > MAX_TAGS {
        return Some(Detail::TooManyTags);
    }
    core.shared.other_hosts.admits_answer(&fetch.asked).err()
}

fn outcome(core: &Core, fetch: &Fetch, entry: Arc<StoredResponse>, put: Result<(), Detail>, vouched: bool) -> Put {
    let landing = match put {
        // What nobody may be given without the origin's word is not worth waiting for.
        Ok(()) if !is_shareable(&entry, fetch.asked.choices(), core.shared.clock.now()) => Landing::HitForMiss,
        Ok(()) => Landing::Stored { entry: Arc::clone(&entry), status: entry.status, vouched },
        Err(Detail::NewerFill | Detail::Gone | Detail::RacedWrite) => Landing::Again,
        Err(_) => Landing::HitForMiss,
    };
    if put.is_ok() {
        refetched(core, fetch, &entry);
    }
    let ttl = put.is_ok().then(|| ttl_left(entry.lifetime.fresh_for, entry.initial_age));
    Put { entry, landing, stored: put.is_ok(), ttl, detail: put.err() }
}

/// Tells the evidence what the origin has said in place of what was stored before.
fn refetched(core: &Core, fetch: &Fetch, entry: &StoredResponse) {
    let Some(began) = fetch.began.filter(|_| fetch.elsewhere.is_none()) else { return };
    // Of answers that vary one key has several.
    if fetch.asked.resource.route.is_none() && !chosen_by(&entry.fields).is_empty() {
        return;
    }
    let (subject, digest) = (subject(&fetch.asked, &fetch.at().key), content_of(core, entry).digest());
    let look = Asked { digest, began, body: &entry.body };
    looking(core, &fetch.asked.rules, |evidence| evidence.refetched(&subject, look));
}

/// Where an answer without a route goes that varies; `None` for one that does not.
///
/// On a route the origin sees only what is in the key, so whatever its Vary names cannot have differed.
fn variant_of(fetch: &Fetch, received: &Received, limit: usize) -> Option<Variant> {
    let asked = &fetch.asked;
    if asked.resource.route.is_some() {
        return None;
    }
    let any_order = asked.choices().any_order;
    Variant::of(&received.fields, &asked.request, fetch.at(), fetch.missed.index.as_deref(), any_order, limit)
}

/// Whether the store put an entry, and if not why.
pub(in crate::proxy) fn verdict(put: Result<PutOutcome, Fault>) -> Result<(), Detail> {
    match put {
        Ok(PutOutcome::Stored) => Ok(()),
        Ok(PutOutcome::NewerFill) => Err(Detail::NewerFill),
        Ok(PutOutcome::Gone) => Err(Detail::Gone),
        Ok(PutOutcome::RacedWrite) => Err(Detail::RacedWrite),
        Ok(PutOutcome::Held) => Err(Detail::Held),
        Ok(PutOutcome::TooLarge) => Err(Detail::TooLarge),
        Err(fault) => Err(fault_detail(&fault)),
    }
}

/// The entry's tags: those of its key, the route's own, and those that the response names. `None` where the answer does
/// not say the value of one.
fn tags(fetch: &Fetch, received: &Received, json: &LazyJson<'_>) -> Option<Vec<Tag>> {
    let request = &fetch.asked.request;
    let (path, query) = (request.target.path(), request.query());
    let mut tags = fetch.at().tags.to_vec();
    if let Some(route) = fetch.asked.route() {
        tags.extend(route.fetched_tags(path, query));
        if !route.tags.is_empty() {
            let captures = route.path.matches(path).unwrap_or_default();
            tags.extend(route.named_tags(|name| route.read_value(name, query, &captures), json)?);
        }
    }
    // Where the origin sees the client's Host, all hosts are the app's own: a write by one of them concerns them all.
    let is_of_all_hosts = fetch.asked.resource.host.is_some() || fetch.asked.resource.route.is_some();
    for name in cache_groups(&received.fields, &CACHE_GROUPS) {
        tags.push(Tag::cache_group(if is_of_all_hosts { "" } else { request.host_text() }, &name));
        tags.push(Tag::named(&name));
    }
    tags.extend(cache_tags(&received.fields).iter().map(|name| Tag::named(name)));
    tags.sort_unstable();
    tags.dedup();
    Some(tags)
}
