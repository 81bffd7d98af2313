//! Is the request valid, and what kind is it? A message that two parsers could read differently goes no further.

mod admitted;
mod framing;
mod target;
mod trusted;
mod versions;

use http::header::{EXPECT, HOST, UPGRADE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;

use super::error::Refusal;
use super::settings::ProxySettings;
use crate::fields::{nominated, nominates_end_to_end, restore_entity_tags, strip_hop_by_hop};
use crate::handler::{Client, Exchange};
use crate::policy::{is_credential, is_forgeable, is_overriding, is_safe};
use framing::{count_hop, settle};
use target::{host, target};
use trusted::{Asking, asking};

pub(super) use admitted::Admitted;
pub(super) use framing::Content;

/// A request's head, once it can be read in one way only.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) target: PathAndQuery,
    pub(super) fields: HeaderMap,
    pub(super) host: Option<HeaderValue>,
    pub(super) client: Client,
    pub(super) version: Version,
    pub(super) expects: bool,
}

/// Admits a request or says why not.
pub(super) fn admit(
    mut request: Request<Incoming>,
    settings: &ProxySettings,
    exchange: Exchange,
) -> Result<Admitted, Refusal> {
    let Exchange { client, interim, share } = exchange;
    let upgrade = upgrade(&mut request);
    let (head, body) = request.into_parts();
    let content = match (body.is_end_stream(), body.size_hint().exact()) {
        (true, _) => Content::None,
        (false, Some(length)) => Content::Length(length),
        (false, None) => Content::Unknown,
    };
    let Head { method, target, fields, host, client, version, expects } = read(head, content, client, settings)?;
    let body = (content != Content::None).then_some(body);
    Ok(Admitted { method, target, fields, body, host, client, version, upgrade, interim, share, expects })
}

/// The one validator of request heads: a function of the head, of what comes after it, of who sent it, and of the limits.
pub(super) fn read(
    mut head: Parts,
    content: Content,
    client: Client,
    settings: &ProxySettings,
) -> Result<Head, Refusal> {
    if head.headers.len() > settings.max_fields {
        return Err(Refusal::TooManyFields(settings.max_fields));
    }
    versions::unify(&mut head)?;
    let Parts { method, uri, version, headers: mut fields, .. } = head;
    if matches!(method, Method::CONNECT | Method::TRACE) {
        return Err(Refusal::MethodNotAllowed);
    }
    if method.as_str().len() > 32 {
        return Err(Refusal::BadRequest("The method is longer than 32 bytes."));
    }
    settle(&mut fields, content, settings.max_request_body)?;
    if nominates_end_to_end(&fields).is_some() {
        return Err(Refusal::BadRequest("Connection names a field that is not hop-by-hop."));
    }
    let host = host(&uri, &fields, version)?;
    let Asking { client, host, peer_is_trusted } = asking(client, host, &fields, &settings.trusted_proxies);
    let target = target(&uri, &method)?;
    if target.as_str().len() > settings.max_target {
        return Err(Refusal::TargetTooLong(settings.max_target));
    }
    count_hop(&method, &mut fields)?;
    let expects = expects(&mut fields, version);
    strip_hop_by_hop(&mut fields);
    drop_forgeable(&mut fields, peer_is_trusted, is_safe(&method));
    fields.remove(HOST);
    restore_entity_tags(&mut fields);
    Ok(Head { method, target, fields, host, client, version, expects })
}

/// The one expectation that is registered, `100-continue`, is met here as the body is asked for, and goes no further. Whether
/// any other can be met is for the origin to say. HTTP/1.0 knows none.
///
/// Source: RFC 9110 section 10.1.1
fn expects(fields: &mut HeaderMap, version: Version) -> bool {
    if !fields.contains_key(EXPECT) {
        return false;
    }
    let known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    let expects = version != Version::HTTP_10 && !fields.get_all(EXPECT).iter().all(known);
    if !expects {
        fields.remove(EXPECT);
    }
    expects
}

/// Drops the fields that only a proxy may say, and those with a `_` in their name: WSGI and CGI servers cannot tell
/// `X_User` from `X-User`. Whom a trusted proxy says the client to be (`X-Forwarded-User` and the like) stays.
///
/// An app that lets a POST say which method it is meant to be has to be told, and the rules look at it too; a read that is
/// taken for something else would be stored as what it is not.
///
/// Goes over the request's own few fields, since looking up every such name showed in the profile of a hit.
fn drop_forgeable(fields: &mut HeaderMap, peer_is_trusted: bool, safe: bool) {
    let gone = |name: &&HeaderName| {
        let said = (peer_is_trusted && is_credential(name)) || (!safe && is_overriding(name));
        name.as_str().contains('_') || (is_forgeable(name) && !said)
    };
    let gone: Vec<HeaderName> = fields.keys().filter(gone).cloned().collect();
    for name in gone {
        fields.remove(name);
    }
}

/// The client's side of a WebSocket, if that is what a request asks for, and nothing else beside it.
///
/// Source: RFC 9110 section 7.8, RFC 6455 section 4.2.1
fn upgrade(request: &mut Request<Incoming>) -> Option<OnUpgrade> {
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
