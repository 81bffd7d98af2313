//! `${VAR}` and `${VAR:-default}` in text values.

use super::findings::Problem;

/// What an environment says about one name.
pub(super) type Lookup<'e> = &'e dyn Fn(&str) -> Option<String>;

/// One variable of this process's environment; `None` when it is not set or no UTF-8.
#[allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(super) fn of_process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether whoever reads the output wants it without colours (<https://no-color.org>).
pub fn wants_no_colours() -> bool {
    of_process("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Puts the environment's values in: `${VAR}` must be set, `${VAR:-default}` need not be or may be empty, and `$$` is
/// one `$`. A `$` before anything else is itself.
pub(super) fn expand(text: &str, lookup: Lookup<'_>) -> Result<String, Problem> {
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
                return Err(problem(at, "`${` is never closed", "write ${NAME} or ${NAME:-default}, or $$ for a `$`"));
            };
            expanded.push_str(&value_of(inner.get(..end).unwrap_or_default(), at, lookup)?);
            at += end + 3;
        } else {
            expanded.push('$');
            at += if rest.starts_with('$') { 2 } else { 1 };
        }
    }
    Ok(expanded)
}

fn value_of(inner: &str, at: usize, lookup: Lookup<'_>) -> Result<String, Problem> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let first = name.chars().next();
    if !first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    {
        let message = format!("`{name}` is no name of an environment variable");
        return Err(problem(at, &message, "write ${NAME} or ${NAME:-default}, or $$ for a `$`"));
    }
    match (lookup(name), default) {
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
            assert_eq!(expand(text, &lookup).as_deref(), Ok(expanded), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_put_in_says_where_and_what_to_do() {
        for (text, at, help) in
            [("x${MISSING}", 1, "${MISSING:-"), ("x${HOST", 1, "$$"), ("${}", 0, "${NAME}"), ("ab${1X}", 2, "${NAME}")]
        {
            let problem = expand(text, &lookup).unwrap_err();
            assert_eq!(problem.at, Some(at), "{text}");
            assert!(problem.help.contains(help), "{text}: {}", problem.help);
        }
    }
}
