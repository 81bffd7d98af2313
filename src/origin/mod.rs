//! The pooled client towards the origin server: which address is asked, how long it may take, and the one retry.

mod address;
mod circuit;
mod connect;
mod error;
mod health;
mod look;
mod permits;
mod pool;
mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;
use std::time::Duration;

use http::header::{CONNECTION, HOST, TRANSFER_ENCODING, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, sleep, sleep_until};

use crate::body::{Body, Held, InterimSender, Timed, Upload, Waiters};
use crate::clock::{Clock, Stopwatch};
use crate::fields::response_fault;
use address::{Addresses, Chosen};
use connect::Connector;
use permits::{Permit, Permits};
use pool::{Exchanged, Lease, Pool, Unanswered, exchange};

pub use address::AddressState;
pub use error::OriginError;
pub use settings::{HealthSettings, HostRule, OriginSettings};

/// The client of one core. Each core has its own connections; the number of requests under way, and what is known of
/// the addresses, is shared.
#[derive(Clone, Debug)]
pub struct Origin {
    pool: Arc<Pool>,
    shared: Arc<Shared>,
}

/// What the cores' clients have in common.
#[derive(Debug)]
pub struct Shared {
    settings: Arc<OriginSettings>,
    /// How many requests may be under way.
    permits: Arc<Permits>,
    addresses: Arc<Addresses>,
    /// Whether some core looks after the addresses' health.
    watched: AtomicBool,
}

impl Shared {
    /// Sets the shared part up. Opens no connection: an absent origin does not keep the proxy from starting.
    pub fn new(settings: OriginSettings, clock: &Clock) -> Self {
        if settings.tls.as_ref().is_some_and(|tls| !tls.verifies()) {
            tracing::warn!(
                "verify = false in [origin.tls]: nobody checks the origin's certificate, so anybody may answer in its place or read along"
            );
        }
        let permits = Arc::new(Permits::new(settings.max_connections));
        let addresses = Arc::new(Addresses::new(&settings.addresses, settings.health.is_some(), clock));
        Self { settings: Arc::new(settings), permits, addresses, watched: AtomicBool::new(false) }
    }

    /// The same after a change of what is said of the origin; itself, where nothing was. Requests under way end as they began,
    /// new ones take new connections, and of an address that stays what is known of it stays.
    #[must_use]
    pub fn after(before: &Arc<Self>, settings: OriginSettings, clock: &Clock) -> Arc<Self> {
        if settings.is_same_as(&before.settings) {
            return Arc::clone(before);
        }
        before.permits.resize(settings.max_connections);
        let addresses = before.addresses.after(&settings.addresses, settings.health.is_some(), clock);
        Arc::new(Self {
            addresses: Arc::new(addresses),
            permits: Arc::clone(&before.permits),
            ..Self::new(settings, clock)
        })
    }

    /// Looks whether somebody is at each address, and tells where nobody is, for as long as no request tells that: opens a connection
    /// and sends nothing over it. Where there is a health check, that does.
    pub fn look(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let connector = self.settings.health.is_none().then(|| Connector::new(&self.settings));
        let addresses = Arc::downgrade(&self.addresses);
        async move {
            if let Some(connector) = connector {
                let reach = |authority| {
                    let connector = connector.clone();
                    async move { connector.reach(&authority).await }
                };
                look::look(addresses, reach).await;
            }
        }
    }

    /// What is known of each address now.
    pub fn addresses(&self) -> Vec<AddressState> {
        self.addresses.iter().map(|address| address.state(self.settings.scheme())).collect()
    }

    /// How many requests may be under way at once, each with a connection.
    pub fn max_connections(&self) -> usize {
        self.settings.max_connections
    }
}

/// What an answer's body comes over, and its request's permits, at the origin and at one of its addresses.
#[derive(Debug)]
struct Holding {
    lease: Lease,
    permit: Permit,
    _chosen: Chosen,
}

impl Held for Holding {
    fn drive(&mut self, context: &mut Context<'_>) -> bool {
        self.lease.drive(context)
    }

    fn is_read(&mut self) {
        self.lease.end();
    }

    fn belongs_to_client(&mut self) {
        self.permit.belongs_to_client();
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
    /// The body, watched for silence. It holds its request's permit.
    pub body: Timed,
    /// From when the request was to be sent to its answer's head.
    pub took: Duration,
}

impl Answered {
    /// The answer as it comes.
    pub fn into_response(self) -> Response<Body> {
        Response::from_parts(self.head, Body::stream(bytes::Bytes::new(), self.body))
    }
}

impl Outgoing {
    /// A GET of this host's without more.
    pub fn get(target: PathAndQuery, fields: HeaderMap, host: Option<HeaderValue>) -> Self {
        let (method, body) = (Method::GET, Body::Empty);
        Self { method, target, fields, client_host: host, body, interim: None, waiters: None }
    }

    /// Whether it can be sent twice without harm.
    fn is_repeatable(&self) -> bool {
        matches!(self.body, Body::Empty) && matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }

    /// What is sent, but for the Host.
    fn into_request(self, settings: &OriginSettings) -> Request<Body> {
        let is_kept = settings.reuse_after_body && may_have_content(&self.method);
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = Uri::from(self.target);
        *request.headers_mut() = self.fields;
        let has_body = !request.body().is_end_stream();
        // Nearly every answer to HEAD announces a body, and an origin that sends it is not seldom.
        if request.method() == Method::HEAD || (has_body && !is_kept) {
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        // Said in so many words: else hyper would drop such a body of a GET.
        if request.body().size_hint().exact().is_none() {
            request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        request
    }
}

impl Origin {
    /// A client for one core, within whose runtime it is called. The first one looks after the addresses' health.
    pub fn new(shared: Arc<Shared>) -> Self {
        let pool = Pool::new(&shared.settings);
        if let Some(health) = &shared.settings.health
            && !shared.watched.swap(true, Ordering::Relaxed)
        {
            tokio::spawn(health::watch(Arc::downgrade(&pool), Arc::downgrade(&shared.addresses), health.clone()));
        }
        Self { pool, shared }
    }

    /// Whether it is a client of this origin, as it is configured here.
    pub fn is_of(&self, shared: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.shared, shared)
    }

    /// What the configuration says about the origin.
    pub fn settings(&self) -> &OriginSettings {
        &self.shared.settings
    }

    /// Whether half of the requests that may be under way are not: what nobody waits for takes no place of a client's.
    pub fn has_places_to_spare(&self) -> bool {
        self.shared.permits.free() >= self.shared.settings.max_connections.div_ceil(2)
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
        let permit = self.shared.permits.take(outgoing.waiters.as_ref(), settings.connect_timeout).await?;
        let asked = outgoing.fields.get(UPGRADE).cloned();
        let sent = Stopwatch::start();
        let (chosen, response, lease) = self.send_somewhere(outgoing, overall).await?;
        let (took, (head, body)) = (sent.elapsed(), response.into_parts());
        // What no two parsers would read the same way, or what nobody asked for, goes no further.
        if !is_switch(&head, asked.as_ref())
            && let Some(fault) = response_fault(head.status, &head.headers)
        {
            return Err(OriginError::Broken(fault));
        }
        let held = Holding { lease, permit, _chosen: chosen };
        let mut body = Timed::new(body, settings.response_timeout).holding(held);
        if let Some(Overall { end, limit }) = overall {
            body = body.until(end, limit);
        }
        let body = body.begun().await.map_err(|error| OriginError::Broken(error.to_string()))?;
        Ok(Answered { head, body, took })
    }

    /// One try, and one more where that can do no harm.
    async fn send_somewhere(
        &self,
        mut outgoing: Outgoing,
        overall: Option<Overall>,
    ) -> Result<(Chosen, Response<Incoming>, Lease), OriginError> {
        let (settings, addresses) = (self.settings(), &self.shared.addresses);
        let repeatable = outgoing.is_repeatable();
        let (host, interim) = (settings.host.of(outgoing.client_host.take()), outgoing.interim.take());
        let limit = settings.response_timeout;
        let end = Instant::now() + limit;
        let first = addresses.choose(None, repeatable).map_err(OriginError::OutOfOrder)?;
        // Who tries an address for others need not wait for long where those could be asked.
        let tries = repeatable && first.attempt.is_probe() && addresses.is_in_order_besides(&first.address);
        let patience = if tries { limit.min(settings.connect_timeout) } else { limit };
        let request = outgoing.into_request(settings);
        let again = repeatable.then(|| copy(&request));
        let sending = Sending { request, host: host.as_ref(), interim: interim.clone(), limit: patience, overall };
        let Unanswered { error, unsent } = match self.attempt(&first, sending).await {
            Ok((response, lease)) => return Ok((first, response, lease)),
            Err(unanswered) => unanswered,
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
        let (Ok(second), Some(request)) = (second, unsent.map(|unsent| *unsent).or(again)) else { return Err(error) };
        drop(first);
        // One request has one series of interim answers: what the first try handed on is not said once more.
        let interim = interim.filter(|_| matches!(error, OriginError::Connect(_)));
        // What was not sent yet has its time anew; what was is over when it should have been.
        let rest = if matches!(error, OriginError::Broken(_)) { end.duration_since(Instant::now()) } else { limit };
        let sending = Sending { request, host: host.as_ref(), interim, limit: rest, overall };
        // Boxed: it is seldom made, and would make every request's future twice as large.
        match Box::pin(self.attempt(&second, sending)).await {
            Ok((response, lease)) => Ok((second, response, lease)),
            Err(Unanswered { error: OriginError::Timeout(waited), .. }) if waited == rest => {
                Err(OriginError::Timeout(limit))
            }
            Err(unanswered) => Err(unanswered.error),
        }
    }

    /// One try at one address, which learns from it.
    async fn attempt(&self, chosen: &Chosen, sending: Sending<'_>) -> Exchanged {
        let Sending { mut request, host, interim, limit, overall } = sending;
        if let Some(host) = host.or(chosen.address.host.as_ref()) {
            request.headers_mut().insert(HOST, host.clone());
        }
        let upload = request.body_mut().watched();
        let waits_for_client = upload.is_some();
        let answer = tokio::select! {
            biased;
            answer = exchange(&self.pool, &chosen.address, request, interim) => answer,
            () = silence(upload, limit) => Err(OriginError::Timeout(limit).into()),
            late = over(overall) => {
                if waits_for_client {
                    return Err(late.into());
                }
                Err(late.into())
            }
        };
        chosen.address.learn(chosen.attempt, answer.as_ref().map(|_| ()).map_err(|unanswered| &unanswered.error));
        answer
    }
}

/// What one try has: what is sent, and how long it may take.
struct Sending<'s> {
    request: Request<Body>,
    /// Its Host; none for that of the address.
    host: Option<&'s HeaderValue>,
    interim: Option<InterimSender>,
    limit: Duration,
    overall: Option<Overall>,
}

/// A request without a body once more.
fn copy(request: &Request<Body>) -> Request<Body> {
    let mut copy = Request::new(Body::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// Returns when the origin has been silent for too long: the time that a client's upload takes does not count.
async fn silence(upload: Option<Upload>, limit: Duration) {
    match upload {
        Some(upload) => upload.origin_silent_for(limit).await,
        None => sleep(limit).await,
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
