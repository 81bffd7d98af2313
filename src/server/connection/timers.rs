//! When a connection is ended: nothing is asked, a head does not arrive, or nothing of the answers is taken.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use super::activity::Activity;
use crate::server::settings::ServerSettings;

/// Why a connection's time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expired {
    /// Nothing was asked for the idle timeout.
    Idle,
    /// Nothing was asked for a while, and nothing of the last exchange is left: what serves the connection may go, and
    /// the connection stays.
    Quiet,
    /// A request's head began to arrive and did not end in time.
    Head,
    /// The client took nothing of an answer in time.
    Stalled,
    /// The client asks and gives up, over and over: the work is done, and nobody takes it (CVE-2023-44487).
    GivenUp,
}

/// How long nothing is asked before a connection counts as quiet. Clients who ask more often keep what serves them; of
/// many who ask at once and then wait, few have it at the same time.
const QUIET: Duration = Duration::from_millis(50);

/// How many more requests a client may give up than it lets be answered, and within what time.
const MOST_GIVEN_UP: u64 = 200;
const GIVING_UP: Duration = Duration::from_secs(10);

/// All of a connection's timers, in one that is set again only when it fires or an earlier end is in sight: requests
/// that come and go cost nothing here.
///
/// Lives in the task that reads and writes the connection's bytes, so that it looks again after every one of them.
#[derive(Debug)]
pub(super) struct Timers {
    activity: Arc<Activity>,
    idle: Duration,
    /// `None` on HTTP/2, where frames come for many requests at once.
    head: Option<Duration>,
    stall: Duration,
    /// How long a client may take for its part in the end of a connection. On HTTP/2 a half head may stand there.
    ending: Duration,
    /// How long a late request is waited for when the server stops; `None` on HTTP/2, which tells clients which of
    /// theirs were the last.
    late_wait: Option<Duration>,
    /// Until when it is waited for.
    late_until: Option<Instant>,
    /// Since when a part of a head is there.
    begun: Option<Instant>,
    /// Since when a write waits, and how often the client had taken something before.
    blocked: Option<(u64, Instant)>,
    /// How many requests the client had given up at some time, and when that was.
    given_up: (u64, Instant),
    /// Whether it is to be told that the connection is quiet.
    quiet: bool,
    /// Since when no new request is taken.
    closing: Option<(u64, Instant)>,
    sleep: Pin<Box<Sleep>>,
}

impl Timers {
    pub(super) fn new(activity: Arc<Activity>, settings: &ServerSettings, with_heads: bool) -> Self {
        Self {
            activity,
            idle: settings.idle_timeout,
            head: with_heads.then_some(settings.header_timeout),
            stall: settings.write_stall,
            ending: if with_heads { settings.write_stall } else { settings.write_stall.min(settings.header_timeout) },
            late_wait: with_heads.then(|| settings.late_wait()),
            late_until: None,
            begun: None,
            blocked: None,
            given_up: (0, Instant::now()),
            quiet: false,
            closing: None,
            sleep: Box::pin(sleep(settings.idle_timeout)),
        }
    }

    /// Whether it is to be told from now on that the connection is quiet.
    pub(super) fn report_quiet(&mut self, report: bool) {
        self.quiet = report;
    }

    /// The server stops: whatever is answered from now on is the connection's last answer. Whether a request that may be
    /// on its way is to be waited for; else the connection is to be closed, after what is under way on it.
    pub(super) fn stop(&mut self) -> bool {
        let Some(late_wait) = self.late_wait else { return false };
        self.activity.make_answers_last();
        self.late_until = Some(Instant::now() + late_wait);
        !self.activity.is_busy()
    }

    /// Whether it was told that the server stops.
    pub(super) fn is_stopping(&self) -> bool {
        self.late_until.is_some()
    }

    /// From now on no new request is taken: an idle connection is to end, as soon as the client has what was sent.
    pub(super) fn closing(&mut self) {
        self.closing = Some((self.activity.taken(), Instant::now()));
    }

    /// Returns when the time is up. Dropping the future loses nothing.
    pub(super) async fn expired(&mut self) -> Expired {
        std::future::poll_fn(|context| self.poll_expired(context)).await
    }

    fn poll_expired(&mut self, context: &mut Context<'_>) -> Poll<Expired> {
        if self.gives_up_too_often() {
            return Poll::Ready(Expired::GivenUp);
        }
        let end = self.end();
        let Some((at, why)) = end else {
            // Nothing ends while a request is under way, but who ends the request may not be this task.
            while self.sleep.as_mut().poll(context).is_ready() {
                self.sleep.as_mut().reset(Instant::now() + self.idle);
            }
            return Poll::Pending;
        };
        if at < self.sleep.deadline() {
            self.sleep.as_mut().reset(at);
        }
        loop {
            ready!(self.sleep.as_mut().poll(context));
            if self.sleep.deadline() >= at {
                return Poll::Ready(why);
            }
            self.sleep.as_mut().reset(at);
        }
    }

    fn gives_up_too_often(&mut self) -> bool {
        let given_up = self.activity.given_up();
        let (before, since) = self.given_up;
        if given_up <= before + MOST_GIVEN_UP {
            return false;
        }
        let now = Instant::now();
        self.given_up = (given_up, now);
        now - since < GIVING_UP
    }

    /// What ends first, as things are.
    fn end(&mut self) -> Option<(Instant, Expired)> {
        let taken = self.activity.taken();
        self.blocked = self.activity.is_blocked().then(|| since(self.blocked, taken));
        if let Some((_, blocked)) = self.blocked {
            return Some((blocked + self.stall, Expired::Stalled));
        }
        if self.activity.is_busy() {
            self.begun = None;
            return None;
        }
        if let Some(head) = self.head.filter(|_| self.activity.has_begun()) {
            let begun = *self.begun.get_or_insert_with(Instant::now);
            return Some((begun + head, Expired::Head));
        }
        self.begun = None;
        if self.closing.is_some() {
            let closing = since(self.closing, taken);
            self.closing = Some(closing);
            return Some((closing.1 + self.ending, Expired::Stalled));
        }
        if let Some(until) = self.late_until {
            return Some((until, Expired::Idle));
        }
        let idle_since = self.activity.idle_since();
        if self.quiet && QUIET < self.idle && !self.activity.body_may_be_unread() {
            return Some((idle_since + QUIET, Expired::Quiet));
        }
        Some((idle_since + self.idle, Expired::Idle))
    }
}

/// Since when nothing was taken: since now, unless nothing was taken since it was noted.
fn since(noted: Option<(u64, Instant)>, taken: u64) -> (u64, Instant) {
    noted.filter(|(before, _)| *before == taken).unwrap_or_else(|| (taken, Instant::now()))
}
