//! `${VAR}`, `${VAR:-default}` and `${file:path}` in text values.

use super::findings::Problem;
use super::outside::{Outside, encoded};

/// One variable of this process's environment; `None` when it is not set or no UTF-8.
#[allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(super) fn of_process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether whoever reads the output wants it without colours (<https://no-color.org>).
#[allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn wants_no_colours() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Puts the values in: `${VAR}` must be set, `${VAR:-default}` need not be or may be empty, `${file:path}` is a file's
/// text, and `$$` is one `$`. A `$` before anything else is itself.
///
/// A file's text is percent-encoded where it stands in the login of a URL: whoever writes a password into a file writes it
/// as it is.
pub(super) fn expand(text: &str, outside: &Outside<'_>) -> Result<String, Problem> {
    let mut expanded = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(dollar) = rest.find('$') else {
            expanded.push_str(rest);
            break;
        };
        expanded.push_str(rest.get(..dollar).unwrap_or_default());
        at += dollar;
        let rest = rest.get(dollar + 1..).unwrap_or_default();
        if let Some(inner) = rest.strip_prefix('{') {
            let Some(end) = inner.find('}') else {
                return Err(problem(
                    at,
                    "`${` is never closed",
                    "write ${NAME}, ${NAME:-default} or ${file:path}, or $$ for a `$`",
                ));
            };
            let (name, after) = inner.split_at(end);
            match name.strip_prefix("file:") {
                Some(path) => {
                    let value = outside.file(path).map_err(|problem| Problem { at: Some(at), ..problem })?;
                    let in_login = expanded.contains("://") && after.contains('@');
                    expanded.push_str(&if in_login { encoded(&value) } else { value });
                }
                None => expanded.push_str(&value_of(name, at, outside)?),
            }
            at += end + 3;
        } else {
            expanded.push('$');
            at += if rest.starts_with('$') { 2 } else { 1 };
        }
    }
    Ok(expanded)
}

fn value_of(inner: &str, at: usize, outside: &Outside<'_>) -> Result<String, Problem> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let first = name.chars().next();
    if !first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    {
        let message = format!("`{name}` is no name of an environment variable");
        return Err(problem(at, &message, "write ${NAME}, ${NAME:-default} or ${file:path}, or $$ for a `$`"));
    }
    match (outside.variable(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => {
            let help = format!("set {name}, or give it a default: ${{{name}:-…}}");
            Err(problem(at, &format!("the environment variable {name} is not set"), &help))
        }
    }
}

fn problem(at: usize, message: &str, help: &str) -> Problem {
    Problem { at: Some(at), message: message.to_owned(), help: help.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("redis".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn put_in(text: &str) -> Result<String, Problem> {
        expand(text, &Outside::new(&lookup, std::path::Path::new("")))
    }

    #[test]
    fn a_files_text_is_put_in_and_encoded_in_the_login_of_a_url() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pw"), "p@s/s:w%rd\n").unwrap();
        std::fs::write(folder.path().join("url"), "redis://:p%40@h\n").unwrap();
        let outside = Outside::new(&lookup, folder.path());
        for (text, expanded) in [
            ("${file:pw}", "p@s/s:w%rd"),
            ("redis://${HOST}:${file:pw}@h/1", "redis://redis:p%40s%2Fs%3Aw%25rd@h/1"),
            ("${file:url}", "redis://:p%40@h"),
            ("$${file:pw}", "${file:pw}"),
        ] {
            assert_eq!(expand(text, &outside).as_deref(), Ok(expanded), "{text}");
        }
        let problem = expand("redis://:${file:none}@h", &outside).unwrap_err();
        assert_eq!(problem.at, Some(9));
        assert!(problem.message.contains("the file none cannot be read"), "{}", problem.message);
    }

    #[test]
    fn variables_are_put_in() {
        for (text, expanded) in [
            ("plain", "plain"),
            ("redis://${HOST}:6379", "redis://redis:6379"),
            ("${MISSING:-memory://}", "memory://"),
            ("${EMPTY:-x}", "x"),
            ("${EMPTY}", ""),
            ("${HOST:-x}${HOST}", "redisredis"),
            ("${MISSING:-}", ""),
            ("$$", "$"),
            ("$${HOST}", "${HOST}"),
            ("a$b $", "a$b $"),
            ("{id}", "{id}"),
        ] {
            assert_eq!(put_in(text).as_deref(), Ok(expanded), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_put_in_says_where_and_what_to_do() {
        for (text, at, help) in
            [("x${MISSING}", 1, "${MISSING:-"), ("x${HOST", 1, "$$"), ("${}", 0, "${NAME}"), ("ab${1X}", 2, "${NAME}")]
        {
            let problem = put_in(text).unwrap_err();
            assert_eq!(problem.at, Some(at), "{text}");
            assert!(problem.help.contains(help), "{text}: {}", problem.help);
        }
    }
}
