//! The origin's addresses: which one a request goes to, and what its outcome says of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderValue;
use http::uri::Authority;

use super::circuit::{Attempt, Circuit};
use super::error::OriginError;
use crate::clock::Clock;
use crate::telemetry::{Ended, Episode};

/// How many health checks in a row an address may fail and still be used.
const UNHEALTHY_AFTER: u32 = 2;

/// One address of the origin, shared by all cores.
#[derive(Debug)]
pub(super) struct Address {
    /// Its number among all that this process has had.
    pub(super) at: usize,
    pub(super) authority: Authority,
    /// The authority as a Host field.
    pub(super) host: Option<HeaderValue>,
    under_way: AtomicUsize,
    circuit: Circuit,
    /// Whether there is no other.
    alone: AtomicBool,
    /// Health checks failed in a row.
    unhealthy: AtomicU32,
    /// It fails its health check.
    ill: Episode,
    /// It gives no answer.
    silent: Episode,
}

/// The kinds of an address's silence that are told: nobody is there, and it is left alone for a while.
const UNREACHABLE: u8 = 0;
const OUT_OF_ORDER: u8 = 1;

/// All of them.
#[derive(Debug)]
pub(super) struct Addresses {
    all: Vec<Arc<Address>>,
    /// Whose turn it is among equals.
    turn: AtomicUsize,
    /// Whether health checks try what is out of order, so that no request has to.
    checked: bool,
}

/// What is known of an address now.
#[derive(Clone, Debug)]
pub struct AddressState {
    /// Its URL, as one would write it.
    pub url: String,
    /// Whether requests go there: not for a while after failures in a row.
    pub is_in_order: bool,
    /// Whether it passes its health check, where there is one.
    pub is_healthy: bool,
    /// How many requests are under way there.
    pub under_way: usize,
}

/// The address that a request goes to; counted among the requests under way there until it is dropped.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) address: Arc<Address>,
    pub(super) attempt: Attempt,
}

impl Drop for Chosen {
    fn drop(&mut self) {
        self.address.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Addresses {
    pub(super) fn new(authorities: &[Authority], checked: bool, clock: &Clock) -> Self {
        let address = |authority: &Authority| Arc::new(Address::new(authority, clock));
        Self::of(authorities.iter().map(address).collect(), checked)
    }

    /// Others, with what is known of those that are among these ones, too.
    pub(super) fn after(&self, authorities: &[Authority], checked: bool, clock: &Clock) -> Self {
        let known = |authority: &Authority| self.all.iter().find(|address| address.authority == *authority).cloned();
        let address = |authority| known(authority).unwrap_or_else(|| Arc::new(Address::new(authority, clock)));
        Self::of(authorities.iter().map(address).collect(), checked)
    }

    fn of(all: Vec<Arc<Address>>, checked: bool) -> Self {
        for address in &all {
            address.alone.store(all.len() == 1, Ordering::Relaxed);
            if !checked {
                // Nobody would say that it is well again.
                address.unhealthy.store(0, Ordering::Relaxed);
            }
        }
        Self { all, turn: AtomicUsize::new(0), checked }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Address>> {
        self.all.iter()
    }

    /// Whether a request could go elsewhere.
    pub(super) fn are_several(&self) -> bool {
        self.all.len() > 1
    }

    /// Whether an address other than this one is in order.
    pub(super) fn is_in_order_besides(&self, tried: &Arc<Address>) -> bool {
        self.all.iter().any(|address| !Arc::ptr_eq(address, tried) && address.circuit.is_closed())
    }

    /// The least loaded address in order, other than `besides`; or, where none is, one that is due to be tried.
    ///
    /// A request that `may_try` (that can be sent once more without harm) is the one to try an address that is due,
    /// though others are in order. The error is how long until one is due.
    pub(super) fn choose(&self, besides: Option<&Arc<Address>>, may_try: bool) -> Result<Chosen, Duration> {
        let candidates =
            || self.all.iter().filter(|address| besides.is_none_or(|besides| !Arc::ptr_eq(address, besides)));
        let probe = || candidates().find_map(|address| Some(address.taken(address.circuit.probe()?)));
        if may_try
            && !self.checked
            && self.are_several()
            && let Some(chosen) = probe()
        {
            return Ok(chosen);
        }
        let in_order = || candidates().filter(|address| address.circuit.is_closed());
        let chosen = self.least_loaded(in_order().filter(|address| address.is_healthy()));
        // Where no address passes its check, requests tell: an answer is better than none.
        let chosen = chosen.or_else(|| self.least_loaded(in_order()));
        if let Some(address) = chosen {
            return Ok(address.taken(address.circuit.attempt()));
        }
        let wait = || candidates().map(|address| address.circuit.wait()).min().unwrap_or_default();
        probe().ok_or_else(wait)
    }

    fn least_loaded<'a>(&self, candidates: impl Iterator<Item = &'a Arc<Address>>) -> Option<&'a Arc<Address>> {
        if !self.are_several() {
            return { candidates }.next();
        }
        let mut least: Vec<&Arc<Address>> = Vec::with_capacity(self.all.len());
        let mut load = usize::MAX;
        for address in candidates {
            let under_way = address.under_way.load(Ordering::Relaxed);
            if under_way < load {
                least.clear();
                load = under_way;
            }
            if under_way == load {
                least.push(address);
            }
        }
        if least.is_empty() {
            return None;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        least.get(turn % least.len()).copied()
    }
}

impl Address {
    fn new(authority: &Authority, clock: &Clock) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        Self {
            at: COUNT.fetch_add(1, Ordering::Relaxed),
            authority: authority.clone(),
            host: HeaderValue::from_str(authority.as_str()).ok(),
            under_way: AtomicUsize::new(0),
            circuit: Circuit::new(clock.clone()),
            alone: AtomicBool::new(false),
            unhealthy: AtomicU32::new(0),
            ill: Episode::default(),
            silent: Episode::default(),
        }
    }

    fn taken(self: &Arc<Self>, attempt: Attempt) -> Chosen {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Chosen { address: Arc::clone(self), attempt }
    }

    /// A turn of its own at an address, in order or not: for its health check.
    pub(super) fn turn(self: &Arc<Self>) -> Chosen {
        self.taken(self.circuit.attempt())
    }

    /// What is known of it now.
    pub(super) fn state(&self, scheme: &str) -> AddressState {
        AddressState {
            url: format!("{scheme}://{}", self.authority),
            is_in_order: self.circuit.is_closed(),
            is_healthy: self.is_healthy(),
            under_way: self.under_way.load(Ordering::Relaxed),
        }
    }

    fn is_healthy(&self) -> bool {
        self.unhealthy.load(Ordering::Relaxed) < UNHEALTHY_AFTER
    }

    /// Learns from a turn's outcome; what changes is said once.
    pub(super) fn learn(&self, attempt: Attempt, outcome: Result<(), &OriginError>) {
        match outcome {
            Ok(()) | Err(OriginError::LargeHead { .. }) => {
                self.circuit.answered();
                if self.silent.is_on()
                    && let Some(ended) = self.silent.is_mended(self.circuit.ticks())
                {
                    self.tell_mended(ended);
                }
            }
            // Somebody is there who breaks off what was asked for. Others may still be answered, and nowhere else.
            Err(OriginError::Broken(_)) if self.alone.load(Ordering::Relaxed) => {}
            Err(error) if error.is_of_address() => {
                let opened = self.circuit.failed(attempt);
                self.failed(error, opened);
            }
            Err(_) => {}
        }
    }

    /// Tells of a failure that says something of the address, where it is news.
    fn failed(&self, error: &OriginError, out_of_order: bool) {
        let (authority, ticks) = (&self.authority, self.circuit.ticks());
        let unreachable = matches!(error, OriginError::Connect(_));
        if let OriginError::Connect(why) = error
            && self.silent.met_as(UNREACHABLE, ticks)
        {
            self.tell_unreachable(why);
        }
        let is_news = match (out_of_order, unreachable) {
            (true, true) => self.silent.lasts_as(OUT_OF_ORDER, ticks),
            (true, false) => self.silent.met_as(OUT_OF_ORDER, ticks),
            (false, true) => false,
            (false, false) => {
                self.silent.met_again(ticks);
                false
            }
        };
        if is_news {
            tracing::warn!("the origin at {authority} is out of order and left alone for a while: {error}");
        }
    }

    fn tell_unreachable(&self, why: &str) {
        let hint = if why.contains("refused") { "; is it running?" } else { "" };
        tracing::warn!("the origin at {} cannot be reached: {why}{hint}", self.authority);
    }

    fn tell_mended(&self, ended: Ended) {
        let (authority, lasted) = (&self.authority, ended.lasted.as_secs_f64());
        if ended.times == 0 {
            tracing::info!("the origin at {authority} can be reached now; it could not be for {lasted:.1} s");
        } else {
            tracing::info!("the origin at {authority} answers again; it gave no answer {ended}");
        }
    }

    /// Whether any request was ever answered there.
    pub(super) fn has_answered(&self) -> bool {
        self.circuit.has_answered()
    }

    /// A look has found nobody there: told as if a request had, which tells it no more.
    pub(super) fn is_absent(&self, why: &str) {
        if self.silent.lasts_as(UNREACHABLE, self.circuit.ticks()) {
            self.tell_unreachable(why);
        }
    }

    /// A look has found somebody there. Where requests were not answered an answer has to tell that.
    pub(super) fn is_there(&self) {
        if self.silent.is_on()
            && self.silent.times() == 0
            && let Some(ended) = self.silent.is_mended(self.circuit.ticks())
        {
            self.tell_mended(ended);
        }
    }

    /// Learns what its health check came to; what changes is said once.
    pub(super) fn checked(&self, outcome: Result<(), String>) {
        let (authority, ticks) = (&self.authority, self.circuit.ticks());
        match outcome {
            Ok(()) => {
                self.unhealthy.store(0, Ordering::Relaxed);
                if self.ill.is_on()
                    && let Some(ended) = self.ill.is_mended(ticks)
                {
                    tracing::info!("the origin at {authority} passes its health check again; it failed it {ended}");
                }
            }
            Err(why) => {
                let failed = self.unhealthy.load(Ordering::Relaxed).saturating_add(1);
                self.unhealthy.store(failed, Ordering::Relaxed);
                if failed >= UNHEALTHY_AFTER && self.ill.met(ticks) {
                    tracing::warn!("the origin at {authority} fails its health check: {why}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(count: usize, checked: bool) -> (Addresses, Clock) {
        let clock = Clock::at(1);
        let authorities: Vec<Authority> = (0..count).map(|n| format!("h{n}:1").parse().unwrap()).collect();
        (Addresses::new(&authorities, checked, &clock), clock)
    }

    fn fail(addresses: &Addresses, at: usize) {
        let address = &addresses.all[at];
        for _ in 0..5 {
            let turn = address.turn();
            address.learn(turn.attempt, Err(&OriginError::Connect("refused".to_owned())));
        }
    }

    /// What is logged.
    struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn names(addresses: &Addresses, count: usize) -> Vec<String> {
        let chosen = (0..count).map(|_| addresses.choose(None, false).unwrap().address.authority.to_string());
        let mut chosen: Vec<String> = chosen.collect();
        chosen.sort();
        chosen.dedup();
        chosen
    }

    #[test]
    fn the_least_loaded_is_chosen_and_equals_take_turns() {
        let (addresses, _) = addresses(3, false);
        let mut held: Vec<Chosen> = (0..3).map(|_| addresses.choose(None, false).unwrap()).collect();
        let mut chosen: Vec<&str> = held.iter().map(|chosen| chosen.address.authority.as_str()).collect();
        chosen.sort_unstable();
        assert_eq!(chosen, ["h0:1", "h1:1", "h2:1"]);
        let freed = held.remove(1).address.authority.clone();
        assert_eq!(addresses.choose(None, false).unwrap().address.authority, freed);
        drop(held);
        assert_eq!(names(&addresses, 6).len(), 3);
    }

    #[test]
    fn an_address_out_of_order_is_not_chosen_until_one_request_has_tried_it() {
        let (addresses, clock) = addresses(2, false);
        fail(&addresses, 0);
        assert_eq!(names(&addresses, 8), ["h1:1"]);
        clock.advance(Duration::from_secs(1));
        assert_eq!(names(&addresses, 8), ["h1:1"], "what cannot be sent again tries nothing");
        let probe = addresses.choose(None, true).unwrap();
        assert_eq!(probe.address.authority, "h0:1");
        assert_eq!(addresses.choose(None, true).unwrap().address.authority, "h1:1");
        probe.address.learn(probe.attempt, Ok(()));
        drop(probe);
        assert_eq!(names(&addresses, 8).len(), 2);
    }

    #[test]
    fn what_breaks_off_takes_an_address_out_of_use_only_if_there_is_another() {
        for (count, chosen) in [(1, vec!["h0:1"]), (2, vec!["h1:1"])] {
            let (addresses, _) = addresses(count, false);
            for _ in 0..5 {
                let turn = addresses.all[0].turn();
                turn.address.learn(turn.attempt, Err(&OriginError::Broken("reset".to_owned())));
            }
            assert_eq!(names(&addresses, 8), chosen);
        }
    }

    #[test]
    fn with_all_out_of_order_one_tries_and_the_others_hear_how_long_to_wait() {
        let (addresses, clock) = addresses(2, false);
        fail(&addresses, 0);
        fail(&addresses, 1);
        assert!(addresses.choose(None, true).unwrap_err() <= Duration::from_secs(1));
        clock.advance(Duration::from_secs(1));
        let tries = (0..10).filter(|_| addresses.choose(None, false).is_ok()).count();
        assert_eq!(tries, 2, "one an address");
    }

    #[test]
    fn another_address_than_the_one_that_failed() {
        let (several, _) = addresses(2, false);
        for _ in 0..4 {
            assert_eq!(several.choose(Some(&several.all[0]), false).unwrap().address.authority, "h1:1");
        }
        let (one, _) = addresses(1, false);
        assert!(one.choose(Some(&one.all[0]), false).is_err());
    }

    #[test]
    fn an_address_that_fails_its_checks_is_used_only_if_all_do() {
        let (addresses, _) = addresses(2, true);
        for _ in 0..2 {
            addresses.all[0].checked(Err("it answered 503".to_owned()));
        }
        assert_eq!(names(&addresses, 8), ["h1:1"]);
        for _ in 0..2 {
            addresses.all[1].checked(Err("it answered 503".to_owned()));
        }
        assert_eq!(names(&addresses, 8).len(), 2);
        addresses.all[0].checked(Ok(()));
        assert_eq!(names(&addresses, 8), ["h0:1"]);
    }

    #[test]
    fn where_checks_try_no_request_has_to_unless_all_are_out() {
        let (addresses, clock) = addresses(2, true);
        fail(&addresses, 0);
        clock.advance(Duration::from_secs(60));
        assert_eq!(addresses.choose(None, true).unwrap().address.authority, "h1:1");
        fail(&addresses, 1);
        assert_eq!(addresses.choose(None, true).unwrap().address.authority, "h0:1");
    }

    #[test]
    fn an_address_that_comes_and_goes_is_told_of_a_few_times_and_not_once_a_request() {
        let lines: Arc<std::sync::Mutex<Vec<u8>>> = Arc::default();
        let log = tracing_subscriber::fmt().with_writer(std::sync::Mutex::new(Lines(Arc::clone(&lines)))).finish();
        tracing::subscriber::with_default(log, || {
            let (addresses, clock) = addresses(1, false);
            for _ in 0..300 {
                fail(&addresses, 0);
                clock.advance(Duration::from_millis(10));
                let turn = addresses.all[0].turn();
                turn.address.learn(turn.attempt, Ok(()));
                clock.advance(Duration::from_millis(10));
            }
            clock.advance(Duration::from_secs(10));
            let turn = addresses.all[0].turn();
            turn.address.learn(turn.attempt, Ok(()));
        });
        let told = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
        let count = |text| told.matches(text).count();
        assert_eq!(
            (count("cannot be reached: refused; is"), count("out of order"), count("answers again")),
            (2, 2, 2),
            "{told}"
        );
        assert!(told.contains("it gave no answer 1495 times"), "{told}");
    }
}
