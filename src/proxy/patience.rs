//! How long somebody waits for somebody else's answer: for its head, and for its body after that.

use std::time::Duration;

/// How long after its head a body is waited for: by those who follow its fetch, and by its own client where more can be
/// made of an answer that is whole. What is not there by then may be a stream, whatever its type says.
///
/// An answer that an API has made comes along with its head, or a few milliseconds later; who reads a stream notices a
/// delay of more than half a second, of which the origin needs a part as well.
pub(super) const MOMENT: Duration = Duration::from_millis(250);

/// The same for who has waited a moment for somebody else's in vain: enough for a body that comes along with its head.
pub(super) const SHORT_MOMENT: Duration = Duration::from_millis(25);

/// How long a follower waits for the head of the answer that was fetched before: the first few until `first` is over, and
/// each `step` later as many more as are at the origin by then. So an origin that is merely slow is not run down, and one
/// that answers each client by itself, as a long poll does, has them all soon.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    first: Duration,
    step: Duration,
    /// How many go to the origin first, besides as many that waited for nobody.
    few: usize,
}

/// Where nobody knows yet whether the answer is for all. Longer than most answers take; a long poll takes longer.
pub(super) const UNSURE: Patience =
    Patience { first: Duration::from_millis(750), step: Duration::from_millis(500), few: 8 };

/// Where a route says that it is, or an answer was stored before: then more requests would make a slow origin slower. One
/// more every now and then finds the way past a connection that hangs.
pub(super) const SURE: Patience = Patience { first: Duration::from_secs(5), step: Duration::from_secs(5), few: 1 };

impl Patience {
    /// How long after the fetch began the follower with this number waits; the first one is 1.
    pub(super) fn of(self, number: usize) -> Duration {
        self.first + self.step * (number / self.few).max(1).ilog2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of a thousand are at the origin after so many milliseconds, the first of all among them.
    fn at_the_origin(patience: Patience, millis: u64) -> usize {
        1 + (1..1000).filter(|number| patience.of(*number) <= Duration::from_millis(millis)).count()
    }

    #[test]
    fn twice_as_many_with_every_step() {
        for (patience, figures) in [
            (UNSURE, [(749, 1), (750, 16), (1_250, 32), (2_000, 64), (3_000, 256), (3_750, 1000)]),
            (SURE, [(4_999, 1), (5_000, 2), (10_000, 4), (15_000, 8), (29_999, 32), (30_000, 64)]),
        ] {
            for (millis, count) in figures {
                assert_eq!(at_the_origin(patience, millis), count, "{patience:?} after {millis} ms");
            }
        }
    }
}
