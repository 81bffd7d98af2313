//! The answer to one request, on its way from the handler to the HTTP library.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::Response;

use super::activity::Answering;
use crate::body::Body;
use crate::handler::Handled;

/// An answer that is there or comes later, and what is to be done with it. Small in either case, since the library moves it
/// for each request.
///
/// That is done only where the library asks for the answer: on HTTP/2 in the stream's own task.
pub(super) struct Answer<F>(Option<(Handled, F)>);

impl<F: FnOnce(Response<Body>) -> Response<Answering>> Answer<F> {
    pub(super) fn new(handled: Handled, then: F) -> Self {
        Self(Some((handled, then)))
    }
}

impl<F: FnOnce(Response<Body>) -> Response<Answering> + Unpin> Future for Answer<F> {
    type Output = Result<Response<Answering>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some((handled, _)) = &mut self.0
            && let Handled::Later(later) = handled
        {
            *handled = Handled::Now(ready!(later.as_mut().poll(context)));
        }
        match self.0.take() {
            Some((Handled::Now(answer), then)) => Poll::Ready(Ok(then(answer))),
            // Whoever asks once more has had the answer.
            Some((Handled::Later(_), _)) | None => Poll::Pending,
        }
    }
}
