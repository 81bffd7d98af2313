//! The pages that are looked at again and again, through the proxy and at the blog itself.

use std::sync::{Arc, Mutex};

use super::blog::Blog;
use super::call::Reply;
use super::routes::Slash;
use super::support::client::Client;
use super::verified::Verified;

/// What is read, spelt without trailing slashes; some of it is there only after a write.
pub const TARGETS: [&str; 31] = [
    "/articles",
    "/articles/tea-and-rust",
    "/articles/feed",
    "/tags",
    "/articles/slow-bread",
    "/articles/slow-bread/comments",
    "/articles?tag=tea",
    "/user",
    "/articles?limit=2&offset=0",
    "/profiles/ann",
    "/articles/night-trains",
    "/articles?author=ann",
    "/articles?favorited=ann",
    "/articles/tea-and-rust/comments",
    "/profiles/ben",
    "/articles/old-maps",
    "/articles?limit=2&offset=2",
    "/articles?favorited=ben",
    "/articles/feed?limit=1",
    "/articles/night-trains/comments",
    "/profiles/cleo",
    "/articles/rain",
    "/articles?tag=travel",
    "/articles/unfinished",
    "/articles?author=clio",
    "/articles/heavy-rain",
    "/articles/heavy-rain/comments",
    "/articles/older-maps",
    "/articles/spring-soup",
    "/profiles/clio",
    "/profiles/dora",
];

/// Those who look: nobody, and two who are logged in.
pub const VIEWERS: [&str; 3] = ["", "ann", "ben"];

/// What came of one read.
#[derive(Debug)]
pub struct Look {
    /// Whether the blog answers with 200: a route stores nothing else by itself.
    pub is_page: bool,
    pub is_hit: bool,
    /// What came instead of what the blog itself says.
    pub stale: Option<String>,
}

/// What came of many.
#[derive(Debug, Default)]
pub struct Tally {
    pub reads: usize,
    /// Those that the blog answers with 200.
    pub pages: usize,
    /// Of those, how many came from the cache.
    pub hits: usize,
    /// Those that were not what the blog itself says.
    pub stale: Vec<String>,
}

impl Tally {
    pub fn add(&mut self, look: Look) {
        self.reads += 1;
        self.pages += usize::from(look.is_page);
        self.hits += usize::from(look.is_page && look.is_hit);
        self.stale.extend(look.stale);
    }

    pub fn append(&mut self, other: Self) {
        self.reads += other.reads;
        self.pages += other.pages;
        self.hits += other.hits;
        self.stale.extend(other.stale);
    }

    /// Hits of a hundred pages.
    pub fn hits_percent(&self) -> f64 {
        let float = |count| f64::from(u32::try_from(count).unwrap());
        100.0 * float(self.hits) / float(self.pages)
    }
}

/// The two ways to look.
pub struct Readers {
    pub client: Client,
    pub blog: Arc<Mutex<Blog>>,
    pub slash: Slash,
    /// Where each hit is compared: then the next request waits for that.
    pub verified: Option<Verified>,
    tokens: Vec<Option<String>>,
}

impl Readers {
    pub fn new(client: Client, blog: Arc<Mutex<Blog>>, slash: Slash) -> Self {
        let tokens = VIEWERS.map(|name| blog.lock().unwrap().token(name)).to_vec();
        Self { client, blog, slash, verified: None, tokens }
    }

    /// Reads everything as everybody through the proxy.
    pub async fn sweep(&self) -> Vec<Look> {
        let mut looks = Vec::new();
        for viewer in 0..VIEWERS.len() {
            for target in TARGETS {
                looks.push(self.read(viewer, target).await);
            }
        }
        looks
    }

    /// Reads one target as one viewer through the proxy, and beside it.
    pub async fn read(&self, viewer: usize, target: &str) -> Look {
        let token = self.tokens[viewer].as_deref();
        let field = token.map(|token| format!("Token {token}"));
        let fields: Vec<_> = field.iter().map(|token| ("authorization", token.as_str())).collect();
        let target = self.slash.spell(target);
        let answer = self.client.get_with(&target, &fields).await;
        let truth = self.blog.lock().unwrap().truth(&target, token);
        if let Some(verified) = &self.verified {
            verified.follow(&answer).await;
        }
        let is_own = (answer.status, answer.text()) == (truth.status, truth.bytes().as_str());
        let told = || format!("{target} as {:?}: {} {}", VIEWERS[viewer], answer.status, answer.text());
        Look { is_page: truth.status == 200, is_hit: answer.cache() == "HIT", stale: (!is_own).then(told) }
    }

    /// What the blog itself says to all of it.
    pub fn truths(&self) -> Vec<Reply> {
        let mut blog = self.blog.lock().unwrap();
        let mut all = Vec::new();
        for token in &self.tokens {
            all.extend(TARGETS.iter().map(|target| blog.truth(target, token.as_deref())));
        }
        all
    }
}
