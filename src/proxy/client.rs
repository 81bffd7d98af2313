//! Who asks: what the connection says of the client, as far as the proxy and the origin want to know.

use std::net::IpAddr;

use http::HeaderValue;

/// The client at the other end of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Its address; `None` where the proxy itself asks.
    pub address: Option<IpAddr>,
    /// Whether it came over TLS.
    pub secure: bool,
}

impl Client {
    /// The scheme it asked by: `http` or `https`.
    pub(super) fn scheme(self) -> HeaderValue {
        HeaderValue::from_static(if self.secure { "https" } else { "http" })
    }
}
