//! What is held, invalidated again and again, or softly: the laws of it, the same for every store.

use std::sync::Arc;
use std::time::Duration;

use aside::rules::{EntryRef, Tag};
use aside::store::{Change, Expect, Intent, Kind, Otherwise, PutOutcome, Store, Strength, Token};

use crate::fixture::{COMMIT_WITHIN, Harness, entry, fill, hit, key_tag, lookup, place, put, tagged_entry, token};
use crate::put::{since, written};

const SECOND: Duration = Duration::from_secs(1);

/// A write of unknown outcome to these tags, which may also have changed the others.
async fn hold(store: &Store, held: &[Tag], others: &[Tag]) {
    let mark = store.mark(Intent { held: held.to_vec(), others: others.to_vec() }).await.unwrap();
    store.hold(&mark).await.unwrap();
}

async fn invalidate(store: &Store, tags: &[Tag]) -> Token {
    store.invalidate(Change::of(tags)).await.unwrap().token
}

/// Whether a fill that nothing overtakes is stored.
async fn can_be_filled(store: &Store, place: &EntryRef) -> bool {
    let token = token(store, place).await;
    let outcome = put(store, place, entry(place, "filled", token)).await;
    let found = lookup(store, place).await.entry;
    assert_eq!(outcome == PutOutcome::Stored, found.is_some(), "{outcome:?}");
    outcome == PutOutcome::Stored
}

pub async fn what_is_held_is_neither_given_out_nor_stored(harness: &impl Harness) {
    let (store, apple, pear) = (harness.store(), place("fruit:1"), place("fruit:2"));
    let begun = fill(store, &apple, "old").await;
    fill(store, &pear, "pear").await;
    hold(store, &key_tag("fruit:1"), &[]).await;

    for store in [store, &harness.second().await] {
        let found = lookup(store, &apple).await;
        assert!(found.entry.is_none() && found.invalidated);
        for token in [begun, found.token] {
            let late = Arc::new(entry(&apple, "old", token));
            for expect in [Expect::Any, Expect::Absent] {
                assert_eq!(store.put(&apple, Arc::clone(&late), expect).await.unwrap(), PutOutcome::Held);
            }
        }
        let (tags, new) = ([Tag::route("orders")], written(&apple, "new", Kind::Written));
        let since = since(found.token);
        let both = store.invalidate_and_put(Change::of(&tags), &since, &apple, new, Otherwise::Nothing).await;
        assert_eq!(both.unwrap().1, Ok(PutOutcome::Held));
        assert_eq!(hit(store, &apple).await, None);
        assert_eq!(hit(store, &pear).await.as_deref(), Some("pear"), "what has another key");
    }
}

pub async fn where_very_much_is_held_all_names_stand_for_names(harness: &impl Harness) {
    let (store, apple, mut tagged) = (harness.store(), place("fruit:1"), place("tagged"));
    tagged.tags = [&**tagged.tags, &[Tag::named("another")]].concat().into();
    let keys: Vec<Tag> = (0..1000).map(|n| Tag::key("orders", &n.to_string())).collect();
    hold(store, &keys, &[]).await;
    for place in [&apple, &tagged] {
        fill(store, place, "old").await;
    }
    hold(store, &[Tag::named("season")], &[]).await;
    for store in [store, &harness.second().await] {
        assert_eq!(hit(store, &apple).await.as_deref(), Some("old"));
        assert_eq!(hit(store, &tagged).await, None);
        let begun = token(store, &tagged).await;
        assert_eq!(put(store, &tagged, entry(&tagged, "old", begun)).await, PutOutcome::Held);
    }
    harness.pass(COMMIT_WITHIN + SECOND);
    invalidate(store, &[Tag::route("another")]).await;
    assert!(can_be_filled(store, &tagged).await);
}

pub async fn a_held_route_holds_all_that_is_in_it_and_everything_holds_all(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let order = crate::fixture::place_in("orders", "order:1");
    hold(store, &[Tag::route("fruit")], &[]).await;
    assert!(!can_be_filled(store, &apple).await);
    assert!(can_be_filled(store, &order).await);
    hold(store, &[Tag::everything()], &[]).await;
    assert!(lookup(store, &order).await.entry.is_none());
    assert!(!can_be_filled(store, &order).await);
    harness.pass(COMMIT_WITHIN);
    crate::fixture::eventually("both are free", async || {
        can_be_filled(store, &apple).await && can_be_filled(store, &order).await
    })
    .await;
}

pub async fn it_ends_when_the_origin_cannot_commit_any_more(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let begun = fill(store, &apple, "old").await;
    hold(store, &key_tag("fruit:1"), &[]).await;
    let held = token(store, &apple).await;
    harness.pass(COMMIT_WITHIN / 2);
    assert!(!can_be_filled(store, &apple).await);
    // Another one of the same write's tags: the later end counts.
    hold(store, &key_tag("fruit:1"), &[]).await;
    harness.pass(COMMIT_WITHIN / 2 + SECOND);
    assert!(!can_be_filled(store, &apple).await);
    harness.pass(COMMIT_WITHIN / 2);

    assert_eq!(hit(store, &apple).await, None, "nothing comes back");
    for token in [begun, held] {
        assert_eq!(put(store, &apple, entry(&apple, "old", token)).await, PutOutcome::RacedWrite);
    }
    crate::fixture::eventually("it is free", async || can_be_filled(store, &apple).await).await;
    assert_eq!(put(store, &apple, entry(&apple, "old", held)).await, PutOutcome::RacedWrite);
    assert_eq!(hit(store, &apple).await.as_deref(), Some("filled"));
}

pub async fn nothing_lowers_what_is_held(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let (tags, season) = (key_tag("fruit:1"), Tag::named("season"));
    hold(store, &[tags[0].clone(), season.clone()], &[]).await;
    // So many as leave nothing on the list that can make room.
    let many = |tag: fn(String) -> Tag| -> Vec<Vec<Tag>> {
        (0..30).map(|n| (0..1000).map(|m| tag(format!("{n}:{m}"))).collect()).collect()
    };
    let mut covered = many(|text| Tag::key("fruit", &text));
    for tags in &mut covered {
        tags.push(Tag::route("fruit"));
    }
    let changes: [(&str, Vec<Vec<Tag>>); 6] = [
        ("a bump", vec![vec![tags[0].clone(), season.clone()]]),
        ("its route", vec![vec![Tag::route("fruit")]]),
        ("everything", vec![vec![Tag::everything()]]),
        ("a flood of its route", many(|text| Tag::key("fruit", &text))),
        ("a flood that its route covers", covered),
        ("a flood of names", many(|text| Tag::named(&text))),
    ];
    let mut seasonal = place("fruit:3");
    seasonal.tags = vec![season].into();
    for (what, batches) in &changes {
        for strength in [Strength::Soft, Strength::Hard] {
            for tags in batches {
                store.invalidate(Change { strength, ..Change::of(tags) }).await.unwrap();
            }
            for place in [&apple, &seasonal] {
                assert!(!can_be_filled(store, place).await, "{what}, {strength:?}");
            }
        }
    }
    harness.pass(COMMIT_WITHIN);
    for place in [&apple, &seasonal] {
        crate::fixture::eventually("it is free", async || can_be_filled(store, place).await).await;
    }
}

pub async fn what_else_may_have_changed_is_invalidated_again_and_again(harness: &impl Harness) {
    let (store, apple, pear) = (harness.store(), place("fruit:1"), place("fruit:2"));
    fill(store, &apple, "old").await;
    hold(store, &[], &key_tag("fruit:1")).await;
    assert_eq!(hit(store, &apple).await, None, "at once");
    let mut times = 0;
    let seconds = u32::try_from(COMMIT_WITHIN.as_secs()).unwrap();
    for second in 1..=seconds + 5 {
        let begun = token(store, &apple).await;
        let outcome = put(store, &apple, entry(&apple, "filled", begun)).await;
        // A renewal may invalidate it in between.
        assert!(matches!(outcome, PutOutcome::Stored | PutOutcome::RacedWrite), "it is not held: {outcome:?}");
        fill(store, &pear, "pear").await;
        harness.pass(SECOND);
        // Something of the store's own: in Redis a session's renewal does it.
        invalidate(store, &[Tag::route("orders")]).await;
        if hit(store, &apple).await.is_none() {
            times += 1;
            // A real clock goes on besides.
            assert!(second <= 12 || second + 10 >= seconds, "in second {second}");
        }
        assert_eq!(hit(store, &pear).await.as_deref(), Some("pear"));
    }
    assert!((6..=12).contains(&times), "each second for ten seconds, and at the end: {times}");
}

pub async fn what_settles_is_held_for_its_time(harness: &impl Harness) {
    let (store, apple, pear) = (harness.store(), place("fruit:1"), place("fruit:2"));
    let (tags, time) = (key_tag("fruit:1"), Duration::from_secs(2));
    fill(store, &apple, "old").await;
    fill(store, &pear, "pear").await;
    let settle = [(tags[0].clone(), time)];
    store.invalidate(Change::of(&tags).settling(&settle)).await.unwrap();
    assert_eq!(hit(store, &apple).await, None);
    assert!(!can_be_filled(store, &apple).await);
    assert_eq!(hit(store, &pear).await.as_deref(), Some("pear"));
    // Of a write that leaves an entry nothing is seen before that, either.
    harness.pass(SECOND);
    let since = since(token(store, &pear).await);
    let new = written(&pear, "new", Kind::Written);
    let (pears, settle) = (key_tag("fruit:2"), [(key_tag("fruit:2")[0].clone(), time)]);
    let change = Change::of(&pears).settling(&settle);
    store.invalidate_and_put(change, &since, &pear, new, Otherwise::Invalidate).await.unwrap().1.unwrap();
    assert_eq!(hit(store, &pear).await, None);
    harness.pass(SECOND);
    crate::fixture::eventually("it has settled", async || can_be_filled(store, &apple).await).await;
    assert!(!can_be_filled(store, &pear).await);
    harness.pass(SECOND);
    crate::fixture::eventually("it has settled", async || can_be_filled(store, &pear).await).await;
}

/// Every soft invalidation hits an entry that has the tag, and leaves it there.
pub async fn what_is_softly_invalidated_is_there_and_stale(harness: &impl Harness) {
    let (store, apple, season) = (harness.store(), place("fruit:1"), Tag::named("season"));
    let pear = place("fruit:2");
    for tag in [key_tag("fruit:1")[0].clone(), Tag::route("fruit"), season.clone(), Tag::everything()] {
        let begun = token(store, &apple).await;
        let tags = [season.clone()];
        assert_eq!(put(store, &apple, tagged_entry(&apple, "old", begun, &tags)).await, PutOutcome::Stored);
        fill(store, &pear, "pear").await;
        assert!(!lookup(store, &apple).await.soft);
        store.invalidate(Change::of(std::slice::from_ref(&tag)).soft()).await.unwrap();
        for _ in 0..2 {
            let found = lookup(store, &apple).await;
            assert!(found.soft && !found.invalidated, "{tag}");
            assert_eq!(&found.entry.unwrap().body[..], b"old");
        }
        // What was asked for before is as old as what is there.
        let late = tagged_entry(&apple, "late", begun, &tags);
        assert_eq!(put(store, &apple, late).await, PutOutcome::RacedWrite, "{tag}");
        let soft_pear = lookup(store, &pear).await.soft;
        assert_eq!(soft_pear, tag == Tag::route("fruit") || tag == Tag::everything(), "{tag}");

        // A 304 makes it fresh.
        let found = lookup(store, &apple).await;
        let fresher = Arc::new(tagged_entry(&apple, "old", found.token, &tags));
        let outcome = store.put(&apple, fresher, Expect::Entry(found.entry.unwrap())).await.unwrap();
        assert_eq!(outcome, PutOutcome::Stored, "{tag}");
        let found = lookup(store, &apple).await;
        assert!(!found.soft && found.entry.is_some(), "{tag}");
        fill(store, &pear, "pear").await;
        assert!(!lookup(store, &pear).await.soft, "{tag}");
    }
}

pub async fn a_soft_invalidation_forgets_no_hard_one_and_is_forgotten_for_one(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let begun = fill(store, &apple, "old").await;
    let tags = key_tag("fruit:1");
    for soft in [&tags[0], &Tag::route("fruit"), &Tag::everything()] {
        let soft = std::slice::from_ref(soft);
        invalidate(store, &tags).await;
        store.invalidate(Change::of(soft).soft()).await.unwrap();
        assert_eq!(hit(store, &apple).await, None, "{soft:?}");
        assert_eq!(put(store, &apple, entry(&apple, "old", begun)).await, PutOutcome::RacedWrite);
        fill(store, &apple, "new").await;
        store.invalidate(Change::of(soft).soft()).await.unwrap();
        assert!(lookup(store, &apple).await.soft);
        invalidate(store, &tags).await;
        let found = lookup(store, &apple).await;
        assert!(found.entry.is_none() && !found.soft);
    }
}

pub async fn whoever_was_softly_raced_was_not_alone(harness: &impl Harness) {
    let (store, apple, tags) = (harness.store(), place("fruit:1"), key_tag("fruit:1"));
    for soft in [tags[0].clone(), Tag::everything()] {
        let begun = token(store, &apple).await;
        store.invalidate(Change::of(&[soft]).soft()).await.unwrap();
        let since = since(begun);
        let new = written(&apple, "new", Kind::Written);
        let both = store.invalidate_and_put(Change::of(&tags), &since, &apple, new, Otherwise::Invalidate).await;
        let (done, outcome) = both.unwrap();
        assert_eq!((done.alone, outcome), (false, Ok(PutOutcome::RacedWrite)));
    }
}

/// So many softly invalidated keys of a route as no list has room for.
pub async fn a_flood_of_soft_invalidations_loses_none_and_drops_nothing(harness: &impl Harness) {
    let (store, apple, dropped) = (harness.store(), place("fruit:1"), place("fruit:2"));
    fill(store, &dropped, "old").await;
    invalidate(store, &key_tag("fruit:2")).await;
    fill(store, &apple, "old").await;
    for n in 0..13 {
        let tags: Vec<Tag> = (0..1000).map(|m| Tag::key("fruit", &format!("fruit:{}", n * 1000 + m))).collect();
        store.invalidate(Change::of(&tags).soft()).await.unwrap();
    }
    assert!(lookup(store, &apple).await.soft);
    assert_eq!(hit(store, &dropped).await, None);
    fill(store, &dropped, "new").await;
    assert!(!lookup(store, &dropped).await.soft);
}
