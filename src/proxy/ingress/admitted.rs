//! A request that may go on, and what the origin is told of its client.

use http::header::VIA;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use super::versions;
use crate::body::InterimSender;
use crate::handler::{Client, Share};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// A request that may go on: its hop-by-hop fields gone, its host and target settled.
#[derive(Debug)]
pub(in crate::proxy) struct Admitted {
    pub(in crate::proxy) method: Method,
    pub(in crate::proxy) target: PathAndQuery,
    pub(in crate::proxy) fields: HeaderMap,
    /// `None` where there is no body.
    pub(in crate::proxy) body: Option<Incoming>,
    pub(in crate::proxy) host: Option<HeaderValue>,
    pub(in crate::proxy) client: Client,
    /// The version of HTTP that it came in.
    pub(in crate::proxy) version: Version,
    /// Its connection, where it asks for a WebSocket.
    pub(in crate::proxy) upgrade: Option<OnUpgrade>,
    /// Where interim answers to it go.
    pub(in crate::proxy) interim: Option<InterimSender>,
    /// What its answer shares with others of its connection.
    pub(in crate::proxy) share: Option<Share>,
    /// Whether it expects something of which only the origin knows whether it can be done.
    pub(in crate::proxy) expects: bool,
}

impl Admitted {
    /// The same once more, without its body and its connection.
    pub(in crate::proxy) fn again(&self) -> Self {
        Self {
            method: self.method.clone(),
            target: self.target.clone(),
            fields: self.fields.clone(),
            body: None,
            host: self.host.clone(),
            client: self.client,
            version: self.version,
            upgrade: None,
            interim: self.interim.clone(),
            share: self.share.clone(),
            expects: self.expects,
        }
    }

    /// The same from nobody in particular: with these fields alone, and from no address.
    pub(in crate::proxy) fn as_nobody(&self, names: &[HeaderName]) -> Self {
        let mut request = Self { fields: HeaderMap::new(), interim: None, share: None, ..self.again() };
        request.client.address = None;
        for name in names {
            for value in self.fields.get_all(name) {
                request.fields.append(name, value.clone());
            }
        }
        request
    }

    /// The client's Host, empty where it sent none.
    pub(in crate::proxy) fn host_text(&self) -> &str {
        self.host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default()
    }

    /// The raw query, empty where there is none.
    pub(in crate::proxy) fn query(&self) -> &str {
        self.target.query().unwrap_or_default()
    }

    /// Whether it is to fail unless the origin's representation is the one that the client knows.
    pub(in crate::proxy) fn is_conditional_on_match(&self) -> bool {
        ["if-match", "if-unmodified-since"].iter().any(|name| self.fields.contains_key(*name))
    }

    /// The client's fields with the proxy's own forwarding fields, for a request that goes to the origin with this Host.
    ///
    /// The origin sees one address, the client's: whom the proxies in front of this one are is not its business, and
    /// whoever trusts one proxy would take the last one of a list.
    pub(in crate::proxy) fn forwarded_fields(&self, host: Option<&HeaderValue>) -> HeaderMap {
        self.with_forwarding(self.fields.clone(), host)
    }

    /// The same for a request of which nothing else is read any more: it gives its fields away.
    pub(in crate::proxy) fn into_forwarded_fields(mut self, host: Option<&HeaderValue>) -> HeaderMap {
        let fields = std::mem::take(&mut self.fields);
        self.with_forwarding(fields, host)
    }

    fn with_forwarding(&self, mut fields: HeaderMap, host: Option<&HeaderValue>) -> HeaderMap {
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
