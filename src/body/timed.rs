//! A body as it comes from the other side: how long it may be silent, how slow, how long in all, and how large.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::future::poll_fn;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming};
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout_at};

use super::error::{BodyError, cause};
use super::upload::MinRate;
use crate::budget::Receipt;

/// How many pieces are looked at before a head is sent on.
const FIRST_PIECES: usize = 4;
/// And how many bytes: the HTTP library reads twice as much each time that there was more, and what waits for room, or for
/// a client, holds all that was read.
const FIRST_BYTES: usize = 16 << 10;

/// What a body comes over, and what else it holds until it is done, whoever reads it.
pub trait Held: Debug + Send {
    /// Reads on as far as it can, so that the body has what has come; `false` where others see to that.
    fn drive(&mut self, context: &mut Context<'_>) -> bool;

    /// All of the body has been read. What it holds is still to be held until the body is done.
    fn is_read(&mut self);

    /// It is a client's own from now on, who gives it up by leaving.
    fn belongs_to_client(&mut self);
}

/// An incoming body with limits on how long it may be silent, how slow, how long in all, and how large.
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
    min_rate: Option<MinRate>,
    /// Its connection, and a permit among the requests under way to the origin. Dropped after the body itself.
    held: Option<Box<dyn Held>>,
    /// Armed only while nothing is there, so that a body at hand costs no timer.
    timer: Option<Pin<Box<Sleep>>>,
    /// Armed from the start where the whole exchange has a limit, which stands beside.
    deadline: Option<(Pin<Box<Sleep>>, Duration)>,
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
            min_rate: None,
            held: None,
            timer: None,
            deadline: None,
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
        Self { min_rate: rate.map(MinRate::new), ..self }
    }

    /// With something that is dropped when the body is done.
    #[must_use]
    pub fn holding(self, held: impl Held + 'static) -> Self {
        Self { held: Some(Box::new(held)), ..self }
    }

    /// With what it holds the client's who takes it from now on, where it was a fill's.
    #[must_use]
    pub(super) fn of_client(mut self) -> Self {
        if let Some(held) = &mut self.held {
            held.belongs_to_client();
        }
        self
    }

    /// With an end to it at a moment, `limit` after the exchange began.
    #[must_use]
    pub fn until(self, end: Instant, limit: Duration) -> Self {
        Self { deadline: Some((Box::pin(sleep_until(end)), limit)), ..self }
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
    pub async fn begun(mut self) -> Result<Self, BodyError> {
        let few = |ahead: &VecDeque<Bytes>| {
            ahead.len() < FIRST_PIECES && ahead.iter().map(Bytes::len).sum::<usize>() < FIRST_BYTES
        };
        while few(&self.ahead) && !self.incoming.is_end_stream() {
            let (next, is_driven) = poll_fn(|context| Poll::Ready(self.poll_incoming(context))).await;
            match next {
                Poll::Ready(Some(Err(error))) => return Err(BodyError::Broken(cause(&error))),
                Poll::Ready(Some(Ok(frame))) => self.ahead.extend(frame.into_data().ok()),
                Poll::Ready(None) | Poll::Pending => break,
            }
            if !is_driven {
                // The connection's task reads on only once its last piece is taken.
                tokio::task::yield_now().await;
            }
        }
        if self.incoming.is_end_stream() {
            self.is_read();
        }
        Ok(self)
    }

    /// The next frame, and whether it is read from here that the connection is driven.
    fn poll_incoming(&mut self, context: &mut Context<'_>) -> (Poll<Option<hyper::Result<Frame<Bytes>>>>, bool) {
        let Some(held) = &mut self.held else { return (Pin::new(&mut self.incoming).poll_frame(context), false) };
        // What comes in between two looks comes from here: nobody else has to wake anybody.
        let mut aside = Context::from_waker(Waker::noop());
        let next = Pin::new(&mut self.incoming).poll_frame(&mut aside);
        if next.is_ready() {
            return (next, true);
        }
        let is_driven = held.drive(context);
        let next = Pin::new(&mut self.incoming).poll_frame(if is_driven { &mut aside } else { context });
        (next, is_driven)
    }

    fn is_read(&mut self) {
        if let Some(held) = &mut self.held {
            held.is_read();
        }
    }

    /// The next piece; `None` at the end. Trailers are dropped, or refused. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if let Some((deadline, limit)) = &mut self.deadline
            && !self.incoming.is_end_stream()
            && deadline.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Some(Err(BodyError::Late(*limit))));
        }
        if let Some(piece) = self.ahead.pop_front() {
            return Poll::Ready(Some(self.within(piece)));
        }
        loop {
            match self.poll_incoming(context).0 {
                Poll::Ready(None) => {
                    self.held = None;
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(BodyError::Broken(cause(&error))))),
                Poll::Ready(Some(Ok(frame))) => {
                    self.timer = None;
                    let frame = frame.into_data();
                    if let Some(min_rate) = &mut self.min_rate {
                        min_rate.came(frame.as_ref().map_or(0, Bytes::len), Instant::now());
                    }
                    if self.incoming.is_end_stream() {
                        self.is_read();
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
        let slow = self.min_rate.as_mut().map(|rate| (rate.wait(Instant::now()), BodyError::TooSlow(rate.rate())));
        let silent = (self.limit, BodyError::Stalled(self.limit));
        slow.filter(|(limit, _)| *limit < self.limit).unwrap_or(silent)
    }

    fn within(&mut self, piece: Bytes) -> Result<Bytes, BodyError> {
        self.left = self.left.checked_sub(piece.len() as u64).ok_or(BodyError::TooLarge)?;
        Ok(piece)
    }

    /// Reads on until the end or until more than `limit` bytes are there.
    pub async fn collect(mut self, limit: u64) -> Collected {
        let mut read = Gathered::default();
        while let Some(next) = self.next().await {
            match next {
                Err(error) => return Collected::Failed(error),
                Ok(piece) => read.push(piece),
            }
            if read.len() > limit {
                return Collected::Larger(read.into_bytes(), self);
            }
        }
        Collected::Whole(read.into_bytes())
    }

    /// Reads on until the end, until more than `limit` bytes are there, until that moment, or while there is room. What was
    /// read counts among the answers under way for as long as anybody has it.
    pub async fn collect_until(mut self, limit: u64, end: Instant, mut receipt: Receipt) -> Collected {
        let expected = self.exact_length().filter(|length| *length <= limit).unwrap_or(0);
        let mut read = Gathered::expecting(usize::try_from(expected).unwrap_or(0));
        loop {
            match timeout_at(end, self.next()).await {
                Err(_) => return Collected::Slow(receipt.seal(read.into_bytes()), self),
                Ok(None) => return Collected::Whole(receipt.seal(read.into_bytes())),
                Ok(Some(Err(error))) => return Collected::Failed(error),
                Ok(Some(Ok(piece))) => read.push(piece),
            }
            if read.len() > limit {
                return Collected::Larger(receipt.seal(read.into_bytes()), self);
            }
            // Whoever waits for the end does not wait for room beyond it.
            match timeout_at(end, receipt.reach(usize::try_from(read.len()).unwrap_or(usize::MAX))).await {
                Err(_) => return Collected::Slow(receipt.seal(read.into_bytes()), self),
                Ok(false) => return Collected::NoRoom(receipt.seal(read.into_bytes()), self),
                Ok(true) => {}
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
    /// As many bytes of answers are under way as may be: what was read and the rest.
    NoRoom(Bytes, Timed),
    /// It ended before it was whole.
    Failed(BodyError),
}

/// What was read so far. One piece is kept as it is; of several the bytes are copied, so that many small ones cost what
/// they are long and no more.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    first: Bytes,
    all: Vec<u8>,
    expected: usize,
}

impl Gathered {
    /// Of a body that is so long, as far as is known: that much room is made once, where growing would take twice as much.
    pub(super) fn expecting(bytes: usize) -> Self {
        Self { expected: bytes, ..Self::default() }
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        if self.all.is_empty() {
            if self.first.is_empty() {
                self.first = piece;
                return;
            }
            self.all.reserve_exact(self.expected);
            self.all.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.all.extend_from_slice(&piece);
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> u64 {
        (self.first.len() + self.all.len()) as u64
    }

    pub(super) fn into_bytes(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_back_in_one() {
        for pieces in [&[][..], &["a"], &["", "a"], &["a", "b", "", "c"]] {
            let mut gathered = Gathered::default();
            for piece in pieces {
                gathered.push(Bytes::from_static(piece.as_bytes()));
            }
            assert_eq!(gathered.len(), pieces.concat().len() as u64);
            assert_eq!(gathered.into_bytes(), pieces.concat());
        }
    }

    #[test]
    fn what_is_expected_takes_no_more_room_than_it_is_long() {
        let mut gathered = Gathered::expecting(1000);
        for _ in 0..100 {
            gathered.push(Bytes::from_static(b"ten bytes."));
        }
        assert_eq!((gathered.all.len(), gathered.all.capacity()), (1000, 1000));
    }

    #[test]
    fn a_million_pieces_cost_what_they_are_long() {
        let mut gathered = Gathered::default();
        for _ in 0..1_000_000 {
            gathered.push(Bytes::from_static(b"x"));
        }
        assert!(gathered.all.capacity() <= 2 << 20);
    }
}
