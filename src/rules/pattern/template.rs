//! Templates of keys and tags: `fruit:{id}`, `{country}-{city}`, `customer:{response:/customer_id}`.
//!
//! Values are percent-encoded so that none can imitate a separator, another key, a Redis hash tag or a command:
//! besides ASCII letters and digits only `.`, `_` and `-` stay bare, and of these none that the template's own text
//! uses. Two different sets of values therefore never render to the same text.

use std::borrow::Cow;
use std::fmt::Write as _;

use percent_encoding::percent_decode_str;

use super::{Braced, PatternError, braced, check_name};
use crate::rules::document::Pointer;

/// A template of a key or a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
    pieces: Vec<Piece>,
    /// Octets that the template's own text uses and values therefore must not show bare.
    reserved: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Variable(Source),
}

/// Where a variable gets its value from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `{name}`: path, then query, then (for a write) its JSON body.
    Name(String),
    /// `{body:/order/id}`: the JSON request body at this pointer.
    Body(Pointer),
    /// `{response:/id}`: the JSON response body at this pointer.
    Response(Pointer),
}

/// The text a template gets where a variable has no value: an absent query parameter. No value renders to it.
pub(in crate::rules) const ABSENT: &str = "~";

impl Template {
    /// Reads a template as `proxy.toml` has it. The error says where in the text and what to write instead.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        Self::read(source, |literal, at| check_literal(literal, at).map(|()| literal.to_owned()))
    }

    /// Reads one whose text may be whatever a path has, and is decoded as a path is.
    pub(in crate::rules) fn parse_path(source: &str) -> Result<Self, PatternError> {
        Self::read(source, |literal, _| Ok(percent_decode_str(literal).decode_utf8_lossy().into_owned()))
    }

    fn read(source: &str, text_of: impl Fn(&str, usize) -> Result<String, PatternError>) -> Result<Self, PatternError> {
        let pieces = take_apart(source, text_of, parse_source)?;
        if pieces.is_empty() {
            return Err(PatternError::new(0, "a key or tag cannot be empty"));
        }
        Ok(Self::from_pieces(source.to_owned(), pieces))
    }

    /// The default key of a path pattern and the listed query parameters: `/active?country={country}&city={city}`.
    pub fn of_path(pattern: &str, query: &[String]) -> Self {
        let name = |name: &str, _| Ok(Source::Name(name.trim_start_matches('*').to_owned()));
        let mut pieces = take_apart(pattern, |literal, _| Ok(literal.to_owned()), name).unwrap_or_default();
        let mut literal = match pieces.pop() {
            Some(Piece::Literal(last)) => last,
            Some(variable) => {
                pieces.push(variable);
                String::new()
            }
            None => String::new(),
        };
        for (index, name) in query.iter().enumerate() {
            let _ = write!(literal, "{}{name}=", if index == 0 { '?' } else { '&' });
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            pieces.push(Piece::Variable(Source::Name(name.clone())));
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        // Separators that a default key uses are never bare in a value: only `.`, `_` and `-` could be, and they
        // separate nothing here.
        let mut template = Self::from_pieces(String::new(), pieces);
        template.reserved.clear();
        template.source = template.shape(|source| match source {
            Source::Name(name) => format!("{{{name}}}"),
            Source::Body(_) | Source::Response(_) => String::new(),
        });
        template
    }

    fn from_pieces(source: String, pieces: Vec<Piece>) -> Self {
        let mut reserved = Vec::new();
        for piece in &pieces {
            if let Piece::Literal(literal) = piece {
                reserved.extend(literal.bytes().filter(|byte| !reserved_anyway(*byte)));
            }
        }
        reserved.sort_unstable();
        reserved.dedup();
        // A template without two variables separates nothing, so its text reserves nothing: `fruit-{id}` may hold
        // `a-b` bare.
        if pieces.iter().filter(|piece| matches!(piece, Piece::Variable(_))).count() < 2 {
            reserved.clear();
        }
        Self { source, pieces, reserved }
    }

    /// The template as written, or for a default key as it would be written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The variables in their order.
    pub fn variables(&self) -> impl Iterator<Item = &Source> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Literal(_) => None,
            Piece::Variable(source) => Some(source),
        })
    }

    /// Whether `{name}` is one of its variables.
    pub fn uses(&self, name: &str) -> bool {
        self.variables().any(|source| matches!(source, Source::Name(known) if known == name))
    }

    /// The template with each variable replaced by `show`'s text: to compare two templates' shapes.
    pub fn shape(&self, show: impl Fn(&Source) -> String) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(literal) => literal.clone(),
                Piece::Variable(source) => show(source),
            })
            .collect()
    }

    /// Puts values in. `value` gives `None` for an unknown variable, which makes the whole `None`;
    /// `Some(None)` for one known to be absent.
    pub fn render<'v>(&self, value: impl FnMut(&Source) -> Option<Option<Cow<'v, str>>>) -> Option<String> {
        self.render_with(value, |value, text| self.encode(value, text))
    }

    /// Puts values in as they are, for a tag: it has to meet what a response field says in plain text.
    pub fn render_plain<'v>(&self, mut value: impl FnMut(&Source) -> Option<Cow<'v, str>>) -> Option<String> {
        self.render_with(|source| value(source).map(Some), |value, text| text.push_str(value))
    }

    fn render_with<'v>(
        &self,
        mut value: impl FnMut(&Source) -> Option<Option<Cow<'v, str>>>,
        write: impl Fn(&str, &mut String),
    ) -> Option<String> {
        let mut text = String::with_capacity(self.source.len() + 16);
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Variable(source) => match value(source)? {
                    Some(value) => write(&value, &mut text),
                    None => text.push_str(ABSENT),
                },
            }
        }
        Some(text)
    }

    /// The values of which [`Template::render`] makes this text, `None` for one that is absent; nothing where it makes no text
    /// of the kind. Of a text that it has made there is one reading; a value may stand in it as a person writes it, too.
    pub fn values_in(&self, text: &str) -> Option<Vec<(&Source, Option<String>)>> {
        let (mut values, mut rest) = (Vec::new(), text);
        let mut pieces = self.pieces.iter().peekable();
        while let Some(piece) = pieces.next() {
            match (piece, pieces.peek()) {
                (Piece::Literal(literal), _) => rest = rest.strip_prefix(literal.as_str())?,
                (Piece::Variable(source), next) => {
                    let end = match next {
                        // With two variables nothing of the text between them is bare in a value, and with one it is the end.
                        Some(Piece::Literal(literal)) if self.reserves(literal) => rest.find(literal.as_str())?,
                        Some(Piece::Literal(literal)) => rest.rfind(literal.as_str())?,
                        Some(Piece::Variable(_)) => return None,
                        None => rest.len(),
                    };
                    let (value, after) = rest.split_at_checked(end)?;
                    values.push((source, if value == ABSENT { None } else { Some(decode(value)?) }));
                    rest = after;
                }
            }
        }
        rest.is_empty().then_some(values)
    }

    /// What stands before its first variable.
    pub fn beginning(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Literal(literal)) => literal,
            Some(Piece::Variable(_)) | None => "",
        }
    }

    /// Whether no value shows all of this text bare.
    fn reserves(&self, literal: &str) -> bool {
        literal.bytes().any(|byte| !self.is_bare(byte))
    }

    fn is_bare(&self, byte: u8) -> bool {
        !reserved_anyway(byte) && !self.reserved.contains(&byte)
    }

    fn encode(&self, value: &str, text: &mut String) {
        let is_bare = |byte: u8| self.is_bare(byte);
        if value.bytes().all(is_bare) {
            return text.push_str(value);
        }
        for byte in value.bytes() {
            if is_bare(byte) {
                text.push(char::from(byte));
            } else {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
}

/// What a value was that is written so; nothing where it is none.
fn decode(text: &str) -> Option<String> {
    // In the name of a key a `#` separates what comes after the values.
    let value = percent_decode_str(text).decode_utf8().ok().filter(|_| !text.contains('#'))?;
    Some(value.into_owned())
}

/// The pieces of a text with variables in it, none of them empty: its own text as `text_of` has it, and its variables.
fn take_apart(
    source: &str,
    text_of: impl Fn(&str, usize) -> Result<String, PatternError>,
    variable_of: impl Fn(&str, usize) -> Result<Source, PatternError>,
) -> Result<Vec<Piece>, PatternError> {
    let mut pieces = Vec::new();
    let mut rest = source;
    while !rest.is_empty() {
        let at = source.len() - rest.len();
        let (before, braces) = braced(rest).map_or((rest, None), |Braced { before, rest }| (before, Some(rest)));
        if !before.is_empty() {
            pieces.push(Piece::Literal(text_of(before, at)?));
        }
        let Some(braces) = braces else { break };
        let opened = at + before.len();
        let (within, after) = braces.ok_or_else(|| PatternError::new(opened, "`{` is never closed"))?;
        if matches!(pieces.last(), Some(Piece::Variable(_))) {
            return Err(PatternError::new(opened, "two variables need a separator between them, as in {a}-{b}"));
        }
        pieces.push(Piece::Variable(variable_of(within, opened + 1)?));
        rest = after;
    }
    Ok(pieces)
}

fn reserved_anyway(byte: u8) -> bool {
    !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn parse_source(text: &str, at: usize) -> Result<Source, PatternError> {
    let pointer = |pointer: &str| {
        if pointer.split('/').any(|step| step == "*") {
            let message = format!(
                "`*` has no meaning in the JSON pointer `{pointer}`; name one place, as in {{body:/items/0/id}}"
            );
            return Err(PatternError::new(at, message));
        }
        Pointer::parse(pointer).ok_or_else(|| {
            PatternError::new(at, format!("`{pointer}` is not a JSON pointer; write it as in {{body:/order/id}}"))
        })
    };
    match text.split_once(':') {
        Some(("body", rest)) => Ok(Source::Body(pointer(rest)?)),
        Some(("response", rest)) => Ok(Source::Response(pointer(rest)?)),
        Some((other, _)) => {
            Err(PatternError::new(at, format!("`{other}:` is not a source of values; use `body:` or `response:`")))
        }
        None => check_name(text, at).map(|()| Source::Name(text.to_owned())),
    }
}

fn check_literal(literal: &str, at: usize) -> Result<(), PatternError> {
    let bad =
        literal.char_indices().find(|(_, c)| matches!(c, '}' | '~' | '#' | '%') || c.is_control() || c.is_whitespace());
    match bad {
        None => Ok(()),
        Some((offset, '}')) => Err(PatternError::new(at + offset, "`}` without `{`")),
        Some((offset, found)) => {
            let why = "`~`, `#`, `%` and white space mean something else in keys";
            Err(PatternError::new(at + offset, format!("{found:?} is not allowed in a key or tag: {why}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, values: &[(&str, Option<&str>)]) -> Option<String> {
        Template::parse(template).unwrap().render(|source| match source {
            Source::Name(name) => {
                let (_, value) = values.iter().find(|(known, _)| known == name)?;
                Some(value.map(|value| Cow::Owned(value.to_owned())))
            }
            _ => None,
        })
    }

    #[test]
    fn the_seeds_keys_render_as_their_authors_wrote_them() {
        assert_eq!(render("fruit:{id}", &[("id", Some("1"))]).as_deref(), Some("fruit:1"));
        assert_eq!(
            render("{country}-{city}", &[("country", Some("NI")), ("city", Some("Managua"))]).as_deref(),
            Some("NI-Managua")
        );
    }

    #[test]
    fn no_value_imitates_a_separator_an_absence_or_a_hash_tag() {
        let city = |country, city| render("{country}-{city}", &[("country", country), ("city", city)]).unwrap();
        assert_ne!(city(Some("a-b"), Some("c")), city(Some("a"), Some("b-c")));
        assert_ne!(city(None, Some("c")), city(Some("~"), Some("c")));
        assert_ne!(city(None, Some("c")), city(Some(""), Some("c")));
        assert_eq!(render("k:{id}", &[("id", Some("{x}:y\r\n *?"))]).unwrap(), "k:%7Bx%7D%3Ay%0D%0A%20%2A%3F");
    }

    #[test]
    fn a_text_is_read_back_into_its_values() {
        for template in ["fruit:{a}", "{a}-x", "{a}-{b}", "a{a}b{b}c", "{a}:{b}:{c}", "/x/{a}.json?q={b}", "fruit"] {
            let template = Template::parse(template).unwrap();
            for values in [["1", "2", "3"], ["-", "a-x", "b:c"], ["é", "", ":"], ["~", "%", "{}"], ["abc", "x-x", "."]]
            {
                let of = |source: &Source| match source {
                    Source::Name(name) => values.get(usize::from(name.as_bytes()[0] - b'a')),
                    _ => None,
                };
                let text = template.render(|source| Some(of(source).map(|value| (*value).into()))).unwrap();
                for (source, value) in template.values_in(&text).unwrap() {
                    assert_eq!(value.as_deref(), of(source).copied(), "{text}");
                }
            }
        }
        let template = Template::parse("fruit:{id}").unwrap();
        assert_eq!(template.values_in("fruit:~").unwrap()[0].1, None);
        assert_eq!(template.values_in("fruit:león").unwrap()[0].1.as_deref(), Some("león"));
        assert_eq!((template.values_in("fruits:1"), template.values_in("fruit")), (None, None));
    }

    #[test]
    fn an_unknown_variable_gives_no_text() {
        assert_eq!(render("fruit:{id}", &[]), None);
    }

    #[test]
    fn a_default_key_is_the_path_and_the_listed_query() {
        let template = Template::of_path("/active/{*rest}", &["country".to_owned(), "city".to_owned()]);
        assert_eq!(template.as_str(), "/active/{rest}?country={country}&city={city}");
        let text = template.render(|_| Some(Some("a/b-c".into())));
        assert_eq!(text.as_deref(), Some("/active/a%2Fb-c?country=a%2Fb-c&city=a%2Fb-c"));
    }

    #[test]
    fn a_bad_template_says_where() {
        for (text, at) in
            [("", 0), ("a{b", 1), ("a}b", 1), ("{a}{b}", 3), ("a b", 1), ("{x:y}", 1), ("{body:id}", 1), ("{}", 1)]
        {
            assert_eq!(Template::parse(text).unwrap_err().at, at, "{text}");
        }
    }
}
