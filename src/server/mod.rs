//! Listeners, cores, limits, shutdown.
//!
//! Each core has a thread, a current-thread runtime, listeners of its own on the same ports (`SO_REUSEPORT`), an origin
//! pool and a session with the store. What cores share is the memory store, the fetches under way and a few counters.

mod accept;
mod connection;
mod files;
mod listen;
mod settings;
mod tls;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{Semaphore, watch};

use crate::origin::{self, Origin};
use crate::proxy::{self, Proxy};
use crate::store;

use tls::Certificate;

#[cfg(fuzzing)]
pub use connection::fuzzing;
pub use listen::BindError;
pub use settings::{Http2, ServerSettings};
pub use tls::{TlsError, TlsSettings};

/// What every core's proxy is made from.
#[derive(Clone, Debug)]
pub struct Parts {
    /// What the proxies share.
    pub proxy: proxy::Shared,
    /// What the stores share.
    pub store: store::Shared,
    /// What the clients of the origin share.
    pub origin: Arc<origin::Shared>,
}

/// A server whose sockets are open, not serving yet.
#[derive(Debug)]
pub struct Server {
    settings: ServerSettings,
    /// For each core its listeners.
    listeners: Vec<Vec<TcpListener>>,
    addresses: Vec<SocketAddr>,
    certificate: Option<Arc<Certificate>>,
}

/// A server at work.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    certificate: Option<Arc<Certificate>>,
    stop: watch::Sender<bool>,
    cores: Vec<JoinHandle<()>>,
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
        let (listeners, addresses) = Self::listen(&settings).map_err(SetupError::Bind)?;
        Ok(Self { settings, listeners, addresses, certificate })
    }

    /// For each core its listeners, and the addresses, each with its port.
    fn listen(settings: &ServerSettings) -> Result<(Vec<Vec<TcpListener>>, Vec<SocketAddr>), BindError> {
        let mut listeners: Vec<Vec<TcpListener>> = (0..settings.cores).map(|_| Vec::new()).collect();
        let mut addresses = Vec::new();
        for wanted in &settings.listen {
            let mut address = *wanted;
            listen::claim(address)?;
            for core in &mut listeners {
                let listener = listen::open(address)?;
                // Port 0 is chosen by the kernel for the first core; the others join it.
                address = listener.local_addr().map_err(|cause| BindError::new(address, cause))?;
                core.push(listener);
            }
            addresses.push(address);
        }
        Ok((listeners, addresses))
    }

    /// The addresses it listens on, with the ports that the kernel chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Starts serving, one thread a core.
    pub fn start(self, parts: &Parts) -> io::Result<Running> {
        let (stop, stopped) = watch::channel(false);
        let places = files::connections(self.settings.max_connections, parts.origin.max_connections());
        let connections = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        let settings = Arc::new(self.settings);
        let shortage = Arc::default();
        let stack = parts.store.stack_bytes(self.listeners.len());
        let mut cores = Vec::new();
        for (index, listeners) in self.listeners.into_iter().enumerate() {
            let core = accept::Core {
                listeners,
                settings: Arc::clone(&settings),
                certificate: self.certificate.clone(),
                connections: Arc::clone(&connections),
                shortage: Arc::clone(&shortage),
                stopped: stopped.clone(),
            };
            // One look at the files is enough for all cores.
            let follow = self.certificate.clone().filter(|_| index == 0).map(|it| it.follow(stopped.clone()));
            let parts = parts.clone();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let thread = std::thread::Builder::new().name(format!("core-{index}"));
            let thread = stack.into_iter().fold(thread, std::thread::Builder::stack_size).spawn(move || {
                runtime.block_on(async move {
                    follow.map(tokio::spawn);
                    let origin = Origin::new(parts.origin);
                    core.serve(Arc::new(Proxy::new(parts.proxy, parts.store.attach(), origin))).await;
                });
            })?;
            cores.push(thread);
        }
        Ok(Running { addresses: self.addresses, certificate: self.certificate, stop, cores })
    }
}

impl Running {
    /// The addresses it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether TLS is spoken there.
    pub fn is_secure(&self) -> bool {
        self.certificate.is_some()
    }

    /// Reads the certificate's files again; a bad one changes nothing but a line in the log. Without TLS there are none.
    pub fn reload_certificate(&self) {
        if let Some(certificate) = &self.certificate {
            certificate.reload();
        }
    }

    /// Stops accepting, lets requests under way end within the shutdown timeout, and returns when all cores are done.
    pub fn stop(self) {
        self.stop.send_replace(true);
        for core in self.cores {
            if core.join().is_err() {
                tracing::error!("a core ended with a panic; this is a bug in aside");
            }
        }
    }
}
