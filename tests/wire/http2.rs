//! HTTP/2 requests that would be others, or several, once they are written down as HTTP/1.1.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::origin::strict;
use super::support::frames::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, RST_STREAM, SETTINGS, frame, frames,
};
use super::support::node::Node;

/// A request: its fields in their order, and its body if it has one.
#[derive(Clone, Debug)]
struct Sent {
    fields: Vec<(String, String)>,
    body: Option<&'static str>,
}

impl Sent {
    fn get() -> Self {
        let fields = [(":method", "GET"), (":path", "/x"), (":scheme", "http"), (":authority", "a")];
        Self { fields: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), body: None }
    }

    /// With another value of a field that is there, or without it.
    fn set(mut self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => {
                for (_, old) in self.fields.iter_mut().filter(|(known, _)| known == name) {
                    value.clone_into(old);
                }
            }
            None => self.fields.retain(|(known, _)| known != name),
        }
        self
    }

    fn and(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    fn with(self, body: &'static str) -> Self {
        Self { body: Some(body), ..self.set(":method", Some("POST")) }
    }

    /// Literals that are neither indexed nor shortened, so that every byte arrives as it is.
    fn frames(&self) -> Vec<u8> {
        let mut head = Vec::new();
        for (name, value) in &self.fields {
            head.push(0);
            for text in [name, value] {
                head.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).unwrap());
                head.extend(text.as_bytes());
            }
        }
        let end = if self.body.is_none() { END_STREAM } else { 0 };
        let mut frames = frame(HEADERS, END_HEADERS | end, 1, &head);
        frames.extend(self.body.map(|body| frame(DATA, END_STREAM, 1, body.as_bytes())).unwrap_or_default());
        frames
    }

    /// Sends it on a connection of its own and waits until it is answered or refused.
    async fn to(&self, node: &Node) {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        let begin = [PREFACE, &frame(SETTINGS, 0, 0, &[])[..], &self.frames()].concat();
        stream.write_all(&begin).await.unwrap();
        let mut bytes = Vec::new();
        let reading =
            async { while !is_over(&bytes) && matches!(stream.read_buf(&mut bytes).await, Ok(n) if n > 0) {} };
        tokio::time::timeout(std::time::Duration::from_secs(20), reading).await.expect("an answer");
    }
}

/// Whether the stream's head or its refusal is among these frames.
fn is_over(bytes: &[u8]) -> bool {
    frames(bytes).iter().any(|(kind, ..)| [HEADERS, RST_STREAM, GOAWAY].contains(kind))
}

/// Every one of these is refused before the origin hears of it.
fn refused() -> Vec<Sent> {
    let mut all = Vec::new();
    for path in [
        "/x#",
        "/#",
        "/x?y#z",
        "/x#y#z",
        "#",
        "*#",
        "*",
        "*x",
        "x",
        "",
        "http://b/x",
        "@b",
        ":80/x",
        "/a b",
        "/a HTTP/1.1\r\nX: y",
        "/a\tb",
    ] {
        all.push(Sent::get().set(":path", Some(path)));
        all.push(Sent::get().set(":path", Some(path)).with("{}"));
    }
    for authority in ["", "u@a", "a/b", "a b", "a\r\nX: y", "a?b", "a,b", "a:x"] {
        all.push(Sent::get().set(":authority", Some(authority)));
        all.push(Sent::get().set(":authority", None).and("host", authority));
    }
    for method in ["", "G T", "GET / HTTP/1.1\r\n", "CONNECT", "TRACE"] {
        all.push(Sent::get().set(":method", Some(method)));
    }
    for scheme in ["", "ftp", "http://b/?", "ht tp"] {
        all.push(Sent::get().set(":scheme", Some(scheme)));
    }
    for name in ["", "X-A", "x a", "x:a", "x\r\na", "x\0", "transfer-encoding ", ":a", ":status", ":protocol", ":path"]
    {
        all.push(Sent::get().and(name, "1"));
    }
    for value in ["a\r\nb: c", "a\nb", "a\rb", "a\0", " a", "a ", "\ta", "a\t"] {
        all.push(Sent::get().and("x-a", value));
        all.push(Sent::get().and("cookie", value));
    }
    for (name, value) in [
        ("transfer-encoding", "chunked"),
        ("connection", "x-a"),
        ("connection", "close"),
        ("keep-alive", "1"),
        ("proxy-connection", "x"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
        ("host", "b"),
    ] {
        all.push(Sent::get().and(name, value));
        all.push(Sent::get().with("0\r\n\r\n").and(name, value));
    }
    for length in ["4", "6", "+5", " 5", "5, 5", "0x5", "", "99999999999999999999"] {
        all.push(Sent::get().with("hello").and("content-length", length));
    }
    all.push(Sent::get().with("hello").and("content-length", "5").and("content-length", "6"));
    all.push(Sent::get().and("content-length", "5"));
    for missing in [":method", ":path", ":scheme"] {
        all.push(Sent::get().set(missing, None));
    }
    all.push(Sent::get().set(":authority", None));
    let mut late = Sent::get().and("x-a", "1");
    late.fields.swap(3, 4);
    all.push(late);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_http1_could_not_say_reaches_nobody() {
    let (address, log) = strict().await;
    let node = Node::start(address, "[clients]\nhttp2 = \"always\"\n");
    for sent in refused() {
        sent.to(&node).await;
        let seen = std::mem::take(&mut *log.lock().unwrap());
        assert!(seen.is_empty(), "{sent:?} became {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_on_is_one_clean_request() {
    let (address, log) = strict().await;
    let node = Node::start(address, "[clients]\nhttp2 = \"always\"\n");
    let get = Sent::get;
    for (sent, line, body) in [
        (get(), "GET /x", ""),
        (get().set(":path", Some("/x?y%23z")), "GET /x?y%23z", ""),
        (get().and("x-a", "/x#y"), "GET /x", ""),
        (get().with("{}").and("referer", "https://a/#y"), "POST /x", "{}"),
        (get().set(":path", Some("//b/x")), "GET //b/x", ""),
        (get().set(":path", Some("*")).set(":method", Some("OPTIONS")), "OPTIONS *", ""),
        (get().set(":scheme", Some("https")), "GET /x", ""),
        (get().set(":authority", None).and("host", "a"), "GET /x", ""),
        (get().and("te", "trailers"), "GET /x", ""),
        (get().and("transfer_encoding", "chunked"), "GET /x", ""),
        (get().and("cookie", "a=1").and("cookie", "b=2"), "GET /x", ""),
        (get().with("0\r\n\r\n"), "POST /x", "0\r\n\r\n"),
        (get().with("hello").and("content-length", "5"), "POST /x", "hello"),
        (get().with("hello").and("content-length", "5").and("content-length", "5"), "POST /x", "hello"),
        (get().with("GET /b HTTP/1.1\r\n\r\n").and("expect", "100-continue"), "POST /x", "GET /b HTTP/1.1\r\n\r\n"),
    ] {
        sent.to(&node).await;
        let mut seen = std::mem::take(&mut *log.lock().unwrap());
        assert_eq!(seen.len(), 1, "{sent:?}: {seen:?}");
        let seen = seen.remove(0).unwrap();
        assert_eq!((seen.line(), String::from_utf8_lossy(&seen.body).as_ref()), (line, body), "{sent:?}");
        assert!(seen.field("cookie").len() <= 1 && seen.field("expect").is_empty(), "{}", seen.head);
    }
}
