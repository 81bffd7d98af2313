//! What two configurations differ in, in short: for the line that says what a reload has changed.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::Arc;

use crate::config::Config;
use crate::proxy::ProxySettings;
use crate::rules::{Route, Ruleset};
use crate::server::ServerSettings;
use crate::store::StoreSettings;

/// What is different.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// What holds from now on.
    pub(super) applied: Vec<String>,
    /// What holds only after a restart.
    pub(super) needs_restart: Vec<String>,
}

/// So many names are told of each kind.
const MOST: usize = 10;

impl Changes {
    /// From one configuration to the next.
    pub(super) fn between(before: &Config, after: &Config) -> Self {
        let mut changes = Self { applied: routes(&before.proxy.rules, &after.proxy.rules), ..Self::default() };
        let tables = [
            ("[[write]]", differ(&before.proxy.rules.routes.write_rules(), &after.proxy.rules.routes.write_rules())),
            ("[unrouted]", unrouted(&before.proxy.rules) != unrouted(&after.proxy.rules)),
            ("[origin]", before.origin != after.origin || before.store.commit_within < after.store.commit_within),
            ("[clients]", clients(before) != clients(after)),
            ("[limits]", limits(before) != limits(after)),
            (
                "[tls]",
                before.server.tls != after.server.tls && before.server.tls.is_some() && after.server.tls.is_some(),
            ),
            ("[verify]", before.proxy.verify != after.proxy.verify),
            ("[log]", before.log != after.log),
        ];
        changes.applied.extend(tables.iter().filter(|(_, differ)| *differ).map(|(table, _)| (*table).to_owned()));
        let places = [
            ("listen", before.server.listen != after.server.listen),
            ("[tls]", before.server.tls.is_some() != after.server.tls.is_some()),
            ("cores in [limits]", before.server.cores != after.server.cores),
            ("[admin]", before.admin != after.admin),
            ("a shorter commit_within in [origin]", after.store.commit_within < before.store.commit_within),
            ("[store]", !is_same_store(&before.store, &after.store)),
        ];
        changes.needs_restart.extend(places.iter().filter(|(_, differ)| *differ).map(|(place, _)| (*place).to_owned()));
        changes
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { applied, needs_restart } = self;
        match applied.as_slice() {
            [] => write!(out, "nothing has changed")?,
            applied => write!(out, "{}", applied.join(", "))?,
        }
        if !needs_restart.is_empty() {
            write!(out, "; a restart is needed for {}", needs_restart.join(", "))?;
        }
        Ok(())
    }
}

/// Which routes are new, gone, or say something else.
fn routes(before: &Ruleset, after: &Ruleset) -> Vec<String> {
    let (before, after) = (by_name(before), by_name(after));
    let not_in = |these: &BTreeMap<Arc<str>, String>, those: &BTreeMap<Arc<str>, String>| -> Vec<Arc<str>> {
        these.keys().filter(|name| !those.contains_key(*name)).cloned().collect()
    };
    let changed = |(name, said): (&Arc<str>, &String)| before.get(name).is_some_and(|before| before != said);
    let changed: Vec<Arc<str>> = after.iter().filter(|one| changed(*one)).map(|(name, _)| Arc::clone(name)).collect();
    let kinds = [("added", not_in(&after, &before)), ("removed", not_in(&before, &after)), ("changed", changed)];
    kinds.iter().filter(|(_, names)| !names.is_empty()).map(|(kind, names)| told(kind, names)).collect()
}

fn told(kind: &str, names: &[Arc<str>]) -> String {
    let shown: Vec<&str> = names.iter().take(MOST).map(|name| &**name).collect();
    let plural = if names.len() == 1 { "" } else { "s" };
    let more = names.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} route{plural} {kind} ({}{more})", names.len(), shown.join(", "))
}

/// What each route says, but for what it has of other tables.
fn by_name(rules: &Ruleset) -> BTreeMap<Arc<str>, String> {
    let said = |route: &Arc<Route>| format!("{:?}", Route { fingerprint: 0, ..Route::clone(route) });
    rules.routes.iter().map(|route| (Arc::clone(&route.name), said(route))).collect()
}

fn unrouted(rules: &Ruleset) -> impl PartialEq {
    (&rules.unrouted, rules.unrouted_by_all_fields)
}

/// What is left out here and in [`limits`] has a row of its own; that a setting is new makes neither compile, so that no table is
/// told in the place of another one.
fn clients(config: &Config) -> impl PartialEq {
    let ServerSettings { http2, proxy_protocol, secure, .. } = &config.server;
    let ProxySettings {
        rules,
        trusted_proxies,
        purgers,
        pass_tags,
        max_fields: _,
        max_target: _,
        max_request_body: _,
        buffer_body: _,
        max_variants: _,
        body_rate: _,
        max_waiters: _,
        max_answers: _,
        compression,
        verify: _,
    } = &config.proxy;
    (http2, proxy_protocol, secure, &rules.hosts, trusted_proxies, purgers, pass_tags, compression)
}

fn limits(config: &Config) -> impl PartialEq {
    let ServerSettings {
        listen: _,
        unix: _,
        threads: _,
        tls: _,
        http2: _,
        proxy_protocol: _,
        secure: _,
        cores: _,
        max_connections,
        idle_make_room: _,
        header_timeout,
        idle_timeout,
        write_stall,
        max_connection_answers,
        max_header,
        max_fields,
        shutdown_timeout,
    } = &config.server;
    let ProxySettings {
        rules: _,
        trusted_proxies: _,
        purgers: _,
        pass_tags: _,
        max_fields: _,
        max_target,
        max_request_body,
        buffer_body,
        max_variants,
        body_rate,
        max_waiters,
        max_answers,
        compression: _,
        verify: _,
    } = &config.proxy;
    (
        (max_connections, header_timeout, idle_timeout, write_stall, max_connection_answers),
        (max_header, max_fields, shutdown_timeout),
        (max_target, max_request_body, buffer_body, max_variants, body_rate, max_waiters, max_answers),
    )
}

/// Whether two stores are the same, with the same to say of them; the rules and the origin have a part in the settings.
fn is_same_store(before: &StoreSettings, after: &StoreSettings) -> bool {
    let said = |store: &StoreSettings| {
        let StoreSettings {
            url,
            memory,
            prefix,
            timeout,
            when_down,
            lease,
            absence,
            replicas,
            commit_within: _,
            rules: _,
            lock: _,
        } = store.clone();
        ((url, memory, prefix), (timeout, when_down, lease, absence, replicas))
    };
    said(before) == said(after)
}

/// For what tells all of itself where it is shown, and has nothing that is never shown.
fn differ(before: &impl Debug, after: &impl Debug) -> bool {
    format!("{before:?}") != format!("{after:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(before: &str, after: &str) -> Changes {
        let config = |text: &str| Config::from_text("proxy.toml", text, |_| None).unwrap();
        Changes::between(&config(before), &config(after))
    }

    const BASE: &str = "origin = \"http://127.0.0.1:1\"\n";

    #[test]
    fn each_table_is_told_by_its_name() {
        for (text, told) in [
            ("[[route]]\npath = \"/a\"\nttl = \"1m\"\n", "1 route added (/a)"),
            ("[unrouted]\ncache = false\n", "[unrouted]"),
            ("[[write]]\nrequest = \"POST /login\"\ndrops = []\n", "[[write]]"),
            ("[limits]\nfields = 50\n", "[limits]"),
            ("[limits]\nwaiters = 5\n", "[limits]"),
            ("[log]\nrequests = false\n", "[log]"),
            ("[limits]\nshutdown_timeout = \"3s\"\n", "[limits]"),
            ("[clients]\ntrusted_proxies = [\"10.0.0.1\"]\n", "[clients]"),
            ("[clients]\nhosts = [\"shop.example\"]\n", "[clients]"),
            ("[clients]\nsecure = true\n", "[clients]"),
            ("[clients]\npurge_from = [\"10.0.0.1\"]\n", "[clients]"),
            ("[clients]\npurge_token = \"sesame-open-sesame\"\n", "[clients]"),
            ("[clients]\ncompression_memory = \"2MiB\"\n", "[clients]"),
            ("[clients]\npass_tags = true\n", "[clients]"),
            ("[verify]\nsample = \"1%\"\n", "[verify]"),
            ("[verify]\nignore = [\"at\"]\n", "[verify]"),
            ("[verify]\nat_once = 5\n", "[verify]"),
        ] {
            let found = changes(BASE, &format!("{BASE}{text}"));
            assert_eq!((found.applied.join("; ").as_str(), found.needs_restart.len()), (told, 0), "{text}");
        }
        let moved = changes(BASE, "origin = \"http://127.0.0.1:2\"\n");
        assert_eq!(moved.applied, ["[origin]"]);
        let within = |time: &str| format!("[origin]\nurl = \"http://127.0.0.1:1\"\ncommit_within = \"{time}\"\n");
        assert_eq!(changes(&within("1s"), &within("2s")).to_string(), "[origin]");
        assert_eq!(changes(&within("2s"), &within("1s")).needs_restart, ["a shorter commit_within in [origin]"]);
        assert_eq!(changes(BASE, BASE).to_string(), "nothing has changed");
    }

    #[test]
    fn what_is_never_shown_is_told_apart_all_the_same() {
        let token = |token: &str| format!("{BASE}[clients]\npurge_token = \"{token}\"\n");
        let found = changes(&token("sesame-open-sesame"), &token("sesame-shut-sesame"));
        assert_eq!((found.applied, found.needs_restart.len()), (vec!["[clients]".to_owned()], 0));
        let store = |password: &str| format!("{BASE}store = \"redis://:{password}@127.0.0.1:1\"\n");
        assert_eq!(changes(&store("a"), &store("b")).needs_restart, ["[store]"]);
        assert_eq!(changes(&store("a"), &store("a")).to_string(), "nothing has changed");
        let named = |name: &str| {
            format!("[origin]\nurl = \"https://127.0.0.1:1\"\n[origin.tls]\nverify = false\nname = \"{name}\"\n")
        };
        assert_eq!(changes(&named("a"), &named("a")).to_string(), "nothing has changed");
        assert_eq!(changes(&named("a"), &named("b")).applied, ["[origin]"]);
    }

    #[test]
    fn routes_are_told_apart() {
        let route = |path: &str, ttl: &str| format!("[[route]]\npath = \"{path}\"\nttl = \"{ttl}\"\n");
        let before = format!("{BASE}{}{}{}", route("/a", "1m"), route("/b", "1m"), route("/c", "1m"));
        let after = format!("{BASE}{}{}{}", route("/a", "1m"), route("/b", "2m"), route("/d", "1m"));
        let told = "1 route added (/d), 1 route removed (/c), 1 route changed (/b)";
        assert_eq!(changes(&before, &after).to_string(), told);
    }

    #[test]
    fn what_needs_a_restart_is_named() {
        let after = format!("listen = \"127.0.0.1:9\"\n{BASE}[limits]\ncores = 7\n[store]\nmemory = \"32MiB\"\n");
        let found = changes(BASE, &after);
        assert_eq!(found.needs_restart, ["listen", "cores in [limits]", "[store]"]);
        assert!(found.to_string().ends_with("; a restart is needed for listen, cores in [limits], [store]"));
    }
}
