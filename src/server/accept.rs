//! One core: accepts connections, serves them, and drains them when told to stop.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::ServerSettings;
use super::stall::Stalling;
use crate::proxy::{Client, Proxy};

/// What a core's thread works with.
pub(super) struct Core {
    pub(super) listeners: Vec<TcpListener>,
    pub(super) settings: Arc<ServerSettings>,
    pub(super) connections: Arc<Semaphore>,
    pub(super) stopped: watch::Receiver<bool>,
}

/// How long accepting pauses when the process has run out of file descriptors or memory.
const BREATHER: Duration = Duration::from_millis(50);

/// How much longer than the connections the writes under way may take: a client who is cut off takes nothing along.
const GRACE: Duration = Duration::from_secs(3);

impl Core {
    /// Serves until told to stop, then drains.
    pub(super) async fn serve(self, proxy: Arc<Proxy>) {
        let mut accepting = JoinSet::new();
        for listener in self.listeners {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => {
                    let core = Acceptor {
                        listener,
                        settings: Arc::clone(&self.settings),
                        connections: Arc::clone(&self.connections),
                        stopped: self.stopped.clone(),
                        proxy: Arc::clone(&proxy),
                    };
                    accepting.spawn(core.accept());
                }
                Err(error) => tracing::error!(%error, "a listening socket cannot be used"),
            }
        }
        let mut stopped = self.stopped;
        stop(&mut stopped).await;
        let deadline = Instant::now() + self.settings.shutdown_timeout + GRACE;
        while accepting.join_next().await.is_some() {}
        let cut = proxy.finish_tasks(deadline).await;
        if cut > 0 {
            tracing::warn!(
                writes = cut,
                "writes under way were cut; what they made old may be served until it expires"
            );
        }
    }
}

struct Acceptor {
    listener: tokio::net::TcpListener,
    settings: Arc<ServerSettings>,
    connections: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
    proxy: Arc<Proxy>,
}

impl Acceptor {
    async fn accept(self) {
        let mut stopped = self.stopped.clone();
        let mut open = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop(&mut stopped) => break,
                Some(_) = open.join_next() => continue,
            };
            match accepted {
                Ok((stream, peer)) => {
                    // Only now, so that cores where nobody connects keep no places from those where somebody does.
                    let Some(permit) = self.place(&mut stopped).await else { break };
                    open.spawn(connection(
                        stream,
                        Client { address: Some(peer.ip()), secure: false },
                        permit,
                        Arc::clone(&self.settings),
                        self.stopped.clone(),
                        Arc::clone(&self.proxy),
                    ));
                }
                Err(error) if is_shortage(&error) => {
                    tracing::warn!(%error, "no connection can be accepted right now; trying again");
                    sleep(BREATHER).await;
                }
                // The client was gone before it was accepted.
                Err(_) => {}
            }
        }
        let deadline = self.settings.shutdown_timeout;
        drop(self.listener);
        if timeout(deadline, async { while open.join_next().await.is_some() {} }).await.is_err() {
            tracing::warn!(connections = open.len(), ?deadline, "requests under way did not end in time and were cut");
        }
    }

    /// A place among the open connections; `None` when told to stop meanwhile.
    async fn place(&self, stopped: &mut watch::Receiver<bool>) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            permit = Arc::clone(&self.connections).acquire_owned() => permit.ok(),
            () = stop(stopped) => None,
        }
    }
}

async fn connection(
    stream: TcpStream,
    client: Client,
    permit: OwnedSemaphorePermit,
    settings: Arc<ServerSettings>,
    mut stopped: watch::Receiver<bool>,
    proxy: Arc<Proxy>,
) {
    // A small answer must not wait for the client's acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let proxy = Arc::clone(&proxy);
        // Boxed, so that a connection keeps no room for a request's future while it has none: six kilobytes each.
        Box::pin(async move { Ok::<_, Infallible>(proxy.handle(request, client).await) })
    });
    let mut serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(settings.max_header.max(SMALLEST_BUFFER))
        .max_header_size(settings.max_header)
        .max_headers(settings.max_fields)
        .serve_connection(TokioIo::new(Stalling::new(stream, WRITE_STALL)), service);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = stop(&mut stopped) => {
            std::pin::Pin::new(&mut serving).graceful_shutdown();
            (&mut serving).await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
        let rest = serving.into_parts();
        // Without a piece of a head it was idle, and a 408 would be taken for the answer to the next request.
        if error.is_timeout() && !rest.read_buf.is_empty() {
            let _ = rest.io.inner().try_write(HEAD_TOO_SLOW);
        }
    }
    drop(permit);
}

/// Returns when the server is told to stop.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stopped| *stopped).await);
}

/// How long a client may take nothing of its answer.
const WRITE_STALL: Duration = Duration::from_secs(30);

/// hyper closes such a connection without a word.
const HEAD_TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// hyper takes no smaller read buffer.
const SMALLEST_BUFFER: usize = 8192;

/// `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`: accepting again at once would only spin.
fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(24 | 23 | 105 | 12))
}
