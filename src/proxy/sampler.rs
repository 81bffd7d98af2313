//! Which hits of a core are compared: a share of them, drawn by lot so that no rhythm of the clients' is met.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::verify::VerifySettings;

/// The lots of one core. Where nothing is compared it costs a hit two loads of what no other core writes.
#[derive(Debug)]
pub(super) struct Sampler {
    /// Lots below this are drawn; 0 for none.
    below: u64,
    shadow: bool,
    state: AtomicU64,
}

impl Sampler {
    pub(super) fn of(settings: &VerifySettings) -> Self {
        let share = settings.sample.clamp(0.0, 1.0);
        // Of 2^32 lots.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 2^32")]
        let below = if settings.shadow { 0 } else { (share * f64::from(u32::MAX)).ceil() as u64 };
        let below = if share >= 1.0 && !settings.shadow { 1 << 32 } else { below };
        let seed = getrandom::u64().unwrap_or(0) | 1;
        Self { below, shadow: settings.shadow, state: AtomicU64::new(seed) }
    }

    /// Whether nothing is served from the store.
    pub(super) fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// Whether this hit is compared.
    pub(super) fn draws(&self) -> bool {
        if self.below == 0 {
            return false;
        }
        // One core draws, so nothing is lost between the two.
        let mut lot = self.state.load(Ordering::Relaxed);
        lot ^= lot << 13;
        lot ^= lot >> 7;
        lot ^= lot << 17;
        self.state.store(lot, Ordering::Relaxed);
        (lot >> 32) < self.below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(sample: f64, shadow: bool) -> usize {
        let sampler = Sampler::of(&VerifySettings { sample, shadow, ..VerifySettings::default() });
        (0..100_000).filter(|_| sampler.draws()).count()
    }

    #[test]
    fn as_many_are_drawn_as_the_share_says() {
        assert_eq!((drawn(0.0, false), drawn(1.0, false), drawn(1.0, true)), (0, 100_000, 0));
        assert!((800..1_200).contains(&drawn(0.01, false)));
        assert!((49_000..51_000).contains(&drawn(0.5, false)));
    }
}
