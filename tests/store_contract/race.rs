//! Writers and readers on threads of their own: no reader that starts after a write was acknowledged sees an older version.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use aside::rules::Tag;
use aside::store::{Change, Expect, Kind, Otherwise, PutOutcome, Shared, Since, Store, StoreUrl};

use crate::fixture::{entry, place, redis_settings, settings, usable};
use crate::put::written;
use crate::redis::RedisServer;

const WRITERS: usize = 4;
const READERS: usize = 8;
const KEYS: [&str; 3] = ["fruit:1", "fruit:2", "fruit:3"];

/// An origin of numbered versions, and how many of each have been acknowledged.
#[derive(Default)]
struct Origin {
    committed: [AtomicU64; KEYS.len()],
    acknowledged: [AtomicU64; KEYS.len()],
    hits: AtomicU64,
}

/// How much each thread does.
#[derive(Clone, Copy)]
struct Load {
    writes: usize,
    reads: usize,
}

fn race(shared: &Shared, load: Load) {
    let origin = Origin::default();
    scope(|scope| {
        for writer in 0..WRITERS {
            let origin = &origin;
            scope.spawn(move || on_a_core(shared, async |store| write(&store, origin, writer, load.writes).await));
        }
        for reader in 0..READERS {
            let origin = &origin;
            scope.spawn(move || on_a_core(shared, async |store| read(&store, origin, reader, load.reads).await));
        }
    });
    assert!(origin.hits.load(Ordering::SeqCst) > 0, "without a hit the race says nothing");
}

fn on_a_core(shared: &Shared, work: impl AsyncFnOnce(Store)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = shared.attach();
        usable(&store).await;
        work(store).await;
    });
}

async fn write(store: &Store, origin: &Origin, writer: usize, writes: usize) {
    for turn in 0..writes {
        let key = (turn + writer) % KEYS.len();
        // Now and then a whole route.
        let tag = if turn % 7 == 0 { Tag::route("fruit") } else { Tag::key("fruit", KEYS[key]) };
        let version = origin.committed[key].fetch_add(1, Ordering::SeqCst) + 1;
        // Where the store cannot be reached the write is acknowledged all the same: its invalidation is pending.
        let _ = store.invalidate(Change::of(&[tag])).await;
        origin.acknowledged[key].fetch_max(version, Ordering::SeqCst);
        pause(turn + writer).await;
    }
}

async fn read(store: &Store, origin: &Origin, reader: usize, reads: usize) {
    for turn in 0..reads {
        let key = (turn * 5 + reader) % KEYS.len();
        let place = place(KEYS[key]);
        let acknowledged = origin.acknowledged[key].load(Ordering::SeqCst);
        let Ok(found) = store.lookup(&place).await else {
            pause(0).await;
            continue;
        };
        if let Some(hit) = found.entry {
            let version: u64 = std::str::from_utf8(&hit.body).unwrap().parse().unwrap();
            assert!(version >= acknowledged, "{} is version {version} after {acknowledged}", KEYS[key]);
            origin.hits.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        let version = origin.committed[key].load(Ordering::SeqCst);
        pause(turn + reader).await;
        let _ = store.put(&place, Arc::new(entry(&place, &version.to_string(), found.token)), Expect::Any).await;
    }
}

/// Lets the others run, for no time or for a little.
async fn pause(turn: usize) {
    match turn % 4 {
        0 => tokio::time::sleep(Duration::from_millis(1)).await,
        1 => std::thread::yield_now(),
        _ => {}
    }
}

#[test]
fn memory_is_never_older_than_an_acknowledged_write() {
    race(&Shared::new(&settings(StoreUrl::Memory)), Load { writes: 2_000, reads: 20_000 });
}

#[test]
fn redis_is_never_older_than_an_acknowledged_write() {
    let server = RedisServer::start();
    race(&Shared::new(&redis_settings(&server)), Load { writes: 300, reads: 1_500 });
}

/// Each key has one writer, who writes past the origin; readers fill from an origin that knows nothing of it.
fn race_of_the_only_copy(shared: &Shared, load: Load) {
    let (acknowledged, hits): ([AtomicU64; KEYS.len()], _) = Default::default();
    let (acknowledged, hits): (&[AtomicU64; KEYS.len()], &AtomicU64) = (&acknowledged, &hits);
    scope(|scope| {
        for (key, acknowledged) in acknowledged.iter().enumerate() {
            scope.spawn(move || {
                on_a_core(shared, async |store| write_the_only_copy(&store, acknowledged, key, load.writes).await);
            });
        }
        for reader in 0..READERS {
            scope.spawn(move || {
                on_a_core(shared, async |store| {
                    read_the_only_copy(&store, acknowledged, hits, reader, load.reads).await;
                });
            });
        }
    });
    assert!(hits.load(Ordering::SeqCst) > 0, "without a hit the race says nothing");
}

async fn write_the_only_copy(store: &Store, acknowledged: &AtomicU64, key: usize, writes: usize) {
    let place = place(KEYS[key]);
    for version in 1..=writes as u64 {
        let mut begun = store.lookup(&place).await.unwrap().token;
        loop {
            let entry = written(&place, &version.to_string(), Kind::CacheOnly);
            // It drops more than its own entry, so that the keys' writers race each other.
            let tags = [Tag::key("fruit", KEYS[key]), Tag::named("season")];
            let watching = Since { token: begun, watched: vec![Tag::named("season")] };
            let done = store
                .invalidate_and_put(Change::of(&tags), &watching, &place, entry, Otherwise::Nothing)
                .await
                .unwrap();
            match done {
                (now, Ok(PutOutcome::RacedWrite)) => begun = now.token,
                (_, kept) => break assert_eq!(kept, Ok(PutOutcome::Stored)),
            }
        }
        acknowledged.store(version, Ordering::SeqCst);
        pause(key + usize::try_from(version).unwrap()).await;
    }
}

async fn read_the_only_copy(
    store: &Store,
    acknowledged: &[AtomicU64; KEYS.len()],
    hits: &AtomicU64,
    reader: usize,
    reads: usize,
) {
    for turn in 0..reads {
        let key = (turn * 5 + reader) % KEYS.len();
        let place = place(KEYS[key]);
        let least = acknowledged[key].load(Ordering::SeqCst);
        let found = store.lookup(&place).await.unwrap();
        // Every other reader goes to the origin whatever it found.
        if let Some(hit) = &found.entry {
            let version: u64 = std::str::from_utf8(&hit.body).unwrap().parse().unwrap();
            assert!(version >= least, "{} is version {version} after {least}", KEYS[key]);
            hits.fetch_add(1, Ordering::SeqCst);
        } else {
            assert_eq!(least, 0, "{} is lost", KEYS[key]);
        }
        if found.entry.is_none() || reader.is_multiple_of(2) {
            pause(turn + reader).await;
            let _ = store.put(&place, Arc::new(entry(&place, "0", found.token)), Expect::Any).await;
        }
    }
}

#[test]
fn in_memory_the_only_copy_of_a_write_is_never_lost() {
    race_of_the_only_copy(&Shared::new(&settings(StoreUrl::Memory)), Load { writes: 2_000, reads: 3_000 });
}

#[test]
fn in_redis_the_only_copy_of_a_write_is_never_lost() {
    let server = RedisServer::start();
    race_of_the_only_copy(&Shared::new(&redis_settings(&server)), Load { writes: 300, reads: 1_500 });
}

/// The keys vanish, the scripts vanish and the connections break all the time.
#[test]
fn redis_under_attack_is_never_older_than_an_acknowledged_write() {
    let server = RedisServer::start();
    let done = AtomicBool::new(false);
    scope(|scope| {
        scope.spawn(|| {
            let attacks: [&[&str]; 3] = [&["FLUSHALL"], &["SCRIPT", "FLUSH"], &["CLIENT", "KILL", "TYPE", "normal"]];
            for attack in attacks.iter().cycle().take_while(|_| !done.load(Ordering::SeqCst)) {
                server.command(attack);
                sleep(Duration::from_millis(70));
            }
        });
        scope.spawn(|| {
            // Also when the race panics: the attacker would never end.
            let finished = std::panic::catch_unwind(|| {
                race(&Shared::new(&redis_settings(&server)), Load { writes: 300, reads: 1_500 });
            });
            done.store(true, Ordering::SeqCst);
            finished.unwrap();
        });
    });
}
