//! Whether a connection is used for another request: only once the head of its answer has shown that nothing follows it
//! which could be taken for the next one's.

use http::{HeaderMap, Method, Request, StatusCode};
use hyper_util::client::legacy::connect::{CaptureConnection, Connected, capture_connection};

use crate::fields::{announces_body, is_bodiless};

/// A connection that is for one request alone, unless it is released. To be dropped before the exchange that it belongs
/// to: the pool asks when that is over.
#[derive(Debug)]
pub(super) struct Single(Option<CaptureConnection>);

impl Single {
    /// The connection that this request will go over.
    pub(super) fn of<B>(request: &mut Request<B>) -> Self {
        Self(Some(capture_connection(request)))
    }

    /// To be told the head of the answer: others may use the connection after it, unless it has no body and yet announces
    /// one. Such a body may come, and when it comes nobody knows.
    ///
    /// Source: RFC 9112 sections 6.3 and 11.2
    pub(super) fn release_after(mut self, method: &Method, status: StatusCode, fields: &HeaderMap) {
        if !is_bodiless(method, status) || !announces_body(fields) {
            self.0 = None;
        }
    }
}

impl Drop for Single {
    fn drop(&mut self) {
        if let Some(captured) = self.0.take() {
            captured.connection_metadata().as_ref().inspect(|connected| Connected::poison(connected));
        }
    }
}
