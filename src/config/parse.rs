//! From text to [`File`]: TOML, the environment's values, known keys, and the form of every value.
//!
//! Each value that cannot be read is reported and taken out, and the rest is read on, so that a person sees every
//! fault of the file at once. Which tables have lost something by that is noted.

use std::ops::Range;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::environment::expand;
use super::file::File;
use super::findings::Findings;
use super::keys;
use super::outside::Outside;
use super::unread::Tables;

/// Reads a file's text. What could not be read is in the findings and missing in the result; `None` where nothing could
/// be read.
pub(super) fn parse(text: &str, outside: &Outside<'_>, findings: &mut Findings<'_>) -> Option<File> {
    let mut root = match DeTable::parse(text) {
        Ok(root) => root,
        // One slip in TOML often makes the parser stumble again right after it: the first is the one to mend.
        Err(error) => {
            syntax(&error, text, findings);
            return None;
        }
    };
    findings.in_tables(Tables::of(root.get_ref(), text));
    keys::refuse_unknown(root.get_mut(), &keys::TOP, findings);
    expand_table(root.get_mut(), outside, findings);
    read_on(root, findings)
}

/// How often is tried to read a file without what does not fit.
const MOST_TRIES: usize = 1000;

/// Reads the tables, taking out what does not fit until the rest does.
fn read_on(mut root: Spanned<DeTable<'_>>, findings: &mut Findings<'_>) -> Option<File> {
    for _ in 0..MOST_TRIES {
        let error = match File::deserialize(Deserializer::from(root.clone())) {
            Ok(file) => return Some(file),
            Err(error) => error,
        };
        let (message, help) = words(error.message());
        let Some(place) = error.span() else {
            findings.error(0..0, message, help);
            return None;
        };
        let removed = remove_at(root.get_mut(), &place);
        let message = if removed.as_deref().is_some_and(is_credential) { unquoted(&message) } else { message };
        let help = removed.as_deref().filter(|_| help == IN_QUOTES).and_then(words_of).map_or(help, str::to_owned);
        findings.unread(&place, removed.as_deref());
        findings.error(place, message, help);
        removed.as_ref()?;
    }
    None
}

/// Takes the innermost value at a place out, a list as a whole. Its key, unless nothing stands there.
fn remove_at(table: &mut DeTable<'_>, place: &Range<usize>) -> Option<String> {
    let mut removed = None;
    for (key, value) in table.iter_mut() {
        let whole = key.span() == *place || value.span() == *place;
        let within = match value.get_mut() {
            DeValue::Table(below) => remove_at(below, place),
            DeValue::Array(members) => members.iter_mut().find_map(|member| match member.get_mut() {
                DeValue::Table(below) => remove_at(below, place),
                _ => None,
            }),
            _ => None,
        };
        if within.is_some() {
            return within;
        }
        if whole || is_member(value.get_ref(), place) {
            removed = Some(key.get_ref().clone().into_owned());
            break;
        }
    }
    removed.filter(|key| table.remove(key.as_str()).is_some())
}

fn is_member(value: &DeValue<'_>, place: &Range<usize>) -> bool {
    value.as_array().is_some_and(|members| members.iter().any(|member| member.span() == *place))
}

/// Puts in what texts take from outside, and takes out those for which it cannot be had.
fn expand_table(table: &mut DeTable<'_>, outside: &Outside<'_>, findings: &mut Findings<'_>) {
    let mut refused = Vec::new();
    for (key, value) in table.iter_mut() {
        if !expand_value(value, outside, findings) {
            findings.unread(&key.span(), Some(key.get_ref()));
            refused.push(key.get_ref().clone().into_owned());
        }
    }
    for key in &refused {
        table.remove(key.as_str());
    }
}

/// The same for one value; false where it is to be taken out, a list as a whole.
fn expand_value(value: &mut Spanned<DeValue<'_>>, outside: &Outside<'_>, findings: &mut Findings<'_>) -> bool {
    let place = value.span();
    match value.get_mut() {
        DeValue::String(text) if text.contains('$') => match expand(text, outside) {
            Ok(expanded) => *text = expanded.into(),
            Err(problem) => {
                findings.problem(&Spanned::new(place, text.clone().into_owned()), problem);
                return false;
            }
        },
        DeValue::Table(table) => expand_table(table, outside, findings),
        DeValue::Array(list) => {
            // All of them are looked at, whatever the first has.
            let refused = list.iter_mut().filter_map(|member| (!expand_value(member, outside, findings)).then_some(()));
            return refused.count() == 0;
        }
        _ => {}
    }
    true
}

/// The keys whose values nobody is shown.
fn is_credential(key: &str) -> bool {
    matches!(key, "value" | "cache_by")
}

/// A reader's message without the value that it has read.
fn unquoted(message: &str) -> String {
    let (kind, wanted) = (message.split(['`', '"']).next(), message.rsplit(['`', '"']).next());
    format!("{}{}", kind.unwrap_or_default().trim_end(), wanted.unwrap_or_default())
}

/// The keys that are one of a few words, for whoever writes true or a number.
fn words_of(key: &str) -> Option<&'static str> {
    Some(match key {
        "cookies" | "authorization" => "write \"bypass\" (the default), \"ignore\" or, on a route, \"key\"",
        "request_directives" => "write \"ignore\" or \"honour\"",
        "set_cookie" => "write \"refuse\" or, on a route, \"strip\" and without one \"store\"",
        "post" => "write \"pass\" or \"store\"",
        "when_down" => "write \"forward\" or \"refuse\"",
        "http2" => "write \"tls\", \"off\" or \"always\"",
        "policy" => "write \"through\", \"around\" or \"cache\"",
        _ => return None,
    })
}

/// The table whose short form stands beside it: `store = "…"` and `[store]`, or `store.prefix = "…"`.
fn in_both_forms(message: &str, text: &str, place: &Range<usize>) -> Option<&'static str> {
    let (before, after) = (text.get(..place.start)?, text.get(place.end..)?);
    let is_table = before.ends_with('[') || after.starts_with('.');
    let twice = message.contains("duplicate key") || message.contains("cannot extend");
    let short = |table: &str| {
        let word = |line: &str| line.split('=').next().is_some_and(|key| key.trim() == table);
        before.lines().take_while(|line| !line.starts_with('[')).any(word)
    };
    ["store", "origin"]
        .into_iter()
        .find(|table| twice && is_table && text.get(place.clone()) == Some(*table) && short(table))
}

fn syntax(error: &Error, text: &str, findings: &mut Findings<'_>) {
    let message = error.message();
    let place = error.span().unwrap_or(0..0);
    if let Some(table) = in_both_forms(message, text, &place) {
        findings.error(
            place,
            format!("`{table}` is there twice: as a URL and as a table"),
            format!("move the URL into the table: delete the line `{table} = …`, and write url = … below [{table}]"),
        );
        return;
    }
    let help = if message.contains("duplicate key") {
        "it stands above already: delete one of the two"
    } else if message.contains("quot") || message.contains("string") || message.contains("invalid") {
        "text is written in quotes, as in ttl = \"10m\""
    } else {
        "see https://toml.io for how TOML is written"
    };
    findings.error(place, format!("this is not TOML: {message}"), help);
}

const IN_QUOTES: &str = "write it in quotes";

/// A reader's message taken apart: what is wrong, and what to write.
fn words(message: &str) -> (String, String) {
    let (message, help) = match message.split_once('\n') {
        Some((message, help)) => (message, help.to_owned()),
        None => (message, String::new()),
    };
    let message = message.replace("invalid type: ", "wrong type: ");
    if !help.is_empty() {
        return (message, help);
    }
    let help = if message.ends_with("a boolean") {
        "write true or false, without quotes"
    } else if message.ends_with("a string") {
        IN_QUOTES
    } else {
        "write it as a table: { key = value }"
    };
    (message, help.to_owned())
}
