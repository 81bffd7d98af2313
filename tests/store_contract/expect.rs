//! What an entry is built upon has to be there when it is kept: the laws of it, the same for every store.

use std::sync::Arc;

use aside::rules::{EntryRef, Tag};
use aside::store::{Change, Expect, PutOutcome, Store, StoredResponse, Token};

use crate::fixture::{Harness, entry, fill, hit, key_tag, lookup, place, tagged_entry, token};

/// The entry that is there.
pub async fn found(store: &Store, place: &EntryRef) -> Arc<StoredResponse> {
    lookup(store, place).await.entry.unwrap()
}

pub async fn put_expecting(store: &Store, place: &EntryRef, upon: Expect, entry: StoredResponse) -> PutOutcome {
    store.put(place, Arc::new(entry), upon).await.unwrap()
}

async fn invalidate(store: &Store, tags: &[Tag]) -> Token {
    store.invalidate(Change::of(tags)).await.unwrap().token
}

pub async fn what_is_built_upon_nothing_replaces_no_valid_entry(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let begun = token(store, &apple).await;
    assert_eq!(put_expecting(store, &apple, Expect::Absent, entry(&apple, "first", begun)).await, PutOutcome::Stored);
    assert_eq!(
        put_expecting(store, &apple, Expect::Absent, entry(&apple, "second", begun)).await,
        PutOutcome::NewerFill
    );
    assert_eq!(hit(store, &apple).await.as_deref(), Some("first"));

    let after = invalidate(store, &key_tag("fruit:1")).await;
    assert_eq!(put_expecting(store, &apple, Expect::Absent, entry(&apple, "old", begun)).await, PutOutcome::RacedWrite);
    assert_eq!(put_expecting(store, &apple, Expect::Absent, entry(&apple, "third", after)).await, PutOutcome::Stored);
    assert_eq!(hit(store, &apple).await.as_deref(), Some("third"));
}

pub async fn what_is_built_upon_an_entry_replaces_that_one_only(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let begun = fill(store, &apple, "old").await;
    let old = found(store, &apple).await;
    let fresher = || {
        let mut fresher = entry(&apple, "old", begun);
        fresher.response_time += 1;
        fresher
    };
    assert_eq!(put_expecting(store, &apple, Expect::Entry(Arc::clone(&old)), fresher()).await, PutOutcome::Stored);
    let now = found(store, &apple).await;
    assert_eq!(now.response_time, old.response_time + 1);
    assert_eq!(
        put_expecting(store, &apple, Expect::Entry(old), fresher()).await,
        PutOutcome::NewerFill,
        "it is replaced"
    );

    fill(store, &apple, "new").await;
    assert_eq!(put_expecting(store, &apple, Expect::Entry(now), fresher()).await, PutOutcome::NewerFill);
    assert_eq!(hit(store, &apple).await.as_deref(), Some("new"));
}

pub async fn an_entry_is_the_same_in_the_hand_that_kept_it(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let mut kept = entry(&apple, "part", token(store, &apple).await);
    kept.initial_age = std::time::Duration::from_nanos(1_500_000_001);
    let kept = Arc::new(kept);
    assert_eq!(store.put(&apple, Arc::clone(&kept), Expect::Any).await.unwrap(), PutOutcome::Stored);
    let joined = entry(&apple, "part and more", kept.token);
    assert_eq!(put_expecting(store, &apple, Expect::Entry(kept), joined).await, PutOutcome::Stored);
    assert_eq!(hit(store, &apple).await.as_deref(), Some("part and more"));
}

pub async fn two_answers_are_never_taken_for_one(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let changes: [fn(&mut StoredResponse); 5] = [
        |entry| entry.response_time += 1,
        |entry| entry.body = bytes::Bytes::from_static(b"two"),
        |entry| entry.lifetime.fresh_for += std::time::Duration::from_secs(1),
        |entry| entry.fields.clear(),
        |entry| entry.tags.push(Tag::named("season")),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let begun = fill(store, &apple, "one").await;
        let one = found(store, &apple).await;
        let mut two = entry(&apple, "one", begun);
        change(&mut two);
        assert_eq!(put_expecting(store, &apple, Expect::Any, two).await, PutOutcome::Stored);
        let late = put_expecting(store, &apple, Expect::Entry(one), entry(&apple, "one", begun)).await;
        assert_eq!(late, PutOutcome::NewerFill, "change {number}");
    }
}

pub async fn what_is_gone_is_not_brought_back(harness: &impl Harness) {
    let (store, apple, pear, season) = (harness.store(), place("fruit:1"), place("fruit:2"), [Tag::named("season")]);
    let begun = token(store, &apple).await;
    let elsewhere = Arc::new(entry(&pear, "pear", begun));
    assert_eq!(
        put_expecting(store, &pear, Expect::Entry(elsewhere), entry(&pear, "pear", begun)).await,
        PutOutcome::Gone
    );
    assert_eq!(hit(store, &pear).await, None);

    assert_eq!(
        put_expecting(store, &apple, Expect::Any, tagged_entry(&apple, "old", begun, &season)).await,
        PutOutcome::Stored
    );
    let old = found(store, &apple).await;
    invalidate(store, &season).await;
    // It names the season no more, so nothing but what it is built upon tells that it is old.
    let kept = put_expecting(store, &apple, Expect::Entry(Arc::clone(&old)), entry(&apple, "old", begun)).await;
    assert_eq!(kept, PutOutcome::Gone);
    assert_eq!(hit(store, &apple).await, None);

    invalidate(store, &key_tag("fruit:1")).await;
    assert_eq!(
        put_expecting(store, &apple, Expect::Entry(old), entry(&apple, "old", begun)).await,
        PutOutcome::RacedWrite
    );
}

pub async fn what_another_node_kept_or_read_counts_the_same(harness: &impl Harness) {
    let (here, there, apple) = (harness.store(), harness.second().await, place("fruit:1"));
    let begun = fill(here, &apple, "old").await;
    let (seen_here, seen_there) = (found(here, &apple).await, found(&there, &apple).await);
    let first = put_expecting(&there, &apple, Expect::Entry(seen_there), entry(&apple, "new", begun)).await;
    assert_eq!(first, PutOutcome::Stored);
    let late = put_expecting(here, &apple, Expect::Entry(seen_here), entry(&apple, "old", begun)).await;
    assert_eq!(late, PutOutcome::NewerFill);
    assert_eq!(hit(here, &apple).await.as_deref(), Some("new"));
}
