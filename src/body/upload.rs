//! How far a request's body is on its way to the origin: whom its sending waits for.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Whom an upload waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// The client, for the next piece; how long it may be silent is the body's own limit.
    Client,
    /// The origin, to take what is there.
    Origin,
}

/// The body's side: told by a stream as it is read; dropped with the stream, which is when all of it is sent.
#[derive(Debug)]
pub(super) struct Progress(watch::Sender<Waiting>);

/// The side of the one who waits for the answer.
#[derive(Debug)]
pub struct Upload(watch::Receiver<Waiting>);

pub(super) fn upload() -> (Progress, Upload) {
    let (tell, told) = watch::channel(Waiting::Origin);
    (Progress(tell), Upload(told))
}

impl Progress {
    /// A piece is handed on.
    pub(super) fn piece(&self) {
        self.0.send_replace(Waiting::Origin);
    }

    /// Nothing is there to be handed on.
    pub(super) fn nothing(&self) {
        self.0.send_if_modified(|waiting| std::mem::replace(waiting, Waiting::Client) == Waiting::Origin);
    }
}

impl Upload {
    /// Returns when the origin has been silent for `limit`: has taken no further piece of the body, or, once it had all
    /// of it, has not answered. The time that the client takes does not count.
    pub async fn origin_silent_for(mut self, limit: Duration) {
        loop {
            let waiting = *self.0.borrow_and_update();
            let changed = match waiting {
                Waiting::Client => self.0.changed().await,
                Waiting::Origin => match timeout(limit, self.0.changed()).await {
                    Ok(changed) => changed,
                    Err(_) => return,
                },
            };
            if changed.is_err() {
                return sleep(limit).await;
            }
        }
    }
}
