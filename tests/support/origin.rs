//! An origin server that does as the test says, and remembers what it was asked.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc};

/// A request as the origin saw it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: Method,
    pub target: String,
    pub fields: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// The status that a target such as `/x?404` asks for.
    pub fn query_status(&self) -> u16 {
        self.target.split('?').nth(1).and_then(|text| text.parse().ok()).unwrap_or(200)
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.to_str().unwrap())
    }
}

type Answering = Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>;

/// A running origin. Its tasks end with the test's runtime.
#[derive(Clone)]
pub struct Origin {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Origin {
    /// Answers every request with what `answer` makes of it.
    pub async fn start<F, A>(answer: F) -> Self
    where
        F: Fn(Asked) -> A + Send + Sync + 'static,
        A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Self { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let asked = Arc::clone(&origin.asked);
        let answer: Arc<dyn Fn(Asked) -> Answering + Send + Sync> = Arc::new(move |asked| Box::pin(answer(asked)));
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                tokio::spawn(serve(stream, Arc::clone(&asked), Arc::clone(&answer)));
            }
        });
        origin
    }

    /// Answers every GET with a JSON body that names the path and how often it was asked, everything else with 200.
    pub async fn counting() -> Self {
        let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        Self::start(move |asked| {
            let n = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
            async move { json(&format!("{{\"target\":\"{}\",\"n\":{n}}}", asked.target)) }
        })
        .await
    }

    /// Answers every GET as [`Origin::counting`] does, fresh for an hour; and a write with the status that its field
    /// `answer` has, a Location that its field `answer-location` has, and its own body as JSON.
    pub async fn obeying() -> Self {
        let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        Self::start(move |asked| {
            let n = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
            async move {
                if matches!(asked.method.as_str(), "GET" | "HEAD") {
                    return response(200, &[("cache-control", "max-age=3600")], &format!("{} {n}", asked.target));
                }
                let status = asked.field("answer").map_or(200, |status| status.parse().unwrap());
                let mut answer = json(if status == 204 { "" } else { std::str::from_utf8(&asked.body).unwrap_or("") });
                *answer.status_mut() = hyper::StatusCode::from_u16(status).unwrap();
                if let Some(location) = asked.fields.get("answer-location") {
                    answer.headers_mut().insert("location", location.clone());
                }
                answer
            }
        })
        .await
    }

    /// Answers `/0`, `/1` and so on with the status and the fields that stand at that place, and the body `x`.
    pub async fn numbered(heads: &[(u16, &'static [(&'static str, &'static str)])]) -> Self {
        let heads = heads.to_vec();
        Self::start(move |asked| {
            let (status, fields) = heads[asked.path()[1..].parse::<usize>().unwrap()];
            async move { response(status, fields, if status == 204 { "" } else { "x" }) }
        })
        .await
    }

    /// Answers every request alike, each only once the keeper lets it go.
    pub async fn gated<F>(answer: F) -> (Self, Keeper)
    where
        F: Fn() -> Response<Full<Bytes>> + Copy + Send + Sync + 'static,
    {
        let (gate, keeper) = Gate::new();
        let origin = Self::start(move |_| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                answer()
            }
        })
        .await;
        (origin, keeper)
    }

    /// Everything it was asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How many requests reached it.
    pub fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

async fn serve(
    stream: TcpStream,
    asked: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<dyn Fn(Asked) -> Answering + Send + Sync>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let request = Asked { method: head.method, target: head.uri.to_string(), fields: head.headers, body };
            asked.lock().unwrap().push(request.clone());
            Ok::<_, Infallible>(answer(request).await)
        }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// An origin that speaks raw bytes: it reads a request's head and hands the connection to the test's function.
pub async fn raw<F, A>(answer: F) -> SocketAddr
where
    F: Fn(String, TcpStream) -> A + Send + Sync + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    raw_at(TcpListener::bind("127.0.0.1:0").await.unwrap(), answer)
}

/// An address where nobody listens, and nobody will for as long as the socket lives, unless it does.
pub fn nobody() -> (SocketAddr, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    (socket.local_addr().unwrap(), socket)
}

/// What [`raw`] does, on a listener of the test's choice.
pub fn raw_at<F, A>(listener: TcpListener, answer: F) -> SocketAddr
where
    F: Fn(String, TcpStream) -> A + Send + Sync + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { continue };
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                    // One at a time, so that nothing of the body is taken from the test's function.
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => return,
                    }
                }
                answer(String::from_utf8_lossy(&head).into_owned(), stream).await;
            });
        }
    });
    address
}

/// Writes bytes and leaves the connection open until the peer closes it.
pub async fn say(stream: &mut TcpStream, text: &str) {
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.flush().await;
}

/// An origin whose chunked answer is `first`, and `second` once the keeper lets it go.
pub async fn in_two_pieces() -> (SocketAddr, Keeper) {
    let (gate, keeper) = Gate::new();
    let address = raw(move |_, mut stream| {
        let gate = gate.clone();
        async move {
            say(&mut stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n").await;
            gate.pass().await;
            say(&mut stream, "6\r\nsecond\r\n0\r\n\r\n").await;
        }
    })
    .await;
    (address, keeper)
}

/// A 200 with a JSON body.
pub fn json(body: &str) -> Response<Full<Bytes>> {
    Response::builder().header("content-type", "application/json").body(Full::from(body.to_owned())).unwrap()
}

/// A response with these fields.
pub fn response(status: u16, fields: &[(&str, &str)], body: &str) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().status(status);
    for (name, value) in fields {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::from(body.to_owned())).unwrap()
}

/// A place where the origin's answers wait until the test lets them go.
#[derive(Clone)]
pub struct Gate {
    arrivals: mpsc::UnboundedSender<()>,
    open: Arc<Semaphore>,
}

/// The test's side of a [`Gate`].
pub struct Keeper {
    arrivals: mpsc::UnboundedReceiver<()>,
    open: Arc<Semaphore>,
}

impl Gate {
    pub fn new() -> (Self, Keeper) {
        let (tell, arrivals) = mpsc::unbounded_channel();
        let open = Arc::new(Semaphore::new(0));
        (Self { arrivals: tell, open: Arc::clone(&open) }, Keeper { arrivals, open })
    }

    /// Tells the test that a request is here, and waits to be let go.
    pub async fn pass(&self) {
        let _ = self.arrivals.send(());
        self.open.acquire().await.unwrap().forget();
    }
}

impl Keeper {
    /// Waits until a request stands at the gate.
    pub async fn arrived(&mut self) {
        tokio::time::timeout(std::time::Duration::from_secs(10), self.arrivals.recv())
            .await
            .expect("nobody came to the gate within ten seconds")
            .expect("the origin is gone");
    }

    /// Lets this many requests go, now or when they come.
    pub fn let_go(&self, count: usize) {
        self.open.add_permits(count);
    }
}
