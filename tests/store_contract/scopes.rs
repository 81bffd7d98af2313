//! What a tag covers, and what is left of it when the store lists it no longer: the laws of it, the same for every store.

use aside::rules::{EntryRef, Tag};
use aside::store::{Change, Invalidated, Kind, PutOutcome, Since, Store, StoredResponse, key_name};

use crate::fixture::{Harness, entry, fill, hit, key_tag, lookup, place, place_in, put, tagged_entry, token};

async fn invalidate(store: &Store, tags: &[Tag]) -> Invalidated {
    store.invalidate(Change::of(tags)).await.unwrap()
}

fn with(mut place: EntryRef, more: &[Tag]) -> EntryRef {
    place.tags = [&**place.tags, more].concat().into();
    place
}

pub async fn everything_is_one_tag(harness: &impl Harness) {
    let store = harness.store();
    let mut bare = place("bare");
    bare.tags = Vec::new().into();
    let all = [place("fruit:1"), place_in("orders", "order:1"), bare];
    let begun = token(store, &all[0]).await;
    for place in &all {
        fill(store, place, "old").await;
    }
    let finished = invalidate(store, &[Tag::everything(), Tag::route("fruit")]).await;
    for place in &all {
        let found = lookup(store, place).await;
        assert!(found.entry.is_none() && found.invalidated, "{}", key_name(&place.key));
        assert_eq!(found.token, finished.token, "of the same life");
        assert_eq!(put(store, place, entry(place, "old", begun)).await, PutOutcome::RacedWrite);
        fill(store, place, "new").await;
        assert_eq!(hit(store, place).await.as_deref(), Some("new"));
    }
    invalidate(store, &key_tag("fruit:1")).await;
    assert_eq!(hit(store, &all[0]).await, None, "it may be listed again");
    assert_eq!(hit(store, &all[1]).await.as_deref(), Some("new"));
}

/// Each is written under a name of its own and read under the same one.
pub async fn every_kind_of_tag_drops_what_has_it_and_nothing_else(harness: &impl Harness) {
    let store = harness.store();
    let kinds = [
        Tag::unlisted(),
        Tag::fetched("fruit"),
        Tag::fetched("orders"),
        Tag::absent("fruit"),
        Tag::odd("fruit"),
        Tag::odd_names(),
        Tag::path("fruit", "/fruit/1"),
        Tag::path("/fruit/{id}", "/fruit/1"),
        Tag::key("fruit", "fruit:1 ä"),
        Tag::key("a b", "x"),
        Tag::exact("fruit", "fruit:1 ä"),
        Tag::near("fruit", "fruit:1 ä"),
        Tag::route("a b"),
        Tag::route("w"),
        Tag::named("*"),
        Tag::named("floor"),
        Tag::named("r:fruit"),
        Tag::cache_group("host", "r:fruit x"),
        Tag::variant("1"),
        place("fruit:1").around_tag(),
        Tag::from_stored("p:no-route"),
        Tag::from_stored("xx:fruit 1"),
        Tag::from_stored("epoch"),
    ];
    let places: Vec<EntryRef> = kinds
        .iter()
        .enumerate()
        .map(|(n, tag)| {
            let mut place = place(&n.to_string());
            place.tags = vec![tag.clone()].into();
            place
        })
        .collect();
    for (tag, own) in kinds.iter().zip(&places) {
        let mut begun = None;
        for place in &places {
            begun = Some(fill(store, place, "old").await);
        }
        invalidate(store, std::slice::from_ref(tag)).await;
        for place in &places {
            assert_eq!(hit(store, place).await.is_some(), place.key != own.key, "{tag} and {:?}", place.tags);
        }
        let late = put(store, own, entry(own, "old", begun.unwrap())).await;
        assert_eq!(late, PutOutcome::RacedWrite, "{tag}");
    }
}

/// So many distinct keys of a route as no list has room for.
async fn flood(store: &Store, tag: impl Fn(usize) -> Tag) {
    for batch in 0..13 {
        let tags: Vec<Tag> = (0..1000).map(|n| tag(batch * 1000 + n)).collect();
        invalidate(store, &tags).await;
    }
}

pub async fn a_flood_of_writes_to_one_route_costs_other_routes_nothing(harness: &impl Harness) {
    let store = harness.store();
    let (apple, season) = (place("fruit:1"), [Tag::named("season")]);
    let (written, spared) = (place_in("orders", "written"), place_in("orders", "spared"));
    for n in 0..3 {
        invalidate(store, &[Tag::key("fruit", &n.to_string()), Tag::named(&n.to_string())]).await;
    }
    let tagged = with(place("tagged"), &season);
    let begun = fill(store, &written, "old").await;
    for place in [&apple, &tagged, &spared] {
        fill(store, place, "old").await;
    }
    invalidate(store, &[Tag::key("orders", "written")]).await;
    flood(store, |n| Tag::key("orders", &n.to_string())).await;

    assert_eq!(hit(store, &apple).await.as_deref(), Some("old"));
    assert_eq!(hit(store, &tagged).await.as_deref(), Some("old"));
    assert_eq!(hit(store, &written).await, None, "its invalidation is forgotten, but not its effect");
    assert_eq!(put(store, &written, entry(&written, "old", begun)).await, PutOutcome::RacedWrite);
    assert_eq!(hit(store, &spared).await, None, "nothing says any more that nothing hit it");
    fill(store, &written, "new").await;
    invalidate(store, &[Tag::key("orders", "another")]).await;
    assert_eq!(hit(store, &written).await.as_deref(), Some("new"));
}

pub async fn a_flood_of_names_costs_what_has_none_nothing(harness: &impl Harness) {
    let (store, season) = (harness.store(), [Tag::named("season")]);
    let (apple, varied) = (place("fruit:1"), with(place("varied"), &[Tag::variant("1")]));
    let (tagged, answered) = (with(place("tagged"), &season), place("answered"));
    let grouped = with(place_in("orders", "grouped"), &[Tag::cache_group("", "group")]);
    for n in 0..3 {
        invalidate(store, &[Tag::named(&n.to_string()), Tag::key("orders", &n.to_string())]).await;
    }
    let begun = fill(store, &apple, "old").await;
    for place in [&varied, &tagged, &grouped] {
        fill(store, place, "old").await;
    }
    let named_by_answer = |body: &str, token| tagged_entry(&answered, body, token, &season);
    assert_eq!(put(store, &answered, named_by_answer("old", begun)).await, PutOutcome::Stored);
    invalidate(store, &season).await;
    flood(store, |n| Tag::named(&format!("other:{n}"))).await;

    for store in [store, &harness.second().await] {
        for place in [&apple, &varied] {
            assert_eq!(hit(store, place).await.as_deref(), Some("old"), "{}", key_name(&place.key));
        }
        for place in [&tagged, &answered] {
            assert_eq!(hit(store, place).await, None, "its invalidation is forgotten, but not its effect");
        }
        assert_eq!(hit(store, &grouped).await, None, "nothing says any more that nothing hit it");
    }
    assert_eq!(put(store, &tagged, entry(&tagged, "old", begun)).await, PutOutcome::RacedWrite);
    assert_eq!(put(store, &answered, named_by_answer("old", begun)).await, PutOutcome::RacedWrite);
    for place in [&tagged, &grouped] {
        fill(store, place, "new").await;
    }
    let now = token(store, &answered).await;
    assert_eq!(put(store, &answered, named_by_answer("new", now)).await, PutOutcome::Stored);
    invalidate(store, &[Tag::named("another")]).await;
    for place in [&tagged, &answered, &grouped] {
        assert_eq!(hit(store, place).await.as_deref(), Some("new"));
    }
}

pub async fn a_flood_of_softly_invalidated_names_makes_stale_only_what_has_one(harness: &impl Harness) {
    let (store, season) = (harness.store(), [Tag::named("season")]);
    let (apple, tagged) = (place("fruit:1"), with(place("tagged"), &season));
    let begun = fill(store, &apple, "old").await;
    fill(store, &tagged, "old").await;
    store.invalidate(Change::of(&season).soft()).await.unwrap();
    for batch in 0..13 {
        let tags: Vec<Tag> = (0..1000).map(|n| Tag::named(&format!("{batch}:{n}"))).collect();
        store.invalidate(Change::of(&tags).soft()).await.unwrap();
    }
    let (apple, found) = (lookup(store, &apple).await, lookup(store, &tagged).await);
    assert!(apple.entry.is_some() && !apple.soft);
    assert!(found.entry.is_some() && found.soft);
    assert_eq!(put(store, &tagged, entry(&tagged, "old", begun)).await, PutOutcome::RacedWrite);
}

pub async fn who_is_alone_is_known_of_what_is_listed_no_longer(harness: &impl Harness) {
    let store = harness.store();
    for (tag, other) in [
        (Tag::key("fruit", "fruit:1"), (|n| Tag::key("fruit", &n.to_string())) as fn(usize) -> Tag),
        (Tag::named("season"), |n| Tag::named(&n.to_string())),
    ] {
        let (begun, tags) = (token(store, &place("fruit:1")).await, [tag]);
        invalidate(store, &tags).await;
        flood(store, other).await;
        let since = |token| Since { token, watched: Vec::new() };
        let late = store.invalidate(Change::of(&tags).since(&since(begun))).await.unwrap();
        assert!(!late.alone);
        assert!(store.invalidate(Change::of(&tags).since(&since(late.token))).await.unwrap().alone);
    }
}

pub async fn a_marker_does_not_come_back_when_its_end_is_forgotten(harness: &impl Harness) {
    let (store, apple) = (harness.store(), place("fruit:1"));
    let (around, other) = (apple.around(), place("fruit:2").around());
    for place in [&around, &other] {
        let begun = token(store, place).await;
        let StoredResponse { status, fields, lifetime, flags, tags, .. } = entry(place, "", begun);
        let (body, age) = (bytes::Bytes::new(), std::time::Duration::ZERO);
        let marker = StoredResponse::new(Kind::Around, status, fields, body, 0, age, lifetime, flags, tags, begun);
        assert_eq!(put(store, place, marker).await, PutOutcome::Stored);
    }
    invalidate(store, &[Tag::route("fruit")]).await;
    assert!(lookup(store, &around).await.entry.is_some(), "who drops the entry leaves the marker");
    invalidate(store, &[apple.around_tag()]).await;
    assert!(lookup(store, &other).await.entry.is_some());
    flood(store, |n| place(&n.to_string()).around_tag()).await;
    assert!(lookup(store, &around).await.entry.is_none());
}
