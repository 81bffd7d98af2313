//! The port between the server and what it serves: a request is handed over with what its connection says and lends, and
//! its answer comes back at once or later.

use std::fmt;
use std::future::{Future, ready};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::body::{Body, InterimSender};
use crate::budget::{Budget, Receipt};

/// What comes later.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What answers the requests of a core's connections.
pub trait Handler: fmt::Debug + Send + Sync {
    /// Answers one request. Never fails: whatever goes wrong becomes an answer that says so.
    fn handle(self: Arc<Self>, request: Request<Incoming>, exchange: Exchange) -> Handled;

    /// Waits for what no end of a connection may cut off, but not beyond the deadline.
    fn finish(self: Arc<Self>, deadline: Instant) -> Later<()> {
        let _ = deadline;
        Box::pin(ready(()))
    }
}

/// Makes each core its handler.
pub trait Handlers: Clone + Send + 'static {
    /// The handler of one core. Called in that core's thread, where its runtime runs.
    fn attach(&self) -> Arc<dyn Handler>;

    /// How many files the handlers of all cores may open together, beside the connections of clients.
    fn max_files(&self) -> usize {
        0
    }

    /// How large a stack each of so many cores needs, in bytes; `None` for the usual one.
    fn stack_bytes(&self, cores: usize) -> Option<usize> {
        let _ = cores;
        None
    }
}

/// The answer to a request.
pub enum Handled {
    /// It is there: no future has to be made, and none be moved.
    Now(Response<Body>),
    /// It is still to be found. Dropping it is safe at any point.
    Later(Later<Response<Body>>),
}

/// What a connection says of the client, and lends to the answer of one request.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Who asks.
    pub client: Client,
    /// Where interim answers go; `None` where the client takes none.
    pub interim: Option<InterimSender>,
    /// What the answers of the connection share; `None` where there is one at a time.
    pub share: Option<Share>,
}

/// The client at the other end of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Its address; `None` where the proxy itself asks. Where a proxy in front has not said for whom it asks, it is that proxy's.
    pub address: Option<IpAddr>,
    /// Whether the address is the client's own, as far as anybody has said.
    pub is_named: bool,
    /// Whether it came over TLS.
    pub secure: bool,
}

impl Client {
    /// Its own address, for what an address gives a right to: that of a proxy which does not say for whom it asks would give
    /// it to everybody.
    pub fn own_address(self) -> Option<IpAddr> {
        self.address.filter(|_| self.is_named)
    }

    /// The scheme it asked by: `http` or `https`.
    pub fn scheme(self) -> HeaderValue {
        HeaderValue::from_static(if self.secure { "https" } else { "http" })
    }
}

/// What the answers of one connection share, where many are under way at once.
#[derive(Clone, Debug)]
pub struct Share {
    budget: Arc<Budget>,
    patience: Duration,
}

impl Share {
    /// So many bytes, and how long an answer waits for its turn.
    pub fn new(bytes: usize, patience: Duration) -> Self {
        Self { budget: Budget::new(bytes), patience }
    }

    /// What covers an answer of so many bytes, if there is room for it now.
    pub fn take(&self, bytes: usize) -> Option<Receipt> {
        self.budget.try_charge(self.budget.portion(bytes))
    }

    /// The same once there is room; `None` where nothing of the others is taken for as long as one of them might stall.
    pub async fn turn(&self, bytes: usize) -> Option<Receipt> {
        self.budget.turn(self.budget.portion(bytes), self.patience).await
    }

    /// What its bytes count in.
    pub fn budget(&self) -> Arc<Budget> {
        Arc::clone(&self.budget)
    }
}

/// What goes on on a connection after an answer that ends HTTP on it, until that is over.
///
/// A handler puts it among the answer's extensions. It is run by the one who served the connection, so that it counts among
/// the connections there and is cut off as they are.
#[derive(Clone, Default)]
pub struct Tunnel(Arc<Mutex<Option<Later<()>>>>);

impl Tunnel {
    /// One that goes on for as long as this does. Dropping that has to cut the tunnel.
    pub fn new(joined: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::pin(joined)))))
    }

    /// Takes over the tunnel that an answer brings along, if it does.
    pub fn take_from(&self, answer: &mut Response<Body>) {
        if let Some(Tunnel(joined)) = answer.extensions_mut().remove() {
            let joined = joined.lock().unwrap_or_else(PoisonError::into_inner).take();
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = joined;
        }
    }

    /// Runs it to its end. Returns at once where there is none.
    pub async fn run(self) {
        let joined = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(joined) = joined {
            joined.await;
        }
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Tunnel")
    }
}
