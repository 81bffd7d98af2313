//! What the configuration says about the admin listener.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::fields::BearerToken;

/// The `[admin]` table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdminSettings {
    /// Where it listens.
    pub listen: AdminListen,
    /// What a request has to bring along; `None` where whoever reaches the listener may ask it.
    pub token: Option<BearerToken>,
}

/// Where the admin listener listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AdminListen {
    /// On a unix socket in a folder of this user's own, named after the port for clients.
    #[default]
    Default,
    /// On a TCP address.
    Tcp(SocketAddr),
    /// On this unix socket.
    Unix(PathBuf),
    /// Nowhere.
    Off,
}

impl fmt::Display for AdminListen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("a unix socket"),
            Self::Tcp(address) => write!(out, "http://{address}"),
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
            Self::Off => out.write_str("off"),
        }
    }
}
