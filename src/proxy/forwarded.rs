//! What the origin is told of the client, and what a client may not tell it in the proxy's name.

use http::header::VIA;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::ingress::Admitted;
use super::versions;
use crate::policy::{is_credential, is_forgeable};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Drops the fields that only a proxy may say, and those with a `_` in their name: WSGI and CGI servers cannot tell
/// `X_User` from `X-User`. Whom a trusted proxy says the client to be (`X-Forwarded-User` and the like) stays.
///
/// Goes over the request's own few fields, since looking up every such name showed in the profile of a hit.
pub(super) fn drop_forgeable(fields: &mut HeaderMap, peer_is_trusted: bool) {
    let gone = |name: &&HeaderName| {
        name.as_str().contains('_') || (is_forgeable(name) && !(peer_is_trusted && is_credential(name)))
    };
    let gone: Vec<HeaderName> = fields.keys().filter(gone).cloned().collect();
    for name in gone {
        fields.remove(name);
    }
}

impl Admitted {
    /// The client's fields with the proxy's own forwarding fields: for requests that pass through.
    ///
    /// The origin sees one address, the client's: whom the proxies in front of this one are is not its business, and
    /// whoever trusts one proxy would take the last one of a list.
    pub(super) fn forwarded_fields(&self) -> HeaderMap {
        let mut fields = self.fields.clone();
        if let Some(value) = self.client.address.and_then(|address| HeaderValue::from_str(&address.to_string()).ok()) {
            fields.insert(X_FORWARDED_FOR, value);
        }
        fields.insert(X_FORWARDED_PROTO, self.client.scheme());
        if let Some(host) = &self.host {
            fields.insert(X_FORWARDED_HOST, host.clone());
        }
        fields.append(VIA, versions::via(self.version));
        fields
    }
}
