//! What a text of the file may take from outside: values of the environment, and the text of other files.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::diagnostic::Diagnostic;
use super::findings::Problem;
use super::size::show;

/// What an environment says about one name.
pub(super) type Lookup<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Larger files hold no single value.
const LARGEST: u64 = 64 << 10;

/// A shorter text is no secret, and hiding it would garble every message.
const SHORTEST_SECRET: usize = 4;

/// Where values come from, and what came out of files: nobody is shown that.
pub(super) struct Outside<'e> {
    environment: Lookup<'e>,
    /// The folder that relative paths count from: that of `proxy.toml`.
    folder: &'e Path,
    /// Each text, and what stands for it in messages.
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
            return Err(Problem::new("`${file:}` names no file", "write ${file:/run/secrets/redis}"));
        }
        let bytes = read(&self.folder.join(path)).map_err(|why| {
            let help = "name a readable file, absolute or relative to proxy.toml, as in ${file:/run/secrets/redis}";
            Problem::new(format!("the file {path} {why}"), help)
        })?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Problem::new(format!("the file {path} is not UTF-8"), "save the file as UTF-8"))?;
        let text = text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line)).to_owned();
        self.hide(&text, path);
        Ok(text)
    }

    /// From now on the text is shown to nobody, in whatever form a message may hold it.
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

/// A text as it may stand between `//` and `@` of a URL, whatever is in it.
pub(super) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// What is in a file; or why it cannot be had, as the end of a sentence.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    // Asked before it is opened: opening a pipe waits for whoever writes to it.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("is no plain file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("has more than {}, which is no single value", show(LARGEST)));
    }
    Ok(bytes)
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
            ("", "names no file"),
            ("missing", "cannot be read"),
            ("binary", "UTF-8"),
            ("large", "64KiB"),
            ("folder", "plain"),
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
}
