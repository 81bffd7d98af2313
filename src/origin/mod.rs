//! The pooled client towards the origin server: which address is asked, how long it may take, and the one retry.

mod address;
mod circuit;
mod connect;
mod error;
mod health;
mod places;
mod reuse;
mod settings;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::{CONNECTION, HOST, TRANSFER_ENCODING, UPGRADE};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, sleep_until};

use crate::body::{Body, Held, InterimSender, InterimWatch, RetryBody, Timed, Waiters};
use crate::clock::Clock;
use crate::fields::response_fault;
use address::{Address, Addresses, Chosen};
use connect::Connector;
use places::Places;
use reuse::Single;

pub use error::OriginError;
pub use settings::{HealthSettings, HostRule, OriginSettings};
pub use tls::{Identity, Tls, TlsError, Trust};

type Client = hyper_util::client::legacy::Client<Connector, RetryBody<Body>>;

/// The client of one core. Each core has its own connections; the number of requests under way, and what is known of
/// the addresses, is shared.
#[derive(Clone, Debug)]
pub struct Origin {
    client: Client,
    shared: Arc<Shared>,
}

/// What the cores' clients have in common.
#[derive(Debug)]
pub struct Shared {
    settings: OriginSettings,
    /// How many requests may be under way.
    places: Arc<Places>,
    addresses: Addresses,
    /// Whether some core looks after the addresses' health.
    watched: AtomicBool,
}

impl Shared {
    /// Sets the shared part up. Opens no connection: an absent origin does not keep the proxy from starting.
    pub fn new(settings: OriginSettings, clock: &Clock) -> Self {
        if settings.tls.as_ref().is_some_and(|tls| !tls.verifies()) {
            tracing::warn!("verify = false in [origin.tls]: the origin may be anybody, and anybody may be reading");
        }
        let places = Arc::new(Places::new(settings.max_connections));
        let addresses = Addresses::new(&settings.addresses, settings.health.is_some(), clock);
        Self { settings, places, addresses, watched: AtomicBool::new(false) }
    }

    /// How many requests may be under way at once, each with a connection.
    pub fn max_connections(&self) -> usize {
        self.settings.max_connections
    }
}

/// A request's place among those under way, at the origin and at one of its addresses; given back when it is dropped.
#[derive(Debug)]
struct Place {
    among_all: places::Place,
    _chosen: Chosen,
}

impl Held for Place {
    fn belongs_to_client(&mut self) {
        self.among_all.belongs_to_client();
    }
}

/// When an exchange has to be over, and how long after its beginning that is.
#[derive(Clone, Copy, Debug)]
struct Overall {
    end: Instant,
    limit: Duration,
}

/// A request as the origin is to see it.
#[derive(Debug)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: PathAndQuery,
    /// The fields, without hop-by-hop ones; Host is added here. Where Upgrade is among them, and Connection names it, the
    /// answer may be a 101 to that protocol.
    pub fields: HeaderMap,
    /// The client's Host, for `host = "client"`.
    pub client_host: Option<HeaderValue>,
    /// The body.
    pub body: Body,
    /// Where interim answers go; nowhere without one.
    pub interim: Option<InterimSender>,
    /// Who waits for the answer of a fill, which its sender ends on [`Waiters::gave_up`]; `None` for what is never given
    /// up, such as a write.
    pub waiters: Option<Arc<Waiters>>,
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
        Response::from_parts(self.head, Body::stream(bytes::Bytes::new(), self.body))
    }
}

impl Outgoing {
    /// Whether it can be sent twice without harm.
    fn is_repeatable(&self) -> bool {
        matches!(self.body, Body::Empty) && matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }

    fn with(&self, body: Body) -> Self {
        Self {
            method: self.method.clone(),
            target: self.target.clone(),
            fields: self.fields.clone(),
            client_host: self.client_host.clone(),
            body,
            interim: self.interim.clone(),
            waiters: self.waiters.clone(),
        }
    }
}

impl Origin {
    /// A client for one core, within whose runtime it is called. The first one looks after the addresses' health.
    pub fn new(shared: Arc<Shared>) -> Self {
        let settings = &shared.settings;
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.idle_timeout)
            .http1_max_headers(settings.max_fields)
            .http1_max_buf_size(settings.max_header)
            .build(Connector::new(settings));
        if let Some(health) = &settings.health
            && !shared.watched.swap(true, Ordering::Relaxed)
        {
            tokio::spawn(health::watch(client.clone(), Arc::downgrade(&shared), health.clone()));
        }
        Self { client, shared }
    }

    /// What the configuration says about the origin.
    pub fn settings(&self) -> &OriginSettings {
        &self.shared.settings
    }

    /// Sends a request and waits for the answer's head.
    ///
    /// It is sent once more, to another address where there is one, if no connection could be opened, or if it is a GET,
    /// HEAD or OPTIONS without a body and the connection broke, or the address is out of order and only tried. No write
    /// is ever sent twice.
    /// Dropping the future gives the request up; whether the origin acted is then unknown.
    /// The limit on the origin's silence counts from when it has all of the request.
    pub async fn send(&self, outgoing: Outgoing) -> Result<Answered, OriginError> {
        let settings = self.settings();
        let overall = settings.total_timeout.map(|limit| Overall { end: Instant::now() + limit, limit });
        let among_all = self.shared.places.take(outgoing.waiters.as_ref(), settings.connect_timeout).await?;
        let asked = outgoing.fields.get(UPGRADE).cloned();
        let (chosen, response) = self.send_somewhere(outgoing, overall).await?;
        let (head, body) = response.into_parts();
        // What no two parsers would read the same way, or what nobody asked for, goes no further.
        if !is_switch(&head, asked.as_ref())
            && let Some(fault) = response_fault(head.status, &head.headers)
        {
            return Err(OriginError::Broken(fault));
        }
        let place = Place { among_all, _chosen: chosen };
        let mut body = Timed::new(body, settings.response_timeout).holding(place);
        if let Some(Overall { end, limit }) = overall {
            body = body.until(end, limit);
        }
        let body = body.begun().await.map_err(|error| OriginError::Broken(error.to_string()))?;
        Ok(Answered { head, body })
    }

    /// One try, and one more where that can do no harm.
    async fn send_somewhere(
        &self,
        mut outgoing: Outgoing,
        overall: Option<Overall>,
    ) -> Result<(Chosen, Response<Incoming>), OriginError> {
        let addresses = &self.shared.addresses;
        let repeatable = outgoing.is_repeatable();
        let limit = self.settings().response_timeout;
        let end = Instant::now() + limit;
        let body = std::mem::take(&mut outgoing.body);
        let first = addresses.choose(None, repeatable).map_err(OriginError::OutOfOrder)?;
        // Who tries an address for others need not wait for long where those could be asked.
        let tries = repeatable && first.attempt.is_probe() && addresses.is_in_order_besides(&first.address);
        let patience = if tries { limit.min(self.settings().connect_timeout) } else { limit };
        let (error, body) = match self.attempt(&first, outgoing.with(body), patience, overall).await {
            (Ok(response), _) => return Ok((first, response)),
            (Err(error), body) => (error, body),
        };
        // There is no third try, so the second one tries nothing for others.
        let second = match &error {
            OriginError::Connect(_) => addresses.choose(Some(&first.address), false),
            OriginError::Timeout(_) if tries => addresses.choose(Some(&first.address), false),
            OriginError::Broken(_) if repeatable => {
                addresses.choose(Some(&first.address), false).or_else(|_| addresses.choose(None, false))
            }
            _ => return Err(error),
        };
        let Ok(second) = second else { return Err(error) };
        drop(first);
        // One request has one series of interim answers: what the first try handed on is not said once more.
        if !matches!(error, OriginError::Connect(_)) {
            outgoing.interim = None;
        }
        // What was not sent yet has its time anew; what was is over when it should have been.
        let rest = if matches!(error, OriginError::Broken(_)) { end.duration_since(Instant::now()) } else { limit };
        let (answer, _) = self.attempt(&second, outgoing.with(body), rest, overall).await;
        answer.map(|response| (second, response)).map_err(|error| match error {
            OriginError::Timeout(waited) if waited == rest => OriginError::Timeout(limit),
            error => error,
        })
    }

    /// One try at one address, which learns from it. Comes back with the body where nothing of it was sent.
    async fn attempt(
        &self,
        chosen: &Chosen,
        mut outgoing: Outgoing,
        limit: Duration,
        overall: Option<Overall>,
    ) -> (Result<Response<Incoming>, OriginError>, Body) {
        let waits_for_client = matches!(outgoing.body, Body::Stream(_));
        let upload = outgoing.body.watched();
        let (lent, returned) = RetryBody::lend(std::mem::take(&mut outgoing.body));
        let answer = tokio::select! {
            biased;
            answer = self.send_lent(&chosen.address, outgoing, lent) => answer,
            () = upload.origin_silent_for(limit) => Err(OriginError::Timeout(limit)),
            late = over(overall) => {
                if waits_for_client {
                    return (Err(late), Body::Empty);
                }
                Err(late)
            }
        };
        chosen.address.learn(chosen.attempt, &answer);
        (answer, returned.take())
    }

    /// One try at one address.
    async fn send_to(&self, address: &Address, mut outgoing: Outgoing) -> Result<Response<Incoming>, OriginError> {
        let (lent, _) = RetryBody::lend(std::mem::take(&mut outgoing.body));
        self.send_lent(address, outgoing, lent).await
    }

    async fn send_lent(
        &self,
        address: &Address,
        mut outgoing: Outgoing,
        body: RetryBody<Body>,
    ) -> Result<Response<Incoming>, OriginError> {
        let interim = outgoing.interim.take();
        let mut request = self.request(address, outgoing, body)?;
        let interim = InterimWatch::of(&mut request, interim);
        let (method, captured) = (request.method().clone(), Single::of(&mut request));
        let mut exchange = self.client.request(request);
        // Behind the exchange, so that it is dropped before that.
        let connection = captured;
        let answer = tokio::select! {
            biased;
            answer = &mut exchange => answer.map_err(|error| OriginError::of(&error, self.settings())),
            fault = interim.faulty() => Err(OriginError::Broken(fault)),
        };
        // The final answer may come along with them.
        let answer = interim.fault().map_or(answer, |fault| Err(OriginError::Broken(fault)))?;
        connection.release_after(&method, answer.status(), answer.headers());
        Ok(answer)
    }

    fn request(
        &self,
        address: &Address,
        outgoing: Outgoing,
        body: RetryBody<Body>,
    ) -> Result<Request<RetryBody<Body>>, OriginError> {
        let settings = self.settings();
        let uri = Uri::builder()
            .scheme(if settings.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP })
            .authority(address.authority.clone())
            .path_and_query(outgoing.target)
            .build()
            .map_err(|error| OriginError::Connect(format!("its address cannot be used: {error}")))?;
        let mut request = Request::new(body);
        *request.method_mut() = outgoing.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = outgoing.fields;
        let host = match &settings.host {
            HostRule::Origin => address.host.clone(),
            HostRule::Fixed(host) => HeaderValue::from_str(host).ok(),
            HostRule::Client => outgoing.client_host,
        };
        if let Some(host) = host {
            request.headers_mut().insert(HOST, host);
        }
        let is_kept = settings.reuse_after_body && may_have_content(request.method());
        let has_body = !hyper::body::Body::is_end_stream(request.body());
        // Nearly every answer to HEAD announces a body, and an origin that sends it is not seldom.
        if request.method() == Method::HEAD || (has_body && !is_kept) {
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        // Said in so many words: else hyper would drop such a body of a GET.
        if hyper::body::Body::size_hint(request.body()).exact().is_none() {
            request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        Ok(request)
    }
}

/// Whether every server reads the body of this method. Of others it may leave it unread, and what was sent as a body is then
/// its next request, whose answer would be the next client's: nobody else uses such a connection.
///
/// Source: RFC 9110 sections 9.3.1 to 9.3.7
fn may_have_content(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// Returns when the time for the whole exchange is over; never where it has no limit.
async fn over(overall: Option<Overall>) -> OriginError {
    match overall {
        None => std::future::pending().await,
        Some(Overall { end, limit }) => {
            sleep_until(end).await;
            OriginError::Timeout(limit)
        }
    }
}

/// Whether an answer is the switch to the one protocol that was asked for.
fn is_switch(head: &http::response::Parts, asked: Option<&HeaderValue>) -> bool {
    let mut granted = head.headers.get_all(UPGRADE).iter();
    head.status == StatusCode::SWITCHING_PROTOCOLS
        && asked.is_some_and(|asked| {
            granted.next().is_some_and(|granted| granted.as_bytes().eq_ignore_ascii_case(asked.as_bytes()))
        })
        && granted.next().is_none()
}
