//! One stored response, with what hits make of it, and what a lookup says of it.

use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::core::Token;
use super::derived::Derived;
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
    /// The key's responses vary by fields that only the response named: each is stored under a key of its own.
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
    /// What invalidates it: the tags of its key, and those that only the response named.
    pub tags: Vec<Tag>,
    /// The point in the app's sequence that its fetch started from.
    pub token: Token,
    /// The latest point of the sequence at which the store that has it found it valid.
    valid_at: AtomicU64,
    /// How often it was given out.
    hits: AtomicU64,
    /// What hits make of it, under the rules of the last one.
    derived: ArcSwap<Derived>,
    /// How many bytes its body takes as a hit of an annotated route sends it.
    annotated_bytes: usize,
    /// That its bodies are the store's while it is there, and do not count among the answers under way.
    loan: Option<Arc<Loan>>,
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
            hits: AtomicU64::new(0),
            derived: ArcSwap::default(),
            annotated_bytes: 0,
            loan: None,
        }
    }

    /// It was given out once more. Whoever does so has written beside this already, since it holds the entry.
    pub fn count_hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was given out.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// The same for a store in this process: what is under way of its bodies counts once it is gone from there.
    #[must_use]
    pub fn lent(self, budget: &Arc<Budget>) -> Self {
        if self.is_lent() {
            return self;
        }
        let (body, loan) = budget.lend(self.body);
        Self { body, loan: loan.map(Arc::new), ..self }
    }

    /// Whether answers share its bodies with the store.
    pub fn is_lent(&self) -> bool {
        self.loan.is_some()
    }

    /// The body as a hit of an annotated route sends it. It stays with the entry if that was weighed with it; else, under
    /// rules that came later, it is made for each hit, and counts among the answers under way.
    pub fn annotated(&self, derived: &Derived, annotate: impl FnOnce(&Bytes) -> Bytes) -> Bytes {
        derived.annotated(|| {
            let bytes = annotate(&self.body);
            if bytes.as_ptr() == self.body.as_ptr() {
                return (bytes, None, true);
            }
            let weighed = bytes.len() <= self.annotated_bytes;
            let (bytes, loan) = match &self.loan {
                Some(loan) => loan.beside(bytes),
                None => (bytes, None),
            };
            (bytes, loan, weighed)
        })
    }

    /// The same for long keeping, with bytes of its own: what came over a connection is a slice of its read buffer, which
    /// an entry would keep whole.
    #[must_use]
    pub fn compact(self) -> Self {
        self.compact_upon(&Expect::Any)
    }

    /// The same for what is made of a stored entry: where it has that one's body, both share it.
    #[must_use]
    pub fn compact_upon(self, expect: &Expect) -> Self {
        let (body, loan) = match expect {
            Expect::Entry(stored) if stored.shares_body_of(&self) => (stored.body.clone(), stored.loan.clone()),
            _ => (Bytes::copy_from_slice(&self.body), None),
        };
        let fields = in_one_piece(&self.fields);
        let tags = self.tags.as_slice().to_vec();
        Self { fields, body, tags, loan, ..self }
    }

    /// The same for a route that annotates its hits: their body takes so many bytes more, for as long as it is stored.
    #[must_use]
    pub fn annotated_in(self, bytes: usize) -> Self {
        Self { annotated_bytes: bytes, ..self }
    }

    /// How many bytes its body takes as a hit of an annotated route sends it; none for other routes.
    pub fn annotated_bytes(&self) -> usize {
        self.annotated_bytes
    }

    /// Whether the store that has it found it valid at this point of its sequence or at a later one.
    pub(super) fn was_valid_at(&self, seq: u64) -> bool {
        self.valid_at.load(Ordering::SeqCst) >= seq
    }

    /// Notes that no invalidation up to this point hit it.
    pub(super) fn found_valid_at(&self, seq: u64) {
        self.valid_at.fetch_max(seq, Ordering::SeqCst);
    }

    /// What hits under the configuration with this fingerprint make of it. What was made under another is dropped, and never
    /// served.
    pub fn derived(&self, configuration: u64) -> Guard<Arc<Derived>> {
        let derived = self.derived.load();
        if derived.is_of(configuration) {
            return derived;
        }
        let anew = Arc::new(Derived::default());
        anew.is_of(configuration);
        self.derived.store(Arc::clone(&anew));
        Guard::from_inner(anew)
    }

    /// The stored fields with Content-Length as the body really is.
    pub fn fields_with_length(&self) -> HeaderMap {
        let mut fields = self.fields.clone();
        fields.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        fields
    }

    /// Whether its body is the same as the other's, byte for byte.
    pub(super) fn has_body_of(&self, other: &Self) -> bool {
        self.shares_body_of(other) || self.body == other.body
    }

    fn shares_body_of(&self, other: &Self) -> bool {
        self.body.as_ptr() == other.body.as_ptr() && self.body.len() == other.body.len()
    }

    /// How many bytes of memory it takes at the most, where it is [compact](Self::compact): with what hits derive of it,
    /// and with what the allocator loses.
    pub fn weight(&self) -> usize {
        weight::allocated(weight::counted::<Self>())
            + weight::allocated(weight::counted::<Derived>())
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
    /// Why nothing is given out, whatever is there.
    pub withheld: Option<Withheld>,
    /// The entry was invalidated [softly](super::Strength::Soft): it is stale, however new.
    pub soft: bool,
}

impl Lookup {
    /// The same, of which nothing is given out for this reason.
    #[must_use]
    pub(super) fn withheld(self, why: Withheld) -> Self {
        Self { entry: None, withheld: Some(why), soft: false, ..self }
    }
}

/// Why a store gives nothing out although it can be read: there may be invalidations that it does not know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Withheld {
    /// This node's lease is over: Redis has not confirmed a renewal in time.
    Lapsed,
    /// Another node is silent and has not signed off.
    Peer,
    /// Other nodes have other rules, and do not all know yet that this one is there.
    Rules,
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

/// What an entry is made of besides the origin's answer, and so what has to be in its place when it is put.
#[derive(Clone, Debug)]
pub enum Expect {
    /// Nothing but the answer: whatever is there makes room.
    Any,
    /// Nothing was there: a valid entry that came since stays.
    Absent,
    /// This entry, as a lookup gave it or as it was put: another one stays, and what was deleted is not brought back.
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

#[cfg(test)]
mod tests {
    use http::header::VIA;

    use super::*;
    use crate::policy::LifetimeSource;

    fn entry(body: Bytes) -> StoredResponse {
        let lifetime = Lifetime {
            fresh_for: A_MINUTE,
            source: LifetimeSource::MaxAge,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
        };
        let flags = StoredFlags { public_enough: false, must_revalidate: false, private: false };
        let (fields, token) = (HeaderMap::new(), Token { epoch: 1, seq: 1 });
        let (kind, status, age) = (Kind::Response, StatusCode::OK, Duration::ZERO);
        StoredResponse::new(kind, status, fields, body, 0, age, lifetime, flags, Vec::new(), token)
    }

    #[test]
    fn what_was_made_under_other_rules_is_made_anew_and_not_served() {
        let entry = entry(Bytes::from_static(b"{}")).annotated_in(6);
        let hit = |rules: u64, text: &'static str| {
            let derived = entry.derived(rules);
            let head = derived.head(|| HeaderMap::from_iter([(VIA, HeaderValue::from_static(text))]));
            let withheld = derived.withheld(|| vec![text.parse().unwrap()]);
            let annotated = entry.annotated(&derived, |_| Bytes::from_static(text.as_bytes()));
            [head[VIA].to_str().unwrap(), withheld[0].as_str(), str::from_utf8(&annotated).unwrap()].map(str::to_owned)
        };
        assert_eq!(hit(1, "first"), ["first"; 3]);
        assert_eq!(hit(1, "second"), ["first"; 3], "made once");
        assert_eq!(hit(2, "third"), ["third"; 3]);
        assert_eq!(hit(2, "fourth"), ["third"; 3], "made once, too");
        assert_eq!(hit(1, "fifth"), ["fifth"; 3]);
    }

    #[test]
    fn a_hit_keeps_what_it_has_while_one_under_other_rules_comes() {
        let entry = entry(Bytes::from_static(b"{}")).annotated_in(100);
        let before = entry.derived(1);
        let annotated = entry.annotated(&before, |_| Bytes::from(vec![b'x'; 100]));
        drop(entry.derived(2));
        assert_eq!(entry.annotated(&before, |_| unreachable!("it was made")), annotated);
    }

    #[test]
    fn an_annotated_body_that_was_not_weighed_is_made_for_each_hit_and_counts() {
        let budget = Budget::new(10_000);
        let entry = entry(Bytes::from(vec![b'x'; 10_000])).compact().lent(&budget).annotated_in(10_000);
        let derived = entry.derived(1);
        let longer = entry.annotated(&derived, |body| [body, &b"x"[..]].concat().into());
        assert!(!budget.has_room(1, 0), "it is under way");
        drop(longer);
        assert!(budget.has_room(1, 0));
        let as_long = entry.annotated(&derived, |body| Bytes::from(body.to_vec()));
        assert!(budget.has_room(1, 0), "it is the store's");
        assert_eq!(entry.annotated(&derived, |_| unreachable!("it stayed")), as_long);
    }

    #[test]
    fn what_is_made_of_an_entry_shares_its_body_and_what_lends_it() {
        let budget = Budget::new(10_000);
        let large = Bytes::from(vec![b'x'; 10_000]);
        let stored = Arc::new(entry(large.clone()).compact().lent(&budget));
        assert_ne!(stored.body.as_ptr(), large.as_ptr());
        let freshened = entry(stored.body.clone()).compact_upon(&Expect::Entry(Arc::clone(&stored))).lent(&budget);
        assert!(freshened.is_lent() && freshened.body.as_ptr() == stored.body.as_ptr());
        let under_way = freshened.body.clone();
        drop(stored);
        assert!(budget.has_room(1, 0), "the store has it still");
        drop(freshened);
        assert!(!budget.has_room(1, 0), "it is under way and nothing else");
        drop(under_way);
        assert!(budget.has_room(1, 0));
    }

    #[test]
    fn another_body_is_its_own() {
        let stored = Arc::new(entry(Bytes::from(vec![b'x'; 10_000])));
        let other = entry(stored.body.slice(1..)).compact_upon(&Expect::Entry(Arc::clone(&stored)));
        assert!(other.body == stored.body.slice(1..) && other.body.as_ptr() != stored.body[1..].as_ptr());
    }
}
