//! Opens connections to the origin: TCP, and TLS where its scheme is https, within one limit of time.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::{self, Authority, PathAndQuery};
use hyper_rustls::{
    DefaultServerNameResolver, FixedServerNameResolver, HttpsConnector, MaybeHttpsStream, ResolveServerName,
};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

use super::settings::OriginSettings;
use crate::body::cause;
use crate::tls;

/// A connection.
pub(super) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// The connector of one core.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    /// Opens connections without TLS, whatever the scheme.
    plain: HttpConnector,
    scheme: Scheme,
    limit: Duration,
}

#[derive(Clone, Debug)]
enum Scheme {
    Http(HttpConnector),
    Https(HttpsConnector<HttpConnector>),
}

impl Connector {
    pub(super) fn new(settings: &OriginSettings) -> Self {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(settings.connect_timeout));
        http.set_nodelay(true);
        http.enforce_http(settings.tls.is_none());
        let plain = http.clone();
        let scheme = match &settings.tls {
            None => Scheme::Http(http),
            Some(tls) => {
                let names: Arc<dyn ResolveServerName + Send + Sync> = match tls.name() {
                    Some(name) => Arc::new(FixedServerNameResolver::new(name.clone())),
                    None => Arc::new(DefaultServerNameResolver::default()),
                };
                Scheme::Https(HttpsConnector::new(http, tls.client(), true, names))
            }
        };
        Self { plain, scheme, limit: settings.connect_timeout }
    }

    /// A connection to that host and port; or in words why there is none.
    pub(super) async fn connect(&self, authority: &Authority) -> Result<Stream, String> {
        let late = |_| format!("no connection within {:?}", self.limit);
        timeout(self.limit, self.open(authority)).await.map_err(late)?.map_err(|error| {
            let error: &(dyn StdError + 'static) = &*error;
            tls::explain(error, "[origin.tls]").unwrap_or_else(|| cause(error))
        })
    }

    /// Opens a connection to that host and port, without TLS, and closes it; or says in words why there is none.
    pub(super) async fn reach(&self, authority: &Authority) -> Result<(), String> {
        let late = |_| format!("no connection within {:?}", self.limit);
        let scheme = if matches!(self.scheme, Scheme::Http(_)) { uri::Scheme::HTTP } else { uri::Scheme::HTTPS };
        let uri = uri_of(scheme, authority).map_err(|error| error.to_string())?;
        timeout(self.limit, self.plain.clone().call(uri)).await.map_err(late)?.map(drop).map_err(|error| cause(&error))
    }

    async fn open(&self, authority: &Authority) -> Result<Stream, Box<dyn StdError + Send + Sync>> {
        let uri = |scheme| uri_of(scheme, authority);
        match &self.scheme {
            Scheme::Http(http) => Ok(MaybeHttpsStream::Http(http.clone().call(uri(uri::Scheme::HTTP)?).await?)),
            Scheme::Https(https) => https.clone().call(uri(uri::Scheme::HTTPS)?).await,
        }
    }
}

fn uri_of(scheme: uri::Scheme, authority: &Authority) -> Result<Uri, http::Error> {
    let path = PathAndQuery::from_static("/");
    Uri::builder().scheme(scheme).authority(authority.clone()).path_and_query(path).build()
}
