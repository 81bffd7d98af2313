//! What an entry is built upon has to be there when it is kept: the laws of it, the same for every store.

use std::sync::Arc;

use aside::rules::{Place, Tag};
use aside::store::{Kept, Store, StoredResponse, Token, Upon};

use crate::fixture::{Harness, entry, fill, hit, key_tag, lookup, place, tagged_entry, token};

/// The entry that is there.
pub async fn found(store: &Store, place: &Place) -> Arc<StoredResponse> {
    lookup(store, place).await.entry.unwrap()
}

pub async fn keep_upon(store: &Store, place: &Place, upon: Upon, entry: StoredResponse) -> Kept {
    store.keep(place, Arc::new(entry), upon).await.unwrap()
}

async fn finish(store: &Store, tags: &[Tag]) -> Token {
    store.finish(tags, None).await.unwrap().token
}

pub async fn what_is_built_upon_nothing_replaces_no_valid_entry(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let begun = token(store, &apple).await;
    assert_eq!(keep_upon(store, &apple, Upon::Nothing, entry(&apple, "first", begun)).await, Kept::Stored);
    assert_eq!(keep_upon(store, &apple, Upon::Nothing, entry(&apple, "second", begun)).await, Kept::NewerFill);
    assert_eq!(hit(store, &apple).await.as_deref(), Some("first"));

    let after = finish(store, &key_tag("fruit:1")).await;
    assert_eq!(keep_upon(store, &apple, Upon::Nothing, entry(&apple, "old", begun)).await, Kept::RacedWrite);
    assert_eq!(keep_upon(store, &apple, Upon::Nothing, entry(&apple, "third", after)).await, Kept::Stored);
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
    assert_eq!(keep_upon(store, &apple, Upon::Entry(Arc::clone(&old)), fresher()).await, Kept::Stored);
    let now = found(store, &apple).await;
    assert_eq!(now.response_time, old.response_time + 1);
    assert_eq!(keep_upon(store, &apple, Upon::Entry(old), fresher()).await, Kept::NewerFill, "it is replaced");

    fill(store, &apple, "new").await;
    assert_eq!(keep_upon(store, &apple, Upon::Entry(now), fresher()).await, Kept::NewerFill);
    assert_eq!(hit(store, &apple).await.as_deref(), Some("new"));
}

pub async fn an_entry_is_the_same_in_the_hand_that_kept_it(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let mut kept = entry(&apple, "part", token(store, &apple).await);
    kept.initial_age = std::time::Duration::from_nanos(1_500_000_001);
    let kept = Arc::new(kept);
    assert_eq!(store.keep(&apple, Arc::clone(&kept), Upon::Anything).await.unwrap(), Kept::Stored);
    let joined = entry(&apple, "part and more", kept.token);
    assert_eq!(keep_upon(store, &apple, Upon::Entry(kept), joined).await, Kept::Stored);
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
        assert_eq!(keep_upon(store, &apple, Upon::Anything, two).await, Kept::Stored);
        let late = keep_upon(store, &apple, Upon::Entry(one), entry(&apple, "one", begun)).await;
        assert_eq!(late, Kept::NewerFill, "change {number}");
    }
}

pub async fn what_is_gone_is_not_brought_back(harness: &impl Harness) {
    let (store, apple, pear, season) = (harness.store(), place("fruit:1"), place("fruit:2"), [Tag::named("season")]);
    let begun = token(store, &apple).await;
    let elsewhere = Arc::new(entry(&pear, "pear", begun));
    assert_eq!(keep_upon(store, &pear, Upon::Entry(elsewhere), entry(&pear, "pear", begun)).await, Kept::Gone);
    assert_eq!(hit(store, &pear).await, None);

    assert_eq!(
        keep_upon(store, &apple, Upon::Anything, tagged_entry(&apple, "old", begun, &season)).await,
        Kept::Stored
    );
    let old = found(store, &apple).await;
    finish(store, &season).await;
    // It names the season no more, so nothing but what it is built upon tells that it is old.
    let kept = keep_upon(store, &apple, Upon::Entry(Arc::clone(&old)), entry(&apple, "old", begun)).await;
    assert_eq!(kept, Kept::Gone);
    assert_eq!(hit(store, &apple).await, None);

    finish(store, &key_tag("fruit:1")).await;
    assert_eq!(keep_upon(store, &apple, Upon::Entry(old), entry(&apple, "old", begun)).await, Kept::RacedWrite);
}

pub async fn what_another_node_kept_or_read_counts_the_same(harness: &impl Harness) {
    let (here, there, apple) = (harness.store(), harness.second().await, place("fruit:1"));
    let begun = fill(here, &apple, "old").await;
    let (seen_here, seen_there) = (found(here, &apple).await, found(&there, &apple).await);
    let first = keep_upon(&there, &apple, Upon::Entry(seen_there), entry(&apple, "new", begun)).await;
    assert_eq!(first, Kept::Stored);
    let late = keep_upon(here, &apple, Upon::Entry(seen_here), entry(&apple, "old", begun)).await;
    assert_eq!(late, Kept::NewerFill);
    assert_eq!(hit(here, &apple).await.as_deref(), Some("new"));
}
