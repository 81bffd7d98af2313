//! Message bodies as they pass through: whole, streaming, or relayed by a task that reads ahead.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout_at};

use super::Place;
use super::error::cause;
use super::gathered::Gathered;
use super::relay::{End, Relayed, Relaying, relay};
use super::upload::{Progress, Upload, upload};

/// Why a body ended before it was whole. The connection it was being sent on is then cut, so that the receiver can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The sender closed or broke the connection, or its framing was wrong.
    Broken(String),
    /// Nothing came for this long.
    Stalled(Duration),
    /// It was not whole when the time for the whole exchange was over.
    Late(Duration),
    /// It grew larger than allowed.
    TooLarge,
}

impl fmt::Display for BodyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(why) => write!(out, "the body was cut short: {why}"),
            Self::Stalled(limit) => write!(out, "nothing more of the body came for {limit:?}"),
            Self::Late(limit) => write!(out, "the body was not whole within {limit:?}"),
            Self::TooLarge => out.write_str("the body is larger than allowed"),
        }
    }
}

impl std::error::Error for BodyError {}

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
}

/// A body that is still coming.
#[derive(Debug)]
pub struct Stream {
    /// What was read already.
    ahead: Bytes,
    source: Source,
    /// Told how far it is, where somebody wants to know.
    progress: Option<Progress>,
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

/// An incoming body with a limit on how long it may be silent, and one on how long it may be.
#[derive(Debug)]
pub struct Timed {
    incoming: Incoming,
    limit: Duration,
    /// How many bytes may still come.
    left: u64,
    /// Held until the body is done, whoever reads it: a place among the requests under way to the origin.
    place: Option<Place>,
    /// Armed only while nothing is there, so that a body at hand costs no timer.
    timer: Option<Pin<Box<Sleep>>>,
    /// Armed from the start where the whole exchange has a limit, which stands beside.
    deadline: Option<(Pin<Box<Sleep>>, Duration)>,
}

impl Timed {
    /// Watches a body.
    pub fn new(incoming: Incoming, limit: Duration) -> Self {
        Self { incoming, limit, left: u64::MAX, place: None, timer: None, deadline: None }
    }

    /// With [`BodyError::TooLarge`] in place of all that is longer than this many bytes.
    #[must_use]
    pub fn at_most(self, bytes: u64) -> Self {
        Self { left: bytes, ..self }
    }

    /// With a place that is given back when the body is done.
    #[must_use]
    pub(super) fn holding(self, place: Place) -> Self {
        Self { place: Some(place), ..self }
    }

    /// With an end to it at a moment, `limit` after the exchange began.
    #[must_use]
    pub(super) fn until(self, end: Instant, limit: Duration) -> Self {
        Self { deadline: Some((Box::pin(sleep_until(end)), limit)), ..self }
    }

    /// The body's length where its head tells.
    pub fn exact_length(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    /// Whether there is nothing (more) to come.
    pub fn is_done(&self) -> bool {
        self.incoming.is_end_stream()
    }

    /// The next piece; `None` at the end. Trailers are dropped. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if let Some((deadline, limit)) = &mut self.deadline
            && !self.incoming.is_end_stream()
            && deadline.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Some(Err(BodyError::Late(*limit))));
        }
        loop {
            match Pin::new(&mut self.incoming).poll_frame(context) {
                Poll::Ready(None) => {
                    self.place = None;
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(BodyError::Broken(cause(&error))))),
                Poll::Ready(Some(Ok(frame))) => {
                    self.timer = None;
                    if let Ok(piece) = frame.into_data() {
                        return Poll::Ready(Some(self.within(piece)));
                    }
                }
                Poll::Pending => {
                    let limit = self.limit;
                    let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
                    ready!(timer.as_mut().poll(context));
                    timer.as_mut().reset(Instant::now() + limit);
                    return Poll::Ready(Some(Err(BodyError::Stalled(limit))));
                }
            }
        }
    }

    fn within(&mut self, piece: Bytes) -> Result<Bytes, BodyError> {
        self.left = self.left.checked_sub(piece.len() as u64).ok_or(BodyError::TooLarge)?;
        Ok(piece)
    }

    /// Reads on until the end or until more than `limit` bytes are there.
    pub async fn collect(self, limit: u64) -> Collected {
        self.collect_until(limit, None).await
    }

    /// Reads on until the end, until more than `limit` bytes are there, or until that moment.
    pub async fn collect_until(mut self, limit: u64, end: Option<Instant>) -> Collected {
        let mut read = Gathered::default();
        loop {
            let next = match end {
                None => self.next().await,
                Some(end) => match timeout_at(end, self.next()).await {
                    Ok(next) => next,
                    Err(_) => return Collected::Slow(read.into_bytes(), self),
                },
            };
            match next {
                None => return Collected::Whole(read.into_bytes()),
                Some(Err(error)) => return Collected::Failed(error),
                Some(Ok(piece)) => read.push(piece),
            }
            if read.len() > limit {
                return Collected::Larger(read.into_bytes(), self);
            }
        }
    }
}

/// What reading a body in full came to.
#[derive(Debug)]
pub enum Collected {
    /// All of it.
    Whole(Bytes),
    /// More than the limit: what was read and the rest.
    Larger(Bytes, Timed),
    /// Not all of it in time: what was read and the rest.
    Slow(Bytes, Timed),
    /// It ended before it was whole.
    Failed(BodyError),
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
        Self::Stream(Box::new(Stream { ahead, source: Source::Incoming(rest), progress: None }))
    }

    /// A body that a task reads and hands on: the task's side of it, and the body.
    pub fn relayed() -> (Relaying, Self) {
        let (relaying, relayed) = relay();
        let stream = Stream { ahead: Bytes::new(), source: Source::Relay(relayed), progress: None };
        (relaying, Self::Stream(Box::new(stream)))
    }

    /// Tells from now on how far it is; what is whole counts as sent at once.
    pub(super) fn watched(&mut self) -> Upload {
        let (progress, upload) = upload();
        if let Self::Stream(stream) = self {
            stream.progress = Some(progress);
        }
        upload
    }
}

impl Stream {
    /// Reads it in full; gives it back, nothing lost, when it is larger than `limit` or breaks off.
    pub async fn collect(mut self: Box<Self>, limit: u64) -> Result<Bytes, Body> {
        let mut read = Gathered::default();
        while let Some(next) = std::future::poll_fn(|context| self.poll_next(context)).await {
            match next {
                Ok(piece) => read.push(piece),
                Err(error) => self.source = Source::Broken(error),
            }
            if read.len() > limit || matches!(self.source, Source::Broken(_)) {
                self.ahead = read.into_bytes();
                return Err(Body::Stream(self));
            }
        }
        Ok(read.into_bytes())
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let next = self.poll_source(context);
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
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
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
