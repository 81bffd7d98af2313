//! What the fuzz targets reach of this room: the two validators of heads. In no other build.

use http::request;
use http::response;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::ProxySettings;
use super::egress::{Extent, ready};
use super::ingress::{Content, Head, read};
use crate::handler::Client;

/// What of a message comes after its head: `None` for nothing, `Some(None)` for as much as comes.
pub type Body = Option<Option<u64>>;

/// What ingress makes of a request's head: target, fields and host; or the status it refuses it with.
pub fn ingress(
    head: request::Parts,
    body: Body,
    settings: &ProxySettings,
) -> Result<(PathAndQuery, HeaderMap, Option<HeaderValue>), StatusCode> {
    let content = match body {
        None => Content::None,
        Some(Some(length)) => Content::Length(length),
        Some(None) => Content::Unknown,
    };
    let Head { target, fields, host, .. } =
        read(head, content, Client::default(), settings).map_err(|refusal| refusal.status())?;
    Ok((target, fields, host))
}

/// Makes an origin's head ready for the client.
pub fn egress(head: &mut response::Parts, body: Body) {
    let extent = match body {
        None => Extent::Done,
        Some(Some(length)) => Extent::Length(length),
        Some(None) => Extent::Unknown,
    };
    ready(head, extent);
}
