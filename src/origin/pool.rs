//! One core's connections to the origin. An idle one waits for the next request; one in use is driven by whoever uses it,
//! so that an exchange needs no task beside that of its request.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::address::Address;
use super::connect::Connector;
use super::error::OriginError;
use super::settings::OriginSettings;
use crate::body::{Body, InterimSender, InterimWatch};
use crate::fields::{announces_body, is_bodiless};

/// How often idle connections are looked at: one that the origin has closed, that says something unasked, or whose time is
/// over is closed then. Whoever takes one looks again.
const LOOK: Duration = Duration::from_millis(50);

/// The idle connections, and how to open new ones.
pub(super) struct Pool {
    connector: Connector,
    settings: Arc<OriginSettings>,
    idle: Mutex<Vec<Idle>>,
    /// Told when the first connection becomes idle.
    returned: Notify,
}

struct Idle {
    link: Link,
    until: Instant,
}

/// One connection.
struct Link {
    /// Which address it leads to.
    address: usize,
    sender: SendRequest<Body>,
    /// What does the reading and writing; none once it is closed.
    connection: Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>,
}

/// A connection for one exchange. Afterwards it is kept for the next one, if both sides are done and nothing speaks against
/// it; dropped before that, it is closed.
pub(super) struct Lease {
    pool: Arc<Pool>,
    /// None once others have it.
    link: Option<Link>,
    may_be_kept: bool,
}

/// No answer came.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) error: OriginError,
    /// The request, if nothing of it was sent.
    pub(super) unsent: Option<Box<Request<Body>>>,
}

/// An answer, whose body comes over the connection that is leased; or none.
pub(super) type Exchanged = Result<(Response<Incoming>, Lease), Unanswered>;

impl Pool {
    /// Sets it up within a core's runtime. Opens no connection.
    pub(super) fn new(settings: &Arc<OriginSettings>) -> Arc<Self> {
        let pool = Arc::new(Self {
            connector: Connector::new(settings),
            settings: Arc::clone(settings),
            idle: Mutex::default(),
            returned: Notify::new(),
        });
        tokio::spawn(look_after(Arc::downgrade(&pool)));
        pool
    }

    /// What the configuration says about the origin.
    pub(super) fn settings(&self) -> &OriginSettings {
        &self.settings
    }

    /// The connection to that address which became idle last, if there is one.
    fn kept(self: &Arc<Self>, address: usize) -> Option<Lease> {
        loop {
            let Idle { mut link, until } = {
                let mut idle = self.locked();
                let at = idle.iter().rposition(|idle| idle.link.address == address)?;
                idle.remove(at)
            };
            if until > Instant::now() && link.is_free() {
                return Some(self.lease(link));
            }
            link.close();
        }
    }

    /// Opens a connection to an address.
    async fn open(self: &Arc<Self>, address: &Address) -> Result<Lease, OriginError> {
        let stream = self.connector.connect(&address.authority).await.map_err(OriginError::Connect)?;
        let handshake = http1::Builder::new()
            .max_headers(self.settings.max_fields)
            .max_buf_size(self.settings.max_header)
            .handshake(stream)
            .await;
        let (sender, connection) = handshake.map_err(|error| OriginError::of(&error, &self.settings))?;
        let connection = Some(Box::pin(connection.with_upgrades()) as _);
        Ok(self.lease(Link { address: address.at, sender, connection }))
    }

    fn lease(self: &Arc<Self>, link: Link) -> Lease {
        Lease { pool: Arc::clone(self), link: Some(link), may_be_kept: false }
    }

    fn keep(&self, link: Link) {
        let until = Instant::now() + self.settings.idle_timeout;
        let mut idle = self.locked();
        if idle.is_empty() {
            self.returned.notify_one();
        }
        idle.push(Idle { link, until });
    }

    fn close_what_is_over(&self) {
        let now = Instant::now();
        let mut idle = self.locked();
        let over = idle.extract_if(.., |idle| idle.until <= now || !idle.link.is_free());
        over.for_each(|over| over.link.close());
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks after the idle connections until the core ends or nobody is left who could use one.
async fn look_after(pool: Weak<Pool>) {
    loop {
        let Some(pool) = pool.upgrade() else { return };
        if pool.locked().is_empty() {
            pool.returned.notified().await;
        }
        sleep(LOOK).await;
        pool.close_what_is_over();
    }
}

impl Link {
    /// Reads and writes as far as it can; `false` where the connection is closed.
    fn drive(&mut self, context: &mut Context<'_>) -> bool {
        if self.connection.as_mut().is_some_and(|connection| connection.as_mut().poll(context).is_ready()) {
            // What waits for it hears of it.
            self.connection = None;
        }
        self.connection.is_some()
    }

    /// Whether the last exchange is over on both sides, and nothing has come since.
    ///
    /// Nobody is woken by this connection afterwards until it is driven again.
    fn is_free(&mut self) -> bool {
        self.drive(&mut aside()) && self.sender.is_ready()
    }

    fn close(self) {
        let Self { sender, connection, .. } = self;
        drop(sender);
        // Tells the origin, which takes no waiting.
        drop(connection.map(|mut connection| connection.as_mut().poll(&mut aside())));
    }
}

/// The context of one who need not be woken.
fn aside() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

impl Lease {
    /// Sends a request and waits for the answer's head. Dropping the future closes the connection.
    async fn carry(mut self, request: Request<Body>, interim: &InterimWatch) -> Exchanged {
        let (method, had_body) = (request.method().clone(), !request.body().is_end_stream());
        let Some(link) = &mut self.link else { return Err(Unanswered::broken("it is closed".to_owned())) };
        let settings = &self.pool.settings;
        let mut answer = pin!(link.sender.try_send_request(request));
        let answer = poll_fn(|context| {
            // Whatever the answer waits for happens in here.
            let is_open = link.drive(context);
            if let Some(fault) = interim.fault() {
                return Poll::Ready(Err(Unanswered::broken(fault)));
            }
            let answer = if is_open { answer.as_mut().poll(&mut aside()) } else { answer.as_mut().poll(context) };
            answer.map_err(|mut error| {
                let unsent = error.take_message().map(Box::new);
                Unanswered { error: OriginError::of(&error.into_error(), settings), unsent }
            })
        });
        let answer = answer.await?;
        self.answered(&method, had_body, &answer);
        Ok((answer, self))
    }

    /// To be told the head of the answer. Others may use the connection afterwards, unless the answer has no body and yet
    /// announces one: such a body may come, and when it comes nobody knows.
    ///
    /// Source: RFC 9112 sections 6.3 and 11.2
    fn answered(&mut self, method: &Method, had_body: bool, answer: &Response<Incoming>) {
        self.may_be_kept = !is_bodiless(method, answer.status()) || !announces_body(answer.headers());
        let goes_on = answer.status() == StatusCode::SWITCHING_PROTOCOLS
            || (had_body && self.link.as_ref().is_some_and(|link| !link.sender.is_ready()));
        // The rest of the request goes to the origin whether or not the client takes its answer meanwhile.
        if goes_on && let Some(link) = self.link.take() {
            self.finish(link);
        }
    }

    /// Drives a connection in a task of its own until the exchange is over on both sides.
    fn finish(&self, mut link: Link) {
        let Ok(core) = Handle::try_current() else { return };
        let (pool, may_be_kept) = (Arc::clone(&self.pool), self.may_be_kept);
        core.spawn(async move {
            let is_open = poll_fn(|context| match link.drive(context) {
                true if !link.sender.is_ready() => Poll::Pending,
                is_open => Poll::Ready(is_open),
            });
            if is_open.await && may_be_kept {
                pool.keep(link);
            } else {
                link.close();
            }
        });
    }

    /// Moves on what comes over the connection; `false` where others do that, or nothing more comes.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) -> bool {
        self.link.as_mut().is_some_and(|link| link.drive(context))
    }

    /// The exchange is over, as far as its user is concerned.
    pub(super) fn end(&mut self) {
        let Some(mut link) = self.link.take() else { return };
        let is_free = link.is_free();
        if !self.may_be_kept || link.connection.is_none() {
            link.close();
        } else if is_free {
            self.pool.keep(link);
        } else {
            self.finish(link);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.end();
    }
}

impl From<OriginError> for Unanswered {
    /// Of a request that may have been sent.
    fn from(error: OriginError) -> Self {
        Self { error, unsent: None }
    }
}

impl Unanswered {
    fn broken(why: String) -> Self {
        Self { error: OriginError::Broken(why), unsent: None }
    }
}

/// One exchange with an address, over a connection that is kept where there is one.
pub(super) async fn exchange(
    pool: &Arc<Pool>,
    address: &Address,
    mut request: Request<Body>,
    interim: Option<InterimSender>,
) -> Exchanged {
    let interim = InterimWatch::of(&mut request, interim);
    while let Some(lease) = pool.kept(address.at) {
        match lease.carry(request, &interim).await {
            // It was closed just then.
            Err(Unanswered { unsent: Some(unsent), .. }) => request = *unsent,
            done => return done,
        }
    }
    over_new(pool, address, request, &interim).await
}

/// The same over a new connection.
pub(super) async fn exchange_anew(pool: &Arc<Pool>, address: &Address, mut request: Request<Body>) -> Exchanged {
    let interim = InterimWatch::of(&mut request, None);
    over_new(pool, address, request, &interim).await
}

async fn over_new(pool: &Arc<Pool>, address: &Address, request: Request<Body>, interim: &InterimWatch) -> Exchanged {
    match pool.open(address).await {
        Ok(lease) => lease.carry(request, interim).await,
        Err(error) => Err(Unanswered { error, unsent: Some(Box::new(request)) }),
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Pool").field("idle", &self.locked().len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Lease").field("may_be_kept", &self.may_be_kept).finish_non_exhaustive()
    }
}
