//! Listening sockets that several cores share a port with.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Why an address cannot be listened on.
#[derive(Debug)]
pub struct BindError {
    address: SocketAddr,
    cause: io::Error,
}

impl BindError {
    pub(super) fn new(address: SocketAddr, cause: io::Error) -> Self {
        Self { address, cause }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, cause } = self;
        write!(out, "cannot listen on {address}: {cause}")?;
        match cause.kind() {
            io::ErrorKind::AddrInUse => write!(out, "; stop what listens there, or choose another `listen` address"),
            io::ErrorKind::PermissionDenied => write!(out, "; ports below 1024 need privileges"),
            io::ErrorKind::AddrNotAvailable => write!(out, "; this machine does not have that address"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// How many connections may wait to be accepted.
pub(super) const BACKLOG: usize = 4096;

/// Fails where another program listens already: with `SO_REUSEPORT` alone the two would take turns, and each would keep
/// its own answers.
pub(super) fn claim(address: SocketAddr) -> Result<(), BindError> {
    let claim = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())
    };
    claim().map_err(|cause| BindError::new(address, cause))
}

/// Opens a non-blocking listener that shares its port with the other cores'.
pub(super) fn open(address: SocketAddr) -> Result<TcpListener, BindError> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(i32::try_from(BACKLOG).unwrap_or(i32::MAX))?;
        Ok(TcpListener::from(socket))
    };
    open().map_err(|cause| BindError::new(address, cause))
}
