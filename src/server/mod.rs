//! Listeners, cores, limits, shutdown.
//!
//! Each core has a thread, a current-thread runtime, listeners of its own on the same ports (`SO_REUSEPORT`), and a handler
//! of its own, which answers what is asked there. What that is, nobody here knows. A unix socket is the first core's alone.

mod accept;
mod connection;
mod control;
mod files;
mod listen;
mod open;
mod settings;
mod socket;
mod tls;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::handler::Handlers;
use crate::telemetry::RefusedConnections;
use control::Places;
use listen::SocketFile;
use socket::Listener;
use tls::Certificate;

#[cfg(fuzzing)]
pub use connection::fuzzing;
pub use control::ServerControl;
pub use listen::BindError;
pub use settings::{Http2, ServerSettings};
pub use tls::{TlsError, TlsSettings};

/// A server whose sockets are open, not serving yet.
#[derive(Debug)]
pub struct Server {
    settings: ServerSettings,
    /// For each core its listeners.
    listeners: Vec<Vec<Listener>>,
    addresses: Vec<SocketAddr>,
    files: Vec<SocketFile>,
    certificate: Option<Arc<Certificate>>,
    refused: Option<Arc<RefusedConnections>>,
}

/// A server at work.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    control: ServerControl,
    stop: watch::Sender<bool>,
    cores: Vec<JoinHandle<()>>,
    /// Removed when it has stopped.
    _files: Vec<SocketFile>,
}

/// Why a server cannot be set up.
#[derive(Debug)]
pub enum SetupError {
    /// An address cannot be listened on.
    Bind(BindError),
    /// The certificate cannot be used.
    Tls(TlsError),
}

impl fmt::Display for SetupError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(error) => error.fmt(out),
            Self::Tls(error) => error.fmt(out),
        }
    }
}

impl SetupError {
    /// Whether somebody else listens there.
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Bind(error) if error.is_taken())
    }
}

impl std::error::Error for SetupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind(error) => error.source(),
            Self::Tls(error) => error.source(),
        }
    }
}

impl Server {
    /// Reads the certificate and opens every listening socket, or none.
    pub fn bind(settings: ServerSettings) -> Result<Self, SetupError> {
        let http2 = settings.http2 != Http2::Off;
        let certificate = settings.tls.clone().map(|tls| Certificate::new(tls, http2).map(Arc::new));
        let certificate = certificate.transpose().map_err(SetupError::Tls)?;
        let mut server = Self {
            listeners: (0..settings.cores).map(|_| Vec::new()).collect(),
            addresses: Vec::new(),
            files: Vec::new(),
            certificate,
            refused: None,
            settings,
        };
        server.listen().map_err(SetupError::Bind)?;
        Ok(server)
    }

    /// The same, which counts and tells of connections that no request comes of.
    #[must_use]
    pub fn counting(self, refused: Arc<RefusedConnections>) -> Self {
        Self { refused: Some(refused), ..self }
    }

    /// Opens the listeners, for each core its own, and notes the addresses, each with its port.
    fn listen(&mut self) -> Result<(), BindError> {
        for wanted in &self.settings.listen {
            let mut address = *wanted;
            listen::claim(address)?;
            for core in &mut self.listeners {
                let listener = listen::open(address)?;
                // Port 0 is chosen by the kernel for the first core; the others join it.
                address = listener.local_addr().map_err(|cause| BindError::new(address, cause))?;
                core.push(Listener::Tcp(listener));
            }
            self.addresses.push(address);
        }
        for path in &self.settings.unix {
            let (listener, file) = listen::open_unix(path)?;
            if let Some(core) = self.listeners.first_mut() {
                core.push(Listener::Unix(listener));
            }
            self.files.push(file);
        }
        Ok(())
    }

    /// The addresses it listens on, with the ports that the kernel chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Starts serving, one thread a core, each with a handler of its own.
    pub fn start(self, handlers: &impl Handlers) -> io::Result<Running> {
        let (stop, stopped) = watch::channel(false);
        let places = files::connections(self.settings.max_connections, handlers.max_files());
        let threads = if self.settings.threads.is_empty() { "core" } else { self.settings.threads };
        let control = ServerControl {
            settings: Arc::new(ArcSwap::from_pointee(self.settings)),
            certificate: self.certificate.clone(),
            places: Arc::new(Places::new(places)),
            beats: ServerControl::beats(self.listeners.len()),
        };
        let shortage = Arc::default();
        let stack = handlers.stack_bytes(self.listeners.len());
        let mut cores = Vec::new();
        for (index, listeners) in self.listeners.into_iter().enumerate() {
            let core = accept::Core {
                listeners,
                settings: Arc::clone(&control.settings),
                certificate: self.certificate.clone(),
                connections: Arc::clone(&control.places.free),
                shortage: Arc::clone(&shortage),
                refused: self.refused.clone(),
                stopped: stopped.clone(),
            };
            // One look at the files is enough for all cores.
            let follow = self.certificate.clone().filter(|_| index == 0).map(|it| it.follow(stopped.clone()));
            let beat = ServerControl::beat(Arc::clone(&control.beats), index);
            let handlers = handlers.clone();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let thread = std::thread::Builder::new().name(format!("{threads}-{index}"));
            let thread = stack.into_iter().fold(thread, std::thread::Builder::stack_size).spawn(move || {
                runtime.block_on(async move {
                    follow.map(tokio::spawn);
                    tokio::spawn(beat);
                    core.serve(handlers.attach()).await;
                });
            })?;
            cores.push(thread);
        }
        Ok(Running { addresses: self.addresses, control, stop, cores, _files: self.files })
    }
}

impl Running {
    /// The addresses it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether TLS is spoken there.
    pub fn is_secure(&self) -> bool {
        self.control.certificate.is_some()
    }

    /// What it is steered by while it runs.
    pub fn control(&self) -> ServerControl {
        self.control.clone()
    }

    /// Stops accepting, and waits for nobody.
    pub fn close(&self) {
        self.stop.send_replace(true);
    }

    /// Stops accepting, lets requests under way end within the shutdown timeout, and returns when all cores are done.
    pub fn stop(self) {
        self.close();
        for core in self.cores {
            if core.join().is_err() {
                tracing::error!("a core ended with a panic; this is a bug in aside");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use std::time::Duration;

    use http::{HeaderValue, Request, Response};
    use hyper::body::Incoming;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::body::Body;
    use crate::handler::{Client, Exchange, Handled, Handler, Later};

    /// Says who asked for what, at once or a moment later: nothing that proxies.
    #[derive(Clone, Debug, Default)]
    struct Echo {
        finished: Arc<AtomicBool>,
        held: Arc<AtomicBool>,
    }

    fn said(path: &str, client: Client) -> Response<Body> {
        let mut answer = Response::new(Body::full(path.to_owned()));
        let address = client.address.map_or("none".to_owned(), |address| address.to_string());
        answer.headers_mut().insert("client", HeaderValue::from_str(&address).unwrap());
        answer
    }

    impl Handler for Echo {
        fn handle(self: Arc<Self>, request: Request<Incoming>, exchange: Exchange) -> Handled {
            let path = request.uri().path().to_owned();
            if path == "/large" {
                return Handled::Now(Response::new(Body::full(vec![b'x'; 16 << 20])));
            }
            if path == "/held" {
                self.held.store(true, SeqCst);
                return Handled::Later(Box::pin(std::future::pending()));
            }
            if path.starts_with("/now") {
                return Handled::Now(said(&path, exchange.client));
            }
            Handled::Later(Box::pin(async move {
                sleep(Duration::from_millis(5)).await;
                said(&path, exchange.client)
            }))
        }

        fn finish(self: Arc<Self>, _deadline: Instant) -> Later<()> {
            Box::pin(async move { self.finished.store(true, SeqCst) })
        }
    }

    impl Handlers for Echo {
        fn attach(&self) -> Arc<dyn Handler> {
            Arc::new(self.clone())
        }
    }

    /// Asks three times on one connection.
    fn asks(mut stream: impl io::Read + io::Write, client: &str) {
        for path in ["/now", "/later", "/now/again"] {
            write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(path.as_bytes()) {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                answer.extend(byte);
            }
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 200 OK\r\nclient: {client}\r\n")), "{answer}");
        }
    }

    #[test]
    fn any_handler_is_served_at_once_and_later() {
        let settings = ServerSettings { listen: vec!["127.0.0.1:0".parse().unwrap()], ..settings::any() };
        let echo = Echo::default();
        let running = Server::bind(settings).unwrap().start(&echo).unwrap();
        let mut stream = TcpStream::connect(running.addresses()[0]).unwrap();
        asks(&stream, "127.0.0.1");
        running.stop();
        assert!(echo.finished.load(SeqCst));
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the connection is closed");
    }

    #[test]
    fn a_unix_socket_is_served_and_removed_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let settings = ServerSettings { unix: vec![path.clone()], cores: 2, ..settings::any() };
        let running = Server::bind(settings).unwrap().start(&Echo::default()).unwrap();
        assert!(running.addresses().is_empty());
        let mut stream = UnixStream::connect(&path).unwrap();
        asks(&stream, "none");
        running.stop();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the connection is closed");
        assert!(!path.exists());
    }

    #[test]
    fn who_asks_nothing_makes_room_where_that_is_wanted_and_who_waits_for_an_answer_does_not() {
        let settings = ServerSettings {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            max_connections: 3,
            idle_make_room: true,
            ..settings::any()
        };
        let echo = Echo::default();
        let running = Server::bind(settings).unwrap().start(&echo).unwrap();
        let connect = |sent: &str| {
            let mut stream = TcpStream::connect(running.addresses()[0]).unwrap();
            stream.write_all(sent.as_bytes()).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream
        };
        let held = connect("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
        while !echo.held.load(SeqCst) {
            std::thread::yield_now();
        }
        // Silent, with a part of a head, between two requests, and with an answer that nobody reads.
        for sent in
            ["", "GET /now HT", "GET /now HTTP/1.1\r\nHost: a\r\n\r\n", "GET /large HTTP/1.1\r\nHost: a\r\n\r\n"]
        {
            let others: Vec<_> = (0..6).map(|_| connect(sent)).collect();
            asks(connect(""), "127.0.0.1");
            drop(others);
        }
        held.set_nonblocking(true).unwrap();
        let still = (&held).read(&mut [0]).unwrap_err();
        assert_eq!(still.kind(), io::ErrorKind::WouldBlock, "it waits for its answer");
        drop(held);
        running.stop();
    }
}
