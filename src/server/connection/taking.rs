//! How a client takes one stream's answer. On HTTP/2 it may leave one stream's window closed and go on with others, so
//! the connection's own timers do not see it: each stream has its own.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use hyper::rt::Executor;
use tokio::time::sleep;

tokio::task_local! {
    /// The stream that the running task serves.
    static STREAM: Arc<Taking>;
}

/// Which piece of an answer waits for the client.
#[derive(Debug, Default)]
pub(super) struct Taking {
    /// How many pieces were handed over so far.
    pieces: AtomicU64,
    /// The number of the piece that the client has yet to take; 0 while the answer itself is waited for.
    waiting: AtomicU64,
}

impl Taking {
    /// That of the running task's stream; `None` on HTTP/1.
    pub(super) fn of_this_stream() -> Option<Arc<Self>> {
        STREAM.try_with(Arc::clone).ok()
    }

    /// The body was asked for its next piece, and had one (or none any more) or not.
    pub(super) fn told(&self, handed_over: bool) {
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
        let taking = Arc::new(Taking::default());
        tokio::spawn(STREAM.scope(Arc::clone(&taking), async move {
            tokio::select! {
                biased;
                () = stream => {}
                () = taking.stalled(limit) => tracing::debug!(?limit, "a stream was reset: its client took nothing"),
            }
        }));
    }
}
