//! A body that is handed on as it comes, and kept once it is whole: read ahead of a slow client.

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use crate::origin::{BodyError, Relaying, Timed};

/// A body on its way, and who takes it.
pub(super) struct ReadAhead {
    body: Timed,
    relaying: Relaying,
    read: u64,
}

/// What came of reading on.
pub(super) enum Ahead {
    /// All of it is there.
    Whole(Bytes),
    /// There is more than was to be read.
    Larger,
    /// There is more, and the time is over.
    Slow,
    /// It broke off.
    Failed(BodyError),
}

impl ReadAhead {
    /// Hands on what was read of a body already, and then what comes.
    pub(super) fn new(relaying: Relaying, ahead: &Bytes, body: Timed) -> Self {
        if !ahead.is_empty() {
            relaying.push(ahead);
        }
        Self { body, relaying, read: ahead.len() as u64 }
    }

    /// Reads on until the end, until more than `limit` bytes are there in all, or until that moment.
    pub(super) async fn until(&mut self, limit: u64, end: Instant) -> Ahead {
        loop {
            match timeout_at(end, self.body.next()).await {
                Err(_) => return Ahead::Slow,
                Ok(None) => return Ahead::Whole(self.relaying.whole()),
                Ok(Some(Err(error))) => return Ahead::Failed(error),
                Ok(Some(Ok(piece))) => {
                    self.read += piece.len() as u64;
                    self.relaying.push(&piece);
                    if self.read > limit {
                        return Ahead::Larger;
                    }
                }
            }
        }
    }

    /// Tells the receiver what comes after what was read: nothing, the rest, or that it broke off.
    pub(super) fn end(self, ahead: Ahead) {
        match ahead {
            Ahead::Whole(_) => self.relaying.end(),
            Ahead::Larger | Ahead::Slow => self.relaying.rest(self.body),
            Ahead::Failed(error) => self.relaying.fail(error),
        }
    }
}
