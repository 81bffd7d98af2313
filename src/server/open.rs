//! The connections of one listener that are open, and which of them makes room where no more may be.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};

use super::connection::Activity;

/// Connections that are being served.
pub(super) struct Open {
    tasks: JoinSet<()>,
    /// Those that may have to make room; nobody else is noted.
    known: Vec<Known>,
    notes: bool,
}

/// One that may have to make room.
struct Known {
    task: AbortHandle,
    activity: Arc<Activity>,
}

/// For how long a connection has to have asked nothing before it makes room: a request may be right behind it, and whoever
/// connects again at once is not let in more often than that.
pub(super) const ROOM_AFTER: Duration = Duration::from_millis(10);

impl Open {
    /// None yet. `make_room` is whether [`Open::make_room`] will be asked.
    pub(super) fn new(make_room: bool) -> Self {
        Self { tasks: JoinSet::new(), known: Vec::new(), notes: make_room }
    }

    /// Serves one more.
    pub(super) fn serve(&mut self, activity: &Arc<Activity>, serving: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(serving);
        if self.notes {
            self.known.push(Known { task, activity: Arc::clone(activity) });
        }
    }

    /// Resolves when one has ended; `None` where there is none.
    pub(super) async fn ended(&mut self) -> Option<()> {
        self.tasks.join_next().await?.ok();
        self.known.retain(|known| !known.task.is_finished());
        Some(())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Closes the one that has asked nothing for the longest time: silent, or with a part of a head, or between two requests;
    /// else one whose client takes nothing of its answer. Those with a request under way stay. Where there is none that has
    /// been so for [`ROOM_AFTER`], the next answer is the last one on the connection that was asked on for the longest: so
    /// nobody keeps others out by never ceasing to ask.
    pub(super) fn make_room(&mut self) {
        let may_go = |known: &Known| {
            let Known { task, activity } = known;
            let (blocked, since) = (activity.is_blocked(), activity.idle_since());
            let asks = activity.is_busy() && !blocked;
            (!asks && since.elapsed() >= ROOM_AFTER && !task.is_finished()).then_some((blocked, since))
        };
        let longest = self.known.iter().enumerate().filter_map(|(index, known)| Some((may_go(known)?, index))).min();
        if let Some((_, index)) = longest {
            self.known.swap_remove(index).task.abort();
        } else {
            let may_end = |known: &&Known| !known.task.is_finished() && !known.activity.answers_last();
            let oldest = self.known.iter().filter(may_end).min_by_key(|known| known.activity.accepted());
            if let Some(known) = oldest {
                known.activity.make_answers_last();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn where_all_go_on_asking_the_longest_open_is_told_to_end_and_the_longest_idle_goes() {
        let mut open = Open::new(true);
        let mut connections = Vec::new();
        for _ in 0..3 {
            let activity = Activity::new();
            open.serve(&activity, pending());
            connections.push(activity);
            advance(Duration::from_millis(20)).await;
        }
        let last = |connections: &[Arc<Activity>]| -> Vec<bool> {
            connections.iter().map(|activity| activity.answers_last()).collect()
        };
        for told in [[true, false, false], [true, true, false], [true; 3], [true; 3]] {
            // Each of them has just been answered.
            for activity in &connections {
                activity.asks_nothing();
            }
            open.make_room();
            assert_eq!((last(&connections), open.known.len()), (told.to_vec(), 3));
        }
        advance(ROOM_AFTER).await;
        open.make_room();
        assert_eq!((open.known.len(), open.ended().await), (2, Some(())));
    }
}
