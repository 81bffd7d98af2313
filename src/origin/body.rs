//! Message bodies as they pass through: whole, streaming, or relayed by a task that reads ahead.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, Sleep, sleep};

use super::pace::Pace;
use super::upload::{Progress, Upload, upload};

/// Why a body ended before it was whole. The connection it was being sent on is then cut, so that the receiver can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The sender closed or broke the connection, or its framing was wrong.
    Broken(String),
    /// Nothing came for this long.
    Stalled(Duration),
    /// It came with fewer bytes a second than this.
    TooSlow(NonZeroU64),
    /// It grew larger than allowed.
    TooLarge,
    /// A trailer section follows it where none is taken.
    Trailers,
}

impl fmt::Display for BodyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(why) => write!(out, "the body was cut short: {why}"),
            Self::Stalled(limit) => write!(out, "nothing more of the body came for {limit:?}"),
            Self::TooSlow(rate) => write!(out, "the body came with less than {rate} bytes a second"),
            Self::TooLarge => out.write_str("the body is larger than allowed"),
            Self::Trailers => out.write_str("a trailer section follows the body, and none is forwarded"),
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
    /// Pieces read already.
    ahead: VecDeque<Bytes>,
    source: Source,
    /// Told how far it is, where somebody wants to know.
    progress: Option<Progress>,
}

#[derive(Debug)]
enum Source {
    Incoming(Timed),
    /// Pieces that a task reads ahead of a slow receiver; its channel's end is the body's.
    Relay(mpsc::UnboundedReceiver<Result<Relayed, BodyError>>),
    /// It broke off; said once all that came before is handed on.
    Broken(BodyError),
    Done,
}

/// What a relaying task hands on.
#[derive(Debug)]
pub enum Relayed {
    /// A piece of the body.
    Piece(Bytes),
    /// The rest, to be read by the receiver itself.
    Rest(Timed),
    /// The body is whole.
    End,
}

/// How many pieces are looked at before a head is sent on.
const FIRST_PIECES: usize = 4;

/// An incoming body with limits on how long it may be silent, how slow, and how large.
#[derive(Debug)]
pub struct Timed {
    incoming: Incoming,
    /// Pieces that were there together with the head.
    ahead: VecDeque<Bytes>,
    limit: Duration,
    /// How many bytes may still come.
    left: u64,
    /// Whether a trailer section is an error, instead of being dropped.
    refuses_trailers: bool,
    pace: Option<Pace>,
    /// Held until the body is done, whoever reads it: a place among the requests under way to the origin.
    permit: Option<OwnedSemaphorePermit>,
    /// Armed only while nothing is there, so that a body at hand costs no timer.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Timed {
    /// Watches a body.
    pub fn new(incoming: Incoming, limit: Duration) -> Self {
        Self {
            incoming,
            ahead: VecDeque::new(),
            limit,
            left: u64::MAX,
            refuses_trailers: false,
            pace: None,
            permit: None,
            timer: None,
        }
    }

    /// With [`BodyError::TooLarge`] in place of all that is longer than this many bytes.
    #[must_use]
    pub fn at_most(self, bytes: u64) -> Self {
        Self { left: bytes, ..self }
    }

    /// With [`BodyError::Trailers`] in place of a trailer section.
    ///
    /// For a client's body: hyper takes a trailer section that begins or goes on with a bare LF to last until the next
    /// empty line, which is the end of the next request. A sound one cannot be told from that.
    #[must_use]
    pub fn without_trailers(self) -> Self {
        Self { refuses_trailers: true, ..self }
    }

    /// With [`BodyError::TooSlow`] where it comes with fewer bytes a second; `None` lets it take its time.
    #[must_use]
    pub fn at_least(self, rate: Option<NonZeroU64>) -> Self {
        Self { pace: rate.map(Pace::new), ..self }
    }

    /// With a place that is given back when the body is done.
    #[must_use]
    pub(super) fn holding(self, permit: OwnedSemaphorePermit) -> Self {
        Self { permit: Some(permit), ..self }
    }

    /// The body's length where its head tells.
    pub fn exact_length(&self) -> Option<u64> {
        let ahead: usize = self.ahead.iter().map(Bytes::len).sum();
        self.incoming.size_hint().exact().map(|rest| rest + ahead as u64)
    }

    /// Whether there is nothing (more) to come.
    pub fn is_done(&self) -> bool {
        self.ahead.is_empty() && self.incoming.is_end_stream()
    }

    /// With the first pieces taken in, as far as they are there, and an error where one of them is broken: as long as
    /// the head has not been sent on, the receiver can be told. Waits for nothing that has not come.
    pub(super) async fn begun(mut self) -> Result<Self, BodyError> {
        while self.ahead.len() < FIRST_PIECES && !self.incoming.is_end_stream() {
            let next =
                std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut self.incoming).poll_frame(context))).await;
            match next {
                Poll::Ready(Some(Err(error))) => return Err(BodyError::Broken(cause(&error))),
                Poll::Ready(Some(Ok(frame))) => self.ahead.extend(frame.into_data().ok()),
                Poll::Ready(None) | Poll::Pending => break,
            }
            // The connection's task reads on only once its last piece is taken.
            tokio::task::yield_now().await;
        }
        Ok(self)
    }

    /// The next piece; `None` at the end. Trailers are dropped, or refused. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if let Some(piece) = self.ahead.pop_front() {
            return Poll::Ready(Some(self.within(piece)));
        }
        loop {
            match Pin::new(&mut self.incoming).poll_frame(context) {
                Poll::Ready(None) => {
                    self.permit = None;
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(BodyError::Broken(cause(&error))))),
                Poll::Ready(Some(Ok(frame))) => {
                    self.timer = None;
                    let frame = frame.into_data();
                    if let Some(pace) = &mut self.pace {
                        pace.came(frame.as_ref().map_or(0, Bytes::len), Instant::now());
                    }
                    match frame {
                        Ok(piece) => return Poll::Ready(Some(self.within(piece))),
                        Err(_) if self.refuses_trailers => return Poll::Ready(Some(Err(BodyError::Trailers))),
                        Err(_) => {}
                    }
                }
                Poll::Pending => {
                    let (limit, error) = self.patience();
                    let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
                    ready!(timer.as_mut().poll(context));
                    timer.as_mut().reset(Instant::now() + limit);
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }

    /// How long the next piece may take, and what it is called if it does not come.
    fn patience(&mut self) -> (Duration, BodyError) {
        let slow = self.pace.as_mut().map(|pace| (pace.wait(Instant::now()), BodyError::TooSlow(pace.rate())));
        let silent = (self.limit, BodyError::Stalled(self.limit));
        slow.filter(|(limit, _)| *limit < self.limit).unwrap_or(silent)
    }

    fn within(&mut self, piece: Bytes) -> Result<Bytes, BodyError> {
        self.left = self.left.checked_sub(piece.len() as u64).ok_or(BodyError::TooLarge)?;
        Ok(piece)
    }

    /// Reads on until the end or until more than `limit` bytes are there.
    pub async fn collect(mut self, limit: u64) -> Collected {
        let mut pieces = VecDeque::new();
        let mut size = 0u64;
        while let Some(next) = self.next().await {
            match next {
                Err(error) => return Collected::Failed(error),
                Ok(piece) => {
                    size += piece.len() as u64;
                    pieces.push_back(piece);
                }
            }
            if size > limit {
                return Collected::Larger(pieces, self);
            }
        }
        Collected::Whole(join(pieces))
    }
}

/// What reading a body in full came to.
#[derive(Debug)]
pub enum Collected {
    /// All of it.
    Whole(Bytes),
    /// More than the limit: what was read and the rest.
    Larger(VecDeque<Bytes>, Timed),
    /// It ended before it was whole.
    Failed(BodyError),
}

/// Puts pieces together, without a copy where there is only one.
pub fn join(mut pieces: VecDeque<Bytes>) -> Bytes {
    if pieces.len() <= 1 {
        return pieces.pop_front().unwrap_or_default();
    }
    let mut whole = Vec::with_capacity(pieces.iter().map(Bytes::len).sum());
    for piece in pieces {
        whole.extend_from_slice(&piece);
    }
    whole.into()
}

/// The innermost cause of an error: what a person can act on.
pub(super) fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

impl Body {
    /// A whole body.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::Empty } else { Self::Full(bytes) }
    }

    /// A body as it comes, after pieces that were read already.
    pub fn stream(ahead: VecDeque<Bytes>, rest: Timed) -> Self {
        if ahead.is_empty() && rest.is_done() {
            return Self::Empty;
        }
        Self::Stream(Box::new(Stream { ahead, source: Source::Incoming(rest), progress: None }))
    }

    /// A body that a task hands on piece by piece, ending with [`Relayed::End`] or [`Relayed::Rest`]; a channel that
    /// closes without either cuts the connection.
    pub fn relay(pieces: mpsc::UnboundedReceiver<Result<Relayed, BodyError>>) -> Self {
        Self::Stream(Box::new(Stream { ahead: VecDeque::new(), source: Source::Relay(pieces), progress: None }))
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
        let mut pieces = VecDeque::new();
        let mut size = 0u64;
        while let Some(next) = std::future::poll_fn(|context| self.poll_next(context)).await {
            match next {
                Ok(piece) => {
                    size += piece.len() as u64;
                    pieces.push_back(piece);
                }
                Err(error) => {
                    self.source = Source::Broken(error);
                    self.ahead = pieces;
                    return Err(Body::Stream(self));
                }
            }
            if size > limit {
                self.ahead = pieces;
                return Err(Body::Stream(self));
            }
        }
        Ok(join(pieces))
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
        if let Some(piece) = self.ahead.pop_front() {
            return Poll::Ready(Some(Ok(piece)));
        }
        loop {
            let next = match &mut self.source {
                Source::Done => return Poll::Ready(None),
                Source::Broken(error) => return Poll::Ready(Some(Err(error.clone()))),
                Source::Incoming(timed) => return timed.poll_next(context),
                Source::Relay(pieces) => ready!(pieces.poll_recv(context)),
            };
            match next {
                Some(Ok(Relayed::Piece(piece))) => return Poll::Ready(Some(Ok(piece))),
                Some(Ok(Relayed::Rest(rest))) => self.source = Source::Incoming(rest),
                Some(Ok(Relayed::End)) => self.source = Source::Done,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(Some(Err(BodyError::Broken("the fetch was given up".to_owned())))),
            }
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
                    Some(rest) => {
                        let ahead: usize = stream.ahead.iter().map(Bytes::len).sum();
                        SizeHint::with_exact(rest + ahead as u64)
                    }
                    None => SizeHint::default(),
                },
                Source::Relay(_) | Source::Broken(_) | Source::Done => SizeHint::default(),
            },
        }
    }
}
