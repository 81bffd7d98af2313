//! Certificates of the tests' own, and a client that speaks TLS.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::client::Answer;

/// A certificate for `localhost` with its key, in two files.
pub struct Certificate {
    pub folder: tempfile::TempDir,
    pub der: CertificateDer<'static>,
}

impl Certificate {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let der = write_pair(folder.path());
        Self { folder, der }
    }

    /// Puts another one in its place; what comes back is that.
    pub fn replace(&self) -> CertificateDer<'static> {
        write_pair(self.folder.path())
    }

    /// The `[tls]` table that names it.
    pub fn table(&self) -> String {
        let folder = self.folder.path().display();
        format!("[tls]\ncert = \"{folder}/cert.pem\"\nkey = \"{folder}/key.pem\"\n")
    }
}

fn write_pair(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    made.cert.der().clone()
}

/// Shakes hands with a server, trusting one certificate.
pub async fn connect(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    over(TcpStream::connect(address).await.unwrap(), trusted, protocols).await
}

/// The same over a connection that is open.
pub async fn over(
    stream: TcpStream,
    trusted: &CertificateDer<'static>,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// Sends bytes as they are and returns all that comes back until the server closes.
pub async fn raw<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    let mut text = Vec::new();
    let reading = tokio::time::timeout(std::time::Duration::from_secs(10), stream.read_to_end(&mut text));
    let _ = reading.await.expect("the server closes");
    String::from_utf8_lossy(&text).into_owned()
}

/// A client of HTTP/2 on one connection.
#[derive(Clone)]
pub struct H2(pub http2::SendRequest<Full<Bytes>>);

impl H2 {
    /// Begins on a connection. What comes second ends with the connection.
    pub async fn on<S>(stream: S) -> (Self, tokio::task::JoinHandle<hyper::Result<()>>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        let (sending, connection) =
            builder.max_header_list_size(1 << 20).handshake(TokioIo::new(stream)).await.unwrap();
        (Self(sending), tokio::spawn(connection))
    }

    /// Begins without TLS.
    pub async fn to(address: SocketAddr) -> (Self, tokio::task::JoinHandle<hyper::Result<()>>) {
        Self::on(TcpStream::connect(address).await.unwrap()).await
    }

    /// The same with a window of so many bytes for each answer that is not read.
    pub async fn with_window(address: SocketAddr, bytes: u32) -> Self {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let mut client = http2::Builder::new(TokioExecutor::new());
        let (sending, connection) = client.initial_stream_window_size(bytes).handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self(sending)
    }

    /// Sends a request; what comes back has its body yet to come.
    pub async fn begin(
        &self,
        method: &str,
        uri: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> hyper::Result<Response<hyper::body::Incoming>> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut sending = self.0.clone();
        sending.ready().await?;
        sending.send_request(request.body(Full::from(body.to_owned())).unwrap()).await
    }

    pub async fn try_send(
        &self,
        method: &str,
        uri: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> hyper::Result<Answer> {
        let (head, body) = self.begin(method, uri, fields, body).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: head.status.as_u16(), fields: head.headers, body })
    }

    pub async fn get(&self, uri: &str) -> Answer {
        self.try_send("GET", uri, &[], "").await.unwrap_or_else(|error| panic!("GET {uri}: {error:?}"))
    }
}
