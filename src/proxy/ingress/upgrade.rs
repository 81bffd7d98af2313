//! Does a request ask for a WebSocket?

use http::header::UPGRADE;
use http::{Method, Request, Version};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;

use crate::fields::nominated;

/// The client's side of a WebSocket, if that is what a request asks for, and nothing else beside it.
///
/// Source: RFC 9110 section 7.8, RFC 6455 section 4.2.1
pub(super) fn upgrade(request: &mut Request<Incoming>) -> Option<OnUpgrade> {
    let fields = request.headers();
    let mut protocols = fields.get_all(UPGRADE).iter();
    let websocket = protocols.next()?.as_bytes().eq_ignore_ascii_case(b"websocket");
    let fits = websocket
        && protocols.next().is_none()
        && request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && request.body().is_end_stream()
        && nominated(fields).contains(&UPGRADE);
    fits.then(|| hyper::upgrade::on(request))
}
