//! Every answer that is the proxy's own and not the origin's: one table from cause to status and sentence.

use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, VIA};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use super::Answer;
use super::answer::VIA_ASIDE;
use crate::body::Body;
use crate::fields::{CacheStatus, Detail, Forward};
use crate::origin::OriginError;

/// Why a request is not forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Malformed, or readable in two ways.
    BadRequest(&'static str),
    /// CONNECT and TRACE.
    MethodNotAllowed,
    /// PURGE, from somebody who may not.
    PurgeNotAllowed,
    /// A purge that the store did not confirm.
    PurgePending,
    /// An OPTIONS request whose Max-Forwards ends here: the one answer in this table that is no error.
    LastHop,
    /// There are more fields than allowed.
    TooManyFields(usize),
    /// An expectation other than `100-continue`, and the origin is not asked.
    UnknownExpectation,
    /// The target is longer than allowed.
    TargetTooLong(usize),
    /// The body is larger than allowed.
    BodyTooLarge(u64),
    /// The body broke off.
    BodyBroken(String),
    /// The body came too slowly, or no more of it came.
    BodyTooSlow(String),
    /// A transfer coding other than chunked.
    UnknownCoding,
    /// `when_down = "refuse"` and the store cannot be reached.
    StoreDown,
    /// A write that was to go to the cache, and the cache did not take it.
    NotKept,
    /// A write that was to go to the cache only, from somebody who may not.
    NotAdmitted,
    /// A write that went to the origin, and whose invalidation could not be completed under `when_down = "refuse"`.
    NotInvalidated,
    /// The client leaves its other answers unread.
    AnswersUnread,
    /// `only-if-cached`, and it is not (RFC 9111 section 5.2.1.7).
    OnlyIfCached,
    /// A write for the cache whose body is no JSON or lacks a variable of the key.
    BadEntry(String),
}

impl Refusal {
    /// The status it is answered with.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::BodyBroken(_) | Self::BadEntry(_) => StatusCode::BAD_REQUEST,
            Self::BodyTooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::MethodNotAllowed | Self::PurgeNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAdmitted => StatusCode::FORBIDDEN,
            Self::LastHop => StatusCode::OK,
            Self::TooManyFields(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::UnknownExpectation => StatusCode::EXPECTATION_FAILED,
            Self::TargetTooLong(_) => StatusCode::URI_TOO_LONG,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnknownCoding => StatusCode::NOT_IMPLEMENTED,
            Self::StoreDown | Self::NotKept | Self::AnswersUnread | Self::PurgePending => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::NotInvalidated | Self::OnlyIfCached => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    pub(super) fn sentence(&self) -> String {
        match self {
            Self::BadRequest(why) => (*why).to_owned(),
            Self::MethodNotAllowed => "CONNECT and TRACE are not forwarded.".to_owned(),
            Self::PurgeNotAllowed => "PURGE is for this cache, goes no further, and is not allowed here.".to_owned(),
            Self::PurgePending => {
                "The cache did not confirm the purge. It is pending: nothing is read from the cache before it is made."
                    .to_owned()
            }
            Self::LastHop => "Max-Forwards was 0, so this proxy is the one that answers.".to_owned(),
            Self::TooManyFields(limit) => format!("The request has more than {limit} fields."),
            Self::UnknownExpectation => "The only expectation that can be met is 100-continue.".to_owned(),
            Self::TargetTooLong(limit) => format!("The request target is longer than {limit} bytes."),
            Self::BodyTooLarge(limit) => format!("The request body is larger than {limit} bytes."),
            Self::BodyBroken(why) => format!("The request body could not be read: {why}."),
            Self::BodyTooSlow(why) => format!("The request took too long: {why}."),
            Self::UnknownCoding => "The only transfer coding understood is chunked.".to_owned(),
            Self::StoreDown => {
                "The cache cannot be reached, and writes are refused meanwhile. The origin has not seen this one."
                    .to_owned()
            }
            Self::NotKept => {
                "The cache did not confirm this write, which was for the cache alone. Send it again.".to_owned()
            }
            Self::NotAdmitted => {
                "Writes to the cache only need a credential, and this one has another or none.".to_owned()
            }
            Self::NotInvalidated => {
                "The origin has answered this write, but the cache could not be told. Read before sending it again."
                    .to_owned()
            }
            Self::AnswersUnread => {
                "Too many bytes of other answers on this connection have not been read yet. Read those first."
                    .to_owned()
            }
            Self::OnlyIfCached => {
                "The request asks for a stored answer only, and there is none that may be used.".to_owned()
            }
            Self::BadEntry(why) => why.clone(),
        }
    }

    /// Whether it is the client's doing alone: what a client can bring about as often as it likes is no trouble.
    fn is_of_client(&self) -> bool {
        match self {
            Self::StoreDown | Self::NotKept | Self::NotInvalidated | Self::PurgePending => false,
            Self::BadRequest(_)
            | Self::MethodNotAllowed
            | Self::PurgeNotAllowed
            | Self::LastHop
            | Self::TooManyFields(_)
            | Self::UnknownExpectation
            | Self::TargetTooLong(_)
            | Self::BodyTooLarge(_)
            | Self::BodyBroken(_)
            | Self::BodyTooSlow(_)
            | Self::UnknownCoding
            | Self::NotAdmitted
            | Self::AnswersUnread
            | Self::OnlyIfCached
            | Self::BadEntry(_) => true,
        }
    }

    /// Whether what follows on the connection could be read in more than one way, or is not worth reading.
    fn ends_connection(&self) -> bool {
        use Refusal as R;
        matches!(
            self,
            R::BadRequest(_)
                | R::MethodNotAllowed
                | R::BodyTooLarge(_)
                | R::BodyBroken(_)
                | R::BodyTooSlow(_)
                | R::UnknownExpectation
                | R::UnknownCoding
        )
    }

    /// What mends it is for whoever has the file, and clients need not know its keys.
    fn told_in_the_log(&self) -> String {
        match self {
            Self::PurgeNotAllowed => {
                "PURGE was refused: `purge_from` and `purge_token` in [clients] say who may send it.".to_owned()
            }
            _ => self.sentence(),
        }
    }

    pub(super) fn answer(&self) -> Answer {
        let detail = match self {
            Self::StoreDown | Self::NotKept | Self::NotInvalidated | Self::PurgePending => Some(Detail::StoreDown),
            Self::AnswersUnread => Some(Detail::AnswersUnread),
            _ => None,
        };
        let mut answer = own(self.status(), &self.sentence(), CacheStatus { detail, ..CacheStatus::default() });
        answer.notes.why = (*self != Self::LastHop).then(|| self.told_in_the_log().into());
        answer.notes.is_of_client = self.is_of_client();
        if self.ends_connection() {
            answer.response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if self.status() == StatusCode::METHOD_NOT_ALLOWED {
            // RFC 9110 section 15.5.6 wants to be told; of a resource's own methods only the origin knows.
            let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
            answer.response.headers_mut().insert(ALLOW, allowed);
        }
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            answer.response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        answer
    }
}

/// The answer where the origin gave none.
pub(super) fn no_answer(error: &OriginError, forward: Forward) -> Answer {
    let (status, detail) = match error {
        OriginError::NoRoom => (StatusCode::SERVICE_UNAVAILABLE, Some(Detail::AnswersFull)),
        OriginError::Busy => (StatusCode::SERVICE_UNAVAILABLE, Some(Detail::OriginBusy)),
        OriginError::OutOfOrder(_) => (StatusCode::SERVICE_UNAVAILABLE, Some(Detail::OriginDown)),
        OriginError::Connect(_) | OriginError::Broken(_) => (StatusCode::BAD_GATEWAY, Some(Detail::OriginDown)),
        OriginError::LargeHead { .. } => (StatusCode::BAD_GATEWAY, Some(Detail::LargeHead)),
        OriginError::Timeout(_) => (StatusCode::GATEWAY_TIMEOUT, Some(Detail::OriginTimeout)),
        OriginError::NoTarget => (StatusCode::BAD_REQUEST, Some(Detail::QueryAmbiguous)),
        OriginError::ClientBody(_) => (StatusCode::BAD_REQUEST, None),
        OriginError::ClientBodyTooSlow(_) => (StatusCode::REQUEST_TIMEOUT, None),
        OriginError::ClientBodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, None),
    };
    let cache_status = CacheStatus { forward: Some(forward), detail, ..CacheStatus::default() };
    let mut answer = own(status, &told_to_clients(error), cache_status);
    answer.notes.why = Some(error.to_string().into());
    if let Some(seconds) = error.retry_after() {
        answer.response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

/// What clients are told. Why a connection could not be opened, or broke off, and which limits there are, is for the log
/// alone.
fn told_to_clients(error: &OriginError) -> String {
    let mut sentence = match error {
        OriginError::Connect(_) => "the origin cannot be reached".to_owned(),
        OriginError::Broken(_) => "the origin broke the connection off, or did not answer in HTTP".to_owned(),
        OriginError::LargeHead { .. } => "the head of the origin's answer is larger than allowed".to_owned(),
        _ => error.to_string(),
    };
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    sentence.push('.');
    sentence
}

/// A problem document (RFC 9457) that no cache keeps.
fn own(status: StatusCode, sentence: &str, cache_status: CacheStatus) -> Answer {
    let title = status.canonical_reason().unwrap_or("Error");
    let document = json!({ "title": title, "status": status.as_u16(), "detail": sentence });
    let mut response = Response::new(Body::full(format!("{document}\n")));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A client that sees it knows that this hop spoke and not the origin.
    fields.insert(VIA, VIA_ASIDE);
    Answer::new(response, cache_status)
}
