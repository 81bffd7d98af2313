//! Why the origin gave no answer.

use std::fmt;
use std::time::Duration;

use super::settings::OriginSettings;
use crate::body::{BodyError, cause, causes};

/// Why the origin gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// Every permit for a request under way stayed taken.
    Busy,
    /// What is to be asked for cannot be written as a target.
    NoTarget,
    /// Every address is out of order, and none is to be tried again before this time is over.
    OutOfOrder(Duration),
    /// No connection could be opened: the origin has not seen the request.
    Connect(String),
    /// Its head did not come within the limit: whether it acted is unknown.
    Timeout(Duration),
    /// The connection broke, or what came was no HTTP: whether it acted is unknown.
    Broken(String),
    /// The head of its answer is larger than allowed: whether it acted is unknown.
    LargeHead {
        /// How many field lines are allowed.
        fields: usize,
        /// How many bytes are.
        bytes: usize,
    },
    /// Its head came, and as many bytes of answers are on their way to clients as may be.
    NoRoom,
    /// The client's own body broke off while it was being forwarded.
    ClientBody(String),
    /// The client's own body grew larger than allowed while it was being forwarded.
    ClientBodyTooLarge,
    /// The client's own body came too slowly, or no more of it came, while it was being forwarded.
    ClientBodyTooSlow(String),
}

impl OriginError {
    /// Whether the origin may have acted on the request.
    pub fn may_have_acted(&self) -> bool {
        !matches!(self, Self::Busy | Self::NoTarget | Self::OutOfOrder(_) | Self::Connect(_))
    }

    /// In how many seconds it is worth asking again, where that is known; at least one.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::OutOfOrder(wait) => Some(whole_seconds(*wait)),
            Self::NoRoom => Some(1),
            _ => None,
        }
    }

    /// Whether it says something of the address that was asked, rather than of the client or of this proxy.
    pub(super) fn is_of_address(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Timeout(_) | Self::Broken(_))
    }

    /// What an error on a connection means.
    pub(super) fn of(error: &hyper::Error, settings: &OriginSettings) -> Self {
        if let Some(of_client) = causes(error).find_map(|inner| inner.downcast_ref()).and_then(Self::of_client_body) {
            return of_client;
        }
        if error.is_user() {
            return Self::ClientBody(cause(error));
        }
        // Which of the two it is, the library does not tell.
        if error.is_parse_too_large() {
            return Self::LargeHead { fields: settings.max_fields, bytes: settings.max_header };
        }
        Self::Broken(cause(error))
    }

    /// What the client's body did that was against a limit.
    fn of_client_body(error: &BodyError) -> Option<Self> {
        match error {
            BodyError::TooLarge => Some(Self::ClientBodyTooLarge),
            BodyError::Stalled(_) | BodyError::TooSlow(_) => Some(Self::ClientBodyTooSlow(error.to_string())),
            BodyError::Broken(_) | BodyError::Late(_) | BodyError::Trailers => None,
        }
    }
}

impl fmt::Display for OriginError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => out.write_str("too many requests are under way to the origin"),
            Self::NoTarget => out.write_str("what the route asks the origin for is no request target"),
            Self::OutOfOrder(wait) => {
                write!(out, "the origin is out of order; it is tried again within {} s", whole_seconds(*wait))
            }
            Self::Connect(why) => write!(out, "the origin cannot be reached: {why}"),
            Self::Timeout(limit) => write!(out, "the origin did not answer within {limit:?}"),
            Self::Broken(why) => write!(out, "the origin's answer broke off: {why}"),
            Self::LargeHead { fields, bytes } => write!(
                out,
                "the head of the origin's answer has more than {fields} field lines (`max_fields` in [origin]) or more \
                 than {bytes} bytes (`max_header` there)"
            ),
            Self::NoRoom => {
                out.write_str("too many bytes of answers are on their way to clients that do not read them")
            }
            Self::ClientBody(why) => write!(out, "the request's body broke off: {why}"),
            Self::ClientBodyTooSlow(why) => write!(out, "the request took too long: {why}"),
            Self::ClientBodyTooLarge => out.write_str("the request's body is larger than allowed"),
        }
    }
}

impl std::error::Error for OriginError {}

fn whole_seconds(wait: Duration) -> u64 {
    let begun = u64::from(wait.subsec_nanos() > 0);
    (wait.as_secs() + begun).max(1)
}
