//! A request's body on its way to the origin: whom its sending waits for, and how slowly a client may send it. Only the time
//! spent waiting for the client counts there, never what the origin takes.

use std::num::NonZeroU64;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

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

/// How long a client may be slower at a stretch, as at the beginning of its body.
const GRACE: Duration = Duration::from_secs(10);

/// The least rate of a client's body: a credit of time that waiting spends and bytes earn, never more than [`GRACE`]. So nobody can send a
/// megabyte at once and then drip for an hour.
#[derive(Debug)]
pub(super) struct MinRate {
    rate: NonZeroU64,
    credit: Duration,
    waiting_since: Option<Instant>,
}

impl MinRate {
    /// A body that has to come with at least so many bytes a second.
    pub(super) fn new(rate: NonZeroU64) -> Self {
        Self { rate, credit: GRACE, waiting_since: None }
    }

    /// The least rate in bytes a second.
    pub(super) fn rate(&self) -> NonZeroU64 {
        self.rate
    }

    /// To be told that nothing is there; comes back with how long it may be waited for since the first time it was.
    pub(super) fn wait(&mut self, now: Instant) -> Duration {
        self.waiting_since.get_or_insert(now);
        self.credit
    }

    /// To be told that so many bytes came.
    pub(super) fn came(&mut self, bytes: usize, now: Instant) {
        if let Some(since) = self.waiting_since.take() {
            self.credit = self.credit.saturating_sub(now.saturating_duration_since(since));
        }
        let earned = (bytes as u64).saturating_mul(1_000_000_000) / self.rate;
        self.credit = self.credit.saturating_add(Duration::from_nanos(earned)).min(GRACE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn min_rate() -> (MinRate, Instant) {
        (MinRate::new(NonZeroU64::new(100).unwrap()), Instant::now())
    }

    #[test]
    fn waiting_spends_what_bytes_earn() {
        let (mut rate, start) = min_rate();
        assert_eq!(rate.wait(start), GRACE);
        assert_eq!(rate.wait(start + SECOND), GRACE, "counted from the first time");
        rate.came(0, start + 4 * SECOND);
        assert_eq!(rate.wait(start + 4 * SECOND), 6 * SECOND);
        rate.came(150, start + 5 * SECOND);
        assert_eq!(rate.wait(start + 5 * SECOND), SECOND * 13 / 2);
    }

    #[test]
    fn a_fast_beginning_buys_no_slow_end() {
        let (mut rate, start) = min_rate();
        rate.came(usize::MAX, start);
        assert_eq!(rate.wait(start), GRACE);
        rate.came(1, start + GRACE);
        assert_eq!(rate.wait(start + GRACE), SECOND / 100);
    }

    #[test]
    fn what_the_receiver_takes_is_not_counted() {
        let (mut rate, start) = min_rate();
        for second in 0..1000 {
            rate.came(1, start + second * SECOND);
        }
        assert_eq!(rate.wait(start + 1000 * SECOND), GRACE);
    }
}
