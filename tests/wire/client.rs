//! A client that sends bytes and reads answers to the letter.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer as it stands in the stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// False where the stream ended before the body did.
    pub whole: bool,
}

impl Reply {
    /// The values of a field, in their order.
    pub fn field(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }
}

/// A connection, read answer by answer.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
    closed: bool,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::new(), closed: false }
    }

    /// Sends bytes while it reads: who refuses a large request early does not take the rest of it.
    pub async fn send(&mut self, bytes: &[u8]) {
        let (mut reading, mut writing) = self.stream.split();
        let mut sending = Box::pin(async {
            let _ = writing.write_all(bytes).await;
        });
        let mut piece = [0; 16 * 1024];
        loop {
            tokio::select! {
                biased;
                () = &mut sending => return,
                n = reading.read(&mut piece), if !self.closed => match n {
                    Ok(n) if n > 0 => self.read.extend_from_slice(&piece[..n]),
                    _ => self.closed = true,
                },
            }
        }
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// The next final answer; `None` where the connection ends before one begins.
    pub async fn reply(&mut self, to_head: bool) -> Option<Reply> {
        loop {
            match parse(&self.read, to_head, self.closed) {
                Parsed::Reply(reply, length) => {
                    self.read.drain(..length);
                    if reply.status >= 200 {
                        return Some(reply);
                    }
                }
                Parsed::Nothing if self.closed => {
                    assert!(self.read.is_empty(), "no answer: {:?}", String::from_utf8_lossy(&self.read));
                    return None;
                }
                Parsed::Nothing => self.more().await,
            }
        }
    }

    /// Every answer until the connection closes.
    pub async fn replies(&mut self, first_to_head: bool) -> Vec<Reply> {
        let mut replies = Vec::new();
        while let Some(reply) = self.reply(first_to_head && replies.is_empty()).await {
            replies.push(reply);
        }
        replies
    }

    async fn more(&mut self) {
        let mut piece = [0; 16 * 1024];
        match tokio::time::timeout(PATIENCE, self.stream.read(&mut piece)).await.expect("the connection hangs") {
            Ok(n) if n > 0 => self.read.extend_from_slice(&piece[..n]),
            _ => self.closed = true,
        }
    }
}

enum Parsed {
    Reply(Reply, usize),
    Nothing,
}

fn parse(bytes: &[u8], to_head: bool, closed: bool) -> Parsed {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4) else {
        return Parsed::Nothing;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status: u16 = head
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| head.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .unwrap_or_else(|| panic!("no answer: {head:?}"));
    let mut reply = Reply { status, head, body: Vec::new(), whole: true };
    let (lengths, codings) = (reply.field("content-length"), reply.field("transfer-encoding"));
    assert!(lengths.len() + codings.len() <= 1, "an answer that ends in two places: {}", reply.head);
    let rest = &bytes[end..];
    let body = if to_head || status < 200 || matches!(status, 204 | 304) {
        Some((Vec::new(), 0))
    } else if let Some(length) = lengths.first() {
        assert!(!length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()), "{}", reply.head);
        let length = length.parse().unwrap();
        rest.get(..length).map(|body| (body.to_vec(), length))
    } else if let Some(coding) = codings.first() {
        assert_eq!(*coding, "chunked");
        chunks(rest)
    } else if closed {
        Some((rest.to_vec(), rest.len()))
    } else {
        None
    };
    match body {
        Some((body, length)) => {
            reply.body = body;
            Parsed::Reply(reply, end + length)
        }
        None if closed => {
            reply.body = rest.to_vec();
            reply.whole = false;
            Parsed::Reply(reply, bytes.len())
        }
        None => Parsed::Nothing,
    }
}

/// The body that chunks make up, and how many bytes they take; `None` where they are not all there.
pub fn chunks(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let line = bytes[at..].windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[at..at + line]).unwrap();
        assert!(!size.is_empty() && size.bytes().all(|byte| byte.is_ascii_hexdigit()), "a chunk of {size:?} bytes");
        let size = usize::from_str_radix(size, 16).unwrap();
        at += line + 2;
        body.extend_from_slice(bytes.get(at..at + size)?);
        assert_eq!(bytes.get(at + size..at + size + 2)?, b"\r\n", "a chunk that does not end, or a trailer");
        at += size + 2;
        if size == 0 {
            return Some((body, at));
        }
    }
}
