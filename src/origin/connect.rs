//! Opens connections to the origin: TCP, and TLS where its scheme is https, within one limit of time.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{
    DefaultServerNameResolver, FixedServerNameResolver, HttpsConnector, MaybeHttpsStream, ResolveServerName,
};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

use super::settings::OriginSettings;

/// The connector of one core.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    scheme: Scheme,
    limit: Duration,
}

#[derive(Clone, Debug)]
enum Scheme {
    Http(HttpConnector),
    Https(HttpsConnector<HttpConnector>),
}

type Error = Box<dyn std::error::Error + Send + Sync>;

impl Connector {
    pub(super) fn new(settings: &OriginSettings) -> Self {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(settings.connect_timeout));
        http.set_nodelay(true);
        http.enforce_http(settings.tls.is_none());
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
        Self { scheme, limit: settings.connect_timeout }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match &mut self.scheme {
            Scheme::Http(http) => http.poll_ready(context).map_err(Into::into),
            Scheme::Https(https) => https.poll_ready(context),
        }
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let limit = self.limit;
        let late = move |_| io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {limit:?}"));
        match &mut self.scheme {
            Scheme::Http(http) => {
                let connecting = timeout(limit, http.call(uri));
                Box::pin(async move { Ok(MaybeHttpsStream::Http(connecting.await.map_err(late)??)) })
            }
            Scheme::Https(https) => {
                let connecting = timeout(limit, https.call(uri));
                Box::pin(async move { connecting.await.map_err(late)? })
            }
        }
    }
}
