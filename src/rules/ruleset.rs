//! All rules of one configuration as one value: taken at the beginning of a request, it holds until its end, whatever a
//! later configuration says.

use core::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use super::hosts::Hosts;
use super::key::fingerprint;
use super::route::Route;
use super::routes::Routes;
use super::tag::Tag;
use crate::policy::Choices;

/// Which answers are stored, under which keys, and what a write invalidates.
#[derive(Clone, Debug, Default)]
pub struct Ruleset {
    /// The routes, and what is said of writes.
    pub routes: Routes,
    /// The choices for paths without a route; `None` never caches them (`[unrouted] cache = false`).
    pub unrouted: Option<Choices>,
    /// Whether every field of a request is in its key, where no route speaks (`[unrouted] vary = "all"`).
    pub unrouted_by_all_fields: bool,
    /// By which names clients know this proxy, where the origin sees their Host (`[origin] host = "client"`); `None` where
    /// it sees another, and a route's keys say nothing of any host.
    pub hosts: Option<Hosts>,
    fingerprint: u64,
    of_writes: u64,
}

/// What holds for paths that are never cached.
static NEVER: LazyLock<Choices> = LazyLock::new(Choices::default);

impl Ruleset {
    /// Puts rules together.
    pub fn new(
        routes: Routes,
        unrouted: Option<Choices>,
        unrouted_by_all_fields: bool,
        hosts: Option<Hosts>,
    ) -> Arc<Self> {
        let rules = Self { routes, unrouted, unrouted_by_all_fields, hosts, fingerprint: 0, of_writes: 0 };
        Arc::new(rules.with_fingerprint())
    }

    /// The same once it is known on which addresses the server listens: where the file names no hosts, they are the names.
    #[must_use]
    pub fn listening_on(self: Arc<Self>, addresses: &[SocketAddr]) -> Arc<Self> {
        if !self.hosts.as_ref().is_some_and(Hosts::keeps_others_apart) {
            return self;
        }
        let hosts = Some(Hosts::of_listeners(addresses));
        Arc::new(Self { hosts, ..Self::clone(&self) }.with_fingerprint())
    }

    /// The same number for the same rules, all of what they say: what was derived under it need not be derived again. It is
    /// not in any key, where [`Route::fingerprint`] is, and it is another one where only a lifetime differs.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The same number for rules by which entries have the same tags, and writes invalidate the same of them. What shapes an
    /// answer alone, or its lifetime, is not in it; nor are the addresses that a server listens on.
    pub fn of_writes(&self) -> u64 {
        self.of_writes
    }

    /// The tags of everything of which other rules say something else than these do, of entries or of what invalidates them:
    /// the routes that only one of them has, those of which they say different things, and everything where what they differ
    /// in is not of some routes.
    pub fn changed_since(&self, before: &Self) -> Vec<Tag> {
        if self.hosts_of_writes() != before.hosts_of_writes() {
            return vec![Tag::everything()];
        }
        let (now, then) = (self.routes.fingerprints(), before.routes.fingerprints());
        let mut names: Vec<&str> = now.symmetric_difference(&then).map(|(name, _)| *name).collect();
        names.dedup();
        names.into_iter().map(Tag::route).collect()
    }

    /// By which hosts an answer to a write may name what it has changed, as far as the file says.
    fn hosts_of_writes(&self) -> String {
        format!("{:?}", self.hosts.as_ref().filter(|hosts| !hosts.keeps_others_apart()))
    }

    /// The choices that hold where this route speaks, or none.
    pub fn choices<'r>(&'r self, route: Option<&'r Route>) -> &'r Choices {
        match route {
            Some(route) => &route.choices,
            None => self.unrouted.as_ref().unwrap_or(&NEVER),
        }
    }

    fn with_fingerprint(self) -> Self {
        let Self { routes, unrouted, unrouted_by_all_fields, hosts, .. } = &self;
        let fingerprint = fingerprint_of(&format!("{routes:?} {unrouted:?} {unrouted_by_all_fields} {hosts:?}"));
        let of_writes = format!("{:?} {}", routes.fingerprints(), self.hosts_of_writes());
        let of_writes = fingerprint_of(&of_writes);
        Self { fingerprint, of_writes, ..self }
    }
}

fn fingerprint_of(text: &str) -> u64 {
    fingerprint([text])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ruleset(unrouted: Option<Choices>) -> Arc<Ruleset> {
        Ruleset::new(Routes::default(), unrouted, false, Some(Hosts::of_listeners(&[])))
    }

    #[test]
    fn other_rules_have_another_fingerprint() {
        let (never, default) = (ruleset(None), ruleset(Some(Choices::default())));
        assert_eq!(never.fingerprint(), ruleset(None).fingerprint());
        assert_ne!(never.fingerprint(), default.fingerprint());
        let elsewhere = never.clone().listening_on(&["192.0.2.7:80".parse().unwrap()]);
        assert_ne!(elsewhere.fingerprint(), never.fingerprint());
        assert_eq!(elsewhere.hosts.as_ref().unwrap().first().to_string(), "192.0.2.7:80");
    }
}
