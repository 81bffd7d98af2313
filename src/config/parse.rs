//! From text to the tables as they are written: TOML, the environment's values, known keys, and the form of every value.
//!
//! Each value that cannot be read is reported and taken out, and the rest is read on, so that a person sees every
//! fault of the file at once. Which tables have lost something by that is noted.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::findings::{Findings, Tables};
use super::outside::{Outside, expand};
use super::table::{Level, Table, refuse_unknown};

/// Reads a file's text. What could not be read is in the findings and missing in the result; `None` where nothing could
/// be read.
pub(super) fn parse<F: Table>(text: &str, outside: &Outside<'_>, findings: &mut Findings<'_>) -> Option<F> {
    let root = match DeTable::parse(text) {
        Ok(root) => root,
        // One slip in TOML often makes the parser stumble again right after it: the first is the one to mend.
        Err(error) => {
            syntax(&error, text, F::LEVEL, findings);
            return None;
        }
    };
    tables(root, text, outside, findings)
}

/// The same of a text that is no TOML: what stands around the slips, for whoever wants to know little of it. What is found wrong
/// says nothing then.
pub(super) fn parse_around_slips<F: Table>(text: &str, outside: &Outside<'_>) -> Option<F> {
    tables(DeTable::parse_recoverable(text).0, text, outside, &mut Findings::new(text))
}

fn tables<F: Table>(
    mut root: Spanned<DeTable<'_>>,
    text: &str,
    outside: &Outside<'_>,
    findings: &mut Findings<'_>,
) -> Option<F> {
    let known: Vec<_> = F::BELOW.iter().map(|(name, _)| *name).collect();
    findings.in_tables(Tables::of(root.get_ref(), text, &known));
    refuse_unknown(root.get_mut(), F::LEVEL, findings);
    expand_table(root.get_mut(), outside, findings);
    read_on(root, findings)
}

/// How often is tried to read a file without what does not fit.
const MOST_TRIES: usize = 1000;

/// Reads the tables, taking out what does not fit until the rest does.
fn read_on<F: Table>(mut root: Spanned<DeTable<'_>>, findings: &mut Findings<'_>) -> Option<F> {
    for _ in 0..MOST_TRIES {
        let error = match F::deserialize(Deserializer::from(root.clone())) {
            Ok(file) => return Some(file),
            Err(error) => error,
        };
        let (message, help) = words(error.message());
        let Some(place) = error.span() else {
            findings.error(0..0, message, help);
            return None;
        };
        let removed = remove_at(root.get_mut(), &place);
        findings.unread(&place, removed.as_deref());
        findings.error(place, message, help);
        removed.as_ref()?;
    }
    None
}

/// Takes the innermost value at a place out, a list as a whole. Its key, unless there is nothing.
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

/// The table that is also written in its short form: `store = "…"` and `[store]`, or `store.prefix = "…"`.
fn in_both_forms(message: &str, text: &str, place: &Range<usize>, top: &Level) -> Option<&'static str> {
    let (before, after) = (text.get(..place.start)?, text.get(place.end..)?);
    let is_table = before.ends_with('[') || after.starts_with('.');
    let twice = message.contains("duplicate key") || message.contains("cannot extend");
    let short = |table: &str| {
        let word = |line: &str| line.split('=').next().is_some_and(|key| key.trim() == table);
        before.lines().take_while(|line| !line.starts_with('[')).any(word)
    };
    let mut with_short_form = top.below.iter().filter(|(_, level)| level.forms.is_some()).map(|(name, _)| *name);
    with_short_form.find(|table| twice && is_table && text.get(place.clone()) == Some(*table) && short(table))
}

fn syntax(error: &Error, text: &str, top: &Level, findings: &mut Findings<'_>) {
    let message = error.message();
    let place = error.span().unwrap_or(0..0);
    if let Some(table) = in_both_forms(message, text, &place, top) {
        findings.error(
            place,
            format!("`{table}` is set twice: as a URL and as a table"),
            format!("move the URL into the table: delete the line `{table} = …`, and write url = … below [{table}]"),
        );
        return;
    }
    let help = if message.contains("duplicate key") {
        "it is already set above: delete one of the two"
    } else if message.contains("quot") || message.contains("string") || message.contains("invalid") {
        "strings need quotes, as in ttl = \"10m\""
    } else {
        "see https://toml.io for how TOML is written"
    };
    findings.error(place, format!("this is not valid TOML: {message}"), help);
}

/// A reader's message taken apart: what is wrong, and what to write.
fn words(message: &str) -> (String, String) {
    let (message, help) = message.split_once('\n').unwrap_or((message, ""));
    let help = match help {
        "" if message.ends_with("a boolean") => "write true or false, without quotes",
        "" if message.ends_with("a string") => "write it in quotes",
        "" => "write it as a table: { key = value }",
        help => help,
    };
    (wrong_type(message).unwrap_or_else(|| message.to_owned()), help.to_owned())
}

/// That a value is of another type than the one that was expected. The value itself may be a secret, and is shown below in
/// any case.
fn wrong_type(message: &str) -> Option<String> {
    let (found, expected) = message.strip_prefix("invalid type: ")?.rsplit_once(", expected ")?;
    let kind = match found.split(['`', '"']).next().unwrap_or_default().trim_end() {
        "integer" => "a whole number",
        "floating point" => "a number",
        "boolean" => "true or false",
        "string" => "a string",
        "sequence" => "a list",
        "map" => "a table",
        other => other,
    };
    Some(format!("expected {expected}, found {kind}"))
}
