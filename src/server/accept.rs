//! One core: accepts connections, serves them, and drains them when told to stop.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::pin::pin;
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
use crate::proxy::Proxy;

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
                accepted = self.next() => accepted,
                () = stop(&mut stopped) => break,
                Some(_) = open.join_next() => continue,
            };
            match accepted {
                Ok((stream, peer, permit)) => {
                    open.spawn(connection(
                        stream,
                        peer,
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

    async fn next(&self) -> io::Result<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
        let permit = Arc::clone(&self.connections).acquire_owned().await.map_err(io::Error::other)?;
        let (stream, address) = self.listener.accept().await?;
        Ok((stream, address.ip(), permit))
    }
}

async fn connection(
    stream: TcpStream,
    peer: IpAddr,
    permit: OwnedSemaphorePermit,
    settings: Arc<ServerSettings>,
    mut stopped: watch::Receiver<bool>,
    proxy: Arc<Proxy>,
) {
    // A small answer must not wait for the client's acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let proxy = Arc::clone(&proxy);
        async move { Ok::<_, Infallible>(proxy.handle(request, Some(peer)).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(settings.max_header.max(SMALLEST_BUFFER))
        .max_headers(settings.max_fields)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop(&mut stopped) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
    drop(permit);
}

/// Returns when the server is told to stop.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stopped| *stopped).await);
}

/// hyper takes no smaller read buffer.
const SMALLEST_BUFFER: usize = 8192;

/// `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`: accepting again at once would only spin.
fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(24 | 23 | 105 | 12))
}
