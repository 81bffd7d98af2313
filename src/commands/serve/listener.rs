//! The admin listener of `aside serve`, opened beside the one for clients: at once, or as soon as the process that was there
//! before is gone, which tells how it stops until it has.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::time::{sleep, timeout};

use crate::admin::{Admin, AdminListen, AdminSettings, Client, Identity, Place, Process};
use crate::config::runtime_folders;
use crate::rules::reachable;
use crate::server::{Http2, Running, Server, ServerSettings, SetupError};

/// What has come of opening it.
#[derive(Debug)]
pub(super) enum Opened {
    /// Its socket is open.
    Now(Box<Listener>),
    /// A process that is being stopped has its place.
    Later(Wanted),
    /// There is none.
    Never,
}

/// One that is to be opened.
#[derive(Debug)]
pub(super) struct Wanted {
    settings: AdminSettings,
    clients: Vec<SocketAddr>,
}

/// Its server, once it is there.
#[derive(Clone, Debug, Default)]
pub(super) struct AdminServer(Arc<Mutex<Option<Running>>>);

/// Why it cannot be opened.
pub(super) type Failure = Box<dyn Error + Send + Sync>;

/// So long whoever has its place may take to say that it stops.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);
/// So often it is looked whether the place is free.
const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// An admin listener whose socket is open, not serving yet.
#[derive(Debug)]
pub(super) struct Listener {
    settings: AdminSettings,
    server: Server,
    /// As `--admin` takes it.
    place: String,
}

/// Connections that may be open at once; of more, the longest idle make room. A person has a few, a browser six, and
/// Prometheus one.
const CONNECTIONS: usize = 32;

/// The limits of its own. Whoever asks is near, and asks little.
fn limits() -> ServerSettings {
    ServerSettings {
        threads: "admin",
        http2: Http2::Off,
        cores: 1,
        max_connections: CONNECTIONS,
        idle_make_room: true,
        header_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(10),
        write_stall: Duration::from_secs(10),
        max_connection_answers: 1 << 20,
        max_header: 16 << 10,
        max_fields: 64,
        shutdown_timeout: Duration::from_secs(1),
        ..ServerSettings::default()
    }
}

impl Wanted {
    /// Where it is to be, nowhere included.
    fn listen(&self) -> Result<AdminListen, String> {
        match &self.settings.listen {
            AdminListen::Default => {
                let port = self.clients.first().map_or(0, SocketAddr::port);
                runtime_folders().socket(port).map(AdminListen::Unix)
            }
            listen => Ok(listen.clone()),
        }
    }

    fn open(&self) -> Result<Option<Listener>, Failure> {
        let listen = self.listen()?;
        let limits = match &listen {
            AdminListen::Off | AdminListen::Default => return Ok(None),
            AdminListen::Tcp(address) => ServerSettings { listen: vec![*address], ..limits() },
            AdminListen::Unix(path) => ServerSettings { unix: vec![path.clone()], ..limits() },
        };
        let server = Server::bind(limits)?;
        let listen = match server.addresses() {
            [address, ..] => AdminListen::Tcp(*address),
            [] => listen,
        };
        Ok(Some(Listener { settings: self.settings.clone(), server, place: listen.to_string() }))
    }

    /// Whether a process has its place that says that it serves no clients: it is being stopped, and will be gone.
    async fn is_being_left(&self) -> bool {
        let place = match self.listen() {
            Ok(AdminListen::Tcp(address)) => Place::Tcp(reachable(address).to_string()),
            Ok(AdminListen::Unix(path)) => Place::Unix(path),
            _ => return false,
        };
        let asked = timeout(ANSWERED_WITHIN, Client::new(vec![place], None).get("/readyz")).await;
        matches!(asked, Ok(Ok((StatusCode::SERVICE_UNAVAILABLE, _))))
    }

    /// Opens it once nobody has its place any more.
    async fn open_later(&self) -> Result<Option<Listener>, Failure> {
        loop {
            let is_being_left = self.is_being_left().await;
            match self.open() {
                Err(error) if is_being_left && is_taken(&error) => sleep(LOOKS_EVERY).await,
                opened => return opened,
            }
        }
    }
}

fn is_taken(error: &Failure) -> bool {
    error.downcast_ref::<SetupError>().is_some_and(SetupError::is_taken)
}

fn tell_missing(why: &Failure) {
    tracing::warn!(
        "there is no admin listener, so `aside status` and its like cannot ask this process: {why}; choose a place with \
         `listen` in [admin], or \"off\""
    );
}

impl Opened {
    /// Opens it, where the configuration wants one. `clients` are the addresses for clients. One that nobody has asked for and
    /// that cannot be opened is no reason not to serve.
    pub(super) async fn open(settings: &AdminSettings, clients: &[SocketAddr]) -> Result<Self, Failure> {
        let wanted = Wanted { settings: settings.clone(), clients: clients.to_vec() };
        match wanted.open() {
            Ok(listener) => Ok(listener.map_or(Self::Never, |listener| Self::Now(Box::new(listener)))),
            Err(error) if is_taken(&error) && wanted.is_being_left().await => Ok(Self::Later(wanted)),
            Err(error) if settings.listen == AdminListen::Default => {
                tell_missing(&error);
                Ok(Self::Never)
            }
            Err(error) => Err(error),
        }
    }

    /// Starts answering, now or later. The process serves clients at these URLs.
    pub(super) fn start(self, listen: Vec<String>, process: Process) -> io::Result<AdminServer> {
        let server = AdminServer::default();
        match self {
            Self::Never => {}
            Self::Now(listener) => server.set(listener.start(listen, process)?),
            Self::Later(wanted) => {
                tracing::info!("the admin listener waits: another process has its place, which is being stopped");
                let later = server.clone();
                tokio::spawn(async move {
                    let started = wanted.open_later().await.and_then(|listener| {
                        Ok(listener.map(|listener| listener.start(listen, process)).transpose()?)
                    });
                    match started {
                        Ok(running) => running.into_iter().for_each(|running| later.set(running)),
                        Err(error) => tell_missing(&error),
                    }
                });
            }
        }
        Ok(server)
    }
}

impl AdminServer {
    fn set(&self, running: Running) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
    }

    /// Has it take no more connections, and waits for nobody.
    pub(super) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(Running::close);
    }

    /// Stops it, where there is one by now.
    pub(super) fn stop(&self) {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        running.into_iter().for_each(Running::stop);
    }
}

impl Listener {
    fn start(self, listen: Vec<String>, process: Process) -> io::Result<Running> {
        let address = self.server.addresses().first().copied();
        let identity = Identity { listen, admin: self.place.clone() };
        let running = self.server.start(&Admin::new(&self.settings, address, identity, process))?;
        tracing::info!("admin listener on {}", self.place);
        Ok(running)
    }
}
