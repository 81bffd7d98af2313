//! Tunnels: a client's connection that becomes a WebSocket, joined with one to the origin.
//!
//! The handshake is an exchange as any other; what follows it is no HTTP and goes back and forth unseen. The tunnel is
//! run by the one who served the connection, so that it counts there and ends there.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::{CONNECTION, UPGRADE, VIA};
use http::{HeaderValue, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio::time::{Instant, sleep_until};

use super::answer::{Answer, VIA_ASIDE};
use super::core::Core;
use super::error::no_answer;
use super::ingress::Admitted;
use super::pass::{forward, passed_status};
use crate::body::{Body, Timed};
use crate::fields::{Detail, Forward};
use crate::handler::Tunnel;
use crate::origin::Answered;
use crate::rules::Ruleset;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const TO_UPGRADE: HeaderValue = HeaderValue::from_static("Upgrade");

/// How much may wait in each direction, in bytes, besides what the sockets hold.
const BUFFER: usize = 16 << 10;

/// What is to be joined, once the handshake's answer is sent.
#[derive(Debug)]
struct Ends {
    client: OnUpgrade,
    origin: OnUpgrade,
    /// Holds the place among the requests under way to the origin.
    place: Timed,
    idle: Duration,
}

/// Whether a request asks for a tunnel where one is allowed; elsewhere it is an ordinary request, and the log is told.
pub(super) fn may_tunnel(core: &Core, rules: &Ruleset, request: &Admitted) -> bool {
    if request.upgrade.is_none() {
        return false;
    }
    let route = rules.routes.find(request.target.path()).map(|(route, _)| &**route);
    let allowed = route.and_then(|route| route.upgrade).unwrap_or(core.origin.settings().upgrade);
    if !allowed {
        core.shared.notices.no_upgrade(route);
    }
    allowed
}

/// Forwards the handshake. If the origin agrees, the answer brings the tunnel along; else it is an answer as any other.
pub(super) async fn tunnel(core: &Core, mut request: Admitted) -> Answer {
    let client = request.upgrade.take();
    request.fields.insert(CONNECTION, TO_UPGRADE);
    request.fields.insert(UPGRADE, WEBSOCKET);
    let mut answered = match forward(core, &request, Body::Empty).await {
        Ok(answered) => answered,
        Err(error) => return no_answer(&error, Forward::Bypass),
    };
    let status = passed_status(Forward::Bypass, answered.head.status, Some(Detail::Upgrade));
    let origin = answered.head.extensions.remove::<OnUpgrade>();
    if answered.head.status != StatusCode::SWITCHING_PROTOCOLS {
        return Answer::passed(answered, status);
    }
    let Answered { head, body, took } = answered;
    let mut response = Response::from_parts(head, Body::Empty);
    crate::fields::strip_hop_by_hop(response.headers_mut());
    response.headers_mut().insert(CONNECTION, TO_UPGRADE);
    response.headers_mut().insert(UPGRADE, WEBSOCKET);
    response.headers_mut().append(VIA, VIA_ASIDE);
    if let (Some(client), Some(origin)) = (client, origin) {
        let ends = Ends { client, origin, place: body, idle: core.origin.settings().tunnel_idle };
        response.extensions_mut().insert(Tunnel::new(ends.join()));
    }
    Answer::new(response, status).told_after(took)
}

impl Ends {
    /// Joins both ends until one of them breaks, both are done, or nothing moves for too long. Dropping the future cuts
    /// both connections.
    async fn join(self) {
        let Self { client, origin, place, idle } = self;
        let (Ok(client), Ok(origin)) = (client.await, origin.await) else { return };
        let moved = Moved::now();
        let mut client = Noticed { stream: TokioIo::new(client), moved: moved.clone() };
        let mut origin = TokioIo::new(origin);
        tokio::select! {
            ended = copy_bidirectional_with_sizes(&mut client, &mut origin, BUFFER, BUFFER) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a tunnel broke");
                }
            }
            () = moved.nothing_for(idle) => tracing::debug!(?idle, "a tunnel was cut: nothing moved"),
        }
        drop(place);
    }
}

/// When something moved through a tunnel last.
#[derive(Clone, Debug)]
struct Moved {
    began: Instant,
    /// In milliseconds after that.
    last: Arc<AtomicU64>,
}

impl Moved {
    fn now() -> Self {
        Self { began: Instant::now(), last: Arc::default() }
    }

    fn notice(&self) {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(since, Ordering::Relaxed);
    }

    async fn nothing_for(&self, limit: Duration) {
        loop {
            let last = self.last.load(Ordering::Relaxed);
            sleep_until(self.began + Duration::from_millis(last) + limit).await;
            if self.last.load(Ordering::Relaxed) == last {
                return;
            }
        }
    }
}

/// One end of a tunnel, through which all passes that moves in either direction.
#[derive(Debug)]
struct Noticed<S> {
    stream: S,
    moved: Moved,
}

impl<S: AsyncRead + Unpin> AsyncRead for Noticed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        self.moved.notice();
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noticed<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.moved.notice();
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
