//! A core's way to Redis, and the task that keeps its session up: opens one, watches it, and begins again when it ends.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::client::Connection;
use super::connect::open;
use super::node::RedisNode;
use super::outage::Outage;
use super::session::Session;
use crate::clock::jittered;
use crate::store::core::Fault;

/// Commands that a core may have under way; a fill takes one more for every 16 KiB of its body, 64 MiB in all.
const PERMITS: u32 = 4096;
const BYTES_PER_PERMIT: usize = 16 << 10;
/// How often a session is looked at: a master may change its replication id, or become a replica, under us.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// So that the nodes of a site do not come back all at once.
const PAUSE_JITTER: f64 = 0.5;

/// A core's way to Redis. Without a session every call answers at once; nothing queues.
pub(super) struct Link {
    pub(super) node: Arc<RedisNode>,
    session: ArcSwapOption<Session>,
    permits: Semaphore,
}

impl Link {
    pub(super) fn new(node: Arc<RedisNode>) -> Self {
        Self { node, session: ArcSwapOption::empty(), permits: Semaphore::new(PERMITS as usize) }
    }

    /// The session, if there is one that may be used.
    pub(super) fn session(&self) -> Result<Arc<Session>, Fault> {
        self.session.load_full().filter(|session| session.is_open()).ok_or(Fault::Down)
    }

    /// The same, where this process is in the registry of that very server.
    pub(super) fn session_at_home(&self) -> Result<Arc<Session>, Fault> {
        let home = self.node.control.permit().server;
        self.session().and_then(|session| if home == Some(session.server) { Ok(session) } else { Err(Fault::Down) })
    }

    /// Gives the session to everybody on this core.
    pub(super) fn publish(&self, session: Arc<Session>) {
        self.session.store(Some(session));
    }

    /// Takes the session away; false if there was none.
    pub(super) fn withdraw(&self) -> bool {
        self.session.swap(None).is_some()
    }

    /// A permit for one of the commands under way, for a value of so many bytes.
    pub(super) fn permit(&self, bytes: usize) -> Result<SemaphorePermit<'_>, Fault> {
        let wanted = u32::try_from(bytes / BYTES_PER_PERMIT + 1).unwrap_or(u32::MAX);
        // One fill that is larger than all together may pass alone.
        self.permits.try_acquire_many(wanted.min(PERMITS)).map_err(|_| Fault::Down)
    }
}

/// Runs until it is aborted.
pub(super) async fn supervise(link: Arc<Link>) {
    let node = Arc::clone(&link.node);
    let address = node.settings.url.address();
    let mut pause = SHORTEST_PAUSE;
    loop {
        let why = match open(&node.settings.url, node.settings.timeout, Some(&node.settings.layout)).await {
            Ok((session, connection)) => keep_up(&link, Arc::new(session), connection, &mut pause).await,
            Err(why) => why,
        };
        if link.withdraw() {
            node.report.lost(&address, &why);
        } else {
            node.report.failed(&address, &why);
        }
        sleep(jittered(pause, PAUSE_JITTER)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Publishes the session, and returns when it has ended.
async fn keep_up(link: &Link, session: Arc<Session>, mut connection: Connection, pause: &mut Duration) -> Outage {
    let node = &link.node;
    let mut watch = interval(WATCH_INTERVAL);
    watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
    watch.reset();
    link.publish(Arc::clone(&session));
    node.report.found();
    let mut hiccup = Box::pin(session.hiccup());
    let settings = &node.settings;
    let mut moved = Box::pin(settings.whereabouts.moved(&settings.url, session.named.as_ref()));
    loop {
        node.tell_what_ended();
        tokio::select! {
            why = connection.ended() => return why,
            why = &mut moved => return why,
            why = &mut hiccup => match why {
                Some(why) => return why,
                None => hiccup = Box::pin(session.hiccup()),
            },
            _ = watch.tick() => {
                if let Err(why) = session.look().await {
                    return why;
                }
                // It has lasted for a while, so the next end is not one more of the same.
                *pause = SHORTEST_PAUSE;
            }
        }
    }
}
