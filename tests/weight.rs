//! What an entry is said to weigh is compared with what is allocated for it: never less, and not much more.
//!
//! One test, so that nothing else allocates beside it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::alloc::System;
use std::sync::Arc;
use std::time::Duration;

use aside::clock::Clock;
use aside::policy::{Lifetime, LifetimeSource, StoredFlags};
use aside::rules::{CacheKey, EntryRef, Tag};
use aside::store::{Expect, Kind, Memory, PutOutcome, StoredResponse, Token};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How large a store is filled.
const BOUND: u64 = 2 << 20;
/// How many entries are weighed together.
const COUNT: u64 = 100;

/// A kind of entry.
#[derive(Clone, Copy, Debug, Default)]
struct Shape {
    body: usize,
    /// Fields besides those that every answer has, each with a name of its own.
    fields: usize,
    /// Further values of one field.
    repeated: usize,
    /// Names in its Vary, all of which its route keeps from the origin.
    varied: usize,
    tags: usize,
    /// How much longer the key is.
    key: usize,
    annotated: bool,
}

const SHAPES: [(&str, Shape); 8] = {
    let small = Shape { body: 50, fields: 0, repeated: 0, varied: 0, tags: 0, key: 0, annotated: false };
    [
        ("small", small),
        ("of the usual kind", Shape { body: 1500, fields: 4, ..small }),
        ("with many fields", Shape { fields: 90, ..small }),
        ("with a field of many values", Shape { repeated: 200, ..small }),
        ("with a long Vary", Shape { varied: 60, ..small }),
        ("with many tags", Shape { tags: 100, ..small }),
        ("with a long key", Shape { key: 7000, ..small }),
        ("annotated", Shape { body: 60_000, annotated: true, ..small }),
    ]
};

fn fields(shape: Shape) -> HeaderMap {
    // As they come: slices of one buffer, in a map that has grown.
    let head = Bytes::from(vec![b'v'; 8192]);
    let value = |length: usize| HeaderValue::from_maybe_shared(head.slice(..length)).unwrap();
    let mut fields = HeaderMap::new();
    for name in ["content-type", "cache-control", "date", "server"] {
        fields.insert(name, value(24));
    }
    for n in 0..shape.fields {
        fields.insert(HeaderName::try_from(format!("x-name-of-it-{n}")).unwrap(), value(20));
    }
    for _ in 0..shape.repeated {
        fields.append("link", value(40));
    }
    let varied: Vec<String> = (0..shape.varied).map(|n| format!("x-varied-{n}")).collect();
    if !varied.is_empty() {
        fields.insert("vary", HeaderValue::try_from(varied.join(",")).unwrap());
    }
    fields
}

fn place(n: u64, shape: Shape) -> EntryRef {
    let name = format!("/things/{n}?{}", "q".repeat(shape.key));
    let tags = vec![Tag::route("/things/{id}"), Tag::key("/things/{id}", &name), Tag::path("/things/{id}", &name)];
    EntryRef { key: CacheKey::new("/things/{id}", 0, name), tags: tags.into() }
}

fn entry(place: &EntryRef, shape: Shape, n: u64, token: Token) -> StoredResponse {
    let lifetime = Lifetime {
        fresh_for: Duration::from_secs(600),
        source: LifetimeSource::MaxAge,
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
    };
    let flags = StoredFlags { public_enough: false, must_revalidate: false, private: false };
    let own = (0..shape.tags).map(|tag| Tag::named(&format!("thing number {n} and {tag}")));
    let tags = place.tags.iter().cloned().chain(own).collect();
    // A small body is a slice of a large buffer, too.
    let body = Bytes::from(vec![b'x'; shape.body.max(8192)]).slice(..shape.body);
    let entry = StoredResponse::new(
        Kind::Response,
        StatusCode::OK,
        fields(shape),
        body,
        0,
        Duration::ZERO,
        lifetime,
        flags,
        tags,
        token,
    );
    let entry = entry.compact();
    if shape.annotated { entry.annotated_in(shape.body + 20) } else { entry }
}

/// All that a hit makes of an entry and leaves there.
fn hit(entry: &StoredResponse, shape: Shape) {
    let derived = entry.derived(1);
    let head = derived.head(|| {
        let mut head = entry.fields_with_length();
        head.insert("etag", HeaderValue::try_from(format!("\"{:032x}\"", 7)).unwrap());
        head.append("vary", HeaderValue::from_static("accept-encoding"));
        head.append("via", HeaderValue::from_static("1.1 aside"));
        head
    });
    drop((head.clone(), entry.body.clone()));
    if shape.annotated {
        let annotated = entry.annotated(&derived, |body| [body, &b"12345678901234567890"[..]].concat().into());
        drop(annotated.clone());
    }
    let withheld = derived.withheld(|| {
        let text = entry.fields.get("vary").and_then(|value| value.to_str().ok()).unwrap_or_default();
        text.split(',').filter_map(|name| HeaderName::try_from(name).ok()).collect()
    });
    drop(withheld.to_vec());
}

fn fill(memory: &Memory, shape: Shape, count: u64) {
    for n in 0..count {
        let place = place(n, shape);
        let entry = Arc::new(entry(&place, shape, n, memory.lookup(&place).token));
        hit(&entry, shape);
        assert_eq!(memory.put(&place, entry, &Expect::Any), PutOutcome::Stored);
    }
}

#[test]
fn nothing_takes_more_than_it_weighs() {
    // What is made once.
    fill(&Memory::new(1 << 20, Duration::from_secs(60), Clock::System), Shape::default(), 1);
    for (name, shape) in SHAPES {
        let memory = Memory::new(64 << 20, Duration::from_secs(60), Clock::System);
        let allocated = Region::new(ALLOCATOR);
        fill(&memory, shape, COUNT);
        let (taken, weight) = (taken(&allocated.change()), memory.weight_held());
        println!("{name}: {taken} bytes allocated for {COUNT}, weight {weight}");
        assert!(taken <= weight, "{COUNT} entries {name} take {taken} bytes, and weigh {weight}");
        assert!(weight <= taken * 4 / 3, "{COUNT} entries {name} take {taken} bytes, and weigh {weight}");
    }
    for (name, shape) in SHAPES {
        let of_one = weight_of_one(shape);
        let allocated = Region::new(ALLOCATOR);
        let memory = Memory::new(BOUND, Duration::from_secs(60), Clock::System);
        fill(&memory, shape, 3 * BOUND / of_one / 2);
        let taken = taken(&allocated.change());
        println!("{name}: {taken} bytes allocated in a store of {BOUND}");
        assert!(taken <= BOUND, "entries {name}: {taken} bytes in a store of {BOUND}");
        assert!(taken >= BOUND / 2, "entries {name}: a store of {BOUND} holds no more than {taken} bytes");
    }
}

fn weight_of_one(shape: Shape) -> u64 {
    let memory = Memory::new(BOUND, Duration::from_secs(60), Clock::System);
    fill(&memory, shape, 1);
    memory.weight_held()
}

fn taken(stats: &Stats) -> u64 {
    (stats.bytes_allocated - stats.bytes_deallocated) as u64
}
