//! `PUT /fruit/{id}`: the writes a rule speaks of.

use http::Method;

use super::PatternError;
use super::path::{Captures, PathPattern};
use super::write::Write;
use crate::policy::{registered, unsafe_methods};

/// A method, or `*` for every unsafe one, and a path pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPattern {
    source: String,
    method: Option<Method>,
    path: PathPattern,
}

impl RequestPattern {
    /// Reads `METHOD /path`. The error says where in the text and what to write instead.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        let Some((method, path)) = source.split_once(' ') else {
            return Err(PatternError::new(0, "write a method and a path, as in \"PUT /fruit/{id}\""));
        };
        let at = source.len() - path.trim_start().len();
        let path = PathPattern::parse(path.trim()).map_err(|error| PatternError { at: at + error.at, ..error })?;
        let method = parse_method(method)?;
        Ok(Self { source: source.to_owned(), method, path })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The method it names; `None` for `*`.
    pub fn method(&self) -> Option<&Method> {
        self.method.as_ref()
    }

    /// Its path pattern.
    pub fn path(&self) -> &PathPattern {
        &self.path
    }

    /// Matches one decoded path of a write, as loosely as an origin may.
    pub fn matches<'a>(&'a self, write: &Write<'_>, path: &'a str) -> Option<Captures<'a>> {
        if self.method.as_ref().is_some_and(|mine| !write.is_a(mine)) {
            return None;
        }
        self.path.matches_write(path)
    }

    /// Matches a write as it was sent, but for a slash at the end of its path.
    pub(super) fn matches_strictly<'a>(&'a self, write: &Write<'a>) -> Option<Captures<'a>> {
        if self.method.as_ref().is_some_and(|mine| mine != write.method) {
            return None;
        }
        self.path.matches_strictly(write.path)
    }
}

/// A rule of a method that nobody sends would never speak, and nobody would notice.
fn unknown_method(text: &str) -> String {
    let (distance, near) = unsafe_methods()
        .map(|known| (strsim::damerau_levenshtein(text, known), known))
        .min()
        .unwrap_or((usize::MAX, "POST"));
    match text {
        "ANY" | "ALL" | "EVERY" => {
            format!("`{text}` is not a method; write `*` for every one that may change something")
        }
        _ if distance <= 2 => format!("`{text}` is not a registered method; write `{near}`"),
        _ => format!("`{text}` is not a registered method; write `*` for every one that may change something"),
    }
}

fn parse_method(text: &str) -> Result<Option<Method>, PatternError> {
    if text == "*" {
        return Ok(None);
    }
    if text.chars().any(|c| c.is_ascii_lowercase()) {
        return Err(PatternError::new(0, format!("methods are upper-case: write `{}`", text.to_ascii_uppercase())));
    }
    match (registered(text), text) {
        (Some(true), _) => {
            let message = format!("{text} is safe and makes nothing old; name a POST, PUT, PATCH or DELETE");
            Err(PatternError::new(0, message))
        }
        (Some(false), "CONNECT") => Err(PatternError::new(0, "CONNECT is refused and reaches no origin; delete it")),
        (Some(false), _) => Method::from_bytes(text.as_bytes())
            .map(Some)
            .map_err(|_| PatternError::new(0, format!("`{text}` is not a method"))),
        (None, _) => Err(PatternError::new(0, unknown_method(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_its_method_only() {
        let pattern = RequestPattern::parse("PUT /fruit/{id}").unwrap();
        assert!(pattern.matches(&Method::PUT, "/fruit/1").is_some());
        assert!(pattern.matches(&Method::POST, "/fruit/1").is_none());
        assert!(pattern.matches(&Method::from_bytes(b"Put").unwrap(), "/fruit/1").is_some());
        assert!(RequestPattern::parse("* /fruit/{id}").unwrap().matches(&Method::DELETE, "/fruit/1").is_some());
    }

    #[test]
    fn a_bad_one_says_where() {
        for (text, at) in [("PUT", 0), ("put /x", 0), ("GET /x", 0), ("PUT x", 4), ("PUT /x/{y", 7), ("P<T /x", 0)] {
            assert_eq!(RequestPattern::parse(text).unwrap_err().at, at, "{text}");
        }
    }
}
