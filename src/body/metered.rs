//! A body on its way to a client of HTTP/2, where many wait side by side: in small pieces, each of which counts for the
//! connection until it is sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::error::BodyError;
use crate::budget::{Budget, Receipt};

/// The most that is handed over at once: what an HTTP/2 frame holds. The library keeps this much, and its own buffer, of
/// an answer that nobody takes.
const PIECE: usize = 16 << 10;

/// So much of a large body's end is handed over as a copy: it may wait in the library's buffer for as long as the client
/// likes, and would keep all of the body in memory.
const TAIL: usize = 80 << 10;

/// A body in small pieces.
#[derive(Debug)]
pub struct Metered<B> {
    body: B,
    /// The rest of the piece that is being handed over.
    ahead: Bytes,
    share: Arc<Budget>,
    /// Covers that rest, and before its beginning a whole body.
    receipt: Receipt,
}

impl<B> Metered<B> {
    /// `receipt` covers what of it is there already.
    pub(super) fn new(body: B, share: Arc<Budget>, receipt: Receipt) -> Self {
        Self { body, ahead: Bytes::new(), share, receipt }
    }

    /// The next piece of what is at hand.
    fn piece(&mut self) -> Bytes {
        let piece = self.ahead.split_to(PIECE.min(self.ahead.len()));
        // Large was what has been cut to this size just now.
        if self.ahead.len() <= TAIL && self.ahead.len() + piece.len() > TAIL {
            self.ahead = Bytes::copy_from_slice(&self.ahead);
        }
        self.receipt.cover_portion(self.ahead.len());
        self.share.charge(piece.len()).seal(piece)
    }
}

impl<B: HttpBody<Data = Bytes, Error = BodyError> + Unpin> HttpBody for Metered<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let metered = self.get_mut();
        if metered.ahead.is_empty() {
            metered.ahead = match ready!(Pin::new(&mut metered.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => bytes,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            };
        }
        Poll::Ready(Some(Ok(Frame::data(metered.piece()))))
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.body.size_hint().exact() {
            Some(rest) => SizeHint::with_exact(rest + self.ahead.len() as u64),
            None => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Body;
    use super::*;

    fn metered(size: usize, share: &Arc<Budget>) -> Body {
        let bytes: Vec<u8> = (0..size).map(|byte| u8::try_from(byte % 251).unwrap()).collect();
        Body::full(bytes).metered(Arc::clone(share), None)
    }

    fn next(body: &mut Body) -> Option<Bytes> {
        match Pin::new(body).poll_frame(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(next) => next.map(|piece| piece.unwrap().into_data().unwrap()),
            Poll::Pending => unreachable!("all of it is there"),
        }
    }

    #[test]
    fn all_of_it_comes_in_small_pieces_and_says_its_length_and_its_end() {
        for size in [1, PIECE, PIECE + 1, TAIL, TAIL + 1, TAIL + PIECE, 1_000_000] {
            let mut body = metered(size, &Budget::new(1));
            let mut read = Vec::new();
            while !body.is_end_stream() {
                assert_eq!(body.size_hint().exact(), Some((size - read.len()) as u64));
                let piece = next(&mut body).unwrap();
                assert!(piece.len() <= PIECE);
                read.extend_from_slice(&piece);
            }
            assert!(next(&mut body).is_none());
            assert!(read.iter().enumerate().all(|(at, byte)| usize::from(*byte) == at % 251), "{size}");
            assert_eq!(read.len(), size);
        }
    }

    #[test]
    fn what_is_not_sent_counts_and_a_large_one_for_a_quarter_at_the_most() {
        let share = Budget::new(1 << 20);
        for (size, portion) in [(1 << 20, 1 << 18), (10_000, 10_000)] {
            let mut body = metered(size, &share);
            let rest = share.charge((1 << 20) - portion);
            assert!(!share.has_room(1, 0));
            let first = next(&mut body).unwrap();
            drop(rest);
            let rest = share.charge((1 << 20) - portion - if size > PIECE { first.len() } else { 0 });
            assert!(!share.has_room(1, 0), "what was handed over counts until it is sent");
            drop(first);
            assert!(share.has_room(1, 0));
            drop((rest, body));
        }
    }

    #[test]
    fn the_end_of_a_large_one_does_not_keep_all_of_it() {
        let bytes = Bytes::from(vec![0; 1 << 20]);
        let mut body = Body::full(bytes.clone()).metered(Budget::new(1), None);
        let mut waiting = Vec::new();
        while let Some(piece) = next(&mut body) {
            waiting.push(piece);
            waiting.drain(..waiting.len().saturating_sub(TAIL / PIECE));
        }
        assert_eq!(waiting.iter().map(Bytes::len).sum::<usize>(), TAIL);
        assert!(bytes.is_unique());
    }
}
