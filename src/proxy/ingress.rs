//! Is the request valid, and what kind is it? A message that two parsers could read differently goes no further.

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;

use super::error::Refusal;
use super::{Client, ProxySettings, tunnel};
use crate::fields::{nominates_end_to_end, strip_hop_by_hop};

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
    /// Its connection, where it asks for a WebSocket.
    pub(super) upgrade: Option<OnUpgrade>,
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

/// Admits a request or says why not.
pub(super) fn admit(
    mut request: Request<Incoming>,
    settings: &ProxySettings,
    client: Client,
) -> Result<Admitted, Refusal> {
    let upgrade = tunnel::asked(&mut request);
    let (head, body) = request.into_parts();
    let mut fields = head.headers;
    if matches!(head.method, Method::CONNECT | Method::TRACE) {
        return Err(Refusal::MethodNotAllowed);
    }
    if head.method.as_str().len() > 32 {
        return Err(Refusal::BadRequest("The method is longer than 32 bytes."));
    }
    lone_chunked(&fields)?;
    if nominates_end_to_end(&fields).is_some() {
        return Err(Refusal::BadRequest("Connection names a field that is not hop-by-hop."));
    }
    let host = host(&head.uri, &fields, head.version)?;
    let target = target(&head.uri, &head.method)?;
    if target.as_str().len() > settings.max_target {
        return Err(Refusal::TargetTooLong(settings.max_target));
    }
    strip_hop_by_hop(&mut fields);
    drop_untrusted(&mut fields);
    fields.remove(HOST);
    let body = (!body.is_end_stream()).then_some(body);
    // As parsed, so that `0005` and `5` do not mean different things further on.
    if let (true, Some(length)) =
        (fields.contains_key(CONTENT_LENGTH), body.as_ref().and_then(|body| body.size_hint().exact()))
    {
        fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if let (Some(limit), Some(size)) =
        (settings.max_request_body, body.as_ref().and_then(|body| body.size_hint().exact()))
        && size > limit
    {
        return Err(Refusal::BodyTooLarge(limit));
    }
    Ok(Admitted { method: head.method, target, fields, body, host, client, upgrade })
}

fn lone_chunked(fields: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = fields.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if only.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refusal::UnknownCoding),
    }
}

fn host(uri: &http::Uri, fields: &HeaderMap, version: Version) -> Result<Option<HeaderValue>, Refusal> {
    let mut hosts = fields.get_all(HOST).iter();
    let given = hosts.next();
    if hosts.next().is_some() {
        return Err(Refusal::BadRequest("There is more than one Host field."));
    }
    if given.is_none() && version != Version::HTTP_10 && uri.authority().is_none() {
        return Err(Refusal::BadRequest("The Host field is missing."));
    }
    let malformed = || Refusal::BadRequest("The Host is malformed.");
    if let Some(authority) = uri.authority() {
        if authority.as_str().contains('@') {
            return Err(malformed());
        }
        return HeaderValue::from_str(authority.as_str()).map(Some).map_err(|_| malformed());
    }
    let Some(given) = given else { return Ok(None) };
    let text = given.to_str().map_err(|_| malformed())?;
    let authority: http::uri::Authority = text.parse().map_err(|_| malformed())?;
    if text.contains('@') || authority.host().is_empty() {
        return Err(malformed());
    }
    Ok(Some(given.clone()))
}

fn target(uri: &http::Uri, method: &Method) -> Result<PathAndQuery, Refusal> {
    if uri.scheme_str().is_some_and(|scheme| scheme != "http" && scheme != "https") {
        return Err(Refusal::BadRequest("The request target has a scheme other than http."));
    }
    match uri.path_and_query() {
        Some(target) if target.as_str() == "*" && method == Method::OPTIONS => Ok(target.clone()),
        Some(target) if target.as_str().starts_with('/') => Ok(target.clone()),
        // An absolute form without a path, as in `GET http://host?x`: printing it puts the `/` in.
        Some(target) if uri.authority().is_some() => {
            target.to_string().parse().map_err(|_| Refusal::BadRequest("The request target is malformed."))
        }
        None if uri.authority().is_some() && uri.scheme().is_some() => Ok(PathAndQuery::from_static("/")),
        _ => Err(Refusal::BadRequest("The request target does not start with `/`.")),
    }
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
