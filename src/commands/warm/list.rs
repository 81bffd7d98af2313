//! What is to be asked for: given one by one, or a line each in a file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;
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

/// No proxy takes a longer one.
const LONGEST: u64 = 64 << 10;
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
        let is_file = path.metadata().map_err(told)?.is_file();
        let length =
            if is_file { Some(count(BufReader::new(File::open(path).map_err(told)?)).map_err(told)?) } else { None };
        Ok((length, Box::new(BufReader::new(File::open(path).map_err(told)?))))
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

fn lines_of(mut reader: Box<dyn BufRead + Send>) -> impl Iterator<Item = io::Result<String>> {
    std::iter::from_fn(move || next_line(&mut reader).transpose())
        .filter(|line| line.as_ref().map_or(true, |line| !is_skipped(line)))
}

fn next_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if reader.take(LONGEST).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
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
        let bad = || format!("`{text}` is neither a path nor a URL");
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
}
