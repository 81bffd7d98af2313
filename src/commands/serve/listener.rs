//! The admin listener of `aside serve`, opened beside the one for clients.

use std::net::SocketAddr;
use std::time::Duration;

use crate::admin::{Admin, AdminListen, AdminSettings, Identity, Process};
use crate::config::runtime_folders;
use crate::server::{Http2, Running, Server, ServerSettings, SetupError};

/// An admin listener whose socket is open, not serving yet.
#[derive(Debug)]
pub(super) struct Listener {
    settings: AdminSettings,
    server: Server,
    /// As `--admin` takes it.
    place: String,
}

/// Connections that may be open at once: more wait. A person has a few, a browser six, and Prometheus one.
const CONNECTIONS: usize = 32;

/// The limits of its own. Whoever asks is near, and asks little.
fn limits() -> ServerSettings {
    ServerSettings {
        threads: "admin",
        http2: Http2::Off,
        cores: 1,
        max_connections: CONNECTIONS,
        header_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(10),
        write_stall: Duration::from_secs(10),
        max_connection_answers: 1 << 20,
        max_header: 16 << 10,
        max_fields: 64,
        shutdown_timeout: Duration::from_secs(2),
        ..ServerSettings::default()
    }
}

impl Listener {
    /// Opens it, where the configuration wants one. `clients` are the addresses for clients. One that nobody has asked for and
    /// that cannot be opened is no reason not to serve.
    pub(super) fn open(settings: &AdminSettings, clients: &[SocketAddr]) -> Result<Option<Self>, SetupError> {
        let limits = limits();
        let limits = match &settings.listen {
            AdminListen::Off => return Ok(None),
            AdminListen::Tcp(address) => ServerSettings { listen: vec![*address], ..limits },
            AdminListen::Unix(path) => ServerSettings { unix: vec![path.clone()], ..limits },
            AdminListen::Default => {
                let port = clients.first().map_or(0, SocketAddr::port);
                let opened = runtime_folders().socket(port).and_then(|path| {
                    let place = format!("unix:{}", path.display());
                    let server = Server::bind(ServerSettings { unix: vec![path], ..limits });
                    server.map(|server| (place, server)).map_err(|error| error.to_string())
                });
                return Ok(match opened {
                    Ok((place, server)) => Some(Self { settings: settings.clone(), server, place }),
                    Err(why) => {
                        tracing::warn!(
                            "there is no admin listener, so `aside status` and its like cannot ask this process: {why}; \
                             choose a place with `listen` in [admin], or \"off\""
                        );
                        None
                    }
                });
            }
        };
        let server = Server::bind(limits)?;
        let listen = match (&settings.listen, server.addresses()) {
            (_, [address, ..]) => AdminListen::Tcp(*address),
            (listen, []) => listen.clone(),
        };
        Ok(Some(Self { settings: settings.clone(), server, place: listen.to_string() }))
    }

    /// Starts answering. The process serves clients at these URLs.
    pub(super) fn start(self, listen: Vec<String>, process: Process) -> std::io::Result<Running> {
        let address = self.server.addresses().first().copied();
        let identity = Identity { listen, admin: self.place.clone() };
        let running = self.server.start(&Admin::new(&self.settings, address, identity, process))?;
        tracing::info!("admin listener on {}", self.place);
        Ok(running)
    }
}
