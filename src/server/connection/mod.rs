//! One connection's way: the load balancer's header, TLS, and then HTTP/1.1 or HTTP/2 until it ends.

mod activity;
mod answer;
mod blocks;
#[cfg(fuzzing)]
pub mod fuzzing;
mod heads;
mod http1;
mod http2;
mod huffman;
mod proxy_header;
mod taking;
mod timers;
mod watched;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;

use super::tls::Certificate;
use super::{Http2, ServerSettings};
use crate::handler::{Client, Handler};
use activity::Activity;
use blocks::{Blocks, PREFACE};
use heads::Heads;
use timers::{Expired, Timers};
use watched::{Targets, Watched};

/// What every connection of a core works with.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) settings: Arc<ServerSettings>,
    pub(super) certificate: Option<Arc<Certificate>>,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) stopped: watch::Receiver<bool>,
}

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

impl Context {
    /// Serves one connection to its end. `place` is given back when its socket is closed.
    pub(super) async fn serve(mut self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        if let Err(error) = self.serve_stream(stream, peer, place).await {
            tracing::debug!(error, client = %peer.ip(), "a connection ended early");
        }
    }

    /// Each way that a connection may go is boxed: else every one would take as much memory as the largest of them.
    async fn serve_stream(
        &mut self,
        mut stream: TcpStream,
        peer: SocketAddr,
        place: OwnedSemaphorePermit,
    ) -> Result<(), Fault> {
        // A small answer must not wait for the client's acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let mut client = Client { address: Some(peer.ip()), secure: self.settings.secure };
        let limit = self.settings.header_timeout;
        if self.settings.proxy_protocol {
            let told = self.before_http(in_time(limit, proxy_header::read(&mut stream))).await?;
            client.address = told.address.or(client.address);
            client.secure |= told.secure;
        }
        let Some(certificate) = self.certificate.clone() else {
            let (protocol, ahead) = self.before_http(self.protocol(&mut stream)).await?;
            return Box::pin(self.speak(protocol, stream, ahead, client, place)).await;
        };
        client.secure = true;
        let stream = self.before_http(Box::pin(in_time(limit, shake(certificate, stream)))).await?;
        let chosen = stream.get_ref().1.alpn_protocol();
        let protocol = if chosen == Some(b"h2") { Protocol::Http2 } else { Protocol::Http1 };
        Box::pin(self.speak(protocol, stream, Bytes::new(), client, place)).await
    }

    /// What has to be done before HTTP begins. When the server stops there is a moment left for it, since a request may
    /// stand behind it.
    async fn before_http<T>(&self, doing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let mut stopped = self.stopped.clone();
        tokio::select! {
            biased;
            done = doing => done,
            () = async { stop(&mut stopped).await; sleep(self.settings.parting()).await } => {
                Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the server stopped before anything was asked"))
            }
        }
    }

    /// What a client without TLS speaks, and what of it was read to find out. A silent client is an idle one.
    async fn protocol(&self, stream: &mut TcpStream) -> io::Result<(Protocol, Bytes)> {
        let mut ahead = Vec::new();
        if self.settings.http2 != Http2::Always {
            return Ok((Protocol::Http1, ahead.into()));
        }
        in_time(self.settings.idle_timeout, stream.read_buf(&mut ahead)).await?;
        let limit = self.settings.header_timeout;
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
        &mut self,
        protocol: Protocol,
        stream: S,
        ahead: Bytes,
        client: Client,
        place: OwnedSemaphorePermit,
    ) -> Result<(), Fault> {
        let activity = Activity::new();
        let targets = match protocol {
            Protocol::Http1 => Targets::Heads(Heads::new()),
            Protocol::Http2 => Targets::Blocks(Blocks::new()),
        };
        let stream = Watched::new(stream, ahead, targets, Arc::clone(&activity), place);
        match protocol {
            Protocol::Http1 => Box::pin(http1::serve(stream, client, activity, self)).await?,
            Protocol::Http2 => Box::pin(http2::serve(stream, client, activity, self)).await?,
        }
        Ok(())
    }
}

/// How serving a connection came to its end.
enum End {
    /// By itself, or by a fault.
    Done(hyper::Result<()>),
    /// By a timer.
    Cut(Expired),
}

/// Serves until the end. An idle connection, and every one when the server stops, is asked to close first: `close` lets
/// requests under way end and takes no new ones. When the server stops, HTTP/1.1 waits a moment for a request that is on
/// its way, for only an answer can tell the client that it is the last.
async fn drive<C: Future<Output = hyper::Result<()>> + Unpin>(
    serving: &mut C,
    timers: &mut Timers,
    stopped: &mut watch::Receiver<bool>,
    close: impl Fn(&mut C),
) -> End {
    let closes = loop {
        tokio::select! {
            biased;
            // First, so that no answer that is sent after it has to do without `connection: close`.
            () = stop(stopped), if !timers.is_leaving() => {
                if !timers.leave() {
                    break None;
                }
            }
            ended = &mut *serving => return End::Done(ended),
            expired = timers.expired() => break Some(expired),
        }
    };
    if let Some(cut) = closes.filter(|expired| *expired != Expired::Idle) {
        return End::Cut(cut);
    }
    close(serving);
    timers.closing();
    tokio::select! {
        biased;
        ended = serving => End::Done(ended),
        expired = timers.expired() => End::Cut(expired),
    }
}

/// What a client hears that speaks plain HTTP where TLS is spoken.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n\
    content-length: 45\r\n\r\nThis port speaks TLS: ask it by https, please";

/// Shakes hands; a client that speaks plain HTTP is told so.
async fn shake(certificate: Arc<Certificate>, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let mut first = [0];
    // A handshake begins with 22, a request with a letter.
    if stream.peek(&mut first).await? > 0 && first.iter().all(u8::is_ascii_alphabetic) {
        stream.write_all(SPEAK_TLS).await?;
        // Unread bytes would have the connection reset, and the answer with it.
        let _ = stream.try_read(&mut [0; 4096]);
        stream.shutdown().await?;
        return Err(io::Error::new(io::ErrorKind::InvalidData, "plain HTTP where TLS is spoken"));
    }
    certificate.acceptor().accept(stream).await
}

/// The same, or an error when it takes too long.
async fn in_time<T>(limit: Duration, doing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, doing).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Returns when the server is told to stop.
pub(super) async fn stop(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stopped| *stopped).await);
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

    use super::*;
    use crate::body::Body;

    const IDLE: Duration = Duration::from_millis(100);

    fn settings() -> ServerSettings {
        ServerSettings { header_timeout: IDLE, idle_timeout: IDLE, write_stall: IDLE, ..crate::server::settings::any() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_quiet_once_nothing_of_its_last_request_can_be_left() {
        let activity = Activity::new();
        let settings = ServerSettings { idle_timeout: Duration::from_secs(60), ..settings() };
        let mut timers = Timers::new(Arc::clone(&activity), &settings, true);
        timers.tell_quiet(true);
        assert_eq!(timers.expired().await, Expired::Quiet);
        let request = activity.request();
        assert!(timeout(Duration::from_secs(600), timers.expired()).await.is_err(), "a request is under way");
        drop(request);
        assert_eq!(timers.expired().await, Expired::Quiet);
        activity.bodied(true);
        assert_eq!(timers.expired().await, Expired::Idle);
        activity.bodied(false);
        timers.tell_quiet(false);
        assert_eq!(timers.expired().await, Expired::Idle);
    }

    #[tokio::test]
    async fn what_is_given_back_is_read_again_and_first() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let place = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        let mut stream =
            Watched::new(accepted.unwrap().0, Bytes::new(), Targets::Heads(Heads::new()), Activity::new(), place);
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
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        let activity = Activity::new();
        let mut timers = Timers::new(Arc::clone(&activity), &settings(), true);
        let stream =
            Watched::new(accepted.unwrap().0, Bytes::new(), Targets::Heads(Heads::new()), Arc::clone(&activity), place);
        let service = service_fn(move |request| {
            let under_way = activity.request();
            async move { Ok::<_, Infallible>(echo(request).map(|body| under_way.answering(body))) }
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
