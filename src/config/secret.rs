//! Secrets in what is shown: the password of a URL becomes stars.

use std::borrow::Cow;

/// The text with the password of every URL in it replaced by as many `*` as it has bytes, also where somebody forgot the
/// URL's scheme. A password that comes from outside, written as `${NAME}` or `${file:path}`, is no secret and stays.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find([':', '"', '\'']) {
        let found = rest.get(at..).unwrap_or_default();
        let start = at + if found.starts_with("://") { 3 } else { 1 };
        let (before, after) = rest.split_at(start);
        shown.push_str(before);
        rest = after;
        let may_begin = found.starts_with("://") || (!found.starts_with(':') && is_login_without_scheme(after));
        let Some(password) = may_begin.then(|| password_of(after)).flatten() else { continue };
        let (user, hidden) = after.split_at(password.start);
        let hidden = hidden.get(..password.len()).unwrap_or_default();
        shown.push_str(user);
        if is_reference(hidden) {
            shown.push_str(hidden);
        } else {
            shown.push_str(&"*".repeat(hidden.len()));
        }
        rest = after.get(password.end..).unwrap_or_default();
    }
    if shown.is_empty() {
        return Cow::Borrowed(text);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Whether a quoted text begins as `user:password@` does; one with braces is a template.
fn is_login_without_scheme(after: &str) -> bool {
    let word = after.split(['"', '\'']).next().unwrap_or_default();
    !word.contains("://") && !word.contains('{')
}

/// Whether it says where the password is, and not what: a default would be one.
pub(super) fn is_reference(password: &str) -> bool {
    let name = password.strip_prefix("${").and_then(|name| name.strip_suffix('}'));
    name.is_some_and(|name| !name.contains(['{', '}']) && (name.starts_with("file:") || !name.contains(':')))
}

/// Where the password stands in what follows `://`: between the first `:` and the last `@` of the authority. A
/// password that was not encoded may hold any of `/`, `?` and `#`, so only quotes, white space and commas end the search.
fn password_of(after: &str) -> Option<std::ops::Range<usize>> {
    let mut escaped = false;
    let end = after.find(|c: char| {
        let ends = !escaped && (matches!(c, '"' | '\'' | ',') || c.is_whitespace());
        escaped = c == '\\';
        ends
    });
    let end = end.unwrap_or(after.len());
    let at = after.get(..end)?.rfind('@')?;
    let colon = after.get(..at)?.find(':')?;
    Some(colon + 1..at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_become_stars_of_the_same_length() {
        for (text, shown) in [
            ("redis://:hunter2@h:6379/0", "redis://:*******@h:6379/0"),
            ("a = \"redis://u:p@h\" # and http://x:y@z", "a = \"redis://u:*@h\" # and http://x:*@z"),
            (r#"x = "redis://u:a\"b@h""#, r#"x = "redis://u:****@h""#),
            ("redis://u:a/b@c@h", "redis://u:*****@h"),
            ("redis://:${PASSWORD}@h", "redis://:${PASSWORD}@h"),
            ("redis://:${file:/run/secrets/redis}@h", "redis://:${file:/run/secrets/redis}@h"),
            ("redis://:${PASSWORD:-hunter2}@h", "redis://:********************@h"),
            ("redis://:${A}hunter2${B}@h", "redis://:***************@h"),
            ("url = \"u:hunter2@h\" # 1", "url = \"u:*******@h\" # 1"),
            ("key = \"k:{a}@{b}\"", "key = \"k:{a}@{b}\""),
            ("a = 'b', c = \"d: e@f\"", "a = 'b', c = \"d: e@f\""),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("redis://user@h:1", "redis://user@h:1"),
            ("no url", "no url"),
        ] {
            assert_eq!(without_secrets(text), shown);
        }
    }
}
