//! Answers of the origin: a table a topic, and the one way all of them are tried.

mod bodies;
mod codings;
mod heads;
mod lengths;
mod statuses;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::stream::{StreamExt, iter};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::client::{Connection, Reply};
use super::support::node::Node;

/// An answer and what is to become of it.
pub struct Case {
    name: String,
    method: &'static str,
    bytes: Vec<u8>,
    end: End,
    fate: Fate,
    /// Whether it may be kept where a route speaks.
    keeps: bool,
}

/// What the origin does after the bytes.
#[derive(Clone, Copy)]
enum End {
    /// It waits for the next request.
    Open,
    Close,
    Reset,
    /// It says the bytes again and again.
    Endless,
}

enum Fate {
    /// A 502 of the proxy's own.
    Refused,
    /// A 504 of the proxy's own.
    TooLate,
    /// A 502, or an answer that the client can see was cut off.
    Cut,
    /// This status and body, and fields: their values, or none.
    Passes(u16, Vec<u8>, Vec<(&'static str, Vec<&'static str>)>),
}

fn case(name: &str, bytes: impl AsRef<[u8]>, fate: Fate) -> Case {
    let bytes = bytes.as_ref().to_vec();
    Case { name: name.to_owned(), method: "GET", bytes, end: End::Open, fate, keeps: false }
}

/// An answer that becomes a 502.
pub fn refused(name: &str, bytes: impl AsRef<[u8]>) -> Case {
    case(name, bytes, Fate::Refused)
}

/// An answer that does not come.
pub fn late(name: &str, bytes: impl AsRef<[u8]>) -> Case {
    case(name, bytes, Fate::TooLate)
}

/// An answer that breaks off, and is seen to.
pub fn cut(name: &str, bytes: impl AsRef<[u8]>) -> Case {
    case(name, bytes, Fate::Cut)
}

/// An answer that the client gets with this status and body.
pub fn passes(name: &str, status: u16, body: &str, bytes: impl AsRef<[u8]>) -> Case {
    case(name, bytes, Fate::Passes(status, body.as_bytes().to_vec(), Vec::new()))
}

impl Case {
    pub fn asked_by_head(self) -> Self {
        Self { method: "HEAD", ..self }
    }

    pub fn closing(self) -> Self {
        Self { end: End::Close, ..self }
    }

    pub fn resetting(self) -> Self {
        Self { end: End::Reset, ..self }
    }

    pub fn endless(self) -> Self {
        Self { end: End::Endless, ..self }
    }

    /// Nothing is wrong with it, so a route may keep it.
    pub fn kept(self) -> Self {
        Self { keeps: true, ..self }
    }

    /// With a field of just these values on the client's side.
    pub fn with(mut self, name: &'static str, values: &[&'static str]) -> Self {
        match &mut self.fate {
            Fate::Passes(_, _, fields) => fields.push((name, values.to_vec())),
            _ => panic!("{} does not pass", self.name),
        }
        self
    }
}

/// How often each case was asked for.
type Counts = Arc<Mutex<HashMap<String, usize>>>;

/// Answers `/next` as it should, and `/<where>/<n>` with the nth case.
async fn playing(cases: Arc<Vec<Case>>) -> (SocketAddr, Counts) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let counts = Counts::default();
    let shared = Arc::clone(&counts);
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            tokio::spawn(play(stream, Arc::clone(&cases), Arc::clone(&shared)));
        }
    });
    (address, counts)
}

async fn play(mut stream: TcpStream, cases: Arc<Vec<Case>>, counts: Counts) {
    stream.set_nodelay(true).unwrap();
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let target = head.split(' ').nth(1).unwrap().to_owned();
        if target == "/next" {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n/next").await;
            continue;
        }
        *counts.lock().unwrap().entry(target.clone()).or_default() += 1;
        let case = &cases[target.rsplit('/').next().unwrap().parse::<usize>().unwrap()];
        let mut sent = stream.write_all(&case.bytes).await;
        match case.end {
            End::Open => {}
            End::Close => return,
            End::Reset => {
                // The bytes have to be read before the reset throws them away.
                tokio::task::yield_now().await;
                stream.set_zero_linger().unwrap();
                return;
            }
            End::Endless => {
                while sent.is_ok() {
                    sent = stream.write_all(&case.bytes).await;
                }
                return;
            }
        }
    }
}

struct Trial<'a> {
    node: &'a Node,
    counts: &'a Counts,
    case: &'a Case,
    target: String,
    routed: bool,
}

impl Trial<'_> {
    fn count(&self) -> usize {
        self.counts.lock().unwrap().get(&self.target).copied().unwrap_or(0)
    }

    /// Asks for the case, and on the same connection for another answer, which has to be that answer.
    async fn once(&self) -> Result<(), String> {
        let mut connection = Connection::open(self.node.address).await;
        let to_head = self.case.method == "HEAD";
        connection.send(request(self.case.method, &self.target).as_bytes()).await;
        let reply = connection.reply(to_head).await;
        match &reply {
            Some(reply) => self.check(reply)?,
            // Cut off before its head was on the way.
            None if matches!(self.case.fate, Fate::Cut) => {}
            None => return Err("the connection was closed without a word".to_owned()),
        }
        if reply.is_none_or(|reply| !reply.whole) {
            connection = Connection::open(self.node.address).await;
        }
        connection.send(request("GET", "/next").as_bytes()).await;
        let next = connection.reply(false).await.ok_or("the next request was not answered")?;
        match (next.status, next.body.as_slice()) {
            (200, b"/next") => Ok(()),
            (status, body) => Err(format!("the next was answered {status} {:?}", String::from_utf8_lossy(body))),
        }
    }

    fn check(&self, reply: &Reply) -> Result<(), String> {
        let said = || format!("{} {:?}", reply.head.trim_end(), String::from_utf8_lossy(&reply.body));
        if ["connection", "keep-alive", "trailer", "te"]
            .iter()
            .any(|name| reply.field(name).iter().any(|value| *value != "close" && *value != "keep-alive"))
        {
            return Err(format!("a field that ends at the proxy reached the client: {}", said()));
        }
        match &self.case.fate {
            Fate::Refused if reply.status == 502 && reply.whole => Ok(()),
            Fate::Cut if reply.status == 502 || !reply.whole => Ok(()),
            Fate::TooLate if reply.status == 504 && reply.whole => Ok(()),
            Fate::Refused | Fate::TooLate | Fate::Cut => Err(format!("came through as {}", said())),
            Fate::Passes(status, body, fields) => {
                if (reply.status, &reply.body, reply.whole) != (*status, body, true) {
                    return Err(format!("came out as {}", said()));
                }
                let wrong = fields.iter().find(|(name, values)| reply.field(name) != *values);
                wrong.map_or(Ok(()), |(name, _)| Err(format!("{name} came out as {:?}", reply.field(name))))
            }
        }
    }

    async fn run(&self) -> Result<(), String> {
        self.once().await?;
        let asked = self.count();
        self.once().await?;
        match (self.case.keeps && self.routed, self.count() > asked) {
            (false, false) => Err("it was stored".to_owned()),
            (true, true) => Err("it was not stored".to_owned()),
            _ => Ok(()),
        }
    }
}

fn request(method: &str, target: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn topics() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("statuses", statuses::cases()),
        ("heads", heads::cases()),
        ("content-length", lengths::cases()),
        ("transfer-encoding", codings::cases()),
        ("bodies", bodies::cases()),
    ]
}

/// Only an answer that does not come, or not to its end, is to meet the timeout: on a busy machine any other may take its
/// second.
const SHORT: &str = "1s";
const LONG: &str = "20s";

const CONFIG: &str = "\
[origin]
url = \"ORIGIN\"
response_timeout = \"TIMEOUT\"
[[route]]
path = \"/routed/{n}\"
ttl = \"1h\"
stale_if_error = \"0s\"
";

#[tokio::test]
async fn no_answer_that_can_be_read_in_two_ways_gets_through_or_is_stored() {
    let (mut failures, mut all, mut bad) = (Vec::new(), 0, 0);
    for (topic, cases) in topics() {
        let cases = Arc::new(cases);
        let (address, counts) = playing(Arc::clone(&cases)).await;
        let [short, long] = [SHORT, LONG].map(|timeout| Node::start(address, &CONFIG.replace("TIMEOUT", timeout)));
        let refusals = cases.iter().filter(|case| !matches!(case.fate, Fate::Passes(..))).count();
        let before = failures.len();
        // Many at once, since some last as long as the origin may be silent.
        let trials = cases.iter().enumerate().flat_map(|(n, case)| {
            [("routed", true), ("elsewhere", false)].map(|(place, routed)| {
                let node = if matches!(case.fate, Fate::TooLate | Fate::Cut) { &short } else { &long };
                let trial = Trial { node, counts: &counts, case, target: format!("/{place}/{n}"), routed };
                async move { trial.run().await.map_err(|why| format!("{topic}: {} ({place}): {why}", case.name)) }
            })
        });
        let results: Vec<_> = iter(trials).buffered(16).collect().await;
        failures.extend(results.into_iter().filter_map(Result::err));
        let wrong = failures.len() - before;
        println!("{topic:18} {:4} answers, {refusals:4} to be refused or cut, {wrong:4} wrong", cases.len());
        (all, bad) = (all + cases.len(), bad + refusals);
    }
    println!("{all} answers in all: {bad} to be refused or cut, {} to pass clean", all - bad);
    assert!(failures.is_empty(), "{} of {all}:\n{}", failures.len(), failures.join("\n"));
    assert!(all >= 100 && bad >= 70, "the tables have shrunk");
}

/// The bytes after an answer come with it, a little later, or with the next one: whichever, they are nobody's answer.
#[tokio::test]
async fn bytes_after_an_answer_are_never_the_answer_to_the_next_request() {
    let smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    let cases = vec![
        passes("", 200, "ok", format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok{smuggled}")),
        passes(
            "",
            200,
            "ok",
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n{smuggled}"),
        ),
        passes("", 204, "", format!("HTTP/1.1 204 No Content\r\n\r\n{smuggled}")),
    ];
    let (address, _) = playing(Arc::new(cases)).await;
    let node = Node::start(address, &CONFIG.replace("TIMEOUT", LONG));
    for round in 0..100 {
        let mut connection = Connection::open(node.address).await;
        // Both at once, so that the second is there before the first is done.
        let two = format!("{}{}", request("GET", &format!("/elsewhere/{}", round % 3)), request("GET", "/next"));
        connection.send(two.as_bytes()).await;
        assert!(connection.reply(false).await.is_some());
        assert_eq!(connection.reply(false).await.unwrap().body, b"/next", "round {round}");
    }
}
