//! Keeps one core's session up: opens it, pays what is owed, watches it, and begins again when it ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use super::connect::{Connection, master_replid, open};
use super::link::{Link, Session};
use super::report::Outage;
use crate::clock::jittered;

/// How often a session is looked at: a master may change its replication id, or become a replica, under us.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// So that the nodes of a site do not come back all at once.
const PAUSE_JITTER: f64 = 0.5;

/// Runs until it is aborted.
pub(super) async fn supervise(link: Arc<Link>) {
    let node = Arc::clone(&link.node);
    let address = node.url.address();
    let mut pause = SHORTEST_PAUSE;
    loop {
        let why = match open(&node, true).await {
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

/// Publishes the session when nothing is owed any more, and returns when it has ended.
async fn keep_up(link: &Link, session: Arc<Session>, mut connection: Connection, pause: &mut Duration) -> Outage {
    let node = &link.node;
    let mut watch = interval(WATCH_INTERVAL);
    watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
    watch.reset();
    let mut published = false;
    loop {
        let owed = node.owed.added();
        if let Err(why) = pay(link, &session).await {
            return why;
        }
        if !published {
            link.publish(Arc::clone(&session));
            node.report.found();
            published = true;
        }
        node.tell_what_ended();
        tokio::select! {
            why = connection.ended() => return why,
            why = session.ended() => return why,
            () = owed => {}
            _ = watch.tick() => {
                if let Err(why) = look_at(&session).await {
                    return why;
                }
                // It has lasted for a while, so the next end is not one more of the same.
                *pause = SHORTEST_PAUSE;
            }
        }
    }
}

/// Applies what is owed, by whichever core.
async fn pay(link: &Link, session: &Session) -> Result<(), Outage> {
    let node = &link.node;
    while let Some(debt) = node.owed.next() {
        let record = node.layout.record();
        if session.invalidate(record, debt.whole, &debt.tags, None).await.is_err() {
            return Err(session.ended().await);
        }
        node.owed.settle(&debt);
    }
    Ok(())
}

/// Whether the session is still with the master that it began with.
async fn look_at(session: &Session) -> Result<(), Outage> {
    // A late answer or an error has been counted, and may have ended the session.
    let Ok(info) = session.replication().await else { return Ok(()) };
    if master_replid(&info)? == session.replid {
        Ok(())
    } else {
        Err(Outage::Unreachable("its replication id has changed".to_owned()))
    }
}
