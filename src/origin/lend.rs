//! A body lent to the HTTP client: it comes back if not a byte of it was asked for, as when no connection could be
//! opened, and can then be sent elsewhere.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::body::Body;
use super::body_error::BodyError;

/// The body as the HTTP client has it.
#[derive(Debug)]
pub(super) struct Lent {
    body: Body,
    back: Option<Arc<Mutex<Body>>>,
}

/// Where it comes back to.
#[derive(Debug)]
pub(super) struct Returned(Option<Arc<Mutex<Body>>>);

/// Lends a body. An empty one is not worth the trouble: what comes back is as empty.
pub(super) fn lend(body: Body) -> (Lent, Returned) {
    let back = (!matches!(body, Body::Empty)).then(|| Arc::new(Mutex::new(Body::Empty)));
    (Lent { body, back: back.clone() }, Returned(back))
}

impl Returned {
    /// The body, if the client is done with it and has not begun to read it; else none.
    pub(super) fn take(self) -> Body {
        let Some(back) = self.0 else { return Body::Empty };
        std::mem::take(&mut *back.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(back) = self.back.take() {
            *back.lock().unwrap_or_else(PoisonError::into_inner) = std::mem::take(&mut self.body);
        }
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
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
    use super::*;

    #[test]
    fn a_body_that_nobody_read_comes_back() {
        let (lent, returned) = lend(Body::full("x"));
        drop(lent);
        assert!(matches!(returned.take(), Body::Full(bytes) if bytes == "x"));
    }

    #[test]
    fn a_body_that_was_read_does_not() {
        let (mut lent, returned) = lend(Body::full("x"));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut lent).poll_frame(&mut context).is_ready());
        drop(lent);
        assert!(matches!(returned.take(), Body::Empty));
    }
}
