//! How much of the origin's time hits have saved: each as long as the fetches of its route have taken on the average so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::histogram::as_f64;
use super::totals::Totals;

/// What was saved by hits that have been accounted for. A hit itself only counts: how long its route's fetches take is known
/// where the figures of all cores are summed.
#[derive(Debug, Default)]
pub(super) struct Saved(BTreeMap<Arc<str>, RouteSaved>);

#[derive(Clone, Copy, Debug, Default)]
struct RouteSaved {
    hits: u64,
    seconds: f64,
}

impl Saved {
    /// Accounts for the hits since the last time and says how much all of them have saved. Hits of a route of which nothing
    /// was fetched yet wait for its first fetch. A hit for which the origin was asked all the same has saved nothing. Figures
    /// that are older than those before them say nothing new.
    pub(super) fn account(&mut self, totals: &mut Totals) {
        for (name, route) in &mut totals.routes {
            let saved = self.0.entry(Arc::clone(name)).or_default();
            if route.origin_fetches > 0 {
                let mean = route.origin_seconds / as_f64(route.origin_fetches);
                let hits = route.hits.saturating_sub(route.asked_besides).max(saved.hits);
                saved.seconds += mean * as_f64(hits - saved.hits);
                saved.hits = hits;
            }
            route.saved_origin_seconds = saved.seconds;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::totals::RouteTotals;
    use super::*;

    #[test]
    fn a_hit_saves_what_fetches_of_its_route_take_and_what_is_saved_stays() {
        let mut saved = Saved::default();
        let mut after = |hits, asked_besides, origin_fetches, origin_seconds| {
            let route = RouteTotals { hits, origin_fetches, origin_seconds, asked_besides, ..RouteTotals::default() };
            let mut totals = Totals { routes: BTreeMap::from([("r".into(), route)]), ..Totals::default() };
            saved.account(&mut totals);
            totals.routes["r"].saved_origin_seconds
        };
        let of = [after(3, 0, 0, 0.0), after(4, 0, 2, 1.0), after(4, 0, 4, 8.0), after(5, 0, 4, 8.0)];
        // Older ones that come late, and hits for which the origin was asked.
        let of =
            of.into_iter().chain([after(3, 0, 4, 8.0), after(5, 0, 4, 8.0), after(8, 3, 4, 8.0), after(9, 3, 4, 8.0)]);
        let of: Vec<f64> = of.collect();
        let expected = [0.0, 2.0, 2.0, 4.0, 4.0, 4.0, 4.0, 6.0];
        assert!(of.iter().zip(expected).all(|(of, expected)| (of - expected).abs() < 1e-9), "{of:?}");
    }
}
