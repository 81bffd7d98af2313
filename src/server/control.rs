//! What of a running server can be changed, and seen, while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::files;
use super::settings::{Http2, ServerSettings};
use super::tls::Certificate;
use crate::clock::{Clock, Millis};

/// A running server, as whoever has started it steers it.
#[derive(Clone, Debug)]
pub struct ServerControl {
    pub(super) settings: Arc<ArcSwap<ServerSettings>>,
    pub(super) certificate: Option<Arc<Certificate>>,
    pub(super) places: Arc<Places>,
    /// For each core when it was alive last.
    pub(super) beats: Arc<[AtomicU64]>,
}

/// How many clients may be connected at once.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) free: Arc<Semaphore>,
    all: AtomicU64,
}

/// How often a core says that it is alive.
const BEAT: Duration = Duration::from_millis(500);

impl ServerControl {
    /// Other settings for whoever connects from now on. What the server listens on, whether it speaks TLS there and how many
    /// cores it has stays as it is. The files of the certificate are read again; bad ones change nothing but a line in the log.
    /// `upstream` is how many files what answers may open. To be called within a runtime, by one at a time.
    pub fn change(&self, settings: &ServerSettings, upstream: usize) {
        if let (Some(certificate), Some(tls)) = (&self.certificate, &settings.tls) {
            certificate.change(tls.clone(), settings.http2 != Http2::Off);
        }
        self.places.resize(files::connections(settings.max_connections, upstream));
        let now = self.settings.load();
        let (listen, cores, tls) = (now.listen.clone(), now.cores, now.tls.clone());
        let tls = settings.tls.clone().filter(|_| tls.is_some()).or(tls);
        self.settings.store(Arc::new(ServerSettings { listen, tls, cores, ..settings.clone() }));
    }

    /// For how long at the most a core has not been heard of: it hangs, or has too much to do.
    pub fn silence(&self) -> Duration {
        let now = Clock::System.ticks();
        let longest = self.beats.iter().map(|beat| now.saturating_sub(beat.load(Ordering::Relaxed))).max();
        Duration::from_millis(longest.unwrap_or(0))
    }

    /// Says that this core is alive, for as long as it runs.
    pub(super) async fn beat(beats: Arc<[AtomicU64]>, core: usize) {
        while let Some(beat) = beats.get(core) {
            beat.store(Clock::System.ticks(), Ordering::Relaxed);
            sleep(BEAT).await;
        }
    }

    /// As if all cores had just been heard of.
    pub(super) fn beats(cores: usize) -> Arc<[AtomicU64]> {
        let now: Millis = Clock::System.ticks();
        (0..cores).map(|_| AtomicU64::new(now)).collect()
    }
}

impl Places {
    pub(super) fn new(count: usize) -> Self {
        let all = count.min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(all)), all: AtomicU64::new(all as u64) }
    }

    /// Makes them so many. Whoever is connected stays; where that are too many, the first places that are given back go.
    fn resize(&self, count: usize) {
        let wanted = count.min(Semaphore::MAX_PERMITS);
        let all = usize::try_from(self.all.swap(wanted as u64, Ordering::Relaxed)).unwrap_or(usize::MAX);
        self.free.add_permits(wanted.saturating_sub(all));
        let surplus = all.saturating_sub(wanted);
        let taken = surplus - self.free.forget_permits(surplus);
        if taken > 0 {
            let free = Arc::clone(&self.free);
            tokio::spawn(async move {
                for _ in 0..taken {
                    let Ok(place) = free.acquire().await else { return };
                    place.forget();
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_become_more_at_once_and_fewer_as_they_are_given_back() {
        let places = Places::new(2);
        let both = Arc::clone(&places.free).acquire_many_owned(2).await.unwrap();
        places.resize(1);
        tokio::task::yield_now().await;
        drop(both);
        tokio::task::yield_now().await;
        assert_eq!(places.free.available_permits(), 1);
        places.resize(3);
        assert_eq!(places.free.available_permits(), 3);
        places.resize(0);
        assert_eq!(places.free.available_permits(), 0);
    }

    #[test]
    fn a_core_that_is_not_heard_of_is_silent() {
        let beats = ServerControl::beats(2);
        let control = ServerControl {
            settings: Arc::new(ArcSwap::from_pointee(ServerSettings::default())),
            certificate: None,
            places: Arc::new(Places::new(1)),
            beats: Arc::clone(&beats),
        };
        assert!(control.silence() < Duration::from_secs(1));
        beats[1].store(Clock::System.ticks().saturating_sub(5_000), Ordering::Relaxed);
        assert!(control.silence() >= Duration::from_secs(4) || Clock::System.ticks() < 5_000);
    }
}
