//! A Redis that answers nonsense costs misses, and never the process.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::support::node::Process;
use super::support::origin::Origin;
use super::support::redis::RedisServer;
use super::support::until;

const ROUTE: &str = "[[route]]\npath = \"/fruit/{id}\"\nkey = \"fruit:{id}\"\nttl = \"1h\"\n";

/// What stands between a node and its Redis, and says something else in place of the next replies, once it is told to.
struct Liar {
    port: u16,
    next: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Liar {
    async fn before(redis: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, behind) = (listener.local_addr().unwrap().port(), redis.port());
        let next: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
        let lies = Arc::clone(&next);
        tokio::spawn(async move {
            while let Ok((node, _)) = listener.accept().await {
                let redis = TcpStream::connect(("127.0.0.1", behind)).await.unwrap();
                tokio::spawn(relay(node, redis, Arc::clone(&lies)));
            }
        });
        Self { port, next }
    }

    fn says(&self, reply: Vec<u8>) {
        *self.next.lock().unwrap() = Some(reply);
    }

    fn has_lied(&self) -> bool {
        self.next.lock().unwrap().is_none()
    }
}

async fn relay(node: TcpStream, redis: TcpStream, next: Arc<Mutex<Option<Vec<u8>>>>) {
    let ((mut from_node, mut to_node), (mut from_redis, mut to_redis)) = (node.into_split(), redis.into_split());
    let asked = async { tokio::io::copy(&mut from_node, &mut to_redis).await.map(drop) };
    let answered = async {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = from_redis.read(&mut buffer).await?;
            let lie = next.lock().unwrap().take();
            to_node.write_all(lie.as_deref().unwrap_or(&buffer[..count])).await?;
            if count == 0 {
                return std::io::Result::Ok(());
            }
        }
    };
    // Either may end first; both are over then.
    let _ = tokio::select! { ended = asked => ended, ended = answered => ended };
}

/// Replies that are complete or wrong: what is neither is waited for, as any reply that is late.
fn nonsense() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |unit: &str, depth: usize, end: &str| [unit.repeat(depth), end.to_owned()].concat().into_bytes();
    let mut kinds: Vec<(&str, Vec<u8>)> = [
        ("HTTP", "HTTP/1.1 200 OK\r\n\r\n"),
        ("zeroes", "\0\0\0\0\r\n"),
        ("a negative length", "*-7\r\n"),
        ("a length that overflows", "*99999999999999999999\r\n"),
        ("an integer that overflows", ":99999999999999999999\r\n"),
        ("other types", ":1\r\n:2\r\n:3\r\n"),
        ("errors", "-ERR \u{1b}[31m\u{9b}\u{202e}\r\n-ERR b\r\n-ERR c\r\n"),
        ("a push", ">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nfoo\r\n@"),
        ("an attribute", "|1\r\n+a\r\n+b\r\n@"),
    ]
    .map(|(name, text)| (name, text.into()))
    .into();
    kinds.extend([
        ("arrays in arrays", nested("*1\r\n", 2_000, "+x\r\n")),
        ("many arrays in arrays", nested("*1\r\n", 20_000, "+x\r\n")),
        ("arrays in arrays that go wrong", nested("*1\r\n", 8_000, "@")),
        ("arrays of two", nested("*2\r\n+a\r\n", 10_000, "@")),
        ("long arrays in arrays", nested("*2147483647\r\n", 2_000, "@")),
        ("pushes in pushes", nested(">1\r\n", 8_000, "@")),
        ("maps in maps", nested("%1\r\n+a\r\n", 8_000, "@")),
        ("sets in sets", nested("~1\r\n", 8_000, "@")),
        ("attributes of attributes", nested("|1\r\n+a\r\n", 8_000, "@")),
    ]);
    kinds
}

#[tokio::test]
async fn nonsense_in_place_of_replies_ends_no_process_and_costs_no_answer() {
    let (origin, redis) = (Origin::counting().await, RedisServer::start());
    let liar = Liar::before(&redis).await;
    let node = Process::start(origin.address, &format!("redis://127.0.0.1:{}", liar.port), ROUTE).await;
    for ((kind, reply), method) in nonsense().into_iter().zip(["GET", "GET", "PUT"].into_iter().cycle()) {
        until(kind, || async { node.client().get("/fruit/1").await.cache() == "HIT" }).await;
        liar.says(reply);
        let answer = node.client().send(method, "/fruit/1", &[], "{}").await;
        assert_eq!(answer.status, 200, "{kind}, {method}");
        until(kind, || async { liar.has_lied() }).await;
    }
    until("it goes on", || async { node.client().get("/fruit/1").await.cache() == "HIT" }).await;
    assert!(!node.log().contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{}", node.log());
}
