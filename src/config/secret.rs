//! Secrets in what is shown: the password of a URL becomes stars.

use std::borrow::Cow;

/// The text with the password of every URL in it replaced by as many `*` as it has bytes. A password that comes from
/// the environment, written as `${NAME}`, is no secret and stays.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        rest = after;
        let Some(password) = password_of(after) else { continue };
        let (user, hidden) = after.split_at(password.start);
        let hidden = hidden.get(..password.len()).unwrap_or_default();
        shown.push_str(user);
        shown.push_str(&if hidden.starts_with("${") && hidden.ends_with('}') {
            hidden.to_owned()
        } else {
            "*".repeat(hidden.len())
        });
        rest = after.get(password.end..).unwrap_or_default();
    }
    if shown.is_empty() {
        return Cow::Borrowed(text);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
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
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("redis://user@h:1", "redis://user@h:1"),
            ("no url", "no url"),
        ] {
            assert_eq!(without_secrets(text), shown);
        }
    }
}
