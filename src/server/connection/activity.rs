//! What goes on on a connection, noted by those who do it for the one who may end it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

use super::taking::Taking;
use crate::body::{Body, BodyError};

/// One connection's doings. Notes are cheap, since every request makes some; times are worked out by who reads them.
#[derive(Debug)]
pub(super) struct Activity {
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
    bodied: AtomicBool,
    /// Whether a write waits for the client.
    blocked: AtomicBool,
    /// How often the client took something.
    taken: AtomicU64,
    /// Whether the next answer is to be the connection's last.
    leaving: AtomicBool,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            accepted: Instant::now(),
            under_way: AtomicUsize::new(0),
            answered: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            begun: AtomicBool::new(false),
            bodied: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            taken: AtomicU64::new(0),
            leaving: AtomicBool::new(false),
        })
    }

    /// A request's head is there.
    pub(super) fn request(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Relaxed);
        self.begun.store(false, Relaxed);
        UnderWay { activity: Arc::clone(self), answered: false }
    }

    /// The request whose head is there has a body, or none.
    pub(super) fn bodied(&self, bodied: bool) {
        self.bodied.store(bodied, Relaxed);
    }

    /// Bytes came.
    pub(super) fn came(&self) {
        self.begun.store(true, Relaxed);
    }

    /// The client took something, or has nothing left to take.
    pub(super) fn took(&self) {
        self.taken.fetch_add(1, Relaxed);
        self.blocked.store(false, Relaxed);
    }

    /// The client takes nothing for now.
    pub(super) fn takes_nothing(&self) {
        self.blocked.store(true, Relaxed);
    }

    /// From now on each answer is the connection's last.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Relaxed);
    }

    /// How often the client took something.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Relaxed)
    }

    /// Whether a write waits for the client.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.load(Relaxed)
    }

    /// Whether a request is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.under_way.load(Relaxed) > 0
    }

    /// Whether a request's head is there in part.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Relaxed)
    }

    /// Whether the last request had a body: then its end may not be read although it is answered.
    pub(super) fn may_be_unread(&self) -> bool {
        self.bodied.load(Relaxed)
    }

    /// How many more requests the client gave up than it let be answered.
    pub(super) fn given_up(&self) -> u64 {
        self.given_up.load(Relaxed).saturating_sub(self.answered.load(Relaxed))
    }

    /// When the last request ended, or the connection began.
    pub(super) fn idle_since(&self) -> Instant {
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
    pub(super) fn is_the_last(&self) -> bool {
        self.activity.leaving.load(Relaxed)
    }

    /// Its answer is there and has this body yet to be sent.
    pub(super) fn answering(mut self, body: Body) -> Answering {
        self.answered = true;
        Answering { body, taking: Taking::of_this_stream(), _under_way: self }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let activity = &self.activity;
        let ended = if self.answered { &activity.answered } else { &activity.given_up };
        ended.fetch_add(1, Relaxed);
        if activity.under_way.fetch_sub(1, Relaxed) == 1 {
            let since = u64::try_from(activity.accepted.elapsed().as_millis()).unwrap_or(u64::MAX);
            activity.idle_since.store(since, Relaxed);
            activity.begun.store(false, Relaxed);
        }
    }
}

/// An answer's body on its way to the client: its request is under way until all of it is handed over.
#[derive(Debug)]
pub(super) struct Answering {
    body: Body,
    /// Told of every piece, where somebody watches how the client takes it.
    taking: Option<Arc<Taking>>,
    _under_way: UnderWay,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let next = Pin::new(&mut self.body).poll_frame(context);
        if let Some(taking) = &self.taking {
            taking.told(next.is_ready());
        }
        next
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
