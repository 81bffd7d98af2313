//! Stores, places and entries for the tests.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aside::clock::Clock;
use aside::policy::{Lifetime, LifetimeSource, StoredFlags};
use aside::rules::{CacheKey, EntryRef, Tag};
use aside::store::{
    Expect, Fault, Kind, Lookup, Memory, PutOutcome, RedisUrl, Shared, Store, StoreSettings, StoreUrl, StoredResponse,
    Token, WhenDown,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::redis::{RedisServer, Reply};

/// So long a test waits for what has to happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough for a Redis on a busy machine.
pub const AMPLE: Duration = Duration::from_secs(2);

/// How long the origin may take to commit a write whose outcome is unknown.
pub const COMMIT_WITHIN: Duration = Duration::from_secs(60);

pub fn settings(url: StoreUrl) -> StoreSettings {
    StoreSettings {
        url,
        memory: 64 << 20,
        prefix: String::new(),
        timeout: AMPLE,
        when_down: WhenDown::Forward,
        lease: Duration::from_secs(1),
        absence: Duration::from_secs(10),
        replicas: None,
        commit_within: COMMIT_WITHIN,
        rules: 0,
        lock: None,
    }
}

pub fn redis_settings(server: &RedisServer) -> StoreSettings {
    settings(StoreUrl::Redis(RedisUrl::parse(&server.url()).unwrap()))
}

/// A store with whatever it needs to live.
pub trait Harness {
    async fn start() -> Self;
    fn store(&self) -> &Store;
    /// A second one of the same entries: of another core, or of another node.
    async fn second(&self) -> Store;
    /// Lets time pass, for what is held.
    fn pass(&self, time: Duration);
}

pub struct InMemory(Store, Clock);

impl Harness for InMemory {
    async fn start() -> Self {
        let clock = Clock::at(1_000_000);
        Self(Store::Memory(Arc::new(Memory::new(64 << 20, COMMIT_WITHIN, clock.clone()))), clock)
    }

    fn store(&self) -> &Store {
        &self.0
    }

    async fn second(&self) -> Store {
        self.0.clone()
    }

    fn pass(&self, time: Duration) {
        self.1.advance(time);
    }
}

pub struct InRedis {
    pub server: RedisServer,
    pub shared: Shared,
    pub store: Store,
}

impl InRedis {
    pub async fn start_with(server: RedisServer, settings: StoreSettings) -> Self {
        let shared = Shared::new(&settings);
        let store = shared.attach();
        usable(&store).await;
        // A new registry has everything invalidated once more when no write from before can be committed any more.
        server.command(&["HDEL", "aside:{aside}:held", "*"]);
        server.command(&["HDEL", "aside:{aside}:gen", "due"]);
        Self { server, shared, store }
    }

    /// A store that keeps no copies in memory, so that each lookup reads all that Redis has.
    pub async fn without_copies() -> Self {
        let server = RedisServer::start();
        let settings = StoreSettings { memory: 0, ..redis_settings(&server) };
        Self::start_with(server, settings).await
    }

    /// Another process's store on the same Redis.
    pub async fn node(&self) -> (Shared, Store) {
        let shared = Shared::new(&redis_settings(&self.server));
        let store = shared.attach();
        usable(&store).await;
        (shared, store)
    }
}

impl InRedis {
    /// Empties the server, and comes back when the store is in the new registry.
    pub async fn flush(&self) {
        self.server.command(&["FLUSHALL"]);
        eventually("the new registry is there", async || {
            self.server.command(&["HEXISTS", "aside:{aside}:held", "*"]) == Reply::Number(1)
        })
        .await;
        self.server.command(&["HDEL", "aside:{aside}:held", "*"]);
        self.server.command(&["HDEL", "aside:{aside}:gen", "due"]);
    }
}

impl Harness for InRedis {
    async fn start() -> Self {
        let server = RedisServer::start();
        let settings = redis_settings(&server);
        Self::start_with(server, settings).await
    }

    fn store(&self) -> &Store {
        &self.store
    }

    async fn second(&self) -> Store {
        self.node().await.1
    }

    fn pass(&self, time: Duration) {
        // The server's clock goes on; what it is compared with goes back.
        let script = r"
            local function earlier(text) return string.format('%.0f', tonumber(text) - ARGV[1]) end
            local function shift(key, pattern)
                local all = redis.call('HGETALL', key)
                for i = 1, #all, 2 do
                    if string.match(all[i + 1], pattern) or all[i] == 'due' then
                        redis.call('HSET', key, all[i], (string.gsub(all[i + 1], '%f[%w]([qa]?)(%d+)%f[ %z]',
                            function(kind, digits) return kind .. earlier(digits) end)))
                    end
                end
            end
            shift(KEYS[1], '^q%d+ ')
            shift(KEYS[2], '^[qa]%d+ ')
            return 'OK'";
        let time = time.as_millis().to_string();
        let words = ["EVAL", script, "2", "aside:{aside}:gen", "aside:{aside}:held", &time];
        assert_eq!(self.server.command(&words), Reply::Text(b"OK".to_vec()));
    }
}

/// Waits until the store answers.
pub async fn usable(store: &Store) {
    eventually("the store answers", async || store.lookup(&probe()).await.is_ok()).await;
}

/// Waits until the store says at once that it cannot.
pub async fn down(store: &Store) {
    eventually("the store is down", async || matches!(store.lookup(&probe()).await, Err(Fault::Down))).await;
}

fn probe() -> EntryRef {
    place_in("probe", "probe")
}

/// Polls a condition until it holds; panics when it never does.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let polling = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, polling).await.is_ok(), "never came about: {what}");
}

/// The place of a key of the route `fruit`.
pub fn place(name: &str) -> EntryRef {
    place_in("fruit", name)
}

pub fn place_in(route: &str, name: &str) -> EntryRef {
    EntryRef { key: CacheKey::new(route, 0, name), tags: vec![Tag::route(route), Tag::key(route, name)].into() }
}

pub fn key_tag(name: &str) -> [Tag; 1] {
    [Tag::key("fruit", name)]
}

pub fn entry(place: &EntryRef, body: &str, token: Token) -> StoredResponse {
    tagged_entry(place, body, token, &[])
}

/// An entry with tags that only the response has named.
pub fn tagged_entry(place: &EntryRef, body: &str, token: Token, more: &[Tag]) -> StoredResponse {
    let mut fields = HeaderMap::new();
    fields.insert("content-type", HeaderValue::from_static("application/json"));
    let lifetime = Lifetime {
        fresh_for: Duration::from_secs(600),
        source: LifetimeSource::MaxAge,
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::from_secs(60),
    };
    let flags = StoredFlags { public_enough: false, must_revalidate: false, private: false };
    let tags = [&**place.tags, more].concat();
    let body = Bytes::copy_from_slice(body.as_bytes());
    StoredResponse::new(
        Kind::Response,
        StatusCode::OK,
        fields,
        body,
        1_700_000_000_000,
        Duration::ZERO,
        lifetime,
        flags,
        tags,
        token,
    )
}

/// A fill that nothing overtakes.
pub async fn fill(store: &Store, place: &EntryRef, body: &str) -> Token {
    let token = token(store, place).await;
    assert_eq!(put(store, place, entry(place, body, token)).await, PutOutcome::Stored);
    token
}

pub async fn put(store: &Store, place: &EntryRef, entry: StoredResponse) -> PutOutcome {
    store.put(place, Arc::new(entry), Expect::Any).await.unwrap()
}

pub async fn lookup(store: &Store, place: &EntryRef) -> Lookup {
    store.lookup(place).await.unwrap()
}

pub async fn token(store: &Store, place: &EntryRef) -> Token {
    lookup(store, place).await.token
}

/// The body of a hit.
pub async fn hit(store: &Store, place: &EntryRef) -> Option<String> {
    let entry = lookup(store, place).await.entry?;
    Some(String::from_utf8(entry.body.to_vec()).unwrap())
}
