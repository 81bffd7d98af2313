//! Which hosts requests are for, and how many of those that nobody listed are told apart.

use std::sync::OnceLock;

use http::HeaderValue;

use super::asked::Asked;
use super::ingress::Admitted;
use crate::fields::Detail;
use crate::policy::credential_that_counts;
use crate::rules::{AskedHost, Hosts, KeyedHost, Ruleset};
use crate::telemetry::Episode;

/// How many hosts besides the known names have answers of their own.
const MOST: usize = 32;

/// The hosts, besides the known names, for which an answer was stored by this process: the first so many. Its cores
/// share it, and nobody who looks for one ever waits.
///
/// None makes room for another, or made-up hosts would put out those that people use. One takes a place only with an
/// answer that is stored, so a host that the origin refuses takes none.
#[derive(Debug, Default)]
pub(super) struct OtherHosts {
    seen: [OnceLock<Box<str>>; MOST],
    full: Episode,
}

impl OtherHosts {
    /// Whether answers for this host are looked up: it has a place, or there is one left.
    fn may_be_kept(&self, host: &str) -> bool {
        let may_be_kept = self.seen.iter().any(|seen| seen.get().is_none_or(|seen| **seen == *host));
        if !may_be_kept && self.full.is_first() {
            tracing::warn!(
                "answers for {MOST} hosts are stored, each apart, and those for `{host}` and any further host are not, until \
                 the next start; list the names that clients use in [clients], as in hosts = [\"shop.example\"]"
            );
        }
        may_be_kept
    }

    /// Whether answers for this host are stored.
    pub(super) fn admits(&self, rules: &Ruleset, asked: Option<&AskedHost>) -> Result<(), Detail> {
        let keeps_apart = || rules.hosts.as_ref().is_none_or(Hosts::keeps_others_apart);
        match asked {
            Some(AskedHost::Other(host)) if !(keeps_apart() && self.may_be_kept(host)) => Err(Detail::HostUnknown),
            _ => Ok(()),
        }
    }

    /// The same once there is an answer to store, which takes one of the places.
    pub(super) fn admits_answer(&self, asked: &Asked) -> Result<(), Detail> {
        if let Some(detail) = own_answer(asked)
            && keyed_host(asked) != asked.request.host
        {
            return Err(detail);
        }
        match &asked.resource.host {
            Some(AskedHost::Other(host)) if !self.admit(host) => Err(Detail::HostUnknown),
            _ => Ok(()),
        }
    }

    /// Gives a host its place if it has none yet; false where there is none left.
    fn admit(&self, host: &str) -> bool {
        self.seen.iter().any(|seen| **seen.get_or_init(|| host.into()) == *host)
    }
}

/// Whom a request is for, where the origin sees the client's Host.
pub(super) fn asked_host(rules: &Ruleset, request: &Admitted) -> Option<AskedHost> {
    let hosts = rules.hosts.as_ref()?;
    Some(hosts.asked(request.host_text(), request.client.secure))
}

/// The part of a key that the host is of what a write policy leaves: it is there for whoever asks.
pub(super) fn host_of_written(rules: &Ruleset) -> Option<KeyedHost<'static>> {
    rules.hosts.as_ref().map(|_| KeyedHost::Known)
}

/// The Host that the origin sees where its answer may be stored: what the key has of the client's own. Where the answer
/// is most likely the client's alone, a page after its login for one, that is the client's own.
pub(super) fn host_on_a_fill(asked: &Asked) -> Option<HeaderValue> {
    match own_answer(asked) {
        Some(_) => asked.request.host.clone(),
        None => keyed_host(asked),
    }
}

/// The credential of a request without a route: what it is answered is stored only where the origin calls it public.
fn own_answer(asked: &Asked) -> Option<Detail> {
    credential_that_counts(&asked.request.fields, asked.choices()).filter(|_| asked.resource.route.is_none())
}

fn keyed_host(asked: &Asked) -> Option<HeaderValue> {
    let text = match (&asked.resource.host, &asked.rules.hosts) {
        (Some(AskedHost::Other(host)), _) => HeaderValue::from_str(host),
        (Some(AskedHost::Known), Some(hosts)) => {
            HeaderValue::from_str(&hosts.first().by_scheme(asked.request.client.secure))
        }
        _ => return asked.request.host.clone(),
    };
    text.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_hosts_keep_their_places_whatever_comes_after_them() {
        let hosts = OtherHosts::default();
        let admit = |of: &str, count: usize| (0..count).filter(|n| hosts.admit(&format!("{of}{n}.example"))).count();
        assert_eq!(admit("early", 10), 10);
        assert_eq!(admit("made-up", 10_000), MOST - 10);
        assert_eq!((admit("early", 10), admit("made-up", MOST - 10), admit("late", 1)), (10, MOST - 10, 0));
        assert!(hosts.may_be_kept("early9.example") && !hosts.may_be_kept("late0.example"));
    }

    #[test]
    fn cores_agree_on_who_has_a_place() {
        let hosts = OtherHosts::default();
        let admitted: Vec<Vec<String>> = std::thread::scope(|scope| {
            let core = |core: usize| {
                let hosts = &hosts;
                let names = (0..MOST).map(move |n| format!("h{}.example", (n + 8 * core) % 48));
                scope.spawn(move || names.filter(|name| hosts.admit(name)).collect())
            };
            let cores: Vec<_> = (0..4).map(core).collect();
            cores.into_iter().map(|core| core.join().unwrap()).collect()
        });
        let all: std::collections::BTreeSet<&String> = admitted.iter().flatten().collect();
        assert_eq!(all.len(), MOST);
        assert!(all.iter().all(|name| hosts.admit(name)));
    }

    #[test]
    fn a_host_that_is_only_looked_for_takes_no_place() {
        let hosts = OtherHosts::default();
        for n in 0..100 {
            assert!(hosts.may_be_kept(&format!("h{n}.example")));
        }
        assert!(hosts.seen.iter().all(|seen| seen.get().is_none()));
    }
}
