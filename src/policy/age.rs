//! How old a stored response is.

use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, DATE};

use crate::clock::Millis;
use crate::fields::{date_in, delta_seconds, split_list};

/// How far in the future a response may have come before the clock is not believed: two nodes are never quite equal.
const CLOCK_SLACK: Millis = 1000;

/// The age of a response at the moment it came, from its Age and Date and the time it took.
///
/// The Date counts in whole seconds, as it is written: a response is not old because its Date is cut off.
///
/// Source: RFC 9111 section 4.2.3
pub fn corrected_initial_age(response: &HeaderMap, request_time: Millis, response_time: Millis) -> Duration {
    let apparent = date_in(response, &DATE).map_or(0, |date| response_time.saturating_sub(date) / 1000);
    let delay = Duration::from_millis(response_time.saturating_sub(request_time));
    Duration::from_secs(apparent).max(age_value(response).saturating_add(delay))
}

/// The age at `now` of a response that came at `response_time` with the age `initial`.
///
/// A response from the future has the greatest age there is: a clock that cannot be trusted never lengthens freshness.
///
/// Source: RFC 9111 section 4.2.3
pub fn current_age(initial: Duration, response_time: Millis, now: Millis) -> Duration {
    if response_time > now.saturating_add(CLOCK_SLACK) {
        return Duration::MAX;
    }
    initial.saturating_add(Duration::from_millis(now.saturating_sub(response_time)))
}

/// What Age says: its first member counts, and one that is no number counts as none.
///
/// Source: RFC 9111 section 5.1
pub fn age_value(response: &HeaderMap) -> Duration {
    let first = response.get(AGE).and_then(|line| split_list(line.as_bytes()).next());
    Duration::from_secs(first.and_then(delta_seconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::{MAX_DELTA_SECONDS, format_http_date};
    use http::HeaderValue;

    const NOW: Millis = 1_000_000_000_900;

    fn initial(age: &[&str], date: Option<Millis>) -> Duration {
        let mut fields = HeaderMap::new();
        for line in age {
            fields.append(AGE, HeaderValue::from_str(line).unwrap());
        }
        if let Some(date) = date {
            fields.insert(DATE, HeaderValue::from_str(&format_http_date(date)).unwrap());
        }
        corrected_initial_age(&fields, NOW - 250, NOW)
    }

    #[test]
    fn the_delay_is_the_least_age() {
        assert_eq!(initial(&[], None), Duration::from_millis(250));
        assert_eq!(initial(&[], Some(NOW)), Duration::from_millis(250), "the Date is 900 ms cut off, not old");
        assert_eq!(initial(&[], Some(NOW + 60_000)), Duration::from_millis(250), "from the future");
    }

    #[test]
    fn the_older_of_age_and_date_counts() {
        assert_eq!(initial(&["100"], Some(NOW - 10_000)), Duration::from_millis(100_250));
        assert_eq!(initial(&["5"], Some(NOW - 10_000)), Duration::from_secs(10));
    }

    #[test]
    fn only_the_first_age_counts_and_only_a_number() {
        for (age, seconds) in [
            (&["7, 100"][..], 7),
            (&["7", "100"], 7),
            (&["-7"], 0),
            (&["x, 7"], 0),
            (&[""], 0),
            (&["7.5"], 0),
            (&["99999999999999999999"], MAX_DELTA_SECONDS),
        ] {
            assert_eq!(initial(age, None), Duration::from_millis(seconds * 1000 + 250), "{age:?}");
        }
    }

    #[test]
    fn age_grows_while_a_response_is_stored() {
        let initial = Duration::from_secs(5);
        assert_eq!(current_age(initial, NOW, NOW + 1500), Duration::from_millis(6500));
        assert_eq!(current_age(initial, NOW, NOW), initial);
        assert_eq!(current_age(Duration::MAX, NOW, u64::MAX), Duration::MAX);
    }

    #[test]
    fn a_response_from_the_future_is_as_old_as_can_be() {
        let initial = Duration::from_secs(5);
        assert_eq!(current_age(initial, NOW + 1000, NOW), initial, "within the slack");
        assert_eq!(current_age(initial, NOW + 1001, NOW), Duration::MAX);
        assert_eq!(current_age(initial, u64::MAX, NOW), Duration::MAX);
    }

    #[test]
    fn times_that_run_backwards_are_no_trouble() {
        let fields = HeaderMap::new();
        assert_eq!(corrected_initial_age(&fields, NOW, NOW - 5), Duration::ZERO);
        assert_eq!(corrected_initial_age(&fields, u64::MAX, 0), Duration::ZERO);
    }
}
