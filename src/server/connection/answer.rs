//! One answer's way from the handler to the client: handed to the HTTP library, sent piece by piece, and given up where the
//! client takes nothing of it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::time::sleep;

use super::activity::UnderWay;
use crate::body::{Body, BodyError};
use crate::handler::Handled;

/// An answer that is there or comes later, and what is to be done with it. Small in either case, since the library moves it
/// for each request.
///
/// That is done only where the library asks for the answer: on HTTP/2 in the stream's own task.
pub(super) struct Answer<F>(Option<(Handled, F)>);

impl<F: FnOnce(Response<Body>) -> Response<AnswerBody>> Answer<F> {
    pub(super) fn new(handled: Handled, then: F) -> Self {
        Self(Some((handled, then)))
    }
}

impl<F: FnOnce(Response<Body>) -> Response<AnswerBody> + Unpin> Future for Answer<F> {
    type Output = Result<Response<AnswerBody>, Infallible>;

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

/// An answer's body on its way to the client: its request is under way until all of it is handed over.
#[derive(Debug)]
pub(super) struct AnswerBody {
    body: Body,
    /// Told of every piece, where the stream has a stall timer of its own.
    stall: Option<Arc<StreamStall>>,
    _under_way: UnderWay,
}

impl AnswerBody {
    /// The body of the answer to a request.
    pub(super) fn of(under_way: UnderWay, body: Body) -> Self {
        Self { body, stall: StreamStall::of_this_stream(), _under_way: under_way.answered() }
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let next = Pin::new(&mut self.body).poll_frame(context);
        if let Some(stall) = &self.stall {
            stall.note(next.is_ready());
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

tokio::task_local! {
    /// That of the stream which the running task serves.
    static STREAM: Arc<StreamStall>;
}

/// Which piece of one stream's answer waits for the client. On HTTP/2 a client may leave one stream's window closed and go
/// on with others, so the connection's own timers do not see it: each stream has its own.
#[derive(Debug, Default)]
struct StreamStall {
    /// How many pieces were handed over so far.
    pieces: AtomicU64,
    /// The number of the piece that the client has yet to take; 0 while the answer itself is waited for.
    waiting: AtomicU64,
}

impl StreamStall {
    /// That of the running task's stream; `None` on HTTP/1.
    fn of_this_stream() -> Option<Arc<Self>> {
        STREAM.try_with(Arc::clone).ok()
    }

    /// The body was asked for its next piece, and had one (or none any more) or not.
    fn note(&self, handed_over: bool) {
        let waiting = if handed_over { self.pieces.fetch_add(1, Relaxed) + 1 } else { 0 };
        self.waiting.store(waiting, Relaxed);
    }

    /// Returns when the client has not taken a piece for `limit`. To be polled after the stream in the same task.
    async fn stalled(&self, limit: Duration) {
        let mut timer = pin!(None);
        let mut piece = 0;
        std::future::poll_fn(|context| {
            let waiting = self.waiting.load(Relaxed);
            if waiting == 0 {
                timer.set(None);
            } else if piece != waiting || timer.is_none() {
                timer.set(Some(sleep(limit)));
            }
            piece = waiting;
            match timer.as_mut().as_pin_mut() {
                Some(timer) => timer.poll(context),
                None => Poll::Pending,
            }
        })
        .await;
    }
}

/// Runs each stream of a connection in a task of its own, and gives it up when its client takes nothing for `limit`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streams {
    pub(super) limit: Duration,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let limit = self.limit;
        let stall = Arc::new(StreamStall::default());
        tokio::spawn(STREAM.scope(Arc::clone(&stall), async move {
            tokio::select! {
                biased;
                () = stream => {}
                () = stall.stalled(limit) => tracing::debug!(?limit, "a stream was reset: its client took nothing"),
            }
        }));
    }
}
