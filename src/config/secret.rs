//! Secrets in what is shown become stars: the password of a URL, what any key says that is called a password or a token, and
//! the `value` of a `cache_by`, however badly the file around them is written.
//!
//! Whatever is wrong with a file is printed with its lines, so a slip right beside a secret would show it. Such a file
//! cannot be parsed: its text is searched for what is written where a secret belongs.

use std::borrow::Cow;
use std::ops::Range;

use http::HeaderName;

/// The text with the password of every URL in it replaced by as many `*` as it has bytes, even without the
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
fn is_reference(password: &str) -> bool {
    let name = password.strip_prefix("${").and_then(|name| name.strip_suffix('}'));
    name.is_some_and(|name| !name.contains(['{', '}']) && (name.starts_with("file:") || !name.contains(':')))
}

/// Where the password is in what follows `://`: between the first `:` and the last `@` of the authority. A
/// password that was not encoded may hold any of `/`, `?` and `#`, so only quotes, white space and commas end the search.
fn password_of(after: &str) -> Option<Range<usize>> {
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

/// The text with as many `*` in place of every credential as it has bytes.
pub(super) fn without_credentials(text: &str) -> String {
    let mut shown = text.to_owned();
    for place in credentials(text) {
        shown.replace_range(place.clone(), &"*".repeat(place.len()));
    }
    shown
}

/// Where the text has credentials, in its order. What comes from outside (`${NAME}`) is not one.
fn credentials(text: &str) -> Vec<Range<usize>> {
    let tables = tables(text);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(equals) = text.get(at..).and_then(|rest| rest.find('=')).map(|offset| at + offset) {
        let key = key_before(text, equals);
        let value = value_after(text, equals + 1);
        let within = tables.iter().any(|table| table.contains(&equals)) || key.split('.').any(is_cache_by);
        let written = text.get(value.clone()).unwrap_or_default();
        if is_secret(&key, written, within) {
            hide(text, &value, &mut found);
        }
        // A text that is no credential may be anything, the beginning of another among them.
        at = if written.contains('\n') { equals + 1 } else { value.end.max(equals + 1) };
    }
    found
}

/// Whether what is written after a key is a credential, `within` the table of a `cache_by` or not.
fn is_secret(key: &str, written: &str, within: bool) -> bool {
    let name = key.rsplit('.').next().unwrap_or_default();
    let text = written.trim_matches(['"', '\'']);
    match name {
        "field" => within && HeaderName::from_bytes(text.as_bytes()).is_err(),
        _ if is_cache_by(name) => strsim::damerau_levenshtein(text, "anyone") > 2,
        _ => within || is_password(name) || is_token(name) || strsim::damerau_levenshtein(name, "value") < 2,
    }
}

fn is_password(name: &str) -> bool {
    let name = name.to_lowercase().replace('-', "_");
    name.contains("passw") || strsim::damerau_levenshtein(&name, "sentinel_password") <= 2
}

fn is_token(name: &str) -> bool {
    let name = name.to_lowercase().replace('-', "_");
    let near = |known: &str, most: usize| strsim::damerau_levenshtein(&name, known) <= most;
    name.ends_with("token") || near("token", 1) || near("purge_token", 2)
}

fn is_cache_by(name: &str) -> bool {
    strsim::damerau_levenshtein(&name.trim().replace('-', "_"), "cache_by") <= 2
}

/// What is `cache_by = { … }`, and what is below `[route.write.cache_by]`.
fn tables(text: &str) -> Vec<Range<usize>> {
    let mut tables = Vec::new();
    let (mut at, mut header) = (0, None);
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        if trimmed.starts_with('[') {
            tables.extend(header.take().map(|start| start..at));
            let is_credential = trimmed.split(['.', '[', ']', ' ', '"']).any(is_cache_by);
            header = is_credential.then_some(at);
        }
        for (equals, _) in line.match_indices('=').map(|(offset, sign)| (at + offset, sign)) {
            let opens = text.get(equals + 1..).is_some_and(|rest| rest.trim_start().starts_with('{'));
            if opens && key_before(text, equals).split('.').any(is_cache_by) {
                tables.push(equals + 1..closed(text, equals + 1));
            }
        }
        at += line.len();
    }
    tables.extend(header.map(|start| start..text.len()));
    tables
}

/// Where a table ends whose `{` comes next: at a `}` outside of quotes.
fn closed(text: &str, start: usize) -> usize {
    let mut quote = None;
    for (offset, character) in text.get(start..).unwrap_or_default().char_indices() {
        match (character, quote) {
            ('"' | '\'', None) => quote = Some(character),
            ('\n', _) => quote = None,
            ('}', None) => return start + offset,
            _ if quote == Some(character) => quote = None,
            _ => {}
        }
    }
    text.len()
}

/// The key before a `=`, dotted or not, without quotes.
fn key_before(text: &str, equals: usize) -> String {
    let before = text.get(..equals).unwrap_or_default();
    let start = before.rfind(['\n', '{', ',', '#']).map_or(0, |found| found + 1);
    before.get(start..).unwrap_or_default().trim().replace(['"', '\''], "")
}

/// The place of a value with its quotes; empty where a table begins.
fn value_after(text: &str, from: usize) -> Range<usize> {
    let rest = text.get(from..).unwrap_or_default();
    let start = from + rest.len() - rest.trim_start_matches([' ', '\t']).len();
    let value = text.get(start..).unwrap_or_default();
    let quoted = |quote: &str| {
        let mut end = quote.len();
        loop {
            let next = value.get(end..).unwrap_or_default();
            match next.find(['"', '\'', '\\', '\n']).map(|at| end + at) {
                None => return value.len(),
                Some(at) if value.get(at..).is_some_and(|rest| rest.starts_with(quote)) => return at + quote.len(),
                Some(at) if value.get(at..).is_some_and(|rest| rest.starts_with('\n')) && quote.len() == 1 => {
                    return at;
                }
                Some(at) if value.get(at..).is_some_and(|rest| rest.starts_with('\\')) && quote.starts_with('"') => {
                    end = at + 1 + value.get(at + 1..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
                }
                Some(at) => end = at + 1,
            }
        }
    };
    let length = match value.chars().next() {
        Some('{') => 0,
        Some('"') if value.starts_with("\"\"\"") => quoted("\"\"\""),
        Some('\'') if value.starts_with("'''") => quoted("'''"),
        Some('"') => quoted("\""),
        Some('\'') => quoted("'"),
        _ => value.find(['\n', ',', '}']).unwrap_or(value.len()),
    };
    start..start + length
}

/// Notes a value but for its quotes and what it takes from outside.
fn hide(text: &str, value: &Range<usize>, found: &mut Vec<Range<usize>>) {
    let written = text.get(value.clone()).unwrap_or_default();
    let mut at = value.start + written.len() - written.trim_start_matches(['"', '\'']).len();
    let end = value.start + written.trim_end_matches(['"', '\'']).trim_end().len();
    while let Some(rest) = text.get(at..end).filter(|rest| !rest.is_empty()) {
        let reference = rest.match_indices("${").find_map(|(start, _)| {
            let length = rest.get(start..)?.find('}')? + 1;
            is_reference(rest.get(start..start + length)?).then_some(start..start + length)
        });
        let hidden = reference.as_ref().map_or(rest.len(), |reference| reference.start);
        found.push(at..at + hidden);
        at += reference.map_or(rest.len(), |reference| reference.end);
    }
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

    #[test]
    fn a_credential_becomes_stars_however_it_is_written() {
        for text in [
            "cache_by = { field = \"Authorization\", value = \"hunter2\" }",
            "cache_by={value='hunter2',field=\"X-Token\"}",
            "cache_by = { field = \"X\", \"value\" = \"hunter2\" }",
            "cache_by.value = \"hunter2\"",
            "write.cache_by.value = 'hunter2'",
            "[route.write.cache_by]\nfield = \"X\"\nvalue = \"hunter2\"\n",
            "[route.write.cache_by] # x\ntoken = \"hunter2\"\n[log]",
            "cache_by = { field = \"X\", valeu = \"hunter2\" }",
            "cache_by = { field = \"X\", secret = \"hunter2\" }",
            "cache-by = { field = \"X\", secret = \"hunter2\" }",
            "cach_by = { field = \"X\", value = \"hunter2\" }",
            "whose = { field = \"X\", value = \"hunter2\" }",
            "cache_by = \"hunter2\"",
            "cache_by = { field = \"Bearer hunter2\", value = \"X\" }",
            "cache_by = { field = \"X\", value = hunter2 }",
            "cache_by = { field = \"X\", value = \"hunter2 }\n[log]",
            "cache_by = { field = \"X\", value = \"a\\\"hunter2\" }",
            "cache_by = { field = \"X\", value = \"a}b=hunter2\" }",
            "cache_by = { field = \"X\", value = \"${TOKEN:-hunter2}\" }",
            "cache_by = { field = \"X\", value = \"${TOKEN} hunter2\" }",
            "value = \"\"\"\nhunter2\"\"\"\n",
            "# a = \"\"\"\nvalue = \"hunter2\"",
            "# don't = 'x\nvalue = \"hunter2\"",
            "cache_by = { field = \"X\",\n  value = \"hunter2\" }",
            "cache_by = { field = \"X\", value = [\"hunter2\"] }",
            "value =\t'''hunter2'''",
            "sentinel_password = \"hunter2\"",
            "sentinel-pasword = \"hunter2\"",
            "store = { sentinel_password = 'hunter2', url = \"redis+sentinel://a/b\" }",
            "[store]\nPassword = hunter2",
            "store.password = \"hunter2",
            "[admin]\ntoken = \"hunter2\"",
            "[admin]\ntokn = 'hunter2'",
            "admin = { listen = \"off\", Token = \"hunter2\" }",
        ] {
            let shown = without_credentials(text);
            assert!(!shown.contains("hunter2") && shown.len() == text.len(), "{text}\n{shown}");
        }
    }

    #[test]
    fn what_is_none_stays() {
        for text in [
            "cache_by = \"anyone\"",
            "cache_by = \"anyon\"",
            "cache_by = { field = \"Authorization\", value = \"${CACHE_TOKEN}\" }",
            "annotate = { field = \"from_cache\", hit = true }",
            "[[write]]\nrequest = \"POST /a\"\nrefused = { status = [302], location = \"/login\" }",
            "[route.write]\ncache_by = \"anyone\"\npolicy = \"cache\"\n",
            "key = \"value={id}\"",
        ] {
            assert_eq!(without_credentials(text), text);
        }
        assert_eq!(
            without_credentials("cache_by = { field = \"X\", value = \"Bearer ${TOKEN}\" } # x"),
            "cache_by = { field = \"X\", value = \"*******${TOKEN}\" } # x"
        );
    }
}
