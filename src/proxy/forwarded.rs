//! What the origin is told of the client.

use http::header::VIA;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::ingress::Admitted;
use super::versions;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

impl Admitted {
    /// The client's fields with the proxy's own forwarding fields, for a request that goes to the origin with this Host.
    ///
    /// The origin sees one address, the client's: whom the proxies in front of this one are is not its business, and
    /// whoever trusts one proxy would take the last one of a list.
    pub(super) fn forwarded_fields(&self, host: Option<&HeaderValue>) -> HeaderMap {
        let mut fields = self.fields.clone();
        if let Some(value) = self.client.address.and_then(|address| HeaderValue::from_str(&address.to_string()).ok()) {
            fields.insert(X_FORWARDED_FOR, value);
        }
        fields.insert(X_FORWARDED_PROTO, self.client.scheme());
        if let Some(host) = host {
            fields.insert(X_FORWARDED_HOST, host.clone());
        }
        fields.append(VIA, versions::via(self.version));
        fields
    }
}
