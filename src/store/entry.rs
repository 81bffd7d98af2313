//! One stored response, with everything prepared that a hit needs, and what a lookup says of it.

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::core::Token;
use super::weight;
use crate::budget::{Budget, Loan};
use crate::clock::Millis;
use crate::policy::{Lifetime, StoredFlags, has_validator};
use crate::rules::Tag;

const A_MINUTE: Duration = Duration::from_secs(60);
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What an entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A response that may answer requests.
    Response,
    /// The key's responses vary by fields that only the response named: each is kept under a key of its own.
    VaryIndex,
    /// What a write policy wrote: it answers whatever fields are in the route's key, since none of them shaped it.
    Written,
    /// The same, of a write that the origin never saw: this is all there is of it, and no answer of the origin's takes its
    /// place unless it is built upon it.
    CacheOnly,
    /// A `write.around` marker: answers of this key are not to be stored.
    Around,
}

impl Kind {
    /// Whether a write policy wrote it.
    pub fn is_written(self) -> bool {
        matches!(self, Self::Written | Self::CacheOnly)
    }
}

/// A stored response (RFC 9111 section 3), or a marker in its place.
#[derive(Debug)]
pub struct StoredResponse {
    /// What the entry stands for.
    pub kind: Kind,
    /// The origin's status.
    pub status: StatusCode,
    /// The origin's fields without the hop-by-hop ones, in its order.
    pub fields: HeaderMap,
    /// The body, byte for byte as the origin sent it.
    pub body: Bytes,
    /// When the response was received.
    pub response_time: Millis,
    /// Its corrected initial age then (RFC 9111 section 4.2.3).
    pub initial_age: Duration,
    /// How long it is fresh, and how long useful after that.
    pub lifetime: Lifetime,
    /// What its Cache-Control means for reuse.
    pub flags: StoredFlags,
    /// What makes it old: the tags of its place, and those that only the response named.
    pub tags: Vec<Tag>,
    /// The point in the app's sequence that its fetch started from.
    pub token: Token,
    /// The latest point of the sequence at which the store that has it found it valid.
    valid_at: AtomicU64,
    /// The header block of a hit but for Age and Cache-Status.
    head: OnceLock<HeaderMap>,
    /// The body as a hit of an annotated route sends it.
    annotated: OnceLock<(Bytes, Option<Loan>)>,
    /// How many bytes that one takes.
    annotated_bytes: usize,
    /// That its bodies are the store's while it is there, and do not count among the answers under way.
    loan: Option<Loan>,
    /// What its Vary names and its route kept from the origin.
    withheld: OnceLock<Box<[HeaderName]>>,
}

impl StoredResponse {
    /// Puts an entry together.
    #[allow(clippy::too_many_arguments, reason = "one constructor for the one value that has all of them")]
    pub fn new(
        kind: Kind,
        status: StatusCode,
        fields: HeaderMap,
        body: Bytes,
        response_time: Millis,
        initial_age: Duration,
        lifetime: Lifetime,
        flags: StoredFlags,
        tags: Vec<Tag>,
        token: Token,
    ) -> Self {
        Self {
            kind,
            status,
            fields,
            body,
            response_time,
            initial_age,
            lifetime,
            flags,
            tags,
            token,
            valid_at: AtomicU64::new(0),
            head: OnceLock::new(),
            annotated: OnceLock::new(),
            loan: None,
            annotated_bytes: 0,
            withheld: OnceLock::new(),
        }
    }

    /// The same for a store in this process: what is under way of its bodies counts once it is gone from there.
    #[must_use]
    pub fn lent(self, budget: &Arc<Budget>) -> Self {
        let (body, loan) = budget.lend(self.body);
        Self { body, loan, ..self }
    }

    /// Whether answers share its bodies with the store.
    pub fn is_lent(&self) -> bool {
        self.loan.is_some()
    }

    /// The same for long keeping, with bytes of its own: what came over a connection is a slice of its read buffer, which
    /// an entry would keep whole.
    #[must_use]
    pub fn compact(self) -> Self {
        let (fields, body) = (in_one_piece(&self.fields), Bytes::copy_from_slice(&self.body));
        let tags = self.tags.as_slice().to_vec();
        Self { fields, body, tags, ..self }
    }

    /// The same for a route that annotates its hits: their body takes so many bytes more, for as long as it is stored.
    #[must_use]
    pub fn annotated_in(self, bytes: usize) -> Self {
        Self { annotated_bytes: bytes, ..self }
    }

    /// Whether the store that has it found it valid at this point of its sequence or at a later one.
    pub(super) fn was_valid_at(&self, seq: u64) -> bool {
        self.valid_at.load(Ordering::SeqCst) >= seq
    }

    /// Notes that no invalidation up to this point hit it.
    pub(super) fn found_valid_at(&self, seq: u64) {
        self.valid_at.fetch_max(seq, Ordering::SeqCst);
    }

    /// The header block of a hit, made by `prepare` the first time it is asked for.
    pub fn head(&self, prepare: impl FnOnce(&Self) -> HeaderMap) -> &HeaderMap {
        // A map that has grown has room for as much again, and its clone has none.
        self.head.get_or_init(|| prepare(self).clone())
    }

    /// The annotated body of a hit, made by `annotate` the first time it is asked for.
    pub fn annotated(&self, annotate: impl FnOnce(&Bytes) -> Bytes) -> &Bytes {
        let (bytes, _) = self.annotated.get_or_init(|| {
            let bytes = annotate(&self.body);
            match self.loan.as_ref().filter(|_| bytes.as_ptr() != self.body.as_ptr()) {
                Some(loan) => loan.beside(bytes),
                None => (bytes, None),
            }
        });
        bytes
    }

    /// The request fields that its Vary names and its route kept from the origin, found by `find` the first time they are
    /// asked for.
    pub fn withheld(&self, find: impl FnOnce(&HeaderMap) -> Vec<HeaderName>) -> &[HeaderName] {
        self.withheld.get_or_init(|| find(&self.fields).into())
    }

    /// The stored fields with Content-Length as the body really is.
    pub fn fields_with_length(&self) -> HeaderMap {
        let mut fields = self.fields.clone();
        fields.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        fields
    }

    /// Whether its body is the same as the other's, byte for byte.
    pub(super) fn has_body_of(&self, other: &Self) -> bool {
        let (own, others) = (&self.body, &other.body);
        (own.as_ptr() == others.as_ptr() && own.len() == others.len()) || own == others
    }

    /// How many bytes of memory it takes at the most, where it is [compact](Self::compact): with what hits derive of it,
    /// and with what the allocator loses.
    pub fn weight(&self) -> usize {
        weight::allocated(weight::counted::<Self>())
            + weight::fields(&self.fields)
            + weight::body(self.body.len())
            + weight::body(self.annotated_bytes)
            + weight::tags(&self.tags)
    }

    /// How long the entry is of any use after it was received: freshness and the longest of what follows it, the stale
    /// windows and, where it has a validator, as long again, in which a 304 may make it fresh.
    pub fn useful_for(&self) -> Duration {
        let Lifetime { fresh_for, stale_while_revalidate, stale_if_error, .. } = self.lifetime;
        // An index has to last as long as the variants that it leads to.
        let confirmable = self.kind == Kind::VaryIndex || has_validator(&self.fields);
        let validated = if confirmable { fresh_for.clamp(A_MINUTE, A_DAY) } else { Duration::ZERO };
        // A stored error never stands in for another one.
        let on_error = if self.status.is_server_error() { Duration::ZERO } else { stale_if_error };
        let stale = stale_while_revalidate.max(on_error).max(validated);
        fresh_for.saturating_add(stale).saturating_sub(self.initial_age)
    }
}

/// What a lookup found, and the token that a fill begun now has to carry.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The token, read no later than the entry was judged.
    pub token: Token,
    /// The entry, if there is one and no invalidation came after its token. Whether it is fresh is not judged here.
    pub entry: Option<Arc<StoredResponse>>,
    /// There was an entry and an invalidation had made it old.
    pub invalidated: bool,
}

/// An entry that is there and is not given out.
#[derive(Clone, Debug)]
pub struct Overtaken {
    /// The entry.
    pub entry: Arc<StoredResponse>,
    /// Those of its tags that were invalidated after its token; empty where the store does not know any more which.
    pub by: Vec<Tag>,
    /// The app's record is a new one: the old one was lost, and with it what it said of the entry.
    pub record_lost: bool,
}

/// What an entry is made of besides the origin's answer, and so what has to be in its place when it is kept.
#[derive(Clone, Debug)]
pub enum Expect {
    /// Nothing but the answer: whatever is there makes room.
    Any,
    /// Nothing was there: a valid entry that came since stays.
    Absent,
    /// This entry, as a lookup gave it or as it was kept: another one stays, and what was deleted is not brought back.
    Entry(Arc<StoredResponse>),
}

/// The fields with their values in one buffer, in a map no larger than it has to be.
fn in_one_piece(fields: &HeaderMap) -> HeaderMap {
    let text = Bytes::from(fields.values().map(HeaderValue::as_bytes).collect::<Vec<_>>().concat());
    let mut own = HeaderMap::with_capacity(fields.keys_len());
    let mut begin = 0;
    for (name, value) in fields {
        let end = begin + value.len();
        own.append(name, HeaderValue::from_maybe_shared(text.slice(begin..end)).unwrap_or_else(|_| value.clone()));
        begin = end;
    }
    own.clone()
}
