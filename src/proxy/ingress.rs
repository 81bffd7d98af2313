//! Is the request valid, and what kind is it? A message that two parsers could read differently goes no further.

mod framing;
mod host;
mod target;

use http::header::HOST;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use hyper::body::{Body as _, Incoming};

use super::error::Refusal;
use super::{Client, ProxySettings};
use crate::fields::{nominates_end_to_end, strip_hop_by_hop};
use framing::{count_hop, settle};
use host::host;
use target::target;

pub(super) use framing::Content;

/// A request that may go on: its hop-by-hop fields gone, its host and target settled.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) method: Method,
    pub(super) target: PathAndQuery,
    pub(super) fields: HeaderMap,
    /// `None` where there is no body.
    pub(super) body: Option<Incoming>,
    pub(super) host: Option<HeaderValue>,
    pub(super) client: Client,
}

/// Fields by which a client could tell the origin something in the proxy's name, or another method or path.
const FORGEABLE: [&str; 28] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-server",
    "x-forwarded-scheme",
    "x-forwarded-ssl",
    "x-real-ip",
    "x-forwarded-protocol",
    "x-forwarded-uri",
    "x-forwarded-path",
    "x-forwarded-by",
    "x-client-ip",
    "x-cluster-client-ip",
    "client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-original-uri",
    "x-original-url",
    "x-original-host",
    "x-rewrite-url",
    "x-host",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "surrogate-capability",
];

/// A request's head, once it can be read in one way only.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) target: PathAndQuery,
    pub(super) fields: HeaderMap,
    pub(super) host: Option<HeaderValue>,
}

/// Admits a request or says why not.
pub(super) fn admit(request: Request<Incoming>, settings: &ProxySettings, client: Client) -> Result<Admitted, Refusal> {
    let (head, body) = request.into_parts();
    let content = match (body.is_end_stream(), body.size_hint().exact()) {
        (true, _) => Content::None,
        (false, Some(length)) => Content::Length(length),
        (false, None) => Content::Unknown,
    };
    let Head { method, target, fields, host } = read(head, content, settings)?;
    let body = (content != Content::None).then_some(body);
    Ok(Admitted { method, target, fields, body, host, client })
}

/// The one validator of request heads: a function of the head, of what comes after it, and of the limits.
pub(super) fn read(head: Parts, content: Content, settings: &ProxySettings) -> Result<Head, Refusal> {
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
    let target = target(&uri, &method)?;
    if target.as_str().len() > settings.max_target {
        return Err(Refusal::TargetTooLong(settings.max_target));
    }
    count_hop(&method, &mut fields)?;
    strip_hop_by_hop(&mut fields);
    drop_untrusted(&mut fields);
    fields.remove(HOST);
    Ok(Head { method, target, fields, host })
}

/// Drops the forgeable fields, and those with a `_` in their name: WSGI and CGI servers cannot tell `X_User` from `X-User`.
///
/// Goes over the request's own few fields, since looking up every forgeable name showed in the profile of a hit.
fn drop_untrusted(fields: &mut HeaderMap) {
    let untrusted = |name: &&HeaderName| name.as_str().contains('_') || FORGEABLE.contains(&name.as_str());
    let untrusted: Vec<HeaderName> = fields.keys().filter(untrusted).cloned().collect();
    for name in untrusted {
        fields.remove(name);
    }
}

impl Admitted {
    /// The client's Host, empty where it sent none.
    pub(super) fn host_text(&self) -> &str {
        self.host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default()
    }

    /// The raw query, empty where there is none.
    pub(super) fn query(&self) -> &str {
        self.target.query().unwrap_or_default()
    }

    /// Whether it asks for a part, or sets conditions that only the origin can judge.
    pub(super) fn is_partial_or_conditional(&self) -> bool {
        self.is_conditional_on_match() || ["range", "if-range"].iter().any(|name| self.fields.contains_key(*name))
    }

    /// Whether it is to fail unless the origin's representation is the one that the client knows.
    pub(super) fn is_conditional_on_match(&self) -> bool {
        ["if-match", "if-unmodified-since"].iter().any(|name| self.fields.contains_key(*name))
    }

    /// The client's fields with the proxy's own forwarding fields: for requests that pass through.
    pub(super) fn forwarded_fields(&self) -> HeaderMap {
        let mut fields = self.fields.clone();
        if let Some(value) = self.client.address.and_then(|address| HeaderValue::from_str(&address.to_string()).ok()) {
            fields.insert("x-forwarded-for", value);
        }
        fields.insert("x-forwarded-proto", self.client.scheme());
        if let Some(host) = &self.host {
            fields.insert("x-forwarded-host", host.clone());
        }
        fields.append(http::header::VIA, HeaderValue::from_static("1.1 aside"));
        fields
    }
}
