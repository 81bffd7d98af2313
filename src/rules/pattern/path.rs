//! Path patterns: `/orders/{page}`, `/files/{name}.json`, `/static/{*rest}`.

mod loose;

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;

use super::{Braced, PatternError, braced, check_name};

/// A pattern that a path matches segment by segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    pub(in crate::rules) source: String,
    pub(in crate::rules) segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rules) enum Segment {
    Literal(String),
    /// `before{name}after` within one segment; the value is never empty.
    Variable {
        before: String,
        name: String,
        after: String,
    },
    /// `{*name}`: what is left of the path, at least one octet.
    Rest(String),
}

impl fmt::Display for Segment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(literal) => out.write_str(literal),
            Self::Variable { before, name, after } => write!(out, "{before}{{{name}}}{after}"),
            Self::Rest(name) => write!(out, "{{*{name}}}"),
        }
    }
}

/// A variable's name and decoded value.
type Capture<'a> = (&'a str, Cow<'a, str>);

/// The variables of a matched path, in the pattern's order. Few patterns have more than two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures<'a> {
    first: [Option<Capture<'a>>; 2],
    further: Vec<Capture<'a>>,
}

impl<'a> Captures<'a> {
    /// The decoded value of a variable, if the pattern has it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.captures().find(|(known, _)| *known == name).map(|(_, value)| value.as_ref())
    }

    /// Every variable with its decoded value.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &str)> {
        self.captures().map(|(name, value)| (*name, value.as_ref()))
    }

    fn captures(&self) -> impl Iterator<Item = &Capture<'a>> {
        self.first.iter().flatten().chain(&self.further)
    }

    fn push(&mut self, name: &'a str, value: Cow<'a, str>) {
        match self.first.iter_mut().find(|free| free.is_none()) {
            Some(free) => *free = Some((name, value)),
            None => self.further.push((name, value)),
        }
    }
}

impl PathPattern {
    /// Reads a pattern as `proxy.toml` has it. The error says where in the text and what to write instead.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        let Some(inner) = source.strip_prefix('/') else {
            return Err(PatternError::new(0, "a path must begin with `/`"));
        };
        if let Some(at) = source.find(['?', '#']) {
            return Err(PatternError::new(
                at,
                "a path has no query or fragment; leave it out, for every query of a path counts, or those that a route lists in `query`",
            ));
        }
        let mut segments = Vec::new();
        let mut at = 1;
        let mut pieces = inner.split('/').peekable();
        while let Some(piece) = pieces.next() {
            let last = pieces.peek().is_none();
            segments.push(parse_segment(piece, at, last)?);
            at += piece.len() + 1;
        }
        let pattern = Self { source: source.to_owned(), segments };
        pattern.refuse_repeated_names()?;
        Ok(pattern)
    }

    fn refuse_repeated_names(&self) -> Result<(), PatternError> {
        let names: Vec<&str> = self.variables().collect();
        for (index, name) in names.iter().enumerate() {
            if names.iter().take(index).any(|earlier| earlier == name) {
                let at = self.source.rfind(name).unwrap_or(0);
                return Err(PatternError::new(
                    at,
                    format!("`{{{name}}}` is there twice; give each variable its own name"),
                ));
            }
        }
        Ok(())
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The names of its variables, in their order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Variable { name, .. } | Segment::Rest(name) => Some(name.as_str()),
        })
    }

    /// Whether it is nothing but a `{*rest}`.
    pub fn is_any(&self) -> bool {
        matches!(self.segments.as_slice(), [Segment::Rest(_)])
    }

    /// Whether this variable is a `{*rest}`.
    pub fn is_rest(&self, name: &str) -> bool {
        matches!(self.segments.last(), Some(Segment::Rest(rest)) if rest == name)
    }

    /// Matches the raw path of a read. Values come decoded; the path must be canonical (`is_canonical`).
    pub fn matches<'a>(&'a self, path: &'a str) -> Option<Captures<'a>> {
        Self::walk(&self.segments, path.strip_prefix('/')?, decode, |a, b| a == b, cut)
    }

    /// Matches what comes after a path's first slash, with these ways to decode and compare.
    pub(in crate::rules) fn walk<'a>(
        segments: &'a [Segment],
        inner: &'a str,
        decode: impl Fn(&'a str) -> Cow<'a, str>,
        same: impl Fn(&str, &str) -> bool,
        cut: impl Fn(Cow<'a, str>, &str, &str) -> Option<Cow<'a, str>>,
    ) -> Option<Captures<'a>> {
        let mut captures = Captures::default();
        let mut left = Some(inner);
        for segment in segments {
            let rest = left?;
            let (piece, next) = first_segment(rest);
            match segment {
                Segment::Literal(literal) if same(&decode(piece), literal) => {}
                Segment::Literal(_) => return None,
                Segment::Variable { before, name, after } => {
                    captures.push(name, cut(decode(piece), before, after)?);
                }
                Segment::Rest(name) => {
                    if rest.is_empty() {
                        return None;
                    }
                    captures.push(name, decode(rest));
                    return Some(captures);
                }
            }
            left = next;
        }
        left.is_none().then_some(captures)
    }

    /// Whether every path that `other` matches is matched by this pattern too.
    pub fn covers(&self, other: &Self) -> bool {
        for (index, mine) in self.segments.iter().enumerate() {
            match (mine, other.segments.get(index)) {
                (Segment::Rest(_), Some(_)) => return !other.ends_with_a_slash_at(index),
                (Segment::Literal(a), Some(Segment::Literal(b))) if a == b => {}
                (Segment::Variable { before, after, .. }, Some(Segment::Literal(literal)))
                    if cut(Cow::Borrowed(literal), before, after).is_some() => {}
                (Segment::Variable { before, after, .. }, Some(Segment::Variable { before: b, after: a, .. }))
                    if b.starts_with(before) && a.ends_with(after) => {}
                _ => return false,
            }
        }
        self.segments.len() == other.segments.len()
    }

    /// Whether nothing but a trailing slash stands from this segment on: a `{*rest}` does not match it.
    pub(in crate::rules) fn ends_with_a_slash_at(&self, index: usize) -> bool {
        index + 1 == self.segments.len()
            && matches!(self.segments.get(index), Some(Segment::Literal(literal)) if literal.is_empty())
    }

    /// The path with values put in and encoded again; `None` when a variable has none.
    pub fn render<'v>(&self, value: impl Fn(&str) -> Option<Cow<'v, str>>) -> Option<String> {
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            match segment {
                Segment::Literal(literal) => path.push_str(&encode(literal)),
                Segment::Variable { before, name, after } => {
                    path.push_str(&encode(before));
                    path.push_str(&encode(&value(name)?));
                    path.push_str(&encode(after));
                }
                Segment::Rest(name) => {
                    let rest = value(name)?;
                    let pieces: Vec<String> = rest.split('/').map(encode).collect();
                    path.push_str(&pieces.join("/"));
                }
            }
        }
        Some(path)
    }
}

/// Everything but what may stand bare in a segment: of all spellings this is the one whose key has no suffix.
///
/// Source: RFC 3986 section 3.3
const SEGMENT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// A path's first segment, and what comes after its slash; `None` where it is the last. Segments are short: no search that
/// has to be set up is faster.
pub(in crate::rules) fn first_segment(path: &str) -> (&str, Option<&str>) {
    let slash = path.bytes().position(|byte| byte == b'/');
    match slash.and_then(|at| path.split_at_checked(at)) {
        Some((segment, rest)) => (segment, rest.get(1..)),
        None => (path, None),
    }
}

/// The text of a raw segment; bytes that are no UTF-8 come as U+FFFD.
pub(in crate::rules) fn decode(segment: &str) -> Cow<'_, str> {
    if !segment.bytes().any(|byte| byte == b'%') {
        return Cow::Borrowed(segment);
    }
    percent_decode_str(segment).decode_utf8_lossy()
}

fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, SEGMENT).to_string()
}

pub(in crate::rules) fn cut<'a>(piece: Cow<'a, str>, before: &str, after: &str) -> Option<Cow<'a, str>> {
    if before.is_empty() && after.is_empty() {
        return (!piece.is_empty()).then_some(piece);
    }
    let value = piece.strip_prefix(before)?.strip_suffix(after)?;
    (!value.is_empty()).then(|| Cow::Owned(value.to_owned()))
}

fn parse_segment(piece: &str, at: usize, last: bool) -> Result<Segment, PatternError> {
    let Some(Braced { before, rest }) = braced(piece) else {
        if let Some(stray) = piece.find('}') {
            return Err(PatternError::new(at + stray, "`}` without `{`"));
        }
        if let Some(instead) = instead(piece) {
            return Err(PatternError::new(at, format!("`{piece}` has no meaning here; write {instead}")));
        }
        let literal = percent_decode_str(piece).decode_utf8_lossy().into_owned();
        if matches!(literal.as_str(), "." | "..") || (literal.is_empty() && !last) {
            return Err(PatternError::new(at, "a path cannot contain empty segments or `.` and `..`"));
        }
        return Ok(Segment::Literal(literal));
    };
    let opened = at + before.len();
    let Some((name, after)) = rest else {
        return Err(PatternError::new(opened, "`{` is never closed"));
    };
    if after.contains(['{', '}']) {
        return Err(PatternError::new(opened + name.len() + 2, "a segment can have one variable only"));
    }
    if let Some(name) = name.strip_prefix('*') {
        check_name(name, opened + 2)?;
        if !last || !before.is_empty() || !after.is_empty() {
            return Err(PatternError::new(
                opened,
                "`{*rest}` matches everything that is left, so it must be the last segment",
            ));
        }
        return Ok(Segment::Rest(name.to_owned()));
    }
    check_name(name, opened + 1)?;
    Ok(Segment::Variable { before: before.to_owned(), name: name.to_owned(), after: after.to_owned() })
}

/// What to write instead of a segment of a pattern with a variable as other tools write it: read as a literal it would match
/// nothing, and nobody would notice. `None` for one that means itself.
fn instead(segment: &str) -> Option<String> {
    if segment == "*" || segment == "**" {
        return Some("{*rest}".to_owned());
    }
    if let Some(name) = segment.strip_prefix(':') {
        return is_name(name).then(|| format!("{{{name}}}"));
    }
    let (_, bracketed) = segment.split_once('<')?;
    let (inner, _) = bracketed.split_once('>')?;
    match inner.rsplit_once(':') {
        Some(("path", name)) if is_name(name) => Some(format!("{{*{name}}}")),
        Some((_, name)) if is_name(name) => Some(format!("{{{name}}}")),
        None if is_name(inner) => Some(format!("{{{inner}}}")),
        _ => Some("{id}".to_owned()),
    }
}

fn is_name(text: &str) -> bool {
    check_name(text, 0).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> PathPattern {
        PathPattern::parse(text).unwrap()
    }

    #[test]
    fn variables_come_decoded() {
        let orders = pattern("/orders/{page}");
        assert_eq!(orders.matches("/orders/99").unwrap().get("page"), Some("99"));
        assert_eq!(orders.matches("/orders/a%20b").unwrap().get("page"), Some("a b"));
        for no in ["/orders", "/orders/", "/orders/1/2", "/Orders/1", "/"] {
            assert!(orders.matches(no).is_none(), "{no}");
        }
        let files = pattern("/files/v{n}.json");
        assert_eq!(files.matches("/files/v2.json").unwrap().get("n"), Some("2"));
        assert!(files.matches("/files/v.json").is_none());
        assert_eq!(pattern("/static/{*rest}").matches("/static/a/b.css").unwrap().get("rest"), Some("a/b.css"));
    }

    #[test]
    fn what_covers_what() {
        assert!(pattern("/orders/{a}").covers(&pattern("/orders/latest")));
        assert!(pattern("/orders/{a}").covers(&pattern("/orders/{b}")));
        assert!(pattern("/{*all}").covers(&pattern("/orders/{b}/x")));
        assert!(!pattern("/orders/latest").covers(&pattern("/orders/{a}")));
        assert!(!pattern("/{a}/x").covers(&pattern("/y/{b}")));
        assert!(!pattern("/a").covers(&pattern("/a/{b}")));
    }

    #[test]
    fn a_rest_does_not_reach_the_bare_slash() {
        assert!(!pattern("/static/{*rest}").covers(&pattern("/static/")));
        assert!(pattern("/{*rest}").covers(&pattern("/static/")));
    }

    #[test]
    fn a_bad_pattern_says_where() {
        for (text, at) in [
            ("orders", 0),
            ("/a/{b", 3),
            ("/a/b}", 4),
            ("/{a}{b}", 4),
            ("/{*a}/b", 1),
            ("/{}", 2),
            ("/a?b", 2),
            ("/a//b", 3),
            ("/{a}/{a}", 6),
        ] {
            assert_eq!(PathPattern::parse(text).unwrap_err().at, at, "{text}");
        }
    }

    #[test]
    fn rendering_is_the_way_back() {
        let text = pattern("/a/{x}/{*rest}").render(|name| Some(if name == "x" { "1 2".into() } else { "b/c".into() }));
        assert_eq!(text.as_deref(), Some("/a/1%202/b/c"));
    }

    #[test]
    fn the_error_says_how_it_is_written_here() {
        for (path, at, write) in [
            ("/fruit/:id", 7, "{id}"),
            ("/fruit/<id>", 7, "{id}"),
            ("/fruit/<int:fruit_id>/x", 7, "{fruit_id}"),
            ("/static/<path:rest>", 8, "{*rest}"),
            ("/static/*", 8, "{*rest}"),
        ] {
            let error = PathPattern::parse(path).unwrap_err();
            assert_eq!(error.at, at, "{path}");
            assert!(error.message.ends_with(&format!("write {write}")), "{path}: {}", error.message);
        }
    }

    #[test]
    fn a_colon_or_star_within_a_segment_means_itself() {
        for path in ["/v1/orders:cancel", "/a*b", "/@x:y", "/:"] {
            assert!(PathPattern::parse(path).is_ok(), "{path}");
        }
    }
}
