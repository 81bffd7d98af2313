//! What a variable of a pattern or a template may be called.

use super::PatternError;

/// Refuses what is no name of a variable; `at` is where it stands in the text.
pub(super) fn check_name(name: &str, at: usize) -> Result<(), PatternError> {
    let first = name.chars().next();
    if first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    {
        return Ok(());
    }
    Err(PatternError::new(
        at,
        format!("`{name}` is no variable name; use letters, digits, `_` and `-`, as in {{order_id}}"),
    ))
}
