//! Patterns and templates: what a file writes with `{name}` in it.

mod index;
mod json;
mod path;
mod request;
mod template;

pub(super) use index::PathIndex;
pub use json::JsonTemplate;
pub(super) use path::decode;
pub use path::{Captures, PathPattern};
pub use request::RequestPattern;
pub use template::{Source, Template};

/// A pattern or template that cannot be used: what is wrong and where in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Byte offset in the pattern's text.
    pub at: usize,
    /// What is wrong and what to write instead, as a sentence without a full stop.
    pub message: String,
}

impl PatternError {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

impl std::fmt::Display for PatternError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for PatternError {}

/// A text taken apart at its first brace.
struct Braced<'t> {
    before: &'t str,
    /// What stands within the brace, and what comes after it; `None` where it is never closed.
    rest: Option<(&'t str, &'t str)>,
}

/// Takes a text apart at its first `{`; `None` where it has none.
fn braced(text: &str) -> Option<Braced<'_>> {
    let (before, opened) = text.split_once('{')?;
    Some(Braced { before, rest: opened.split_once('}') })
}

/// Refuses what is not the name of a variable; `at` is where it stands in the text.
fn check_name(name: &str, at: usize) -> Result<(), PatternError> {
    let first = name.chars().next();
    if first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    {
        return Ok(());
    }
    Err(PatternError::new(
        at,
        format!("`{name}` is not a variable name; use letters, digits, `_` and `-`, as in {{order_id}}"),
    ))
}
