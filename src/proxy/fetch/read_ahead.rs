//! A body that is handed on as it comes, and put once it is whole: read ahead of a slow client.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use crate::body::{BodyError, Relaying, Timed};
use crate::budget::{Budget, Receipt};

/// A body on its way, and who takes it.
pub(super) struct ReadAhead {
    body: Timed,
    relaying: Relaying,
    read: u64,
    room: Room,
}

/// How far may be read ahead: as long as there is room among all answers, and among those of its client's connection.
pub(super) struct Room {
    receipt: Receipt,
    share: Option<Arc<Budget>>,
}

impl Room {
    pub(super) fn of(share: Option<Arc<Budget>>, answers: &Arc<Budget>) -> Self {
        Self { receipt: answers.charge(0), share }
    }

    async fn reaches(&mut self, bytes: u64) -> bool {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        // What is read ahead counts with all that its client has taken already: those who have yet to begin go first.
        let found = self.share.as_ref().is_none_or(|share| share.has_room(bytes, 0))
            && self.receipt.reach(bytes).await
            && self.receipt.leaves_room();
        if !found {
            self.receipt.cover(bytes);
        }
        found
    }
}

/// What came of reading on.
pub(super) enum Ahead {
    /// All of it is there.
    Whole(Bytes),
    /// There is more than was to be read, or than there is room for.
    Larger,
    /// There is more, and the time is over.
    Slow,
    /// It broke off.
    Failed(BodyError),
}

impl ReadAhead {
    /// Hands on what was read of a body already, and then what comes.
    pub(super) fn new(relaying: Relaying, ahead: &Bytes, body: Timed, mut room: Room) -> Self {
        if !ahead.is_empty() {
            relaying.push(ahead);
        }
        room.receipt.cover(ahead.len());
        Self { body, relaying, read: ahead.len() as u64, room }
    }

    /// Reads on until the end, until more than `limit` bytes are there in all, while there is room, or until that moment.
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
                    // Whoever waits for the end does not wait for room beyond it.
                    match timeout_at(end, self.room.reaches(self.read)).await {
                        Err(_) => return Ahead::Slow,
                        Ok(false) => return Ahead::Larger,
                        Ok(true) => {}
                    }
                }
            }
        }
    }

    /// Tells the receiver what comes after what was read: nothing, the rest, or that it broke off. What was whole and is
    /// `stored` it has from there.
    pub(super) fn end(self, ahead: Ahead, stored: Option<&Bytes>) {
        let receipt = self.room.receipt;
        match ahead {
            Ahead::Whole(_) => self.relaying.end(stored, receipt),
            Ahead::Larger | Ahead::Slow => self.relaying.rest(self.body, receipt),
            Ahead::Failed(error) => self.relaying.fail(error, receipt),
        }
    }
}
