//! `store`: where answers are kept.

use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::duration::{RawDuration, not_zero};
use super::findings::{Findings, Problem, Text};
use super::forms::{TextOr, Word, Words};
use super::size::{RawSize, size_from};
use super::table::{Hint, Table};
use crate::store::{RedisUrl, StoreSettings, StoreUrl, WhenDown};

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
}

impl Table for RawStore {
    const TITLE: &'static str = "[store]";
    const FORMS: Option<&'static str> = Some("store = \"memory://\", or a [store] table with `url`");
    const HINTS: &'static [Hint] = &[
        Hint::planned(&["lease"], "delete it; there are no copies in memory in front of Redis yet"),
        Hint::here(
            &["password", "user", "username", "db", "database", "address", "port"],
            "write it as part of the URL: url = \"redis://:${REDIS_PASSWORD}@127.0.0.1:6379/0\"",
        ),
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

const MEMORY: u64 = 64 << 20;
/// Less memory than this holds next to nothing and is a slip of the unit.
const LEAST_MEMORY: u64 = 1 << 20;

const SCHEMES: &str =
    "write \"memory://\", \"redis://127.0.0.1:6379\", \"rediss://…\" or \"redis+unix:///run/redis.sock\"";

/// The settings; `given` is the URL of the command line, which wins.
pub(super) fn resolve(
    raw: Option<Spanned<TextOr<RawStore>>>,
    given: Option<&str>,
    findings: &mut Findings<'_>,
) -> StoreSettings {
    let table = in_full(raw);
    let url = match (given, &table.url) {
        (Some(text), _) => url(text)
            .map_err(|problem| {
                findings.error_in_option(Problem::new(format!("--store: {}", problem.message), problem.help));
            })
            .ok(),
        (None, Some(text)) => findings.check(text, url(text.get_ref())),
        (None, None) => None,
    };
    StoreSettings {
        url: url.unwrap_or(StoreUrl::Memory),
        memory: size_from(LEAST_MEMORY, u64::MAX, table.memory, MEMORY, findings),
        prefix: table.prefix.map(|prefix| check_prefix(prefix, findings)).unwrap_or_default(),
        timeout: not_zero(table.timeout, Duration::from_millis(50), findings),
        when_down: table.when_down.map(|Word(chosen)| chosen).unwrap_or_default(),
        lease: Duration::from_secs(1),
        absence: Duration::from_secs(10),
        replicas: None,
        commit_within: Duration::from_secs(60),
        rules: 0,
        lock: None,
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
        "redis" | "rediss" | "redis+unix" => RedisUrl::parse(text).map(StoreUrl::Redis).map_err(|message| {
            let help = "write \"redis://:password@127.0.0.1:6379/0\"; user, password, port and database are optional";
            match message.split_once("; ") {
                Some((message, help)) => Problem::new(message, help),
                None => Problem::new(message, help),
            }
        }),
        "redis+sentinel" | "redis+cluster" | "redis-sentinel" | "redis-cluster" => Err(Problem::new(
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
            ("redis+sentinel://h", "one Redis"),
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
