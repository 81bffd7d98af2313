//! An origin that takes nothing but clean requests, and says what was not clean about one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it stood in the stream: every byte a character.
#[derive(Clone, Debug)]
pub struct Seen {
    pub head: String,
    pub body: Vec<u8>,
}

impl Seen {
    /// Method and target.
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap().strip_suffix(" HTTP/1.1").unwrap()
    }

    /// Names and values of the fields, in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head.split("\r\n").skip(1).filter(|line| !line.is_empty()).map(|line| line.split_once(": ").unwrap())
    }

    pub fn field(&self, name: &str) -> Vec<&str> {
        self.fields().filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }
}

/// What it was sent: clean requests, and complaints about others.
pub type Log = Arc<Mutex<Vec<Result<Seen, String>>>>;

/// Answers every clean request with its target as the body, and closes the connection on any other.
pub async fn strict() -> (SocketAddr, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let log = Log::default();
    let shared = Arc::clone(&log);
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            tokio::spawn(serve(stream, Arc::clone(&shared)));
        }
    });
    (address, log)
}

async fn serve(mut stream: TcpStream, log: Log) {
    stream.set_nodelay(true).unwrap();
    loop {
        match read(&mut stream).await {
            Ok(None) => return,
            Ok(Some(seen)) => {
                let target = seen.line().split(' ').nth(1).unwrap().to_owned();
                let body = if seen.line().starts_with("HEAD ") { "" } else { &target };
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", target.chars().count());
                log.lock().unwrap().push(Ok(seen));
                // A character a byte, as it came.
                let answer: Vec<u8> = answer.chars().map(|c| c as u8).collect();
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
            }
            Err(complaint) => return log.lock().unwrap().push(Err(complaint)),
        }
    }
}

async fn read(stream: &mut TcpStream) -> Result<Option<Seen>, String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) if head.is_empty() => return Ok(None),
            Err(_) => return Err(format!("a head that ends early: {:?}", String::from_utf8_lossy(&head))),
        }
    }
    let seen = Seen { head: head.iter().copied().map(char::from).collect(), body: Vec::new() };
    let complain = |why: &str| Err(format!("{why}: {:?}", seen.head));
    if let Some(why) = complaint(&seen) {
        return complain(why);
    }
    let body = match (seen.field("content-length").first(), seen.field("transfer-encoding").first()) {
        (Some(length), None) => {
            let mut body = vec![0; length.parse().unwrap()];
            match stream.read_exact(&mut body).await {
                Ok(_) => body,
                Err(_) => return complain("a body that ends early"),
            }
        }
        (None, Some(_)) => {
            let mut bytes = Vec::new();
            loop {
                if let Some((body, _)) = super::client::chunks(&bytes) {
                    break body;
                }
                match stream.read_u8().await {
                    Ok(byte) => bytes.push(byte),
                    Err(_) => return complain("chunks that end early"),
                }
            }
        }
        _ => Vec::new(),
    };
    Ok(Some(Seen { body, ..seen }))
}

/// Fields that end at the proxy, or that no server behind it could tell from others.
const NEVER: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "te",
    "trailer",
    "upgrade",
    "x-http-method-override",
    "x-original-url",
];

/// Methods whose bodies every server reads.
const READ: [&str; 3] = ["POST", "PUT", "PATCH"];

fn has_body(seen: &Seen) -> bool {
    !seen.field("transfer-encoding").is_empty() || seen.field("content-length").iter().any(|length| *length != "0")
}

fn complaint(seen: &Seen) -> Option<&'static str> {
    let lines: Vec<&str> = seen.head.strip_suffix("\r\n\r\n")?.split("\r\n").collect();
    let words: Vec<&str> = lines[0].split(' ').collect();
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    if words.len() != 3 || !token(words[0]) || words[2] != "HTTP/1.1" {
        return Some("an odd request line");
    }
    if !(words[1].starts_with('/') || lines[0].starts_with("OPTIONS * ")) {
        return Some("an odd target");
    }
    if seen.head.chars().any(|c| c == '\x7f' || (c < ' ' && !"\r\n\t".contains(c)))
        || lines.iter().any(|line| line.contains(['\r', '\n']))
    {
        return Some("a control character");
    }
    for line in &lines[1..] {
        let Some((name, value)) = line.split_once(": ") else { return Some("no field") };
        if !token(name) || name.contains('_') || value.starts_with([' ', '\t']) || value.ends_with([' ', '\t']) {
            return Some("an odd field");
        }
        // The proxy's own word where some servers would leave the body unread: nothing else comes on that connection.
        let alone = words[0] == "HEAD" || (has_body(seen) && !READ.contains(&words[0]));
        let ends = name == "connection" && value == "close" && alone;
        if NEVER.contains(&name.to_ascii_lowercase().as_str()) && !ends {
            return Some("a field that ends at the proxy");
        }
    }
    let (lengths, codings) = (seen.field("content-length"), seen.field("transfer-encoding"));
    if lengths.len() + codings.len() > 1 {
        return Some("two ends");
    }
    if lengths
        .iter()
        .any(|length| length.parse::<u64>().map(|number| number.to_string()).ok().as_deref() != Some(*length))
    {
        return Some("an odd length");
    }
    if codings.iter().any(|coding| *coding != "chunked") {
        return Some("an odd coding");
    }
    if has_body(seen) && !READ.contains(&words[0]) && seen.field("connection") != ["close"] {
        return Some("a body that may be the next request");
    }
    (seen.field("host").len() != 1).then_some("not one Host")
}
