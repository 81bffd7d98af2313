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
    set_cookie: Option<Word<SettingCookies>>,
    cookies: Option<Word<Cookies>>,
    post: Option<Word<Post>>,
    any_order: Option<bool>,
    stale_while_revalidate: Option<Spanned<RawDuration>>,
    stale_if_error: Option<Spanned<RawDuration>>,
    errors: Option<bool>,
    vary: Option<Word<Fields>>,
    request_directives: Option<Word<RequestDirectives>>,
}

impl Table for RawUnrouted {
    const TITLE: &'static str = "[unrouted]";
}

/// What becomes of answers that set a cookie.
#[derive(Clone, Copy, Debug)]
struct SettingCookies;

impl Words for SettingCookies {
    type Meaning = SetCookie;
    const WORDS: &'static [(&'static str, SetCookie)] = &[("refuse", SetCookie::Refuse), ("store", SetCookie::Store)];
}

/// Whether a Cookie is ignored.
#[derive(Clone, Copy, Debug)]
struct Cookies;

impl Words for Cookies {
    type Meaning = bool;
    const WORDS: &'static [(&'static str, bool)] = &[("bypass", false), ("ignore", true)];
}

/// Whether answers to POST are stored.
#[derive(Clone, Copy, Debug)]
struct Post;

impl Words for Post {
    type Meaning = bool;
    const WORDS: &'static [(&'static str, bool)] = &[("pass", false), ("store", true)];
}

/// Whether all fields of a request tell answers apart.
#[derive(Clone, Copy, Debug)]
struct Fields;

impl Words for Fields {
    type Meaning = bool;
    const WORDS: &'static [(&'static str, bool)] = &[("origin", false), ("all", true)];
}

/// The choices, `None` to never cache such paths; and whether every field of a request is in the key.
pub(super) fn resolve(raw: RawUnrouted) -> (Option<Choices>, bool) {
    let by_all_fields = raw.vary.is_some_and(|Word(all)| all);
    (raw.cache.unwrap_or(true).then(|| choices(raw)), by_all_fields)
}

fn choices(raw: RawUnrouted) -> Choices {
    let window = |raw: Option<Spanned<RawDuration>>| raw.map(|window| window.get_ref().0).unwrap_or_default();
    Choices {
        routed: false,
        heuristics: raw.heuristics.unwrap_or(false),
        close_delimited: raw.close_delimited.unwrap_or(false),
        errors: raw.errors.unwrap_or(false),
        set_cookie: raw.set_cookie.map(|Word(chosen)| chosen).unwrap_or_default(),
        ignore_cookies: raw.cookies.is_some_and(|Word(ignored)| ignored),
        stale_while_revalidate: window(raw.stale_while_revalidate),
        stale_if_error: window(raw.stale_if_error),
        store_post: raw.post.is_some_and(|Word(stored)| stored),
        any_order: raw.any_order.unwrap_or(false),
        honour_request_directives: raw.request_directives.is_none_or(|Word(honoured)| honoured),
        max_body: MAX_BODY,
        ..Choices::default()
    }
}
