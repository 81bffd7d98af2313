//! What a person with `redis-cli` sees of writes under way and of what is held, and what spoils it.

use std::time::Duration;

use aside::clock::Clock;
use aside::rules::Tag;
use aside::store::{Change, Intent, Kind, Mark, Otherwise, PutOutcome, Shared, Store, StoreSettings};

use crate::fixture::{
    COMMIT_WITHIN, Harness, InRedis, entry, eventually, fill, hit, key_tag, lookup, place, place_in, put,
    redis_settings, token, usable,
};
use crate::put::{since, written};
use crate::redis::{RedisServer, Reply};

pub const RECORD: &str = "aside:{aside}:gen";
const NODES: &str = "aside:{aside}:nodes";
const HELD: &str = "aside:{aside}:held";
const PEND: &str = "aside:{aside}:pend";

/// A write to `fruit:1` that may drop its season, too.
fn intent() -> Intent {
    Intent { held: key_tag("fruit:1").to_vec(), others: vec![Tag::named("season")] }
}

async fn mark(store: &Store) -> Mark {
    store.mark(intent()).await.unwrap()
}

fn number(server: &RedisServer, command: &[&str]) -> i64 {
    match server.command(command) {
        Reply::Number(number) => number,
        other => panic!("no number: {other:?}"),
    }
}

/// The fields of a hash and their values.
fn hash(server: &RedisServer, key: &str) -> Vec<(String, String)> {
    let Reply::List(items) = server.command(&["HGETALL", key]) else { panic!("no hash") };
    items.chunks(2).map(|pair| (pair[0].text(), pair[1].text())).collect()
}

#[tokio::test]
async fn a_mark_says_what_the_write_may_change_and_ends_with_it() {
    let redis = InRedis::start().await;
    let (store, server) = (&redis.store, &redis.server);
    assert!(store.mark(Intent::default()).await.unwrap().intent().is_empty());
    assert_eq!(number(server, &["HLEN", PEND]), 0, "nobody has to know of a write that changes nothing");

    let first = mark(store).await;
    let [(id, note)] = &hash(server, PEND)[..] else { panic!("one mark") };
    let (node, number_of) = id.split_once('.').unwrap();
    assert_eq!((node.len(), number_of), (16, "1.0"));
    let rules = rules(server);
    let told = format!(
        r#"{{"node":"{node}","generation":1,"rules":"{rules}","within":60000,"held":["k:fruit fruit:1"],"others":["n:season"]}}"#
    );
    assert_eq!(*note, told);
    let done = store.invalidate(Change::of(&key_tag("fruit:1")).ending(&first)).await.unwrap();
    assert!(done.marked);
    assert_eq!(number(server, &["HLEN", PEND]), 0);
    assert!(!store.invalidate(Change::of(&key_tag("fruit:1")).ending(&first)).await.unwrap().marked);

    let refused = mark(store).await;
    assert_eq!(number(server, &["HLEN", PEND]), 1);
    store.unmark(refused);
    eventually("the mark has ended", async || number(server, &["HLEN", PEND]) == 0).await;

    let unknown = mark(store).await;
    assert!(store.hold(&unknown).await.unwrap().marked);
    assert_eq!(number(server, &["HLEN", PEND]), 0);
}

#[tokio::test]
async fn who_else_is_writing_is_told_and_whether_it_concerns_what_has_some_tags() {
    let redis = InRedis::start().await;
    let (store, server, (_shared, other)) = (&redis.store, &redis.server, redis.node().await);
    let looked = async |tags: &[Tag]| {
        let unfinished = store.unfinished(tags).await.unwrap();
        (unfinished.concerns, unfinished.others.len())
    };
    let (key, season, none) = (key_tag("fruit:1"), [Tag::named("season")], [Tag::named("another")]);
    let writing = mark(&other).await;
    let (id, _) = hash(server, PEND).remove(0);
    let another = |number: usize| format!("{}.{number}", id.rsplit_once('.').unwrap().0);
    assert_eq!((looked(&key).await, looked(&season).await, looked(&none).await), ((true, 1), (true, 1), (false, 1)));
    let own = mark(store).await;
    assert_eq!(looked(&none).await, (false, 1), "its own it knows");
    // What cannot be read may be anything, and so may what there is too much of.
    server.command(&["HSET", PEND, &another(7), "no JSON"]);
    assert_eq!(looked(&none).await, (true, 2));
    server.command(&["HDEL", PEND, &another(7)]);
    let many: Vec<String> = (0..501).flat_map(|n| [another(10 + n), "{}".to_owned()]).collect();
    server.command(&[&["HSET".to_owned(), PEND.to_owned()], &many[..]].concat());
    assert_eq!(looked(&none).await, (true, 0));
    server.command(&["DEL", PEND]);
    // Nobody knows what becomes of it.
    other.hold(&writing).await.unwrap();
    assert_eq!((looked(&season).await, looked(&none).await), ((true, 0), (false, 0)));
    store.unmark(own);
    server.command(&["SET", PEND, "of another type"]);
    assert_eq!(looked(&none).await, (false, 0));
    server.pause();
    assert!(store.unfinished(&none).await.is_err());
    server.resume();
}

#[tokio::test]
async fn what_is_held_says_so_and_until_when() {
    let redis = InRedis::start().await;
    let (store, server, apple) = (&redis.store, &redis.server, place("fruit:1"));
    fill(store, &apple, "old").await;
    let before = Clock::System.now();
    store.hold(&mark(store).await).await.unwrap();
    assert_eq!(hit(store, &apple).await, None);
    let begun = token(store, &apple).await;
    assert_eq!(put(store, &apple, entry(&apple, "old", begun)).await, PutOutcome::Held);

    let field = server.command(&["HGET", RECORD, "t:k:fruit fruit:1"]).text();
    let (until, owner) = field.strip_prefix('q').unwrap().split_once(' ').unwrap();
    assert!(owner.ends_with(".1.0"), "{owner}");
    let until: u64 = until.parse().unwrap();
    // The server may have looked at its clock a little earlier, for what else it had to do.
    assert!((before + 59_000..before + 90_000).contains(&until), "{before} {until}");
    let listed = hash(server, HELD);
    assert!(listed.contains(&("k:fruit fruit:1".to_owned(), field)));
    let (_, again) = listed.iter().find(|(tag, _)| tag == "n:season").unwrap();
    let times: Vec<u64> = again.strip_prefix('a').unwrap().split(' ').map(|time| time.parse().unwrap()).collect();
    assert_eq!(times[..2], [until, until - 50_000]);
    // A second may have gone by, and one of them with it.
    assert!([until - 59_000, until - 58_000].contains(&times[2]), "{times:?} {until}");
}

/// What the scripts share, and then this: its keys are the record, what is held and the marks.
pub fn run(server: &RedisServer, lines: &str) -> Reply {
    let parts = [
        "local record_key, held_key, pend_key = unpack(KEYS)\n\
         local replid, fresh_epoch, tag_limit, folded_at_once, rules = unpack(ARGV)\n",
        include_str!("../../src/store/redis/scripts/record.lua"),
        include_str!("../../src/store/redis/scripts/held.lua"),
        include_str!("../../src/store/redis/scripts/invalidation.lua"),
        include_str!("../../src/store/redis/scripts/marks.lua"),
        lines,
    ];
    let info = server.command(&["INFO", "replication"]).text();
    let replid = info.lines().find_map(|line| line.strip_prefix("master_replid:")).unwrap().trim();
    let (script, rules) = (parts.concat(), rules(server));
    let reply =
        server.command(&["EVAL", &script, "3", RECORD, HELD, PEND, replid, "00000000000000ab", "10000", "100", &rules]);
    assert!(!matches!(reply, Reply::Error(_)), "{reply:?}");
    reply
}

/// The node's name and its generation, of the marks that are there.
fn node_of_marks(server: &RedisServer) -> (String, u64) {
    let (id, _) = &hash(server, PEND)[0];
    let [node, generation, _] = id.split('.').collect::<Vec<_>>()[..] else { panic!("no id: {id}") };
    (node.to_owned(), generation.parse().unwrap())
}

/// Ends the mark of a write that comes back, until it is gone: the node lives, and notes its writes anew with each renewal.
async fn come_back(store: &Store, tags: &[Tag], mark: &Mark) {
    store.invalidate(Change::of(tags).ending(mark)).await.unwrap();
    assert!(!store.invalidate(Change::of(tags).ending(mark)).await.unwrap().marked);
}

/// Those of a node in the registry, as that has them.
fn rules(server: &RedisServer) -> String {
    let (_, listed) = hash(server, NODES).into_iter().find(|(id, _)| id != "@").unwrap();
    listed.split(' ').nth(4).unwrap().to_owned()
}

/// Another node in the registry, whose lease lasts for a while.
fn living_node(server: &RedisServer, id: &str) {
    let (now, rules) = (Clock::System.now(), rules(server));
    let entry = format!("1 {} 1000000 {now} {rules} - on", now + 500_000);
    server.command(&["HSET", NODES, id, &entry]);
}

fn reap(server: &RedisServer, node: &str, generation: u64) -> Reply {
    let lines = format!("local record = read_record() return reap(record, '{node}', {generation}, clock(), 60000)");
    run(server, &lines)
}

#[tokio::test]
async fn what_a_dead_nodes_writes_may_have_changed_is_held() {
    let redis = InRedis::start().await;
    let (store, server) = (&redis.store, &redis.server);
    let (apple, order, mut seasonal) = (place("fruit:1"), place_in("orders", "order:1"), place("fruit:3"));
    seasonal.tags = vec![Tag::named("season")].into();
    for place in [&apple, &order, &seasonal] {
        fill(store, place, "old").await;
    }
    let (first, _second) = (mark(store).await, mark(store).await);
    let other = store.mark(Intent { held: vec![Tag::route("orders")], others: Vec::new() }).await.unwrap();
    let (node, generation) = node_of_marks(server);
    // Of another node, and of a later life of this one.
    let [living, later] = ["ffff.0.1".to_owned(), format!("{node}.{}.0", generation + 1)];
    living_node(server, "ffff");
    for id in [&living, &later] {
        server.command(&["HSET", PEND, id, "{}"]);
    }
    assert_eq!(reap(server, &node, generation), Reply::Number(3));
    let left: Vec<String> = hash(server, PEND).into_iter().map(|(id, _)| id).collect();
    assert!([&*living, &later].iter().all(|id| left.iter().any(|there| there == id)), "{left:?}");
    for place in [&apple, &order, &seasonal] {
        assert_eq!(hit(store, place).await, None);
    }
    for place in [&apple, &order] {
        let begun = token(store, place).await;
        assert_eq!(put(store, place, entry(place, "old", begun)).await, PutOutcome::Held);
    }

    // A write comes back whose mark was reaped: what it alone held is free, what two held is not.
    come_back(store, &[Tag::route("orders")], &other).await;
    fill(store, &order, "new").await;
    come_back(store, &key_tag("fruit:1"), &first).await;
    let begun = token(store, &apple).await;
    assert_eq!(put(store, &apple, entry(&apple, "old", begun)).await, PutOutcome::Held);
    redis.pass(COMMIT_WITHIN);
    eventually("it is free", async || {
        let begun = token(store, &apple).await;
        put(store, &apple, entry(&apple, "new", begun)).await == PutOutcome::Stored
    })
    .await;
}

#[tokio::test]
async fn a_dead_nodes_write_is_held_for_as_long_as_its_node_would_have() {
    let redis = InRedis::start().await;
    let server = &redis.server;
    mark(&redis.store).await;
    let (node, generation) = node_of_marks(server);
    let note = format!(r#"{{"rules":"{}","held":["r:slow"],"others":[],"within":3000000}}"#, rules(server));
    server.command(&["HSET", PEND, &format!("{node}.{generation}.1000"), &note]);
    // One that a hand has spoilt: for an hour at the most, as nothing that can be configured is longer.
    let note = note.replace("slow", "endless").replace("3000000", "1e300");
    server.command(&["HSET", PEND, &format!("{node}.{}.1000", generation + 1), &note]);
    let ends = |tag: &str| {
        let listed = hash(server, HELD);
        let (_, held) = listed.iter().find(|(name, _)| name == tag).unwrap_or_else(|| panic!("{listed:?}"));
        held.strip_prefix('q').unwrap().split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let now = Clock::System.now();
    reap(server, &node, generation);
    assert!((now + 2_990_000..now + 3_030_000).contains(&ends("r:slow")));
    reap(server, &node, generation + 1);
    assert!((now + 3_590_000..now + 3_630_000).contains(&ends("r:endless")));
}

#[tokio::test]
async fn a_write_that_leaves_an_entry_ends_its_mark_too() {
    let redis = InRedis::start().await;
    let (store, server, apple) = (&redis.store, &redis.server, place("fruit:1"));
    let (tags, since) = (key_tag("fruit:1"), since(token(store, &apple).await));
    let both = async |mark: &Mark, otherwise| {
        let new = written(&apple, "new", Kind::Written);
        store.invalidate_and_put(Change::of(&tags).ending(mark), &since, &apple, new, otherwise).await.unwrap()
    };
    let first = mark(store).await;
    let (done, outcome) = both(&first, Otherwise::Nothing).await;
    assert_eq!((done.marked, outcome), (true, Ok(PutOutcome::Stored)));
    assert_eq!(number(server, &["HLEN", PEND]), 0);

    let raced = mark(store).await;
    let (done, outcome) = both(&raced, Otherwise::Nothing).await;
    assert_eq!((done.marked, outcome), (false, Ok(PutOutcome::RacedWrite)));
    assert_eq!(number(server, &["HLEN", PEND]), 1, "nothing has been done");
    assert!(both(&raced, Otherwise::Invalidate).await.0.marked);

    // Reaped meanwhile: what it held ends with it, and nothing is put over what others may have seen.
    let reaped = mark(store).await;
    let (node, generation) = node_of_marks(server);
    assert_eq!(reap(server, &node, generation), Reply::Number(1));
    let (_, outcome) = both(&reaped, Otherwise::Invalidate).await;
    assert!(matches!(outcome, Ok(PutOutcome::Held | PutOutcome::RacedWrite)), "{outcome:?}");
    come_back(store, &tags, &reaped).await;
    fill(store, &apple, "newer").await;
}

#[tokio::test]
async fn what_is_held_is_held_in_a_new_record_too() {
    let redis = InRedis::start().await;
    let (store, apple) = (&redis.store, place("fruit:1"));
    let attacks: [&[&str]; 4] = [&["DEL", RECORD], &["SET", RECORD, "a"], &["HSET", RECORD, "seq", "a"], &["PING"]];
    for attack in attacks {
        for by in ["lookup", "invalidate", "everything", "hold"] {
            store.hold(&mark(store).await).await.unwrap();
            let before = token(store, &apple).await;
            if attack[0] == "SET" {
                redis.server.command(&["DEL", RECORD]);
            }
            redis.server.command(attack);
            match by {
                "invalidate" => drop(store.invalidate(Change::of(&[Tag::route("orders")])).await.unwrap()),
                "everything" => drop(store.invalidate(Change::of(&[Tag::everything()])).await.unwrap()),
                "hold" => drop(store.hold(&mark(store).await).await.unwrap()),
                _ => {}
            }
            let begun = token(store, &apple).await;
            assert_eq!(begun.epoch == before.epoch, attack[0] == "PING", "{attack:?} {by}");
            assert_eq!(put(store, &apple, entry(&apple, "old", begun)).await, PutOutcome::Held, "{attack:?} {by}");
        }
    }
    redis.pass(COMMIT_WITHIN);
    redis.server.command(&["DEL", RECORD]);
    fill(store, &apple, "new").await;
    assert!(
        hash(&redis.server, HELD).iter().all(|(_, value)| !value.starts_with('q')),
        "what has ended is listed no more"
    );
}

#[tokio::test]
async fn what_is_held_ends_although_somebody_has_deleted_the_list() {
    let redis = InRedis::start().await;
    let (store, apple) = (&redis.store, place("fruit:1"));
    let intent = Intent { held: vec![key_tag("fruit:1")[0].clone(), Tag::everything()], others: Vec::new() };
    store.hold(&store.mark(intent).await.unwrap()).await.unwrap();
    redis.server.command(&["DEL", HELD]);
    let filled = async || {
        let begun = token(store, &apple).await;
        put(store, &apple, entry(&apple, "new", begun)).await == PutOutcome::Stored
    };
    store.invalidate(Change::of(&key_tag("fruit:1"))).await.unwrap();
    assert!(!filled().await, "it has not ended");
    redis.pass(COMMIT_WITHIN);
    eventually("it is free", filled).await;
}

#[tokio::test]
async fn what_is_spoilt_of_it_stops_nothing() {
    let redis = InRedis::start().await;
    let (store, server, apple) = (&redis.store, &redis.server, place("fruit:1"));
    for key in [HELD, PEND] {
        for kind in
            [&["SET", key, "a"][..], &["LPUSH", key, "a"], &["HSET", key, "k:fruit fruit:1", "q", "", "a1 2", "x", ""]]
        {
            server.command(&["DEL", key]);
            assert!(!matches!(server.command(kind), Reply::Error(_)));
            let first = mark(store).await;
            store.invalidate(Change::of(&key_tag("fruit:1")).ending(&first)).await.unwrap();
            store.unmark(mark(store).await);
            store.hold(&mark(store).await).await.unwrap();
            assert_eq!(hit(store, &apple).await, None);
            server.command(&["DEL", RECORD]);
            let begun = token(store, &apple).await;
            assert_eq!(put(store, &apple, entry(&apple, "old", begun)).await, PutOutcome::Held, "{kind:?}");
            redis.pass(COMMIT_WITHIN + Duration::from_secs(1));
            eventually("it is free", async || {
                store.invalidate(Change::of(&[Tag::route("orders")])).await.unwrap();
                let begun = token(store, &apple).await;
                put(store, &apple, entry(&apple, "new", begun)).await == PutOutcome::Stored
            })
            .await;
            assert_eq!(number(server, &["HLEN", HELD]), 0, "{kind:?}");
        }
    }
    // A mark that nobody can read may have meant anything.
    server.command(&["DEL", PEND]);
    server.command(&["HSET", PEND, "dead.0.1", "{"]);
    assert_eq!(reap(server, "dead", 0), Reply::Number(1));
    assert_eq!(hit(store, &apple).await, None);
}

#[tokio::test]
async fn so_many_writes_are_noted_and_no_more() {
    let redis = InRedis::start().await;
    let (store, server) = (&redis.store, &redis.server);
    living_node(server, "ffff");
    run(server, "for i = 1, 9999 do redis.call('HSET', pend_key, 'ffff.0.' .. i, '{}') end return 'OK'");
    let last = mark(store).await;
    let more = mark(store).await;
    assert_eq!((number(server, &["HLEN", PEND]), redis.shared.unnoted()), (10_000, 1));
    assert!(!store.invalidate(Change::of(&key_tag("fruit:1")).ending(&more)).await.unwrap().marked);
    assert!(store.invalidate(Change::of(&key_tag("fruit:1")).ending(&last)).await.unwrap().marked);
}

#[tokio::test]
async fn where_very_much_is_held_routes_stand_for_keys_and_everything_for_routes() {
    let redis = InRedis::start().await;
    let (store, server) = (&redis.store, &redis.server);
    let hold = async |tags: Vec<Tag>| {
        store.hold(&store.mark(Intent { held: tags, others: Vec::new() }).await.unwrap()).await.unwrap();
    };
    hold((0..1000).map(|n| Tag::key("fruit", &n.to_string())).collect()).await;
    let order = place_in("orders", "order:1");
    fill(store, &order, "order").await;
    hold(key_tag("fruit:1").to_vec()).await;
    assert_eq!(number(server, &["HLEN", HELD]), 1001);
    assert!(server.command(&["HGET", HELD, "r:fruit"]).text().starts_with('q'));
    assert_eq!(hit(store, &order).await.as_deref(), Some("order"), "another route");
    hold((0..1500).map(|n| Tag::key(&n.to_string(), "1")).collect()).await;
    assert_eq!(number(server, &["HLEN", HELD]), 2001);
    assert_eq!(hit(store, &order).await, None, "everything is held");
    assert!(lookup(store, &place("fruit:1")).await.entry.is_none());
}

#[tokio::test]
async fn while_nodes_have_different_rules_every_write_drops_everything() {
    let redis = InRedis::start().await;
    let (store, server) = (&redis.store, &redis.server);
    let (apple, order) = (place("fruit:1"), place_in("orders", "order:1"));
    let other = Shared::new(&StoreSettings { rules: 1, ..redis_settings(server) });
    assert!(other.joined(Duration::from_secs(20)).await);
    eventually("it is known", async || store.rules_differ()).await;
    fill(store, &order, "old").await;
    assert_eq!(hit(store, &order).await.as_deref(), Some("old"));
    store.invalidate(Change::of(&key_tag("fruit:1"))).await.unwrap();
    assert_eq!(hit(store, &order).await, None);
    let begun = fill(store, &order, "new").await;
    for otherwise in [Otherwise::Nothing, Otherwise::Invalidate] {
        let (tags, since, new) = (key_tag("fruit:1"), since(begun), written(&apple, "new", Kind::Written));
        let both = store.invalidate_and_put(Change::of(&tags), &since, &apple, new, otherwise).await.unwrap();
        assert_eq!(both.1, Ok(PutOutcome::RacedWrite));
        assert_eq!(hit(store, &order).await.is_some(), otherwise == Otherwise::Nothing);
    }
    fill(store, &order, "new").await;
    store.invalidate(Change::of(&key_tag("fruit:1")).soft()).await.unwrap();
    assert!(lookup(store, &order).await.soft);
    store.hold(&mark(store).await).await.unwrap();
    let begun = token(store, &order).await;
    assert_eq!(put(store, &order, entry(&order, "old", begun)).await, PutOutcome::Held, "everything is held");
}

#[tokio::test]
async fn a_dead_nodes_write_that_was_noted_under_rules_before_holds_everything() {
    let redis = InRedis::start().await;
    let (store, server, order) = (&redis.store, &redis.server, place_in("orders", "order:1"));
    mark(store).await;
    let (node, generation) = node_of_marks(server);
    redis.shared.go_by(7, &[], COMMIT_WITHIN);
    usable(store).await;
    eventually("the registry has heard of it", async || rules(server).starts_with("0000000000000007")).await;
    reap(server, &node, generation);
    let begun = token(store, &order).await;
    assert_eq!(put(store, &order, entry(&order, "old", begun)).await, PutOutcome::Held);
}

#[tokio::test]
async fn what_a_node_of_other_rules_has_left_held_holds_everything() {
    let redis = InRedis::start().await;
    redis.store.hold(&mark(&redis.store).await).await.unwrap();
    redis.shared.leave(Duration::from_secs(5)).await.unwrap();
    let other = Shared::new(&StoreSettings { rules: 1, ..redis_settings(&redis.server) });
    let (store, order) = (other.attach(), place_in("orders", "order:1"));
    usable(&store).await;
    let begun = token(&store, &order).await;
    assert_eq!(put(&store, &order, entry(&order, "old", begun)).await, PutOutcome::Held);
}

#[tokio::test]
async fn when_rules_begin_to_differ_everything_is_held_instead_of_what_is_held() {
    let redis = InRedis::start().await;
    let (store, server, order) = (&redis.store, &redis.server, place_in("orders", "order:1"));
    run(server, "widen(read_record()) return 'OK'");
    fill(store, &order, "old").await;
    store.hold(&mark(store).await).await.unwrap();
    assert_eq!(hit(store, &order).await.as_deref(), Some("old"));
    run(server, "widen(read_record()) return 'OK'");
    assert_eq!(hit(store, &order).await, None);
    let begun = token(store, &order).await;
    assert_eq!(put(store, &order, entry(&order, "old", begun)).await, PutOutcome::Held);
}
