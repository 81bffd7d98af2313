//! An invalidation and what is put in its step: the laws of it, the same for every store.

use std::sync::Arc;

use aside::rules::{EntryRef, Tag};
use aside::store::{Change, Expect, Invalidated, Kind, Otherwise, PutOutcome, Since, Store, StoredResponse, Token};

use crate::fixture::{Harness, entry, fill, hit, key_tag, lookup, place, put, tagged_entry, token};

pub fn since(token: Token) -> Since {
    Since { token, watched: Vec::new() }
}

/// An entry of a write, whose token is for the store to give.
pub fn written(place: &EntryRef, body: &str, kind: Kind) -> StoredResponse {
    let mut entry = entry(place, body, Token { epoch: 0, seq: 0 });
    entry.kind = kind;
    entry
}

async fn write_and_put(
    store: &Store,
    place: &EntryRef,
    begun: Token,
    (body, kind): (&str, Kind),
    otherwise: Otherwise,
) -> (Invalidated, PutOutcome) {
    let entry = written(place, body, kind);
    let (finished, kept) = store
        .invalidate_and_put(Change::of(&key_tag(&place.key.name)), &since(begun), place, entry, otherwise)
        .await
        .unwrap();
    (finished, kept.unwrap())
}

pub async fn an_entry_is_put_in_the_step_of_the_invalidation(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let begun = fill(store, &apple, "old").await;
    let (finished, kept) = write_and_put(store, &apple, begun, ("new", Kind::Written), Otherwise::Invalidate).await;
    assert_eq!((kept, finished.alone), (PutOutcome::Stored, true));

    let found = lookup(store, &apple).await;
    let there = found.entry.unwrap();
    assert_eq!((&there.body[..], there.kind), (&b"new"[..], Kind::Written));
    assert_eq!((there.token, found.token), (finished.token, finished.token));
    assert_eq!(put(store, &apple, entry(&apple, "old", begun)).await, PutOutcome::RacedWrite);
    assert_eq!(hit(store, &apple).await.as_deref(), Some("new"));

    store.invalidate(Change::of(&key_tag("fruit:1"))).await.unwrap();
    assert_eq!(hit(store, &apple).await, None, "a later write drops it");
}

pub async fn what_was_raced_is_not_put(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let season = [Tag::named("season")];
    for by in [key_tag("fruit:1"), [Tag::route("fruit")], [Tag::everything()], season.clone()] {
        for otherwise in [Otherwise::Invalidate, Otherwise::Nothing] {
            let begun = token(store, &apple).await;
            store.invalidate(Change::of(&by)).await.unwrap();
            fill(store, &apple, "other").await;
            let before = token(store, &apple).await;
            let late = tagged_entry(&apple, "late", begun, &season);
            let (finished, kept) = store
                .invalidate_and_put(Change::of(&key_tag("fruit:1")), &since(begun), &apple, late, otherwise)
                .await
                .unwrap();
            assert_eq!(kept, Ok(PutOutcome::RacedWrite), "{by:?}");
            assert_eq!(token(store, &apple).await, finished.token);
            match otherwise {
                Otherwise::Invalidate => assert_eq!(hit(store, &apple).await, None, "{by:?}"),
                Otherwise::Nothing => {
                    assert_eq!((finished.token, finished.alone), (before, false));
                    assert_eq!(hit(store, &apple).await.as_deref(), Some("other"), "{by:?}");
                }
            }
        }
    }
    let now = token(store, &apple).await;
    for wrong in [Token { epoch: now.epoch ^ 1, ..now }, Token { epoch: now.epoch ^ 1, seq: now.seq + 9 }] {
        let (_, kept) = write_and_put(store, &apple, wrong, ("late", Kind::Written), Otherwise::Invalidate).await;
        assert_eq!(kept, PutOutcome::RacedWrite);
    }
}

pub async fn what_is_watched_counts_for_what_is_put(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let begun = token(store, &apple).await;
    store.invalidate(Change::of(&[Tag::route("orders")])).await.unwrap();
    let watching = Since { token: begun, watched: vec![Tag::route("orders")] };
    let entry = || written(&apple, "new", Kind::Written);
    let (finished, kept) = store
        .invalidate_and_put(Change::of(&key_tag("fruit:1")), &watching, &apple, entry(), Otherwise::Invalidate)
        .await
        .unwrap();
    assert_eq!((kept, finished.alone), (Ok(PutOutcome::RacedWrite), false));
    let (_, kept) = write_and_put(store, &apple, finished.token, ("new", Kind::Written), Otherwise::Invalidate).await;
    assert_eq!(kept, PutOutcome::Stored);
}

/// Of writers that begin anew when they were raced one gets on each time.
pub async fn who_was_raced_may_go_on_from_the_token_that_came_back(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let begun = token(store, &apple).await;
    write_and_put(store, &apple, begun, ("one", Kind::CacheOnly), Otherwise::Nothing).await;
    let (raced, kept) = write_and_put(store, &apple, begun, ("two", Kind::CacheOnly), Otherwise::Nothing).await;
    assert_eq!(kept, PutOutcome::RacedWrite);
    let (_, kept) = write_and_put(store, &apple, raced.token, ("two", Kind::CacheOnly), Otherwise::Nothing).await;
    assert_eq!(kept, PutOutcome::Stored);
    assert_eq!(hit(store, &apple).await.as_deref(), Some("two"));
}

pub async fn what_is_in_the_cache_only_makes_room_for_what_is_built_upon_it(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let begun = token(store, &apple).await;
    write_and_put(store, &apple, begun, ("mine", Kind::CacheOnly), Otherwise::Nothing).await;
    let there = lookup(store, &apple).await.entry.unwrap();

    // Also where the fill's lookup came after it, and after more.
    store.invalidate(Change::of(&key_tag("fruit:2"))).await.unwrap();
    let late = token(store, &apple).await;
    for upon in [Expect::Any, Expect::Absent] {
        let fill = Arc::new(entry(&apple, "origin", late));
        assert_eq!(store.put(&apple, fill, upon).await.unwrap(), PutOutcome::NewerFill);
        assert_eq!(hit(store, &apple).await.as_deref(), Some("mine"));
    }
    let upon = Expect::Entry(Arc::clone(&there));
    let seen = Arc::new(entry(&apple, "origin", late));
    assert_eq!(store.put(&apple, seen, upon).await.unwrap(), PutOutcome::Stored);
    assert_eq!(hit(store, &apple).await.as_deref(), Some("origin"));

    let begun = token(store, &apple).await;
    write_and_put(store, &apple, begun, ("mine", Kind::CacheOnly), Otherwise::Nothing).await;
    store.invalidate(Change::of(&key_tag("fruit:1"))).await.unwrap();
    fill(store, &apple, "after a write").await;
    assert_eq!(hit(store, &apple).await.as_deref(), Some("after a write"));
}

pub async fn an_entry_of_another_fingerprint_is_another_entry(harness: &impl Harness) {
    let (store, today) = (harness.store(), place("fruit:1"));
    let mut tomorrow = today.clone();
    tomorrow.key.fingerprint = 1;
    let begun = fill(store, &today, "today").await;
    let found = lookup(store, &tomorrow).await;
    assert!(found.entry.is_none() && !found.invalidated);

    let kept = store.put(&tomorrow, Arc::new(entry(&tomorrow, "tomorrow", begun)), Expect::Absent).await;
    assert_eq!(kept.unwrap(), PutOutcome::Stored);
    assert_eq!(hit(store, &tomorrow).await.as_deref(), Some("tomorrow"));
    store.invalidate(Change::of(&key_tag("fruit:1"))).await.unwrap();
    for place in [&today, &tomorrow] {
        assert_eq!(hit(store, place).await, None);
    }
}
