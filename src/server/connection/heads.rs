//! The targets in a client's bytes of HTTP/1.1, for a fragment in one: the HTTP library would cut it off unseen.
//!
//! Nothing is decided here. In place of the `#` stands a `>`, which no target may have, so that the library answers 400 as it
//! does wherever a target is none. What is no target stays as it is; where that is in doubt, nothing is looked at any more.

use std::mem::take;

use memchr::memchr;

use crate::fields::decimal;

/// How much of a line is kept: enough for the fields that say where a body ends.
const KEPT: usize = 64;

/// What stands in place of a fragment's `#`.
pub(super) const NO_TARGET: u8 = b'>';

/// Follows the bytes of one connection.
#[derive(Debug)]
pub(super) struct Heads {
    at: At,
    line: Line,
    said: Said,
}

/// Where the next byte belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// To a request line, behind so many spaces.
    Request(u8),
    /// To a field's line.
    Field,
    /// To so many bytes of a body, or of a chunk with its line's end.
    Body(u64, Within),
    /// To the line that says how long a chunk is.
    Size,
    /// To the line behind the last chunk: empty, for what else is there nobody takes.
    Trailer,
    /// To something else than HTTP, or nobody here knows to what.
    Lost,
}

/// Before a request.
const BEGIN: At = At::Request(0);

/// What so many bytes are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Length,
    Chunk,
}

/// The beginning of the line under way.
#[derive(Debug)]
struct Line {
    bytes: [u8; KEPT],
    length: usize,
}

/// What a head says of what comes after it.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    length: Option<u64>,
    chunked: bool,
    lost: bool,
}

impl Heads {
    /// Before the first byte of a request.
    pub(super) fn new() -> Self {
        Self { at: BEGIN, line: Line { bytes: [0; KEPT], length: 0 }, said: Said::default() }
    }

    /// Takes the next bytes, and changes them where a target has a fragment.
    pub(super) fn take(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() && self.at != At::Lost {
            let used = match self.at {
                At::Body(left, within) => self.skip(left, within, bytes.len()),
                _ => self.line(bytes),
            };
            bytes = take(&mut bytes).get_mut(used..).unwrap_or_default();
        }
    }

    fn skip(&mut self, left: u64, within: Within, there: usize) -> usize {
        let used = usize::try_from(left).map_or(there, |left| left.min(there));
        self.at = match (left - used as u64, within) {
            (0, Within::Length) => BEGIN,
            (0, Within::Chunk) => At::Size,
            (left, within) => At::Body(left, within),
        };
        used
    }

    /// Goes to the end of the line, or of what is there of it.
    fn line(&mut self, bytes: &mut [u8]) -> usize {
        let end = memchr(b'\n', bytes);
        let used = end.map_or(bytes.len(), |end| end + 1);
        let piece = bytes.get_mut(..used).unwrap_or_default();
        // How many spaces there are is of no use any more where the line ends without one.
        if let At::Request(spaces) = self.at
            && (end.is_none() || memchr(b'#', piece).is_some())
        {
            self.at = At::Request(without_fragment(piece, spaces));
        }
        self.line.push(piece);
        if end.is_some() {
            self.at = self.next();
            self.line.length = 0;
        }
        used
    }

    /// Where what follows the line belongs that has ended.
    fn next(&mut self) -> At {
        let line = self.line.text();
        // Here the library takes no line for ended that has a lone LF.
        let ends = self.line.bytes.get(..self.line.length).is_some_and(|line| line.ends_with(b"\r\n"));
        match self.at {
            // Empty lines before a request are read over.
            At::Request(_) if line.is_empty() => BEGIN,
            At::Trailer if line.is_empty() && ends => BEGIN,
            // Trailers are refused.
            At::Trailer => At::Lost,
            At::Size if !ends => At::Lost,
            At::Request(_) => At::Field,
            At::Field if line.is_empty() => take(&mut self.said).after(),
            At::Field => {
                self.said.hear(line);
                At::Field
            }
            At::Size => match size(line) {
                Some(0) => At::Trailer,
                // And the end of its line.
                Some(size) => size.checked_add(2).map_or(At::Lost, |size| At::Body(size, Within::Chunk)),
                None => At::Lost,
            },
            at @ (At::Body(..) | At::Lost) => at,
        }
    }
}

impl Line {
    fn push(&mut self, piece: &[u8]) {
        let free = self.bytes.get_mut(self.length..).unwrap_or_default();
        let count = piece.len().min(free.len());
        if let (Some(free), Some(piece)) = (free.get_mut(..count), piece.get(..count)) {
            free.copy_from_slice(piece);
        }
        self.length += count;
    }

    /// Without the end of the line.
    fn text(&self) -> &[u8] {
        let text = self.bytes.get(..self.length).unwrap_or_default();
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        text.strip_suffix(b"\r").unwrap_or(text)
    }
}

impl Said {
    fn hear(&mut self, line: &[u8]) {
        // Nearly every field begins otherwise than those that say where a body ends.
        if !line.first().is_some_and(|first| matches!(first.to_ascii_lowercase(), b'c' | b't' | b'u')) {
            return;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("content-length") {
            let length = decimal(value);
            self.lost |=
                line.len() >= KEPT - 2 || length.is_none() || self.length.is_some_and(|told| Some(told) != length);
            self.length = length;
        } else if is("transfer-encoding") {
            self.lost |= self.chunked || !value.eq_ignore_ascii_case(b"chunked");
            self.chunked = true;
        } else if is("upgrade") {
            self.lost = true;
        }
    }

    fn after(self) -> At {
        match self {
            Self { lost: true, .. } => At::Lost,
            Self { chunked: true, .. } => At::Size,
            Self { length: Some(length @ 1..), .. } => At::Body(length, Within::Length),
            _ => BEGIN,
        }
    }
}

/// Puts something else in place of each `#` of the target, in a piece of a request line behind so many spaces. Comes back
/// with how many there are by its end.
fn without_fragment(piece: &mut [u8], spaces: u8) -> u8 {
    let mut spaces = spaces;
    for byte in piece {
        match *byte {
            b' ' => spaces = spaces.saturating_add(1),
            b'#' if spaces == 1 => *byte = NO_TARGET,
            _ => {}
        }
    }
    spaces
}

/// The length of a chunk; `None` for what is none.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| matches!(byte, b';' | b' ' | b'\t')).next()?;
    if digits.is_empty() || digits.len() > 16 || line.len() >= KEPT - 2 {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What becomes of these bytes where they come in pieces of so many.
    fn taken(text: &[u8], piece: usize) -> String {
        let mut bytes = text.to_vec();
        let mut heads = Heads::new();
        bytes.chunks_mut(piece.max(1)).for_each(|piece| heads.take(piece));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn a_fragment_is_found_in_targets_and_nowhere_else() {
        let body = "#\nGET /#b HTTP/1.1\r\n\r\n";
        let (length, size) = (body.len(), format!("{:X}", body.len()));
        for before in [
            String::new(),
            "\r\n\n".to_owned(),
            "GET /?a HTTP/1.1\r\nX: /#\r\n\r\n".to_owned(),
            "A#B /x HTTP/1.1\r\nUser-Agent: #\r\n\r\n".to_owned(),
            "GET /x HTTP/1.1 #\r\n\r\n".to_owned(),
            format!("POST / HTTP/1.1\r\ncontent-LENGTH:  {length}  \r\n\r\n{body}"),
            format!("POST / HTTP/1.1\nContent-Length: {length}\nContent-Length:{length}\n\n{body}"),
            format!("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n{size};x=#\r\n{body}\r\n0\r\n\r\n"),
            format!(
                "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\n{body}\r\n0\r\n\r\n"
            ),
            "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n".to_owned(),
        ] {
            let text = format!("{before}GET /a#b#c HTTP/1.1\r\nX: #\r\n\r\nGET http://a#b HTTP/1.1\r\n\r\n");
            let found = format!("{before}GET /a>b>c HTTP/1.1\r\nX: #\r\n\r\nGET http://a>b HTTP/1.1\r\n\r\n");
            for piece in [1, 2, 3, 7, 64, 1000] {
                assert_eq!(taken(text.as_bytes(), piece), found, "in pieces of {piece}");
            }
        }
    }

    #[test]
    fn where_a_body_ends_in_a_way_that_is_in_doubt_nothing_is_looked_at_any_more() {
        let long = "0".repeat(70);
        for fields in [
            "Upgrade: websocket",
            "Content-Length: +1",
            "Content-Length: 1, 1",
            "Content-Length: 1\r\nContent-Length: 2",
            "Content-Length: 99999999999999999999",
            &format!("Content-Length: {long}1"),
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\n\r\nx",
            "Transfer-Encoding: chunked\r\n\r\n0\n",
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\nX / HTTP/1.1\r\nContent-Length: 1",
            "Transfer-Encoding: chunked\r\n\r\n0\r\nT: #",
            "Transfer-Encoding: chunked\r\n\r\n-1",
            "Transfer-Encoding: chunked\r\n\r\n+1",
            "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff",
            "Transfer-Encoding: chunked\r\n\r\n11111111111111111",
        ] {
            let text = format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n#\r\nGET /#a HTTP/1.1\r\n\r\n");
            assert_eq!(taken(text.as_bytes(), 1000), text, "{fields}");
        }
    }

    proptest! {
        /// However bytes come, no more is changed than a `#`, and it makes no difference how they are cut.
        #[test]
        fn hostile_bytes_are_only_bytes(
            text in "((GET|A) [/#a:? ]{0,9} HTTP/1.1\r?\n)?((Content-Length: ?[0-9]{1,2}|Transfer-Encoding: chunked|X: #)\r?\n){0,2}(\r?\n)?[#0-9a-f \r\nG/]{0,40}",
            more: Vec<u8>, piece in 1..9usize,
        ) {
            let bytes = [text.as_bytes(), &more].concat();
            let whole = taken(&bytes, usize::MAX);
            prop_assert_eq!(&whole, &taken(&bytes, piece));
            let mut changed = bytes.clone();
            Heads::new().take(&mut changed);
            for (before, after) in bytes.iter().zip(&changed) {
                prop_assert!(before == after || (*before, *after) == (b'#', NO_TARGET));
            }
        }
    }
}
