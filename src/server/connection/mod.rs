//! One connection's way: the load balancer's header, TLS, and then HTTP/1.1 or HTTP/2 until it ends.

mod activity;
mod answer;
mod blocks;
mod drive;
mod heads;
mod http1;
mod http2;
mod monitored;
mod proxy_header;
mod timers;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;

use super::settings::Http2;
use super::socket::Accepted;
use super::tls::Certificate;
use crate::handler::Client;
use crate::telemetry::Refused;
pub(super) use activity::Activity;
pub(super) use drive::{Context, stop};

use blocks::{Blocks, PREFACE};
use heads::Heads;
use monitored::{MonitoredIo, Targets};

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// What is noted of a connection, and its place among the open ones.
type Standing = (Arc<Activity>, OwnedSemaphorePermit);

/// Serves one connection to its end. `permit` is given back when its socket is closed.
pub(super) async fn serve(
    mut context: Context,
    accepted: Accepted,
    activity: Arc<Activity>,
    permit: OwnedSemaphorePermit,
) {
    let standing = (activity, permit);
    let (served, client) = match accepted {
        Accepted::Tcp(stream, peer) => (serve_stream(&mut context, stream, peer, standing).await, Some(peer.ip())),
        Accepted::Unix(stream) => (Box::pin(serve_unix(&mut context, stream, standing)).await, None),
    };
    if let Err(error) = served {
        tracing::debug!(error, client = client.map(tracing::field::display), "a connection ended early");
    }
}

/// A unix socket has neither TLS nor a load balancer in front of it.
async fn serve_unix(context: &mut Context, mut stream: UnixStream, standing: Standing) -> Result<(), Fault> {
    let client = Client { secure: context.settings.secure, ..Client::default() };
    let (protocol, ahead) = before_http(context, protocol(context, &mut stream)).await?;
    Box::pin(speak(context, protocol, stream, ahead, client, standing)).await
}

/// Each way that a connection may go is boxed: else every one would take as much memory as the largest of them.
async fn serve_stream(
    context: &mut Context,
    mut stream: TcpStream,
    peer: SocketAddr,
    standing: Standing,
) -> Result<(), Fault> {
    // A small answer must not wait for the client's acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let mut client = Client { address: Some(peer.ip()), is_named: true, secure: context.settings.secure };
    let limit = context.settings.header_timeout;
    if context.settings.proxy_protocol {
        let told = before_http(context, in_time(limit, proxy_header::read(&mut stream))).await;
        let told = told.inspect_err(|error| unread(context, error, Refused::ProxyHeader, client))?;
        client.is_named = told.address.is_some();
        client.address = told.address.or(client.address);
        client.secure |= told.secure;
    }
    let Some(certificate) = context.certificate.clone() else {
        let (protocol, ahead) = before_http(context, protocol(context, &mut stream)).await?;
        return Box::pin(speak(context, protocol, stream, ahead, client, standing)).await;
    };
    client.secure = true;
    let stream = before_http(context, Box::pin(in_time(limit, shake(certificate, stream)))).await;
    let stream = stream.inspect_err(|error| {
        let is_plain = error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<PlainHttp>);
        unread(context, error, if is_plain { Refused::PlainHttp } else { Refused::Tls }, client);
    })?;
    let chosen = stream.get_ref().1.alpn_protocol();
    let protocol = if chosen == Some(b"h2") { Protocol::Http2 } else { Protocol::Http1 };
    Box::pin(speak(context, protocol, stream, Bytes::new(), client, standing)).await
}

/// What a client has sent before HTTP began could not be read; one that left, or was silent, has sent nothing wrong.
fn unread(context: &Context, error: &io::Error, why: Refused, client: Client) {
    if error.kind() == io::ErrorKind::InvalidData {
        context.refused(why, client.address);
    }
}

/// What has to be done before HTTP begins. When the server stops there is a moment left for it, since a request may
/// stand behind it.
async fn before_http<T>(context: &Context, doing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let mut stopped = context.stopped.clone();
    tokio::select! {
        biased;
        done = doing => done,
        () = async { stop(&mut stopped).await; sleep(context.settings.late_wait()).await } => {
            Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the server stopped before anything was asked"))
        }
    }
}

/// What a client without TLS speaks, and what of it was read to find out. A silent client is an idle one.
async fn protocol(context: &Context, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Protocol, Bytes)> {
    let mut ahead = Vec::new();
    if context.settings.http2 != Http2::Always {
        return Ok((Protocol::Http1, ahead.into()));
    }
    in_time(context.settings.idle_timeout, stream.read_buf(&mut ahead)).await?;
    let limit = context.settings.header_timeout;
    in_time(limit, async {
        let begins = |ahead: &[u8]| ahead.len() < PREFACE.len() && PREFACE.starts_with(ahead);
        while begins(&ahead) && stream.read_buf(&mut ahead).await? > 0 {}
        Ok(())
    })
    .await?;
    let protocol = if ahead.starts_with(PREFACE) { Protocol::Http2 } else { Protocol::Http1 };
    Ok((protocol, ahead.into()))
}

async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    context: &mut Context,
    protocol: Protocol,
    stream: S,
    ahead: Bytes,
    client: Client,
    (activity, permit): Standing,
) -> Result<(), Fault> {
    activity.asks_nothing();
    let targets = match protocol {
        Protocol::Http1 => Targets::Heads(Heads::new()),
        Protocol::Http2 => Targets::Blocks(Blocks::new()),
    };
    let stream = MonitoredIo::new(stream, ahead, targets, Arc::clone(&activity), permit);
    match protocol {
        Protocol::Http1 => Box::pin(http1::serve(stream, client, activity, context)).await?,
        Protocol::Http2 => Box::pin(http2::serve(stream, client, activity, context)).await?,
    }
    Ok(())
}

/// What a client hears that speaks plain HTTP where TLS is spoken.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n\
    content-length: 45\r\n\r\nThis port speaks TLS: ask it by https, please";

/// A client speaks plain HTTP where TLS is spoken.
#[derive(Debug)]
struct PlainHttp;

impl fmt::Display for PlainHttp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("plain HTTP where TLS is spoken")
    }
}

impl std::error::Error for PlainHttp {}

/// Shakes hands; a client that speaks plain HTTP is told so.
async fn shake(certificate: Arc<Certificate>, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let mut first = [0];
    // A handshake begins with 22, a request with a letter.
    if stream.peek(&mut first).await? > 0 && first.iter().all(u8::is_ascii_alphabetic) {
        stream.write_all(SPEAK_TLS).await?;
        // Unread bytes would have the connection reset, and the answer with it.
        let _ = stream.try_read(&mut [0; 4096]);
        stream.shutdown().await?;
        return Err(io::Error::new(io::ErrorKind::InvalidData, PlainHttp));
    }
    certificate.acceptor().accept(stream).await
}

/// The same, or an error when it takes too long.
async fn in_time<T>(limit: Duration, doing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, doing).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// What the fuzz targets reach of a connection's first bytes and of its requests' targets. In no other build.
#[cfg(fuzzing)]
pub mod fuzzing {
    use std::net::IpAddr;

    use futures_util::FutureExt as _;

    use super::blocks::Blocks;
    use super::heads::Heads;
    use super::proxy_header::{Told, read};

    /// What a load balancer's header tells, an address and whether the client came over TLS, and what is left behind it;
    /// `None` where it is refused.
    pub fn balancer(mut bytes: &[u8]) -> Option<(Option<IpAddr>, bool, &[u8])> {
        let Told { address, secure } = read(&mut bytes).now_or_never()?.ok()?;
        Some((address, secure, bytes))
    }

    /// What goes on of HTTP/1.1 that comes in pieces of so many bytes.
    pub fn heads(bytes: &mut [u8], piece: usize) {
        let mut heads = Heads::new();
        bytes.chunks_mut(piece.max(1)).for_each(|piece| heads.take(piece));
    }

    /// The same of HTTP/2.
    pub fn blocks(bytes: &mut [u8], piece: usize) {
        let mut blocks = Blocks::new();
        bytes.chunks_mut(piece.max(1)).for_each(|piece| blocks.take(piece));
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;

    use hyper::service::service_fn;
    use hyper::{Request, Response, StatusCode};
    use hyper_util::rt::TokioIo;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;
    use tokio::sync::Semaphore;

    use super::answer::AnswerBody;
    use super::drive::{End, drive};
    use super::timers::{Expired, Timers};
    use super::*;
    use crate::body::Body;
    use crate::server::settings::{ServerSettings, any};
    use tokio::sync::watch;

    const IDLE: Duration = Duration::from_millis(100);

    fn settings() -> ServerSettings {
        ServerSettings { header_timeout: IDLE, idle_timeout: IDLE, write_stall: IDLE, ..any() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_quiet_once_nothing_of_its_last_request_can_be_left() {
        let activity = Activity::new();
        let settings = ServerSettings { idle_timeout: Duration::from_secs(60), ..settings() };
        let mut timers = Timers::new(Arc::clone(&activity), &settings, true);
        timers.report_quiet(true);
        assert_eq!(timers.expired().await, Expired::Quiet);
        let request = activity.request();
        assert!(timeout(Duration::from_secs(600), timers.expired()).await.is_err(), "a request is under way");
        drop(request);
        assert_eq!(timers.expired().await, Expired::Quiet);
        activity.note_body(true);
        assert_eq!(timers.expired().await, Expired::Idle);
        activity.note_body(false);
        timers.report_quiet(false);
        assert_eq!(timers.expired().await, Expired::Idle);
    }

    #[tokio::test]
    async fn what_is_given_back_is_read_again_and_first() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let place = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        let mut stream =
            MonitoredIo::new(accepted.unwrap().0, Bytes::new(), Targets::Heads(Heads::new()), Activity::new(), place);
        let mut client = client.unwrap();
        client.write_all(b"three").await.unwrap();
        assert!(stream.arrives().await.unwrap());
        stream.give_back(Bytes::from_static(b"two, "));
        stream.give_back(Bytes::new());
        stream.give_back(Bytes::from_static(b"one, "));
        assert!(stream.arrives().await.unwrap());
        drop(client);
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "one, two, three");
        assert!(!stream.arrives().await.unwrap());
    }

    /// Accepts an upgrade and sends back what comes.
    fn echo(mut request: Request<hyper::body::Incoming>) -> Response<Body> {
        tokio::spawn(async move {
            let upgraded = hyper::upgrade::on(&mut request).await.unwrap();
            let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
            tokio::io::copy(&mut read, &mut write).await.unwrap();
        });
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert("connection", http::HeaderValue::from_static("upgrade"));
        response.headers_mut().insert("upgrade", http::HeaderValue::from_static("echo"));
        response
    }

    #[tokio::test]
    async fn an_upgraded_connection_is_never_idle_and_keeps_its_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let places = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&places).acquire_owned().await.unwrap();
        let activity = Activity::new();
        let mut timers = Timers::new(Arc::clone(&activity), &settings(), true);
        let stream = MonitoredIo::new(
            accepted.unwrap().0,
            Bytes::new(),
            Targets::Heads(Heads::new()),
            Arc::clone(&activity),
            permit,
        );
        let service = service_fn(move |request| {
            let under_way = activity.request();
            async move { Ok::<_, Infallible>(echo(request).map(|body| AnswerBody::of(under_way, body))) }
        });
        let mut serving =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
        let (_stop, mut stopped) = watch::channel(false);
        let mut client = client.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n").await.unwrap();
        let ended =
            drive(&mut serving, &mut timers, &mut stopped, |serving| Pin::new(serving).graceful_shutdown()).await;
        assert!(matches!(ended, End::Done(Ok(()))));
        drop(serving);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        for _ in 0..3 {
            sleep(IDLE * 2).await;
            client.write_all(b"ping").await.unwrap();
            let mut back = [0; 4];
            client.read_exact(&mut back).await.unwrap();
            assert_eq!(&back, b"ping");
        }
        assert_eq!(places.available_permits(), 0);
        drop(client);
        timeout(Duration::from_secs(10), places.acquire()).await.expect("the place is given back").unwrap().forget();
    }
}
