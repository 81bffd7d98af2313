//! A purge under way: whatever becomes of it, it is one event at its end, whoever asked for it.

use http::StatusCode;

use crate::clock::Stopwatch;
use crate::rules::Purge;
use crate::store::{Fault, Purged, Strength};
use crate::telemetry::{PurgeAsker, PurgeKind, PurgeMode, PurgeOutcome, PurgeResult, PurgedBy, Recorder};

/// A purge that somebody has asked for. Dropped before its end, it says that whoever asked left before it was confirmed: it is
/// made all the same.
#[derive(Debug)]
pub struct PurgeUnderWay {
    recorder: Recorder,
    by: PurgedBy,
    named: Box<str>,
    mode: PurgeMode,
    asker: PurgeAsker,
    began: Stopwatch,
    has_ended: bool,
}

/// How much it hit, where nobody counted.
const UNKNOWN: (Option<u64>, bool) = (None, true);

impl PurgeUnderWay {
    /// Somebody asks for it.
    pub fn begin(recorder: &Recorder, purge: &Purge, strength: Strength, asker: PurgeAsker) -> Self {
        Self {
            recorder: recorder.clone(),
            by: by(purge),
            named: purge.shown().into(),
            mode: if strength == Strength::Soft { PurgeMode::Soft } else { PurgeMode::Hard },
            asker,
            began: Stopwatch::start(),
            has_ended: false,
        }
    }

    /// The store has confirmed it, or has yet to.
    pub fn ends(mut self, purged: &Result<Purged, Fault>) {
        match purged {
            Ok(purged) => self.end(PurgeResult::Done, Some(StatusCode::OK), (purged.matched, purged.more)),
            Err(_) => self.end(PurgeResult::Pending, Some(StatusCode::SERVICE_UNAVAILABLE), UNKNOWN),
        }
    }

    /// Nothing is purged.
    pub fn is_refused(mut self, status: StatusCode) {
        self.end(PurgeResult::Refused, Some(status), UNKNOWN);
    }

    fn end(&mut self, result: PurgeResult, status: Option<StatusCode>, (matched, more): (Option<u64>, bool)) {
        self.has_ended = true;
        let (ended, took) = self.began.stop();
        let kind = PurgeKind { by: self.by, mode: self.mode, result };
        let (named, asker) = (std::mem::take(&mut self.named), self.asker);
        self.recorder.purged(PurgeOutcome { kind, named, asker, status, matched, more, took, ended });
    }
}

impl Drop for PurgeUnderWay {
    fn drop(&mut self) {
        if !self.has_ended {
            self.end(PurgeResult::Pending, None, UNKNOWN);
        }
    }
}

fn by(purge: &Purge) -> PurgedBy {
    match purge {
        Purge::Key(_) => PurgedBy::Key,
        Purge::Url(_) => PurgedBy::Url,
        Purge::Tag(_) => PurgedBy::Tag,
        Purge::Route(_) => PurgedBy::Route,
        Purge::Prefix(_) => PurgedBy::Prefix,
        Purge::All => PurgedBy::All,
    }
}
