//! The pooled client towards the origin server, its timeouts and its one retry.

mod body;
mod interim;
mod settings;
mod upload;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::fields::response_fault;
use interim::{Interim, MAX_INTERIM};

pub use body::{Body, BodyError, Collected, Relayed, Timed, join};
pub use settings::{HostRule, OriginSettings};

/// The client of one core. Each core has its own connections; the number of requests under way is shared.
#[derive(Clone, Debug)]
pub struct Origin {
    client: Client<HttpConnector, Body>,
    shared: Arc<Shared>,
}

/// What the cores' clients have in common.
#[derive(Debug)]
pub struct Shared {
    settings: OriginSettings,
    /// How many requests may be under way.
    places: Arc<Semaphore>,
    /// Whether the last attempt to connect failed: said once when it begins and once when it ends.
    unreachable: AtomicBool,
}

impl Shared {
    /// Sets the shared part up. Opens no connection: an absent origin does not keep the proxy from starting.
    pub fn new(settings: OriginSettings) -> Self {
        let places = Arc::new(Semaphore::new(settings.max_connections.min(Semaphore::MAX_PERMITS)));
        Self { settings, places, unreachable: AtomicBool::new(false) }
    }

    fn report<T>(&self, answer: &Result<T, OriginError>) {
        let authority = &self.settings.authority;
        match answer {
            Err(OriginError::Connect(why)) if !self.unreachable.swap(true, Ordering::Relaxed) => {
                tracing::warn!("the origin at {authority} cannot be reached: {why}; is it running?");
            }
            Ok(_) if self.unreachable.load(Ordering::Relaxed) && self.unreachable.swap(false, Ordering::Relaxed) => {
                tracing::info!("the origin at {authority} answers again");
            }
            _ => {}
        }
    }
}

/// Why the origin gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// Every place among the requests under way stayed taken.
    Busy,
    /// No connection could be opened: the origin has not seen the request.
    Connect(String),
    /// Its head did not come within the limit: whether it acted is unknown.
    Timeout(Duration),
    /// The connection broke, or what came was no HTTP: whether it acted is unknown.
    Broken(String),
    /// The client's own body broke off while it was being forwarded.
    ClientBody(String),
    /// The client's own body grew larger than allowed while it was being forwarded.
    ClientBodyTooLarge,
}

impl OriginError {
    /// Whether the origin may have acted on the request.
    pub fn may_have_acted(&self) -> bool {
        !matches!(self, Self::Busy | Self::Connect(_))
    }
}

impl fmt::Display for OriginError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => out.write_str("too many requests are under way to the origin"),
            Self::Connect(why) => write!(out, "the origin cannot be reached: {why}"),
            Self::Timeout(limit) => write!(out, "the origin did not answer within {limit:?}"),
            Self::Broken(why) => write!(out, "the origin's answer broke off: {why}"),
            Self::ClientBody(why) => write!(out, "the request's body broke off: {why}"),
            Self::ClientBodyTooLarge => out.write_str("the request's body is larger than allowed"),
        }
    }
}

impl std::error::Error for OriginError {}

/// A request as the origin is to see it.
#[derive(Debug)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: PathAndQuery,
    /// The fields, without hop-by-hop ones; Host is added here.
    pub fields: HeaderMap,
    /// The client's Host, for `host = "client"`.
    pub client_host: Option<HeaderValue>,
    /// The body.
    pub body: Body,
}

/// The origin's answer: its head, and its body yet to be read.
#[derive(Debug)]
pub struct Answered {
    /// The head.
    pub head: http::response::Parts,
    /// The body, watched for silence. It holds the answer's place among the requests under way.
    pub body: Timed,
}

impl Answered {
    /// The answer as it comes.
    pub fn into_response(self) -> Response<Body> {
        Response::from_parts(self.head, Body::stream(std::collections::VecDeque::new(), self.body))
    }
}

impl Origin {
    /// A client for one core.
    pub fn new(shared: Arc<Shared>) -> Self {
        let settings = &shared.settings;
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(settings.connect_timeout));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.idle_timeout)
            .http1_max_headers(200)
            .build(connector);
        Self { client, shared }
    }

    /// What the configuration says about the origin.
    pub fn settings(&self) -> &OriginSettings {
        &self.shared.settings
    }

    /// Sends a request and waits for the answer's head.
    ///
    /// A GET, HEAD or OPTIONS without a body is sent once more when a kept connection turns out to be closed; a write
    /// is never sent twice. Dropping the future gives the request up; whether the origin acted is then unknown.
    /// The limit on its silence counts from when it has all of the request.
    pub async fn send(&self, mut outgoing: Outgoing) -> Result<Answered, OriginError> {
        let permit = self.place().await?;
        let retriable = matches!(outgoing.body, Body::Empty)
            && matches!(outgoing.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let again = retriable.then(|| (outgoing.method.clone(), outgoing.target.clone(), outgoing.fields.clone()));
        let client_host = outgoing.client_host.clone();
        let limit = self.settings().response_timeout;
        let upload = outgoing.body.watched();
        let sending = async {
            match (self.send_once(outgoing).await, again) {
                (Err(OriginError::Broken(_)), Some((method, target, fields))) => {
                    self.send_once(Outgoing { method, target, fields, client_host, body: Body::Empty }).await
                }
                (answer, _) => answer,
            }
        };
        let answer = tokio::select! {
            biased;
            answer = sending => answer,
            () = upload.origin_silent_for(limit) => Err(OriginError::Timeout(limit)),
        };
        self.shared.report(&answer);
        let response = answer?;
        let (head, body) = response.into_parts();
        if let Some(fault) = response_fault(head.status, &head.headers) {
            return Err(OriginError::Broken(fault));
        }
        Ok(Answered { head, body: Timed::new(body, limit).holding(permit) })
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, OriginError> {
        let wait = timeout(self.settings().connect_timeout, Arc::clone(&self.shared.places).acquire_owned());
        wait.await.map_err(|_| OriginError::Busy)?.map_err(|_| OriginError::Busy)
    }

    async fn send_once(&self, outgoing: Outgoing) -> Result<Response<hyper::body::Incoming>, OriginError> {
        let mut request = self.request(outgoing)?;
        let interim = Interim::of(&mut request);
        let answer = tokio::select! {
            biased;
            answer = self.client.request(request) => answer,
            () = interim.too_many() => return Err(too_many_interim()),
        };
        if interim.were_too_many() {
            return Err(too_many_interim());
        }
        answer.map_err(|error| {
            let why = body::cause(&error);
            if error.is_connect() {
                OriginError::Connect(why)
            } else if is_too_large(&error) {
                OriginError::ClientBodyTooLarge
            } else if is_user_body(&error) {
                OriginError::ClientBody(why)
            } else {
                OriginError::Broken(why)
            }
        })
    }

    fn request(&self, outgoing: Outgoing) -> Result<Request<Body>, OriginError> {
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.settings().authority.clone())
            .path_and_query(outgoing.target)
            .build()
            .map_err(|error| OriginError::Connect(format!("its address cannot be used: {error}")))?;
        let mut request = Request::new(outgoing.body);
        *request.method_mut() = outgoing.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = outgoing.fields;
        let host = match &self.settings().host {
            HostRule::Origin => HeaderValue::from_str(self.settings().authority.as_str()).ok(),
            HostRule::Fixed(host) => HeaderValue::from_str(host).ok(),
            HostRule::Client => outgoing.client_host,
        };
        if let Some(host) = host {
            request.headers_mut().insert(HOST, host);
        }
        // Said in so many words: else hyper would drop such a body of a GET.
        if hyper::body::Body::size_hint(request.body()).exact().is_none() {
            request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        Ok(request)
    }
}

fn too_many_interim() -> OriginError {
    OriginError::Broken(format!("it sent more than {MAX_INTERIM} interim answers"))
}

/// An error and all that caused it.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |inner| inner.source())
}

fn is_too_large(error: &hyper_util::client::legacy::Error) -> bool {
    causes(error).any(|inner| inner.downcast_ref() == Some(&BodyError::TooLarge))
}

fn is_user_body(error: &hyper_util::client::legacy::Error) -> bool {
    causes(error).any(|inner| inner.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_user))
}
