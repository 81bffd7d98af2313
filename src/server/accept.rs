//! One core: accepts connections, serves them, and drains them when told to stop.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::ServerSettings;
use super::connection::{Activity, Context, serve, stop};
use super::listen::BACKLOG;
use super::open::{Open, ROOM_AFTER};
use super::socket::{Accepting, Listener};
use super::tls::Certificate;
use crate::clock::Clock;
use crate::handler::Handler;
use crate::telemetry::{Episode, RefusedConnections};

/// What a core's thread works with.
pub(super) struct Core {
    pub(super) listeners: Vec<Listener>,
    pub(super) settings: Arc<ArcSwap<ServerSettings>>,
    pub(super) certificate: Option<Arc<Certificate>>,
    pub(super) connections: Arc<Semaphore>,
    /// Of all cores: the files that they run out of are the process's.
    pub(super) shortage: Arc<Episode>,
    /// Of all cores, too.
    pub(super) refused: Option<Arc<RefusedConnections>>,
    pub(super) stopped: watch::Receiver<bool>,
}

/// How long accepting pauses when the process has run out of file descriptors or memory.
const BREATHER: Duration = Duration::from_millis(50);

/// How much longer than the connections the handler's own work may take: a client who is cut off takes nothing along.
const GRACE: Duration = Duration::from_secs(3);

impl Core {
    /// Serves until told to stop, then drains.
    pub(super) async fn serve(self, handler: Arc<dyn Handler>) {
        let context = Context {
            settings: self.settings.load_full(),
            certificate: self.certificate,
            handler: Arc::clone(&handler),
            refused: self.refused,
            stopped: self.stopped.clone(),
        };
        let mut accepting = JoinSet::new();
        for listener in self.listeners {
            match listener.accepting() {
                Ok(listener) => {
                    let (connections, shortage) = (Arc::clone(&self.connections), Arc::clone(&self.shortage));
                    accepting.spawn({
                        let (settings, context) = (Arc::clone(&self.settings), context.clone());
                        Acceptor { listener, settings, connections, shortage, context }.accept()
                    });
                }
                Err(error) => tracing::error!(%error, "a listening socket cannot be used"),
            }
        }
        let mut stopped = self.stopped;
        stop(&mut stopped).await;
        let deadline = Instant::now() + self.settings.load().shutdown_timeout + GRACE;
        while accepting.join_next().await.is_some() {}
        handler.finish(deadline).await;
    }
}

struct Acceptor {
    listener: Accepting,
    settings: Arc<ArcSwap<ServerSettings>>,
    connections: Arc<Semaphore>,
    shortage: Arc<Episode>,
    context: Context,
}

impl Acceptor {
    async fn accept(self) {
        let mut stopped = self.context.stopped.clone();
        let mut open = Open::new(self.context.settings.idle_make_room);
        let mut late = Vec::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop(&mut stopped) => break,
                Some(()) = open.ended() => continue,
            };
            match accepted {
                Ok(accepted) => {
                    self.accepted();
                    // Only now, so that cores where nobody connects keep no places from those where somebody does.
                    let Some(place) = self.place(&mut open, &mut stopped).await else {
                        late.push(accepted);
                        break;
                    };
                    let activity = Activity::new();
                    open.serve(&activity, serve(self.context(), accepted, Arc::clone(&activity), place));
                }
                Err(error) if is_shortage(&error) => {
                    if self.shortage.met(Clock::System.ticks()) {
                        tracing::warn!(%error, "no connection can be accepted; this is tried again until one can");
                    }
                    sleep(BREATHER).await;
                }
                // The client was gone before it was accepted.
                Err(_) => {}
            }
        }
        let (now, deadline) = (self.context(), self.settings.load().shutdown_timeout);
        late.extend(self.listener.queued(BACKLOG));
        for accepted in late {
            let (context, connections, activity) = (now.clone(), Arc::clone(&self.connections), Activity::new());
            open.serve(&Arc::clone(&activity), async move {
                if let Ok(place) = connections.acquire_owned().await {
                    activity.asks_nothing();
                    serve(context, accepted, activity, place).await;
                }
            });
        }
        if timeout(deadline, async { while open.ended().await.is_some() {} }).await.is_err() {
            tracing::warn!(
                connections = open.len(),
                ?deadline,
                "requests under way did not end in time and were cut off"
            );
        }
    }

    /// What a connection that begins now works with to its end.
    fn context(&self) -> Context {
        Context { settings: self.settings.load_full(), ..self.context.clone() }
    }

    /// Tells, where connections could not be accepted for a while, that they can be.
    fn accepted(&self) {
        if self.shortage.is_on()
            && let Some(ended) = self.shortage.is_mended(Clock::System.ticks())
        {
            tracing::info!("connections are accepted again; one could not be {ended}");
        }
    }

    /// A place among the open connections; `None` when told to stop meanwhile.
    async fn place(&self, open: &mut Open, stopped: &mut watch::Receiver<bool>) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.connections).try_acquire_owned() {
            return Some(permit);
        }
        let mut permit = pin!(Arc::clone(&self.connections).acquire_owned());
        loop {
            open.make_room();
            tokio::select! {
                permit = &mut permit => return permit.ok(),
                () = stop(stopped) => return None,
                () = sleep(ROOM_AFTER), if self.context.settings.idle_make_room => {}
            }
        }
    }
}

/// `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`: accepting again at once would only spin.
fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(24 | 23 | 105 | 12))
}
