//! A blogging API of the usual shape (articles, comments, favourites, follows, profiles, tags, feeds), which nobody has
//! described to the proxy beyond `path` and `ttl`: after every kind of write each page is the blog's own, and until the
//! next one pages are hits.

#![allow(unreachable_pub, reason = "nobody uses a test crate, and its parts use each other")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

#[path = "../support/chance.rs"]
mod chance;
#[path = "../support/mod.rs"]
mod support;

mod articles;
mod blog;
mod call;
mod comments;
mod day;
mod people;
mod reads;
mod routes;
mod story;
mod verified;
mod writes;

use blog::Blog;
use reads::Readers;
use routes::{NARROWED, Slash};
use story::{Narrowing, tell};
use support::connected;
use support::node::Node;
use support::redis::RedisServer;

const MEMORY: &str = "memory://";

/// A blog, a node in front of it, and those who read.
struct Stand {
    readers: Readers,
    node: Node,
}

impl Stand {
    async fn new(slash: Slash, store: &str, config: &str) -> Self {
        let (blog, origin) = Blog::founded().serve().await;
        let node = Node::on(origin.address, store, config);
        if store != MEMORY {
            connected(&node.client()).await;
        }
        Self { readers: Readers::new(node.client(), blog, slash), node }
    }
}

/// Tells the story and says what was stale, and how many repeats between two writes were hits.
async fn nothing_is_stale(slash: Slash, store: &str, narrowing: Narrowing) {
    let mut config = slash.routes("");
    if narrowing == Narrowing::SomeWrites {
        config.push_str(NARROWED);
    }
    let stand = Stand::new(slash, store, &config).await;
    let told = tell(&stand.readers, narrowing).await;
    println!("{slash:?}, {store}, {narrowing:?}: {}", told.summary());
    assert!(told.reads.stale.is_empty(), "{}:\n{}", told.summary(), told.reads.stale.join("\n"));
    assert!(told.repeats.stale.is_empty(), "{}", told.repeats.stale.join("\n"));
    assert!(told.surprises.is_empty(), "{}", told.surprises.join("\n"));
    assert!(told.repeats.hits_percent() >= 95.0, "{}", told.summary());
}

#[tokio::test]
async fn after_each_write_every_page_is_the_blogs_own() {
    nothing_is_stale(Slash::Without, MEMORY, Narrowing::Nothing).await;
}

#[tokio::test]
async fn after_each_write_every_page_is_the_blogs_own_with_trailing_slashes() {
    nothing_is_stale(Slash::Trailing, MEMORY, Narrowing::Nothing).await;
}

#[tokio::test]
async fn after_each_write_every_page_is_the_blogs_own_on_redis() {
    nothing_is_stale(Slash::Without, &RedisServer::start().url(), Narrowing::Nothing).await;
}

#[tokio::test]
async fn after_each_write_every_page_is_the_blogs_own_with_trailing_slashes_on_redis() {
    nothing_is_stale(Slash::Trailing, &RedisServer::start().url(), Narrowing::Nothing).await;
}

#[tokio::test]
async fn writes_that_are_told_drop_less_and_never_too_little() {
    nothing_is_stale(Slash::Without, MEMORY, Narrowing::SomeWrites).await;
    nothing_is_stale(Slash::Trailing, MEMORY, Narrowing::SomeWrites).await;
}

#[tokio::test]
async fn writes_that_are_told_drop_less_and_never_too_little_on_redis() {
    nothing_is_stale(Slash::Without, &RedisServer::start().url(), Narrowing::SomeWrites).await;
}

/// A narrower rule, once the only one, is wrong for such an app; this test also shows that the comparison sees it.
#[tokio::test]
async fn a_rule_of_paths_alone_leaves_pages_stale() {
    for slash in [Slash::Without, Slash::Trailing] {
        let stand = Stand::new(slash, MEMORY, &slash.routes("invalidated_by = \"path\"\n")).await;
        let told = tell(&stand.readers, Narrowing::Paths).await;
        println!("{slash:?}, invalidated_by = \"path\": {}", told.summary());
        assert!(told.reads.stale.len() > 100, "{}", told.summary());
    }
}

async fn a_day_on(store: &str, other: &str) {
    let mut hits = Vec::new();
    for (store, narrowed) in [(store, ""), (other, NARROWED)] {
        let stand = Stand::new(Slash::Without, store, &(Slash::Without.routes("") + narrowed)).await;
        let day = stand.readers.spend_a_day(4000, 8).await;
        let (percent, pages, writes) = (day.reads.hits_percent(), day.reads.pages, day.writes);
        let routes = if narrowed.is_empty() { "path and ttl" } else { "narrowed" };
        let stale = day.reads.stale.len();
        println!(
            "a day on {store}, {routes}: of {pages} pages {percent:.1} % were hits, {stale} stale; {writes} writes"
        );
        assert!(day.reads.stale.is_empty(), "{routes}:\n{}", day.reads.stale.join("\n"));
        hits.push(percent);
    }
    assert!(hits[1] > hits[0], "{hits:?}");
}

#[tokio::test]
async fn a_day_of_mixed_traffic_has_more_hits_once_writes_are_told() {
    a_day_on(MEMORY, MEMORY).await;
}

#[tokio::test]
async fn a_day_of_mixed_traffic_has_more_hits_once_writes_are_told_on_redis() {
    a_day_on(&RedisServer::start().url(), &RedisServer::start().url()).await;
}
