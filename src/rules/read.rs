//! A read as the rules see it; and query strings as web frameworks read them (`&` separates, `+` is a space) and as they are
//! written for the origin.

use std::borrow::Cow;

use http::HeaderMap;
use http::uri::PathAndQuery;
use percent_encoding::percent_decode_str;

use super::fold::is_alike;
use super::hosts::KeyedHost;
use crate::fields::Detail;

/// A read as the rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// The raw path, and the raw query where there is one.
    pub target: &'a PathAndQuery,
    /// The request's fields.
    pub fields: &'a HeaderMap,
    /// Whom it is for, where that is part of the key.
    pub host: Option<KeyedHost<'a>>,
    /// Whether it was asked by https: the origin is told so, and an answer may have links of that scheme.
    pub secure: bool,
}

impl<'a> Read<'a> {
    /// The raw path.
    pub fn path(&self) -> &'a str {
        self.target.path()
    }

    /// The raw query without its `?`, empty where there is none.
    pub fn query(&self) -> &'a str {
        self.target.query().unwrap_or_default()
    }
}

/// Why a read is neither looked up nor stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bypass(pub Detail);

/// What a query says about one parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// It is not there.
    Absent,
    /// It is there once, with this decoded value.
    Once(Cow<'a, str>),
    /// It is there several times, or its value is no UTF-8: servers differ in which they take.
    Ambiguous,
}

/// The query's parameters in their order, names and values decoded; bytes that are no UTF-8 come as U+FFFD.
pub fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

/// Looks one parameter up by its decoded name.
pub fn find_parameter<'a>(query: &'a str, name: &str) -> Found<'a> {
    let mut found = Found::Absent;
    for (key, value) in parameters(query) {
        if key != name {
            continue;
        }
        if found != Found::Absent || value.contains(char::REPLACEMENT_CHARACTER) {
            return Found::Ambiguous;
        }
        found = Found::Once(value);
    }
    found
}

/// The same for a write, whose origin may take another name for this one: in another case, as a list (`id[]`), or cut off by a
/// `;`. Where something of that kind is there, the value is ambiguous.
pub(super) fn find_loosely<'a>(query: &'a str, name: &str) -> Found<'a> {
    let exact = find_parameter(query, name);
    let other = |(known, _): &(Cow<'_, str>, Cow<'_, str>)| {
        let cut = known.split(['[', ';', '\0']).next().unwrap_or_default();
        is_alike(cut, name) || is_alike(known, name)
    };
    let alike = parameters(query).filter(other).count();
    let cut = query.contains(';') || query.contains("%3B") || query.contains("%3b");
    match exact {
        Found::Once(value) if alike == 1 && !cut => Found::Once(value),
        Found::Absent if alike == 0 && !cut => Found::Absent,
        _ => Found::Ambiguous,
    }
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

pub(super) fn plain_query_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}' | b'#' | b'"' | b'<' | b'>' | b'\\')
}

pub(super) fn encode(text: &str) -> percent_encoding::PercentEncode<'_> {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let read: Vec<_> = parameters("city=San+Jos%C3%A9&x&=y&&z=a%3Db").collect();
        assert_eq!(
            read,
            [
                ("city".into(), "San José".into()),
                ("x".into(), "".into()),
                ("".into(), "y".into()),
                ("z".into(), "a=b".into())
            ]
        );
    }

    #[test]
    fn a_parameter_given_twice_is_ambiguous() {
        assert_eq!(find_parameter("a=1&b=2", "b"), Found::Once("2".into()));
        assert_eq!(find_parameter("a=1", "b"), Found::Absent);
        assert_eq!(find_parameter("a=1&a=1", "a"), Found::Ambiguous);
        assert_eq!(find_parameter("a=1&%61=2", "a"), Found::Ambiguous);
        assert_eq!(find_parameter("a=%FF", "a"), Found::Ambiguous);
    }
}
