//! `[unrouted]`: the choices that RFC 9111 leaves open, for paths without a route.

use serde::Deserialize;
use toml::Spanned;

use super::duration::RawDuration;
use super::forms::{Word, Words};
use super::route::{MAX_BODY, RequestDirectives};
use super::table::Table;
use crate::policy::{Choices, SetCookie};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [unrouted] and its keys below it, as in cache = false"
)]
pub(super) struct RawUnrouted {
    cache: Option<bool>,
    heuristics: Option<bool>,
    close_delimited: Option<bool>,
    set_cookie: Option<Word<RawSetCookie>>,
    cookies: Option<Word<RawCookies>>,
    post: Option<Word<RawPost>>,
    any_order: Option<bool>,
    stale_while_revalidate: Option<Spanned<RawDuration>>,
    stale_if_error: Option<Spanned<RawDuration>>,
    errors: Option<bool>,
    vary: Option<Word<RawVary>>,
    request_directives: Option<Word<RequestDirectives>>,
}

impl Table for RawUnrouted {
    const TITLE: &'static str = "[unrouted]";
}

/// What becomes of answers that set a cookie.
#[derive(Clone, Copy, Debug)]
enum RawSetCookie {
    Refuse,
    Store,
}

impl Words for RawSetCookie {
    const WORDS: &'static [(&'static str, Self)] = &[("refuse", Self::Refuse), ("store", Self::Store)];
}

/// Whether a Cookie is a credential.
#[derive(Clone, Copy, Debug)]
enum RawCookies {
    Bypass,
    Ignore,
}

impl Words for RawCookies {
    const WORDS: &'static [(&'static str, Self)] = &[("bypass", Self::Bypass), ("ignore", Self::Ignore)];
}

/// What becomes of answers to POST.
#[derive(Clone, Copy, Debug)]
enum RawPost {
    Pass,
    Store,
}

impl Words for RawPost {
    const WORDS: &'static [(&'static str, Self)] = &[("pass", Self::Pass), ("store", Self::Store)];
}

/// Which fields tell answers apart.
#[derive(Clone, Copy, Debug)]
enum RawVary {
    Origin,
    All,
}

impl Words for RawVary {
    const WORDS: &'static [(&'static str, Self)] = &[("origin", Self::Origin), ("all", Self::All)];
}

/// The choices, `None` to never cache such paths; and whether every field of a request is in the key.
pub(super) fn resolve(raw: RawUnrouted) -> (Option<Choices>, bool) {
    let by_all_fields = matches!(raw.vary, Some(Word(RawVary::All)));
    (raw.cache.unwrap_or(true).then(|| choices(raw)), by_all_fields)
}

fn choices(raw: RawUnrouted) -> Choices {
    let window = |raw: Option<Spanned<RawDuration>>| raw.map(|window| window.get_ref().0).unwrap_or_default();
    Choices {
        routed: false,
        heuristics: raw.heuristics.unwrap_or(false),
        close_delimited: raw.close_delimited.unwrap_or(false),
        errors: raw.errors.unwrap_or(false),
        set_cookie: match raw.set_cookie {
            None | Some(Word(RawSetCookie::Refuse)) => SetCookie::Refuse,
            Some(Word(RawSetCookie::Store)) => SetCookie::Store,
        },
        ignore_cookies: matches!(raw.cookies, Some(Word(RawCookies::Ignore))),
        stale_while_revalidate: window(raw.stale_while_revalidate),
        stale_if_error: window(raw.stale_if_error),
        store_post: matches!(raw.post, Some(Word(RawPost::Store))),
        any_order: raw.any_order.unwrap_or(false),
        honour_request_directives: !matches!(raw.request_directives, Some(Word(RequestDirectives::Ignore))),
        max_body: MAX_BODY,
        ..Choices::default()
    }
}
