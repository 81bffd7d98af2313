//! `[unrouted]`: the choices that RFC 9111 leaves open, for paths without a route.

use toml::Spanned;

use super::duration::WrittenDuration;
use super::file::UnroutedTable;
use super::findings::{Findings, one_of};
use super::route::{MAX_BODY, honours};
use crate::policy::{Choices, SetCookie};

/// The choices, `None` to never cache such paths; and whether every field of a request is in the key.
pub(super) fn mean(table: UnroutedTable, findings: &mut Findings<'_>) -> (Option<Choices>, bool) {
    let all = table.vary.and_then(|word| one_of(&word, &[("origin", false), ("all", true)], findings));
    let second = |first, second| [(first, false), (second, true)];
    let cookies = [("refuse", SetCookie::Refuse), ("store", SetCookie::Store)];
    let set_cookie = table.set_cookie.and_then(|word| one_of(&word, &cookies, findings));
    let store_post = table.post.and_then(|word| one_of(&word, &second("pass", "store"), findings));
    let ignore_cookies = table.cookies.and_then(|word| one_of(&word, &second("bypass", "ignore"), findings));
    let window =
        |written: Option<Spanned<WrittenDuration>>| written.map(|window| window.get_ref().0).unwrap_or_default();
    let honour = honours(table.request_directives, findings);
    let choices = table.cache.unwrap_or(true).then(|| Choices {
        routed: false,
        heuristics: table.heuristics.unwrap_or(false),
        close_delimited: table.close_delimited.unwrap_or(false),
        errors: table.errors.unwrap_or(false),
        set_cookie: set_cookie.unwrap_or_default(),
        ignore_cookies: ignore_cookies.unwrap_or(false),
        stale_while_revalidate: window(table.stale_while_revalidate),
        stale_if_error: window(table.stale_if_error),
        store_post: store_post.unwrap_or(false),
        any_order: table.any_order.unwrap_or(false),
        honour_request_directives: honour.unwrap_or(true),
        max_body: MAX_BODY,
        ..Choices::default()
    });
    (choices, all.unwrap_or(false))
}
