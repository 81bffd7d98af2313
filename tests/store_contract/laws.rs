//! The laws, the same for every store.

use aside::rules::Tag;
use aside::store::{Change, Invalidated, Kind, PutOutcome, Since, Store, StoredResponse, Token};

use crate::expect::{
    an_entry_is_the_same_in_the_hand_that_kept_it, two_answers_are_never_taken_for_one,
    what_another_node_kept_or_read_counts_the_same, what_is_built_upon_an_entry_replaces_that_one_only,
    what_is_built_upon_nothing_replaces_no_valid_entry, what_is_gone_is_not_brought_back,
};
use crate::fixture::{
    Harness, InMemory, InRedis, entry, fill, hit, key_tag, lookup, place, place_in, put, tagged_entry, token,
};
use crate::held::{
    a_flood_of_soft_invalidations_loses_none_and_drops_nothing,
    a_held_route_holds_all_that_is_in_it_and_everything_holds_all,
    a_soft_invalidation_forgets_no_hard_one_and_is_forgotten_for_one, it_ends_when_the_origin_cannot_commit_any_more,
    nothing_lowers_what_is_held, what_else_may_have_changed_is_invalidated_again_and_again,
    what_is_held_is_neither_given_out_nor_stored, what_is_softly_invalidated_is_there_and_stale,
    what_settles_is_held_for_its_time, where_very_much_is_held_all_names_stand_for_names,
    whoever_was_softly_raced_was_not_alone,
};
use crate::purge::{
    a_prefix_hits_what_begins_so_and_refuses_every_fill_that_may, a_prefix_of_very_many_hits_their_route,
    a_purge_by_key_tells_how_much_of_it_was_there,
    a_purge_hits_what_it_names_and_what_is_being_fetched_of_it_on_every_node,
    a_soft_purge_leaves_what_it_hits_stale_and_refuses_what_is_being_fetched,
    what_can_be_given_out_is_listed_and_no_more_than_was_asked_for,
};
use crate::put::{
    an_entry_is_put_in_the_step_of_the_invalidation, an_entry_of_another_fingerprint_is_another_entry,
    what_is_in_the_cache_only_makes_room_for_what_is_built_upon_it, what_is_watched_counts_for_what_is_put,
    what_was_raced_is_not_put, who_was_raced_may_go_on_from_the_token_that_came_back,
};
use crate::scopes::{
    a_flood_of_names_costs_what_has_none_nothing, a_flood_of_softly_invalidated_names_makes_stale_only_what_has_one,
    a_flood_of_writes_to_one_route_costs_other_routes_nothing, a_marker_does_not_come_back_when_its_end_is_forgotten,
    every_kind_of_tag_drops_what_has_it_and_nothing_else, everything_is_one_tag,
    who_is_alone_is_known_of_what_is_listed_no_longer,
};

macro_rules! laws {
    ($($law:ident)*) => {
        mod memory {
            use super::*;
            $(#[tokio::test] async fn $law() { super::$law(&InMemory::start().await).await })*
        }
        mod redis {
            use super::*;
            $(#[tokio::test] async fn $law() { super::$law(&InRedis::start().await).await })*
        }
    };
}

laws! {
    what_is_kept_is_found
    an_invalidated_entry_is_gone
    a_raced_fill_is_refused
    a_fill_begun_after_the_write_is_kept
    a_token_of_another_life_is_refused
    an_older_fill_does_not_replace_a_newer_one
    an_invalidated_newer_fill_is_in_nobodys_way
    one_tag_drops_all_variants
    the_route_tag_drops_the_whole_route
    tags_that_only_the_response_named_count
    routes_share_one_sequence_and_no_tags
    markers_obey_the_same_laws
    an_invalidation_knows_whether_it_was_alone
    a_record_may_begin_with_an_invalidation
    a_full_tag_list_invalidates_more_and_never_less
    a_second_node_shares_entries_and_invalidations
    what_is_built_upon_nothing_replaces_no_valid_entry
    what_is_built_upon_an_entry_replaces_that_one_only
    an_entry_is_the_same_in_the_hand_that_kept_it
    two_answers_are_never_taken_for_one
    what_is_gone_is_not_brought_back
    what_another_node_kept_or_read_counts_the_same
    a_purge_by_key_tells_how_much_of_it_was_there
    a_purge_hits_what_it_names_and_what_is_being_fetched_of_it_on_every_node
    a_soft_purge_leaves_what_it_hits_stale_and_refuses_what_is_being_fetched
    a_prefix_hits_what_begins_so_and_refuses_every_fill_that_may
    a_prefix_of_very_many_hits_their_route
    what_can_be_given_out_is_listed_and_no_more_than_was_asked_for
    everything_is_one_tag
    every_kind_of_tag_drops_what_has_it_and_nothing_else
    a_flood_of_writes_to_one_route_costs_other_routes_nothing
    a_flood_of_names_costs_what_has_none_nothing
    a_flood_of_softly_invalidated_names_makes_stale_only_what_has_one
    who_is_alone_is_known_of_what_is_listed_no_longer
    a_marker_does_not_come_back_when_its_end_is_forgotten
    an_entry_is_put_in_the_step_of_the_invalidation
    what_was_raced_is_not_put
    what_is_watched_counts_for_what_is_put
    who_was_raced_may_go_on_from_the_token_that_came_back
    what_is_in_the_cache_only_makes_room_for_what_is_built_upon_it
    an_entry_of_another_fingerprint_is_another_entry
    where_very_much_is_held_all_names_stand_for_names
    what_is_held_is_neither_given_out_nor_stored
    a_held_route_holds_all_that_is_in_it_and_everything_holds_all
    it_ends_when_the_origin_cannot_commit_any_more
    nothing_lowers_what_is_held
    what_else_may_have_changed_is_invalidated_again_and_again
    what_settles_is_held_for_its_time
    what_is_softly_invalidated_is_there_and_stale
    a_soft_invalidation_forgets_no_hard_one_and_is_forgotten_for_one
    whoever_was_softly_raced_was_not_alone
    a_flood_of_soft_invalidations_loses_none_and_drops_nothing
}

async fn invalidate(store: &Store, tags: &[Tag]) -> Invalidated {
    store.invalidate(Change::of(tags)).await.unwrap()
}

async fn what_is_kept_is_found(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let before = lookup(store, &apple).await;
    assert!(before.entry.is_none() && !before.invalidated);

    let written = entry(&apple, r#"{"id": 1}"#, before.token);
    let fields = written.fields.clone();
    assert_eq!(put(store, &apple, written).await, PutOutcome::Stored);

    let found = lookup(store, &apple).await;
    assert_eq!(found.token, before.token);
    let read = found.entry.unwrap();
    assert_eq!((read.kind, &read.body[..], &read.fields), (Kind::Response, br#"{"id": 1}"#.as_slice(), &fields));
    assert_eq!((read.token, read.response_time), (before.token, 1_700_000_000_000));
    assert_eq!(hit(store, &place("fruit:2")).await, None);
}

async fn an_invalidated_entry_is_gone(harness: &impl Harness) {
    let (store, apple, pear) = (harness.store(), place("fruit:1"), place("fruit:2"));
    fill(store, &apple, "apple").await;
    fill(store, &pear, "pear").await;

    invalidate(store, &key_tag("fruit:1")).await;

    let found = lookup(store, &apple).await;
    assert!(found.entry.is_none() && found.invalidated);
    assert_eq!(hit(store, &pear).await.as_deref(), Some("pear"));
    assert_eq!(hit(store, &pear).await.as_deref(), Some("pear"), "found valid once more without the marks");
}

async fn a_raced_fill_is_refused(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let begun = token(store, &apple).await;
    invalidate(store, &key_tag("fruit:1")).await;
    assert_eq!(put(store, &apple, entry(&apple, "old", begun)).await, PutOutcome::RacedWrite);
    assert_eq!(hit(store, &apple).await, None);
}

async fn a_fill_begun_after_the_write_is_kept(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    fill(store, &apple, "old").await;
    let finished = invalidate(store, &key_tag("fruit:1")).await;
    assert_eq!(token(store, &apple).await, finished.token);
    fill(store, &apple, "new").await;
    assert_eq!(hit(store, &apple).await.as_deref(), Some("new"));
}

async fn a_token_of_another_life_is_refused(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let now = token(store, &apple).await;
    let other = Token { epoch: now.epoch ^ 1, ..now };
    assert_eq!(put(store, &apple, entry(&apple, "old", other)).await, PutOutcome::RacedWrite);
}

async fn an_older_fill_does_not_replace_a_newer_one(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let early = token(store, &apple).await;
    invalidate(store, &key_tag("fruit:2")).await;
    let late = fill(store, &apple, "newer").await;

    assert_eq!(put(store, &apple, entry(&apple, "older", early)).await, PutOutcome::NewerFill);
    assert_eq!(hit(store, &apple).await.as_deref(), Some("newer"));
    assert_eq!(put(store, &apple, entry(&apple, "as new", late)).await, PutOutcome::Stored);
    assert_eq!(hit(store, &apple).await.as_deref(), Some("as new"));
}

async fn an_invalidated_newer_fill_is_in_nobodys_way(harness: &impl Harness) {
    let (store, apple, season) = (harness.store(), place("fruit:1"), [Tag::named("season")]);
    let early = token(store, &apple).await;
    invalidate(store, &key_tag("fruit:2")).await;
    let late = token(store, &apple).await;
    assert_eq!(put(store, &apple, tagged_entry(&apple, "newer", late, &season)).await, PutOutcome::Stored);
    invalidate(store, &season).await;

    assert_eq!(put(store, &apple, entry(&apple, "older", early)).await, PutOutcome::Stored);
    assert_eq!(hit(store, &apple).await.as_deref(), Some("older"));
}

async fn one_tag_drops_all_variants(harness: &impl Harness) {
    let store = harness.store();
    let variants = ["fruit:1", "fruit:1#0a1b2c3d", "fruit:1#4e5f6a7b"].map(|name| {
        let mut variant = place(name);
        variant.tags = vec![Tag::route("fruit"), Tag::key("fruit", "fruit:1")].into();
        variant
    });
    for variant in &variants {
        fill(store, variant, "old").await;
    }
    invalidate(store, &key_tag("fruit:1")).await;
    for variant in &variants {
        assert_eq!(hit(store, variant).await, None);
    }
}

async fn the_route_tag_drops_the_whole_route(harness: &impl Harness) {
    let store = harness.store();
    let mut list = place("fruits");
    list.key.route = "fruits".into();
    list.tags = vec![Tag::route("fruits"), Tag::key("fruits", "fruits")].into();
    for place in [&place("fruit:1"), &place("fruit:2"), &list] {
        fill(store, place, "old").await;
    }
    invalidate(store, &[Tag::route("fruit")]).await;
    assert_eq!(hit(store, &place("fruit:1")).await, None);
    assert_eq!(hit(store, &place("fruit:2")).await, None);
    assert_eq!(hit(store, &list).await.as_deref(), Some("old"), "another route");
}

async fn tags_that_only_the_response_named_count(harness: &impl Harness) {
    let (store, apple, more) = (harness.store(), place("fruit:1"), [Tag::named("season"), Tag::named("größe \"1\"")]);
    for tag in &more {
        let begun = token(store, &apple).await;
        let tagged = || tagged_entry(&apple, "old", begun, &more);
        assert_eq!(put(store, &apple, tagged()).await, PutOutcome::Stored);
        invalidate(store, &key_tag("fruit:2")).await;
        assert_eq!(hit(store, &apple).await.as_deref(), Some("old"));

        invalidate(store, std::slice::from_ref(tag)).await;
        assert_eq!(hit(store, &apple).await, None);
        assert_eq!(put(store, &apple, tagged()).await, PutOutcome::RacedWrite);
    }
}

async fn routes_share_one_sequence_and_no_tags(harness: &impl Harness) {
    let (store, apple, order) = (harness.store(), place_in("fruit", "1"), place_in("orders", "1"));
    fill(store, &apple, "apple").await;
    fill(store, &order, "order").await;
    assert_eq!(token(store, &apple).await, token(store, &order).await);
    let finished = invalidate(store, &[Tag::key("fruit", "1"), Tag::route("fruit")]).await;
    assert_eq!(token(store, &order).await, finished.token);
    assert_eq!(hit(store, &apple).await, None);
    assert_eq!(hit(store, &order).await.as_deref(), Some("order"));
}

async fn markers_obey_the_same_laws(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    for kind in [Kind::VaryIndex, Kind::Around] {
        let begun = token(store, &apple).await;
        let marker = || {
            let StoredResponse { status, fields, lifetime, flags, tags, .. } = entry(&apple, "", begun);
            let (body, age) = (bytes::Bytes::new(), std::time::Duration::ZERO);
            StoredResponse::new(kind, status, fields, body, 0, age, lifetime, flags, tags, begun)
        };
        assert_eq!(put(store, &apple, marker()).await, PutOutcome::Stored);
        let found = lookup(store, &apple).await.entry.unwrap();
        assert_eq!((found.kind, found.body.len()), (kind, 0));
        invalidate(store, &key_tag("fruit:1")).await;
        assert!(lookup(store, &apple).await.entry.is_none());
        assert_eq!(put(store, &apple, marker()).await, PutOutcome::RacedWrite);
    }
}

async fn an_invalidation_knows_whether_it_was_alone(harness: &impl Harness) {
    let (store, apple, tags) = (harness.store(), place("fruit:1"), key_tag("fruit:1"));
    let since = |token: Option<Token>| token.map(|token| Since { token, watched: vec![Tag::route("watched")] });
    let invalidate_since = async |tags: &[Tag], token| {
        store.invalidate(Change { since: since(token).as_ref(), ..Change::of(tags) }).await.unwrap()
    };
    let start = token(store, &apple).await;

    assert!(!invalidate_since(&key_tag("fruit:2"), None).await.alone, "nobody has asked");
    let first = invalidate_since(&tags, Some(start)).await;
    assert!(first.alone);
    assert!(!invalidate_since(&tags, Some(start)).await.alone);
    let last = invalidate_since(&tags, Some(first.token)).await;
    assert!(!last.alone);
    let last = invalidate_since(&tags, Some(last.token)).await;
    assert!(last.alone);
    invalidate_since(&[Tag::route("watched")], None).await;
    assert!(!invalidate_since(&tags, Some(last.token)).await.alone, "a watched tag counts");
    assert!(!invalidate_since(&tags, Some(Token { epoch: start.epoch ^ 1, seq: u64::from(u32::MAX) })).await.alone);
}

async fn a_record_may_begin_with_an_invalidation(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let finished = invalidate(store, &key_tag("fruit:1")).await;
    assert_eq!(token(store, &apple).await, finished.token);
    fill(store, &apple, "new").await;
    assert_eq!(hit(store, &apple).await.as_deref(), Some("new"));
}

async fn a_full_tag_list_invalidates_more_and_never_less(harness: &impl Harness) {
    let (store, apple, mut pear) = (harness.store(), place("fruit:1"), place("fruit:2"));
    pear.tags = [&**pear.tags, &[Tag::named("season")]].concat().into();
    let begun = fill(store, &apple, "apple").await;
    fill(store, &pear, "pear").await;
    invalidate(store, &key_tag("fruit:1")).await;
    for batch in 0..11 {
        let tags: Vec<Tag> = (0..1000).map(|n| Tag::named(&format!("{batch}-{n}"))).collect();
        invalidate(store, &tags).await;
    }
    assert_eq!(hit(store, &apple).await, None, "its invalidation is forgotten, but not its effect");
    assert_eq!(hit(store, &pear).await, None, "nothing says any more that nothing hit it");
    assert_eq!(put(store, &apple, entry(&apple, "old", begun)).await, PutOutcome::RacedWrite);

    fill(store, &apple, "new").await;
    invalidate(store, &key_tag("fruit:2")).await;
    assert_eq!(hit(store, &apple).await.as_deref(), Some("new"));
}

async fn a_second_node_shares_entries_and_invalidations(harness: &impl Harness) {
    let (here, there, apple) = (harness.store(), harness.second().await, place("fruit:1"));
    let begun = fill(here, &apple, "old").await;
    assert_eq!(hit(&there, &apple).await.as_deref(), Some("old"));

    invalidate(&there, &key_tag("fruit:1")).await;
    assert_eq!(hit(here, &apple).await, None);
    assert_eq!(put(here, &apple, entry(&apple, "old", begun)).await, PutOutcome::RacedWrite);

    fill(&there, &apple, "new").await;
    assert_eq!(hit(here, &apple).await.as_deref(), Some("new"));
}
