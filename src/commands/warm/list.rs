//! What is to be asked for: given one by one, or a line each in a file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::thread;

use http::Uri;
use http::uri::{Authority, PathAndQuery};
use tokio::sync::mpsc::{Receiver, channel};

/// One thing to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asks {
    /// Of whom; of the proxy where nobody is named.
    pub(super) host: Option<Authority>,
    /// Whether by https; as the proxy is asked where nobody is named.
    pub(super) is_secure: Option<bool>,
    pub(super) target: PathAndQuery,
}

/// All of it, as it is read.
pub(super) struct List {
    lines: Receiver<io::Result<String>>,
    length: Option<u64>,
}

/// No proxy takes a longer one: what has one is no list.
const LONGEST: u64 = 64 << 10;
/// Of one that cannot be asked for so much is repeated.
const MOST_SHOWN: usize = 80;
/// So many are read ahead.
const AHEAD: usize = 64;

impl List {
    /// The ones that are given, and then those of the file. The error is a sentence without its beginning `error:`.
    pub(super) fn open(given: &[String], from: Option<&Path>) -> Result<Self, String> {
        let file = from.map(Self::reader).transpose()?;
        let (length, reader) = file.map_or((Some(0), None), |(length, reader)| (length, Some(reader)));
        let length = length.map(|length| length + given.len() as u64);
        let (send, lines) = channel(AHEAD);
        let given = given.to_vec();
        // Reading may wait for whoever writes into a pipe, and nobody waits for that.
        let read = move || {
            let all = given.into_iter().map(Ok).chain(reader.into_iter().flat_map(lines_of));
            for line in all {
                if send.blocking_send(line).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("list".to_owned()).spawn(read).map_err(|error| error.to_string())?;
        Ok(Self { lines, length })
    }

    /// What reads a file, and how many lines it has where that can be told beforehand.
    fn reader(path: &Path) -> Result<(Option<u64>, Box<dyn BufRead + Send>), String> {
        if path == "-" {
            return Ok((None, Box::new(BufReader::new(io::stdin()))));
        }
        let told = |error: io::Error| format!("{} cannot be read: {error}", path.display());
        let about = path.metadata().map_err(told)?;
        if about.is_dir() {
            return Err(format!("{} is a directory; --from takes a file with a path or URL a line", path.display()));
        }
        if about.is_file() {
            let length = count(BufReader::new(File::open(path).map_err(told)?)).map_err(told)?;
            return Ok((Some(length), Box::new(BufReader::new(File::open(path).map_err(told)?))));
        }
        Ok((None, Box::new(BufReader::new(Opening { path: path.to_owned(), opened: None }))))
    }

    /// How many there are, where that is known.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next one; an error says why it cannot be asked for. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> Option<Result<Asks, String>> {
        let line = self.lines.recv().await?;
        Some(line.map_err(|error| format!("the list cannot be read: {error}")).and_then(|line| Asks::of(&line)))
    }
}

/// What is opened once it is read: opening a pipe waits for whoever writes into it.
struct Opening {
    path: PathBuf,
    opened: Option<File>,
}

impl Read for Opening {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match &mut self.opened {
            Some(file) => file.read(bytes),
            None => self.opened.insert(File::open(&self.path)?).read(bytes),
        }
    }
}

/// Until its end, or what cannot be read.
fn lines_of(mut reader: Box<dyn BufRead + Send>) -> impl Iterator<Item = io::Result<String>> {
    let mut is_over = false;
    let lines = std::iter::from_fn(move || {
        let line = if is_over { None } else { next_line(&mut reader).transpose() };
        is_over = !matches!(line, Some(Ok(_)));
        line
    });
    lines.filter(|line| line.as_ref().map_or(true, |line| !is_skipped(line)))
}

fn next_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if reader.take(LONGEST).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() as u64 == LONGEST && !line.ends_with(b"\n") {
        return Err(io::Error::other(format!("it has a line of {LONGEST} bytes or more, and no URL is so long")));
    }
    Ok(Some(String::from_utf8_lossy(&line).trim().to_owned()))
}

fn is_skipped(line: &str) -> bool {
    line.is_empty() || line.starts_with('#')
}

fn count(mut reader: impl BufRead) -> io::Result<u64> {
    let mut count = 0;
    while let Some(line) = next_line(&mut reader)? {
        count += u64::from(!is_skipped(&line));
    }
    Ok(count)
}

impl Asks {
    /// Reads a path or a URL.
    fn of(text: &str) -> Result<Self, String> {
        let bad = || {
            let shown: String = text.chars().take(MOST_SHOWN).collect();
            let more = if shown == text { "" } else { "…" };
            format!("`{shown}{more}` is neither a path nor a URL")
        };
        let uri: Uri = text.parse().map_err(|_| bad())?;
        let is_path = text.starts_with('/');
        let is_url = matches!(uri.scheme_str(), Some("http" | "https"));
        if !is_path && !is_url {
            return Err(bad());
        }
        let target = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok(Self { host: uri.authority().cloned(), is_secure: uri.scheme_str().map(|scheme| scheme == "https"), target })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_asked_of_the_proxy_and_a_url_of_its_host() {
        let of = |text: &str| {
            Asks::of(text).map(|asks| (asks.host.map(|host| host.to_string()), asks.is_secure, asks.target.to_string()))
        };
        assert_eq!(of("/a?b=1"), Ok((None, None, "/a?b=1".to_owned())));
        assert_eq!(of("https://shop.example/a"), Ok((Some("shop.example".to_owned()), Some(true), "/a".to_owned())));
        assert_eq!(of("http://shop.example:81"), Ok((Some("shop.example:81".to_owned()), Some(false), "/".to_owned())));
        for bad in ["a", "ftp://a/b", "//a b", "shop.example:80", "*"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_file_has_a_line_each_and_its_comments_are_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("urls");
        std::fs::write(&file, "# all pages\n/a\n\n  /b \r\n/c").unwrap();
        let mut list = List::open(&["/first".to_owned()], Some(&file)).unwrap();
        assert_eq!(list.length(), Some(4));
        let mut found = Vec::new();
        while let Some(asks) = list.next().await {
            found.push(asks.unwrap().target.to_string());
        }
        assert_eq!(found, ["/first", "/a", "/b", "/c"]);
        assert!(List::open(&[], Some(&folder.path().join("none"))).is_err());
    }

    #[tokio::test]
    async fn what_is_no_list_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let told = List::open(&[], Some(folder.path())).err().unwrap();
        assert!(told.contains("is a directory"), "{told}");
        let endless = folder.path().join("endless");
        std::fs::write(&endless, "a".repeat(70_000)).unwrap();
        let told = List::open(&[], Some(&endless)).err().unwrap();
        assert!(told.contains("endless cannot be read: it has a line of"), "{told}");
        // What has no end is left where it says nothing.
        let mut list = List::open(&["/a".to_owned()], Some(Path::new("/dev/zero"))).unwrap();
        assert_eq!(list.next().await.unwrap().unwrap().target, "/a");
        assert!(list.next().await.unwrap().unwrap_err().contains("it has a line of"));
        assert!(list.next().await.is_none());
        // The end of a line may be the last byte that there is room for.
        let long = format!("/{}\n/b", "a".repeat((64 << 10) - 2));
        std::fs::write(&endless, long).unwrap();
        assert_eq!(List::open(&[], Some(&endless)).unwrap().length(), Some(2));
    }

    #[tokio::test]
    async fn a_pipe_that_nobody_writes_into_is_waited_for_by_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let mut list = List::open(&["/a".to_owned()], Some(&pipe)).unwrap();
        assert_eq!(list.next().await.unwrap().unwrap().target, "/a");
        std::fs::write(&pipe, "/b\n").unwrap();
        assert_eq!(list.next().await.unwrap().unwrap().target, "/b");
        assert!(list.next().await.is_none());
    }

    #[test]
    fn of_a_line_that_is_none_only_the_beginning_is_repeated() {
        let told = Asks::of(&"\0".repeat(60_000)).unwrap_err();
        assert!(told.contains("…` is neither") && told.chars().count() < 120, "{told}");
    }
}
