//! What goes on on a connection, noted by those who do it for the one who may end it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// One connection's doings. Notes are cheap, since every request makes some; times are worked out by who reads them.
#[derive(Debug)]
pub(in crate::server) struct Activity {
    accepted: Instant,
    /// Requests whose answer is not sent yet.
    under_way: AtomicUsize,
    /// How many were answered, and how many the client gave up before that.
    answered: AtomicU64,
    given_up: AtomicU64,
    /// When the last of them ended, in milliseconds since `accepted`.
    idle_since: AtomicU64,
    /// Whether bytes came that no request was made of yet.
    begun: AtomicBool,
    /// Whether the last request had a body.
    has_body: AtomicBool,
    /// Whether a write waits for the client.
    blocked: AtomicBool,
    /// How often the client took something.
    taken: AtomicU64,
    /// Whether the next answer is to be the connection's last.
    last_answers: AtomicBool,
}

impl Activity {
    pub(in crate::server) fn new() -> Arc<Self> {
        Arc::new(Self {
            accepted: Instant::now(),
            under_way: AtomicUsize::new(0),
            answered: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            begun: AtomicBool::new(false),
            has_body: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            taken: AtomicU64::new(0),
            last_answers: AtomicBool::new(false),
        })
    }

    /// Nothing is asked since now, and nothing was before.
    pub(in crate::server) fn asks_nothing(&self) {
        let since = u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.idle_since.store(since, Relaxed);
    }

    /// A request's head is there.
    pub(super) fn request(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Relaxed);
        self.begun.store(false, Relaxed);
        UnderWay { activity: Arc::clone(self), answered: false }
    }

    /// The request whose head is there has a body, or none.
    pub(super) fn note_body(&self, has_body: bool) {
        self.has_body.store(has_body, Relaxed);
    }

    /// Bytes came.
    pub(super) fn received(&self) {
        self.begun.store(true, Relaxed);
    }

    /// The client took something, or has nothing left to take.
    pub(super) fn took(&self) {
        self.taken.fetch_add(1, Relaxed);
        self.blocked.store(false, Relaxed);
    }

    /// The client takes nothing for now.
    pub(super) fn write_waits(&self) {
        self.blocked.store(true, Relaxed);
    }

    /// From now on each answer is the connection's last.
    pub(in crate::server) fn make_answers_last(&self) {
        self.last_answers.store(true, Relaxed);
    }

    /// Whether the next answer is the connection's last.
    pub(in crate::server) fn answers_last(&self) -> bool {
        self.last_answers.load(Relaxed)
    }

    /// When the connection began.
    pub(in crate::server) fn accepted(&self) -> Instant {
        self.accepted
    }

    /// How often the client took something.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Relaxed)
    }

    /// Whether a write waits for the client.
    pub(in crate::server) fn is_blocked(&self) -> bool {
        self.blocked.load(Relaxed)
    }

    /// Whether a request is under way.
    pub(in crate::server) fn is_busy(&self) -> bool {
        self.under_way.load(Relaxed) > 0
    }

    /// Whether a request's head is there in part.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Relaxed)
    }

    /// Whether the last request had a body: then its end may not be read although it is answered.
    pub(super) fn body_may_be_unread(&self) -> bool {
        self.has_body.load(Relaxed)
    }

    /// How many more requests the client gave up than it let be answered.
    pub(super) fn given_up(&self) -> u64 {
        self.given_up.load(Relaxed).saturating_sub(self.answered.load(Relaxed))
    }

    /// When the last request ended, or the connection began.
    pub(in crate::server) fn idle_since(&self) -> Instant {
        self.accepted + Duration::from_millis(self.idle_since.load(Relaxed))
    }
}

/// A request under way, until it is dropped.
#[derive(Debug)]
pub(super) struct UnderWay {
    activity: Arc<Activity>,
    answered: bool,
}

impl UnderWay {
    /// Whether its answer is the connection's last.
    pub(super) fn is_last(&self) -> bool {
        self.activity.answers_last()
    }

    /// Its answer is there, and is on its way for as long as this lives.
    pub(super) fn answered(mut self) -> Self {
        self.answered = true;
        self
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let activity = &self.activity;
        let ended = if self.answered { &activity.answered } else { &activity.given_up };
        ended.fetch_add(1, Relaxed);
        if activity.under_way.fetch_sub(1, Relaxed) == 1 {
            activity.asks_nothing();
            activity.begun.store(false, Relaxed);
        }
    }
}
