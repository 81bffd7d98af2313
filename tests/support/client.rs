//! A plain HTTP client: what comes back, nothing hidden.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request};
use hyper_util::client::legacy::Client as Pooled;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer, read in full.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub fields: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.text()))
    }

    pub fn cache(&self) -> &str {
        self.field("x-cache")
    }

    pub fn cache_status(&self) -> &str {
        self.field("cache-status")
    }
}

/// A client with a pool of connections.
#[derive(Clone)]
pub struct Client {
    pooled: Pooled<HttpConnector, Full<Bytes>>,
    base: String,
}

/// Takes as many fields as come.
fn pooled() -> Pooled<HttpConnector, Full<Bytes>> {
    Pooled::builder(TokioExecutor::new()).http1_max_headers(5000).build_http()
}

impl Client {
    pub fn of(address: SocketAddr) -> Self {
        Self { pooled: pooled(), base: format!("http://{address}") }
    }

    /// The same with connections of its own, which other cores may accept.
    pub fn on_new_connections(&self) -> Self {
        Self { pooled: pooled(), base: self.base.clone() }
    }

    /// Sends a request; the error is what the client would show.
    pub async fn try_send(
        &self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, String> {
        let mut request = Request::builder().method(method).uri(format!("{}{target}", self.base));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body.to_owned())).unwrap();
        let response = self.pooled.request(request).await.map_err(|error| format!("{error:?}"))?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
        Ok(Answer { status: head.status.as_u16(), fields: head.headers, body })
    }

    pub async fn send(&self, method: &str, target: &str, fields: &[(&str, &str)], body: &str) -> Answer {
        self.try_send(method, target, fields, body).await.unwrap_or_else(|error| panic!("{method} {target}: {error}"))
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], "").await
    }

    pub async fn get_with(&self, target: &str, fields: &[(&str, &str)]) -> Answer {
        self.send("GET", target, fields, "").await
    }

    pub async fn put(&self, target: &str, json: &str) -> Answer {
        self.send("PUT", target, &[("content-type", "application/json")], json).await
    }

    pub async fn post(&self, target: &str, json: &str) -> Answer {
        self.send("POST", target, &[("content-type", "application/json")], json).await
    }

    /// Has these answers stored.
    pub async fn fill(&self, targets: &[&str]) {
        for target in targets {
            self.get(target).await;
            assert_eq!(self.get(target).await.cache(), "HIT", "{target} is not stored");
        }
    }

    /// Gets each of these, one after another, and is told this of the cache.
    pub async fn expect(&self, expected: &[(&str, &str)]) {
        for (target, cache) in expected {
            assert_eq!(self.get(target).await.cache(), *cache, "{target}");
        }
    }
}

/// Sends bytes as they are and returns all that comes back until the server closes or nothing comes for two seconds.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut text = Vec::new();
    let reading = async {
        let mut piece = [0; 4096];
        while let Ok(n) = stream.read(&mut piece).await {
            if n == 0 {
                break;
            }
            text.extend_from_slice(&piece[..n]);
        }
    };
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), reading).await;
    String::from_utf8_lossy(&text).into_owned()
}

/// Reads off a connection until this text is there; what follows it may have been read, too.
pub async fn read_until(stream: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut text = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&text).contains(end) {
            assert!(stream.read_buf(&mut text).await.unwrap() > 0, "closed before {end:?}");
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading).await.unwrap_or_else(|_| panic!("{end:?} does not come"));
    String::from_utf8_lossy(&text).into_owned()
}
