//! What a text of the file may take from outside: `${VAR}`, `${VAR:-default}` and `${file:path}`.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::diagnostic::Diagnostic;
use super::findings::Problem;
use crate::admin::RuntimeFolders;
use crate::files;

/// What an environment says about one name.
pub(super) type Lookup<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Larger files hold no single value.
const LARGEST: u64 = 64 << 10;

/// A shorter text is no secret, and hiding it would garble every message.
const SHORTEST_SECRET: usize = 4;

/// Where values come from, and what came out of files, which is never shown.
pub(super) struct Outside<'e> {
    environment: Lookup<'e>,
    /// The folder that relative paths count from: that of `proxy.toml`.
    folder: &'e Path,
    /// Each text, and what replaces it in messages.
    secrets: RefCell<Vec<(String, String)>>,
}

impl<'e> Outside<'e> {
    pub(super) fn new(environment: Lookup<'e>, folder: &'e Path) -> Self {
        Self { environment, folder, secrets: RefCell::default() }
    }

    /// The value of a variable of the environment.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name)
    }

    /// A file's text without the newline at its end. The problem names the file and nothing of what is in it.
    pub(super) fn file(&self, path: &str) -> Result<String, Problem> {
        if path.is_empty() {
            return Err(Problem::new("`${file:}` does not name a file", "write ${file:/run/secrets/redis}"));
        }
        let bytes = files::read(&self.folder.join(path), LARGEST).map_err(|error| {
            let help = "name a file that exists and that this user may read, as in ${file:/run/secrets/redis}; relative paths \
                        start at the folder of proxy.toml";
            Problem::new(format!("the file {path} {error}"), help)
        })?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Problem::new(format!("the file {path} is not UTF-8"), "save the file as UTF-8"))?;
        let text = text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line)).to_owned();
        self.hide(&text, path);
        Ok(text)
    }

    /// From now on the text is never shown, in whatever form a message may hold it.
    fn hide(&self, text: &str, path: &str) {
        let quoted = format!("{text:?}");
        let quoted = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
        for form in [text, text.trim(), quoted, &encoded(text)] {
            if form.len() >= SHORTEST_SECRET {
                self.secrets.borrow_mut().push((form.to_owned(), format!("${{file:{path}}}")));
            }
        }
    }

    /// The findings without what came out of files.
    pub(super) fn without_secrets(&self, mut findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
        for (secret, shown) in &*self.secrets.borrow() {
            for finding in &mut findings {
                finding.message = finding.message.replace(secret, shown);
                finding.help = finding.help.replace(secret, shown);
            }
        }
        findings
    }
}

/// A text encoded for the place between `//` and `@` of a URL.
pub(super) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// One variable of this process's environment; `None` when it is not set or no UTF-8.
#[allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(super) fn of_process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The configuration that the environment names; `None` where it names none.
#[allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(super) fn named_file() -> Option<std::path::PathBuf> {
    std::env::var_os("ASIDE_CONFIG").filter(|path| !path.is_empty()).map(Into::into)
}

/// Whether the user wants output without colours (<https://no-color.org>).
#[allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn wants_no_colours() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Where the admin socket may lie that nobody has chosen a place for.
#[allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn runtime_folders() -> RuntimeFolders {
    let of_user = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
    RuntimeFolders { of_user, of_service: "/run/aside".into(), temporary: std::env::temp_dir() }
}

/// Puts the values in: `${VAR}` must be set, `${VAR:-default}` need not be or may be empty, `${file:path}` is a file's
/// text, and `$$` is one `$`. A `$` before anything else is itself.
///
/// A file's text is percent-encoded in the login of a URL, because a password is in its file as it is.
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
        let message = format!("`{name}` is not a valid name of an environment variable");
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

    fn outside(folder: &Path) -> Outside<'_> {
        Outside::new(&|_| None, folder)
    }

    #[test]
    fn a_files_text_comes_without_the_newline_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        for (written, read) in
            [("hunter2", "hunter2"), ("hunter2\n", "hunter2"), ("hunter2\r\n", "hunter2"), (" a\n\n", " a\n"), ("", "")]
        {
            std::fs::write(folder.path().join("secret"), written).unwrap();
            assert_eq!(outside(folder.path()).file("secret").as_deref(), Ok(read));
            let absolute = folder.path().join("secret");
            assert_eq!(outside(Path::new("/elsewhere")).file(absolute.to_str().unwrap()).as_deref(), Ok(read));
        }
    }

    #[test]
    fn what_cannot_be_read_names_the_file_and_not_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| std::fs::write(folder.path().join(name), content).unwrap();
        write("binary", b"hunter2\xff");
        write("large", "hunter2".repeat(10_000).as_bytes());
        write("just", "x".repeat(64 << 10).as_bytes());
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        let outside = outside(folder.path());
        for (name, why) in [
            ("", "does not name a file"),
            ("missing", "cannot be read"),
            ("binary", "UTF-8"),
            ("large", "64KiB"),
            ("folder", "is a directory"),
        ] {
            let problem = outside.file(name).unwrap_err();
            assert!(problem.message.contains(why) && problem.message.contains(name), "{problem:?}");
            assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        }
        assert!(outside.file("just").is_ok());
    }

    #[test]
    fn no_message_has_what_came_out_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "hunt\"er@2\n").unwrap();
        let outside = outside(folder.path());
        outside.file("secret").unwrap();
        let said = |text: &str| Diagnostic {
            of_option: false,
            severity: super::super::Severity::Error,
            message: text.to_owned(),
            help: text.to_owned(),
            place: None,
            also: None,
        };
        let found = ["`hunt\"er@2` is none", "\"hunt\\\"er@2\" is none", "redis://:hunt%22er%402@h"].map(said).to_vec();
        let shown = format!("{:?}", outside.without_secrets(found));
        assert!(!shown.contains("hunt") && shown.contains("${file:secret}"), "{shown}");
    }

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
