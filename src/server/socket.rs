//! What connections come over: TCP or a unix socket.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpStream, UnixStream};

/// A listening socket, not served yet.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

/// The same in a core's runtime.
pub(super) enum Accepting {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

/// A connection, and for TCP who is at its other end.
pub(super) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Listener {
    /// Call it inside of the runtime.
    pub(super) fn accepting(self) -> io::Result<Accepting> {
        Ok(match self {
            Self::Tcp(listener) => Accepting::Tcp(tokio::net::TcpListener::from_std(listener)?),
            Self::Unix(listener) => Accepting::Unix(tokio::net::UnixListener::from_std(listener)?),
        })
    }
}

impl Accepting {
    /// Waits for the next connection. Dropping the future loses none.
    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(stream, peer)| Accepted::Tcp(stream, peer)),
            Self::Unix(listener) => listener.accept().await.map(|(stream, _)| Accepted::Unix(stream)),
        }
    }

    /// Closes it, and gives at most so many of those who are connected and were not accepted yet: the kernel would reset
    /// them.
    pub(super) fn queued(self, most: usize) -> Vec<Accepted> {
        // Not asked through the runtime, which may not have heard of the last ones.
        match self {
            Self::Tcp(listener) => {
                let Ok(listener) = listener.into_std() else { return Vec::new() };
                std::iter::from_fn(|| tcp(listener.accept().ok()?).ok()).take(most).collect()
            }
            Self::Unix(listener) => {
                let Ok(listener) = listener.into_std() else { return Vec::new() };
                std::iter::from_fn(|| unix(listener.accept().ok()?.0).ok()).take(most).collect()
            }
        }
    }
}

fn tcp((stream, peer): (std::net::TcpStream, SocketAddr)) -> io::Result<Accepted> {
    stream.set_nonblocking(true)?;
    Ok(Accepted::Tcp(TcpStream::from_std(stream)?, peer))
}

fn unix(stream: std::os::unix::net::UnixStream) -> io::Result<Accepted> {
    stream.set_nonblocking(true)?;
    Ok(Accepted::Unix(UnixStream::from_std(stream)?))
}
