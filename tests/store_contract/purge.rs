//! A purge is a write's invalidation for whoever asks by name: the laws of it, the same for every store; and how a store
//! says that it stands.

use aside::rules::{CacheKey, EntryRef, Purge, Purging, Tag};
use aside::store::{Count, Fault, PutOutcome, Store, Strength};

use crate::fixture::{
    Harness, InMemory, InRedis, entry, eventually, fill, hit, lookup, place, place_in, put, redis_settings,
    tagged_entry, token, usable,
};

fn purging(tags: &[Tag]) -> Purging {
    Purging { purge: Purge::Tag("season".to_owned()), tags: tags.to_vec(), names: Vec::new(), beginning: None }
}

pub async fn a_purge_hits_what_it_names_and_what_is_being_fetched_of_it_on_every_node(harness: &impl Harness) {
    let (store, other) = (harness.store(), harness.second().await);
    for tags in [vec![Tag::key("fruit", "fruit:1")], vec![Tag::route("fruit")], vec![Tag::everything()]] {
        let (apple, order) = (place("fruit:1"), place_in("orders", "order:1"));
        fill(store, &apple, "old").await;
        fill(store, &order, "old").await;
        // A copy in the other node's memory, and a fill of it that has begun.
        assert_eq!(hit(&other, &apple).await.as_deref(), Some("old"));
        let begun = token(&other, &apple).await;
        let purged = store.purge(&purging(&tags), Strength::Hard).await.unwrap();
        assert_eq!(purged.purge, Purge::Tag("season".to_owned()));
        for store in [store, &other] {
            let found = lookup(store, &apple).await;
            assert!(found.entry.is_none() && found.invalidated, "{tags:?}");
            assert_eq!(Some(found.token), purged.token);
            assert_eq!(hit(store, &order).await.is_some(), tags != [Tag::everything()]);
        }
        assert_eq!(put(&other, &apple, entry(&apple, "old", begun)).await, PutOutcome::RacedWrite);
        fill(&other, &apple, "new").await;
        assert_eq!(hit(store, &apple).await.as_deref(), Some("new"));
    }
}

pub async fn a_soft_purge_leaves_what_it_hits_stale_and_refuses_what_is_being_fetched(harness: &impl Harness) {
    let (store, other) = (harness.store(), harness.second().await);
    let (apple, season) = (place("fruit:1"), [Tag::named("season")]);
    for (tags, times) in [(&season[..], 1), (&[Tag::everything()][..], 2)] {
        let begun = token(store, &apple).await;
        assert_eq!(put(store, &apple, tagged_entry(&apple, "old", begun, &season)).await, PutOutcome::Stored);
        for _ in 0..times {
            store.purge(&purging(tags), Strength::Soft).await.unwrap();
            for store in [store, &other] {
                let found = lookup(store, &apple).await;
                assert!(found.soft && found.entry.is_some(), "{tags:?}");
            }
            let late = put(&other, &apple, tagged_entry(&apple, "old", begun, &season)).await;
            assert_eq!(late, PutOutcome::RacedWrite);
        }
        store.purge(&purging(tags), Strength::Hard).await.unwrap();
        assert_eq!(hit(&other, &apple).await, None, "{tags:?}");
    }
}

pub async fn a_purge_by_key_tells_how_much_of_it_was_there(harness: &impl Harness) {
    let (store, other) = (harness.store(), harness.second().await);
    let apple = place("fruit:1");
    let secure = EntryRef { key: CacheKey { secure: true, ..apple.key.clone() }, ..apple.clone() };
    let tags = [Tag::key("fruit", "fruit:1")];
    // As whoever reads `KEYS` may write it: both of its readings lead to the same keys.
    let names = ["fruit:1#https", "fruit:1"].map(str::to_owned).to_vec();
    let named = Purging { names, ..purging(&tags) };
    let matched = async || {
        let purged = store.purge(&named, Strength::Hard).await.unwrap();
        assert!(purged.token.is_some());
        purged.matched
    };
    assert_eq!(matched().await, Some(0), "nothing is there");
    for (places, count) in [(&[&apple][..], 1), (&[&apple, &secure], 2), (&[&secure], 1)] {
        for place in places {
            fill(&other, place, "old").await;
        }
        assert_eq!((matched().await, matched().await), (Some(count), Some(0)), "{places:?}");
    }
    // What another tag of its own has dropped is not there any more, nor what is no answer of this key.
    let season = [Tag::named("season")];
    let begun = token(store, &apple).await;
    assert_eq!(put(store, &apple, tagged_entry(&apple, "old", begun, &season)).await, PutOutcome::Stored);
    store.purge(&purging(&season), Strength::Soft).await.unwrap();
    assert_eq!(matched().await, Some(1), "what is stale is there");
    let begun = token(store, &apple).await;
    assert_eq!(put(store, &apple, tagged_entry(&apple, "old", begun, &season)).await, PutOutcome::Stored);
    store.purge(&purging(&season), Strength::Hard).await.unwrap();
    fill(store, &place_in("orders", "fruit:1"), "another route's").await;
    assert_eq!(matched().await, Some(0));
}

/// What a prefix of keys of the two routes of the fixture stands for.
fn beginning(prefix: &str) -> Purging {
    let text = "origin = \"http://127.0.0.1:5000\"\n[[route]]\npath = \"/fruit/{id}\"\nttl = \"1h\"\nkey = \"fruit:{id}\"\nname = \"fruit\"\n\
                  [[route]]\npath = \"/order/{id}\"\nttl = \"1h\"\nkey = \"order:{id}\"\nname = \"orders\"\n";
    let config = aside::config::Config::from_text("rules.toml", text, |_| None).unwrap();
    config.proxy.rules.routes.purging(Purge::Prefix(prefix.to_owned()), "").unwrap()
}

pub async fn a_prefix_hits_what_begins_so_and_refuses_every_fill_that_may(harness: &impl Harness) {
    let (store, other) = (harness.store(), harness.second().await);
    let [one, ten, two] = ["fruit:1", "fruit:10", "fruit:2"].map(place);
    let order = place_in("orders", "order:1");
    for strength in [Strength::Hard, Strength::Soft] {
        for place in [&one, &ten, &two, &order] {
            fill(store, place, "old").await;
            assert_eq!(hit(&other, place).await.as_deref(), Some("old"));
        }
        let absent = [place("fruit:11"), place("fruit:3"), place_in("orders", "order:2")];
        let mut begun = Vec::new();
        for place in &absent {
            begun.push(token(&other, place).await);
        }
        let purged = store.purge(&beginning("fruit:1"), strength).await.unwrap();
        assert_eq!((purged.matched, purged.token.is_some()), (Some(2), true));
        for store in [store, &other] {
            for (place, hits) in [(&one, false), (&ten, false), (&two, true), (&order, true)] {
                let found = lookup(store, place).await;
                assert_eq!(found.entry.is_some() && !found.soft, hits, "{strength:?} {:?}", place.key);
                assert_eq!(found.soft, !hits && strength == Strength::Soft);
            }
        }
        let mut put_late = Vec::new();
        for (place, begun) in absent.iter().zip(begun) {
            put_late.push(put(&other, place, entry(place, "old", begun)).await);
        }
        assert_eq!(put_late, [PutOutcome::RacedWrite, PutOutcome::RacedWrite, PutOutcome::Stored]);
        let purged = store.purge(&beginning("fruit:7"), strength).await.unwrap();
        assert_eq!((purged.matched, purged.token.is_some()), (Some(0), true));
        assert!(lookup(store, &two).await.entry.is_some());
        store.purge(&purging(&[Tag::everything()]), Strength::Hard).await.unwrap();
    }
}

pub async fn a_prefix_of_very_many_hits_their_route(harness: &impl Harness) {
    let store = harness.store();
    for n in 0..1_002 {
        fill(store, &place(&format!("fruit:1{n}")), "old").await;
    }
    let (two, order) = (place("fruit:2"), place_in("orders", "order:1"));
    fill(store, &two, "old").await;
    fill(store, &order, "old").await;
    store.purge(&beginning("fruit:1"), Strength::Hard).await.unwrap();
    assert_eq!(hit(store, &place("fruit:11001")).await, None);
    assert_eq!(hit(store, &two).await, None, "too much, never too little");
    assert!(hit(store, &order).await.is_some());
}

pub async fn what_can_be_given_out_is_listed_and_no_more_than_was_asked_for(harness: &impl Harness) {
    let store = harness.store();
    let (mut apple, pear, order) = (place("fruit:1"), place("fruit:2"), place_in("orders", "order:1"));
    apple.tags = [&**apple.tags, &[Tag::named("Season: 7"), Tag::cache_group("a.test", "News")]].concat().into();
    for place in [&apple, &pear, &order] {
        fill(store, place, "12345").await;
    }
    store.purge(&purging(&[Tag::key("fruit", "fruit:2")]), Strength::Soft).await.unwrap();
    let all = store.entries(None, 10).await.unwrap();
    assert!(!all.more);
    let mut told: Vec<_> =
        all.entries.iter().map(|one| (&*one.key, &*one.route, one.kind, one.status, one.size, one.soft)).collect();
    told.sort_unstable();
    let expected = [
        ("fruit:1", "fruit", "response", 200, 5, false),
        ("fruit:2", "fruit", "response", 200, 5, true),
        ("order:1", "orders", "response", 200, 5, false),
    ];
    assert_eq!(told, expected);
    assert!(all.entries.iter().all(|one| one.age >= 0.0));
    // What a person may name, and nothing that the rules have made of key and route.
    let mut tags: Vec<_> = all.entries.iter().flat_map(|one| one.tags.iter().map(|tag| (&*one.key, &**tag))).collect();
    tags.sort_unstable();
    assert_eq!(tags, [("fruit:1", "a.test:News"), ("fruit:1", "season:7")]);
    let orders = store.entries(Some("orders"), 10).await.unwrap().entries;
    assert_eq!(orders.iter().map(|one| &*one.key).collect::<Vec<_>>(), ["order:1"]);
    let some = store.entries(None, 2).await.unwrap();
    assert_eq!((some.entries.len(), some.more), (2, true));
    store.purge(&purging(&[Tag::route("fruit")]), Strength::Hard).await.unwrap();
    assert_eq!(store.entries(None, 10).await.unwrap().entries.len(), 1);
    assert!(store.entries(Some("nothing"), 10).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn a_prefix_is_no_pattern() {
    let server = crate::redis::RedisServer::start();
    let prefix = |prefix: &str| aside::store::StoreSettings { prefix: prefix.to_owned(), ..redis_settings(&server) };
    let (star, plain) = (aside::store::Shared::new(&prefix("a*[b]:")), aside::store::Shared::new(&prefix("ab:")));
    let (star, plain) = (star.attach(), plain.attach());
    for store in [&star, &plain] {
        usable(store).await;
        fill(store, &place("fruit:1"), "apple").await;
        assert_eq!(store.entries(None, 10).await.unwrap().entries.len(), 1);
    }
    assert_eq!((star.prefix(), plain.prefix()), ("a*[b]:", "ab:"));
}

#[tokio::test]
async fn memory_counts_what_a_purge_hits() {
    let harness = InMemory::start().await;
    let store = harness.store();
    for n in 0..10 {
        fill(store, &place(&n.to_string()), "old").await;
    }
    let matched = async |tags: &[Tag]| store.purge(&purging(tags), Strength::Hard).await.unwrap().matched;
    assert_eq!(matched(&[Tag::key("fruit", "1"), Tag::key("fruit", "2")]).await, Some(2));
    assert_eq!(matched(&[Tag::key("fruit", "1")]).await, Some(0), "it was gone");
    assert_eq!(matched(&[Tag::everything()]).await, Some(8));
    assert_eq!(matched(&[Tag::named("season")]).await, Some(0));
}

#[tokio::test]
async fn a_purge_that_redis_does_not_confirm_is_pending_and_made_before_anything_is_read() {
    let mut redis = InRedis::start().await;
    let apple = place("fruit:1");
    fill(&redis.store, &apple, "old").await;
    redis.server.command(&["SAVE"]);
    assert_eq!(redis.shared.state().pending, 0);
    redis.server.pause();
    // Nor is anybody kept waiting by the count of what it hits.
    let purging = Purging { names: vec!["fruit:1".to_owned()], ..purging(&[Tag::route("fruit")]) };
    assert!(matches!(redis.store.purge(&purging, Strength::Soft).await, Err(Fault::Timeout | Fault::Down)));
    let state = redis.shared.state();
    assert_eq!(state.pending, 1);
    assert!(state.errors.iter().any(|Count { name, count }| ["timeout", "down"].contains(name) && *count > 0));
    assert_eq!(redis.store.lookup(&apple).await.unwrap_err(), Fault::Down);
    redis.server.resume();
    usable(&redis.store).await;
    assert_eq!(hit(&redis.store, &apple).await, None);
    assert_eq!(redis.shared.state().pending, 0);
    redis.server.kill();
    eventually("it is down", async || !redis.shared.state().up).await;
    let state = redis.shared.state();
    assert!(state.why_down.is_some_and(|why| !why.is_empty()));
}

#[tokio::test]
async fn a_store_says_how_it_stands() {
    let harness = InMemory::start().await;
    let Store::Memory(memory) = harness.store() else { panic!("it is in memory") };
    fill(harness.store(), &place("fruit:1"), "apple").await;
    let state = aside::store::Shared::Memory(memory.clone()).state();
    assert_eq!((state.kind, &*state.url, state.up, state.entries), ("memory", "memory://", true, Some(1)));
    assert!(state.lease.is_none() && state.bytes > 0 && state.bytes_limit == 64 << 20);
    assert_eq!(state.evictions, [Count { name: "room", count: 0 }]);

    let redis = InRedis::start().await;
    fill(&redis.store, &place("fruit:1"), "apple").await;
    let (_shared, _other) = redis.node().await;
    eventually("it knows of the other node", async || redis.shared.state().peers.len() == 1).await;
    let state = redis.shared.state();
    let lease = state.lease.unwrap();
    assert!(state.up && lease.valid && lease.why.is_none() && lease.ends_in_ms <= 1_000, "{lease:?}");
    assert_eq!((state.kind, state.copies, state.entries, state.marks), ("redis", Some(1), None, 0));
    assert_eq!(state.peers[0].silent_ms, None);
    assert!(!redis_settings(&redis.server).url.to_string().contains("secret"));
}
