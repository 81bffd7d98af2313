//! `store`: where answers are kept.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::duration::{RawDuration, at_most, between, not_zero};
use super::findings::{Findings, Problem, Text};
use super::forms::{TextOr, Word, Words};
use super::size::{RawCount, RawSize, size_from};
use super::store_tls::{self, RawStoreTls};
use super::table::{Hint, Level, Table};
use crate::store::{LONGEST_LEASE, RedisUrl, StoreSettings, StoreUrl, WhenDown};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite store = \"memory://\", or a [store] table with `url`"
)]
pub(super) struct RawStore {
    url: Option<Text>,
    memory: Option<Spanned<RawSize>>,
    prefix: Option<Text>,
    timeout: Option<Spanned<RawDuration>>,
    when_down: Option<Word<Writes>>,
    lease: Option<Spanned<RawDuration>>,
    absence: Option<Spanned<RawDuration>>,
    replicas: Option<Spanned<RawCount>>,
    sentinel_user: Option<Text>,
    sentinel_password: Option<Text>,
    tls: Option<Spanned<RawStoreTls>>,
}

impl Table for RawStore {
    const TITLE: &'static str = "[store]";
    const BELOW: &'static [(&'static str, &'static Level)] = &[("tls", RawStoreTls::LEVEL)];
    const FORMS: Option<&'static str> = Some("store = \"memory://\", or a [store] table with `url`");
    const HINTS: &'static [Hint] = &[
        Hint::here(
            &["password", "user", "username", "db", "database", "address", "port"],
            "write it as part of the URL: url = \"redis://:${REDIS_PASSWORD}@127.0.0.1:6379/0\"",
        ),
        Hint::here(
            &["sentinels", "sentinel", "master", "master_name", "service_name"],
            "write url = \"redis+sentinel://10.0.0.1,10.0.0.2,10.0.0.3/mymaster\"",
        ),
        Hint::here(&["ca", "cert", "key", "name", "server_name"], "write it below [store.tls]"),
        Hint::here(&["max_size", "max_memory", "size", "capacity"], "write memory = \"64MiB\""),
        Hint::anywhere(
            &["redis", "redis_url", "cache", "cache_url", "storage"],
            "write store = \"redis://127.0.0.1:6379\" at the top of the file",
        ),
    ];
}

/// What becomes of writes while Redis is down.
#[derive(Clone, Copy, Debug)]
struct Writes;

impl Words for Writes {
    type Meaning = WhenDown;
    const WORDS: &'static [(&'static str, WhenDown)] = &[("forward", WhenDown::Forward), ("refuse", WhenDown::Refuse)];
}

const LEASE: Duration = Duration::from_secs(1);
/// Renewed four times a lease, a shorter one would be lost by a busy machine.
const SHORTEST_LEASE: Duration = Duration::from_millis(200);
const ABSENCE: Duration = Duration::from_secs(10);
const LONGEST_ABSENCE: Duration = Duration::from_secs(86_400);

const MEMORY: u64 = 64 << 20;
/// Less memory than this holds next to nothing and is a slip of the unit.
const LEAST_MEMORY: u64 = 1 << 20;

const SCHEMES: &str = "write \"memory://\", \"redis://127.0.0.1:6379\", \"rediss://…\", \"redis+unix:///run/redis.sock\" or \
                       \"redis+sentinel://10.0.0.1,10.0.0.2,10.0.0.3/mymaster\"";

/// The settings; `given` is the URL of the command line, which wins. Paths count from `folder`.
pub(super) fn resolve(
    raw: Option<Spanned<TextOr<RawStore>>>,
    given: Option<&str>,
    folder: &Path,
    findings: &mut Findings<'_>,
) -> StoreSettings {
    let mut table = in_full(raw);
    let url = match (given, &table.url) {
        (Some(text), _) => url(text)
            .map_err(|problem| {
                findings.error_in_option(Problem::new(format!("--store: {}", problem.message), problem.help));
            })
            .ok(),
        (None, Some(text)) => findings.check(text, url(text.get_ref())),
        (None, None) => None,
    };
    let url = match url {
        Some(StoreUrl::Redis(url)) => StoreUrl::Redis(known(url, given.is_some(), &mut table, folder, findings)),
        // What goes with a URL that is none is not judged; nor what a command line makes idle.
        Some(StoreUrl::Memory) if given.is_none() => {
            refuse_idle(&table, findings);
            StoreUrl::Memory
        }
        None if given.is_none() && table.url.is_none() => {
            refuse_idle(&table, findings);
            StoreUrl::Memory
        }
        _ => StoreUrl::Memory,
    };
    StoreSettings {
        url,
        memory: size_from(LEAST_MEMORY, u64::MAX, table.memory, MEMORY, findings),
        prefix: table.prefix.map(|prefix| check_prefix(prefix, findings)).unwrap_or_default(),
        timeout: not_zero(table.timeout, Duration::from_millis(50), findings),
        when_down: table.when_down.map(|Word(chosen)| chosen).unwrap_or_default(),
        lease: between(SHORTEST_LEASE, LONGEST_LEASE, table.lease, LEASE, findings),
        absence: at_most(LONGEST_ABSENCE, table.absence, ABSENCE, findings),
        replicas: table.replicas.and_then(|count| u32::try_from(count.into_inner().0).ok()),
        commit_within: Duration::from_secs(60),
        rules: 0,
        lock: None,
    }
}

/// The URL with what else says who to be and how it is known. `given` on the command line, it may make keys idle.
fn known(url: RedisUrl, given: bool, table: &mut RawStore, folder: &Path, findings: &mut Findings<'_>) -> RedisUrl {
    let place = table.url.as_ref().filter(|_| !given).map(Spanned::span);
    let tls = table.tls.take().filter(|_| !given || url.is_secure());
    let url = store_tls::resolve(tls, url, place, folder, findings);
    if !url.has_sentinels() {
        if !given {
            refuse_sentinel_login(table, findings);
        }
        return url;
    }
    if let (Some(user), None) = (&table.sentinel_user, &table.sentinel_password) {
        let message = "`sentinel_password` is missing: a user without one cannot log in";
        findings.lacks(
            user.span(),
            &["sentinel_password"],
            message,
            "add sentinel_password = \"${SENTINEL_PASSWORD}\"",
        );
    }
    let text = |text: &mut Option<Text>| text.take().map(Spanned::into_inner).filter(|text| !text.is_empty());
    let user = text(&mut table.sentinel_user);
    url.with_sentinel_login(user, text(&mut table.sentinel_password))
}

/// Says that keys have no effect, for a store in memory.
fn refuse_idle(table: &RawStore, findings: &mut Findings<'_>) {
    if let Some(tls) = &table.tls {
        store_tls::refuse(tls.span(), findings);
    }
    refuse_sentinel_login(table, findings);
}

fn refuse_sentinel_login(table: &RawStore, findings: &mut Findings<'_>) {
    for (key, value) in [("sentinel_user", &table.sentinel_user), ("sentinel_password", &table.sentinel_password)] {
        let Some(value) = value else { continue };
        let message = format!("`{key}` has no effect, because the store's URL does not begin with redis+sentinel://");
        findings.warning(value.span(), message, "write a login as part of the URL, or delete the line");
    }
}

/// The place of the store's URL.
pub(super) fn shared_at(raw: Option<&Spanned<TextOr<RawStore>>>) -> Option<Range<usize>> {
    match raw?.get_ref() {
        TextOr::Text(_) => raw.map(Spanned::span),
        TextOr::Table(table) => table.url.as_ref().map(Spanned::span),
    }
}

fn in_full(raw: Option<Spanned<TextOr<RawStore>>>) -> RawStore {
    let Some(raw) = raw else { return RawStore::default() };
    let place = raw.span();
    match raw.into_inner() {
        TextOr::Text(url) => RawStore { url: Some(Spanned::new(place, url)), ..RawStore::default() },
        TextOr::Table(table) => table,
    }
}

/// Reads a store's URL. The problem repeats nothing that could be a password.
pub(super) fn url(text: &str) -> Result<StoreUrl, Problem> {
    let Some((scheme, rest)) = text.split_once("://") else {
        let help = match text {
            "memory" => "write \"memory://\"".to_owned(),
            "redis" => "write \"redis://127.0.0.1:6379\"".to_owned(),
            _ => SCHEMES.to_owned(),
        };
        return Err(Problem::new("the store's URL must begin with memory:// or redis://", help));
    };
    match scheme {
        "memory" if rest.is_empty() => Ok(StoreUrl::Memory),
        "memory" => Err(Problem::new(
            "nothing can follow memory://",
            "write \"memory://\"; `memory` in [store] says how much it may hold",
        )),
        "redis" | "rediss" | "redis+unix" | "redis+sentinel" | "rediss+sentinel" => RedisUrl::parse(text).map(StoreUrl::Redis).map_err(|message| {
            let help = if scheme.ends_with("sentinel") {
                "write \"redis+sentinel://:password@10.0.0.1:26379,10.0.0.2:26379,10.0.0.3:26379/mymaster/0\"; user, password, \
                 ports and database are optional"
            } else {
                "write \"redis://:password@127.0.0.1:6379/0\"; user, password, port and database are optional"
            };
            match message.split_once("; ") {
                Some((message, help)) => Problem::new(message, help),
                None => Problem::new(message, help),
            }
        }),
        "redis-sentinel" | "sentinel" | "redis+sentinels" => Err(Problem::new(
            "this kind of URL is not supported for a store",
            "write \"redis+sentinel://10.0.0.1,10.0.0.2,10.0.0.3/mymaster\"",
        )),
        "unix" | "redis+socket" | "redis-socket" => Err(Problem::new(
            "this kind of URL is not supported for a store",
            "write \"redis+unix:///run/redis.sock\", with ?db=1 for another database",
        )),
        "redis+cluster" | "redis-cluster" => Err(Problem::new(
            format!("a {scheme}:// store is not supported by this version"),
            "write redis:// with the address of one Redis",
        )),
        _ => Err(Problem::new("this kind of URL is not supported for a store", SCHEMES)),
    }
}

/// Braces would make a Redis hash tag of a part of every key, and the others mean something else in keys.
fn check_prefix(prefix: Text, findings: &mut Findings<'_>) -> String {
    let bad = prefix.get_ref().char_indices().find(|(_, c)| {
        matches!(c, '{' | '}' | '~' | '#' | '%' | '*' | '?' | '[' | ']') || c.is_control() || c.is_whitespace()
    });
    if let Some((at, character)) = bad {
        let help = "write letters, digits, `:`, `-`, `_` and `.`, as in \"shop:\"";
        findings.problem(
            &prefix,
            Problem {
                at: Some(at),
                message: format!("{character:?} is not allowed in the prefix of keys"),
                help: help.to_owned(),
            },
        );
    }
    prefix.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_stores_are_read() {
        assert_eq!(url("memory://"), Ok(StoreUrl::Memory));
        assert!(matches!(url("redis://127.0.0.1:6379/0"), Ok(StoreUrl::Redis(_))));
    }

    #[test]
    fn what_is_none_says_what_to_write() {
        for (text, help) in [
            ("memory", "\"memory://\""),
            ("redis", "\"redis://127.0.0.1:6379\""),
            ("memory://64MiB", "`memory` in [store]"),
            ("redis+sentinel://h", "/mymaster"),
            ("redis+sentinel://:hunter2@h,/mymaster", "/mymaster"),
            ("redis-sentinel://h/m", "redis+sentinel://"),
            ("unix:///run/redis.sock?db=1", "redis+unix://"),
            ("redis+unix:///run/redis.sock?password=hunter2", "redis"),
            ("redis+cluster://h", "one Redis"),
            ("postgres://u:hunter2@h", "\"redis://127.0.0.1:6379\""),
            ("127.0.0.1:6379", "\"redis://127.0.0.1:6379\""),
            ("", "\"memory://\""),
        ] {
            let problem = url(text).unwrap_err();
            assert!(problem.help.contains(help), "{text}: {}", problem.help);
            assert!(!problem.message.contains("hunter2"), "{}", problem.message);
        }
    }

    #[test]
    fn a_prefix_makes_no_hash_tag() {
        for (prefix, errors) in [("shop:", 0), ("", 0), ("{shop}:", 1), ("a b", 1), ("a#", 1)] {
            let mut findings = Findings::new("");
            check_prefix(Spanned::new(0..0, prefix.to_owned()), &mut findings);
            assert_eq!(findings.into_vec().len(), errors, "{prefix}");
        }
    }
}
