//! Message bodies as they pass through: whole, streaming, or relayed by a task that reads ahead. Server, proxy and origin
//! share them, and what wraps them.

mod error;
mod interim;
mod metered;
mod relay;
mod timed;
mod upload;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, timeout_at};

use crate::budget::{Budget, Receipt};
use crate::telemetry::Sent;
use metered::Metered;
use relay::{End, Relayed, relay};
use timed::Gathered;
use upload::{Progress, upload};

pub use error::{BodyError, cause, causes};
pub use interim::{InterimAnswers, InterimSender, InterimWatch};
pub use relay::{Relaying, Waiter, Waiters};
pub use timed::{Collected, Held, Timed};
pub use upload::Upload;

/// A request's or response's body.
#[derive(Debug, Default)]
pub enum Body {
    /// None.
    #[default]
    Empty,
    /// All of it.
    Full(Bytes),
    /// As it comes.
    Stream(Box<Stream>),
    /// In small pieces, each of which counts for its connection.
    Metered(Box<Metered<Self>>),
}

/// A body that is still coming.
#[derive(Debug)]
pub struct Stream {
    /// What was read already.
    ahead: Bytes,
    source: Source,
    /// Told how far it is, where somebody wants to know.
    progress: Option<Progress>,
    /// Counts what is handed on, where nobody knows beforehand how much that will be.
    sent: Option<Sent>,
}

#[derive(Debug)]
enum Source {
    Incoming(Timed),
    /// What a task reads ahead of a slow receiver.
    Relay(Relayed),
    /// It broke off; said once all that came before is handed on.
    Broken(BodyError),
    Done,
}

impl Body {
    /// A whole body.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::Empty } else { Self::Full(bytes) }
    }

    /// A body as it comes, after what was read of it already.
    pub fn stream(ahead: Bytes, rest: Timed) -> Self {
        if ahead.is_empty() && rest.is_done() {
            return Self::Empty;
        }
        Self::Stream(Box::new(Stream { ahead, source: Source::Incoming(rest.of_client()), progress: None, sent: None }))
    }

    /// A body that a fill's task reads and hands on: the task's side of it, and the body. Who takes it waits for the fill.
    pub fn relayed(waiter: Waiter) -> (Relaying, Self) {
        let (relaying, relayed) = relay(waiter);
        let stream = Stream { ahead: Bytes::new(), source: Source::Relay(relayed), progress: None, sent: None };
        (relaying, Self::Stream(Box::new(stream)))
    }

    /// In small pieces, which count in their connection's `share` until they are sent. What is to come counts in `receipt`.
    #[must_use]
    pub fn metered(self, share: Arc<Budget>, receipt: Option<Receipt>) -> Self {
        if matches!(self, Self::Empty | Self::Metered(_)) {
            return self;
        }
        let mut receipt = receipt.unwrap_or_else(|| share.charge(0));
        match &self {
            Self::Full(bytes) => receipt.cover_portion(bytes.len()),
            Self::Stream(stream) => {
                if let Source::Relay(relayed) = &stream.source {
                    relayed.counts_for(&share);
                }
            }
            Self::Empty | Self::Metered(_) => {}
        }
        Self::Metered(Box::new(Metered::new(self, share, receipt)))
    }

    /// Counts from now on what of it is handed on. Nothing of what is whole.
    pub fn counted(&mut self, sent: Sent) {
        if let Self::Stream(stream) = self {
            stream.sent = Some(sent);
        }
    }

    /// Tells from now on how far it is; `None` for what is whole, which counts as sent at once.
    pub fn watched(&mut self) -> Option<Upload> {
        let Self::Stream(stream) = self else { return None };
        let (progress, upload) = upload();
        stream.progress = Some(progress);
        Some(upload)
    }
}

impl Stream {
    /// Whether a task reads it ahead.
    pub fn is_relayed(&self) -> bool {
        matches!(self.source, Source::Relay(_))
    }

    /// Reads it in full; gives it back, nothing lost, when it is larger than `limit`, breaks off, or finds no room. What was
    /// read counts among the answers under way for as long as anybody has it.
    pub async fn collect(self: Box<Self>, limit: u64, receipt: Receipt) -> Result<Bytes, Body> {
        self.collect_until(limit, None, receipt).await
    }

    /// The same, and gives it back also when it is not whole at that moment.
    pub async fn collect_until(
        mut self: Box<Self>,
        limit: u64,
        end: Option<Instant>,
        mut receipt: Receipt,
    ) -> Result<Bytes, Body> {
        let mut read = Gathered::default();
        let mut is_late = false;
        loop {
            let next = std::future::poll_fn(|context| self.poll_next(context));
            let next = match end {
                None => Ok(next.await),
                Some(end) => timeout_at(end, next).await,
            };
            match next {
                Ok(None) => return Ok(receipt.seal(read.into_bytes())),
                Ok(Some(Ok(piece))) => read.push(piece),
                Ok(Some(Err(error))) => self.source = Source::Broken(error),
                Err(_) => is_late = true,
            }
            let size = usize::try_from(read.len()).unwrap_or(usize::MAX);
            let is_broken = matches!(self.source, Source::Broken(_));
            if is_late || is_broken || read.len() > limit || !receipt.reach(size).await {
                self.ahead = receipt.seal(read.into_bytes());
                return Err(Body::Stream(self));
            }
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let next = self.poll_source(context);
        if let (Poll::Ready(Some(Ok(piece))), Some(sent)) = (&next, &mut self.sent) {
            sent.add(piece.len());
        }
        match (&next, &self.progress) {
            (Poll::Ready(Some(_)), Some(progress)) => progress.piece(),
            (Poll::Ready(None), _) => self.progress = None,
            (Poll::Pending, Some(progress)) => progress.nothing(),
            (_, None) => {}
        }
        next
    }

    fn poll_source(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if !self.ahead.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.ahead))));
        }
        loop {
            let next = match &mut self.source {
                Source::Done => return Poll::Ready(None),
                Source::Broken(error) => return Poll::Ready(Some(Err(error.clone()))),
                Source::Incoming(timed) => return timed.poll_next(context),
                Source::Relay(relayed) => ready!(relayed.poll(context)),
            };
            self.source = match next {
                Ok(piece) => return Poll::Ready(Some(Ok(piece))),
                Err(End::Rest(rest)) => Source::Incoming(*rest),
                Err(End::Whole) => Source::Done,
                Err(End::Failed(error)) => Source::Broken(error),
            };
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let body = self.get_mut();
        match body {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *body = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Stream(stream) => {
                let next = ready!(stream.poll_next(context));
                Poll::Ready(next.map(|piece| piece.map(Frame::data)))
            }
            Self::Metered(metered) => Pin::new(&mut **metered).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Metered(metered) => metered.is_end_stream(),
            Self::Empty => true,
            Self::Full(_) | Self::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Metered(metered) => metered.size_hint(),
            Self::Stream(stream) => match &stream.source {
                Source::Incoming(timed) => match timed.exact_length() {
                    Some(rest) => SizeHint::with_exact(rest + stream.ahead.len() as u64),
                    None => SizeHint::default(),
                },
                Source::Relay(_) | Source::Broken(_) | Source::Done => SizeHint::default(),
            },
        }
    }
}
