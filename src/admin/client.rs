//! Asks the admin listener of a running process: over its unix socket or by TCP, and never for longer than a person waits.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::answer::LISTENER;
use super::endpoint::{Endpoint, Task};
use crate::body::{Body, Collected, Timed, cause};
use crate::fields::BearerToken;
use crate::store::LONGEST_LEASE;

/// Where a process is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a unix socket.
    Unix(PathBuf),
    /// At an address, as in `127.0.0.1:9900`.
    Tcp(String),
}

/// A client of one process.
#[derive(Clone, Debug)]
pub struct Client {
    /// Where it is asked; of several the first where somebody is.
    places: Vec<Place>,
    /// The one where an admin listener was found.
    found: OnceCell<Place>,
    token: Option<BearerToken>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum ClientError {
    /// Nobody answers there.
    Nobody(String),
    /// What answers is not the admin listener.
    Broken(String),
    /// It was asked, and gave no answer: nobody knows what it has done.
    Unanswered(String),
}

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long that to a purge may take: where Redis does not confirm it, it waits for three leases.
const PURGED_WITHIN: Duration = Duration::from_secs(3 * LONGEST_LEASE.as_secs() + 30);
/// How long it may take to say that it is there.
const FOUND_WITHIN: Duration = Duration::from_secs(5);
/// A larger answer is no answer of the admin listener.
const LARGEST_ANSWER: u64 = 64 << 20;

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
            Self::Tcp(address) => write!(out, "http://{address}"),
        }
    }
}

impl Place {
    /// Reads `unix:PATH` or `http://HOST:PORT`; the error says what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        let address = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if has_port && crate::fields::is_host(address) {
            return Ok(Self::Tcp(address.to_owned()));
        }
        Err(format!("`{text}` is no admin listener; write unix:PATH or http://HOST:PORT"))
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody(why) | Self::Broken(why) | Self::Unanswered(why) => out.write_str(why),
        }
    }
}

impl std::error::Error for ClientError {}

impl Client {
    /// One that asks the first of these places where somebody answers.
    pub fn new(places: Vec<Place>, token: Option<BearerToken>) -> Self {
        Self { places, found: OnceCell::new(), token }
    }

    /// Asks for a path with its query.
    pub async fn get(&self, target: &str) -> Result<(StatusCode, Bytes), ClientError> {
        self.ask(Method::GET, target, Body::Empty).await
    }

    /// Whether nobody takes a connection at any of the places.
    pub async fn is_nobody(&self) -> bool {
        matches!(self.found.get_or_try_init(|| self.find()).await, Err(ClientError::Nobody(_)))
    }

    /// Sends JSON to a path.
    pub async fn post(&self, target: &str, json: Vec<u8>) -> Result<(StatusCode, Bytes), ClientError> {
        self.ask(Method::POST, target, Body::full(json)).await
    }

    async fn ask(&self, method: Method, target: &str, body: Body) -> Result<(StatusCode, Bytes), ClientError> {
        let found = self.found.get_or_try_init(|| self.find()).await?;
        let (place, stream) = connect_first(std::slice::from_ref(found)).await?;
        let within = answer_within(&method, target);
        let request = request(method, target, &place, body).map(|mut request| {
            let value = self.token.as_ref().and_then(BearerToken::authorization);
            request.headers_mut().extend(value.map(|value| (AUTHORIZATION, value)));
            request
        });
        answered(&place, stream, request, within).await
    }

    /// The first place where somebody is, and that is an admin listener: neither the token nor anything that drops or changes
    /// something goes to another server, which is the port for clients as likely as not.
    async fn find(&self) -> Result<Place, ClientError> {
        let (place, stream) = connect_first(&self.places).await?;
        let livez = request(Method::GET, "/livez", &place, Body::Empty);
        let (_, body) = match answered(&place, stream, livez, FOUND_WITHIN).await {
            // Nothing was asked for so far but whether it is there.
            Err(ClientError::Unanswered(why)) => return Err(ClientError::Broken(format!("{why}; it may hang"))),
            answered => answered?,
        };
        if is_livez(&body) {
            return Ok(place);
        }
        Err(ClientError::Broken(format!(
            "what answers at {place} is not the admin listener of aside; is it the address for clients?"
        )))
    }
}

/// How long the answer to what is asked may take.
fn answer_within(method: &Method, target: &str) -> Duration {
    let path = target.split('?').next().unwrap_or_default();
    match Endpoint::find(method, path) {
        Ok(Endpoint::Done(Task::Purge)) => PURGED_WITHIN,
        _ => ANSWER_WITHIN,
    }
}

/// Whether this is what `/livez` of an admin listener says.
fn is_livez(body: &[u8]) -> bool {
    let value: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    value.is_some_and(|value| value.get("listener").is_some_and(|listener| listener == LISTENER))
}

/// The first of these places where somebody is.
async fn connect_first(places: &[Place]) -> Result<(Place, Box<dyn Stream>), ClientError> {
    let mut why = Vec::new();
    for place in places {
        match timeout(CONNECT_WITHIN, connect(place)).await {
            Ok(Ok(stream)) => return Ok((place.clone(), stream)),
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                why.push(format!("at {place} (there is no such socket)"));
            }
            Ok(Err(error)) => why.push(format!("at {place} ({error})")),
            Err(_) => why.push(format!("at {place} within {CONNECT_WITHIN:?}")),
        }
    }
    Err(ClientError::Nobody(format!("nobody answers {}", why.join(", nor "))))
}

fn request(method: Method, target: &str, place: &Place, body: Body) -> Result<Request<Body>, http::Error> {
    let host = match place {
        Place::Unix(_) => "localhost",
        Place::Tcp(address) => address,
    };
    let mut request = Request::builder().uri(target).header(HOST, host).header(ACCEPT, "application/json");
    if method == Method::POST {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    request.method(method).body(body)
}

/// What the server at this place answers.
async fn answered(
    place: &Place,
    stream: Box<dyn Stream>,
    request: Result<Request<Body>, http::Error>,
    within: Duration,
) -> Result<(StatusCode, Bytes), ClientError> {
    let broken = |why: String| ClientError::Broken(format!("{place} did not answer as an admin listener does: {why}"));
    let request = request.map_err(|error| broken(error.to_string()))?;
    match timeout(within, exchange(stream, request)).await {
        Ok(Ok(answered)) => Ok(answered),
        Ok(Err(NoAnswer::Other(why))) => Err(broken(why)),
        Ok(Err(NoAnswer::BrokeOff(why))) => {
            Err(ClientError::Unanswered(format!("{place} was asked and broke off before its answer was whole ({why})")))
        }
        Err(_) => Err(ClientError::Unanswered(format!("{place} was asked and did not answer within {within:?}"))),
    }
}

/// Why an exchange has no answer.
enum NoAnswer {
    /// It ended before the answer was whole.
    BrokeOff(String),
    /// What came is none of an admin listener.
    Other(String),
}

/// What is spoken over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn connect(place: &Place) -> io::Result<Box<dyn Stream>> {
    Ok(match place {
        Place::Unix(path) => Box::new(UnixStream::connect(path).await?),
        Place::Tcp(address) => Box::new(TcpStream::connect(address).await?),
    })
}

/// Sends a request on a connection of its own and reads its answer.
async fn exchange(stream: Box<dyn Stream>, request: Request<Body>) -> Result<(StatusCode, Bytes), NoAnswer> {
    let told = |error: hyper::Error| {
        if error.is_parse() { NoAnswer::Other(cause(&error)) } else { NoAnswer::BrokeOff(cause(&error)) }
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(told)?;
    let asking = async {
        let answer = sender.send_request(request).await.map_err(told)?;
        let status = answer.status();
        match Timed::new(answer.into_body(), ANSWER_WITHIN).collect(LARGEST_ANSWER).await {
            Collected::Whole(bytes) => Ok((status, bytes)),
            Collected::Failed(error) => Err(NoAnswer::BrokeOff(error.to_string())),
            _ => Err(NoAnswer::Other(format!("the answer is larger than {LARGEST_ANSWER} bytes"))),
        }
    };
    tokio::pin!(asking);
    tokio::select! {
        biased;
        answered = &mut asking => answered,
        // It may be over when all has been received.
        _ = connection => asking.await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixListener;
    use tokio::time::Instant;

    use super::*;

    /// A client of whoever listens there.
    fn client_in(folder: &tempfile::TempDir) -> (Client, UnixListener) {
        let path = folder.path().join("a.sock");
        let listener = UnixListener::bind(&path).unwrap();
        // It has been found before.
        let place = Place::Unix(path);
        let found = OnceCell::new_with(Some(place.clone()));
        (Client { found, ..Client::new(vec![place], None) }, listener)
    }

    #[tokio::test(start_paused = true)]
    async fn a_purge_is_waited_for_as_long_as_it_may_take_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let (client, _silent) = client_in(&folder);
        for (target, least, most) in
            [("/purge", 3 * LONGEST_LEASE, 4 * LONGEST_LEASE), ("/reload", ANSWER_WITHIN, LONGEST_LEASE)]
        {
            let since = Instant::now();
            let error = client.post(target, b"{}".to_vec()).await.unwrap_err();
            assert!(matches!(error, ClientError::Unanswered(_)), "{error:?}");
            assert!((least..most).contains(&since.elapsed()), "{target}: {:?}", since.elapsed());
            assert!(error.to_string().contains("was asked and did not answer within"), "{error}");
        }
    }

    #[tokio::test]
    async fn who_breaks_off_has_been_asked_and_who_speaks_otherwise_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let (client, listener) = client_in(&folder);
        for (said, was_asked) in
            [("", true), ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", true), ("-ERR what is that\r\n", false)]
        {
            let answers = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut begun = [0; 64];
                let _ = stream.read(&mut begun).await.unwrap();
                stream.write_all(said.as_bytes()).await.unwrap();
            };
            let (error, ()) = tokio::join!(client.post("/purge", b"{}".to_vec()), answers);
            let error = error.unwrap_err();
            assert_eq!(matches!(error, ClientError::Unanswered(_)), was_asked, "{said:?}: {error:?}");
        }
    }

    #[test]
    fn places_are_paths_or_addresses() {
        assert_eq!(Place::parse("unix:/run/a.sock"), Ok(Place::Unix("/run/a.sock".into())));
        for text in ["http://127.0.0.1:9900", "http://127.0.0.1:9900/", "127.0.0.1:9900"] {
            assert_eq!(Place::parse(text), Ok(Place::Tcp("127.0.0.1:9900".to_owned())), "{text}");
        }
        assert_eq!(Place::parse("http://[::1]:9900").unwrap().to_string(), "http://[::1]:9900");
        for text in ["", "unix:", "/run/a.sock", "http://a", "https://a:1", "http://a:1/x", "http://u@a:1"] {
            assert!(Place::parse(text).is_err(), "{text}");
        }
    }
}
