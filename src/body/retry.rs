//! A body lent to the HTTP client: it comes back if not a byte of it was asked for, as when no connection could be
//! opened, and can then be sent elsewhere.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// The body as the HTTP client has it.
#[derive(Debug)]
pub struct RetryBody<B: Default> {
    body: B,
    back: Option<Arc<Mutex<B>>>,
}

/// Where it comes back to.
#[derive(Debug)]
pub struct Returned<B>(Option<Arc<Mutex<B>>>);

impl<B: HttpBody + Default> RetryBody<B> {
    /// Lends a body. An empty one is not worth the trouble: what comes back is as empty.
    pub fn lend(body: B) -> (Self, Returned<B>) {
        let back = (!body.is_end_stream()).then(|| Arc::new(Mutex::new(B::default())));
        (Self { body, back: back.clone() }, Returned(back))
    }
}

impl<B: Default> Returned<B> {
    /// The body, if the client is done with it and has not begun to read it; else none.
    pub fn take(self) -> B {
        let Some(back) = self.0 else { return B::default() };
        std::mem::take(&mut *back.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<B: Default> Drop for RetryBody<B> {
    fn drop(&mut self) {
        if let Some(back) = self.back.take() {
            *back.lock().unwrap_or_else(PoisonError::into_inner) = std::mem::take(&mut self.body);
        }
    }
}

impl<B: HttpBody + Default + Unpin> HttpBody for RetryBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.back = None;
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Body;
    use super::*;

    #[test]
    fn a_body_that_nobody_read_comes_back() {
        let (lent, returned) = RetryBody::lend(Body::full("x"));
        drop(lent);
        assert!(matches!(returned.take(), Body::Full(bytes) if bytes == "x"));
    }

    #[test]
    fn a_body_that_was_read_does_not() {
        let (mut lent, returned) = RetryBody::lend(Body::full("x"));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut lent).poll_frame(&mut context).is_ready());
        drop(lent);
        assert!(matches!(returned.take(), Body::Empty));
    }
}
