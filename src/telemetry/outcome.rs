//! What came of a request, or of a fetch in the background: one value at its end, from which the log line is made and
//! whatever else counts requests.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::{Method, StatusCode};

use super::ids::Ids;
use crate::fields::CacheStatus;

/// What has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A client's request.
    Request,
    /// A fetch that renews what its client was given already.
    Refresh,
    /// A fetch that went on without its client.
    Fill,
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
    /// What of the query may be shown to people, where anybody has looked.
    pub query: Option<Box<str>>,
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
    /// The name of the route that spoke of it.
    pub route: Option<Arc<str>>,
    /// Why the answer is not the origin's, where it is neither that nor a stored one.
    pub why: Option<Box<str>>,
    /// What the write made old on routes.
    pub dropped: Option<Box<Dropped>>,
    /// From sending the request to the origin to the head of its answer.
    pub origin_micros: Option<u64>,
}

/// What a write made old.
#[derive(Debug, Default)]
pub struct Dropped {
    /// In few words, for people.
    pub summary: String,
    /// The rule of the configuration that said so, where it was one and no other.
    pub rule: Option<String>,
}

impl Outcome {
    /// Whether there was no answer but an error of the proxy's own that is not the client's doing: what is wrong with a
    /// request is its client's affair, and clients can be wrong as often as they like.
    pub fn is_trouble(&self) -> bool {
        self.notes.why.is_some() && self.status.is_some_and(|status| status.is_server_error())
    }
}
