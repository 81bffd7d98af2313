//! The shape of a write: its method and path with what looks like a value made a variable, so that a thousand writes are told
//! as the few kinds that they are.

use std::fmt::Write as _;

use super::named::{Named, decoded, kept, named};
use crate::policy::registered;
use crate::rules::{Captures, RequestPattern, Routes, Write};

/// The shape of one write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// As in `POST /articles/{slug}/favorite`; empty for a path that is too long to be told from others.
    pub text: String,
    /// What its variables are in this write, in their order: as the path spells them, a long one as a stand-in.
    pub values: Vec<(String, String)>,
    /// What it names besides.
    pub(super) named: Named,
    /// Whether a `[[write]]` could speak of it: its method and path are what they seem.
    pub is_plain: bool,
    /// Whether one does that says what it drops.
    pub is_said: bool,
}

/// A path below a route, or below none, has so many segments and is so long at the most.
const MOST_SEGMENTS: usize = 32;
const LONGEST: usize = 512;
/// So long a method is told.
const LONGEST_METHOD: usize = 32;
impl Shape {
    /// The shape of a write: by the file's own patterns where one speaks of it, else by those of the routes it lies below.
    pub fn of(routes: &Routes, write: &Write<'_>) -> Self {
        Self { named: named(write.query, write.body), ..Self::of_path(routes, write) }
    }

    fn of_path(routes: &Routes, write: &Write<'_>) -> Self {
        let is_plain = write.is_plain() && registered(write.method.as_str()) == Some(false);
        if let Some(speaking) = routes.speaking(write).next() {
            let is_said = routes.speaking(write).any(|speaking| speaking.rule.drops.is_some());
            return Self { is_plain, is_said, ..Self::by(speaking.request, write, &speaking.captures) };
        }
        let listed = routes.iter().flat_map(|route| route.invalidated_by.rules()).map(|rule| &rule.request);
        let by_list = listed.filter(|_| is_plain).find_map(|request| {
            let captures = request.matches(write, write.path)?;
            (!captures.iter().any(|(name, _)| request.path().is_rest(name)))
                .then(|| Self::by(request, write, &captures))
        });
        by_list.map_or_else(
            || match below(routes, write.path) {
                Some((path, values)) => {
                    let text = format!("{} {path}", method(write));
                    Self { text, values, named: None, is_plain, is_said: false }
                }
                None => Self {
                    text: String::new(),
                    values: vec![pair("path", write.path)],
                    named: None,
                    is_plain: false,
                    is_said: false,
                },
            },
            |shape| Self { is_plain, ..shape },
        )
    }

    fn by(request: &RequestPattern, write: &Write<'_>, captures: &Captures<'_>) -> Self {
        let text = format!("{} {}", method(write), request.path().as_str());
        Self { text, values: owned(captures), named: None, is_plain: true, is_said: false }
    }
}

fn method<'w>(write: &'w Write<'_>) -> &'w str {
    let method = write.method.as_str();
    method.get(..LONGEST_METHOD).unwrap_or(method)
}

/// A path whose beginning is a route's, in that route's words: the one with the most segments, and of these the first. `None`
/// for one that is too long.
fn below(routes: &Routes, path: &str) -> Option<(String, Vec<(String, String)>)> {
    let path = path.trim_end_matches('/');
    let segments: Vec<&str> = path.split('/').take(MOST_SEGMENTS + 2).collect();
    // The first one is empty.
    if segments.len() > MOST_SEGMENTS + 1 {
        return None;
    }
    let found = routes.iter().filter_map(|route| {
        let pattern = route.path.as_str().trim_end_matches('/');
        let count = pattern.split('/').count();
        let prefix = segments.get(..count).filter(|_| !pattern.contains("{*"))?.join("/");
        let slash = if route.path.as_str().ends_with('/') { "/" } else { "" };
        let captures = route.path.matches(&format!("{prefix}{slash}")).map(|captures| owned(&captures))?;
        Some((count, pattern.to_owned(), captures))
    });
    // The last of several that are as long would be `max_by_key`'s.
    let longest = found.fold(None, |best: Option<(usize, String, _)>, found| match best {
        Some(best) if best.0 >= found.0 => Some(best),
        _ => Some(found),
    });
    let (count, mut text, mut values) = longest.unwrap_or((1, String::new(), Vec::new()));
    for segment in segments.iter().skip(count) {
        text.push('/');
        if is_word(segment) {
            text.push_str(segment);
        } else {
            let name = free_name(&values);
            let _ = write!(text, "{{{name}}}");
            values.push((name, kept(&decoded(segment))));
        }
    }
    if text.is_empty() {
        text.push('/');
    }
    (text.len() <= LONGEST).then_some((text, values))
}

/// Variables with their values, as they are kept.
pub(super) fn owned(captures: &Captures<'_>) -> Vec<(String, String)> {
    captures.iter().map(|(name, value)| pair(name, value)).collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), kept(value))
}

fn free_name(values: &[(String, String)]) -> String {
    let taken = |name: &str| values.iter().any(|(known, _)| known == name);
    let numbered = (2..).map(|number| format!("id{number}"));
    std::iter::once("id".to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

/// Whether a segment is a word of the API's own, and no value.
fn is_word(segment: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_' | b'.');
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let few_digits = digits <= 2 && segment.bytes().next().is_some_and(|first| first.is_ascii_alphabetic());
    (1..=40).contains(&segment.len())
        && segment.bytes().all(|byte| is_plain(byte) || byte.is_ascii_digit())
        && (digits == 0 || few_digits)
}
