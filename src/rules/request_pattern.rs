//! `PUT /fruit/{id}`: the writes a rule speaks of.

use http::Method;

use super::PatternError;
use super::path::{Captures, PathPattern};

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

    /// Matches one decoded path of a write. Some origins take `put` for PUT, so case does not matter.
    pub fn matches<'a>(&'a self, method: &Method, path: &'a str) -> Option<Captures<'a>> {
        if self.method.as_ref().is_some_and(|mine| !mine.as_str().eq_ignore_ascii_case(method.as_str())) {
            return None;
        }
        self.path.matches_write(path)
    }
}

fn parse_method(text: &str) -> Result<Option<Method>, PatternError> {
    if text == "*" {
        return Ok(None);
    }
    if text.chars().any(|c| c.is_ascii_lowercase()) {
        return Err(PatternError::new(0, format!("methods are upper-case: write `{}`", text.to_ascii_uppercase())));
    }
    if matches!(text, "GET" | "HEAD" | "OPTIONS" | "TRACE") {
        return Err(PatternError::new(
            0,
            format!("{text} is safe and makes nothing old; name a POST, PUT, PATCH or DELETE"),
        ));
    }
    match Method::from_bytes(text.as_bytes()) {
        Ok(method) => Ok(Some(method)),
        Err(_) => Err(PatternError::new(0, format!("`{text}` is no method"))),
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
