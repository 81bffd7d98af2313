//! What came of a request, or of a fetch in the background: one value at its end, from which the log line is made and
//! whatever else counts requests.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use http::{Method, StatusCode};
use serde::Serialize;

use super::ids::Ids;
use crate::fields::{CacheStatus, Detail, Forward};

/// How paths are called of which no route speaks, wherever a route's name would stand.
pub const UNROUTED: &str = "-";
pub(super) static UNROUTED_LABEL: LazyLock<Arc<str>> = LazyLock::new(|| UNROUTED.into());

/// What has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A client's request.
    Request,
    /// A fetch that renews what its client was given already.
    Refresh,
    /// A fetch that went on without its client.
    Fill,
    /// A write that went on without its client.
    Write,
    /// A fetch that what is stored is compared with: nobody is given its answer, and nothing is stored of it.
    Compare,
}

/// What the cache did with a request, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheResult {
    /// The answer is a stored one, and fresh.
    Hit,
    /// The answer is a stored one, and stale.
    Stale,
    /// The store had no answer that could be used as it was.
    Miss,
    /// The request went past the store.
    Pass,
    /// It may have changed something.
    Write,
    /// The proxy answered by itself: most of the time with an error.
    Own,
    /// The client left, or the server stopped, before there was an answer.
    Gone,
}

/// Where the bytes of an answer's body came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// From what is stored, or what another request fetched.
    Cache,
    /// From the origin, for this request.
    Origin,
}

/// What came of one request or one fetch in the background.
#[derive(Debug)]
pub struct Outcome {
    /// What has come to its end.
    pub work: Work,
    /// The request's method.
    pub method: Method,
    /// The request's path, cut off where it is very long; empty where nothing reads it.
    pub path: Box<str>,
    /// The ids that the request carries, where it has some and something reads them.
    pub ids: Option<Box<Ids>>,
    /// Where the client's connection comes from.
    pub client: Option<IpAddr>,
    /// The answer's status; `None` where the client left, or the server stopped, before there was an answer.
    pub status: Option<StatusCode>,
    /// What the cache did.
    pub cache: CacheStatus,
    /// How long the answer's body is, where that is known beforehand.
    pub bytes: Option<u64>,
    /// From the request to the answer's head.
    pub micros: u64,
    /// When that was, by the steady clock.
    pub ended: Instant,
    /// What the steps of its way have to say besides.
    pub notes: Notes,
}

/// What the steps of a request's way have to say of it besides the answer itself.
#[derive(Debug, Default)]
pub struct Notes {
    /// The name of the route that spoke of it; `None` where none did.
    pub route: Option<Arc<str>>,
    /// What of the query may be shown to people: the parameters that the route lists. `None` where nothing reads it.
    pub query: Option<Box<str>>,
    /// Why the answer is not the origin's, where it is neither that nor a stored one.
    pub why: Option<Box<str>>,
    /// Whether that is the client's doing, whatever the status is.
    pub is_of_client: bool,
    /// Whether it may have changed something.
    pub is_write: bool,
    /// What the write made old.
    pub dropped: Option<Box<Dropped>>,
    /// From sending the request to the origin to the head of its answer.
    pub origin_micros: Option<u64>,
    /// Why an answer that was fetched to be stored is not.
    pub refused: Option<Detail>,
}

/// What a write made old.
#[derive(Debug, Default)]
pub struct Dropped {
    /// In few words, for people; `None` where nothing was on any route.
    pub summary: Option<String>,
    /// The rule of the configuration that said so, where it was one and no other.
    pub rule: Option<String>,
    /// By what, on which routes: each pair once.
    pub by: Vec<DroppedBy>,
    /// What became of it.
    pub done: Done,
    /// How long it took until the store had confirmed it, or that was given up.
    pub ack_micros: Option<u64>,
}

/// Entries of a route that were dropped, and what said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedBy {
    /// The configured name; [`UNROUTED`] for paths without a route, `*` for several routes at once.
    pub route: Arc<str>,
    /// A request of the configuration as it is written there, or one word.
    pub rule: Arc<str>,
}

/// What became of an invalidation before its write was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Done {
    /// The store has confirmed it.
    #[default]
    Confirmed,
    /// The store has yet to confirm it.
    Pending,
    /// Nobody knows whether the write took place: what it may have changed is held.
    Held,
}

impl CacheResult {
    /// Every one, in the order of their declaration.
    pub const ALL: [Self; 7] = [Self::Hit, Self::Stale, Self::Miss, Self::Pass, Self::Write, Self::Own, Self::Gone];

    /// The word, as labels and JSON have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Miss => "miss",
            Self::Pass => "pass",
            Self::Write => "write",
            Self::Own => "own",
            Self::Gone => "gone",
        }
    }

    /// Whether the answer was a stored one.
    pub const fn is_hit(self) -> bool {
        matches!(self, Self::Hit | Self::Stale)
    }
}

impl Done {
    /// The word, as labels and JSON have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Pending => "pending",
            Self::Held => "held",
        }
    }
}

impl Source {
    /// The word, as labels and JSON have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Origin => "origin",
        }
    }
}

impl Outcome {
    /// Whether there was no answer but an error of the proxy's own that is not the client's doing: what is wrong with a
    /// request is its client's affair, and clients can be wrong as often as they like.
    pub fn is_trouble(&self) -> bool {
        self.notes.why.is_some()
            && !self.notes.is_of_client
            && self.status.is_some_and(|status| status.is_server_error())
    }

    /// The level that its line in the log has.
    pub(super) fn level(&self) -> &'static str {
        match self.work {
            _ if self.is_trouble() => "WARN",
            // What a write drops people look for, whether or not its client has stayed.
            Work::Request | Work::Write => "INFO",
            Work::Refresh | Work::Fill | Work::Compare => "DEBUG",
        }
    }

    /// What is to be said of what is no request with an answer.
    pub(super) fn message(&self) -> Option<&'static str> {
        Some(match (self.work, self.status) {
            (Work::Request, Some(_)) => return None,
            (Work::Request, None) => "the request ended before its answer: the client left, or the server stopped",
            (Work::Refresh | Work::Fill | Work::Write, None) => "a fetch was given up: nobody waited for it any more",
            (Work::Compare, None) => "a stored answer could not be compared with what the API says now",
            (Work::Compare, _) => "what the API says now was fetched, to compare a stored answer with it",
            (Work::Refresh, _) => "a stored answer was renewed in the background",
            (Work::Fill, _) => "an answer was fetched that no client waited for",
            (Work::Write, _) => "a write went on although its client had left",
        })
    }

    /// What the cache did, in one word.
    pub fn result(&self) -> CacheResult {
        let cache = &self.cache;
        if cache.hit {
            let stale = cache.ttl.is_some_and(|ttl| ttl < 0);
            return if stale { CacheResult::Stale } else { CacheResult::Hit };
        }
        if self.status.is_none() {
            return CacheResult::Gone;
        }
        if cache.detail == Some(Detail::StaleIfError) {
            return CacheResult::Stale;
        }
        match cache.forward {
            None if self.notes.why.is_some() && self.notes.dropped.is_none() => CacheResult::Own,
            _ if self.notes.is_write => CacheResult::Write,
            Some(Forward::UriMiss | Forward::VaryMiss | Forward::Miss | Forward::Stale | Forward::Partial) => {
                CacheResult::Miss
            }
            Some(Forward::Bypass | Forward::Method | Forward::Request) => CacheResult::Pass,
            None => CacheResult::Own,
        }
    }

    /// Why the origin was asked, or why the answer is as it is: a reason's token, or why it was forwarded (RFC 9211). `None`
    /// for what needs none.
    pub fn reason(&self) -> Option<&'static str> {
        let detail = self.cache.detail.map(Detail::as_str);
        detail.or_else(|| self.cache.forward.map(Forward::as_str))
    }

    /// Where the bytes of the answer's body came from; `None` where they are the proxy's own.
    pub fn source(&self) -> Option<Source> {
        let cache = &self.cache;
        if self.notes.why.is_some() {
            return None;
        }
        let stored = cache.hit || cache.collapsed || cache.detail == Some(Detail::StaleIfError);
        if stored || (cache.forward_status == Some(304) && self.status != Some(StatusCode::NOT_MODIFIED)) {
            return Some(Source::Cache);
        }
        cache.forward_status.map(|_| Source::Origin)
    }
}
