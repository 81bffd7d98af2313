//! What the admin listener answers: JSON, and errors with a sentence and the name of what is wrong.

use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::body::Body;

/// Why a request is not answered as it wishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// What is wrong, for people.
    pub told: Told,
    /// The methods that there are, for 405.
    pub(super) allow: Option<&'static str>,
}

/// The JSON of an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// A sentence.
    pub error: String,
    /// The member, parameter or field of the request that is to blame, where one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Refusal {
    /// One with a sentence.
    pub fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, told: Told { error: error.into(), field: None }, allow: None }
    }

    /// 400, with what is to blame.
    pub fn of_field(field: &str, error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error).naming(field)
    }

    /// The same with what is to blame.
    #[must_use]
    pub fn naming(mut self, field: &str) -> Self {
        self.told.field = Some(field.to_owned());
        self
    }

    /// The answer, as the last one of its connection: what else comes there is the rest of a body.
    pub(super) fn last_answer(&self) -> Response<Body> {
        let mut answer = self.answer();
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        answer
    }

    /// The answer. Where the body was not read to its end, its connection ends with it.
    pub(super) fn answer(&self) -> Response<Body> {
        let mut answer = json(self.status, &self.told);
        let fields = answer.headers_mut();
        if let Some(allow) = self.allow {
            fields.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            fields.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(self.status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT) {
            fields.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}

/// What `/livez` calls itself: whoever asks knows by it that no other server answers.
pub(super) const LISTENER: &str = "aside admin";

/// An answer in JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_vec(value).unwrap_or_default();
    with(status, HeaderValue::from_static("application/json"), body)
}

/// An answer of another kind, which no browser keeps, guesses at or runs.
pub(super) fn with(status: StatusCode, media_type: HeaderValue, mut body: Vec<u8>) -> Response<Body> {
    if !body.ends_with(b"\n") {
        body.push(b'\n');
    }
    let mut answer = Response::new(Body::full(body));
    *answer.status_mut() = status;
    let fields = answer.headers_mut();
    fields.insert(CONTENT_TYPE, media_type);
    for (name, value) in COMMON {
        fields.insert(name, HeaderValue::from_static(value));
    }
    answer
}

const COMMON: [(HeaderName, &str); 3] = [
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
];
