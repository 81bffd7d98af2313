//! `PUT /fruit/{id}`: the writes a rule speaks of.

use http::Method;

use super::{Captures, PathPattern, PatternError};
use crate::policy::{registered, unsafe_methods};
use crate::rules::write::Write;

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
    pub(in crate::rules) fn matches_strictly<'a>(&'a self, write: &Write<'a>) -> Option<Captures<'a>> {
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
            format!("`{text}` is not a method; write `*` for every method that may change something")
        }
        _ if distance <= 1 => format!("`{text}` is not a registered method; write `{near}`"),
        _ => format!("`{text}` is not a registered method; write `*` for every method that may change something"),
    }
}

fn parse_method(text: &str) -> Result<Option<Method>, PatternError> {
    if text == "*" {
        return Ok(None);
    }
    if text.chars().any(|c| c.is_ascii_lowercase()) {
        return Err(PatternError::new(0, format!("methods must be upper-case: write `{}`", text.to_ascii_uppercase())));
    }
    match (registered(text), text) {
        (Some(true), _) => {
            let message = format!("{text} is a safe method and changes nothing; name a POST, PUT, PATCH or DELETE");
            Err(PatternError::new(0, message))
        }
        (Some(false), "CONNECT") => Err(PatternError::new(0, "CONNECT is always refused; delete it")),
        (Some(false), _) => Method::from_bytes(text.as_bytes())
            .map(Some)
            .map_err(|_| PatternError::new(0, format!("`{text}` is not a method"))),
        (None, _) => Err(PatternError::new(0, unknown_method(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Document, Overriding, WriteAnswer};

    fn matches(pattern: &str, method: &str, overriding: &[Method], path: &str) -> (bool, bool) {
        let pattern = RequestPattern::parse(pattern).unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let overriding = Overriding { methods: overriding.to_vec(), unknown: false };
        let write = Write {
            method: &method,
            overriding: &overriding,
            path,
            paths: &[],
            query: "",
            body: Document::Absent,
            answer: WriteAnswer::default(),
        };
        (pattern.matches(&write, path).is_some(), pattern.matches_strictly(&write).is_some())
    }

    #[test]
    fn matches_its_method_only() {
        assert_eq!(matches("PUT /fruit/{id}", "PUT", &[], "/fruit/1"), (true, true));
        assert_eq!(matches("PUT /fruit/{id}", "PUT", &[], "/FRUIT/1/"), (true, false));
        assert_eq!(matches("PUT /fruit/{id}", "POST", &[], "/fruit/1"), (false, false));
        assert_eq!(matches("PUT /fruit/{id}", "Put", &[], "/fruit/1"), (true, false));
        assert_eq!(matches("PUT /fruit/{id}", "POST", &[Method::PUT], "/fruit/1"), (true, false));
        assert_eq!(matches("* /fruit/{id}", "DELETE", &[], "/fruit/1"), (true, true));
    }

    #[test]
    fn a_bad_one_says_where_and_what_to_write() {
        for (text, at, help) in [
            ("PUT", 0, "write a method and a path"),
            ("put /x", 0, "write `PUT`"),
            ("GET /x", 0, "safe"),
            ("QUERY /x", 0, "safe"),
            ("PROPFIND /x", 0, "safe"),
            ("PUT x", 4, "must begin with `/`"),
            ("PUT /x/{y", 7, "never closed"),
            ("P<T /x", 0, "write `PUT`"),
            ("PSOT /x", 0, "write `POST`"),
            ("ANY /x", 0, "write `*`"),
            ("ALL /x", 0, "write `*`"),
            ("FROBNICATE /x", 0, "write `*`"),
            ("CONNECT /x", 0, "delete it"),
        ] {
            let error = RequestPattern::parse(text).unwrap_err();
            assert!(error.at == at && error.message.contains(help), "{text}: {error:?}");
        }
        assert!(RequestPattern::parse("MOVE /x").is_ok());
    }
}
