//! `[[route]]`: which paths are cached, under which key, for how long, and what drops them.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use super::file::RouteTable;
use super::findings::{Findings, Problem, Text, one_of};
use super::forms::List;
use super::key::ReadNames;
use super::{annotate, condition, invalidated_by, key, statuses, vary, write};
use crate::policy::{Choices, SetCookie};
use crate::rules::{Credential, PathPattern, ROUTELESS, Route, RouteQuery, is_canonical};

/// The largest body that is stored unless the file says otherwise.
pub(super) const MAX_BODY: u64 = 1 << 20;

const STALE_IF_ERROR: Duration = Duration::from_secs(3_600);

/// A route, and the places that errors about several routes point at.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) route: Route,
    /// Its `[[route]]` line.
    pub(super) header: Range<usize>,
    pub(super) path: Range<usize>,
    /// Where its name is, or its path where it has none of its own.
    pub(super) name: Range<usize>,
    /// Where its key is, likewise.
    pub(super) key: Range<usize>,
    /// Where its write policy is.
    pub(super) write: Option<Range<usize>>,
}

/// One route; `None` when it has no path to speak of.
pub(super) fn mean(written: Spanned<RouteTable>, findings: &mut Findings<'_>) -> Option<Draft> {
    let header = written.span();
    let mut table = written.into_inner();
    let path_place = table.path.as_ref().map_or_else(|| header.clone(), Spanned::span);
    let path = if let Some(text) = table.path.take() {
        path(&text, findings)
    } else {
        findings.lacks(header.clone(), &[], "a route needs a `path`", "add path = \"/orders/{page}\"");
        None
    };
    // Without it the rest is judged all the same, but for what depends on it.
    let is_whole = path.is_some();
    if !is_whole {
        findings.unread(&path_place, Some("path"));
    }
    let path = path.or_else(|| PathPattern::parse("/").ok())?;
    let query = query(table.query.take(), &path, table.key.as_ref(), findings);
    let names = ReadNames { path: &path, query: &query };
    let key = key::mean(table.key.as_ref(), names, findings);
    let tags = key::tags(table.tags.as_ref().map_or(&[], |tags| tags.0.as_slice()), names, findings);
    let choices = choices(&mut table, findings);
    let name_place = table.name.as_ref().map_or_else(|| path_place.clone(), Spanned::span);
    let name = label(table.name.take(), path.as_str(), findings);
    let credentials = [("bypass", Credential::Bypass), ("ignore", Credential::Ignore), ("key", Credential::Key)];
    let mut credential =
        |written: Option<Text>| written.and_then(|word| one_of(&word, &credentials, findings)).unwrap_or_default();
    let (cookies, authorization) = (credential(table.cookies), credential(table.authorization));
    let key_place = table.key.as_ref().map_or_else(|| path_place.clone(), Spanned::span);
    let write_place = table.write.as_ref().map(Spanned::span);
    let route = Route {
        name,
        vary: vary::mean(table.vary, findings),
        choices,
        ttl_jitter: table.ttl_jitter.map_or(0.0, |share| share.0),
        cookies,
        authorization,
        etag: table.etag.unwrap_or(true),
        upgrade: table.upgrade,
        unless: condition::of_answers(table.unless, findings),
        tags,
        invalidated_by: invalidated_by::mean(table.invalidated_by, (&path, &key), findings),
        annotate: table.annotate.and_then(|written| annotate::mean(written, findings)),
        compress: table.compress.unwrap_or(true),
        fingerprint: 0,
        write: table.write.and_then(|written| write::mean(written, &key, findings)),
        path,
        query,
        key,
    };
    if let Some(place) = &write_place {
        write::suits(&route, place, findings);
    }
    let draft = Draft { route, header, path: path_place, name: name_place, key: key_place, write: write_place };
    is_whole.then_some(draft)
}

fn path(text: &Text, findings: &mut Findings<'_>) -> Option<PathPattern> {
    let help = "write it as in \"/orders/{page}\" or \"/static/{*rest}\"";
    let parsed = PathPattern::parse(text.get_ref()).map_err(|error| Problem::of_pattern(error, help));
    let path = findings.check(text, parsed)?;
    let sample = path.render(|_| Some("x".into())).unwrap_or_default();
    if !is_canonical(&sample) {
        let message = "no request can reach this: paths with `;`, `\\` or an encoded slash are forwarded, never cached";
        findings.error(text.span(), message, help);
    }
    Some(path)
}

fn query(
    written: Option<Spanned<List<Text>>>,
    path: &PathPattern,
    key: Option<&Text>,
    findings: &mut Findings<'_>,
) -> RouteQuery {
    let Some(written) = written else { return RouteQuery::Raw };
    let mut names: Vec<String> = Vec::new();
    for text in written.into_inner().0 {
        let name = text.get_ref().as_str();
        if names.iter().any(|known| known == name) {
            findings.error(text.span(), format!("`{name}` stands twice"), "delete one of the two");
        } else if path.variables().any(|variable| variable == name) {
            let help = "call the variable of the path something else";
            findings.error(text.span(), format!("`{name}` is a variable of the path already"), help);
        } else if name.is_empty() || !name.bytes().all(stands_in_keys) {
            let help = "write the parameter's name, as in query = [\"page\"]; without `query` all parameters count";
            findings.error(text.span(), format!("`{name}` is no parameter that can stand in a key"), help);
        } else if key.is_some() && !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        {
            let help = "leave `key` out: path and listed parameters then make the key";
            findings.error(text.span(), format!("no `key` can name the parameter `{name}`"), help);
        } else {
            names.push(text.into_inner());
        }
    }
    RouteQuery::Listed(names)
}

fn stands_in_keys(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"{}~#%&=?\"\\<>+;".contains(&byte)
}

fn choices(table: &mut RouteTable, findings: &mut Findings<'_>) -> Choices {
    let ttl = table.ttl.as_ref().map(|written| written.get_ref().0);
    let is_set = |flag: &Option<Spanned<bool>>| flag.as_ref().is_some_and(|flag| *flag.get_ref());
    let (override_origin, override_private) = (is_set(&table.override_origin), is_set(&table.override_private));
    let statuses = statuses::mean(table.statuses.take(), findings);
    let own_lifetime = statuses.iter().any(|(_, lifetime)| lifetime.is_some());
    if let Some(flag) = table.override_origin.as_ref().filter(|_| override_origin && ttl.is_none() && !own_lifetime) {
        let message = "there is no `ttl` that could override what the origin says";
        findings.lacks(flag.span(), &["ttl", "statuses"], message, "add ttl = \"10m\"");
    }
    if let Some(flag) = table.override_private.as_ref().filter(|_| override_private && !override_origin) {
        let message = "`override_private` does nothing without `override_origin`";
        findings.lacks(flag.span(), &["override_origin"], message, "add override_origin = true");
    }
    Choices {
        routed: true,
        ttl,
        override_origin,
        override_private,
        statuses,
        stale_while_revalidate: table.stale_while_revalidate.map_or(Duration::ZERO, |written| written.0),
        stale_if_error: table.stale_if_error.map_or(STALE_IF_ERROR, |written| written.0),
        errors: true,
        set_cookie: set_cookie(table.set_cookie.take(), findings),
        close_delimited: table.close_delimited.unwrap_or(false),
        honour_request_directives: honours(table.request_directives.take(), findings).unwrap_or(false),
        max_body: table.max_body.map_or(MAX_BODY, |size| size.0),
        ..Choices::default()
    }
}

fn set_cookie(written: Option<Text>, findings: &mut Findings<'_>) -> SetCookie {
    let Some(word) = written else { return SetCookie::Refuse };
    let chosen = one_of(&word, &[("refuse", SetCookie::Refuse), ("strip", SetCookie::Strip)], findings);
    if chosen == Some(SetCookie::Strip) {
        let message = "what this route stores is given to everybody, without the cookie that it sets: nobody gets a session \
                       from it, and what an answer says of one (a name, a token in a form) everybody is told";
        findings.note(word.span(), message, "leave the route out where answers are not the same for all");
    }
    chosen.unwrap_or_default()
}

/// Whether the client's Cache-Control counts; `None` where nothing readable says so.
pub(super) fn honours(written: Option<Text>, findings: &mut Findings<'_>) -> Option<bool> {
    one_of(&written?, &[("honour", true), ("ignore", false)], findings)
}

/// A name for labels, tags and the control records of the store.
fn label(written: Option<Text>, default: &str, findings: &mut Findings<'_>) -> Arc<str> {
    let Some(text) = written else { return default.into() };
    let name = text.get_ref().as_str();
    if name == ROUTELESS {
        let message = format!("`{ROUTELESS}` is what paths without a route are called");
        findings.error(text.span(), message, "choose another name");
    } else if name.is_empty() || name.len() > 128 || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let help = "write a short word without white space, as in \"orders\"";
        findings.error(text.span(), format!("{name:?} cannot be a label"), help);
    }
    name.into()
}
