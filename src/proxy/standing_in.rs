//! Tells the log when stored answers begin to stand in for an origin in trouble, and when they no longer do: once a route.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Millis;
use crate::fields::{CacheStatus, Detail};
use crate::rules::Route;
use crate::telemetry::{Ended, Episode};

/// The routes for which stale answers stand in, with the name of each; the empty name is for paths without a route.
#[derive(Debug, Default)]
pub(super) struct StandingIn {
    /// Whether there are any, so that most answers need no lock.
    any: AtomicBool,
    routes: Mutex<HashMap<Arc<str>, Episode>>,
}

/// What is news.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Begins,
    Ends(Ended),
}

impl StandingIn {
    /// Looks at an answer to a read.
    pub(super) fn note(&self, route: Option<&Route>, status: &CacheStatus, ticks: Millis) {
        let name = || route.map_or_else(|| Arc::from(""), |route| Arc::clone(&route.name));
        let shown = route.map_or("paths without a route", |route| &*route.name);
        match self.news(name, status, ticks) {
            None => {}
            Some(News::Begins) => tracing::warn!(
                origin_status = status.forward_status,
                "the origin fails for {shown}: stored answers that are too old stand in for its own (stale-if-error)"
            ),
            Some(News::Ends(ended)) => {
                tracing::info!("the origin answers for {shown} again; a stored answer stood in {ended}");
            }
        }
    }

    fn news(&self, name: impl Fn() -> Arc<str>, status: &CacheStatus, ticks: Millis) -> Option<News> {
        if status.detail == Some(Detail::StaleIfError) {
            let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
            self.any.store(true, Ordering::Relaxed);
            return routes.entry(name()).or_default().met(ticks).then_some(News::Begins);
        }
        let answered = status.forward_status.is_some_and(|status| status < 500);
        if !answered || !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let name = name();
        let ended = routes.get(&name)?.is_over(ticks)?;
        routes.remove(&name);
        self.any.store(!routes.is_empty(), Ordering::Relaxed);
        Some(News::Ends(ended))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_route_is_told_of_when_it_begins_and_when_it_is_over() {
        let standing_in = StandingIn::default();
        let stale = CacheStatus { detail: Some(Detail::StaleIfError), ..CacheStatus::default() };
        let answered = |status| CacheStatus { forward_status: Some(status), ..CacheStatus::default() };
        let note = |name: &str, status: &CacheStatus, ticks| standing_in.news(|| name.into(), status, ticks);
        assert_eq!(note("a", &answered(200), 1), None);
        assert_eq!(note("a", &stale, 2), Some(News::Begins));
        assert_eq!(note("a", &stale, 3), None);
        assert_eq!(note("b", &stale, 4), Some(News::Begins));
        assert_eq!(note("a", &answered(200), 5_000), None, "it may fail again at once");
        for idle in [answered(503), CacheStatus { hit: true, ..CacheStatus::default() }] {
            assert_eq!(note("a", &idle, 20_000), None);
        }
        let ended = |times, lasted| Some(News::Ends(Ended { times, lasted: Duration::from_millis(lasted) }));
        assert_eq!(note("a", &answered(404), 20_000), ended(2, 1));
        assert_eq!(note("a", &answered(200), 20_000), None);
        assert_eq!(note("b", &answered(200), 20_000), ended(1, 0));
        assert_eq!(note("b", &stale, 20_001), Some(News::Begins));
    }
}
