//! Serving one connection to its end, whatever version of HTTP it speaks: until it is over, a timer ends it, or the server
//! stops.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::watch;

use super::timers::{Expired, Timers};
use crate::clock::Clock;
use crate::handler::Handler;
use crate::server::settings::ServerSettings;
use crate::server::tls::Certificate;
use crate::telemetry::{Refused, RefusedConnections, RefusedNews};

/// What every connection of a core works with.
#[derive(Clone, Debug)]
pub(in crate::server) struct Context {
    pub(in crate::server) settings: Arc<ServerSettings>,
    pub(in crate::server) certificate: Option<Arc<Certificate>>,
    pub(in crate::server) handler: Arc<dyn Handler>,
    /// Where connections are counted that no request comes of; `None` where nobody wants to know.
    pub(in crate::server) refused: Option<Arc<RefusedConnections>>,
    pub(in crate::server) stopped: watch::Receiver<bool>,
}

impl Context {
    /// A connection of this client was ended for this reason, and no request came of what it had sent.
    pub(super) fn refused(&self, why: Refused, client: Option<IpAddr>) {
        let Some(refused) = &self.refused else { return };
        let RefusedNews { before, is_first } = refused.count(why, Clock::System.ticks());
        if let Some(ended) = before {
            tracing::info!("connections were ended before there was a request {ended}");
        }
        if is_first {
            let (client, status) = (client.map(tracing::field::display), why.status());
            tracing::info!(client, status, "a connection was ended before there was a request: {}", why.describe());
        }
    }
}

/// How serving a connection came to its end.
pub(super) enum End {
    /// By itself, or by a fault.
    Done(hyper::Result<()>),
    /// By a timer.
    Cut(Expired),
}

/// Serves until the end. An idle connection, and every one when the server stops, is asked to close first: `close` lets
/// requests under way end and takes no new ones. When the server stops, HTTP/1.1 waits a moment for a request that is on
/// its way, for only an answer can tell the client that it is the last.
pub(super) async fn drive<C: Future<Output = hyper::Result<()>> + Unpin>(
    serving: &mut C,
    timers: &mut Timers,
    stopped: &mut watch::Receiver<bool>,
    close: impl Fn(&mut C),
) -> End {
    let closes = loop {
        tokio::select! {
            biased;
            // First, so that no answer that is sent after it has to do without `connection: close`.
            () = stop(stopped), if !timers.is_stopping() => {
                if !timers.stop() {
                    break None;
                }
            }
            ended = &mut *serving => return End::Done(ended),
            expired = timers.expired() => break Some(expired),
        }
    };
    if let Some(cut) = closes.filter(|expired| *expired != Expired::Idle) {
        return End::Cut(cut);
    }
    close(serving);
    timers.closing();
    tokio::select! {
        biased;
        ended = serving => End::Done(ended),
        expired = timers.expired() => End::Cut(expired),
    }
}

/// Returns when the server is told to stop.
pub(in crate::server) async fn stop(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stopped| *stopped).await);
}
